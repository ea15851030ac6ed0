"""`load-rate-*`: 100 sessions within a limit of calls a second, by the median of a call's seconds and the load.

`-100` is the p99 of calls, `-100-waste` the runs that nobody asked for; `-90` and `-60` are the waiting for tools.
"""

import asyncio
from collections.abc import AsyncIterator

from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.speculation_load._load import MEDIANS, Loads, full, rate

AT_ONCE = 100


async def measure(settings: Settings) -> AsyncIterator[Result]:
    """Yield the rows."""
    for median in MEDIANS[1:2] if settings.quick else MEDIANS:
        for result in await asyncio.to_thread(_rows, settings, median):
            yield result


def _rows(settings: Settings, median: float) -> list[Result]:
    row = f"load-rate-{median:g}s"
    loads = Loads(settings, AT_ONCE, median)
    shown = list(full(settings, row, loads.both(rate(loads.free, 1.0))))
    for load in (0.9, 0.6):
        both = loads.both(rate(loads.free, load))
        shown.append(both.waits(settings, f"{row}-{100 * load:.0f}"))
    return shown


ROWS = Rows("load_rate", measure)
