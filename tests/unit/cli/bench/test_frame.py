"""The timing frame, on ways whose times are made up."""

from collections.abc import Iterator

import pytest

from penstock.cli.bench._frame import Rounds, Way, interleave, p99, spread
from penstock.cli.bench._protocol import Settings

SETTINGS = Settings()


def way(name: str, times: Iterator[float], log: list[str]) -> Way:
    async def run() -> float:
        log.append(name)
        return next(times)

    return run


async def test_the_first_round_only_warms_up() -> None:
    ways = {"ours": way("ours", iter([900.0, 10.0, 20.0, 30.0]), [])}
    rounds = await interleave(SETTINGS, ways, calls=1, rounds=3)
    assert rounds.ns_per_call("ours") == 20.0


async def test_the_order_turns_around_every_round() -> None:
    log: list[str] = []
    ways = {name: way(name, iter([1.0] * 4), log) for name in ("a", "b")}
    await interleave(SETTINGS, ways, calls=1, rounds=3)
    assert "".join(log) == "abbaabba"


async def test_quick_runs_a_third_of_the_rounds() -> None:
    log: list[str] = []
    ways = {"a": way("a", iter([1.0] * 99), log)}
    await interleave(Settings(quick=True), ways, calls=1, rounds=15)
    assert len(log) == 1 + 5


def test_a_ratio_is_taken_within_a_round() -> None:
    rounds = Rounds(SETTINGS, {"ours": [1.0, 20.0, 3.0], "base": [10.0, 100.0, 10.0]}, calls=1)
    assert rounds.ratios("ours", "base") == [0.1, 0.2, 0.3]


def test_a_row_holds_medians_of_one_call() -> None:
    times = {"ours": [100.0, 200.0, 300.0], "base": [1000.0, 1000.0, 1000.0]}
    row = Rounds(SETTINGS, times, calls=10).row("noop", "ours", "base", gate=0.25)
    assert (row.ratio, row.ns_per_call, row.baseline_ns) == (0.2, 20.0, 100.0)
    assert row.passed


def test_a_row_of_time_holds_nanoseconds_of_one_call() -> None:
    times = {"ours": [1_000.0, 2_000.0, 3_000.0], "base": [4_000.0] * 3}
    row = Rounds(SETTINGS, times, calls=10).time_row("try", "ours", "base", gate_ns=199.0)
    assert (row.value, row.unit, row.ratio, row.baseline_ns) == (200.0, "ns", 0.5, 400.0)
    assert row.passed is False


def test_a_round_without_overhead_in_the_baseline_has_no_ratio() -> None:
    rounds = Rounds(SETTINGS, {"ours": [1.0, 1.0], "base": [-5.0, 2.0]}, calls=1)
    assert rounds.ratios("ours", "base") == [0.5]


def test_spread_is_the_middle_half_as_a_share_of_the_median() -> None:
    assert spread([1.0, 2.0, 3.0]) == pytest.approx(1.0)


def test_two_values_have_no_spread() -> None:
    assert spread([1.0, 2.0]) == 0.0


def test_p99_is_the_least_of_the_slowest_hundredth() -> None:
    assert p99([1.0] * 99 + [9.0]) == 9.0
    assert p99([1.0] * 199 + [9.0]) == 1.0
