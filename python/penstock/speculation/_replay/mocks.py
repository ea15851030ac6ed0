"""Tools that answer as it was recorded: the same tool and arguments, the same result, after a while."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from penstock._codec import decode, encode
from penstock._native import canonical, sleep
from penstock.errors import InternalError
from penstock.speculation._replay.timeline import Made, Timeline
from penstock.speculation.traces import Effect
from penstock.tools import Tool

LATENCY = 1.0
"""Seconds that a tool takes where nothing says how long."""

OPTIONS: Mapping[Effect, Mapping[str, Any]] = {
    "read": {"effects": "read", "cache": "session"},
    "write": {"effects": "once"},
    "generic": {"effects": "read", "speculate": False},
}
"""How a tool is declared that does what was recorded."""


class Script:
    """The calls of one session, as they were recorded.

    Of equal calls, one is answered as the next of them that was not over when it began; what was never
    recorded, a wrong guess, has no answer.
    """

    def __init__(self, steps: Sequence[Sequence[Made]]) -> None:
        """Begin before the first step."""
        self.step = 0
        self._calls = defaultdict[tuple[str, bytes], list[tuple[int, Made]]](list)
        for number, calls in enumerate(steps):
            for made in calls:
                self._calls[made.tool, made.arguments].append((number, made))

    def answer(self, tool: str, arguments: Mapping[str, Any]) -> Made | None:
        """Return the recorded call for one that is made now."""
        written = encode(arguments)
        known = canonical(tool, written)
        found = self._calls.get((tool, known[0] if known else written), [])
        ahead = (made for number, made in found if number >= self.step)
        return next(ahead, found[-1][1] if found else None)


playing: ContextVar[Script] = ContextVar("playing")
"""The session whose calls and guesses the running code is one of."""


def mocks_of(timelines: Iterable[Timeline], latency: float | None) -> list[Tool[..., Any]]:
    """Return the tools of sessions of one family.

    Args:
        timelines: the sessions.
        latency: seconds that each call takes; None for what was recorded of it, else of its tool.
    """
    found = defaultdict[str, list[Made]](list)
    for timeline in timelines:
        for point in timeline.points:
            for made in point.calls:
                found[made.tool].append(made)
    return [_mock(name, calls, latency) for name, calls in sorted(found.items())]


def usual(calls: Iterable[Made], latency: float | None) -> float:
    """Return the seconds that a tool takes where its call does not say it."""
    if latency is not None:
        return latency
    known = [made.latency for made in calls if made.latency is not None]
    return statistics.median(known) if known else LATENCY


def _mock(name: str, calls: Sequence[Made], latency: float | None) -> Tool[..., Any]:
    by_default = usual(calls, latency)

    async def mock(**arguments: Any) -> Any:
        script = playing.get(None)
        if script is None:
            raise InternalError("a recorded call outside of its session")
        made = script.answer(name, arguments)
        await sleep(seconds_of(made, by_default, latency))
        return answer_of(made)

    return Tool(mock, name=name, **OPTIONS[calls[0].effect])


def answer_of(made: Made | None) -> Any:
    """Return what a call answered, None to one that was never made; or raise what it did."""
    if made is None:
        return None
    result = decode(made.result)
    if made.outcome == "error":
        raise RuntimeError(result if isinstance(result, str) else made.result.decode())
    return result


def seconds_of(made: Made | None, by_default: float, latency: float | None) -> float:
    """Return the seconds that a call takes."""
    if latency is None and made is not None and made.latency is not None:
        return made.latency
    return by_default
