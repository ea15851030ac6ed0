import json
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import TraceError
from penstock.speculation import read_traces
from penstock.speculation.predictor import outcome_word
from penstock.speculation.traces import render

GOOD: dict[str, Any] = {
    "session": "s",
    "source": "x",
    "domain": "shop:web",
    "task": "1",
    "inputs": [{"turn": 0, "text": "hello"}],
    "calls": [{"tool": "find", "args": {"a": 1}, "result": [], "turn": 0, "step": 0}],
}


def folder(tmp_path: Path, *records: object, effects: object = None) -> Path:
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    (tmp_path / "some.jsonl").write_text("\n".join(lines))
    if effects is not None:
        (tmp_path / "tool_effects.json").write_text(json.dumps(effects))
    return tmp_path


def test_a_line_is_a_session(tmp_path: Path) -> None:
    sessions, effects = read_traces(folder(tmp_path, GOOD, effects={"shop": {"find": "read"}}))
    assert [each.family for each in sessions] == ["shop"]
    assert sessions[0].calls[0].arguments == {"a": 1}
    assert effects.of("shop", "find") == "read"


def test_an_unknown_tool_is_a_write(tmp_path: Path) -> None:
    _, effects = read_traces(folder(tmp_path, GOOD, effects={"shop": {"find": {"effect": "read"}}}))
    assert (effects.of("shop", "find"), effects.of("shop", "other")) == ("read", "write")
    assert effects.of("bank", "find") == "write"


def test_calls_come_in_the_order_of_turn_and_step(tmp_path: Path) -> None:
    late = {**GOOD["calls"][0], "turn": 1, "step": 3}
    sessions, _ = read_traces(folder(tmp_path, {**GOOD, "calls": [late, GOOD["calls"][0]]}))
    assert [(made.turn, made.step) for made in sessions[0].calls] == [(0, 0), (1, 3)]


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ("{", ""),
        ([], "session"),
        ({**GOOD, "session": 3}, "session"),
        ({**GOOD, "inputs": None}, "inputs"),
        ({**GOOD, "inputs": [{"turn": True, "text": ""}]}, "inputs[0].turn"),
        ({**GOOD, "calls": [{}]}, "calls[0].tool"),
        ({**GOOD, "calls": [{**GOOD["calls"][0], "args": []}]}, "calls[0].args"),
        ({**GOOD, "calls": [{**GOOD["calls"][0], "gap_s": -1}]}, "calls[0].gap_s"),
        ({**GOOD, "calls": [{**GOOD["calls"][0], "latency_s": True}]}, "calls[0].latency_s"),
        ({**GOOD, "calls": [{**GOOD["calls"][0], "t_call": "1"}]}, "calls[0].t_call"),
        ({**GOOD, "answered": ["0"]}, "answered"),
        ({**GOOD, "effects": []}, "effects"),
        ({**GOOD, "effects": {"find": "reads"}}, "effects.find"),
    ],
)
def test_a_fault_names_file_line_and_field(tmp_path: Path, record: object, field: str) -> None:
    with pytest.raises(TraceError) as caught:
        read_traces(folder(tmp_path, GOOD, record))
    assert (caught.value.file, caught.value.line, caught.value.field) == ("some.jsonl", 2, field)


@pytest.mark.parametrize(
    ("effects", "field"),
    [([], ""), ({"shop": 1}, "shop"), ({"shop": {"find": "reads"}}, "shop.find")],
)
def test_effects_are_three_words(tmp_path: Path, effects: object, field: str) -> None:
    with pytest.raises(TraceError) as caught:
        read_traces(folder(tmp_path, GOOD, effects=effects))
    assert caught.value.field == field


def test_a_session_says_what_its_tools_do_where_no_file_does(tmp_path: Path) -> None:
    record = {**GOOD, "effects": {"find": "read", "think": "generic"}}
    _, effects = read_traces(folder(tmp_path, record, effects={"shop": {"find": "write"}}))
    assert (effects.of("shop", "find"), effects.of("shop", "think")) == ("write", "generic")


def test_what_is_rendered_is_read_back_equal(tmp_path: Path) -> None:
    call = {**GOOD["calls"][0], "t_call": 2.5, "gap_s": 1.0, "latency_s": 0.5, "error": True}
    cut = {**call, "args_truncated": True, "result_truncated": True}
    record = {**GOOD, "calls": [call, cut], "model": "m", "answered": [0], "effects": {"a": "read"}}
    sessions, _ = read_traces(folder(tmp_path, record))
    again = tmp_path / "again.jsonl"
    again.write_bytes(render(sessions[0]))
    assert read_traces(again)[0] == sessions
    assert json.loads(again.read_bytes())["calls"] == record["calls"]


def test_one_file_can_be_read_and_its_bad_lines_passed_over(tmp_path: Path) -> None:
    faults: list[TraceError] = []
    folder(tmp_path, GOOD, "{", [], GOOD)
    sessions, _ = read_traces(tmp_path / "some.jsonl", on_fault=faults.append)
    assert (len(sessions), [fault.line for fault in faults]) == (2, [2, 3])


def test_an_empty_folder_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"no \*.jsonl"):
        read_traces(tmp_path)


def test_an_outcome_is_one_of_three_words() -> None:
    words = [outcome_word(value, error=False) for value in (None, "", [], {}, 0, False, "x")]
    assert words == ["empty"] * 4 + ["ok"] * 3
    assert outcome_word("x", error=True) == "error"
