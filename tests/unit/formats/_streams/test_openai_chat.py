"""What servers that speak Chat Completions do differently in streams."""

from typing import Any

import pytest

from penstock import formats
from penstock.calls import Call
from penstock.errors import BadReply
from penstock.formats import CallClosed, MessageEnd, ReplyEvent, ToolStart
from penstock.formats._streams.openai_chat import OpenAIChatReader

Piece = dict[str, Any]


def piece(*calls: Piece, reason: str | None = None, **delta: Any) -> Piece:
    if calls:
        delta["tool_calls"] = list(calls)
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def call(arguments: Any = None, name: str | None = None, **more: Any) -> Piece:
    function = {"name": name, "arguments": arguments}
    return {**more, "function": {key: it for key, it in function.items() if it is not None}}


def read(*pieces: object) -> list[ReplyEvent]:
    reading = OpenAIChatReader()
    return [event for piece in pieces for event in reading.feed(piece)] + reading.finish()


def calls(*pieces: object) -> list[tuple[str | None, str, object]]:
    reading = OpenAIChatReader()
    for piece in pieces:
        reading.feed(piece)
    reading.finish()
    return [(call.id, call.tool, call.arguments) for call in reading.calls]


END = piece(reason="tool_calls")


def test_a_call_closes_with_its_object_not_with_the_end() -> None:
    reading = OpenAIChatReader()
    reading.feed(piece(call("", "get", index=0, id="1")))
    assert not any(isinstance(e, CallClosed) for e in reading.feed(piece(call('{"a"', index=0))))
    assert isinstance(reading.feed(piece(call(":1}", index=0)))[-1], CallClosed)


def test_a_call_without_arguments_closes_when_the_next_begins() -> None:
    reading = OpenAIChatReader()
    reading.feed(piece(call("", "now", index=0, id="1")))
    closed, start = reading.feed(piece(call("", "get", index=1, id="2")))
    assert isinstance(closed, CallClosed)
    assert closed.call.arguments is None
    assert isinstance(start, ToolStart)


def test_a_call_that_was_taken_for_empty_is_told_again() -> None:
    got = calls(
        piece(call("", "get", index=0, id="1")),
        piece(call("", "get", index=1, id="2")),
        piece(call('{"a":1}', index=0)),
        piece(call('{"a":2}', index=1)),
        END,
    )
    assert got == [("1", "get", b'{"a":1}'), ("2", "get", b'{"a":2}')]


def test_pieces_without_an_index_go_on_with_the_last_call() -> None:
    got = calls(
        piece(call('{"a":', "get", id="1")),
        piece(call("1}")),
        piece(call('{"a":', "get", id="2")),
        piece(call("2}")),
        END,
    )
    assert got == [("1", "get", b'{"a":1}'), ("2", "get", b'{"a":2}')]


def test_whole_calls_without_index_and_id_are_calls_of_their_own() -> None:
    got = calls(piece(call('{"a":1}', "get")), piece(call('{"a":2}', "get")), END)
    assert got == [(None, "get", b'{"a":1}'), (None, "get", b'{"a":2}')]


def test_index_0_with_a_new_id_is_another_call() -> None:
    got = calls(
        piece(call('{"a":1}', "get", index=0, id="1"), call('{"a":2}', "get", index=0, id="2")),
        piece(call('{"a":3}', "get", index=0, id="3")),
        END,
    )
    assert [id for id, _, _ in got] == ["1", "2", "3"]


def test_an_id_and_a_name_in_every_piece_are_one_call() -> None:
    pieces = [piece(call(text, "get", index=0, id="1")) for text in ('{"a"', ":", "1}")]
    assert calls(*pieces, END) == [("1", "get", b'{"a":1}')]


def test_an_empty_id_is_none() -> None:
    got = calls(
        piece(call('{"a":', "get", index=0, id="1")), piece(call("1}", index=0, id="")), END
    )
    assert got == [("1", "get", b'{"a":1}')]


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "function_call", ""])
def test_the_finish_reason_ends_nothing(reason: str) -> None:
    got = calls(
        piece(call('{"a":', "get", index=0, id="1"), reason=reason), piece(call("1}", index=0)), END
    )
    assert got == [("1", "get", b'{"a":1}')]


def test_done_is_the_end_even_without_a_finish_reason() -> None:
    events = read(piece(call("{}", "get", index=0, id="1")), "data: [DONE]")
    assert events[-1] == MessageEnd("stop")


def test_no_end_at_all_is_a_broken_reply_that_has_its_complete_calls() -> None:
    pieces = (piece(call("{}", "get", index=0, id="1")), piece(call('{"a', "get", index=1, id="2")))
    assert read(*pieces)[-1] == MessageEnd("broken")
    assert calls(*pieces) == [("1", "get", b"{}")]


def test_arguments_that_were_cut_by_the_length_are_the_calls_as_they_are() -> None:
    got = calls(piece(call('{"a": "b', "get", index=0, id="1")), piece(reason="length"))
    assert got == [("1", "get", b'{"a": "b')]


def test_arguments_that_go_on_after_their_end_are_told_as_a_whole() -> None:
    events = read(piece(call("{}", "get", index=0, id="1")), piece(call('{"a":1}', index=0)), END)
    closed = [event.call.arguments for event in events if isinstance(event, CallClosed)]
    assert closed == [b"{}", b'{}{"a":1}']


def test_white_space_after_the_end_changes_nothing() -> None:
    events = read(piece(call("{}", "get", index=0, id="1")), piece(call("\n", index=0)), END)
    assert sum(isinstance(event, CallClosed) for event in events) == 1


def test_arguments_as_an_object_are_read() -> None:
    assert calls(piece(call({"a": 1}, "get", index=0, id="1")), END) == [("1", "get", b'{"a":1}')]


def test_half_a_surrogate_pair_in_a_piece_spoils_its_own_call_only() -> None:
    broken = piece(call('{"a": "\ud83d"}', "get", index=0, id="1"))
    _, (id, _, given) = calls(broken, piece(call("{}", "get", index=1, id="2")), END)
    assert (id, given) == ("2", b"{}")


def test_the_deprecated_function_call_is_read() -> None:
    first = piece(function_call={"name": "get", "arguments": '{"a":'})
    assert calls(first, piece(function_call={"arguments": "1}"}), END) == [
        (None, "get", b'{"a":1}')
    ]


def test_free_text_of_a_custom_tool_closes_with_the_end() -> None:
    start = {"index": 0, "id": "1", "type": "custom", "custom": {"name": "run", "input": "print("}}
    got = calls(piece(start), piece({"index": 0, "custom": {"input": '"x")'}}), END)
    whole = {"id": "1", "type": "custom", "custom": {"name": "run", "input": 'print("x")'}}
    (expected,) = formats.get("openai_chat").parse([whole])
    assert got == [("1", "run", expected.arguments)]


def test_a_message_that_was_not_streamed_is_read() -> None:
    message = {"role": "assistant", "tool_calls": [call("{}", "get", id="1", type="function")]}
    got = calls({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    assert got == [("1", "get", b"{}")]


def test_other_choices_are_passed_over() -> None:
    other = piece(call("{}", "other", index=0, id="2"))
    other["choices"][0]["index"] = 1
    assert calls(piece(call("{}", "get", index=0, id="1")), other, END) == [("1", "get", b"{}")]


def test_usage_at_the_end_changes_nothing() -> None:
    usage = {"choices": [], "usage": {"total_tokens": 3}}
    assert read(piece(call("{}", "get", index=0, id="1")), END, usage)[-1] == MessageEnd(
        "tool_calls"
    )


def test_the_helpers_chunk_events_are_read() -> None:
    got = calls({"type": "chunk", "chunk": piece(call("{}", "get", index=0, id="1"))}, END)
    assert got == [("1", "get", b"{}")]


def test_a_call_without_a_name_is_a_bad_reply_with_its_path() -> None:
    with pytest.raises(BadReply) as caught:
        read(piece(call("{}", index=0, id="1")))
    assert caught.value.path == "choices[0].delta.tool_calls[0].function.name"


def test_a_call_is_made_with_the_id_that_came_first() -> None:
    (closed,) = [
        e for e in read(piece(call("{}", "get", index=0)), END) if isinstance(e, CallClosed)
    ]
    assert isinstance(closed.call, Call)
    assert closed.call.id is None


def test_an_id_that_comes_late_is_the_calls() -> None:
    got = calls(piece(call("{", "get", index=0)), piece(call("}", index=0, id="7")), END)
    assert got == [("7", "get", b"{}")]
