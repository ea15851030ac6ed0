"""The stream of Gemini's `generateContent`, of the first candidate.

A part has a whole call, as a rule. Gemini 3 on Vertex can stream its arguments: then `partialArgs` set
values by JSON path, texts in pieces, and `willContinue` says whether more comes, of the value and of
the call; the last part may be an empty `functionCall`. There is no JSON text to read, so there are no
`ArgDelta`. Calls may have no id: events make one up, and the call has none, as in the whole reply.

A candidate's `finishReason` comes with its last piece or before it: it ends nothing by itself.

Source: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling and
googleapis `google/cloud/aiplatform/v1/tool.proto`, PartialArg (2026-11).
"""

from typing import ClassVar

from penstock.calls import Call
from penstock.formats._reply import Unreadable, arguments, as_id, as_text
from penstock.formats._streams.draft import Draft
from penstock.formats._streams.fields import field, items, number, word
from penstock.formats._streams.partial import PartialArguments
from penstock.formats._streams.reader import Reader

_USAGE = ("usageMetadata", "usage_metadata")


class GeminiReader(Reader):
    """Reads the responses of `generate_content_stream`."""

    name: ClassVar[str] = "gemini"

    def __init__(self) -> None:
        super().__init__()
        self._open: tuple[Draft, PartialArguments] | None = None

    def _read(self, chunk: object) -> None:
        candidates = field(chunk, "candidates")
        feedback = field(chunk, "promptFeedback", "prompt_feedback")
        if candidates is None and feedback is None and field(chunk, *_USAGE) is None:
            self._pass_over()
        # A prompt that was blocked has no candidate that could say so.
        self._reason = word(field(feedback, "blockReason", "block_reason")) or self._reason
        for at, candidate in enumerate(items(candidates)):
            if not number(field(candidate, "index")):
                self._read_candidate(candidate, at)

    def _read_candidate(self, candidate: object, place: int) -> None:
        parts = field(field(candidate, "content"), "parts")
        for at, part in enumerate(items(parts)):
            call = field(part, "functionCall", "function_call")
            if call is None:
                continue
            try:
                self._read_call(call)
            except Unreadable as fault:
                path = f"candidates[{place}].content.parts[{at}].functionCall"
                raise fault.under(path) from None
        reason = word(field(candidate, "finishReason", "finish_reason"))
        self._reason = reason or self._reason

    def _read_call(self, call: object) -> None:
        partial = items(field(call, "partialArgs", "partial_args"))
        goes_on = field(call, "willContinue", "will_continue") is True
        if field(call, "name") is not None:
            self._close_open()
            draft = self._begin(call)
            if not (partial or goes_on):
                self._close_whole(draft, field(call, "args"))
                return
            self._open = draft, PartialArguments()
        if self._open is None:
            return  # the empty part behind a call that was closed already
        draft, values = self._open
        values.merge(field(call, "args"))
        for one in partial:
            values.set(one, draft.index, self._events)
        if not goes_on:
            self._close_open()

    def _begin(self, call: object) -> Draft:
        id = as_id(field(call, "id"), "id")
        return self._start(None, id, as_text(field(call, "name"), "name"))

    def _close_whole(self, draft: Draft, given: object) -> None:
        json = arguments(given)
        draft.feed((json or b"").decode("utf-8", "surrogatepass"), self._events)
        self._close(draft)

    def _close_open(self) -> None:
        if self._open is not None:
            draft, values = self._open
            self._open = None
            self._close(draft, Call(draft.name, arguments(values.whole()), id=draft.id))

    def _close_rest(self) -> None:
        self._close_open()
