from xml.etree import ElementTree

import pytest

from penstock.calls import Call
from penstock.errors import ConfigError
from penstock.plan import Plan, PlanBuilder, picture

SVG = "{http://www.w3.org/2000/svg}"


def report() -> Plan:
    builder = PlanBuilder("weekly report")
    hits = builder.call("search", branch="left")
    page = builder.call("fetch", url=hits["url"], branch="right")
    builder.call("merge", of=[page, hits])
    return builder.freeze()


def drawn(plan: Plan, latencies: dict[str, float] | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(plan.to_svg(latencies))  # noqa: S314 - our own output


def texts(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def count(root: ElementTree.Element, tag: str, mark: str) -> int:
    found = [item.get("class", "").split() for item in root.iter(SVG + tag)]
    return sum(mark in words and "hot" in words for words in found)


def test_every_call_is_drawn_with_id_tool_and_time() -> None:
    shown = texts(drawn(report(), {"search": 0.2}))
    assert {"search-1", "fetch-1", "merge-1", "search · 200 ms"} <= set(shown)


def test_the_critical_path_is_marked() -> None:
    root = drawn(report(), {"search": 0.2, "fetch": 1.0, "merge": 0.1})
    assert count(root, "rect", "box") == 3
    assert "critical path" in texts(root)
    assert "longest chain" in texts(drawn(report()))


def test_branches_are_coloured_and_named() -> None:
    root = drawn(report())
    colours = {rect.get("fill") for rect in root.iter(f"{SVG}rect")} - {None}
    assert len(colours) == 2
    assert {"branch left", "branch right"} <= set(texts(root))


def test_many_branches_are_counted_in_the_legend() -> None:
    calls = [Call("t", id=str(i), branch=str(i)) for i in range(20)]
    assert "and 12 more branches" in texts(drawn(Plan.from_calls(calls)))


def test_the_svg_needs_nothing_from_outside() -> None:
    text = report().to_svg().replace("http://www.w3.org/2000/svg", "")
    assert not any(word in text for word in ("http", "url(", "href", "<script", "@import"))


def test_hostile_names_stay_text() -> None:
    evil = "</text><script>&\"']]>\x00\ud800\ufffe"
    root = drawn(Plan.from_calls([Call(evil, id=evil, branch=evil)], name=evil))
    assert root.find(f".//{SVG}script") is None


def test_an_empty_plan_can_be_drawn() -> None:
    assert texts(drawn(Plan(())))[0] == "plan"


def test_a_plan_above_the_limit_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MAX_CALLS", 2)
    with pytest.raises(ConfigError, match="at most 2 calls"):
        report().to_svg()


def test_dot_has_a_node_for_each_call_and_an_arrow_for_each_edge() -> None:
    dot = report().to_dot()
    assert dot.startswith('digraph "weekly report" {')
    assert [f"n{index} [label=" in dot for index in range(3)] == [True] * 3
    assert [edge in dot for edge in ("n0 -> n1", "n1 -> n2", "n0 -> n2")] == [True] * 3


def test_dot_escapes_quotes_and_backslashes() -> None:
    dot = Plan.from_calls([Call('t"\\', id='"]; evil\n')]).to_dot()
    assert 'label="\\"]; evil\N{REPLACEMENT CHARACTER}\\nt\\"\\\\"' in dot
