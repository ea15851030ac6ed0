"""What a reader tells of a reply, in the order in which it became certain."""

from dataclasses import dataclass
from typing import Any

from penstock.calls import Call

BROKEN = "broken"
"""The reason of a `MessageEnd` when the reply stopped before its end."""


@dataclass(frozen=True, slots=True)
class ToolStart:
    """A call has begun: its tool is known.

    Attributes:
        index: the call's number in this reply, from 0, in the order in which calls began. The other
            events name the call by it.
        id: the provider's id; where it gives none, `call-` and the index.
        name: the tool.
    """

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ArgDelta:
    """A piece of the arguments came; together the pieces are their JSON, or a custom tool's text."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class ArgClosed:
    """A value inside the arguments is complete; what is inside of it was told before.

    Attributes:
        index: of the call.
        path: keys and indexes, outermost first; never empty.
        value: decoded.
    """

    index: int
    path: tuple[str | int, ...]
    value: Any


@dataclass(frozen=True, slots=True)
class CallClosed:
    """A call is complete.

    It comes again, with the whole, when a server goes on after the end: then the later one counts.
    """

    index: int
    call: Call


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """The reply has ended; always the last event.

    Attributes:
        reason: as the provider names it, or "broken": it stopped before its end. Then what no
            `CallClosed` was told of was not called.
    """

    reason: str


ReplyEvent = ToolStart | ArgDelta | ArgClosed | CallClosed | MessageEnd
"""What became certain of a reply."""
