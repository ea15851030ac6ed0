"""Streams of Anthropic's messages: blocks in parallel, without input, cut, from servers."""

from typing import Any

import pytest

from penstock.formats import ArgClosed, CallClosed, MessageEnd, ReplyEvent
from penstock.formats._streams.anthropic import AnthropicReader

Piece = dict[str, Any]


def start(index: int = 0, kind: str = "tool_use", given: Any = None) -> Piece:
    block = {"type": kind, "id": f"toolu_{index}", "name": "get", "input": given or {}}
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(text: str, index: int = 0) -> Piece:
    change = {"type": "input_json_delta", "partial_json": text}
    return {"type": "content_block_delta", "index": index, "delta": change}


def stop(index: int = 0) -> Piece:
    return {"type": "content_block_stop", "index": index}


def end(reason: str = "tool_use") -> list[Piece]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}}, {"type": "message_stop"}]


def read(*pieces: object) -> list[ReplyEvent]:
    reading = AnthropicReader()
    return [event for piece in pieces for event in reading.feed(piece)] + reading.finish()


def closed(*pieces: object) -> list[tuple[str | None, object]]:
    events = read(*pieces)
    return [(e.call.id, e.call.arguments) for e in events if isinstance(e, CallClosed)]


def test_a_call_closes_with_its_block() -> None:
    reading = AnthropicReader()
    reading.feed(start())
    assert not any(isinstance(e, CallClosed) for e in reading.feed(delta('{"a":1}')))
    assert isinstance(reading.feed(stop())[-1], CallClosed)


def test_blocks_in_parallel_are_kept_apart() -> None:
    got = closed(
        start(1), start(2), delta('{"a"', 1), delta('{"b"', 2), delta(":2}", 2), stop(2),
        delta(":1}", 1), stop(1), *end(),
    )  # fmt: skip
    assert got == [("toolu_2", b'{"b":2}'), ("toolu_1", b'{"a":1}')]


def test_calls_are_in_the_order_of_the_blocks() -> None:
    reading = AnthropicReader()
    for piece in (start(2), stop(2), start(1), stop(1)):
        reading.feed(piece)
    assert [call.id for call in reading.calls] == ["toolu_1", "toolu_2"]


@pytest.mark.parametrize("pieces", [[], [delta("")], [delta(""), delta(" ")]])
def test_no_input_is_an_empty_object(pieces: list[Piece]) -> None:
    ((_, given),) = closed(start(), *pieces, stop(), *end())
    assert isinstance(given, bytes)
    assert given.strip() == b"{}"


def test_input_that_came_with_the_start_is_read() -> None:
    events = read(start(given={"a": 1}), stop(), *end())
    assert ArgClosed(0, ("a",), 1) in events
    assert closed(start(given={"a": 1}), stop(), *end()) == [("toolu_0", b'{"a":1}')]


@pytest.mark.parametrize("pieces", [[stop()], []])
def test_a_call_that_max_tokens_cut_is_the_call_as_it_is(pieces: list[Piece]) -> None:
    events = read(start(), delta('{"a": "b'), *pieces, *end("max_tokens"))
    assert events[-1] == MessageEnd("max_tokens")
    assert closed(start(), delta('{"a": "b'), *pieces, *end("max_tokens")) == [
        ("toolu_0", b'{"a": "b')
    ]


def test_a_stream_that_was_cut_has_no_open_call() -> None:
    pieces = (start(0), delta('{"a":1}'), stop(0), start(1), delta('{"a":2}', 1))
    assert read(*pieces)[-1] == MessageEnd("broken")
    assert closed(*pieces) == [("toolu_0", b'{"a":1}')]


def test_a_message_without_its_last_event_has_ended_if_it_said_why() -> None:
    assert read(start(), stop(), end()[0])[-1] == MessageEnd("tool_use")


def test_tools_of_the_server_text_and_thinking_are_passed_over() -> None:
    pieces = [start(0, "server_tool_use"), delta('{"a":1}'), stop(0), start(1, "text"), stop(1)]
    assert read(*pieces, *end("end_turn")) == [MessageEnd("end_turn")]


def test_events_of_the_helper_say_nothing_twice() -> None:
    helper = {"type": "input_json", "partial_json": '{"a":1}', "snapshot": {"a": 1}}
    assert closed(start(), delta('{"a":1}'), helper, stop(), *end()) == [("toolu_0", b'{"a":1}')]


def test_pings_are_known() -> None:
    reading = AnthropicReader()
    reading.feed({"type": "ping"})
    assert reading.statistics().unknown == 0
