"""`fair`: how late a 1 ms heartbeat comes, beside batches of 100,000 no-op calls on the same loop."""

import asyncio
import time
from collections.abc import AsyncIterator

from penstock.calls import Call
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool

COUNT = 100_000
BATCHES = 21
BEAT = 0.001


async def noop() -> None:
    """Does nothing."""


async def heartbeat(delays_ms: list[float]) -> None:
    """Notes how much later than asked each beat comes, until it is cancelled."""
    while True:
        started = time.perf_counter()
        await asyncio.sleep(BEAT)
        delays_ms.append((time.perf_counter() - started - BEAT) * 1e3)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


async def measure(settings: Settings) -> AsyncIterator[Result]:
    calls = [Call("noop") for _ in range(COUNT)]
    quiet: list[float] = []
    beside: list[float] = []
    async with Engine([tool(noop)]) as engine:
        beats = asyncio.create_task(heartbeat(quiet))
        await asyncio.sleep(0.2)
        beats.cancel()
        await engine.run(calls)  # left out, like the first round of every row: memory is cold
        await engine.run(calls)
        beats = asyncio.create_task(heartbeat(beside))
        await asyncio.sleep(0)
        started = time.perf_counter_ns()
        batches = settings.rounds(BATCHES)
        for _ in range(batches):
            await engine.run(calls)
            # Dropping 100,000 outcomes is the caller's own time, not a turn's.
            await asyncio.sleep(0)
        taken = time.perf_counter_ns() - started
        beats.cancel()
    yield Result(
        row="fair",
        n=COUNT,
        loop=settings.loop,
        value=percentile(beside, 0.99),
        unit="ms",
        gate=3.0,
        ns_per_call=taken / batches / COUNT,
        baseline=f"the same heartbeat on a quiet loop: p99 {percentile(quiet, 0.99):.2f} ms",
    )


ROWS = Rows("fair", measure)
