import io
import json

import pytest

from penstock.cli.screen import counts_text, indented_json, print_json, screen, seconds, visible


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12.345, "12.35 s"),
        (0.5, "500 ms"),
        (0.0123, "12.3 ms"),
        (0.00042, "420 µs"),
        (0.0, "0 µs"),
    ],
)
def test_a_duration_has_the_digits_that_count(value: float, shown: str) -> None:
    assert seconds(value) == shown


@pytest.mark.parametrize("trick", ["\x1b[2J", "\r", "\x07", "\u202e", "\ud800", "\x9b31m", "\n"])
def test_what_tricks_a_screen_is_made_visible(trick: str) -> None:
    assert trick not in visible(f"a{trick}b")


def test_lines_stay_where_they_may() -> None:
    assert visible("a\nb\x1b", lines=True) == "a\nb\N{REPLACEMENT CHARACTER}"


def test_long_text_is_cut() -> None:
    assert visible("abcdef", 4) == "abc…"


def test_statuses_are_counted_in_one_order() -> None:
    text = counts_text(["timeout", "ok", "ok", "failed"]).plain
    assert text.replace("\N{NO-BREAK SPACE}", " ") == "2 ok  1 failed  1 timeout"


def test_a_pipe_gets_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    screen().print("[red]plain[/red]")
    assert capsys.readouterr().out == "plain\n"


def test_a_record_is_one_line() -> None:
    out = io.StringIO()
    print_json({"text": "two\nlines"}, out)
    assert out.getvalue().count("\n") == 1


def test_indented_json_keeps_letters() -> None:
    text = indented_json({"city": "Tromsø"})
    assert "Tromsø" in text
    assert json.loads(text) == {"city": "Tromsø"}
