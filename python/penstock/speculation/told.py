"""What a predictor is told of a conversation: no secrets, and arguments that are settled.

Ground rules:

- State: for each session the secret texts that its calls had, at most 64; for each tool what its schema says,
  read once. On the loop's thread.
- A secret field is left out, of arguments and results at any depth; where its text of four characters or more
  comes later in the session, the place says `***`. What was said before a call made it known as secret stays
  in the memory of its session, which ends with it, and is no value of a secret parameter.
- A tool that was called with a secret is not guessed: nobody could fill it in.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock._codec import decode, encode
from penstock.errors import BadValue, sounds_secret
from penstock.speculation.secrets import masked, secret_names, secret_texts, without_secrets
from penstock.speculation.settle import settled
from penstock.tools import Tool

ToolOf = Callable[[str], Tool[..., Any] | None]
"""Finds a tool by its name; None for one that is not known."""

MOST_SECRETS = 64
"""Texts that are remembered of one session."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is known of a tool: the names of its secret parameters, its schema, and both as a digest."""

    secret: frozenset[str]
    schema: dict[str, Any]
    digest: bytes


_UNKNOWN = Form(frozenset(), {}, b"")


class Told:
    """What is told of the sessions of one engine. See the ground rules."""

    def __init__(self, tool_of: ToolOf) -> None:
        """Know no session yet.

        Args:
            tool_of: finds tools.
        """
        self._tool_of = tool_of
        self._forms: dict[str, Form] = {}
        self._secrets: dict[str, frozenset[str]] = {}

    def form(self, name: str) -> Form:
        """Return what is known of a tool."""
        known = self._forms.get(name)
        if known is None:
            tool = self._tool_of(name)
            if tool is None:
                return _UNKNOWN
            known = self._forms[name] = _form(tool)
        return known

    def call(self, session: str, name: str, arguments: bytes) -> tuple[bytes, bool]:
        """Return a call's arguments as they may be told, and whether nothing was left out.

        Args:
            session: whose call.
            name: of the tool.
            arguments: a JSON object; what is no JSON is told as it is, and means nothing.
        """
        form = self.form(name)
        try:
            given = decode(arguments)
        except ValueError:
            return arguments, True
        found = frozenset(secret_texts(given, form.secret))
        if found:
            self._remember(session, found)
        kept = without_secrets(given, form.secret, self._known(session))
        return encode(settled(kept, form.schema)), kept == given

    def result(self, session: str, name: str, value: bytes) -> bytes:
        """Return a call's result as it may be told."""
        form, known = self.form(name), self._known(session)
        if not (known or form.secret or sounds_secret(value.decode(errors="replace"))):
            return value
        return encode(without_secrets(decode(value), form.secret, known))

    def text(self, session: str, text: str) -> str:
        """Return what the user said as it may be told."""
        return masked(text, self._known(session))

    def forget(self, session: str) -> None:
        """A session is over."""
        self._secrets.pop(session, None)

    def _known(self, session: str) -> frozenset[str]:
        return self._secrets.get(session, frozenset())

    def _remember(self, session: str, found: frozenset[str]) -> None:
        both = self._known(session) | found
        self._secrets[session] = frozenset(sorted(both)[:MOST_SECRETS])


def _form(tool: Tool[..., Any]) -> Form:
    try:
        schema = tool.schema
        written = encode(schema)
    except BadValue:  # a default without a JSON form
        return _UNKNOWN
    return Form(secret_names(tool), schema, hashlib.blake2b(written, digest_size=16).digest())
