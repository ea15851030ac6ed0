"""Streams of the Responses API: keys, ids, texts that win, ends."""

from typing import Any

import pytest

from penstock.formats import CallClosed, MessageEnd, ReplyEvent, ToolStart
from penstock.formats._streams.openai_responses import OpenAIResponsesReader

Piece = dict[str, Any]
KIND = "response.function_call_arguments"


def item(arguments: str = "", place: int = 0, **more: Any) -> Piece:
    names = {"id": f"fc_{place}", "call_id": f"call_{place}", "name": "get"}
    return {"type": "function_call", **names, "arguments": arguments, **more}


def added(place: int = 0, **more: Any) -> Piece:
    one = {"type": "response.output_item.added", "output_index": place}
    return {**one, "item": item(place=place, **more)}


def delta(text: str, place: int = 0) -> Piece:
    return {"type": f"{KIND}.delta", "output_index": place, "item_id": f"fc_{place}", "delta": text}


def done(text: str, place: int = 0) -> Piece:
    at = {"output_index": place, "item_id": f"fc_{place}"}
    return {"type": f"{KIND}.done", **at, "arguments": text}


def ended(kind: str = "completed", **more: Any) -> Piece:
    return {"type": f"response.{kind}", "response": {"status": kind, "output": [], **more}}


def read(*pieces: Piece) -> list[ReplyEvent]:
    reading = OpenAIResponsesReader()
    return [event for piece in pieces for event in reading.feed(piece)] + reading.finish()


def closed(*pieces: Piece) -> list[tuple[str | None, object]]:
    events = read(*pieces)
    return [(e.call.id, e.call.arguments) for e in events if isinstance(e, CallClosed)]


def test_a_call_has_the_call_id_and_not_the_id_of_its_item() -> None:
    assert read(added())[0] == ToolStart(0, "call_0", "get")


def test_a_call_closes_when_its_arguments_are_done() -> None:
    reading = OpenAIResponsesReader()
    reading.feed(added())
    assert not any(isinstance(e, CallClosed) for e in reading.feed(delta('{"a":1}')))
    assert isinstance(reading.feed(done('{"a":1}'))[-1], CallClosed)


@pytest.mark.parametrize("before", ["", '{"a"', '{"b":2}', '{"a":1}{'])
def test_the_text_of_done_wins(before: str) -> None:
    assert closed(added(), delta(before), done('{"a":1}'), ended())[-1] == ("call_0", b'{"a":1}')


def test_the_item_of_done_wins_over_its_arguments_event() -> None:
    last = {"type": "response.output_item.done", "output_index": 0, "item": item('{"a":2}')}
    assert closed(added(), done('{"a":1}'), last) == [
        ("call_0", b'{"a":1}'),
        ("call_0", b'{"a":2}'),
    ]


def test_an_equal_item_is_not_told_again() -> None:
    last = {"type": "response.output_item.done", "output_index": 0, "item": item('{"a":1}')}
    assert len(closed(added(), done('{"a":1}'), last, ended())) == 1


def test_items_beside_each_other_are_kept_apart_by_their_place() -> None:
    got = closed(
        added(1), added(3), delta('{"a"', 1), delta('{"b"', 3), delta(":1}", 1), delta(":2}", 3),
        done('{"b":2}', 3), done('{"a":1}', 1), ended(),
    )  # fmt: skip
    assert got == [("call_3", b'{"b":2}'), ("call_1", b'{"a":1}')]


def test_calls_are_in_the_order_of_the_output() -> None:
    reading = OpenAIResponsesReader()
    for piece in (added(3), done("{}", 3), added(1), done("{}", 1), ended()):
        reading.feed(piece)
    assert [call.id for call in reading.calls] == ["call_1", "call_3"]
    assert reading.order == [1, 0]


def test_pieces_without_a_place_are_known_by_their_item() -> None:
    pieces = [added(), delta('{"a":1}'), done('{"a":1}')]
    for piece in pieces:
        del piece["output_index"]
    assert closed(*pieces, ended(output=[item('{"a":1}')])) == [("call_0", b'{"a":1}')]


def test_an_incomplete_response_ends_calls_as_they_are() -> None:
    end = ended("incomplete", incomplete_details={"reason": "max_output_tokens"})
    events = read(added(), delta('{"a": "b'), end)
    assert events[-1] == MessageEnd("max_output_tokens")
    assert closed(added(), delta('{"a": "b'), end) == [("call_0", b'{"a": "b')]


@pytest.mark.parametrize("end", [ended("failed"), {"type": "error", "message": "overloaded"}])
def test_a_failed_response_is_broken(end: Piece) -> None:
    assert read(added(), delta('{"a'), end)[1:] == [
        *read(added(), delta('{"a'))[1:-1],
        MessageEnd("broken"),
    ]


def test_calls_of_a_stream_that_was_taken_up_late_are_in_its_end() -> None:
    end = ended(output=[{"type": "reasoning", "id": "rs_0"}, item('{"a":1}', 1)])
    assert closed(delta('":1}', 1), end) == [("call_1", b'{"a":1}')]


def test_the_text_of_a_custom_tool_is_its_input() -> None:
    custom = {"type": "custom_tool_call", "id": "ctc", "call_id": "c", "name": "run", "input": ""}
    kind = "response.custom_tool_call_input"
    got = closed(
        {"type": "response.output_item.added", "output_index": 0, "item": custom},
        {"type": f"{kind}.delta", "output_index": 0, "item_id": "ctc", "delta": "print("},
        {"type": f"{kind}.done", "output_index": 0, "item_id": "ctc", "input": "print(1)"},
        ended(),
    )
    assert got == [("c", b'{"input":"print(1)"}')]


def test_other_items_and_events_are_passed_over() -> None:
    message = {"type": "message", "id": "msg", "content": []}
    events = read(
        {"type": "response.output_item.added", "output_index": 0, "item": message},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Hello"},
        ended(),
    )
    assert events == [MessageEnd("completed")]
