import json


def test_the_page_shows_options_parameters_and_documentation(penstock) -> None:
    printed = penstock("tools", "desk_tools")
    assert printed.code == 0
    for part in (
        "search  read · tags net",
        "Search for something.",
        "query  string",
        "what to look for.",
        "limit  integer = 2",
        "boom  once · runs in a thread",
        "4 tools",
    ):
        assert part in printed.out


def test_a_provider_gets_its_description(penstock) -> None:
    printed = penstock("tools", "desk_tools:search", "--format", "anthropic")
    (described,) = json.loads(printed.out)
    assert described["name"] == "search"
    assert described["input_schema"]["required"] == ["query"]


def test_a_json_line_a_tool(penstock) -> None:
    printed = penstock("tools", "desk_tools", "--json")
    assert [record["name"] for record in printed.records] == ["search", "boom", "odd", "hang"]
    assert printed.records[0]["effects"] == "read"
    assert printed.records[1]["host"] == "thread"


def test_a_json_line_a_description(penstock) -> None:
    printed = penstock("tools", "desk_tools:both", "--format", "openai_chat", "--json")
    assert [record["type"] for record in printed.records] == ["function", "function"]


def test_kinds_are_said_in_a_few_words(penstock, desk) -> None:
    (desk / "kinds.py").write_text(
        "from typing import Literal\n"
        "from penstock import tool\n"
        "@tool\n"
        "def f(a: Literal['x', 'y'], b: list[int], c: int | None = None): ...\n"
    )
    printed = penstock("tools", "kinds")
    for part in ("a  'x' | 'y'", "b  integer[]", "c  integer | null = null"):
        assert part in printed.out


def test_a_place_without_tools_is_exit_code_2(penstock) -> None:
    assert penstock("tools", "desk_tools:nothing").code == 2
