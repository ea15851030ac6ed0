"""What `benches/run.py --save` keeps."""

import json
from pathlib import Path
from typing import Any

from benches.report import Results

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
