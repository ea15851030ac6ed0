"""The latency mix: a lognormal tool of which one call in a hundred takes ten times as long.

The first attempts of both ways take the same times, call by call; what a hedge takes is drawn anew.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from penstock.calls import Call
from penstock.engine import Engine
from penstock.testing import VirtualLoop
from penstock.tools import Hedge, tool

MEDIAN = 0.25
SIGMA = 0.1
"""Of the logarithm: nine of ten calls take 0.88 to 1.14 of the median."""

EVERY = 100
TIMES = 10.0
"""One in so many calls takes so many times as long."""

EXTRA = 0.05

WARM_UP = 1_000
"""Calls before those that count, so that the delay is learned. Their hedges count as load."""


@dataclass(slots=True)
class Service:
    """What the tool asks; `slow` is how many times slower everything is now.

    Attributes:
        taken: attempts that were begun.
    """

    seed: int
    slow: float = 1.0
    taken: int = 0
    _usual: random.Random = field(init=False)
    _again: random.Random = field(init=False)
    _firsts: dict[int, float] = field(default_factory=dict)
    _straggler: int = 0
    _seen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._usual = random.Random(self.seed)  # noqa: S311 - a mix to measure with
        self._again = random.Random(self.seed + 1)  # noqa: S311 - likewise

    async def answer(self, number: int) -> None:
        """Take as long as the call of that number does; another attempt of it, as long as it may."""
        self.taken += 1
        is_first = number not in self._seen
        self._seen.add(number)
        await asyncio.sleep(self.slow * (self._first(number) if is_first else self._other()))

    def _first(self, number: int) -> float:
        if number % EVERY == 0:
            self._straggler = number + self._usual.randrange(EVERY)
        usual = self._usual.lognormvariate(math.log(MEDIAN), SIGMA)
        return usual * TIMES if number == self._straggler else usual

    def _other(self) -> float:
        usual = self._again.lognormvariate(math.log(MEDIAN), SIGMA)
        return usual * TIMES if self._again.random() < 1 / EVERY else usual


@dataclass(slots=True)
class Seen:
    """What was measured of one way.

    Attributes:
        calls: their seconds.
        fans: seconds of whole fan-outs.
        asked: calls that were made, those to warm up included.
        attempts: how often the service was asked for them.
    """

    calls: list[float] = field(default_factory=list)
    fans: list[float] = field(default_factory=list)
    asked: int = 0
    attempts: int = 0

    @property
    def extra(self) -> float:
        """Per cent of load that hedges added."""
        return 100 * (self.attempts - self.asked) / self.asked


class Client:
    """Calls the tool of an engine, and notes how long that takes."""

    def __init__(self, engine: Engine, service: Service) -> None:
        self.seen = Seen()
        self.service = service
        self._engine = engine

    async def fan(self, width: int, *, counts: bool = True) -> None:
        """Make so many calls at once, and wait for all."""
        loop = asyncio.get_running_loop()
        numbers = range(self.seen.asked, self.seen.asked + width)
        self.seen.asked += width
        began = loop.time()
        outcomes = await self._engine.run([Call("ask", {"number": number}) for number in numbers])
        if counts:
            self.seen.fans.append(loop.time() - began)
            self.seen.calls += [outcome.duration for outcome in outcomes]


Story = Callable[[Client], Awaitable[None]]


async def both(story: Story, seed: int = 7) -> tuple[Seen, Seen]:
    """What is seen with hedges and without, of the same story."""
    hedge = Hedge(extra=EXTRA)
    return await asyncio.to_thread(_run, story, seed, hedge), await asyncio.to_thread(
        _run, story, seed, None
    )


def _run(story: Story, seed: int, hedge: Hedge | None) -> Seen:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_tell(story, seed, hedge))


async def _tell(story: Story, seed: int, hedge: Hedge | None) -> Seen:
    service = Service(seed)

    async def ask(number: int) -> None:
        """Asks the service."""
        await service.answer(number)

    options: dict[str, Any] = {"effects": "read", "hedge": hedge}
    async with Engine([tool(**options)(ask)]) as engine:
        client = Client(engine, service)
        for _ in range(WARM_UP // 100):
            await client.fan(100, counts=False)
        await story(client)
        client.seen.attempts = service.taken
        return client.seen
