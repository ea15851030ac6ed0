"""`features`: the engine beside the same features written by hand in asyncio.

A concurrency limit, a timeout, a context of its own, a record of what happened and a histogram: the
engine has them always on, the baseline builds them from a semaphore, `asyncio.timeout`, a slotted
dataclass and `bisect`. Prometheus and OpenTelemetry would add to the baseline only; they are not here.
"""

import asyncio
import bisect
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from penstock.calls import Call
from penstock.cli.bench._frame import interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool

COUNT = 1_000
TIMEOUT = 30.0
BOUNDS = [0.0001 * 2**step for step in range(20)]


@dataclass(slots=True)
class Record:
    """What the baseline keeps of a call."""

    index: int
    value: object
    status: str
    started: float
    ended: float


async def noop() -> int:
    """Returns at once."""
    return 1


async def measure(settings: Settings) -> AsyncIterator[Result]:
    calls = [Call("noop") for _ in range(COUNT)]
    gate = asyncio.Semaphore(COUNT)
    histogram = [0] * (len(BOUNDS) + 1)

    async def one(index: int) -> Record:
        async with gate:
            started = time.monotonic()
            async with asyncio.timeout(TIMEOUT):
                value = await noop()
            ended = time.monotonic()
        histogram[bisect.bisect_left(BOUNDS, ended - started)] += 1
        return Record(index, value, "ok", started, ended)

    async def by_hand() -> None:
        await asyncio.gather(*[one(index) for index in range(COUNT)])

    async with Engine([tool(noop, timeout=TIMEOUT, concurrency=COUNT)]) as engine:

        async def ours() -> None:
            await engine.run(calls)

        ways = {"ours": timed(ours, 3), "the same by hand": timed(by_hand, 3)}
        rounds = await interleave(settings, ways, calls=COUNT)
    yield rounds.row("features", "ours", "the same by hand", gate=None)


ROWS = Rows("features", measure)
