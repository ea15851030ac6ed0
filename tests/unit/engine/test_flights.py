"""What flights make of tools and calls, before any of them runs; sessions show the rest."""

from typing import Any

import pytest

from penstock import tool
from penstock.engine.flights import (
    ONCE,
    SESSION,
    TENANT,
    Flight,
    changes,
    form_of,
    number_of,
    role_of,
)


class Asking:
    """Who asks, as far as a form depends on it."""

    number = 1
    tenant_number = 2

    def __init__(self, shared_form: bytes) -> None:
        """Ask on behalf of somebody."""
        self.shared_form = shared_form


@tool(effects="read", cache="tenant", stable_for=1.0)
async def look(id: str) -> str:
    return id


@tool(effects="once", mutates=["item:{ids}"])
async def change(ids: list[str]) -> None: ...


@pytest.mark.parametrize(
    ("cache", "keep"), [(None, ONCE), (60.0, ONCE), ("session", SESSION), ("tenant", TENANT)]
)
def test_a_tool_says_whom_its_values_answer(cache: Any, keep: int) -> None:
    assert role_of(look.replace(cache=cache), 1).keep == keep


def test_what_a_tenant_shares_is_of_one_principal() -> None:
    role = role_of(look, 1)
    one = form_of(Asking(b"one"), role, ("a",))
    assert one == form_of(Asking(b"one"), role, ("a",))
    assert one != form_of(Asking(b"two"), role, ("a",))


def test_what_a_session_keeps_needs_no_principal() -> None:
    role = role_of(look.replace(cache="session"), 1)
    assert form_of(Asking(b"one"), role, ("a",)) == form_of(Asking(b"two"), role, ("a",))


def test_arguments_without_a_form_are_never_shared() -> None:
    assert form_of(Asking(b""), role_of(look, 1), (object(),)) is None


def test_a_write_changes_what_it_says_or_anything() -> None:
    assert changes(change, (["a", "b"],)) == ("item:a", "item:b")
    assert changes(change, ([str(n) for n in range(300)],)) is None
    assert changes(change.replace(mutates=None), (["a"],)) is None


def test_tenants_are_numbers() -> None:
    assert number_of("a") == number_of("a") != number_of("b")
    assert number_of(None) < 2**64


def test_a_circle_of_waits_is_seen_through_others() -> None:
    outer, middle, inner = Flight(1, 0.0), Flight(2, 0.0), Flight(3, 0.0)
    inner.awaits.append(middle)
    middle.awaits.append(outer)
    assert inner.would_wait_for((outer,))
    assert not outer.would_wait_for((inner,))
