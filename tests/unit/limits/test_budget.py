"""`Budget`: exact amounts, its defaults, and its faults."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConfigError
from penstock.limits.budget import Budget, usd


@pytest.mark.parametrize(
    ("amount", "micro"),
    [
        ("20.00", 20_000_000),
        ("0.000001", 1),
        ("1e-6", 1),
        ("0", 0),
        (3, 3_000_000),
        (Decimal("0.10"), 100_000),
        (Decimal("1.1000000000"), 1_100_000),
        (str(2**53 // 10**6), 2**53 // 10**6 * 10**6),
    ],
)
def test_dollars_are_whole_millionths(amount: Any, micro: int) -> None:
    assert usd(amount) == micro


@pytest.mark.parametrize(
    "amount",
    [
        0.1,
        True,
        None,
        "",
        "ten",
        "NaN",
        "Infinity",
        "-1",
        -1,
        "0.0000001",
        "1e-999999999",
        "1e999999999",
        "9" * 5_000,
        Decimal(10) ** 10,
        b"1",
    ],
)  # fmt: skip
def test_what_is_no_exact_amount_is_refused(amount: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        usd(amount)
    assert caught.value.field == "amount"


@given(st.integers(0, 2**53 // 10**6 * 10**6))
def test_every_amount_of_millionths_is_kept_exactly(micro: int) -> None:
    assert usd(f"{micro // 10**6}.{micro % 10**6:06}") == micro
    assert usd(Decimal(micro) / 10**6) == micro


def test_money_is_kept_in_millionths() -> None:
    budget = Budget.money("tenant:acme", "20.00", per="day", tz="Europe/Oslo")
    assert (budget.unit, budget.amount, budget.per) == ("microusd", 20_000_000, "day")
    assert (budget.name, budget.tz) == ("budget tenant:acme", "Europe/Oslo")
    assert (budget.warn, budget.overrun) == ((0.8,), "finish")


def test_tokens_are_kept_as_they_are() -> None:
    budget = Budget.tokens("batch", 5_000, overrun="cancel")
    assert (budget.unit, budget.amount, budget.per) == ("total_tokens", 5_000, None)
    assert (budget.name, budget.overrun) == ("token budget batch", "cancel")


def test_warnings_are_kept_in_order_and_once() -> None:
    budget = Budget.money("run", 1, warn=[0.9, 0.5, 0.9, 1])  # type: ignore[arg-type]
    assert budget.warn == (0.5, 0.9, 1.0)


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("scope", lambda: Budget.money("nobody", 1)),
        ("amount", lambda: Budget.money("batch", 0.5)),
        ("amount", lambda: Budget.tokens("batch", -1)),
        ("amount", lambda: Budget.tokens("batch", "5")),
        ("per", lambda: Budget.money("batch", 1, "hour")),
        ("per", lambda: Budget.money("batch", 1, 60.0)),
        ("tz", lambda: Budget.money("batch", 1, "day", tz="Oslo")),
        ("warn", lambda: Budget.money("batch", 1, warn=0.8)),
        ("warn", lambda: Budget.money("batch", 1, warn=(0.0,))),
        ("warn", lambda: Budget.money("batch", 1, warn=(80,))),
        ("warn", lambda: Budget.money("batch", 1, warn=(float("nan"),))),
        ("overrun", lambda: Budget.money("batch", 1, overrun="stop")),
        ("name", lambda: Budget.money("batch", 1, name="")),
        ("unit", lambda: Budget("x", "batch", "euro", 1)),
    ],
)
def test_a_field_that_cannot_work_is_named(field: str, make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.field == field


def test_all_faults_of_a_budget_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Budget.money("nobody", 0.5, "hour", tz="Oslo")  # type: ignore[arg-type]
    assert all(f"{field}=" in str(caught.value) for field in ("amount", "scope", "per", "tz"))
