"""The wire formats of model providers: parse a reply into calls, render outcomes, describe tools.

Each module is one format and has the same functions: `parse`, `render`, `describe`, `recognise` and
`text`, also together as a `Format`. Those that providers stream also have `reader`. A module is imported when it is first used. What this package
is not: a client; it sends nothing. Read `_protocol.py` first, then `anthropic.py`.

Example:
    >>> from penstock import formats
    >>> formats.anthropic.parse([{"type": "tool_use", "id": "t1", "name": "now", "input": {}}])
    [Call('now', b'{}', id='t1')]
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from penstock.formats._catalogue import detect, get, names
from penstock.formats._protocol import Format, Message
from penstock.formats._streams.events import (
    ArgClosed,
    ArgDelta,
    CallClosed,
    MessageEnd,
    ReplyEvent,
    ToolStart,
)
from penstock.formats._streams.reader import Reader, ReaderStatistics

__all__ = [
    "ArgClosed",
    "ArgDelta",
    "CallClosed",
    "Format",
    "Message",
    "MessageEnd",
    "Reader",
    "ReaderStatistics",
    "ReplyEvent",
    "ToolStart",
    "detect",
    "get",
    "names",
]


def __getattr__(name: str) -> ModuleType:
    path = f"{__name__}.{name}"
    if name.startswith("_") or find_spec(path) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(path)
