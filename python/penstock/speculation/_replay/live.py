"""Recorded sessions on a real engine, with tools that answer as recorded.

One engine a domain family, its sessions one after the other, so that it learns from each for the next: what
is shown is how a fresh engine would have fared. What the model needs is waited for before each step. Calls
whose arguments were cut are left out.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextvars import copy_context
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from penstock.calls import Call, Outcome
from penstock.engine import Engine, Session
from penstock.speculation._replay.mocks import Script, mocks_of, playing, seconds_of, usual
from penstock.speculation._replay.timeline import Made, Timeline, timeline_of
from penstock.speculation.options import Speculation
from penstock.speculation.recorder import Recorder
from penstock.speculation.statistics import SpeculationStatistics
from penstock.speculation.traces import Effects, TraceSession


@dataclass(frozen=True, slots=True)
class Playback:
    """How to play recorded sessions.

    Attributes:
        speculation: of the engine: `off`, `shadow` or `live`.
        latency: seconds that each call takes; None for what was recorded, 1 s where nothing was.
        speed: how much faster the model is than it was.
        recorder: writes the sessions again, as they are played; None for none.
    """

    speculation: Literal["off", "shadow", "live"] = "live"
    latency: float | None = None
    speed: float = 1.0
    recorder: Recorder | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one session, or of several together.

    Attributes:
        session, family: which; "total" and "" for several.
        calls, reads: that were made.
        left_out: calls whose arguments were cut when they were recorded.
        wait_without: seconds of waiting for tools if each call ran when it was asked for.
        wait: seconds of waiting for tools.
        cache_hits: calls that were answered by what the session knew.
        launched: guesses that ran.
        promoted: of those, the ones that were asked for.
        wasted: and the ones that were not.
        shadow_hit, shadow_miss: guesses that would have run, in `shadow`.
    """

    session: str
    family: str
    calls: int = 0
    reads: int = 0
    left_out: int = 0
    wait_without: float = 0.0
    wait: float = 0.0
    cache_hits: int = 0
    launched: int = 0
    promoted: int = 0
    wasted: int = 0
    shadow_hit: int = 0
    shadow_miss: int = 0

    @property
    def saved_seconds(self) -> float:
        """Seconds of waiting that were spared."""
        return self.wait_without - self.wait

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON can hold it, seconds to the microsecond."""
        record = {**asdict(self), "saved_seconds": self.saved_seconds}
        return {
            name: round(value, 6) + 0.0 if isinstance(value, float) else value
            for name, value in record.items()
        }


def total(played: Sequence[Played]) -> Played:
    """Return several sessions added up."""
    sums = {field.name: sum(getattr(each, field.name) for each in played) for field in _NUMBERS}
    return Played("total", "", **sums)


async def play_live(
    sessions: Iterable[TraceSession], effects: Effects, how: Playback
) -> AsyncIterator[Played]:
    """Play sessions and say what came of each, family by family, in their order.

    Args:
        sessions: as `read_traces` returns them.
        effects: the same.
        how: to play them.
    """
    families = defaultdict[str, list[Timeline]](list)
    for session in sessions:
        families[session.family].append(timeline_of(session, effects))
    for timelines in families.values():
        settings = None
        if how.speculation != "off" or how.recorder is not None:
            settings = Speculation(mode=how.speculation, control=0.0, recorder=how.recorder)
        async with Engine(mocks_of(timelines, how.latency), speculation=settings) as engine:
            player = _Player(engine, timelines, how)
            for timeline in timelines:
                yield await player.play(timeline)


class _Player:
    """Plays the sessions of one family."""

    def __init__(self, engine: Engine, timelines: Iterable[Timeline], how: Playback) -> None:
        self._engine = engine
        self._how = how
        calls = defaultdict[str, list[Made]](list)
        for timeline in timelines:
            for point in timeline.points:
                for made in point.calls:
                    calls[made.tool].append(made)
        self._usual = {tool: usual(made, how.latency) for tool, made in calls.items()}

    async def play(self, timeline: Timeline) -> Played:
        """Play one session, in a context of its own."""
        playing_it = self._play(timeline)
        return await asyncio.get_running_loop().create_task(playing_it, context=copy_context())

    async def _play(self, timeline: Timeline) -> Played:
        script = Script([point.calls for point in timeline.points])
        playing.set(script)
        recorded = timeline.session
        before = self._counts()
        outcomes, wait, without = [], 0.0, 0.0
        tenant, _, agent = recorded.domain.partition(":")
        async with self._engine.session(
            recorded.id[:256] or "unnamed", tenant=tenant or None, agent=agent or None
        ) as session:
            for script.step, point in enumerate(timeline.points):
                for text in point.inputs:
                    session.user(text)
                await asyncio.sleep(point.gap / self._how.speed)
                ended, seconds = await self._step(session, point.calls)
                outcomes += ended
                wait += seconds
                without += max(map(self._seconds, point.calls), default=0.0)
        made = [made for point in timeline.points for made in point.calls]
        return Played(
            session=recorded.id,
            family=recorded.family,
            calls=len(made),
            reads=sum(each.effect == "read" for each in made),
            left_out=len(recorded.calls) - len(made),
            wait_without=without,
            wait=wait,
            cache_hits=sum(outcome.cached for outcome in outcomes),
            **_difference(before, self._counts()),
        )

    async def _step(self, session: Session, calls: Sequence[Made]) -> tuple[list[Outcome], float]:
        """Make the calls of a step, or none; return what became of them, and the seconds of waiting."""
        if not calls:
            session.answered()
            return [], 0.0
        loop = asyncio.get_running_loop()
        asked = loop.time()
        outcomes = await session.run([Call(made.tool, made.arguments) for made in calls])
        return outcomes, loop.time() - asked

    def _seconds(self, made: Made) -> float:
        return seconds_of(made, self._usual[made.tool], self._how.latency)

    def _counts(self) -> SpeculationStatistics | None:
        if self._how.speculation == "off":
            return None
        counts = self._engine.speculation.statistics()
        assert isinstance(counts, SpeculationStatistics)  # noqa: S101 - our own speculator's
        return counts


def _difference(
    before: SpeculationStatistics | None, after: SpeculationStatistics | None
) -> dict[str, int]:
    if before is None or after is None:
        return {}
    names = ("launched", "promoted", "shadow_hit", "shadow_miss")
    grown = {name: getattr(after, name) - getattr(before, name) for name in names}
    return {**grown, "wasted": grown["launched"] - grown["promoted"]}


_NUMBERS = [field for field in fields(Played) if field.name not in ("session", "family")]
