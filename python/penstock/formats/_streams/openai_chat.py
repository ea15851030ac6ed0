"""The stream of OpenAI's Chat Completions, and of the many servers that speak it.

No event says that a call is complete: it is when its object closes; one without any arguments, when
the next one begins. Servers differ: some give no index, some give every call the index 0 and a new id,
some repeat id and name with each piece. The `finish_reason` comes in a piece of its own, early, late,
"stop" in spite of calls, or never: it ends nothing. The reply has ended with `[DONE]`, or when its
reader is told so, which the SDK's iteration does not show.

Source: https://developers.openai.com/api/reference/resources/chat/subresources/completions/streaming-events
and googleapis/python-genai issue 2868 (2026-11).
"""

from typing import ClassVar

from penstock._codec import encode_text
from penstock.formats._reply import Unreadable, as_text
from penstock.formats._streams.draft import Draft
from penstock.formats._streams.fields import field, items, number, raw_text, text, word
from penstock.formats._streams.reader import Reader


class OpenAIChatReader(Reader):
    """Reads the chunks of `chat.completions.create(stream=True)`, of the first choice."""

    name: ClassVar[str] = "openai_chat"

    def __init__(self) -> None:
        super().__init__()
        # By index. The last one is None's, too: pieces without index go on with it.
        self._open: dict[int | None, Draft] = {}
        self._function: Draft | None = None

    def _read(self, chunk: object) -> None:
        # The SDK's helper wraps each chunk into an event, beside events of its own.
        choices = field(field(chunk, "chunk") or chunk, "choices")
        if choices is None:
            self._pass_over()
        for at, choice in enumerate(items(choices)):
            if not number(field(choice, "index")):
                self._read_choice(choice, at)

    def _read_choice(self, choice: object, place: int) -> None:
        # Servers that do not stream a call send it as the message that it is.
        delta = field(choice, "delta", "message")
        for at, piece in enumerate(items(field(delta, "tool_calls"))):
            try:
                self._read_call(piece)
            except Unreadable as fault:
                raise fault.under(f"choices[{place}].delta.tool_calls[{at}]") from None
        if (function := field(delta, "function_call")) is not None:
            self._read_function(function)
        self._reason = word(field(choice, "finish_reason")) or self._reason

    def _read_call(self, piece: object) -> None:
        index, id = number(field(piece, "index")), text(field(piece, "id"), "id") or None
        custom = field(piece, "custom")
        function = field(piece, "function") if custom is None else custom
        name = text(field(function, "name"), "function.name")
        given = _written(field(function, "arguments", "input"))
        draft = self._open.get(index)
        if draft is None or _is_another(draft, index, id, name, given):
            if not name:
                raise Unreadable("function.name", "must be text, not null")
            self._close_blank()
            draft = self._start(index, id, name, free=custom is not None)
            self._open[index] = self._open[None] = draft
        elif draft.id is None:
            draft.id = id  # what the answer will need, even if it came late
        self._go_on(draft, given)

    def _read_function(self, function: object) -> None:
        """The deprecated way: one call, without an id."""
        if self._function is None:
            name = as_text(field(function, "name"), "function_call.name")
            self._function = self._start(None, None, name)
        self._go_on(self._function, _written(field(function, "arguments")))

    def _go_on(self, draft: Draft, given: str) -> None:
        draft.feed(given, self._events)
        if draft.is_complete:
            if draft.told is None or draft.told.arguments is None:
                self._close(draft)
        elif draft.told is not None and given.strip():
            draft.told = None  # a server went on after the end: what counts is the whole

    def _close_blank(self) -> None:
        """Another call begins: those before it without arguments get none."""
        for draft in self._drafts:
            if draft.told is None and draft.is_blank:
                self._close(draft)


def _is_another(draft: Draft, index: int | None, id: str | None, name: str, given: str) -> bool:
    """Whether a piece with the index of a call, or without any, begins the next call."""
    if id is not None and draft.id is not None:
        return id != draft.id
    has_ended = draft.is_complete or (index is None and not draft.is_blank)
    return bool(name) and has_ended and bool(given.strip())


def _written(given: object) -> str:
    """Return a piece of arguments. Some servers send the object itself, whole."""
    return encode_text(given) if isinstance(given, dict) else raw_text(given, "function.arguments")
