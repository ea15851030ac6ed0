"""Names of what a tool reads and changes: their syntax, their values, and how many there may be."""

from typing import Any

import pytest

from penstock import tool
from penstock.errors import ConfigError
from penstock.tools import resources


def named(template: str, **arguments: Any) -> tuple[str, ...] | None:
    values = tuple(arguments.values())
    return resources.names([template], tuple(arguments), extras=False)(values)


@pytest.mark.parametrize(
    "bad",
    ["", "x" * 257, 5, "a b", "or*der", "order*", "*:x", "50%", "{a}{", "a}", "order:*x"],
)
def test_what_cannot_be_a_name_is_refused_by_its_field(bad: object) -> None:
    with pytest.raises(ConfigError) as refused:
        resources.templates("reads", [bad], "look")
    assert refused.value.field == "reads"
    assert refused.value.value == bad
    assert "look" in refused.value.reason


@pytest.mark.parametrize("good", ["order", "order:{id}", "order:*", "*", "a:{id}:*", "a:{x}:{y}"])
def test_names_may_have_parameters_and_end_in_a_star(good: str) -> None:
    assert resources.templates("reads", [good], "look") == (good,)


def test_text_alone_is_no_list() -> None:
    with pytest.raises(ConfigError, match="a list of names"):
        resources.templates("mutates", "order:{id}", "change")


def test_nothing_said_is_not_nothing() -> None:
    assert resources.templates("reads", None, "look") is None
    assert resources.templates("reads", [], "look") == ()


def test_more_than_eight_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="at most 8"):
        resources.templates("reads", [f"a{n}" for n in range(9)], "look")


def test_values_take_the_places_of_parameters() -> None:
    assert named("order:{order_id}", order_id="W1") == ("order:W1",)
    assert named("a:{x}:{y}", x=1, y="b") == ("a:1:b",)
    assert named("order:*", order_id="W1") == ("order:*",)


def test_a_value_cannot_name_another_resource() -> None:
    assert named("order:{order_id}", order_id="*") == ("order:%2A",)
    assert named("order:{order_id}", order_id="a:b%") == ("order:a%3Ab%25",)


def test_a_list_names_one_resource_an_item() -> None:
    assert named("item:{ids}", ids=["a", "b", "a"]) == ("item:a", "item:b")


def test_too_many_are_no_names_at_all() -> None:
    assert named("item:{ids}", ids=list(range(9))) is None
    assert len(named("item:{ids}", ids=list(range(8))) or ()) == 8


def test_a_name_that_is_no_parameter_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="order_id") as refused:

        @tool(effects="read", reads=["order:{order}"])
        async def look(order_id: str) -> str:
            return order_id

    assert refused.value.field == "reads"


def test_extras_come_beside_the_values() -> None:
    @tool(effects="read", reads=["order:{order_id}"])
    async def look(order_id: str, **others: str) -> str:
        return order_id

    assert look.resources_read is not None
    assert look.resources_read((("W1",), {"x": "y"})) == ("order:W1",)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("order:7", "order:7", True),
        ("order:7", "order:8", False),
        ("order:7", "order:*", True),
        ("order:7:items", "order:7:*", True),
        ("order:*", "order:7:*", True),
        ("order:7", "order:77:*", False),
        ("*", "order:7", True),
        ("orders", "order:*", False),
    ],
)
def test_names_meet_where_they_name_one_resource(one: str, other: str, wanted: bool) -> None:
    assert resources.names_meet(one, other) is wanted
    assert resources.names_meet(other, one) is wanted


def test_the_broadest_name_of_a_template_covers_all_that_it_may_name() -> None:
    assert resources.broadest_name("order:{id}:items") == "order:*"
    assert resources.broadest_name("orders") == "orders"
