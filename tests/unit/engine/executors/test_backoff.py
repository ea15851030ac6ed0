"""The pause after deaths in a row; time is a number."""

from penstock.engine.executors._backoff import Backoff


def after(*deaths: float) -> Backoff:
    backoff = Backoff()
    for now in deaths:
        backoff.add(now)
    return backoff


def test_two_deaths_cost_nothing() -> None:
    assert Backoff().wait(0.0) == 0.0
    assert after(1.0, 1.1).wait(1.1) == 0.0


def test_the_third_death_in_ten_seconds_costs_half_a_second() -> None:
    backoff = after(1.0, 2.0, 3.0)
    assert backoff.wait(3.0) == 0.5
    assert backoff.wait(3.25) == 0.25
    assert backoff.wait(3.5) == 0.0


def test_each_further_death_doubles_the_pause_up_to_ten_seconds() -> None:
    pauses = [after(*[1.0] * count).wait(1.0) for count in range(3, 10)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert after(*[1.0] * 5_000).wait(1.0) == 10.0


def test_deaths_long_ago_are_forgotten() -> None:
    backoff = after(1.0, 2.0, 11.5)
    assert backoff.wait(11.5) == 0.0
