"""`events-off`, `events-one`: the events of calls that nobody watches, and those of one watcher.

`events-off` runs batches with a log that nobody reads beside batches without one: the difference is
what a call's events cost. `events-one` reads a whole log, whose events are made for this reader; what writing them costs is `events-off`.
"""

import asyncio
import statistics
from collections.abc import AsyncIterator

from penstock.calls import Call
from penstock.cli.bench._frame import interleave, spread, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Batch, Engine
from penstock.tools import tool

CALLS = 1_000
REPEAT = 10
RECORDS = 100_000
QUEUE = "asyncio.Queue"
UNWATCHED = "no log"


async def noop() -> None:
    """Does nothing."""


async def measure(settings: Settings) -> AsyncIterator[Result]:
    async with Engine([tool(noop)], history=2 * RECORDS) as engine:
        yield await _off(settings, engine)
        yield await _one(settings, engine)


async def _off(settings: Settings, engine: Engine) -> Result:
    calls = [Call("noop") for _ in range(CALLS)]
    submit = engine._host.submit

    async def ours() -> None:
        await submit(calls, watched=True).wait()

    async def without() -> None:
        await submit(calls, watched=False).wait()

    ways = {"ours": timed(ours, REPEAT), UNWATCHED: timed(without, REPEAT)}
    rounds = await interleave(settings, ways, calls=CALLS, rounds=45)
    more = rounds.differences("ours", UNWATCHED)
    return Result(
        row="events-off",
        n=CALLS,
        loop=settings.loop,
        value=statistics.median(more),
        unit="ns",
        gate=20.0,
        ns_per_call=rounds.ns_per_call("ours"),
        baseline=UNWATCHED,
        baseline_ns=rounds.ns_per_call(UNWATCHED),
        spread=spread(more),
    )


async def _one(settings: Settings, engine: Engine) -> Result:
    calls = [Call("noop") for _ in range(RECORDS // 2)]
    batch: Batch | None = None

    async def ours() -> float:
        nonlocal batch
        batch = engine.submit(calls)
        await batch
        return await timed(lambda: read(_held(batch)))()

    async def queue() -> float:
        items: asyncio.Queue[int] = asyncio.Queue()
        return await timed(lambda: passed(items, RECORDS))()

    rounds = await interleave(settings, {"ours": ours, QUEUE: queue}, calls=RECORDS, rounds=9)
    return rounds.row("events-one", "ours", QUEUE, gate=0.4)


def _held(batch: Batch | None) -> Batch:
    if batch is None:
        raise AssertionError("there is no batch to read")
    return batch


async def read(batch: Batch) -> int:
    """Read a whole log; return the number of the last event."""
    seq = 0
    async for event in batch.events():
        seq = event.seq
    return seq


async def passed(items: "asyncio.Queue[int]", count: int) -> int:
    """Put items into a queue and take them out; return the last one."""
    for number in range(count):
        items.put_nowait(number)
    last = 0
    for _ in range(count):
        last = await items.get()
    return last


ROWS = Rows("alone", measure)
