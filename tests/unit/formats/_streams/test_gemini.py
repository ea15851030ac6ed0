"""Streams of Gemini: whole parts, values by path, calls without ids."""

from typing import Any

import pytest

from penstock.errors import BadReply
from penstock.formats import ArgClosed, CallClosed, MessageEnd, ReplyEvent, ToolStart
from penstock.formats._streams.gemini import GeminiReader

Piece = dict[str, Any]


def piece(*calls: Piece, reason: str | None = None, index: int = 0) -> Piece:
    parts = [{"functionCall": call} for call in calls]
    candidate = {"index": index, "content": {"parts": parts}, "finishReason": reason}
    return {"candidates": [candidate]}


def value(path: str, **value: Any) -> Piece:
    return {"partialArgs": [{"jsonPath": path, **value}], "willContinue": True}


def read(*pieces: object) -> list[ReplyEvent]:
    reading = GeminiReader()
    return [event for piece in pieces for event in reading.feed(piece)] + reading.finish()


def closed(*pieces: object) -> list[tuple[str | None, object]]:
    events = read(*pieces)
    return [(e.call.id, e.call.arguments) for e in events if isinstance(e, CallClosed)]


BEGIN = {"name": "get", "willContinue": True}


def test_a_part_is_a_call() -> None:
    events = GeminiReader().feed(piece({"name": "get", "args": {"a": [1]}, "id": "1"}))
    assert [type(event).__name__ for event in events] == [
        "ToolStart",
        "ArgDelta",
        "ArgClosed",
        "ArgClosed",
        "CallClosed",
    ]


def test_a_call_without_an_id_gets_one_in_events_only() -> None:
    events = read(piece({"name": "get", "args": {}}), piece({"name": "get", "args": {}}))
    assert [e.id for e in events if isinstance(e, ToolStart)] == ["call-0", "call-1"]
    assert [e.call.id for e in events if isinstance(e, CallClosed)] == [None, None]


def test_a_call_without_arguments_has_none() -> None:
    assert closed(piece({"name": "now"}), piece({"name": "now", "args": {}})) == [
        (None, None),
        (None, b"{}"),
    ]


def test_text_in_pieces_closes_when_it_does_not_go_on() -> None:
    reading = GeminiReader()
    reading.feed(piece(BEGIN))
    assert reading.feed(piece(value("$.city", stringValue="Os", willContinue=True))) == []
    assert reading.feed(piece(value("$.city", stringValue="lo"))) == [
        ArgClosed(0, ("city",), "Oslo")
    ]


@pytest.mark.parametrize("last", [{}, {"willContinue": False}])
def test_a_call_closes_when_it_does_not_go_on(last: Piece) -> None:
    got = closed(piece(BEGIN), piece(value("$.days", numberValue=3.0)), piece(last))
    assert got == [(None, b'{"days":3}')]


def test_the_last_value_may_close_the_call() -> None:
    last = {"partialArgs": [{"jsonPath": "$.a", "boolValue": False}]}
    assert closed(piece(BEGIN), piece(last)) == [(None, b'{"a":false}')]


def test_the_next_call_closes_the_one_before() -> None:
    got = closed(piece(BEGIN), piece(value("$.a", nullValue="NULL_VALUE")), piece(BEGIN), piece({}))
    assert got == [(None, b'{"a":null}'), (None, b"{}")]


def test_arguments_beside_values_count_too() -> None:
    first = {**BEGIN, "args": {"a": 1}}
    assert closed(piece(first), piece(value("$.b", numberValue=0.5)), piece({})) == [
        (None, b'{"a":1,"b":0.5}')
    ]


def test_a_call_that_was_open_at_the_end_is_cut() -> None:
    half = value("$.a", stringValue="Os", willContinue=True)
    assert closed(piece(BEGIN), piece(half, reason="MAX_TOKENS")) == [(None, b'{"a":"Os"}')]
    assert closed(piece(BEGIN), piece(half)) == []


def test_the_finish_reason_is_the_reason_and_ends_nothing() -> None:
    later = piece({"name": "get", "args": {}})
    events = read(piece(reason="STOP"), later)
    assert events[-1] == MessageEnd("STOP")
    assert isinstance(events[-2], CallClosed)


def test_other_candidates_are_passed_over() -> None:
    assert closed(piece({"name": "get"}, index=1), piece(reason="STOP")) == []


def test_names_in_snake_case_are_read() -> None:
    part = {"json_path": "$.a", "string_value": "x"}
    call = {"name": "get", "partial_args": [part], "will_continue": True}
    pieces = [
        {"candidates": [{"content": {"parts": [{"function_call": it}]}}]} for it in (call, {})
    ]
    assert closed(*pieces) == [(None, b'{"a":"x"}')]


def test_a_path_that_cannot_be_is_a_bad_reply_with_its_place() -> None:
    with pytest.raises(BadReply) as caught:
        read(piece(BEGIN), piece(value("$.a[5]", numberValue=1)))
    place = "candidates[0].content.parts[0].functionCall.partialArgs.jsonPath"
    assert caught.value.path == place


def test_a_blocked_prompt_has_ended_with_its_reason() -> None:
    assert read({"promptFeedback": {"blockReason": "SAFETY"}}) == [MessageEnd("SAFETY")]
