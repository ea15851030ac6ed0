from dataclasses import dataclass
from typing import Any

import pytest

from penstock.calls import Call, Ref
from penstock.errors import BadPlan, ConfigError
from penstock.plan import Node, PlanBuilder


@dataclass
class NamedTool:
    name: str


def arguments_of(node: Node) -> Any:
    return node.call.arguments


def test_calls_come_out_in_the_order_they_were_added() -> None:
    builder = PlanBuilder()
    builder.call("b")
    builder.call("a")
    assert [call.tool for call in builder.freeze()] == ["b", "a"]


def test_ids_are_made_from_the_tools_name() -> None:
    builder = PlanBuilder()
    assert [builder.call(tool).id for tool in ("get", "get", "put")] == ["get-1", "get-2", "put-1"]


def test_a_made_id_steps_over_a_chosen_one() -> None:
    builder = PlanBuilder()
    builder.call("get", id="get-1")
    assert builder.call("get").id == "get-2"


def test_a_tool_can_be_given_itself() -> None:
    assert PlanBuilder().call(NamedTool("fetch")).call.tool == "fetch"


def test_a_node_in_the_arguments_is_its_whole_value() -> None:
    builder = PlanBuilder()
    found = builder.call("search")
    assert arguments_of(builder.call("sum", of=found)) == {"of": Ref("search-1")}


def test_an_item_of_a_node_is_a_part_of_its_value() -> None:
    node = PlanBuilder().call("search")
    assert node["items"][0]["url"] == Ref("search-1", ("items", 0, "url"))


def test_nodes_are_found_in_dicts_lists_and_tuples() -> None:
    builder = PlanBuilder()
    found = builder.call("search")
    node = builder.call("sum", of=[{"x": (found, found["n"])}])
    assert arguments_of(node) == {"of": [{"x": [Ref("search-1"), Ref("search-1", "n")]}]}


def test_a_node_cannot_be_iterated() -> None:
    with pytest.raises(TypeError):
        iter(PlanBuilder().call("search"))  # type: ignore[call-overload]  # the point of the test


def test_later_changes_to_an_argument_change_nothing() -> None:
    words = ["a"]
    node = PlanBuilder().call("search", words=words)
    words.append("b")
    assert arguments_of(node) == {"words": ["a"]}


def test_after_takes_nodes_refs_calls_and_ids() -> None:
    builder = PlanBuilder()
    first, second = builder.call("a"), builder.call("b")
    parents = [first, second["x"], Call("z", id="z"), "later"]
    assert builder.call("c", after=parents).call.after == ("a-1", "b-1", "z", "later")


def test_after_refuses_what_names_no_call() -> None:
    with pytest.raises(BadPlan, match="names no call"):
        PlanBuilder().call("a", after=[Call("nameless")])


def test_after_may_name_a_call_that_is_added_later() -> None:
    builder = PlanBuilder()
    builder.call("a", after=["b"])
    builder.call("b", id="b")
    assert builder.freeze().edges == ((1, 0),)


def test_options_reach_the_call() -> None:
    call = PlanBuilder().call("a", id="x", branch="left", priority=2, timeout=1.5).call
    assert (call.id, call.branch, call.priority, call.timeout) == ("x", "left", 2, 1.5)


def test_arguments_named_like_options_go_into_a_mapping() -> None:
    node = PlanBuilder().call("a", arguments={"id": 7, "timeout": 8}, plain=9)
    assert arguments_of(node) == {"id": 7, "timeout": 8, "plain": 9}


def test_an_argument_given_twice_is_refused() -> None:
    with pytest.raises(BadPlan) as caught:
        PlanBuilder().call("a", arguments={"x": 1}, x=2)
    assert caught.value.field == "arguments.x"


def test_a_taken_id_is_refused_and_the_plan_stays_as_it_was() -> None:
    builder = PlanBuilder()
    builder.call("a", id="x")
    with pytest.raises(BadPlan, match="has this id"):
        builder.call("b", id="x")
    assert [call.tool for call in builder.freeze()] == ["a"]


def test_a_node_of_another_plan_is_refused_as_an_argument() -> None:
    stranger = PlanBuilder().call("a")
    builder = PlanBuilder()
    builder.call("a")
    with pytest.raises(BadPlan, match="another plan") as caught:
        builder.call("b", x=[stranger])
    assert (caught.value.call, caught.value.field) == ("b-1", "arguments.x[0]")


def test_a_node_of_another_plan_is_refused_as_a_parent() -> None:
    with pytest.raises(BadPlan, match="another plan"):
        PlanBuilder().call("b", after=[PlanBuilder().call("a")])


def test_arguments_nested_too_deep_are_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(BadPlan, match="nested deeper than 64"):
        PlanBuilder().call("a", x=endless)


def test_a_frozen_plan_does_not_grow_with_its_builder() -> None:
    builder = PlanBuilder("p")
    builder.call("a")
    plan = builder.freeze()
    builder.call("b")
    assert (plan.name, len(plan), len(builder.freeze())) == ("p", 1, 2)


@pytest.mark.parametrize("as_text", [str, "{}".format, "{:>9}".format])
def test_a_node_has_no_text(as_text: Any) -> None:
    node = PlanBuilder().call("get")
    with pytest.raises(TypeError, match="no text before its call ran: join the parts in a tool"):
        as_text(node)
    assert repr(node) == "<Node 'get-1' of 'get'>"


@pytest.mark.parametrize("part", [lambda node: node, lambda node: node["x"]])
def test_a_node_is_no_key(part: Any) -> None:
    builder = PlanBuilder()
    node = builder.call("get")
    with pytest.raises(BadPlan, match="is a key") as caught:
        builder.call("put", items=[{part(node): 1}])
    assert (caught.value.call, caught.value.field) == ("put-1", "arguments.items[0]")
    with pytest.raises(BadPlan, match="is a key"):
        builder.call("put", arguments={part(node): 1})


@pytest.mark.parametrize("tool", [None, 3, len, arguments_of])
def test_what_has_no_name_is_no_tool(tool: Any) -> None:
    with pytest.raises(ConfigError, match="decorate it with @tool, or give its name") as caught:
        PlanBuilder().call(tool)
    assert caught.value.field == "tool"


@pytest.mark.parametrize("part", [lambda node: node, lambda node: node.ref, lambda node: node.id])
def test_a_single_parent_is_no_list(part: Any) -> None:
    builder = PlanBuilder()
    node = builder.call("get")
    with pytest.raises(ConfigError, match="a list, not a single") as caught:
        builder.call("put", after=part(node))
    assert caught.value.field == "after"


def test_after_a_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="after=3: call 'put-1': must be a list"):
        PlanBuilder().call("put", after=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", ["x", "", [1], 3])
def test_arguments_come_by_name(arguments: Any) -> None:
    with pytest.raises(ConfigError, match="call 'put-1': must be the tool's arguments") as caught:
        PlanBuilder().call("put", arguments=arguments)
    assert caught.value.field == "arguments"
