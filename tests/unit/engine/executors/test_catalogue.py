"""Executors by name and by host mode."""

import subprocess
import sys
from typing import get_args

import pytest

from penstock.engine import executors
from penstock.engine.executors import Factory
from penstock.errors import UnknownPlugin
from penstock.tools.options import Host


def test_every_file_is_an_executor() -> None:
    assert executors.names() == ("command", "loop", "process", "thread")
    assert all(isinstance(executors.get(name), Factory) for name in executors.names())


@pytest.mark.parametrize("mode", get_args(Host))
def test_a_mode_has_its_executor(mode: str) -> None:
    assert mode in executors.serving(mode).modes


def test_a_mode_is_found_without_importing_other_executors() -> None:
    program = (
        "import sys; from penstock.engine import executors; executors.serving('call');"
        "print('penstock.engine.executors.process' in sys.modules, 'multiprocessing' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "False False\n"


def test_no_mode_has_two_executors() -> None:
    modes = [mode for name in executors.names() for mode in executors.get(name).modes]
    assert len(modes) == len(set(modes))


def test_the_loop_needs_no_executor() -> None:
    assert executors.get("loop").make is None


def test_an_unknown_mode_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownPlugin, match="Did you mean 'thread'"):
        executors.serving("threads")
