"""`memory_queued`, `memory_suspended`: bytes a call that waits its turn, or waits on a future.

Queued is read right after the submission, suspended when every call waits on a future of its own,
which counts. The baseline is a Task a call.
"""

import statistics
import subprocess
import sys
from collections.abc import AsyncIterator

from penstock._codec import decode
from penstock.cli.bench._frame import spread
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.hot import _memory_probe

GATES = {"queued": 100.0, "suspended": 1024.0}


def probe(kind: str, loop: str) -> dict[str, float]:
    """Bytes a call in a fresh process: `engine` or `tasks`."""
    command = [sys.executable, "-m", _memory_probe.__name__, kind, loop]
    answer = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 (this interpreter)
    return {name: float(value) for name, value in decode(answer.stdout).items()}


async def measure(settings: Settings) -> AsyncIterator[Result]:
    ours = [probe("engine", settings.loop) for _ in range(3)]
    tasks = [probe("tasks", settings.loop) for _ in range(3)]
    for state, gate in GATES.items():
        sizes = [record[state] for record in ours]
        size = statistics.median(sizes)
        yield Result(
            row=f"memory_{state}",
            n=_memory_probe.COUNT,
            loop=settings.loop,
            value=size,
            unit="B",
            gate=gate,
            ratio=size / statistics.median(record[state] for record in tasks),
            baseline="a Task a call",
            spread=spread(sizes),
        )


ROWS = Rows("memory", measure)
