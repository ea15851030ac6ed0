"""Times ways of doing the same work in interleaved rounds.

Ground rules: every way runs once a round and the order turns around every round, so that noise of
the machine meets all ways alike; garbage is collected before each run and the collector stays on
while it runs; a ratio is taken within a round, never between medians of different rounds.
"""

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from penstock.cli.bench._protocol import Result, Settings

Way = Callable[[], Awaitable[float]]
"""Does the work once and returns the nanoseconds that count: set-up need not."""


def timed(work: Callable[[], Awaitable[object]], repeat: int = 1, ideal_ns: float = 0.0) -> Way:
    """A way whose whole work counts.

    Args:
        work: what to time.
        repeat: how often to do it in one run; the time is that of one repetition.
        ideal_ns: nanoseconds to leave out, such as those that all calls sleep at once.
    """

    async def run() -> float:
        started = time.perf_counter_ns()
        for _ in range(repeat):
            await work()
        return (time.perf_counter_ns() - started) / repeat - ideal_ns

    return run


class Rounds:
    """The nanoseconds of each way in each round, and the rows that follow from them."""

    def __init__(
        self, settings: Settings, times: Mapping[str, Sequence[float]], calls: int
    ) -> None:
        self._settings = settings
        self._times = times
        self._calls = calls

    def ns_per_call(self, way: str) -> float:
        """The way's median time of one call."""
        return statistics.median(self._times[way]) / self._calls

    def ratios(self, way: str, baseline: str) -> list[float]:
        """The way's time divided by the baseline's, round by round."""
        return [
            one / other
            for one, other in zip(self._times[way], self._times[baseline], strict=True)
            if other > 0
        ]

    def differences(self, way: str, baseline: str) -> list[float]:
        """The nanoseconds a call that the way takes more than the baseline, round by round."""
        both = zip(self._times[way], self._times[baseline], strict=True)
        return [(one - other) / self._calls for one, other in both]

    def row(self, name: str, way: str, baseline: str, gate: float | None) -> Result:
        """The way held against the baseline."""
        ratios = self.ratios(way, baseline)
        ratio = statistics.median(ratios)
        return Result(
            row=name,
            n=self._calls,
            loop=self._settings.loop,
            value=ratio,
            gate=gate,
            ratio=ratio,
            ns_per_call=self.ns_per_call(way),
            baseline=baseline,
            baseline_ns=self.ns_per_call(baseline),
            spread=spread(ratios),
        )

    def time_row(self, name: str, way: str, baseline: str, gate_ns: float) -> Result:
        """The way's nanoseconds of one call, held against a gate of their own."""
        value = self.ns_per_call(way)
        return Result(
            row=name,
            n=self._calls,
            loop=self._settings.loop,
            value=value,
            unit="ns",
            gate=gate_ns,
            ratio=statistics.median(self.ratios(way, baseline)),
            ns_per_call=value,
            baseline=baseline,
            baseline_ns=self.ns_per_call(baseline),
            spread=spread(self._times[way]),
        )


async def interleave(
    settings: Settings, ways: Mapping[str, Way], *, calls: int, rounds: int = 15
) -> Rounds:
    """Runs all ways, round by round, after one round that warms up.

    Args:
        settings: says whether to run fewer rounds.
        ways: what to run, by name.
        calls: how many calls one run of any way makes.
        rounds: how many rounds count.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    for number in range(settings.rounds(rounds) + 1):
        for name in order:
            gc.collect()
            taken = await ways[name]()
            if number:
                times[name].append(taken)
        order.reverse()
    return Rounds(settings, times, calls)


def spread(values: Sequence[float]) -> float:
    """The width of the middle half of the values, as a share of their median."""
    if len(values) < 3:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / middle if middle else 0.0


def p99(values: Sequence[float]) -> float:
    """The least of the greatest hundredth."""
    return sorted(values)[int(0.99 * len(values))]
