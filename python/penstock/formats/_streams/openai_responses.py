"""The stream of OpenAI's Responses.

Pieces name the item by `output_index`; the item's own id is not the `call_id` that the answer needs.
What the `.done` events say is the truth, whatever the pieces said. An `incomplete` response ends with
calls that are cut: they are closed as they are. Responses that were not streamed by the server, or
whose stream was taken up late, have their items in `response.completed`.

Source: https://developers.openai.com/api/reference/resources/responses/streaming-events (2026-11).
"""

from collections.abc import Callable
from typing import ClassVar

from penstock.formats._reply import as_id, as_text
from penstock.formats._streams.draft import Draft
from penstock.formats._streams.events import BROKEN
from penstock.formats._streams.fields import field, items, number, raw_text, word
from penstock.formats._streams.reader import Reader

_TEXTS = {"function_call": "arguments", "custom_tool_call": "input"}
"""The types of items that are calls, and where their arguments are."""

Key = int | str | None


class OpenAIResponsesReader(Reader):
    """Reads the events of `responses.create(stream=True)` and of `responses.stream()`."""

    name: ClassVar[str] = "openai_responses"

    def __init__(self) -> None:
        super().__init__()
        self._items: dict[Key, Draft] = {}

    def _read(self, chunk: object) -> None:
        kind = word(field(chunk, "type")) or ""
        read = _KINDS.get(kind)
        if read is not None:
            read(self, chunk)
        elif not kind.startswith("response."):
            self._pass_over()

    def _add_item(self, chunk: object) -> None:
        self._item(field(chunk, "item"), number(field(chunk, "output_index")))

    def _add(self, chunk: object) -> None:
        draft = self._items.get(_key(chunk))
        if draft is not None and draft.told is None:
            draft.feed(raw_text(field(chunk, "delta"), "delta"), self._events)

    def _settle(self, chunk: object) -> None:
        draft = self._items.get(_key(chunk))
        if draft is not None:
            self._close_with(draft, field(chunk, "arguments", "input"))

    def _end_item(self, chunk: object) -> None:
        item = field(chunk, "item")
        draft = self._item(item, number(field(chunk, "output_index")))
        if draft is not None:
            self._close_with(draft, field(item, "arguments", "input"))

    def _item(self, item: object, place: int | None) -> Draft | None:
        """Return the call of an item, begun if it is new; None for an item that is no call."""
        kind = word(field(item, "type"))
        if kind not in _TEXTS:
            return None
        own = as_id(field(item, "id"), "item.id")
        key = own if place is None else place
        if key not in self._items:
            id = as_id(field(item, "call_id"), "item.call_id")
            name = as_text(field(item, "name"), "item.name")
            self._items[key] = self._start(place, id, name, free=kind == "custom_tool_call")
        return self._items[key]

    def _close_with(self, draft: Draft, given: object) -> None:
        before = draft.told
        if given is not None:
            draft.settle(raw_text(given, "arguments"), self._events)
        if before is None or draft.call().arguments != before.arguments:
            self._close(draft)

    def _end_message(self, chunk: object) -> None:
        response = field(chunk, "response")
        for place, item in enumerate(items(field(response, "output"))):
            known = place in self._items or word(field(item, "id")) in self._items
            if not known and (draft := self._item(item, place)) is not None:
                self._close_with(draft, field(item, "arguments", "input"))
        reason = word(field(field(response, "incomplete_details"), "reason"))
        self._end(reason or word(field(response, "status")) or "completed")

    def _break(self, chunk: object) -> None:
        self._end(BROKEN)


def _key(chunk: object) -> Key:
    place = number(field(chunk, "output_index"))
    return as_id(field(chunk, "item_id"), "item_id") if place is None else place


_KINDS: dict[str, Callable[[OpenAIResponsesReader, object], None]] = {
    "response.output_item.added": OpenAIResponsesReader._add_item,
    "response.output_item.done": OpenAIResponsesReader._end_item,
    "response.function_call_arguments.delta": OpenAIResponsesReader._add,
    "response.function_call_arguments.done": OpenAIResponsesReader._settle,
    "response.custom_tool_call_input.delta": OpenAIResponsesReader._add,
    "response.custom_tool_call_input.done": OpenAIResponsesReader._settle,
    "response.completed": OpenAIResponsesReader._end_message,
    "response.incomplete": OpenAIResponsesReader._end_message,
    "response.failed": OpenAIResponsesReader._break,
    "error": OpenAIResponsesReader._break,
}
