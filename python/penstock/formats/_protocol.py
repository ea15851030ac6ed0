"""What a format is: the type of each `FORMAT` in this folder and of each entry point."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.calls import Call, Outcome
from penstock.formats._streams.reader import Reader
from penstock.tools import Tool

Message = dict[str, Any]
"""A JSON object as the provider's API takes it: a message, an item, a tool description."""


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format, both ways: what a model asks for, and what it gets back.

    Attributes:
        name: the name of the module, such as `openai_chat`.
        parse: reads a reply: its calls, in the order of the reply; none is `[]`. Takes what the
            API answered (JSON as bytes or str, a decoded dict or list, the SDK's own object) or a
            natural part of it (the message, the list of blocks). Raises `BadReply` when it cannot
            be read; arguments that are broken spoil only their own call, later.
        render: writes the outcomes, each call answered exactly once and in order, as what has to
            be appended to the conversation. Never raises because of a value or an error.
        describe: describes tools, as what belongs in the request's list of tools.
        recognise: says whether a decoded reply looks like this format; reads no more than needed.
        text: reads what the model said beside its calls, refusals included.
        reader: makes a reader of one streamed reply; None for a format that nobody streams.
    """

    name: str
    parse: Callable[[object], list[Call]]
    render: Callable[[Sequence[Outcome]], list[Message]]
    describe: Callable[[Iterable[Tool[..., Any]]], list[Message]]
    recognise: Callable[[object], bool]
    text: Callable[[object], str]
    reader: Callable[[], Reader] | None = None
