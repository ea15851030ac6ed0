"""What tools tell: how much may be said, and how it is thinned before it is written."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

import penstock
from contracts.moments import TICK, in_virtual_time
from penstock import Call, Context, Engine, Event, Outcome, tool

MOST = 64 << 10


async def events_of(work: Callable[..., Any], kind: str) -> list[Event]:
    async with Engine([tool(work, name="work")]) as engine:
        batch = engine.submit([Call("work")])
        return [event async for event in batch.events(types=[kind])]


async def run(work: Callable[..., Any], host: str) -> Outcome:
    made = tool(name="work", host=host)(work)  # type: ignore[call-overload]
    async with Engine([made]) as engine:
        return (await engine.run([Call("work")]))[0]


def tellers(size: int) -> dict[str, Callable[..., Any]]:
    """A tool for each host mode that tells so many bytes."""
    text = "x" * size

    async def on_the_loop() -> None:
        penstock.progress(message=text)

    def plain() -> None:
        penstock.progress(message=text)

    async def by_context(context: Context) -> None:
        context.progress(1, 2, text[16:])

    async def structured() -> None:
        penstock.progress(message=[text[4:]])  # its JSON counts

    return {
        "call": on_the_loop,
        "task": on_the_loop,
        "inline": plain,
        "thread": plain,
        "call, by its context": by_context,
        "call, as a list": structured,
    }


@pytest.mark.parametrize("kind", tellers(0))
async def test_progress_of_64_kib_is_told(kind: str) -> None:
    outcome = await run(tellers(MOST)[kind], kind.split(",")[0])
    assert outcome.ok


@pytest.mark.parametrize("kind", tellers(0))
async def test_above_it_the_tool_gets_a_value_error(kind: str) -> None:
    outcome = await run(tellers(MOST + 1)[kind], kind.split(",")[0])
    assert isinstance(outcome.error, ValueError)
    assert str(MOST) in str(outcome.error)


async def test_a_tool_may_go_on_without_it() -> None:
    async def work() -> str:
        with pytest.raises(ValueError, match="at most"):
            penstock.progress(message="x" * (MOST + 1))
        penstock.progress(1)
        return "done"

    (event,) = await events_of(work, "call.progress")
    assert event.data == {"done": 1}


@in_virtual_time
async def test_of_progress_in_50_ms_the_last_is_told() -> None:
    async def work() -> None:
        for step in range(20):
            penstock.progress(step)
            await penstock.sleep(0.01)

    told = await events_of(work, "call.progress")
    steps = [event.data["done"] for event in told if event.data]
    assert (steps[0], steps[-1], len(steps)) == (0, 19, 5)
    times = [event.time for event in told]
    # The last one is flushed by the end.
    gaps = [later - earlier for earlier, later in itertools.pairwise(times[:-1])]
    assert gaps == pytest.approx([0.05] * 3, abs=TICK)


@in_virtual_time
async def test_what_is_held_comes_before_the_end() -> None:
    async def work() -> None:
        penstock.progress(1)
        penstock.progress(2)
        penstock.output("a")

    async with Engine([tool(work)]) as engine:
        batch = engine.submit([Call("work")])
        types = [event.type async for event in batch.events(calls=[0])]
    assert types[1:] == [
        "call.started",
        "call.progress",
        "call.progress",
        "call.output",
        "call.ended",
        "batch.ended",
    ]


@in_virtual_time
async def test_output_is_joined_for_5_ms() -> None:
    async def work() -> None:
        for letter in "abcdef":
            penstock.output(letter)
            await penstock.sleep(0.002)

    told = await events_of(work, "call.output")
    parts = [event.data["text"] for event in told if event.data]
    assert "".join(parts) == "abcdef"
    assert 1 < len(parts) < 6


@in_virtual_time
async def test_output_of_4_kib_is_told_at_once() -> None:
    async def work() -> None:
        for _ in range(9):
            penstock.output("x" * 1024)
        await penstock.sleep(1.0)

    told = await events_of(work, "call.output")
    sizes = [len(event.data["text"]) for event in told if event.data]
    assert sizes == [4096, 4096, 1024]
    assert told[1].time == told[0].time
