"""Waiting costs nothing: no polling, and no spinning where a loop's timers are coarser than a limit."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest

from contracts.moments import Log
from penstock import Budget, Call, Cost, Engine, Limit, Limiter

pytestmark = pytest.mark.real_time

SECONDS = 0.5
MOST = 0.01
"""Of a processor, while everybody waits."""


async def share_of_a_processor(seconds: float = SECONDS) -> float:
    """How much of a processor the process uses while this waits; what others left is none of it."""
    await asyncio.sleep(0.05)
    gc.collect()
    gc.disable()
    try:
        began, used = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        return (time.process_time() - used) / (time.monotonic() - began)
    finally:
        gc.enable()


@asynccontextmanager
async def waiting(engine: Engine, count: int, *, seconds: float = 0.0) -> AsyncIterator[None]:
    """Calls that wait for a limit, until the block ends."""
    async with engine:
        batch = engine.submit([Call("work", {"seconds": seconds})] * count)
        yield
        batch.cancel()
        await batch


CROWD = 1_000
SLOW = Limit.rate("tool:work", 1, per=3_600.0)


@pytest.mark.parametrize(
    "limits",
    [
        [SLOW],
        [Limit.window("tool:work", 1, per=3_600.0)],
        [Limit.window("tool:work", 1, "month")],
        [Limit.concurrency("tool:work", 0)],
        [Limit.concurrency("tool:work", 1)],
        [Budget.money("tool:work", "0.01")],
        [SLOW, Limit.concurrency("tool:work", 5), Limit.window("tenant:*", 1, per=60.0)],
    ],
    ids=lambda limits: limits[-1].name,
)
async def test_an_engine_that_waits_for_a_limit_is_idle(limits: list[Limit | Budget]) -> None:
    work = Log().tool(cost=Cost(microusd=6_000))
    async with waiting(Engine([work], limits=limits), CROWD, seconds=600.0):
        assert await share_of_a_processor() < MOST


async def test_so_is_one_that_a_provider_has_stopped() -> None:
    limiter = Limiter([Limit.rate("tool:work", 1_000)])
    limiter.block("rate tool:work", 600.0)
    async with waiting(Engine([Log().tool()], limits=limiter), CROWD):
        assert await share_of_a_processor() < MOST


async def test_so_is_a_limiter_without_an_engine() -> None:
    limiter = Limiter([SLOW])
    found = limiter.resolve(tool="work")
    held = limiter.try_take(found)
    waits = [asyncio.create_task(limiter.take(found)) for _ in range(CROWD)]
    share = await share_of_a_processor()
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)
    assert held
    assert share < MOST


async def test_so_are_two_engines_that_share_a_limiter() -> None:
    limiter = Limiter([SLOW])
    one, other = (Engine([Log().tool()], limits=limiter) for _ in range(2))
    async with waiting(one, CROWD), waiting(other, CROWD):
        assert await share_of_a_processor() < MOST


async def elapsed(waits: Awaitable[object]) -> float:
    began = time.monotonic()
    await waits
    return time.monotonic() - began


async def test_waits_shorter_than_a_millisecond_do_not_spin() -> None:
    # A unit each 50 us, and a hundred at once: two thousand waits in a tenth of a second.
    limit = Limit.rate("tool:work", 20_000, burst=100)
    async with Engine([Log().tool()], limits=[limit]) as engine:
        await engine.run([Call("work")] * 100)
        before = engine.statistics().turns
        seconds = await elapsed(engine.run([Call("work")] * 2_000))
        turns = engine.statistics().turns - before
    assert seconds < 1.0
    # A turn a millisecond at most, and a few to begin and to end with.
    assert turns <= seconds * 1_000 + 10


async def test_nor_do_they_without_an_engine() -> None:
    limiter = Limiter([Limit.rate("tool:work", 20_000, burst=100)])
    found = limiter.resolve(tool="work")
    while limiter.try_take(found):
        pass
    used = time.process_time()

    async def one() -> None:
        (await limiter.take(found)).settle()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(2_000):
            group.create_task(one())
    # Tasks, futures and permits for 2,000: 20 us each would be slow; spinning would take all there is.
    assert time.process_time() - used < 0.2
