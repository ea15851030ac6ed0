"""Scopes: whom a limit or a budget is about, as text such as `tenant:*/model:gpt-5`.

A scope is `global`, or parts `kind:name` in a fixed order, joined by `/`. A name is literal, with `/`,
`*`, `%` and `:` written as in a URL (`%2F %2A %25 %3A`; a `:` may also stand for itself), or it is `*`:
then each value has a state of its own. Here a scope is checked and brought into its one spelling, which
is also the core's; the core decides which scopes match a call.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote_to_bytes

from penstock.errors import ConfigError, nearest

LIMIT_PARTS = ("tenant", "service", "tool", "model")
"""The parts of a limit's scope, in their order."""

BUDGET_PARTS = ("tenant", "agent", "service", "tool", "model", "run", "batch")
"""The parts of a budget's scope, in their order."""

GIVEN_TO = ("run", "batch", "call")
"""Budgets of the one run, batch or call that they are given to; such a word is a whole scope."""

MOST_NAME_BYTES = 200
"""As it is spelled."""

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPED = re.compile(r"[%/:*\x00-\x1f\x7f-\x9f]")


def parse_scope(text: object, *, budget: bool = False) -> str:
    """Return a scope in its one spelling.

    Args:
        text: what the user wrote.
        budget: whether it is a budget's, which has more parts.

    Raises:
        ConfigError: it is no scope; the reason says which part and what is allowed.

    Example:
        >>> parse_scope("tenant:*/service:a%62%2Fc")
        'tenant:*/service:ab%2Fc'
    """
    if not isinstance(text, str):
        raise ConfigError("scope", text, "must be text such as 'service:weather' or 'global'")
    if text == "global" or (budget and text in GIVEN_TO):
        return text
    known = BUDGET_PARTS if budget else LIMIT_PARTS
    parts = [_parse_part(text, part, known) for part in text.split("/")]
    places = [known.index(kind) for kind, _name in parts]
    if any(a >= b for a, b in pairwise(places)):
        reason = f"each part once, in the order {' / '.join(f'{kind}:' for kind in known)}"
        raise ConfigError("scope", text, reason)
    return "/".join(f"{kind}:{name}" for kind, name in parts)


def scope_parts(scope: str) -> Iterator[tuple[str, str | None]]:
    """Iterate over the parts of a checked scope: kinds, and names as they are called; None for `*`.

    Example:
        >>> list(scope_parts("tenant:*/service:ab%2Fc"))
        [('tenant', None), ('service', 'ab/c')]
    """
    if scope == "global" or scope in GIVEN_TO:
        return
    for part in scope.split("/"):
        kind, _, name = part.partition(":")
        yield kind, None if name == "*" else unquote_to_bytes(name).decode()


def encode_name(name: str) -> str:
    """Return a literal name as a scope spells it: `a/b` is `a%2Fb`."""
    return _ESCAPED.sub(lambda found: "".join(f"%{b:02X}" for b in found[0].encode()), name)


def _parse_part(text: str, part: str, known: tuple[str, ...]) -> tuple[str, str]:
    """Return the kind and the spelled name of one part."""
    kind, colon, name = part.partition(":")
    if kind not in known:
        raise ConfigError("scope", text, _unknown(kind, known))
    if not colon or not name:
        raise ConfigError("scope", text, f"{kind!r} needs a name: '{kind}:NAME' or '{kind}:*'")
    return kind, name if name == "*" else _parse_name(text, kind, name)


def _parse_name(text: str, kind: str, name: str) -> str:
    if "*" in name:
        reason = (
            f"{kind}: '*' alone stands for any name, a literal one is %2A; patterns are unknown"
        )
        raise ConfigError("scope", text, reason)
    if _BAD_ESCAPE.search(name):
        raise ConfigError("scope", text, f"{kind}: '%' starts two hex digits; write '%25' for it")
    try:
        spelled = encode_name(unquote_to_bytes(name).decode())
    except UnicodeError:
        raise ConfigError("scope", text, f"{kind}: the name must be UTF-8") from None
    if len(spelled.encode()) > MOST_NAME_BYTES:
        raise ConfigError("scope", text, f"{kind}: a name has at most {MOST_NAME_BYTES} bytes")
    return spelled


def _unknown(kind: str, known: tuple[str, ...]) -> str:
    if kind in {*BUDGET_PARTS, *GIVEN_TO}:
        return f"{kind!r} is for budgets only; a limit has {', '.join(known)} or 'global'"
    near = nearest(kind, known, most=1)
    helps = f"did you mean {near[0] + ':'!r}?" if near else f"there are {', '.join(known)}"
    return f"there is no part {kind[:40]!r}; {helps} (or 'global')"
