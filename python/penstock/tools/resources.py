"""Resources: what a tool reads or changes, named by templates such as `"order:{order_id}"`.

A name may end in `*` after a colon, or be `*` alone: it then stands for all names that begin so. The
values of arguments are written with `%`, `*` and `:` escaped, so that no value names another resource.
An argument that is a list names one resource for each of its items.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

from penstock.errors import ConfigError, nearest

MOST_NAMES = 8
"""Resources of one read; one that names more depends on everything."""

MOST_CHANGED = 256
"""Resources of one write; one that names more changes everything."""

_PIECE = re.compile(r"\{([^{}]*)\}")
_PLAIN = re.compile(r"[^\s{}*%]*")
_ESCAPED = str.maketrans({"%": "%25", "*": "%2A", ":": "%3A"})

Names = Callable[[Any], tuple[str, ...] | None]
"""From validated arguments, as the host has them, to resources; None if they are too many."""


def templates(option: str, value: object, tool: str) -> tuple[str, ...] | None:
    """Return `value` as templates, their syntax checked; None stays None, which is "not said".

    Raises:
        ConfigError: one of them cannot name a resource; the author of the tool acts.
    """
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Iterable):
        reason = f'tool {tool!r}: must be a list of names, such as ["order:{{order_id}}"], or None'
        raise ConfigError(option, value, reason)
    found = tuple(value)
    if len(found) > MOST_NAMES:
        reason = f"tool {tool!r}: at most {MOST_NAMES} names; a broader one ends in `*`"
        raise ConfigError(option, value, reason)
    for template in found:
        _check(option, template, tool)
    return found


def check_names(
    option: str, given: Sequence[str] | None, parameters: Sequence[str], tool: str
) -> None:
    """Raise `ConfigError` for a template with a name that is no parameter of the tool."""
    for template in given or ():
        for name in _PIECE.findall(template):
            if name not in parameters:
                near = nearest(name, parameters, most=1)
                helps = (
                    f"did you mean {{{near[0]}}}?" if near else f"it has {', '.join(parameters)}"
                )
                reason = f"tool {tool!r} has no parameter {name!r}; {helps}"
                raise ConfigError(option, template, reason)


def names(
    given: Sequence[str], parameters: Sequence[str], *, extras: bool, most: int = MOST_NAMES
) -> Names:
    """Return what names the resources of one call.

    Args:
        given: templates, checked.
        parameters: of the tool, in the order of the arguments.
        extras: whether arguments come as `(values, others)`.
        most: resources of one call.
    """
    places = {name: place for place, name in enumerate(parameters)}
    compiled = [_compiled(template, places) for template in given]

    def name(arguments: Any) -> tuple[str, ...] | None:
        values = arguments[0] if extras else arguments
        found: dict[str, None] = {}
        for resources in compiled:
            for resource in resources(values):
                found[resource] = None
                if len(found) > most:
                    return None
        return tuple(found)

    return name


def names_meet(one: str, other: str) -> bool:
    """Return whether some resource has both names: `order:7` and `order:*` meet."""
    if one.endswith("*"):
        stem = one[:-1]
        return other.startswith(stem) or (other.endswith("*") and stem.startswith(other[:-1]))
    return one.startswith(other[:-1]) if other.endswith("*") else one == other


def broadest_name(template: str) -> str:
    """Return the name of all resources that a template may name: `order:*` of `order:{id}`."""
    return template.partition("{")[0] + "*" if "{" in template else template


def _check(option: str, template: object, tool: str) -> None:
    where = f"tool {tool!r}:"
    if not isinstance(template, str) or not 1 <= len(template) <= 256:
        raise ConfigError(option, template, f"{where} a name is text of 1 to 256 characters")
    plain = _PIECE.sub("", template)
    stem = plain[:-1] if plain == "*" or template.endswith(":*") else plain
    if not _PLAIN.fullmatch(stem):
        reason = (
            f"{where} a name is text without spaces and `%`, parameters in braces, and perhaps "
            "`*` after a last colon: order:{order_id}, order:*"
        )
        raise ConfigError(option, template, reason)


def _compiled(template: str, places: dict[str, int]) -> Callable[[Sequence[Any]], Iterable[str]]:
    pieces = _PIECE.split(template)  # text, name, text, name, ..., text
    if len(pieces) == 1:
        return lambda _values: (template,)
    texts, wanted = pieces[0::2], [places[name] for name in pieces[1::2]]

    def resources(values: Sequence[Any]) -> Iterable[str]:
        for chosen in product(*(_items(values[place]) for place in wanted)):
            written = [text for pair in zip(texts, chosen, strict=False) for text in pair]
            yield "".join([*written, texts[-1]])

    return resources


def _items(value: object) -> Sequence[str]:
    several = isinstance(value, list | tuple | set | frozenset)
    items: Iterable[object] = value if several else (value,)  # type: ignore[assignment]  # checked
    return [str(item).translate(_ESCAPED) for item in items]
