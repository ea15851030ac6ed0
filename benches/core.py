"""Runs the criterion benches of the Rust core and reads what criterion wrote about them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

PACKAGE = "penstock-core"

GATES_NS = {
    "adaptive/aimd": 40.0,
    "adaptive/gradient": 40.0,
    "breaker/admit_and_record": 40.0,
}
"""What a row may take at most; the other rows only inform."""


def measure(root: Path, *, quick: bool) -> list[dict[str, object]]:
    """A record a bench: its name and its nanoseconds an iteration; empty without cargo or benches."""
    cargo = shutil.which("cargo")
    benches = [path.stem for path in sorted((root / "rust" / "core" / "benches").glob("*.rs"))]
    if cargo is None or not benches:
        return []
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    shutil.rmtree(target / "criterion", ignore_errors=True)
    command = [cargo, "bench", "--quiet", "--package", PACKAGE]
    command += [word for name in benches for word in ("--bench", name)]
    command += ["--", *(["--quick"] if quick else []), "--noplot"]
    subprocess.run(command, check=True, cwd=root, stdout=subprocess.DEVNULL)
    return [read(path) for path in sorted((target / "criterion").glob("**/new/estimates.json"))]


def read(estimates: Path) -> dict[str, object]:
    """One bench's median, with the interval that criterion is 95 % sure of."""
    about = json.loads((estimates.parent / "benchmark.json").read_text())
    median = json.loads(estimates.read_text())["median"]
    interval = median["confidence_interval"]
    elements = (about.get("throughput") or {}).get("Elements") or 1
    nanoseconds = median["point_estimate"] / elements
    gate = GATES_NS.get(about["full_id"])
    return {
        "row": about["full_id"],
        "ns_per_call": nanoseconds,
        "gate": gate,
        "pass": None if gate is None else nanoseconds <= gate,
        "low_ns": interval["lower_bound"] / elements,
        "high_ns": interval["upper_bound"] / elements,
    }
