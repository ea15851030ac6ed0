"""`events-many`, `events-slow`: a thousand watchers of one batch, and one beside those who sleep.

In `events-many` each watcher takes each event as bytes, as one who sends them would: each event must
be encoded once for all of them. Its value is the time of one delivery. `events-slow` runs a batch and
reads its events, alone and with 999 watchers that have stopped reading.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from penstock.calls import Call
from penstock.cli.bench._frame import interleave
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Batch, Engine
from penstock.streams import Subscription
from penstock.tools import tool

WATCHERS = 1_000
RECORDS = 10_000
SLEEPERS = 999
ALONE = "one reader alone"


async def noop() -> None:
    """Does nothing."""


async def measure(settings: Settings) -> AsyncIterator[Result]:
    async with Engine([tool(noop)]) as engine:
        for result in await _many(settings, engine):
            yield result
        yield await _slow(settings, engine)


async def _many(settings: Settings, engine: Engine) -> list[Result]:
    batch = engine.submit([Call("noop") for _ in range(RECORDS // 2 - 1)])
    watchers = WATCHERS // 4 if settings.quick else WATCHERS
    started = time.perf_counter_ns()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(encoded(batch)) for _ in range(watchers)]
    taken = time.perf_counter_ns() - started
    objects = {task.result() for task in tasks}
    deliveries = watchers * RECORDS
    each = taken / deliveries
    return [
        Result(
            row="events-many",
            n=deliveries,
            loop=settings.loop,
            value=each / 1e3,
            unit="us",
            gate=0.4,
            ns_per_call=each,
        ),
        Result(
            row="events-many/rate",
            n=deliveries,
            loop=settings.loop,
            value=1e9 / each,
            unit="/s",
            gate=500_000.0,
            at_least=True,
        ),
        Result(
            row="events-many/encodes",
            n=deliveries,
            loop=settings.loop,
            value=float(sum(made for made, _ in objects)),
            unit="calls",
            gate=float(RECORDS),
        ),
    ]


async def encoded(batch: Batch) -> tuple[int, int]:
    """Take each event of a batch as bytes; return how many, and what tells their objects apart."""
    count = mark = 0
    async for event in batch.events():
        mark ^= id(event.encoded)
        count += 1
    return count, mark


async def _slow(settings: Settings, engine: Engine) -> Result:
    calls = [Call("noop") for _ in range(RECORDS // 2 - 1)]

    async def beside(sleepers: int) -> float:
        started = time.perf_counter_ns()
        batch = engine.submit(calls)
        taken = time.perf_counter_ns() - started
        asleep = [await stopped(batch) for _ in range(sleepers)]
        started = time.perf_counter_ns()
        async for _ in batch.events():
            pass
        taken += time.perf_counter_ns() - started
        for sleeper in asleep:
            await sleeper.aclose()
        return taken

    ways = {"ours": lambda: beside(SLEEPERS), ALONE: lambda: beside(0)}
    rounds = await interleave(settings, ways, calls=RECORDS, rounds=31)
    return rounds.row("events-slow", "ours", ALONE, gate=1.05)


async def stopped(batch: Batch) -> Subscription:
    """A watcher that has read one event, and reads no more."""
    subscription = batch.events()
    await anext(subscription)
    return subscription


ROWS = Rows("crowd", measure)
