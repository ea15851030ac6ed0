"""The door for programs without an event loop."""

import pytest

from penstock import Call, run_sync, tool
from penstock.errors import ConfigError


@tool
async def double(number: int) -> int:
    return 2 * number


@tool
def triple(number: int) -> int:
    return 3 * number


def test_calls_run_without_a_loop() -> None:
    calls = [Call("double", {"number": 1}), Call("triple", {"number": 1})]
    assert [o.value for o in run_sync([double, triple], calls)] == [2, 3]


def test_options_are_those_of_run() -> None:
    with pytest.raises(ConfigError, match="on_error"):
        run_sync([double], [], on_error="stop")  # type: ignore[typeddict-item]


async def test_inside_a_loop_it_is_refused() -> None:
    with pytest.raises(RuntimeError, match="event loop is running"):
        run_sync([double], [])
