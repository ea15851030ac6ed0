"""The pictures of guessing: what is drawn of which rows."""

import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from benches import curves


def row(family: str, mode: str, **fields: Any) -> dict[str, Any]:
    """A row as the evaluation prints it."""
    bins = [[0, 0.0, 0.0]] * 8 + [[5, 0.85, 0.6], [400, 0.95, 0.9]]
    return {
        "row": f"{family}/{mode}",
        "family": family,
        "mode": mode,
        "small": False,
        "ece": 0.0123,
        "bins": bins,
        "read_calls": 405,
        "test_sessions": 30,
        "stall_sessions": 20,
        "stall_hidden": {"0.25": 0.5, "1": 0.4, "3": 0.2},
    } | fields


ROWS = [
    *(row("shop", mode) for mode in ("gated", "engine", "oracle")),
    row("shop", "engine", ablation="cache_only", stall_hidden={"0.25": 0.1, "1": 0.1, "3": 0.1}),
    row("bank", "gated", stall_hidden={}),
    row("tiny", "gated", small=True),
]


def found(picture: str, kind: str) -> list[str]:
    """The classes of the elements of one kind."""
    return re.findall(rf'<{kind} class="(\w+)"', picture)


def test_a_bin_is_a_dot_and_one_of_few_guesses_a_ring() -> None:
    assert found(curves.calibration(ROWS), "circle") == ["ring", "dot"] * 2


def test_each_way_is_a_line_and_a_legend() -> None:
    drawn = found(curves.waits(ROWS), "path")
    legend = ["oracle", "engine", "gated", "cache"]
    assert drawn == legend * 2


def test_families_with_few_reads_or_no_times_are_left_out() -> None:
    assert "tiny" not in curves.calibration(ROWS)
    assert "bank" in curves.calibration(ROWS)
    assert "bank" not in curves.waits(ROWS)


def test_of_equal_rows_the_last_counts() -> None:
    again = row("shop", "gated", ece=0.5)
    assert "shop, error 0.500" in curves.calibration([*ROWS, again])


def test_sessions_are_told_as_often_as_they_are_drawn() -> None:
    assert "60 recorded sessions" in curves.calibration(ROWS)
    assert "20 recorded sessions" in curves.waits(ROWS)


def test_what_is_nothing_to_draw_is_said() -> None:
    with pytest.raises(SystemExit, match="no row to draw"):
        curves.waits([row("tiny", "engine", small=True)])


def test_the_command_writes_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = tmp_path / "rows.jsonl"
    lines.write_text("".join(json.dumps(each) + "\n" for each in ROWS))
    monkeypatch.setattr(sys, "argv", ["curves.py", str(lines), str(tmp_path)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(str(curves.__file__), run_name="__main__")
    written = {path.name for path in tmp_path.glob("*.svg")}
    assert written == {"speculation-calibration.svg", "speculation-wait.svg"}
