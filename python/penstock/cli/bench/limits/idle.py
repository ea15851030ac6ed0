"""`limit-idle`: the CPU that an engine uses while 1,000 calls wait for a limit and nothing happens."""

import asyncio
import time
from collections.abc import AsyncIterator

from penstock.calls import Call
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.limits import Limit
from penstock.tools import tool

COUNT = 1_000
SECONDS = 2.0
SETTLING = 0.1


async def noop() -> None:
    """Does nothing."""


async def measure(settings: Settings) -> AsyncIterator[Result]:
    limit = Limit.rate("tool:noop", 1, per=60.0)
    async with Engine([tool(noop)], limits=[limit]) as engine:
        batch = engine.submit([Call("noop") for _ in range(COUNT)])
        await asyncio.sleep(SETTLING)
        started, used = time.perf_counter(), time.process_time()
        await asyncio.sleep(SECONDS)
        used = time.process_time() - used
        elapsed = time.perf_counter() - started
        batch.cancel("the row is over")
        await batch
    yield Result(
        row="limit-idle",
        n=COUNT,
        loop=settings.loop,
        value=used / elapsed * 100,
        unit="%",
        gate=1.0,
        baseline="one core",
    )


ROWS = Rows("idle", measure)
