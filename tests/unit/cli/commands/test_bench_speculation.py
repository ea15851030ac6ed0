import json
from pathlib import Path

import pytest

from penstock.cli import main
from penstock.speculation import ABLATIONS

SAMPLE = Path(__file__).parents[3] / "data" / "traces"
ONE = ["--traces", str(SAMPLE), "--folds", "2", "--modes", "gated", "--latency", "1"]


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_json_line_a_family_and_mode(capsys) -> None:
    assert main(["bench", "speculation", *ONE]) == 0
    assert [row["row"] for row in rows(capsys)] == ["airline/gated", "bfcl/gated"]


def test_it_has_a_name_of_its_own_too(capsys) -> None:
    assert main(["bench_speculation", *ONE, "--json"]) == 0
    assert len(rows(capsys)) == 2


def test_rows_that_miss_a_gate_are_exit_code_1(capsys, monkeypatch) -> None:
    monkeypatch.setattr("penstock.speculation._replay.row.SMALL", 0)
    assert main(["bench", "speculation", *ONE, "--check"]) == 1
    judged = rows(capsys)
    assert judged[0]["pass"] is False
    assert judged[0]["gates"]["exact_at_1"]["gate"] == 0.43


def test_small_rows_have_no_gate(capsys) -> None:
    assert main(["bench", "speculation", *ONE, "--check"]) == 0
    assert all(row["small"] and "pass" not in row for row in rows(capsys))


def test_a_test_session_that_was_learned_is_exit_code_2(capsys) -> None:
    both = ["--train", str(SAMPLE), "--test", str(SAMPLE), "--modes", "gated"]
    assert main(["bench", "speculation", *both]) == 2
    assert "--allow-overlap" in capsys.readouterr().err


def test_overlap_that_is_allowed_is_left_out_and_counted(capsys) -> None:
    both = ["--train", str(SAMPLE), "--test", str(SAMPLE), "--modes", "gated"]
    assert main(["bench", "speculation", *both, "--allow-overlap"]) == 0
    shown = rows(capsys)
    assert {row["left_out_of_training"] for row in shown} == {19}
    assert {row["train_sessions"] for row in shown} == {0}


def test_ablations_are_rows_beside_the_others(capsys) -> None:
    assert main(["bench", "speculation", *ONE, "--ablate", "joins,mixer"]) == 0
    assert [row.get("ablation") for row in rows(capsys)] == [None] * 2 + ["joins"] * 2 + [
        "mixer"
    ] * 2


def test_an_unknown_ablation_is_told_those_there_are(capsys) -> None:
    assert main(["bench", "speculation", *ONE, "--ablate", "joins,nothing"]) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in ABLATIONS)


def test_the_help_lists_the_ablations(capsys) -> None:
    assert main(["bench", "speculation", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in ABLATIONS)


def test_chained_rows_say_so(capsys) -> None:
    assert main(["bench", "speculation", *ONE, "--chain"]) == 0
    assert all("chained_per_read" in row for row in rows(capsys))


def test_a_cold_start_is_told_by_how_many_came_before(capsys) -> None:
    assert main(["bench", "speculation", *ONE, "--cold"]) == 0
    assert {row["cold_sessions"] for row in rows(capsys)} == {"1-5", "6-10"}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--train", str(SAMPLE)],
        [*ONE, "--train", str(SAMPLE)],
        [*ONE, "--modes", "some"],
        [*ONE, "--latency", "0"],
        [*ONE, "--ablate", "nothing"],
        ["--traces", str(SAMPLE.parent)],
    ],
)
def test_what_cannot_be_run_is_exit_code_2(words: list[str], capsys) -> None:
    assert main(["bench", "speculation", *words]) == 2
    assert capsys.readouterr().err
