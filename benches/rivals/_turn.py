"""The turn every rival runs: a model asks for N calls of one tool; each answer becomes a tool message.

What is timed starts when the model's reply is in the rival's hands, in the form that the rival
takes natively, and ends when its tool messages are ready for the model. Setting up an agent,
scripting the reply and reading the messages back for the check are not timed.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# Nothing may leave the machine: some frameworks report usage unless told not to.
os.environ.update(
    {
        "HAYSTACK_TELEMETRY_ENABLED": "False",
        "LANGSMITH_TRACING": "false",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "OTEL_SDK_DISABLED": "true",
    }
)

Style = Literal["bare", "async", "threads"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: the nanoseconds from reply to messages, and the messages as (call id, text)."""

    nanoseconds: int
    messages: list[tuple[str, str]]


Round = Callable[[], Awaitable[Measured]]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one round has to do: `count` calls of `forecast`, each of which takes `delay` seconds.

    What a rival opens for its rounds it puts into `cleanup`, which is closed after the last one.
    """

    count: int
    delay: float
    cleanup: AsyncExitStack = field(default_factory=AsyncExitStack, repr=False)

    def ids(self) -> list[str]:
        """The call ids. Padded, for some rivals sort them as text."""
        return [f"call_{index:05d}" for index in range(self.count)]

    def arguments(self) -> list[dict[str, object]]:
        """The arguments of each call, in order."""
        return [{"city": f"city {i}", "days": i % 7 + 1} for i in range(self.count)]

    def expected(self) -> list[tuple[str, str]]:
        """The messages a correct round ends with, in the order of the calls."""
        texts = [weather(**arguments) for arguments in self.arguments()]
        return list(zip(self.ids(), texts, strict=True))


@dataclass(frozen=True, slots=True)
class Rival:
    """A way to run the turn. The file's name is the rival's; its script block names what to install.

    Args:
        name: the file's stem.
        title: how tables and charts call it.
        style: `async` counts for the gate; `bare` is no agent framework; `threads` has no async door.
        package: whose version the results record; empty for the standard library.
        prepare: sets the rival up for a turn and returns the round to repeat.
        loop: the event loop that the round runs on.
    """

    name: str
    title: str
    style: Style
    package: str
    prepare: Callable[[Turn], Awaitable[Round]]
    loop: Literal["uvloop", "asyncio"] = "uvloop"


class Watch:
    """Times what lies between a scripted model's reply and the next time the model is asked."""

    def __init__(self) -> None:
        self._started = 0
        self.nanoseconds = 0

    def replied(self) -> None:
        self._started = time.perf_counter_ns()

    def asked(self) -> None:
        self.nanoseconds = time.perf_counter_ns() - self._started


def weather(city: str, days: int) -> str:
    return f"{city}: rain for {days} days"


def tool_on_loop(delay: float) -> Callable[..., Awaitable[str]]:
    """The tool as a coroutine function; without a delay it ends in its first step."""

    async def forecast(city: str, days: int = 3) -> str:
        """The weather forecast of a city.

        Args:
            city: The name of the city.
            days: How many days to look ahead.
        """
        return weather(city, days)

    async def forecast_slowly(city: str, days: int = 3) -> str:
        await asyncio.sleep(delay)
        return weather(city, days)

    forecast_slowly.__name__ = forecast.__name__
    forecast_slowly.__doc__ = forecast.__doc__
    return forecast_slowly if delay else forecast


def tool_in_thread(delay: float) -> Callable[..., str]:
    """The same tool for rivals that only run plain functions."""

    def forecast(city: str, days: int = 3) -> str:
        """The weather forecast of a city.

        Args:
            city: The name of the city.
            days: How many days to look ahead.
        """
        if delay:
            time.sleep(delay)
        return weather(city, days)

    return forecast


ROOT = Path(__file__).resolve().parents[2]
