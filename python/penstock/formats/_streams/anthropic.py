"""Anthropic's stream of a message.

Blocks have a start, deltas and a stop, and may come in parallel, by index. A tool without parameters
has the one delta `""`. `max_tokens` may cut a call inside of a value: it is closed as it is, and
rejected by the check of its arguments. Events that the SDK's helper adds (`text`, `input_json`) say
the same again and are passed over.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming (2026-11).
"""

from collections.abc import Callable
from typing import ClassVar

from penstock.calls import Call
from penstock.formats._reply import arguments, as_id, as_text
from penstock.formats._streams.draft import Draft
from penstock.formats._streams.fields import field, number, raw_text, word
from penstock.formats._streams.reader import Reader

_EMPTY = b"{}"


class AnthropicReader(Reader):
    """Reads the events of `messages.create(stream=True)` and of `messages.stream()`."""

    name: ClassVar[str] = "anthropic"

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[int | None, Draft] = {}
        # Arguments that came whole with the start of their block, as some gateways send them.
        self._given: dict[int, object] = {}

    def _read(self, chunk: object) -> None:
        read = _KINDS.get(word(field(chunk, "type")) or "")
        if read is None:
            self._pass_over()
        else:
            read(self, chunk)

    def _begin_block(self, chunk: object) -> None:
        block, place = field(chunk, "content_block"), number(field(chunk, "index"))
        if field(block, "type") != "tool_use":
            return
        id = as_id(field(block, "id"), "content_block.id")
        draft = self._start(place, id, as_text(field(block, "name"), "content_block.name"))
        self._open[place] = draft
        self._given[draft.index] = field(block, "input")

    def _add(self, chunk: object) -> None:
        delta = field(chunk, "delta")
        draft = self._open.get(number(field(chunk, "index")))
        if draft is not None and field(delta, "type") == "input_json_delta":
            draft.feed(raw_text(field(delta, "partial_json"), "delta.partial_json"), self._events)

    def _end_block(self, chunk: object) -> None:
        draft = self._open.pop(number(field(chunk, "index")), None)
        if draft is not None:
            self._close(draft)

    def _close(self, draft: Draft, call: Call | None = None) -> None:
        given = self._given.get(draft.index)
        if draft.is_blank:
            # In the whole message the input of such a call is an object.
            json = arguments(given) if given else _EMPTY
            draft.feed((json or _EMPTY).decode("utf-8", "surrogatepass"), self._events)
        super()._close(draft, call)

    def _note_reason(self, chunk: object) -> None:
        self._reason = word(field(field(chunk, "delta"), "stop_reason")) or self._reason

    def _end_message(self, chunk: object) -> None:
        self._end(self._reason or "stop")

    def _ignore(self, chunk: object) -> None:
        """Nothing about calls."""


_KINDS: dict[str, Callable[[AnthropicReader, object], None]] = {
    "message_start": AnthropicReader._ignore,
    "content_block_start": AnthropicReader._begin_block,
    "content_block_delta": AnthropicReader._add,
    "content_block_stop": AnthropicReader._end_block,
    "message_delta": AnthropicReader._note_reason,
    "message_stop": AnthropicReader._end_message,
    "ping": AnthropicReader._ignore,
}
