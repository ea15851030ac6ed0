"""The rows about accuracy, of findings that are made up."""

from collections.abc import Iterator

from penstock.cli.bench._protocol import Settings
from penstock.cli.bench.limits._subjects import our_rate
from penstock.cli.bench.limits.accuracy import Make, compare

SETTINGS = Settings(quick=True)


async def test_the_worst_round_counts() -> None:
    ours: Iterator[float] = iter([1.0, 9.0, 2.0])

    async def find(make: Make) -> float:
        return next(ours) if make is our_rate else 0.5

    row = await compare(SETTINGS, "late", find, "ms", gate=8.0)
    assert (row.value, row.passed) == (9.0, False)
    assert row.baseline == "plain Python: 0.5 ms"
