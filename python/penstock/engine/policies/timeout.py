"""Timeout: an end to what takes too long.

A tool's own `timeout=` bounds one attempt, and belongs to the attempt: the scheduler arms it when the
tool's code first suspends. The layer here bounds all attempts of a call and the pauses between them
(`Retry(total=...)`); `timed` is the same for one function, for calls that have no attempt of their
own (`engine.bind`).

Ground rules:

- The layers inside are told the deadline, so that a retry that would start after it is not made: then
  the call ends early, and with the tool's own error instead of a timeout.
- Cancellation: what times out is cancelled and awaited, as with `asyncio.timeout`; a cancel from
  outside, and a `TimeoutError` of the tool itself, pass unchanged.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from penstock.engine.policies._protocol import (
    Arguments,
    CallInfo,
    Policy,
    Run,
    Services,
    Slot,
    ToolView,
)
from penstock.errors import CallTimeout

P = ParamSpec("P")
R = TypeVar("R")


def timed(
    function: Callable[P, Coroutine[Any, Any, R]], seconds: float, tool: str
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return `function` so that it raises `CallTimeout` when it takes longer than `seconds`."""

    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            async with asyncio.timeout(seconds) as scope:
                return await function(*args, **kwargs)
        except TimeoutError:
            if scope.expired():
                raise CallTimeout(tool, seconds) from None
            raise

    return run


def build(tool: ToolView, inner: Run, services: Services) -> Run:
    """Return the layer for one tool."""
    seconds = _total(tool)
    bounded = timed(inner, seconds, tool.name)

    async def run(info: CallInfo, arguments: Arguments) -> object:
        return await bounded(info.until(services.clock() + seconds), arguments)

    return run


def _total(tool: ToolView) -> float:
    """The seconds for all attempts of a call; infinite without a bound."""
    return (tool.retries and tool.retries.total) or math.inf


POLICY = Policy(
    name="timeout",
    slot=Slot.TIMEOUT,
    build=build,
    applies=lambda tool: _total(tool) < math.inf,
)
