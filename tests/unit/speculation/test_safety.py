"""What is never guessed: each rule alone, and the names that sound like a write."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.speculation.safety import Guess, refusal, sounds_like_a_write

FINE = Guess(
    tool="get_order",
    effects="read",
    speculate=None,
    price=0,
    needs_approval=False,
    is_open_world=False,
    is_tainted=False,
    confirmed=0,
    is_of_tenant=True,
    breaker_closed=True,
    refused_ago=None,
    budget_left=0,
    is_valid=True,
    is_closing=False,
)


def test_a_plain_read_is_allowed() -> None:
    assert refusal(FINE) is None


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("closing", {"is_closing": True}),
        *[("effects", {"effects": effects}) for effects in ("once", "idempotent", "compensable")],
        ("declared", {"speculate": False}),
        ("declared", {"effects": "once", "is_staged": True, "speculate": False}),
        ("name", {"tool": "delete_order"}),
        ("approval", {"needs_approval": True, "speculate": True}),
        ("open_world", {"is_open_world": True}),
        ("taint", {"is_open_world": True, "speculate": True, "is_tainted": True}),
        ("scope", {"is_of_tenant": False, "speculate": True}),
        ("breaker", {"breaker_closed": False}),
        ("breaker", {"refused_ago": 29.9}),
        ("budget", {"price": 1}),
        ("arguments", {"is_valid": False}),
    ],
)
def test_each_rule_refuses_alone(rule: str, changes: dict[str, Any]) -> None:
    assert refusal(replace(FINE, **changes)) == rule


@pytest.mark.parametrize(
    "changes",
    [
        {"tool": "delete_order", "speculate": True},
        {"tool": "book_seat", "effects": "compensable", "is_staged": True},
        {"is_open_world": True, "speculate": True},
        {"is_open_world": True, "speculate": True, "is_tainted": True, "confirmed": 20},
        {"refused_ago": 30.0},
        {"price": 5, "budget_left": 5},
        {"is_tainted": True},
    ],
)
def test_what_the_rules_allow(changes: dict[str, Any]) -> None:
    assert refusal(replace(FINE, **changes)) is None


@pytest.mark.parametrize("effects", ["once", "idempotent", "compensable"])
def test_no_declaration_makes_a_write_guessable(effects: Any) -> None:
    assert refusal(replace(FINE, effects=effects, speculate=True)) == "effects"


@pytest.mark.parametrize(
    "name", ["delete_order", "sendEmail", "PayInvoice", "shop.cancel", "update-user", "DELETE_x"]
)
def test_names_that_change_something(name: str) -> None:
    assert sounds_like_a_write(name)


@pytest.mark.parametrize(
    "name", ["get_payment", "list_updates", "search", "order_status", "find_sent", "getDelete", ""]
)
def test_names_that_read(name: str) -> None:
    assert not sounds_like_a_write(name)
