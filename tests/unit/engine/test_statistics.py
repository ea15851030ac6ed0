"""What an engine counts."""

import asyncio
import dataclasses

import pytest

import penstock
from penstock import Call, Engine, tool
from penstock.engine import ThreadCounts


@tool(timeout=2.0)
async def nap(seconds: float = 1.0) -> None:
    await penstock.sleep(seconds)


@tool
async def fail() -> None:
    raise ValueError


@tool(host="inline")
def inline() -> None:
    """Return at once."""


@tool
def in_thread() -> None:
    """Return at once."""


async def test_an_idle_engine_holds_nothing() -> None:
    async with Engine([nap, fail]) as engine:
        await engine.run([Call("nap"), Call("nap", {"seconds": 9}), Call("fail"), Call("nobody")])
        counts = engine.statistics()
    held = (counts.pending, counts.in_flight, counts.ready, counts.batches, counts.timers)
    assert held == (0, 0, 0, 0, 0)


async def test_outcomes_are_counted_by_tool_and_status() -> None:
    async with Engine([nap, fail]) as engine:
        calls = [Call("nap"), Call("nap", {"seconds": 9}), Call("nap", {"seconds": "x"})]
        await engine.run([*calls, Call("fail", id="f"), Call("nap", after=["f"])])
        nap_counts, counts = engine.statistics().tools["nap"], engine.statistics()
    assert (nap_counts.ok, nap_counts.timeout) == (1, 1)
    assert (nap_counts.rejected, nap_counts.skipped) == (1, 1)
    assert counts.tools["fail"].failed == 1
    assert counts.ended == 5


async def test_what_runs_is_in_flight() -> None:
    async with Engine([nap]) as engine:
        batch = engine.submit([Call("nap")] * 5, max_parallel=2)
        await asyncio.sleep(0.5)
        counts = engine.statistics()
        assert (counts.pending, counts.in_flight, counts.batches) == (5, 2, 1)
        assert counts.tools["nap"].in_flight == 2
        batch.cancel()
        await batch


async def test_calls_are_counted_by_host_mode() -> None:
    in_a_task = tool(name="in_a_task", host="task")(nap.function)
    async with Engine([nap, inline, in_a_task]) as engine:
        await engine.run([Call("nap"), Call("inline"), Call("inline"), Call("in_a_task")])
        modes = engine.statistics().modes
    assert {mode: count for mode, count in modes.items() if count} == {
        "call": 1,
        "inline": 2,
        "task": 1,
    }


async def test_single_calls_are_counted() -> None:
    async with Engine([nap]) as engine:
        await engine.call("nap", seconds=0)
        counts = engine.statistics()
    assert counts.single == 1
    assert counts.tools["nap"].ok == 1


async def test_an_executor_is_not_shown_before_it_is_used() -> None:
    async with Engine([nap, in_thread]) as engine:
        await engine.run([Call("nap")])
        assert engine.statistics().executors == {}


@pytest.mark.real_time
async def test_an_executor_is_shown_by_its_host_mode() -> None:
    async with Engine([nap, in_thread], threads=3) as engine:
        await engine.run([Call("in_thread")])
        executors = engine.statistics().executors
    assert list(executors) == ["thread"]
    threads = executors["thread"]
    assert isinstance(threads, ThreadCounts)
    assert threads.workers == 3


async def test_the_record_is_frozen() -> None:
    async with Engine([nap]) as engine:
        counts = engine.statistics()
    with pytest.raises(dataclasses.FrozenInstanceError):
        counts.pending = 1  # type: ignore[misc]


async def test_a_closed_engine_still_tells() -> None:
    async with Engine([nap]) as engine:
        await engine.run([Call("nap")])
    assert engine.statistics().ended == 1
