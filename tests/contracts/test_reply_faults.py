"""Arguments that are no arguments, in every stream that has their text: that call is rejected, its siblings run."""

import asyncio
from typing import Any

import pytest

from contracts import wires
from contracts.wires import WIRES, Asked
from penstock import Engine, formats, tool
from penstock.formats import CallClosed

TEXTS = [name for name in WIRES if name != "gemini"]
"""Formats that stream arguments as text; Gemini's are an object, or values by path."""

FAULTS = {
    "a lone surrogate": '{"n": 1, "text": "\\ud800"}',
    "half a pair, then something else": '{"n": 1, "text": "\\ud83dx"}',
    "NaN": '{"n": NaN}',
    "a key twice": '{"n": 1, "n": 2}',
    "a key twice, written in two ways": '{"n": 1, "\\u006e": 2}',
    "a control character": '{"n": 1, "text": "a\nb"}',
    "bytes after the end": '{"n": 1} and more',
    "a second object": '{"n": 1}{"n": 2}',
    "a list": '[{"n": 1}]',
    "text": '"n"',
    "null in place of an object": "null",
    "a number that goes on": '{"n": 1.}',
    "cut inside of a value": '{"n": 1, "text": "cut',
    "cut inside of an escape": '{"n": 1, "text": "\\u00',
    "too deep": '{"n": 1, "more": ' + "[" * 80 + "]" * 80 + "}",
    "too long": '{"n": 1, "text": "' + "x" * (1 << 20) + '"}',
}


@tool(effects="read")
async def look(n: int, text: str = "", more: Any = None) -> int:
    return n


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("by_turns", [False, True])
async def test_that_call_is_rejected_and_its_siblings_run(
    name: str, fault: str, by_turns: bool
) -> None:
    asked = [
        Asked("id-0", "look", '{"n": 1}'),
        Asked("id-1", "look", FAULTS[fault]),
        Asked("id-2", "look", '{"n": 3}'),
    ]
    size = 11 if len(FAULTS[fault]) < 1_000 else 100_000
    pieces = WIRES[name](asked, [size], by_turns=by_turns)
    async with Engine([look]) as engine, engine.reply(formats.get(name)) as reply:
        for piece in pieces:
            reply.feed(piece)
            await asyncio.sleep(0)
        outcomes = await reply.outcomes()
    assert [outcome.status for outcome in outcomes] == ["ok", "rejected", "ok"]
    assert [outcome.id for outcome in outcomes] == ["id-0", "id-1", "id-2"]
    assert [outcomes[0].value, outcomes[2].value] == [1, 3]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if len(FAULTS[fault]) < 1_000])
def test_a_cut_at_each_byte_changes_neither_the_call_nor_its_siblings(
    name: str, fault: str
) -> None:
    text = FAULTS[fault]
    asked = [Asked("id-0", "look", text), Asked("id-1", "look", '{"n": 3}')]
    make = formats.get(name).reader
    assert make is not None
    for at in range(1, len(text)):
        reading = make()
        for piece in WIRES[name](asked, [at, len(text)], by_turns=True):
            reading.feed(piece)
        reading.finish()
        assert [call.arguments for call in reading.calls] == [text.encode(), b'{"n": 3}']


@pytest.mark.parametrize("name", TEXTS)
def test_no_more_than_a_million_bytes_or_64_levels_are_read_for_their_values(name: str) -> None:
    make = formats.get(name).reader
    assert make is not None
    for fault in ("too deep", "too long"):
        reading = make()
        asked = [Asked("id-0", "look", FAULTS[fault])]
        events = [
            event
            for piece in wires.WIRES[name](asked, [100_000], by_turns=False)
            for event in reading.feed(piece)
        ]
        (closed,) = [event for event in events + reading.finish() if isinstance(event, CallClosed)]
        assert len(closed.call.arguments or b"") == len(FAULTS[fault])
