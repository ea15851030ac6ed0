"""`load-crowd-*`: 1, 20 and 500 sessions, calls of one second, within a rate that they use up."""

import asyncio
from collections.abc import AsyncIterator

from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.speculation_load._load import Loads, full, rate

SIZES = (1, 20, 500)
MEDIAN = 1.0


async def measure(settings: Settings) -> AsyncIterator[Result]:
    """Yield the rows."""
    for size in SIZES:
        for result in await asyncio.to_thread(_rows, settings, size):
            yield result


def _rows(settings: Settings, at_once: int) -> list[Result]:
    loads = Loads(settings, at_once, MEDIAN)
    return list(full(settings, f"load-crowd-{at_once}", loads.both(rate(loads.free, 1.0))))


ROWS = Rows("load_crowds", measure)
