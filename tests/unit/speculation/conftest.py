"""Sessions for the tests of speculation: nineteen recorded ones, and some by hand."""

from pathlib import Path
from typing import Any

import pytest

from penstock.speculation import Effects, TraceCall, TraceSession, read_traces

SAMPLE = Path(__file__).parents[2] / "data" / "traces"

EFFECTS = Effects(
    {"shop": {"find": "read", "fetch": "read", "change": "write", "think": "generic"}}
)


@pytest.fixture(scope="session")
def recorded() -> tuple[list[TraceSession], Effects]:
    """The recorded sessions and their effects."""
    return read_traces(SAMPLE)


def call(tool: str, turn: int, step: int, result: Any = "done", **arguments: Any) -> TraceCall:
    """A recorded call; the model took two seconds for it."""
    return TraceCall(tool, arguments, result, turn, step, gap_s=2.0)


def session(number: int, *calls: TraceCall, task: str | None = None) -> TraceSession:
    """A session of the shop, with one input a turn."""
    turns = sorted({each.turn for each in calls} | {0})
    return TraceSession(
        id=f"shop/{number}",
        source="hand",
        domain="shop",
        task=str(number) if task is None else task,
        inputs=tuple((turn, f"Please look at A-{number}") for turn in turns),
        calls=calls,
    )


def looked_up(number: int, task: str | None = None) -> TraceSession:
    """Find an item that the user names, then fetch both of its parts."""
    parts = [f"P{number}x", f"P{number}y"]
    return session(
        number,
        call("find", 0, 0, {"parts": parts}, id=f"A-{number}"),
        call("fetch", 0, 1, part=parts[0]),
        call("fetch", 0, 2, part=parts[1]),
        task=task,
    )
