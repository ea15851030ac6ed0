"""Executors by name and by host mode."""

import pytest

from penstock.engine import executors
from penstock.engine.executors import Factory
from penstock.errors import UnknownPlugin


def test_every_file_is_an_executor() -> None:
    assert executors.names() == ("command", "loop", "process", "thread")
    assert all(isinstance(executors.get(name), Factory) for name in executors.names())


@pytest.mark.parametrize(
    ("mode", "name"),
    [("call", "loop"), ("task", "loop"), ("inline", "loop"), ("process", "process")],
)
def test_a_mode_has_its_executor(mode: str, name: str) -> None:
    assert executors.serving(mode).name == name


def test_no_mode_has_two_executors() -> None:
    modes = [mode for name in executors.names() for mode in executors.get(name).modes]
    assert len(modes) == len(set(modes))


def test_the_loop_needs_no_executor() -> None:
    assert executors.get("loop").make is None


def test_an_unknown_mode_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownPlugin, match="Did you mean 'thread'"):
        executors.serving("threads")
