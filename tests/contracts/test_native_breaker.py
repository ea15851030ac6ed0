"""The native breaker and allowance are what the policies ask for; their rules are tested in Rust."""

import time
from threading import Thread
from typing import Any

import pytest

from penstock._native import Allowance, Breaker
from penstock.engine.policies import Allowance as AllowanceProtocol
from penstock.engine.policies._protocol import Circuit
from penstock.errors import ConfigError

ENDINGS = ("ok", "slow", "fail", "connect", "ignored", "misconfigured")


def opened(at: float = 100.0) -> Breaker:
    """Return a breaker that has just opened, for a second."""
    breaker = Breaker(consecutive=1)
    ticket, _ = breaker.admit(at)
    assert ticket is not None
    assert breaker.record(ticket, "connect", at, 0.0)
    return breaker


def test_they_are_what_policies_ask_for() -> None:
    circuit: Circuit = Breaker()
    allowance: AllowanceProtocol = Allowance()
    assert circuit.is_closed
    assert allowance.try_spend()


def test_an_open_breaker_says_when_to_ask_again() -> None:
    breaker = opened()
    assert breaker.state == "open"
    assert breaker.check(100.5) == 101.0
    assert breaker.admit(100.5) == (None, 101.0)
    assert breaker.check(101.0) is None


def test_thresholds_and_open_times_arrive_in_the_core() -> None:
    breaker = Breaker(failures=0.25, min_calls=4, open_for=(2.5, 5.0))
    for ending in ("ok", "ok", "ok", "fail"):
        assert breaker.is_closed
        ticket, _ = breaker.admit(100.0)
        assert ticket is not None
        breaker.record(ticket, ending, 100.0, 0.0)
    assert breaker.check(100.0) == 102.5


def test_chance_lengthens_the_open_time() -> None:
    breaker = Breaker(consecutive=1)
    ticket, _ = breaker.admit(100.0)
    assert ticket is not None
    breaker.record(ticket, "connect", 100.0, 0.5)
    assert breaker.check(100.0) == pytest.approx(101.1)


def test_a_probe_fails_at_its_deadline() -> None:
    breaker = opened()
    ticket, _ = breaker.admit(101.0, 101.5)
    assert ticket is not None
    assert breaker.check(101.4) == 101.5
    assert breaker.check(101.5) == 103.5
    assert not breaker.record(ticket, "ok", 101.6, 0.0)


def test_a_cancelled_probe_frees_its_place() -> None:
    breaker = opened()
    for _ in range(3):
        ticket, _ = breaker.admit(101.0)
        assert ticket is not None
        assert breaker.check(101.0) == 111.0
        breaker.cancel(ticket, 101.0)


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_ending_has_a_class(ending: Any) -> None:
    breaker = Breaker()
    ticket, _ = breaker.admit(100.0)
    assert ticket is not None
    assert breaker.record(ticket, ending, 100.0, 0.0) is (ending == "misconfigured")


def test_an_ending_that_is_none_is_an_error() -> None:
    wrong: Any = "late"
    with pytest.raises(ConfigError, match="ending"):
        Breaker().record(1, wrong, 100.0, 0.0)


def test_transitions_are_told_once_with_cause_and_time() -> None:
    breaker = opened()
    breaker.admit(101.0)
    breaker.reset(102.0)
    assert breaker.transitions() == [
        ("closed", "open", "connect", 100.0),
        ("open", "half_open", "waited", 101.0),
        ("half_open", "closed", "reset", 102.0),
    ]
    assert breaker.transitions() == []


def test_statistics_have_the_names_of_the_core() -> None:
    breaker = opened()
    breaker.check(100.0)
    breaker.remote_open(100.0)
    assert breaker.statistics(100.0) == {
        "state": "open",
        "recent_ok": 0,
        "recent_slow": 0,
        "recent_failed": 0,
        "refused": 1,
        "late": 0,
        "opened": 1,
        "probes": 0,
        "retry_at": 101.0,
        "next_open_time": 2.0,
        "wary_until": 130.0,
    }


def test_both_follow_a_virtual_clock() -> None:
    now = 100.0
    allowance = Allowance(lambda: now)
    breaker = Breaker(time=lambda: now)
    assert sum(allowance.try_spend() for _ in range(20)) == 10
    now += 3.0
    assert allowance.available == 3
    for _ in range(10):
        allowance.first_attempt()
    assert (allowance.available, allowance.spent, allowance.denied) == (4, 10, 10)
    breaker.reset()
    assert breaker.transitions() == [("closed", "closed", "reset", 103.0)]


def test_without_one_the_clock_is_monotonic() -> None:
    breaker = Breaker()
    before = time.monotonic()
    breaker.reset()
    assert before <= breaker.transitions()[0][3] <= time.monotonic()


def test_threads_may_share_an_allowance() -> None:
    allowance = Allowance()

    def retry() -> None:
        for _ in range(1_000):
            allowance.try_spend()

    threads = [Thread(target=retry) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowance.spent + allowance.denied == 4_000
    assert allowance.spent >= 10
