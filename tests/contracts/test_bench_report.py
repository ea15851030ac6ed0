"""What `benches/run.py --save` keeps."""

import json
from pathlib import Path
from typing import Any

import pytest

from benches.report import Results
from penstock.cli import bench

MACHINE = {"machine": "a-machine"}


def row(name: str) -> dict[str, Any]:
    """A row of the core, as criterion's results are read."""
    return {"row": name, "ns_per_call": 5.0, "gate": 6.0, "pass": True}


def test_a_second_run_of_the_day_keeps_what_it_did_not_measure(tmp_path: Path) -> None:
    first = Results(MACHINE, core=[row("wheel")])
    place = first.save(tmp_path)
    Results(MACHINE, core=[row("bucket")]).save(tmp_path)
    kept = json.loads((place / "raw.json").read_text())
    assert [found["row"] for found in kept["core"]] == ["bucket"]
    Results(MACHINE).save(tmp_path)
    assert json.loads((place / "raw.json").read_text()) == kept


def measured(name: str, *, passed: bool = True) -> dict[str, Any]:
    """A row as `penstock bench` makes it."""
    ran = {"row": name, "n": 10, "value": 0.3, "unit": "x", "gate": 0.4, "pass": passed}
    return {**ran, "baseline": "a queue", "baseline_ns": 5.0, "ns_per_call": 2.0, "spread": 0.1}


@pytest.mark.parametrize("suite", [name for name in bench.SUITES if name != "hot"])
def test_each_suite_is_kept_shown_and_judged(suite: str, tmp_path: Path) -> None:
    name, title = suite.replace("-", "_"), suite.replace("-", " ").capitalize()
    found = Results(MACHINE, **{name: [measured("one"), measured("two", passed=False)]})
    place = found.save(tmp_path)
    Results(MACHINE, core=[row("wheel")]).save(tmp_path)
    kept = json.loads((place / "raw.json").read_text())
    assert [each["row"] for each in kept[name]] == ["one", "two"]
    assert f"## {title}" in (place / "summary.md").read_text()
    assert found.verdict() == "1 of 2 gates hold; not: two (10)."
