"""`measure-*`: the glance at each result, by which the few large ones are found.

Nanoseconds of one glance at nothing, at a dict of eight entries and at a list of 10,000, which is looked at
by samples. It is part of what a call costs in the suite `hot` already.
"""

import statistics
import time
from collections.abc import AsyncIterator, Mapping

from penstock._native import measure as look
from penstock.cli.bench._frame import spread
from penstock.cli.bench._protocol import Result, Rows, Settings

GLANCES, ROUNDS = 100_000, 15
VALUES: Mapping[str, tuple[object, float]] = {
    "measure-none": (None, 3.0),
    "measure-dict": ({f"key {number}": number for number in range(8)}, 60.0),
    "measure-list": ([{"id": number} for number in range(10_000)], 300.0),
}
"""By row, the value and the gate."""


async def measure(settings: Settings) -> AsyncIterator[Result]:
    for row, (value, gate) in VALUES.items():
        seen = [glance(value) for _ in range(settings.rounds(ROUNDS))]
        yield Result(
            row=row,
            n=GLANCES,
            loop=settings.loop,
            value=statistics.median(seen),
            unit="ns",
            gate=gate,
            spread=spread(seen),
        )


def glance(value: object) -> float:
    """Return the nanoseconds of one glance."""
    began = time.perf_counter_ns()
    look(value, glances=GLANCES)
    return (time.perf_counter_ns() - began) / GLANCES


ROWS = Rows("glance", measure)
"""What it costs to see that a result is small."""
