import pytest
from rich.console import Console

from penstock.calls import Call
from penstock.cli.outcomes import line, record, result, table_of
from penstock.errors import CallTimeout
from penstock.testing import outcome

CALL = Call("search", b'{"query": "oslo"}', id="c1")


def printed(rows, width: int = 100, **options: bool) -> str:
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(table_of(rows, width, **options))
    return captured.get()


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_a_record_of_a_good_call_has_its_value() -> None:
    made = outcome(CALL, value={"a": (1, 2)}, submitted=1.0, started=1.5, ended=3.5)
    found = record(made)
    assert found["value"] == {"a": [1, 2]}
    assert (found["waited"], found["duration"], found["status"]) == (0.5, 2.0, "ok")
    assert "error" not in found


def test_a_record_of_a_bad_call_has_its_error() -> None:
    found = record(outcome(CALL, error=CallTimeout("search", 2.0), status="timeout"))
    assert found["error"] == {
        "type": "CallTimeout",
        "code": "call_timeout",
        "message": "'search' did not end within 2 s.",
    }
    assert "value" not in found


def test_a_value_without_json_is_said_and_costs_nothing_else() -> None:
    found = record(outcome(CALL, value=object()))
    assert (found["status"], found["value"]) == ("ok", None)
    assert "object" in str(found["error"])


def test_flags_are_there_when_they_are_set() -> None:
    assert record(outcome(CALL, error=ValueError("x"), detached=True))["detached"] is True
    assert "detached" not in record(outcome(CALL, value=1))


def test_an_error_that_cannot_be_printed_is_survived() -> None:
    assert "cannot be shown" in result(outcome(CALL, error=Unprintable()), 80).plain


def test_a_line_has_status_id_tool_and_result() -> None:
    text = line(outcome(CALL, value="sunny", submitted=1.0, started=1.0, ended=1.25)).plain
    assert text.split() == ["ok", "c1", "search", "250", "ms", "sunny"]


@pytest.mark.parametrize("hostile", ["\x1b[2J", "[bold]", "\n\n"])
def test_a_line_shows_hostile_text_as_text(hostile: str) -> None:
    made = outcome(Call(hostile, id=hostile), error=ValueError(hostile))
    assert "\x1b" not in line(made).plain
    assert "\n" not in line(made).plain


def test_a_table_shows_what_runs_and_what_waits() -> None:
    text = printed([(CALL, 0, None, 1.5), (Call("later"), 1, None, None)])
    assert "running" in text
    assert "1.50 s" in text
    assert "waiting" in text
    assert "call-1" in text


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_table_keeps_to_the_screen(width: int) -> None:
    calls = [Call("a_tool_with_a_long_name" * 3, {"text": "x" * 500}, id="y" * 300)]
    rows = [(call, 0, outcome(call, value="z" * 500), None) for call in calls]
    assert max(map(len, printed(rows, width).splitlines())) <= width


def test_a_whole_error_takes_the_lines_that_it_needs() -> None:
    failed = outcome(CALL, error=ValueError("word " * 30 + "end"))
    assert "end" in printed([(CALL, 0, failed, None)], whole_errors=True)
    assert "end" not in printed([(CALL, 0, failed, None)])
