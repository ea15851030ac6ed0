import pytest

from penstock.calls import Call, Ref
from penstock.errors import BadPlan
from penstock.plan import dag
from penstock.plan.dag import edges, levels, order


def call(id: str | None, *after: str, uses: object = None) -> Call:
    return Call("work", {"uses": uses}, id=id, after=after)


def test_flat_calls_have_no_edges() -> None:
    assert edges([call("a"), call(None), call("b")]) == []


def test_a_ref_makes_an_edge_from_the_call_it_names() -> None:
    assert edges([call("a"), call("b", uses=Ref("a", "items.0"))]) == [(0, 1)]


def test_refs_are_found_at_any_depth() -> None:
    assert edges([call("a"), call("b", uses={"x": [{"y": Ref("a")}]})]) == [(0, 1)]


def test_after_makes_an_edge() -> None:
    assert edges([call("a"), call("b", "a")]) == [(0, 1)]


def test_two_parts_of_one_value_make_one_edge() -> None:
    assert edges([call("a"), call("b", "a", uses=[Ref("a", "x"), Ref("a", "y")])]) == [(0, 1)]


def test_a_parent_may_come_after_its_child() -> None:
    assert edges([call("b", "a"), call("a")]) == [(1, 0)]


def test_a_call_without_id_may_have_parents() -> None:
    assert edges([call("a"), call(None, "a")]) == [(0, 1)]


def test_ids_that_nobody_names_may_repeat() -> None:
    assert edges([call("a"), call("a"), call("b"), call("c", "b")]) == [(2, 3)]


def test_an_id_of_two_calls_cannot_be_named() -> None:
    with pytest.raises(BadPlan, match="2 calls have the id 'a'") as caught:
        edges([call("a"), call("a"), call("b", "a")])
    assert (caught.value.call, caught.value.field) == ("b", "after")


def test_an_unknown_parent_is_named_with_the_nearest_ids() -> None:
    with pytest.raises(
        BadPlan, match="no call has the id 'serch'; did you mean 'search'"
    ) as caught:
        edges([call("search"), call("b", "serch")])
    assert (caught.value.call, caught.value.field) == ("b", "after")


def test_a_dangling_ref_is_named_with_its_place_in_the_arguments() -> None:
    with pytest.raises(BadPlan) as caught:
        edges([call("b", uses=[1, ({"url": Ref("gone")},)])])
    assert caught.value.field == "arguments.uses[1][0].url"


def test_the_first_call_at_fault_is_reported() -> None:
    with pytest.raises(BadPlan) as caught:
        edges([call("a"), call("b", "gone"), call("c", "lost")])
    assert caught.value.call == "b"


def test_a_faulty_call_without_id_is_named_by_its_place() -> None:
    with pytest.raises(BadPlan) as caught:
        edges([call("a"), call(None, "gone")])
    assert caught.value.call == "calls[1]"


def test_a_call_cannot_wait_for_itself() -> None:
    with pytest.raises(BadPlan, match="waits for itself") as caught:
        edges([call("a", uses=Ref("a"))])
    assert caught.value.cycle == ("a", "a")
    assert caught.value.field == "arguments.uses"


def test_a_circle_is_named_call_by_call() -> None:
    with pytest.raises(BadPlan, match="circle") as caught:
        edges([call("a", "c"), call("b", "a"), call("c", "b"), call("d", "a")])
    cycle = caught.value.cycle
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"a", "b", "c"}


def test_calls_above_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag, "MAX_CALLS", 2)
    with pytest.raises(BadPlan, match="3 calls are more than 2"):
        edges([call("a"), call("b"), call("c")])


def test_edges_above_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag, "MAX_EDGES", 2)
    with pytest.raises(BadPlan, match="3 edges are more than 2"):
        edges([call("a"), call("b", "a"), call("c", "a", "b")])


def test_a_chain_of_a_hundred_thousand_calls_needs_no_recursion() -> None:
    calls = [call("0"), *(call(str(i), str(i - 1)) for i in range(1, 100_000))]
    assert len(edges(calls[::-1])) == 99_999


def test_order_of_forward_edges_is_the_given_one() -> None:
    assert list(order(3, [(0, 2)])) == [0, 1, 2]


def test_order_puts_late_parents_first() -> None:
    assert list(order(2, [(1, 0)])) == [1, 0]


def test_a_level_is_one_above_the_highest_parent() -> None:
    assert levels(4, [(0, 1), (1, 2), (0, 2)]) == [0, 1, 2, 0]
