"""Limits that several engines, loops and programs share, and what nested batches inherit."""

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Coroutine
from typing import Any

import pytest

from contracts.moments import TICK, Log, calls, in_virtual_time, now, row, statuses
from penstock import Call, Engine, Limit, Limiter, Outcome, tool
from penstock.testing import VirtualLoop

WORK = "rate tool:work"


@pytest.fixture
def log() -> Log:
    return Log()


class TestSharing:
    @in_virtual_time
    async def test_two_engines_and_a_program_share_one_limiter(self) -> None:
        log = Log()
        limiter = Limiter([Limit.rate("tool:work", 10, burst=1)])

        async def alone(count: int) -> None:
            found = limiter.resolve(tool="work")
            for _ in range(count):
                (await limiter.take(found)).settle()
                log.starts.append((0, now()))

        began = now()
        one, other = (Engine([log.tool()], limits=limiter) for _ in range(2))
        async with one, other:
            batches = [one.submit(calls(range(10))), other.submit(calls(range(10)))]
            await alone(10)
            for batch in batches:
                await batch
        times = sorted(log.times(began))
        assert len(times) == 30
        assert all(at >= n / 10 - 1e-6 for n, at in enumerate(times))
        assert times[-1] <= 2.9 + 10 * TICK

    @in_virtual_time
    async def test_a_slot_that_one_engine_frees_is_the_others_at_once(self) -> None:
        log = Log()
        limiter = Limiter([Limit.concurrency("tool:work", 1)])
        one, other = (Engine([log.tool()], limits=limiter) for _ in range(2))
        async with one, other:
            began = now()
            first = one.submit(calls([1], seconds=1.0))
            second = other.submit(calls([2], seconds=1.0))
            third = one.submit(calls([3], seconds=1.0))
            for batch in (first, second, third):
                await batch
        assert log.order == [1, 2, 3]
        assert log.times(began) == pytest.approx([0.0, 1.0, 2.0], abs=TICK)

    @in_virtual_time
    async def test_an_engine_that_closes_leaves_the_others_their_turns(self) -> None:
        log = Log()
        rules = [
            Limit.rate("tool:a", 1, per=3.0),
            Limit.rate("tool:b", 1, per=6.0),
            Limit.rate("tool:c", 1, per=10.0),
        ]
        limiter = Limiter(rules)
        soon, late, later = (limiter.resolve(tool=name) for name in "abc")
        for found in (late, later):
            assert limiter.try_take(found)
        engine = Engine([log.tool("a")], limits=limiter)
        waits_10 = asyncio.create_task(limiter.take(later))
        await asyncio.sleep(0)
        batch = engine.submit(calls([0, 1], "a"))
        await asyncio.sleep(0.5)
        waits_6 = asyncio.create_task(limiter.take(late))
        await asyncio.sleep(0.5)
        await engine.aclose()
        await batch
        async with asyncio.timeout(6.0):
            await waits_6
        await waits_10
        assert soon

    @in_virtual_time
    async def test_a_closed_engine_is_forgotten_by_a_limiter_that_lives_on(self) -> None:
        log = Log()
        limiter = Limiter([Limit.concurrency("tool:work", 1)])
        async with Engine([log.tool()], limits=limiter) as engine:
            batch = engine.submit(calls([0, 1], seconds=1.0))
            await asyncio.sleep(0.5)
            batch.cancel()
            await batch
        assert (row(limiter, "concurrency tool:work").used, limiter.native.next_wake()) == (0, None)
        async with Engine([log.tool()], limits=limiter) as engine:
            assert statuses(await engine.run(calls([2]))) == ["ok"]

    def test_closed_engines_leave_neither_loops_nor_engines_in_a_limiter_that_lives_on(
        self,
    ) -> None:
        limiter = Limiter([Limit.concurrency("tool:work", 1)])
        left: list[weakref.ref[object]] = []

        async def use() -> None:
            engine = Engine([Log().tool()], limits=limiter)
            left.extend((weakref.ref(engine), weakref.ref(asyncio.get_running_loop())))
            async with engine:
                await engine.run(calls(range(3)))

        for _ in range(3):
            asyncio.run(use())
        gc.collect()
        assert [there() for there in left] == [None] * 6

    @pytest.mark.parametrize("holder", ["the engine", "the program"])
    def test_an_engine_that_nobody_closed_takes_no_slot_with_it(self, holder: str) -> None:
        limiter = Limiter([Limit.concurrency("tool:work", 1)])
        found = limiter.resolve(tool="work")
        held = limiter.try_take(found) if holder == "the program" else None

        async def use() -> None:
            engine = Engine([Log().tool()], limits=limiter)
            engine.submit(calls(range(3), seconds=60.0))
            await asyncio.sleep(0.01)

        def lose() -> None:
            loop = VirtualLoop()
            loop.run_until_complete(use())
            loop.close()
            gc.collect()

        with pytest.warns(ResourceWarning, match="never closed"):
            lose()
        gc.collect()  # the warning names its engine
        if held is not None:
            held.settle()
        last = limiter.try_take(found)
        assert last is not None
        assert row(limiter, "concurrency tool:work").waiting == 0

    @in_virtual_time
    async def test_a_call_that_outlives_its_engine_gives_its_slot_to_the_next_engine(self) -> None:
        @tool(host="task")
        async def stubborn() -> None:
            until = now() + 5.0
            while now() < until:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(1.0)

        log = Log()
        limiter = Limiter([Limit.concurrency("global", 1)])
        began = now()
        first = Engine([stubborn], limits=limiter)
        batch = first.submit([Call("stubborn")])
        await asyncio.sleep(0.1)
        await first.aclose(0.0)
        (outcome,) = await batch
        assert outcome.detached
        async with Engine([log.tool()], limits=limiter) as second:
            await second.run(calls(range(3)))
        assert log.times(began) == pytest.approx([5.0] * 3, abs=0.2)

    @in_virtual_time
    async def test_an_engine_that_is_collected_late_takes_nothing_from_the_next(self) -> None:
        log = Log()
        limiter = Limiter([Limit.rate("tool:work", 10, burst=1)])
        first = Engine([log.tool()], limits=limiter)
        await first.run(calls([0]))
        await first.aclose()
        async with Engine([log.tool()], limits=limiter) as second:
            batch = second.submit(calls(range(1, 4)))
            await asyncio.sleep(0.05)
            del first
            gc.collect()
            await batch
        assert log.order == [0, 1, 2, 3]

    @pytest.mark.real_time
    def test_engines_on_two_loops_in_two_threads_hold_one_limit(self) -> None:
        limiter = Limiter([Limit.concurrency("tool:work", 2), Limit.rate("tool:work", 2_000)])
        inside, most, lock = 0, 0, threading.Lock()

        @tool
        async def work() -> None:
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            await asyncio.sleep(0.002)
            with lock:
                inside -= 1

        async def drive() -> list[Outcome]:
            async with Engine([work], limits=limiter) as engine:
                return await engine.run([Call("work")] * 40)

        ended: list[list[str]] = []
        threads = [
            threading.Thread(target=lambda: ended.append(statuses(asyncio.run(drive()))))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(15)
        assert ended == [["ok"] * 40] * 2
        assert most == 2
        assert row(limiter, "concurrency tool:work").used == 0


class TestInheriting:
    async def test_nested_batches_pay_for_their_tenant(self, log: Log) -> None:
        @tool
        async def outer() -> list[str]:
            batches: list[Coroutine[Any, Any, list[Outcome]]] = [
                engine.run(calls([0])),
                engine.run(calls([1]), agent="scout"),
                engine.run(calls([2]), tenant="other"),
            ]
            outcomes = [outcome for batch in batches for outcome in await batch]
            await engine.call("work", number=3)
            return statuses(outcomes)

        limit = Limit.window("tenant:*", 100, per=60.0)
        async with Engine([log.tool(), outer], limits=[limit]) as engine:
            (outcome,) = await engine.run([Call("outer")], tenant="acme")
            used = {row.scope: row.used for row in engine.limits.statistics().limits}
        assert outcome.value == ["ok"] * 3
        # `outer` itself, its first two batches and the single call; the third says another.
        assert used == {"tenant:acme": 4, "tenant:other": 1}
