"""A test for each pitfall of hosting coroutines that was met or measured while the host was designed.

Those that only cost time are rows of the benchmarks; what foreign code does is `test_host_pitfalls.py`.
"""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Generator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BeforeValidator

import penstock
from penstock import Call, Engine, tool

variable: ContextVar[object] = ContextVar("variable", default=None)


class Payload:
    """Something that can be watched while it lives."""


def resident_bytes() -> int:
    """Return how much memory of the process is in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


class Woken:
    """A future of its own, to be woken by hand, in whatever context and task the waker is in."""

    _asyncio_future_blocking = False

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.callback: Callable[[object], object] | None = None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.loop

    def add_done_callback(self, callback: Callable[[object], object], *, context: Any) -> None:
        self.callback = callback

    def result(self) -> None:
        return None

    def wake(self) -> None:
        assert self.callback is not None
        self.callback(self)

    def __await__(self) -> Generator[object, None, None]:
        self._asyncio_future_blocking = True
        yield self


async def test_the_pump_does_not_keep_the_context_of_who_scheduled_it() -> None:
    @tool
    async def quick() -> None:
        await asyncio.sleep(0)

    async def submit() -> "weakref.ref[Payload]":
        payload = Payload()
        variable.set(payload)
        await engine.run([Call("quick")])
        return weakref.ref(payload)

    async with Engine([quick]) as engine:
        reference = await asyncio.create_task(submit())
        await engine.run([Call("quick")])
        gc.collect()
        assert reference() is None


async def test_a_waker_inside_the_calls_own_context_does_not_enter_it_twice() -> None:
    futures: list[Woken] = []
    tasks: list[Any] = []

    @tool
    async def waits() -> str:
        futures.append(Woken())
        tasks.append(asyncio.current_task())
        await futures[0]
        return "woken"

    async with Engine([waits]) as engine:
        batch = engine.submit([Call("waits")])
        await asyncio.sleep(0.001)
        tasks.pop().get_context().run(futures[0].wake)
        (outcome,) = await batch
    assert outcome.unwrap() == "woken"


async def test_a_waker_inside_another_tasks_step_does_not_step_the_call_there() -> None:
    futures: list[Woken] = []
    order: list[str] = []

    @tool
    async def waits() -> object:
        futures.append(Woken())
        before = asyncio.current_task()
        await futures[0]
        order.append("call")
        return asyncio.current_task() is before

    async with Engine([waits]) as engine:
        batch = engine.submit([Call("waits")])
        await asyncio.sleep(0.001)
        me = asyncio.current_task()
        futures[0].wake()
        order.append("waker")
        assert asyncio.current_task() is me
        (outcome,) = await batch
    assert (outcome.unwrap(), order) == (True, ["waker", "call"])


async def test_slots_are_freed_while_others_are_busy() -> None:
    @tool
    async def quick() -> None:
        """Ends at once."""

    @tool
    async def long() -> None:
        await asyncio.Event().wait()

    async with Engine([quick, long], max_pending=1_001) as engine:
        batch = engine.submit([Call("long")])
        calls = [Call("quick")] * 1_000
        for _ in range(5):
            await engine.run(calls)
        gc.collect()
        before = resident_bytes()
        for _ in range(50):
            await engine.run(calls)  # more than `max_pending` in all, never idle
        gc.collect()
        assert resident_bytes() - before < 2**21
        batch.cancel()
        await batch


async def test_a_tool_may_enter_the_engine_from_its_own_step() -> None:
    batches: list[penstock.Batch] = []

    @tool
    async def enters() -> object:
        batches.append(engine.submit([Call("other"), Call("other")]))
        counted = engine.statistics().pending
        cancelled = batches[-1].cancel()
        return counted, cancelled, await engine.call("other")

    @tool
    async def other() -> str:
        await asyncio.sleep(0)
        return "other"

    async with Engine([enters, other]) as engine:
        (outcome,) = await engine.run([Call("enters")])
        statuses = [ended.status for ended in await batches[0]]
    assert outcome.unwrap() == (3, 2, "other")
    assert statuses == ["cancelled", "cancelled"]


async def test_a_timeout_of_one_call_does_not_cancel_another() -> None:
    @tool
    async def times_out(seconds: float) -> str:
        try:
            async with asyncio.timeout(seconds):
                await asyncio.sleep(0.02)
        except TimeoutError:
            return "timed out"
        return "slept"

    async with Engine([times_out]) as engine:
        calls = [Call("times_out", {"seconds": seconds}) for seconds in (0.001, 10, 0.002, 10)]
        outcomes = await engine.run(calls)
    values = [outcome.unwrap() for outcome in outcomes]
    assert values == ["timed out", "slept", "timed out", "slept"]


async def test_the_reuse_of_tasks_is_measured_on_this_python() -> None:
    @tool
    async def quick() -> None:
        """Ends at once."""

    async with Engine([quick]) as engine:
        await engine.run([Call("quick")] * 1_000)
        counted = engine.statistics()
    assert (counted.tasks_made, counted.tasks_reused) == (1, 999)


@pytest.mark.real_time
async def test_durations_do_not_come_from_a_clock_that_stands_still_in_a_turn() -> None:
    @tool(host="inline")
    def blocks() -> None:
        time.sleep(0.02)

    async with Engine([blocks]) as engine:
        outcomes = await engine.run([Call("blocks")] * 2)
    assert all(outcome.duration >= 0.02 for outcome in outcomes)
    assert outcomes[1].started is not None
    assert outcomes[1].started >= outcomes[0].ended


@pytest.mark.real_time
async def test_a_timer_below_a_millisecond_does_not_spin() -> None:
    @tool
    async def naps() -> None:
        await penstock.sleep(0.0001)

    async with Engine([naps]) as engine:
        for _ in range(20):
            await engine.run([Call("naps")])
        assert engine.statistics().turns <= 20 * 4


async def test_a_waiter_that_was_cancelled_is_not_given_a_result() -> None:
    @tool
    async def quick() -> str:
        await asyncio.sleep(0)
        return "ended"

    async with Engine([quick]) as engine:
        batch = engine.submit([Call("quick")])
        waiter = asyncio.ensure_future(batch)
        await asyncio.sleep(0)
        waiter.cancel()
        (outcome,) = await batch
        assert outcome.unwrap() == "ended"
        assert (await asyncio.gather(waiter, return_exceptions=True))[0].__class__ is (
            asyncio.CancelledError
        )


@pytest.mark.real_time
async def test_no_end_of_a_thread_is_lost_between_drain_and_flag() -> None:
    @tool
    def quick(number: int) -> int:
        return number

    async with Engine([quick], threads=4) as engine, asyncio.timeout(15):
        for _ in range(20):
            calls = [Call("quick", {"number": number}) for number in range(100)]
            outcomes = await engine.run(calls)
            assert [outcome.value for outcome in outcomes] == list(range(100))


async def test_arguments_are_dropped_when_their_call_ends() -> None:
    made: list[weakref.ref[Payload]] = []

    def make(_: object) -> Payload:
        payload = Payload()
        made.append(weakref.ref(payload))
        return payload

    @tool
    async def uses(payload: Annotated[Any, BeforeValidator(make)], fail: bool) -> None:
        await asyncio.sleep(0)
        if fail:
            raise KeyError("failed")

    @tool
    async def long() -> None:
        await asyncio.Event().wait()

    async with Engine([uses, long]) as engine:
        calls = [Call("uses", {"payload": 1, "fail": fail}) for fail in (False, True)]
        batch = engine.submit([*calls, Call("long")])
        await asyncio.sleep(0.001)
        failed = batch.outcomes[1]
        assert failed is not None
        assert failed.error is not None
        failed.error.__traceback__ = None  # its frames hold their own locals, as they should
        assert [reference() for reference in made] == [None, None]
        batch.cancel()
        await batch
