"""What threads add to the contract: they share memory and the context, and cannot be stopped."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable

import pytest

import penstock
from penstock import Call, Context, Engine, tool
from penstock.engine.statistics import Statistics, ThreadCounts

pytestmark = pytest.mark.real_time
SECONDS = 5.0

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


class Gate:
    """Holds the code of a tool until a test lets it go."""

    def __init__(self) -> None:
        """Make a closed gate."""
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        self.log: list[object] = []

    def pass_through(self, name: object = None) -> None:
        """Called by tools."""
        self.log.append(name)
        self.entered.release()
        assert self.opened.wait(SECONDS)

    async def wait_entered(self, count: int = 1) -> None:
        """Wait until so many calls are inside."""
        for _ in range(count):
            await settle(lambda: self.entered.acquire(blocking=False))


async def settle(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread."""
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.002)


def threads_of(counts: Statistics) -> ThreadCounts:
    threads = counts.executors["thread"]
    assert isinstance(threads, ThreadCounts)
    return threads


@pytest.fixture
def gate() -> Gate:
    return Gate()


def make_engine(function: Callable[..., object], workers: int = 2) -> Engine:
    return Engine([tool(name="work", host="thread")(function)], threads=workers)  # type: ignore[call-overload]


async def test_the_value_is_returned() -> None:
    def work(number: int) -> tuple[int, bool]:
        return number + 1, threading.current_thread() is threading.main_thread()

    async with make_engine(work) as engine:
        outcomes = await engine.run([Call("work", {"number": n}) for n in range(50)])
        assert [o.value for o in outcomes] == [(n + 1, False) for n in range(50)]


async def test_the_exception_is_the_tools_own() -> None:
    def work() -> None:
        raise LookupError("as asked")

    async with make_engine(work) as engine:
        (outcome,) = await engine.run([Call("work")])
    assert outcome.status == "failed"
    assert repr(outcome.error) == "LookupError('as asked')"


async def test_stop_iteration_is_an_exception_like_others() -> None:
    def work() -> None:
        raise StopIteration

    async with make_engine(work) as engine:
        (outcome,) = await engine.run([Call("work")])
    assert outcome.status == "failed"


async def test_a_call_cancelled_while_it_runs_is_told_and_detached(gate: Gate) -> None:
    told = []

    def work() -> str:
        gate.pass_through()
        told.append(penstock.cancelled())
        return "too late"

    async with make_engine(work) as engine:
        batch = engine.submit([Call("work")])
        await gate.wait_entered()
        batch.cancel()
        (outcome,) = await batch
        counts = engine.statistics()
        assert (outcome.status, outcome.detached) == ("cancelled", True)
        assert (counts.detached, threads_of(counts).stuck) == (1, 1)
        gate.opened.set()
        await settle(lambda: engine.statistics().pending == 0)
        assert told == [True]
        await settle(lambda: threads_of(engine.statistics()).stuck == 0)


async def test_code_that_looks_at_the_token_ends_in_time() -> None:
    begun = threading.Event()

    def work(context: Context) -> str:
        begun.set()
        until = time.monotonic() + SECONDS
        while not context.cancelled:
            assert time.monotonic() < until
            time.sleep(0.001)
        return "tidied"

    async with make_engine(work) as engine:
        batch = engine.submit([Call("work")])
        await settle(begun.is_set)
        batch.cancel()
        (outcome,) = await batch
    assert (outcome.status, outcome.late, outcome.value) == ("ok", True, "tidied")


async def test_draining_runs_what_is_queued_behind_a_stuck_worker(gate: Gate) -> None:
    def work(blocks: bool) -> str:
        if blocks:
            gate.pass_through()
        return "done"

    engine = make_engine(work, workers=1)
    stuck = engine.submit([Call("work", {"blocks": True}, timeout=0.02)])
    await gate.wait_entered()
    queued = engine.submit([Call("work", {"blocks": False})])
    closing = asyncio.ensure_future(engine.aclose(drain=True))
    assert (await queued)[0].value == "done"
    assert (await stuck)[0].status == "timeout"
    gate.opened.set()
    await closing


async def test_the_queue_is_bounded_and_priorities_count_behind_it(gate: Gate) -> None:
    async with make_engine(gate.pass_through, workers=1) as engine:
        first = engine.submit([Call("work", {"name": n}) for n in range(10)])
        await gate.wait_entered()
        counts = engine.statistics()
        assert threads_of(counts).queued == 3
        assert counts.in_flight == 4
        urgent = engine.submit([Call("work", {"name": "urgent"}, priority=0)])
        gate.opened.set()
        await first
        await urgent
    assert gate.log.index("urgent") == 4


async def test_code_sees_the_context_of_the_caller_and_changes_none() -> None:
    def work() -> str:
        seen = who.get()
        who.set("the tool")
        return seen

    async with make_engine(work, workers=1) as engine:
        who.set("the caller")
        outcomes = await engine.run([Call("work")] * 3)
        assert [o.value for o in outcomes] == ["the caller"] * 3
        assert who.get() == "the caller"


async def test_progress_reaches_the_watchers() -> None:
    def work() -> None:
        penstock.progress(1, 2)

    async with make_engine(work) as engine:
        events = [event async for event in engine.submit([Call("work")]).events()]
    assert [event.type for event in events] == [
        "batch.started",
        "call.started",
        "call.progress",
        "call.ended",
        "batch.ended",
    ]
    assert events[2].data == {"done": 1, "total": 2}


async def test_closing_ends_the_workers() -> None:
    before = threading.active_count()
    async with make_engine(lambda: None) as engine:
        await engine.run([Call("work")] * 10)
    await settle(lambda: threading.active_count() <= before)


async def test_a_thread_may_outlive_its_engine(gate: Gate) -> None:
    engine = make_engine(gate.pass_through)
    batch = engine.submit([Call("work")])
    await gate.wait_entered()
    await engine.aclose(grace=0)
    assert batch.done
    del engine, batch
    gate.opened.set()
    await asyncio.sleep(0.01)


async def test_an_interrupt_leaves_the_loop() -> None:
    def work() -> None:
        raise KeyboardInterrupt

    def program() -> None:
        async def main() -> None:
            async with make_engine(work) as engine:
                await engine.run([Call("work")])

        with pytest.raises(KeyboardInterrupt):
            asyncio.run(main())

    thread = threading.Thread(target=program)
    thread.start()
    await settle(lambda: not thread.is_alive())
