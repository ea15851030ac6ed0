from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from penstock.calls import Call
from penstock.errors import BadPlan, ConfigError
from penstock.plan import Plan


def diamond() -> Plan:
    return Plan.from_calls(
        [
            Call("a", id="a"),
            Call("b", id="b", after=["a"]),
            Call("c", id="c", after=["a"]),
            Call("d", id="d", after=["b", "c"]),
        ]
    )


def test_a_plan_is_a_sequence_of_its_calls() -> None:
    plan = diamond()
    assert (len(plan), list(plan), plan[0], plan[1:]) == (
        4,
        list(plan.calls),
        plan.calls[0],
        plan.calls[1:],
    )


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        diamond().calls = ()  # type: ignore[misc]  # the point of the test


def test_a_plan_knows_its_edges() -> None:
    assert set(diamond().edges) == {(0, 1), (0, 2), (1, 3), (2, 3)}


def test_a_wrong_plan_cannot_be_made() -> None:
    with pytest.raises(BadPlan):
        Plan.from_calls([Call("a", id="a", after=["gone"])])


def test_levels_hold_the_calls_that_never_wait_for_each_other() -> None:
    rows = [[call.id for call in row] for row in diamond().levels()]
    assert rows == [["a"], ["b", "c"], ["d"]]


def test_an_empty_plan_has_no_levels() -> None:
    assert Plan(()).levels() == ()


def test_a_plan_explains_and_draws_itself() -> None:
    plan = diamond()
    assert plan.explain({"a": 1.0}).best == 1.0
    assert plan.to_dot().startswith("digraph")
    assert plan.to_svg().startswith("<svg")


@pytest.mark.parametrize(
    ("calls", "field"),
    [
        ("ok", "calls"),
        (None, "calls"),
        (Call("a"), "calls"),
        ([1], "calls[0]"),
        ([Call("a"), "b"], "calls[1]"),
    ],
)
def test_what_is_no_call_is_named_by_its_place(calls: Any, field: str) -> None:
    for make in (Plan, Plan.from_calls):
        with pytest.raises(ConfigError) as caught:
            make(calls)
        assert caught.value.field == field
