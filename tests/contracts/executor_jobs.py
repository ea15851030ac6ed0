"""Jobs made by hand: what an executor knows of a native `Job`, for tests without a host."""

import asyncio
from collections.abc import Callable
from typing import Any

from penstock.engine.executors import Executor
from penstock.tools import Tool


class FakeJob:
    """One call of a tool's function."""

    def __init__(self, tool: Tool[..., Any], *values: object, **named: object) -> None:
        """Make a job that nobody has begun."""
        self.tool = tool.name
        self.function = tool.function
        self.values = values
        self.named = named
        self.begun = self.cancelled = self.withdrawn = False
        self.ends: list[tuple[object, BaseException | None]] = []
        self.told: list[object] = []
        self.ended = asyncio.Event()

    def begin(self) -> tuple[Callable[..., object], tuple[object, ...], dict[str, Any]] | None:
        """Take it up, unless it was withdrawn."""
        if self.withdrawn:
            return None
        self.begun = True
        return _run, (self.function, *self.values), self.named

    def end(self, value: object, error: BaseException | None = None) -> None:
        """Take note of how it ended; nobody needs to be woken."""
        self.ends.append((value, error))
        self.ended.set()

    def progress(self, done: object = None, total: object = None, message: object = None) -> None:
        """Take note of how far it is."""
        self.told.append((done, total, message))

    def output(self, part: object) -> None:
        """Take note of a part of its result."""
        self.told.append(part)

    async def outcome(self) -> object:
        """Wait for the end: the value, or raises."""
        await self.ended.wait()
        ((value, error),) = self.ends
        if error is not None:
            raise error
        return value

    async def error(self) -> BaseException:
        """Wait for the end, which is an error."""
        await self.ended.wait()
        ((_value, error),) = self.ends
        assert error is not None, f"it returned {_value!r}"
        return error


def _run(function: Callable[..., object], *values: object, **named: object) -> object:
    return function(*values, **named)


def cancel(executor: Executor, job: FakeJob) -> None:
    """Do what a host does when a call is asked to end."""
    job.cancelled = True
    if job.begun:
        executor.cancel(job)
    else:
        job.withdrawn = True
