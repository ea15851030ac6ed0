"""The laws of plans: what is accepted can run in order, what cannot run is named, names are text."""

from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.calls import Call, Outcome, Ref
from penstock.cli import timeline
from penstock.cli.timeline import TimelineTurn
from penstock.errors import BadPlan
from penstock.plan import Plan
from penstock.plan.dag import Edge, edges, levels, order

LATENCY = st.integers(0, 50).map(float)


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> tuple[int, set[Edge]]:
    """A number of calls and edges without a cycle, whose parents may stand behind their children."""
    count = draw(st.integers(1, most))
    places = draw(st.permutations(range(count)))
    pair = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    pairs = draw(st.sets(pair, max_size=3 * count))
    return count, {(places[a], places[b]) for a, b in pairs if a < b}


def calls_of(count: int, pairs: set[Edge]) -> list[Call]:
    """Calls with these edges: from even parents by a `Ref`, from odd ones by `after`."""
    calls = []
    for child in range(count):
        parents = sorted(a for a, b in pairs if b == child)
        uses = [Ref(str(parent), "x") for parent in parents if parent % 2 == 0]
        after = [str(parent) for parent in parents if parent % 2]
        calls.append(Call(f"t{child}", {"uses": uses}, id=str(child), after=after))
    return calls


@given(graphs())
def test_edges_are_exactly_what_the_calls_say(graph: tuple[int, set[Edge]]) -> None:
    found = edges(calls_of(*graph))
    assert set(found) == graph[1]
    assert len(found) == len(graph[1])


@given(graphs())
def test_parents_come_first_in_order_and_levels(graph: tuple[int, set[Edge]]) -> None:
    count, pairs = graph
    place = {index: at for at, index in enumerate(order(count, list(pairs)))}
    depth = levels(count, list(pairs))
    assert len(place) == count
    assert all(place[a] < place[b] and depth[a] < depth[b] for a, b in pairs)


@given(graphs())
def test_every_level_above_the_first_has_a_parent_right_below(
    graph: tuple[int, set[Edge]],
) -> None:
    count, pairs = graph
    depth = levels(count, list(pairs))
    for child in range(count):
        below = [depth[a] for a, b in pairs if b == child]
        assert depth[child] == max(below, default=-1) + 1


@given(graphs(), st.data())
def test_a_cycle_is_reported_with_its_path(
    graph: tuple[int, set[Edge]], data: st.DataObject
) -> None:
    count, pairs = graph
    members = data.draw(st.permutations(range(count)))[: data.draw(st.integers(1, count))]
    circle = {*pairs, *pairwise([*members, members[0]])}
    with pytest.raises(BadPlan) as caught:
        edges(calls_of(count, circle))
    path = [int(id) for id in caught.value.cycle]
    assert path[0] == path[-1]
    assert len(path) > 1
    assert set(pairwise(path)) <= circle


@given(graphs(), st.data())
def test_an_unknown_parent_is_reported_wherever_it_stands(
    graph: tuple[int, set[Edge]], data: st.DataObject
) -> None:
    calls = calls_of(*graph)
    at = data.draw(st.integers(0, len(calls) - 1))
    by_ref = data.draw(st.booleans())
    arguments, after = ({"x": Ref("gone")}, []) if by_ref else (None, ["gone"])
    calls[at] = Call("t", arguments, id=str(at), after=after)
    with pytest.raises(BadPlan, match="'gone'") as caught:
        edges(calls)
    assert (caught.value.call, caught.value.field) == (
        str(at),
        "arguments.x" if by_ref else "after",
    )


@given(graphs(most=8), st.data())
def test_the_critical_path_is_the_longest_of_all_chains(
    graph: tuple[int, set[Edge]], data: st.DataObject
) -> None:
    count, pairs = graph
    seconds = data.draw(st.lists(LATENCY, min_size=count, max_size=count))

    def longest(index: int) -> float:
        return seconds[index] + max((longest(b) for a, b in pairs if a == index), default=0.0)

    latencies = {str(index): value for index, value in enumerate(seconds)}
    explanation = Plan.from_calls(calls_of(count, pairs)).explain(latencies)
    assert explanation.best == max(longest(index) for index in range(count))
    assert set(pairwise(explanation.path)) <= pairs
    assert explanation.total == sum(seconds)


@given(graphs(), st.data())
def test_only_critical_calls_have_no_slack_to_lose(
    graph: tuple[int, set[Edge]], data: st.DataObject
) -> None:
    count, pairs = graph
    latencies = {str(i): data.draw(LATENCY) for i in range(count)}
    explanation = Plan.from_calls(calls_of(count, pairs)).explain(latencies)
    for step in explanation.steps:
        assert 0 <= step.starts + step.seconds + step.slack <= explanation.best
        assert step.slack == 0 or not step.critical


# Every code point, the lone surrogates that a broken reply may hold included.
NAMES = st.text(st.characters(codec=None), min_size=1, max_size=12) | st.sampled_from(
    ["</script><b>", "]]>", "-->", "\"'&<>", "\x00", "\ud800", "${x}", "$data", "\\n", "\u2028"]
)


@given(graphs(most=6), st.data())
def test_pictures_are_well_formed_whatever_the_names(
    graph: tuple[int, set[Edge]], data: st.DataObject
) -> None:
    count, pairs = graph
    named = [
        Call(
            data.draw(NAMES), call.arguments, id=call.id, branch=data.draw(NAMES), after=call.after
        )
        for call in calls_of(count, pairs)
    ]
    plan = Plan.from_calls(named, name=data.draw(NAMES))
    root = ElementTree.fromstring(plan.to_svg())  # noqa: S314 - our own output
    assert len([part for part in root.iter() if part.tag.endswith("}g")]) == count + 1
    dot = plan.to_dot()
    assert unquoted(dot).count("->") == len(pairs)
    dot.encode()


def unquoted(dot: str) -> str:
    """DOT without its quoted strings, whose quotes are escaped by a backslash."""
    plain, inside, characters = "", False, iter(dot)
    for character in characters:
        if inside and character == "\\":
            next(characters)
        elif character == '"':
            inside = not inside
        elif not inside:
            plain += character
    assert not inside
    return plain


class Tags(HTMLParser):
    """Counts elements and checks that they are closed in order."""

    VOID = frozenset({"meta", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(html: str) -> list[str]:
    parser = Tags()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser.seen


@settings(max_examples=50)
@given(NAMES, NAMES, NAMES, NAMES)
def test_the_timeline_has_the_same_elements_whatever_the_names(
    turn: str, tool: str, id: str, text: str
) -> None:
    def page(turn: str, tool: str, id: str, text: str) -> str:
        call = Call(tool, {"x": text}, id=id, branch=text)
        failed = Outcome.make(call, error=ValueError(text), submitted=5.0, started=5.5, ended=6.0)
        return timeline.render([TimelineTurn(turn, 5.0, [failed])])

    hostile = page(turn, tool, id, text)
    hostile.encode()
    assert tags(hostile) == tags(page("a", "b", "c", "d"))
