"""Many sessions at once on one engine, within limits: what guesses do to the calls of others.

Ground rules:

- The loop is closed: so many sessions go on at any time, and when one ends the next begins. A session is
  told as it was recorded; if there are too few, they begin again under new ids.
- How long a call takes is drawn from the session's number and the call itself: the same call takes the
  same time whatever the speculation, and a guess takes what its call would have.
- Counted are the same sessions in every way: not those that begin before the crowd is complete, nor those
  behind which it grows thin.
"""

import asyncio
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from penstock._codec import encode
from penstock._native import Predictor, sleep
from penstock.calls import Call, Outcome
from penstock.engine import Engine, Session
from penstock.errors import InternalError
from penstock.limits import Limit
from penstock.speculation._replay.mocks import OPTIONS, Script, answer_of, playing
from penstock.speculation._replay.timeline import Made, Timeline, timeline_of
from penstock.speculation.options import Speculation
from penstock.speculation.traces import Effects, TraceSession
from penstock.tools import Tool

SERVICE = "backend"
"""Whose limits all calls of a crowd pass: scope `service:backend`."""

SIGMA = 0.5
"""Of the logarithm of a call's seconds: nine of ten take 0.44 to 2.3 of the median."""

STRAGGLERS, TIMES = 0.01, 10.0
"""The share of calls that take so many times as long."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many sessions go on at once, and within what.

    Attributes:
        at_once: sessions.
        counted: sessions that count; twice `at_once` come on top, before them and behind.
        median: seconds that half of the calls take at most.
        limits: of `service:backend`, which all tools use.
        speculation: of the engine: `off`, `shadow` or `live`.
        predictor: what guesses, perhaps with a snapshot loaded; None for one that knows nothing.
    """

    at_once: int
    counted: int
    median: float
    limits: tuple[Limit, ...] = ()
    speculation: Literal["off", "shadow", "live"] = "live"
    predictor: Predictor | None = None


@dataclass(slots=True)
class Crowded:
    """What came of a crowd. Seconds are those of the loop.

    Attributes:
        calls: seconds from asking for a call to its end, of each that counts.
        waits: seconds from asking for the calls of a step to the last one's end, together.
        promoted: calls that a guess had answered.
        needed: times that the code of a tool was started for the others.
        ran: times that it was started at all in the sessions that count.
        began, ended: between these seconds the crowd was complete.
        busy: seconds of running of all calls that ended meanwhile, guesses left out.
        served: how many those calls were.
    """

    calls: list[float] = field(default_factory=list)
    waits: float = 0.0
    promoted: int = 0
    needed: int = 0
    ran: int = 0
    began: float = math.inf
    ended: float = math.inf
    busy: float = 0.0
    served: int = 0

    @property
    def at_once(self) -> float:
        """Calls in flight on average, guesses left out, while the crowd was complete; limited ones that wait, too."""
        return self.busy / (self.ended - self.began)

    @property
    def per_second(self) -> float:
        """Calls that needed a run, while the crowd was complete."""
        return self.served / (self.ended - self.began)

    @property
    def wasted(self) -> float:
        """Runs that nobody asked for, for each call."""
        wasted = self.ran - self.needed - self.promoted
        return wasted / len(self.calls) if self.calls else 0.0

    def note(self, asked: float, now: float, outcomes: Sequence[Outcome], *, counts: bool) -> None:
        """Add a step."""
        alone = [each for each in outcomes if not each.speculative and not each.cached]
        if self.began <= now < self.ended:
            self.served += len(alone)
            self.busy += sum(outcome.duration for outcome in alone)
        if counts:
            self.waits += now - asked
            self.calls += [outcome.ended - outcome.submitted for outcome in outcomes]
            self.promoted += sum(outcome.speculative for outcome in outcomes)
            self.needed += sum(outcome.attempts for outcome in alone)


async def play_crowd(sessions: Sequence[TraceSession], effects: Effects, how: Crowd) -> Crowded:
    """Play sessions of one family, many at once, and say what came of it.

    Args:
        sessions: of one family, as `read_traces` returns them; at least one.
        effects: the same.
        how: many, and within which limits.
    """
    timelines = [timeline_of(session, effects) for session in sessions]
    settings = Speculation(mode=how.speculation, control=0.0, predictor=how.predictor)
    async with Engine(
        _tools_of(timelines, how.median), limits=how.limits, speculation=settings
    ) as engine:
        teller = _Teller(engine, how)
        await teller.tell(timelines)
    return teller.seen


class _Teller:
    """Tells sessions on one engine."""

    def __init__(self, engine: Engine, how: Crowd) -> None:
        self.seen = Crowded()
        self._engine = engine
        self._how = how

    async def tell(self, timelines: Sequence[Timeline]) -> None:
        numbers = iter(range(self._how.counted + 2 * self._how.at_once))
        spread = _usual_seconds(timelines, self._how.median)
        self.seen.began = asyncio.get_running_loop().time() + spread
        async with asyncio.TaskGroup() as group:
            for place in range(self._how.at_once):
                begins = spread * place / self._how.at_once
                group.create_task(self._one_by_one(timelines, numbers, begins))

    async def _one_by_one(
        self, timelines: Sequence[Timeline], numbers: Iterator[int], begins: float
    ) -> None:
        await asyncio.sleep(begins)
        loop = asyncio.get_running_loop()
        for number in numbers:
            telling = self._one(timelines[number % len(timelines)], number)
            await loop.create_task(telling, context=copy_context())
        self.seen.ended = min(self.seen.ended, loop.time())

    async def _one(self, timeline: Timeline, number: int) -> None:
        script = _Drawn([point.calls for point in timeline.points], number)
        playing.set(script)
        tenant, _, agent = timeline.session.domain.partition(":")
        async with self._engine.session(
            f"{number}", tenant=tenant or None, agent=agent or None
        ) as session:
            for script.step, point in enumerate(timeline.points):
                for text in point.inputs:
                    session.user(text)
                await asyncio.sleep(point.gap)
                await self._step(session, point.calls, counts=self._counts(number))
        if self._counts(number):
            self.seen.ran += script.ran

    def _counts(self, number: int) -> bool:
        return self._how.at_once <= number < self._how.at_once + self._how.counted

    async def _step(self, session: Session, calls: Sequence[Made], *, counts: bool) -> None:
        if not calls:
            session.answered()
            return
        loop = asyncio.get_running_loop()
        asked = loop.time()
        outcomes = await session.run([Call(made.tool, made.arguments) for made in calls])
        self.seen.note(asked, loop.time(), outcomes, counts=counts)


class _Drawn(Script):
    """A script whose calls take drawn times; `ran` is how many were begun."""

    def __init__(self, steps: Sequence[Sequence[Made]], number: int) -> None:
        super().__init__(steps)
        self.ran = 0
        self._number = number

    def seconds(self, tool: str, arguments: Mapping[str, Any], median: float) -> float:
        asked = f"{self._number} {tool} ".encode() + encode(arguments)
        seed = int.from_bytes(blake2b(asked, digest_size=8).digest())
        chance = random.Random(seed)  # noqa: S311 - a mix to measure with
        usual = chance.lognormvariate(math.log(median), SIGMA)
        return usual * TIMES if chance.random() < STRAGGLERS else usual


def _tools_of(timelines: Sequence[Timeline], median: float) -> list[Tool[..., Any]]:
    effects = {
        made.tool: made.effect
        for timeline in timelines
        for point in timeline.points
        for made in point.calls
    }
    return [_tool(name, OPTIONS[effect], median) for name, effect in sorted(effects.items())]


def _tool(name: str, options: Mapping[str, Any], median: float) -> Tool[..., Any]:
    async def mock(**arguments: Any) -> Any:
        script = playing.get(None)
        if not isinstance(script, _Drawn):
            raise InternalError("a recorded call outside of its session")
        script.ran += 1
        await sleep(script.seconds(name, arguments, median))
        return answer_of(script.answer(name, arguments))

    return Tool(mock, name=name, service=SERVICE, **options)


def _usual_seconds(timelines: Sequence[Timeline], median: float) -> float:
    """How long a session takes, about."""
    points = [point for timeline in timelines for point in timeline.points]
    seconds = sum(point.gap + median * bool(point.calls) for point in points)
    return seconds / len(timelines)
