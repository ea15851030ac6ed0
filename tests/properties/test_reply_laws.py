"""Early calls have the outcomes of the whole reply; a reply that breaks starts no write."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import wires
from contracts.wires import WIRES, Asked, Piece
from penstock import Call, Engine, formats, tool
from penstock.testing import VirtualLoop

PAUSE = 0.01
WRITES: list[int] = []


@tool(effects="read")
async def look(n: int, seconds: float = 0.0, text: str = "") -> int:
    if seconds:
        await asyncio.sleep(seconds)
    if seconds > 0.4:
        raise ValueError(n)
    return n


@tool
async def write(n: int, seconds: float = 0.0, text: str = "") -> int:
    WRITES.append(n)
    await asyncio.sleep(seconds)
    return n


@st.composite
def asked(draw: st.DrawFn) -> list[Asked]:
    found = []
    for n in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(["look", "look", "write", "unknown"]))
        given: dict[str, Any] = {"n": draw(st.sampled_from([n, n, n, "not a number"]))}
        if draw(st.booleans()):
            given["seconds"] = draw(st.sampled_from([0.0, 0.005, 0.05, 0.5]))
        if draw(st.booleans()):
            given["text"] = draw(st.text(max_size=20))
        ascii = draw(st.booleans())
        found.append(Asked(f"id-{n}", name, json.dumps(given, ensure_ascii=ascii)))
    return found


SIZES = st.lists(st.integers(1, 32), min_size=1, max_size=5)
each_format = pytest.mark.parametrize("name", WIRES)


def run(main: Any) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


async def play(
    engine: Engine, name: str, pieces: list[Piece], *, early_writes: bool
) -> tuple[list[Call], list[Any]]:
    format = formats.get(name)
    async with engine.reply(format, early_writes=early_writes) as reply:
        for piece in pieces:
            reply.feed(piece)
            await asyncio.sleep(PAUSE)
        outcomes = await reply.outcomes()
    assert [outcome.index for outcome in outcomes] == list(range(len(outcomes)))
    assert [outcome.call for outcome in outcomes] == reply.calls
    return reply.calls, outcomes


@each_format
@given(calls=asked(), sizes=SIZES, by_turns=st.booleans(), early_writes=st.booleans())
def test_outcomes_are_those_of_the_whole_reply(
    name: str, calls: list[Asked], sizes: list[int], by_turns: bool, early_writes: bool
) -> None:
    format, pieces = formats.get(name), WIRES[name](calls, sizes, by_turns=by_turns)

    async def main() -> None:
        async with Engine([look, write]) as engine:
            whole = await engine.run(format.parse(wires.whole(name, calls)))
            written = sorted(WRITES)
            WRITES.clear()
            _, early = await play(engine, name, pieces, early_writes=early_writes)
        assert format.render(early) == format.render(whole)
        assert [outcome.status for outcome in early] == [outcome.status for outcome in whole]
        assert sorted(WRITES) == written

    WRITES.clear()
    run(main())


@each_format
@given(calls=asked(), sizes=SIZES, by_turns=st.booleans(), data=st.data())
def test_a_reply_that_breaks_starts_no_write_and_answers_each_complete_call(
    name: str, calls: list[Asked], sizes: list[int], by_turns: bool, data: st.DataObject
) -> None:
    pieces = WIRES[name](calls, sizes, by_turns=by_turns)
    # The last piece of Gemini's, the last two of the others may say that it has ended.
    kept = data.draw(st.integers(0, max(0, len(pieces) - 3)))

    async def main() -> None:
        async with Engine([look, write]) as engine:
            made, outcomes = await play(engine, name, pieces[:kept], early_writes=False)
        assert WRITES == []
        for call, outcome in zip(made, outcomes, strict=True):
            assert (outcome.status == "cancelled") == (call.tool != "look")

    WRITES.clear()
    run(main())


@each_format
@given(calls=asked(), sizes=SIZES, data=st.data())
def test_discarding_at_any_piece_leaves_nothing_running(
    name: str, calls: list[Asked], sizes: list[int], data: st.DataObject
) -> None:
    pieces = WIRES[name](calls, sizes, by_turns=False)
    kept = data.draw(st.integers(0, len(pieces)))

    async def main() -> None:
        async with Engine([look, write]) as engine:
            async with engine.reply(formats.get(name), early_writes=True) as reply:
                for piece in pieces[:kept]:
                    reply.feed(piece)
                    await asyncio.sleep(PAUSE)
                reply.discard("a test")
                outcomes = await reply.outcomes()
            assert [outcome.call for outcome in outcomes] == reply.started
            assert len(WRITES) == sum(outcome.status != "rejected" for outcome in outcomes)
            assert engine.statistics().batches == 0

    WRITES.clear()
    run(main())
