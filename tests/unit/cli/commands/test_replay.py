"""`penstock replay`: recorded sessions on an engine."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from penstock.cli import main
from penstock.speculation import read_traces

SAMPLE = Path(__file__).parents[3] / "data" / "traces"
FILE = str(SAMPLE / "sample.jsonl")


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("place", [FILE, str(SAMPLE)])
def test_one_json_line_a_session_and_one_for_all(place: str, capsys) -> None:
    assert main(["replay", place, "--json"]) == 0
    *sessions, last = rows(capsys)
    assert (len(sessions), last["row"], last["sessions"]) == (19, "total", 19)
    assert last["calls"] == sum(row["calls"] for row in sessions) > 0
    assert {"reads", "wait", "wait_without", "saved_seconds", "wasted"} <= set(last)


def test_latency_is_that_of_each_call(capsys) -> None:
    assert main(["replay", FILE, "--speculation", "off", "--latency", "0.5", "--json"]) == 0
    last = rows(capsys)[-1]
    assert last["wait_without"] == last["calls"] * 0.5


@pytest.mark.parametrize(("mode", "column"), [("live", "promoted"), ("shadow", "would hit")])
def test_people_get_a_table(mode: str, column: str, capsys) -> None:
    assert main(["replay", FILE, "--speculation", mode, "--speed", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert column in lines[0]
    assert lines[-1].startswith("total")


def test_real_time_is_waited_for(tmp_path: Path, capsys) -> None:
    path = tmp_path / "one.jsonl"
    path.write_bytes(Path(FILE).read_bytes().splitlines()[-1])
    shutil.copy(SAMPLE / "tool_effects.json", tmp_path)
    assert main(["replay", str(path), "--real-time", "--latency", "0.001", "--json"]) == 0
    assert rows(capsys)[-1]["sessions"] == 1


def torn(tmp_path: Path) -> str:
    path = tmp_path / "torn.jsonl"
    lines = Path(FILE).read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], lines[1][:99], lines[2]]))
    return str(path)


def test_a_line_that_cannot_be_used_is_exit_code_2(tmp_path: Path, capsys) -> None:
    assert main(["replay", torn(tmp_path), "--json"]) == 2
    shown = capsys.readouterr()
    assert "torn.jsonl:2" in shown.err
    assert not shown.out


def test_the_rest_is_played_if_it_shall_keep_going(tmp_path: Path, capsys) -> None:
    assert main(["replay", torn(tmp_path), "--keep-going", "--json"]) == 2
    shown = capsys.readouterr()
    assert "torn.jsonl:2" in shown.err
    assert json.loads(shown.out.splitlines()[-1])["sessions"] == 2


def test_what_is_played_can_be_recorded(tmp_path: Path, capsys) -> None:
    path = tmp_path / "again.jsonl"
    assert main(["replay", FILE, "--record", str(path)]) == 0
    assert len(read_traces(path)[0]) == 19
    assert main(["replay", FILE, "--record", str(path)]) == 2
    assert "already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nowhere.jsonl"],
        [FILE, "--latency", "-1"],
        [FILE, "--speed", "0"],
        [FILE, "--speed", "nan"],
        [FILE, "--speculation", "on"],
    ],
)
def test_what_cannot_be_played_is_exit_code_2(words: list[str], capsys) -> None:
    assert main(["replay", *words]) == 2
    assert capsys.readouterr().err
