"""A fresh `import penstock` is light. Its wall time is the bench row `import`."""

import json
import subprocess
import sys

import pytest

from architecture.test_vendors import HEAVY, HOMES

LIST_LOADED = "import json, sys, penstock; print(json.dumps(sorted(sys.modules)))"
NOT_OF_THE_DOOR = ("penstock.cli", "penstock.server", "penstock.testing")


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    """Return what a new interpreter has loaded after `import penstock`."""
    run = subprocess.run(
        [sys.executable, "-c", LIST_LOADED], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"import penstock failed:\n{run.stderr}"
    return frozenset(json.loads(run.stdout))


def test_the_import_loads_the_engine(loaded: frozenset[str]) -> None:
    """Else the tests below would pass for an empty door."""
    assert {"penstock", "penstock._native", "penstock.errors"} <= loaded


@pytest.mark.parametrize("name", [*HEAVY, *NOT_OF_THE_DOOR])
def test_the_import_leaves_out(name: str, loaded: frozenset[str]) -> None:
    assert name not in loaded, (
        f"`import penstock` loads {name}; python -X importtime -c 'import penstock' says by whom"
    )


def test_heavy_vendors_are_in_the_table() -> None:
    assert set(HEAVY) <= set(HOMES)
