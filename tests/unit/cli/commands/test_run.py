import io
import json
import sys

import pytest

GOOD = ("search", '{"query": "oslo"}')


def test_all_ok_is_exit_code_0(penstock, reply) -> None:
    printed = penstock("run", reply(GOOD), "--tools", "desk_tools")
    assert printed.code == 0
    assert "1 call in" in printed.out


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (("boom", "{}"), "failed"),
        (("serach", "{}"), "rejected"),
        (("search", '{"query": '), "rejected"),
    ],
)
def test_one_call_that_is_not_ok_is_exit_code_1(penstock, reply, call, status) -> None:
    printed = penstock("run", reply(GOOD, call), "--tools", "desk_tools", "--json")
    assert printed.code == 1
    assert sorted(str(record["status"]) for record in printed.records) == sorted(["ok", status])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "error: odd.json is not JSON: "),
        ('{"a":', "error: odd.json is not JSON: "),
        ('{"foo": 1}', "no format recognises it; its fields are ['foo']"),
        ("5", "must be an object"),
    ],
)
def test_a_reply_that_cannot_be_read_is_exit_code_2(penstock, desk, text, says) -> None:
    (desk / "odd.json").write_text(text)
    printed = penstock("run", "odd.json", "--tools", "desk_tools")
    assert (printed.code, printed.out) == (2, "")
    assert says in printed.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--timeout", "-1"),
        ("--timeout", "soon"),
        ("--max-parallel", "0"),
        ("--on-error", "never"),
        ("--format", "opnai"),
        ("--timeline", "missing/t.html"),
        ("--tools", "nowhere"),
    ],
)
def test_a_wrong_option_is_exit_code_2_and_runs_nothing(penstock, reply, option, value) -> None:
    printed = penstock("run", reply(GOOD), "--tools", "desk_tools", option, value)
    assert (printed.code, printed.out) == (2, "")
    assert "searching" not in printed.err


def test_two_owners_of_standard_output_are_refused(penstock, reply) -> None:
    printed = penstock("run", reply(GOOD), "--tools", "desk_tools", "--json", "--render")
    assert printed.code == 2


def test_a_json_line_has_the_value(penstock, reply) -> None:
    (record,) = penstock("run", reply(GOOD), "--tools", "desk_tools", "--json").records
    assert (record["id"], record["tool"], record["value"]) == ("c0", "search", ["oslo 0", "oslo 1"])


def test_what_tools_print_stays_out_of_the_way(penstock, reply) -> None:
    printed = penstock("run", reply(GOOD), "--tools", "desk_tools", "--json")
    assert "searching oslo" in printed.err
    assert "searching" not in printed.out


def test_the_messages_for_the_model_are_in_its_format(penstock, reply) -> None:
    path = reply(GOOD, ("serach", "{}"))
    printed = penstock("run", path, "--tools", "desk_tools", "--render")
    first, second = json.loads(printed.out)
    assert first == {"role": "tool", "tool_call_id": "c0", "content": '["oslo 0","oslo 1"]'}
    assert "Did you mean 'search'?" in second["content"]


def test_standard_input_is_a_reply(penstock, reply, monkeypatch) -> None:
    with open(reply(GOOD), "rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read())))
    assert penstock("run", "-", "--tools", "desk_tools").code == 0


def test_a_format_can_be_forced(penstock, reply) -> None:
    printed = penstock("run", reply(GOOD), "--tools", "desk_tools", "--format", "anthropic")
    assert printed.code == 2
    assert "format anthropic" in printed.err


def test_a_reply_without_calls_is_shown(penstock, reply) -> None:
    printed = penstock("run", reply(said="Nothing to do."), "--tools", "desk_tools")
    assert printed.code == 0
    assert "Nothing to do." in printed.out
    assert "asks for no tools" in printed.out


def test_a_timeout_ends_what_hangs(penstock, reply) -> None:
    path = reply(GOOD, ("hang", "{}"))
    printed = penstock("run", path, "--tools", "desk_tools", "--json", "--timeout", "0.05")
    assert printed.code == 1
    assert {record["status"] for record in printed.records} == {"ok", "timeout"}


def test_the_first_error_can_end_the_others(penstock, reply) -> None:
    path = reply(("hang", "{}"), ("boom", "{}"))
    printed = penstock("run", path, "--tools", "desk_tools", "--json", "--on-error", "fail_fast")
    assert {record["status"] for record in printed.records} == {"cancelled", "failed"}


def test_the_timeline_has_the_calls(penstock, reply, desk) -> None:
    path = reply(GOOD, ("boom", "{}"))
    penstock("run", path, "--tools", "desk_tools", "--timeline", "out.html", "--max-parallel", "1")
    assert "it broke" in (desk / "out.html").read_text()


LIMITED = """
from penstock import Cost, Limit, Budget, tool

@tool(effects="read", service="shop", cost=Cost(microusd=600_000))
async def look() -> int:
    return 1

limits = [Budget.money("service:shop", "1.00")]
"""


def test_the_limits_of_a_module_hold(penstock, reply, desk) -> None:
    (desk / "limited.py").write_text(LIMITED)
    printed = penstock("run", reply(("look", "{}"), ("look", "{}")), "--tools", "limited", "--json")
    assert printed.code == 1
    assert sorted(str(record["status"]) for record in printed.records) == ["ok", "rejected"]


def test_a_limit_that_names_no_tool_is_exit_code_2(penstock, reply, desk) -> None:
    (desk / "limited.py").write_text(LIMITED.replace("service:shop", "service:shpo"))
    printed = penstock("run", reply(("look", "{}")), "--tools", "limited")
    assert (printed.code, printed.out) == (2, "")
    assert "service:shpo" in printed.err
