"""What every reader promises: the calls of the whole reply, however the stream was cut."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import wires
from contracts.wires import SDK_TYPES, WIRES, Asked
from penstock import formats
from penstock.calls import Call
from penstock.errors import BadReply
from penstock.formats import (
    ArgClosed,
    ArgDelta,
    CallClosed,
    MessageEnd,
    Reader,
    ReplyEvent,
    ToolStart,
)

REPLIES = Path(__file__).parents[1] / "data" / "replies"
STREAMED = [name for name in formats.names() if formats.get(name).reader is not None]

each_format = pytest.mark.parametrize("name", STREAMED)

HARD = [
    '{"text": "a \\"quoted\\" \\\\ line\\n\\u00e9 \\ud83d\\ude00 😀 \u2028 é", "n": [1, -2.5e3, 0]}',
    '{"a": {"b": [{"c": null}, true, false, "}"]}, "d": ""}',
    '{ "spaced" : [ 1 , 2 ] , "key \\u0022": { } }',
    "{}",
    "",
]


def recorded() -> list[str]:
    """The arguments of every recorded reply that are sound, and some that are hard to cut."""
    found = set(HARD)
    for path in sorted(REPLIES.glob("*/*.json")):
        for call in formats.get(path.parent.name).parse(path.read_bytes()):
            if isinstance(call.arguments, bytes):
                with contextlib.suppress(ValueError):
                    if isinstance(json.loads(call.arguments), dict):
                        found.add(call.arguments.decode())
    return sorted(found)


RECORDED = recorded()
CALLS = st.lists(st.sampled_from(RECORDED), min_size=1, max_size=12).map(
    lambda texts: [Asked(f"id-{n}", f"tool_{n % 3}", text) for n, text in enumerate(texts)]
)
SIZES = st.lists(st.integers(1, 32), min_size=1, max_size=5)


def reader(name: str) -> Reader:
    make = formats.get(name).reader
    assert make is not None
    return make()


def read(reading: Reader, pieces: list[Any]) -> list[ReplyEvent]:
    events = [event for piece in pieces for event in reading.feed(piece)]
    return events + reading.finish()


def shown(call: Call) -> tuple[str | None, str, object]:
    given = call.arguments
    return call.id, call.tool, json.loads(given) if isinstance(given, bytes) else given


def expected(name: str, asked: list[Asked]) -> list[tuple[str | None, str, object]]:
    return [shown(call) for call in formats.get(name).parse(wires.whole(name, asked))]


def last_calls(events: list[ReplyEvent]) -> dict[int, Call]:
    return {event.index: event.call for event in events if isinstance(event, CallClosed)}


@each_format
@given(asked=CALLS, sizes=SIZES, by_turns=st.booleans())
def test_the_calls_are_those_of_the_whole_reply(
    name: str, asked: list[Asked], sizes: list[int], by_turns: bool
) -> None:
    reading = reader(name)
    events = read(reading, WIRES[name](asked, sizes, by_turns=by_turns))
    assert [shown(call) for call in reading.calls] == expected(name, asked)
    closed = last_calls(events)
    assert [closed[index] for index in reading.order] == reading.calls
    assert isinstance(events[-1], MessageEnd)
    assert events[-1].reason != "broken"


@given(asked=CALLS, sizes=SIZES)
def test_arguments_by_json_path_are_those_of_the_whole_reply(
    asked: list[Asked], sizes: list[int]
) -> None:
    # Empty objects and lists have no leaf: this wire cannot say them.
    asked = [one for one in asked if not any(x in one.arguments for x in ("{ }", "{}", "[]"))]
    reading = reader("gemini")
    read(reading, wires.gemini_partial(asked, sizes, by_turns=False))
    assert [shown(call) for call in reading.calls] == expected("gemini", asked)


@each_format
@given(asked=CALLS, sizes=SIZES, by_turns=st.booleans())
def test_sdk_objects_and_raw_lines_are_read_the_same(
    name: str, asked: list[Asked], sizes: list[int], by_turns: bool
) -> None:
    pytest.importorskip(SDK_TYPES[name][0])
    pieces = WIRES[name](asked, sizes, by_turns=by_turns)
    decoded = read(reader(name), pieces)
    assert read(reader(name), wires.sdk_pieces(name, pieces)) == _alike(decoded)
    lines = wires.sse_lines(name, pieces)
    assert _alike(read(reader(name), lines)) == _alike(decoded)
    assert _alike(read(reader(name), ["\r\n".join(lines).encode()])) == _alike(decoded)


def _alike(events: list[ReplyEvent]) -> "_Events":
    return _Events(events)


class _Events(list[ReplyEvent]):
    """Events that are compared as a reader of them would: calls have no equality of their own."""

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, list)
        return [_plain(event) for event in self] == [_plain(event) for event in other]

    __hash__ = None  # type: ignore[assignment]  # as lists


def _plain(event: ReplyEvent) -> object:
    return (event.index, shown(event.call)) if isinstance(event, CallClosed) else event


@each_format
@pytest.mark.parametrize("text", [text for text in RECORDED if text])
def test_a_cut_at_each_byte_changes_nothing(name: str, text: str) -> None:
    asked = [Asked("id-0", "tool", text)]
    wanted = expected(name, asked)
    for at in range(1, len(text)):
        reading = reader(name)
        read(reading, WIRES[name](asked, [at, len(text)], by_turns=False))
        assert [shown(call) for call in reading.calls] == wanted


@each_format
@pytest.mark.parametrize("text", [text for text in RECORDED if text])
def test_a_cut_at_each_byte_of_calls_beside_each_other_changes_nothing(
    name: str, text: str
) -> None:
    asked = [Asked(f"id-{at}", "tool", one) for at, one in enumerate((text, HARD[0], text))]
    wanted = expected(name, asked)
    for at in range(1, len(text)):
        reading = reader(name)
        read(reading, WIRES[name](asked, [at, len(text)], by_turns=True))
        assert [shown(call) for call in reading.calls] == wanted


@each_format
@given(asked=CALLS, sizes=SIZES, by_turns=st.booleans(), data=st.data())
def test_a_stream_that_breaks_has_the_calls_that_were_complete(
    name: str, asked: list[Asked], sizes: list[int], by_turns: bool, data: st.DataObject
) -> None:
    pieces = WIRES[name](asked, sizes, by_turns=by_turns)
    # The last two may say that it has ended; an empty call may be taken for complete before it is.
    kept = data.draw(st.integers(0, len(pieces) - 3)) if len(pieces) > 3 else 0
    reading = reader(name)
    events = read(reading, pieces[:kept])
    assert events[-1] == MessageEnd("broken")
    wanted = expected(name, asked)
    for call in reading.calls:
        if call.arguments is not None:
            assert shown(call) in wanted


@each_format
@given(asked=CALLS, sizes=SIZES, by_turns=st.booleans())
def test_events_of_a_call_come_in_order(
    name: str, asked: list[Asked], sizes: list[int], by_turns: bool
) -> None:
    events = read(reader(name), WIRES[name](asked, sizes, by_turns=by_turns))
    for index in range(len(asked)):
        own = [event for event in events if getattr(event, "index", None) == index]
        assert isinstance(own[0], ToolStart)
        assert sum(isinstance(event, ToolStart) for event in own) == 1
        assert any(isinstance(event, CallClosed) for event in own)
        assert not isinstance(own[-1], ArgDelta)


@each_format
@given(asked=CALLS, sizes=SIZES)
def test_closed_values_are_those_of_the_arguments(
    name: str, asked: list[Asked], sizes: list[int]
) -> None:
    events = read(reader(name), WIRES[name](asked, sizes, by_turns=False))
    for index, one in enumerate(asked):
        told = [e for e in events if isinstance(e, ArgClosed) and e.index == index]
        top = {event.path[0]: event.value for event in told if len(event.path) == 1}
        assert top == json.loads(one.arguments or "{}")


@each_format
def test_a_reply_without_calls_ends(name: str) -> None:
    reading = reader(name)
    (end,) = read(reading, WIRES[name]([], [8], by_turns=False))
    assert isinstance(end, MessageEnd)
    assert reading.calls == []
    assert reading.finish() == []


@each_format
def test_an_error_in_the_stream_breaks_it(name: str) -> None:
    pieces = WIRES[name]([Asked("1", "tool", '{"a": 1}')], [2], by_turns=False)
    error = {"type": "error", "error": {"message": "overloaded"}}
    reading = reader(name)
    assert read(reading, [pieces[0], error, *pieces[1:]])[-1] == MessageEnd("broken")


BAD = [7, None, [1], "data: {", b"data: \xff", '{"a": 1', "data: 7", object()]


@each_format
@pytest.mark.parametrize("piece", BAD)
def test_what_is_no_piece_is_a_bad_reply_and_the_next_is_read(name: str, piece: object) -> None:
    reading = reader(name)
    with pytest.raises(BadReply):
        reading.feed(piece)
    asked = [Asked("id-0", "tool", '{"a": 1}')]
    read(reading, WIRES[name](asked, [3], by_turns=False))
    assert [shown(call) for call in reading.calls] == expected(name, asked)


@each_format
def test_pieces_of_unknown_types_are_counted(name: str) -> None:
    reading = reader(name)
    assert reading.feed({"type": "some.news"}) == []
    assert reading.statistics().unknown == 1


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


def words(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value}.union(*map(words, value.values()))
    if isinstance(value, list):
        return set().union(*map(words, value))
    return {value} if isinstance(value, str) else set()


ASKED = [Asked("id-0", "tool", '{"a": "b"}')]
WORDS = st.sampled_from(
    sorted(
        words(
            [wire(ASKED, [4], by_turns=False) for wire in (*WIRES.values(), wires.gemini_partial)]
        )
    )
)
JSON = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


@st.composite
def damaged(draw: st.DrawFn, name: str) -> list[Any]:
    """A stream in which one place of one piece was replaced by something else."""
    wire = draw(st.sampled_from([WIRES[name], *([wires.gemini_partial] * (name == "gemini"))]))
    pieces = json.loads(json.dumps(wire(ASKED, [4], by_turns=False)))
    place = draw(st.sampled_from(pieces))
    while True:
        step = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not place[step] or not isinstance(place[step], (dict, list)) or draw(st.booleans()):
            place[step] = draw(JSON)
            return pieces
        place = place[step]


@each_format
@given(data=st.data())
def test_damaged_streams_give_calls_or_a_bad_reply(name: str, data: st.DataObject) -> None:
    reading = reader(name)
    for piece in data.draw(damaged(name)):
        with contextlib.suppress(BadReply):
            reading.feed(piece)
    reading.finish()
    assert all(isinstance(call, Call) for call in reading.calls)
