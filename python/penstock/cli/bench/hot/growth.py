"""`growth`: what a no-op call costs in batches of 1,000 to 1,000,000, the dearest against the cheapest size."""

import statistics
from collections.abc import AsyncIterator

from penstock.calls import Call
from penstock.cli.bench._frame import Way, interleave, spread, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool

SIZES = (1_000, 10_000, 100_000, 1_000_000)


async def noop() -> None:
    """Does nothing."""


async def measure(settings: Settings) -> AsyncIterator[Result]:
    calls = [Call("noop") for _ in range(SIZES[-1])]
    async with Engine([tool(noop)], max_pending=SIZES[-1]) as engine:
        ways = {str(size): _way(engine, calls[:size]) for size in SIZES}
        rounds = await interleave(settings, ways, calls=1, rounds=5)
    smallest = str(SIZES[0])
    per_size = {str(size): rounds.ratios(str(size), smallest) for size in SIZES}
    worst = max(per_size, key=lambda size: statistics.median(per_size[size]))
    ratio = statistics.median(per_size[worst])
    yield Result(
        row="growth",
        n=int(worst),
        loop=settings.loop,
        value=ratio,
        gate=1.3,
        ratio=ratio,
        ns_per_call=rounds.ns_per_call(worst),
        baseline=f"batches of {SIZES[0]:,}",
        baseline_ns=rounds.ns_per_call(smallest),
        spread=spread(per_size[worst]),
    )


def _way(engine: Engine, calls: list[Call]) -> Way:
    """The nanoseconds of one call, over enough batches to make 100,000 calls."""
    batches = max(1, 100_000 // len(calls))

    async def run() -> None:
        await engine.run(calls)

    whole = timed(run, batches)

    async def per_call() -> float:
        return await whole() / len(calls)

    return per_call


ROWS = Rows("growth", measure)
