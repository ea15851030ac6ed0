"""Nothing is kept: 50,000 calls of each kind leave no object and no memory behind.

Objects are counted by type, so a leak is named. Memory is that of the process: what is measured runs
in a process of its own, where nothing else allocates.
"""

import subprocess
import sys
from pathlib import Path

import pytest

KINDS = (
    "noop",
    "yields",
    "future",
    "error",
    "cancelled",
    "timeout",
    "detached",
    "thread",
    "kept_task",
    "bound",
    "task",
    "inline",
    "watched",
)
PROBE = Path(__file__).with_name("leak_probe.py")


@pytest.mark.real_time
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_calls_leave_nothing_behind(kind: str) -> None:
    run = subprocess.run(
        [sys.executable, str(PROBE), kind], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
