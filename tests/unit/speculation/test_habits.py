"""Habits: what is learned of calls, from when on it is said, and what is forgotten."""

import pytest

from penstock.speculation.habits import FEWEST, HALVED_AT, MOST_TOOLS, Habits, Keys

NONE: Keys = frozenset()
DEEP = frozenset({"deep"})
BOTH = frozenset({"deep", "limit"})


def learned(**times: int) -> Habits:
    habits = Habits()
    for name, count in times.items():
        for _ in range(count):
            habits.note([("look", {"none": NONE, "deep": DEEP, "both": BOTH}[name])])
    return habits


def test_before_enough_calls_nothing_is_said() -> None:
    habits = learned(none=FEWEST - 1)
    assert habits.stays("look", NONE) is None
    assert not habits.comes_alone("look")
    assert habits.stays("never", NONE) is None


def test_a_call_that_has_some_stays_so_as_often_as_those_did_that_had_them() -> None:
    habits = learned(none=60, deep=30, both=10)
    assert habits.stays("look", NONE) == pytest.approx(0.60, abs=0.01)
    assert habits.stays("look", DEEP) == pytest.approx(0.75, abs=0.02)
    assert habits.stays("look", BOTH) == pytest.approx(0.95, abs=0.01)


def test_the_latest_calls_count_most() -> None:
    habits = learned(none=HALVED_AT, deep=2 * HALVED_AT)
    stays = habits.stays("look", NONE)
    assert stays is not None
    assert stays < 0.15


def test_a_tool_that_comes_in_crowds_is_known() -> None:
    habits = learned(none=20)
    assert habits.comes_alone("look")
    for _ in range(3):
        habits.note([("look", NONE), ("look", NONE)])
    assert not habits.comes_alone("look")


def test_of_too_many_tools_the_one_longest_unused_is_forgotten() -> None:
    habits = learned(none=FEWEST)
    for number in range(MOST_TOOLS):
        habits.note([(f"t{number}", NONE)])
    assert habits.stays("look", NONE) is None
