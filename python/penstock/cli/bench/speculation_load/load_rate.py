"""`load-rate-*`: 100 sessions within a limit of calls a second, by the median of a call's seconds and the load.

`-100` is the p99 of calls, `-100-waste` the runs that nobody asked for; `-90` and `-60` are the waiting for tools.
"""

from collections.abc import AsyncIterator

from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.speculation_load._load import by_load, rate


def measure(settings: Settings) -> AsyncIterator[Result]:
    """Yield the rows."""
    return by_load(settings, "rate", rate)


ROWS = Rows("load_rate", measure)
