"""The rows of load: what limits mean, what is compared, and recorded sessions."""

from pathlib import Path

import pytest

from penstock.cli.bench import Settings
from penstock.cli.bench.speculation_load import _load
from penstock.cli.bench.speculation_load._load import Both, Loads, full, material, rate, slots
from penstock.speculation import Crowded

TRACES = Path(__file__).parents[4] / "data" / "traces"


def crowded(*calls: float, **counts: int) -> Crowded:
    return Crowded(calls=list(calls), waits=sum(calls), began=0.0, ended=10.0, **counts)


def test_a_full_limit_is_what_the_calls_use() -> None:
    free = Crowded(began=0.0, ended=10.0, busy=600.0, served=300)
    assert (slots(free, 1.0).n, slots(free, 0.6).n) == (60, 100)
    assert (rate(free, 1.0).n, rate(free, 1.0).per) == (108_000, 3_600.0)
    assert rate(free, 0.5).burst == 60


def test_no_limit_is_below_one() -> None:
    free = Crowded(began=0.0, ended=10.0, busy=0.1, served=0)
    assert slots(free, 1.0).n == rate(free, 1.0).n == 1


def test_a_tail_that_guesses_make_longer_misses_its_gate() -> None:
    both = Both(guessing=crowded(*[1.03] * 100), plain=crowded(*[1.0] * 100))
    tail, waste = full(Settings(), "load", both)
    assert (tail.row, tail.value, tail.passed) == ("load-100", 1.03, False)
    assert (waste.row, waste.value, waste.passed) == ("load-100-waste", 0.0, True)


def test_waste_is_per_cent_of_the_calls() -> None:
    guessing = crowded(*[1.0] * 100, ran=102, needed=90, promoted=10)
    waste = Both(guessing, crowded(1.0)).waste(Settings(), "load")
    assert (waste.value, waste.unit, waste.passed) == (pytest.approx(2.0), "%", False)


def test_waiting_is_told_without_a_gate() -> None:
    waits = Both(crowded(1.0, 2.0), crowded(2.0, 4.0)).waits(Settings(), "load")
    assert (waits.value, waits.passed) == (0.5, None)


def test_what_is_told_was_not_learned() -> None:
    known = material(None)
    assert len(known.told) == _load.SESSIONS // 2
    assert known.predictor().statistics() == known.predictor().statistics()
    assert not {each.id for each in known.told} & {
        each.id for each in _load._shop.sessions(400)[::2]
    }


def test_recorded_sessions_are_those_of_one_family() -> None:
    assert {session.family for session in material(TRACES).told} == {"bfcl"}


@pytest.mark.real_time
def test_guesses_help_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_load, "COUNTED", 90)
    loads = Loads(Settings(), at_once=10, median=1.0)
    both = loads.both(slots(loads.free, 0.3))
    assert both.waits(Settings(), "load").value < 0.95
    assert both.guessing.promoted > 0
