"""`import`: the wall time of `import penstock` in a fresh interpreter."""

import statistics
import subprocess
import sys
from collections.abc import AsyncIterator

from penstock.cli.bench._frame import spread
from penstock.cli.bench._protocol import Result, Rows, Settings

PROGRAM = """
import time
started = time.perf_counter()
import penstock
print((time.perf_counter() - started) * 1e3)
"""


def import_once() -> float:
    """Milliseconds of one import."""
    command = [sys.executable, "-c", PROGRAM]
    answer = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 (this interpreter)
    return float(answer.stdout)


async def measure(settings: Settings) -> AsyncIterator[Result]:
    import_once()  # the first one may have to read the files from the disk
    times = [import_once() for _ in range(settings.rounds(9))]
    yield Result(
        row="import",
        n=1,
        loop=settings.loop,
        value=statistics.median(times),
        unit="ms",
        gate=150.0,
        ns_per_call=statistics.median(times) * 1e6,
        spread=spread(times),
    )


ROWS = Rows("importing", measure)
