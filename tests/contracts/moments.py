"""For contracts about moments: stories in virtual time only, where a second is exactly a second."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from penstock import Call, Limiter, Outcome, Tool, sleep, tool
from penstock.limits import LimitStatistics
from penstock.testing import VirtualLoop

Story = Callable[..., Coroutine[Any, Any, None]]

TICK = 0.0025
"""Seconds by which a turn may be late: a timer is set to whole milliseconds, rounded up."""


def in_virtual_time(story: Story) -> Callable[..., None]:
    """Make a test of a coroutine function: on a virtual loop of its own, which must be left empty."""

    @functools.wraps(story)
    def test(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            unhandled: list[dict[str, Any]] = []
            loop = runner.get_loop()
            loop.set_exception_handler(lambda _loop, context: unhandled.append(context))
            runner.run(story(*args, **kwargs))
            left = asyncio.all_tasks(loop)
            assert not left, f"tasks are left behind: {left}"
            assert not unhandled, f"nobody handled {unhandled}"

    return test


def now() -> float:
    return asyncio.get_running_loop().time()


class Log:
    """When the calls of its tools started, by their number."""

    def __init__(self) -> None:
        """Start where the clock stands when the first tool is made."""
        self.starts: list[tuple[int, float]] = []

    def tool(self, name: str = "work", **options: Any) -> Tool[..., Any]:
        """Return a tool that notes its start and takes `seconds`."""

        async def run(number: int = 0, seconds: float = 0.0) -> int:
            self.starts.append((number, now()))
            if seconds:
                await sleep(seconds)
            return number

        return tool(name=name, **options)(run)

    @property
    def order(self) -> list[int]:
        """Their numbers, in the order in which they started."""
        return [number for number, _at in self.starts]

    def times(self, since: float) -> list[float]:
        """When they started, in seconds."""
        return [at - since for _number, at in self.starts]


def calls(numbers: range | list[int], name: str = "work", **arguments: Any) -> list[Call]:
    """Return calls of a tool of `Log`, one a number."""
    return [Call(name, {"number": number, **arguments}) for number in numbers]


def statuses(outcomes: list[Outcome]) -> list[str]:
    """Return what became of each call."""
    return [outcome.status for outcome in outcomes]


def row(limiter: Limiter, name: str = "rate tool:work") -> LimitStatistics:
    """Return the figures of the one state of a limit."""
    (found,) = [row for row in limiter.statistics().limits if row.name == name]
    return found
