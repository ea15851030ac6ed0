"""Rules: what the core is told, all or nothing, and when calendar windows begin."""

import math
from typing import Any

import pytest

from penstock._native import Cost, Limiter
from penstock.errors import ConfigError
from penstock.limits.adaptive import Adaptive
from penstock.limits.budget import Budget
from penstock.limits.rules import Rules
from penstock.limits.spec import Limit

DAY = 86_400.0


class Clocks:
    """A monotonic and a wall clock that stand until they are moved."""

    def __init__(self) -> None:
        self.now, self.wall = 1_000.0, 10 * DAY

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def native(clocks: Clocks) -> Limiter:
    return Limiter(lambda: clocks.now)


@pytest.fixture
def rules(native: Limiter, clocks: Clocks) -> Rules:
    return Rules(native, lambda: clocks.now, lambda: clocks.wall)


def admitted(native: Limiter, most: int = 100, **who: str) -> int:
    """Take until the limits refuse."""
    found = native.resolve(**who)
    return sum(native.try_take(found) is not None for _ in range(most))


def test_every_kind_of_rule_is_told(native: Limiter, rules: Rules) -> None:
    given = [
        Limit.rate("tool:x", 10, burst=3),
        Limit.window("tool:x", 10, 60.0),
        Limit.window("tool:x", 10, "day", name="daily"),
        Limit.tokens("model:*", 10, kind="output"),
        Limit.concurrency("tool:x", 8, adaptive=Adaptive(most=16)),
        Budget.money("tenant:*", "0.50", per="month"),
        Budget.tokens("tool:x", 1_000, warn=(0.5, 0.9), overrun="cancel"),
    ]
    rules.add(given)
    assert rules.told() == tuple(given)
    assert len(native.resolve(tool="x", tenant="acme", model="m").limits) == 7


def test_a_limit_that_was_told_counts(native: Limiter, rules: Rules) -> None:
    rules.add([Limit.rate("tool:x", 10, burst=3)])
    assert admitted(native, tool="x") == 3
    assert not native.resolve(tool="y")


@pytest.mark.parametrize(
    ("field", "second"),
    [
        ("name", Limit.rate("tool:x", 5)),
        ("name", Budget.money("tool:y", 1, name="rate tool:x")),
        ("limits", [Limit.rate("tool:y", 1)]),
        ("limits", "tool:y"),
    ],
)
def test_a_rule_that_cannot_join_leaves_all_out(native: Limiter, rules: Rules, field: str, second: Any) -> None:  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        rules.add([Limit.rate("tool:x", 10), second])
    assert caught.value.field == field
    assert rules.told() == ()
    assert not native.resolve(tool="x")


def test_a_rule_that_is_there_already_is_refused(rules: Rules) -> None:
    rules.add([Limit.rate("tool:x", 10)])
    with pytest.raises(ConfigError, match="give one name="):
        rules.add([Limit.rate("tool:x", 10)])


def test_a_removed_rule_counts_no_more_and_its_name_is_free(native: Limiter, rules: Rules) -> None:
    rules.add([Limit.concurrency("tool:x", 0)])
    rules.remove("concurrency tool:x")
    assert not native.resolve(tool="x")
    rules.add([Limit.concurrency("tool:x", 2)])


def test_a_change_is_checked_as_the_rule_was(native: Limiter, rules: Rules) -> None:
    rules.add([Limit.rate("tool:x", 10, burst=3)])
    with pytest.raises(ConfigError, match="burst=0"):
        rules.change("rate tool:x", 10, None, 0, None)
    assert admitted(native, tool="x") == 3


def test_a_change_counts_at_once(native: Limiter, rules: Rules) -> None:
    rules.add([Limit.concurrency("tool:x", 0), Budget.tokens("tool:x", 5)])
    rules.change("concurrency tool:x", 2, None, None, None)
    rules.change("token budget tool:x", 9, None, None, None)
    found = native.resolve(tool="x")
    permits = [native.try_take(found) for _ in range(3)]
    assert [permit is not None for permit in permits] == [True, True, False]
    assert [getattr(rule, "n", None) or getattr(rule, "amount", None) for rule in rules.told()] == [2, 9]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "name", "change"),
    [
        ("name", "rate tool:y", (1, None, None, None)),
        ("revision", "rate tool:x", (1, None, None, 2)),
        ("per", "rate tool:x", (None, -1.0, None, None)),
        ("n", "rate tool:x", (0, None, None, None)),
        ("burst", "token budget tool:x", (None, None, 5, None)),
        ("amount", "token budget tool:x", (-1, None, None, None)),
    ],
)
def test_a_change_that_cannot_work_is_named(
    rules: Rules, field: str, name: str, change: Any
) -> None:
    rules.add([Limit.rate("tool:x", 10, revision=3), Budget.tokens("tool:x", 5)])
    with pytest.raises(ConfigError) as caught:
        rules.change(name, *change)
    assert caught.value.field == field


def test_a_block_lets_nobody_pass_until_it_ends(
    native: Limiter, rules: Rules, clocks: Clocks
) -> None:
    rules.add([Limit.rate("tool:x", 10, burst=3)])
    rules.block("rate tool:x", 5.0)
    assert admitted(native, tool="x") == 0
    clocks.advance(5.0)
    assert admitted(native, tool="x") > 0


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), None])
def test_a_block_of_no_time_is_refused(rules: Rules, seconds: Any) -> None:
    rules.add([Limit.rate("tool:x", 10)])
    with pytest.raises(ConfigError, match="seconds="):
        rules.block("rate tool:x", seconds)


def test_a_day_ends_at_midnight_and_the_next_one_too(
    native: Limiter, rules: Rules, clocks: Clocks
) -> None:
    clocks.wall += DAY / 2
    rules.add([Limit.window("tool:x", 3, "day")])
    assert admitted(native, tool="x") == 3
    for _day in range(3):
        clocks.advance(DAY / 2 + 1.0)
        rules.roll()
        assert admitted(native, tool="x") == 3
        clocks.advance(DAY / 2 - 2.0)
        rules.roll()
        assert admitted(native, tool="x") == 0
        clocks.advance(1.0)


def test_a_roll_says_when_the_next_one_is_due(rules: Rules, clocks: Clocks) -> None:
    assert rules.roll() == math.inf
    rules.add([Limit.window("tool:x", 3, "day")])
    clocks.advance(DAY / 4)
    assert rules.roll() == pytest.approx(DAY * 3 / 4)
    clocks.advance(DAY)
    assert rules.roll() == pytest.approx(DAY * 3 / 4)


def test_a_clock_set_back_over_midnight_opens_no_second_window(
    native: Limiter, rules: Rules, clocks: Clocks
) -> None:
    rules.add([Limit.window("tool:x", 3, "day")])
    clocks.advance(DAY)
    rules.roll()
    assert admitted(native, tool="x") == 3
    clocks.wall -= 10.0
    clocks.advance(10.0)
    rules.roll()
    assert admitted(native, tool="x") == 0


def test_days_of_two_zones_end_apart(native: Limiter, rules: Rules, clocks: Clocks) -> None:
    rules.add(
        [
            Limit.window("tool:x", 3, "day", tz="UTC"),
            Limit.window("tool:y", 3, "day", tz="Asia/Tokyo"),
        ]
    )
    assert admitted(native, tool="x") == admitted(native, tool="y") == 3
    clocks.advance(15 * 3_600.0)  # midnight in Tokyo
    rules.roll()
    assert (admitted(native, tool="x"), admitted(native, tool="y")) == (0, 3)


def test_a_budget_is_whole_again_in_its_next_period(
    native: Limiter, rules: Rules, clocks: Clocks
) -> None:
    rules.add([Budget.tokens("tool:x", 10, per="month")])
    found = native.resolve(tool="x")
    spent = native.try_take(found, Cost(output_tokens=10))
    assert spent is not None
    assert spent.settle()
    assert native.try_take(found, Cost(output_tokens=1)) is None
    clocks.advance(25 * DAY)  # to the fifth of February
    rules.roll()
    assert native.try_take(found, Cost(output_tokens=10)) is not None
