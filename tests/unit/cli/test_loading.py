from pathlib import Path

import click
import pytest

from penstock.cli.loading import load_limits, load_tools
from penstock.errors import DuplicateTool


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("desk_tools", ("search", "boom", "odd", "hang")),
        ("desk_tools:search", ("search",)),
        ("desk_tools:plain", ("plain",)),
        ("desk_tools:both", ("search", "plain")),
        ("desk_tools.py", ("search", "boom", "odd", "hang")),
        ("desk_tools.py:both", ("search", "plain")),
        ("./desk_tools.py", ("search", "boom", "odd", "hang")),
        ("./desk_tools.py:both", ("search", "plain")),
        ("../{desk}/desk_tools.py", ("search", "boom", "odd", "hang")),
    ],
)
def test_a_place_stands_for_its_tools(desk: Path, place: str, names: tuple[str, ...]) -> None:
    assert load_tools([place.format(desk=desk.name)]).names == names


def test_places_are_put_together_and_a_tool_counts_once(desk: Path) -> None:
    assert load_tools(["desk_tools:search", "desk_tools:both"]).names == ("search", "plain")


def test_two_tools_of_one_name_are_refused(desk: Path) -> None:
    (desk / "others.py").write_text("from penstock import tool\n@tool\ndef search(): ...\n")
    with pytest.raises(DuplicateTool):
        load_tools(["desk_tools", "others"])


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("desk_tool", "no module 'desk_tool' here or on the path; did you mean 'desk_tools'"),
        ("desk_tools:serch", "has no 'serch'; did you mean 'search'"),
        ("desk_tools:search.nothing", "has no 'nothing'"),
        ("desk_tools:nothing", "no tools in it"),
        ("desk_tools:__name__", "must be tools, functions, toolsets or modules"),
        ("", "full name of a module"),
        (".", "or is a file: tools.py, ./tools.py, my.tools or my.tools:search"),
        (".relative", "full name of a module"),
        ("string", "has no tools. Put @tool before its functions, or name one: string:"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(desk: Path, place: str, says: str) -> None:
    with pytest.raises(click.UsageError, match=says.replace("(", r"\(")) as caught:
        load_tools([place])
    assert repr(place) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import not_installed_anywhere", "imports 'not_installed_anywhere', which is not"),
        ("x = 1\ny = 1 / 0", r"ZeroDivisionError: division by zero \(faulty.py, line 2\)"),
        ("def f(:", "SyntaxError"),
        ("raise SystemExit(3)", r"ended the program \(3\)"),
        ("from penstock import tool\n@tool(priority=9)\ndef f(): ...", "priority=9"),
        ("from penstock import tool\n@tool\ndef f(x: 'Nowhere'): ...", "not defined"),
    ],
)
def test_a_module_that_fails_is_said_with_its_line(desk: Path, text: str, says: str) -> None:
    (desk / "faulty.py").write_text(text)
    with pytest.raises(click.UsageError, match=says):
        load_tools(["faulty"])


LIMITED = """
from penstock import Budget, Limit, tool

@tool(service="shop")
async def buy() -> None: ...

@tool
async def look() -> None: ...

"""


def limits_of(desk: Path, line: str, *places: str) -> list[str]:
    (desk / "limited.py").write_text(LIMITED + line)
    return [rule.name for rule in load_limits(places, load_tools(places))]


def test_a_module_brings_its_limits(desk: Path) -> None:
    line = 'limits = [Limit.rate("service:shop", 5), Budget.money("global", "1")]'
    assert limits_of(desk, line, "limited") == ["rate service:shop", "budget global"]


def test_two_places_in_one_module_bring_its_limits_once(desk: Path) -> None:
    line = 'limits = [Limit.rate("service:shop", 5)]'
    assert limits_of(desk, line, "limited:buy", "limited:look") == ["rate service:shop"]


def test_limits_of_tools_that_were_not_chosen_are_left_out(desk: Path) -> None:
    line = 'limits = [Limit.rate("service:shop", 5), Limit.rate("tool:look", 5)]'
    assert limits_of(desk, line, "limited:look") == ["rate tool:look"]


def test_a_limit_of_no_tool_at_all_is_kept_for_the_engine_to_refuse(desk: Path) -> None:
    line = 'limits = [Limit.rate("service:shpo", 5)]'
    assert limits_of(desk, line, "limited:look") == ["rate service:shpo"]


@pytest.mark.parametrize("line", ["", "import penstock.limits as limits", "def limits(): ..."])
def test_a_module_without_a_list_of_limits_has_none(desk: Path, line: str) -> None:
    assert limits_of(desk, line, "limited:look") == []


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ('Limit.rate("tool:look", 5)', "its 'limits' is Limit, not a list of limits"),
        ("[5]", r"limits\[0\] is int, not a Limit or a Budget"),
        ('[Limit.tiers("tool:look", per_second=5)]', r"limits\[0\] is list.*put a \* before it"),
    ],
)
def test_what_is_no_list_of_limits_is_said(desk: Path, value: str, says: str) -> None:
    with pytest.raises(click.UsageError, match=says):
        limits_of(desk, f"limits = {value}", "limited")
