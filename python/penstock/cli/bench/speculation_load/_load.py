"""Crowds with guesses and without, within limits that they use up to a share, and their rows.

What guesses predict with was learned of other sessions before: of the even ones; the odd ones are told.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from penstock.cli.bench._frame import p99
from penstock.cli.bench._protocol import Result, Settings
from penstock.cli.bench.speculation_load import _shop
from penstock.limits import Limit
from penstock.speculation import (
    SERVICE,
    Crowd,
    Crowded,
    Effects,
    Predictor,
    TraceSession,
    play_crowd,
    read_traces,
)
from penstock.testing import VirtualLoop

SESSIONS = 400
"""Invented ones, half of them to learn from."""

MEDIANS = (0.25, 1.0, 3.0)
"""Seconds of a call."""

AT_ONCE = 100
"""Sessions, where their number is not what is looked at."""

COUNTED = 2_400
"""Sessions whose calls count."""

TAIL_GATE = 1.02
"""The most that guesses may do to the p99 of calls where limits are used up."""

WASTE_GATE = 1.0
"""Per cent: runs that nobody asked for, there."""


@dataclass(frozen=True, slots=True)
class Material:
    """Sessions to learn from, sessions to tell, and what was learned."""

    told: Sequence[TraceSession]
    effects: Effects
    learned: bytes

    def predictor(self) -> Predictor:
        """One that knows what was learned, and nothing of the told ones."""
        predictor = Predictor(memory_bytes=64 << 20)
        predictor.load(self.learned)
        return predictor


@cache
def material(traces: Path | None) -> Material:
    """Return what is told: recorded sessions of a folder, or invented ones."""
    sessions: Sequence[TraceSession] = _shop.sessions(SESSIONS)
    effects = _shop.EFFECTS
    if traces is not None:
        recorded, effects = read_traces(traces)
        sessions = _timed(recorded)
    predictor = Predictor(memory_bytes=64 << 20)
    first = sessions[::2]
    crowd = Crowd(1, max(1, len(first) - 2), 1.0, speculation="shadow", predictor=predictor)
    run(first, effects, crowd)
    return Material(sessions[1::2] or first, effects, predictor.snapshot())


def run(sessions: Sequence[TraceSession], effects: Effects, crowd: Crowd) -> Crowded:
    """Play a crowd in virtual time; in a thread that runs no loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play_crowd(sessions, effects, crowd))


def slots(free: Crowded, load: float) -> Limit:
    """So many calls at once that the crowd uses this share of them."""
    return Limit.concurrency(f"service:{SERVICE}", max(1, round(free.at_once / load)))


def rate(free: Crowded, load: float) -> Limit:
    """So many calls a second that the crowd uses this share of them; a second's at once."""
    second = max(1, round(free.per_second / load))
    per_hour = max(1, round(3_600 * free.per_second / load))
    return Limit.rate(f"service:{SERVICE}", per_hour, 3_600.0, burst=second)


@dataclass(frozen=True, slots=True)
class Both:
    """The same crowd with guesses and without."""

    guessing: Crowded
    plain: Crowded

    def tail(self, settings: Settings, row: str) -> Result:
        """The p99 of calls, against that without guesses."""
        ours, plain = p99(self.guessing.calls), p99(self.plain.calls)
        return Result(
            row=row,
            n=len(self.guessing.calls),
            loop=settings.loop,
            value=ours / plain,
            ratio=ours / plain,
            gate=TAIL_GATE,
            baseline=f"no guesses: {plain:.2f} s, with them: {ours:.2f} s",
        )

    def waste(self, settings: Settings, row: str, gate: float | None = WASTE_GATE) -> Result:
        """Runs that nobody asked for, per cent of the calls."""
        return Result(
            row=row,
            n=len(self.guessing.calls),
            loop=settings.loop,
            value=100 * self.guessing.wasted,
            unit="%",
            gate=gate,
            baseline=f"calls that were asked for; {self.guessing.promoted:,} came true",
        )

    def waits(self, settings: Settings, row: str) -> Result:
        """Seconds of waiting for tools, against those without guesses."""
        ratio = self.guessing.waits / self.plain.waits
        return Result(
            row=row,
            n=len(self.guessing.calls),
            loop=settings.loop,
            value=ratio,
            ratio=ratio,
            baseline=f"waiting without guesses; waste {100 * self.guessing.wasted:.1f} %",
        )


class Loads:
    """Crowds of one size and one median, at loads of 100, 90 and 60 % of a limit."""

    def __init__(self, settings: Settings, at_once: int, median: float) -> None:
        """Measure what the crowd uses without limits."""
        self._settings = settings
        self._material = material(settings.traces)
        self._crowd = Crowd(at_once, settings.rounds(COUNTED), median, speculation="off")
        self.free = self._play(self._crowd)

    def both(self, *limits: Limit) -> Both:
        """Play the crowd within limits, with guesses and without."""
        plain = replace(self._crowd, limits=limits)
        predictor = self._material.predictor()
        guessing = replace(plain, speculation="live", predictor=predictor)
        return Both(self._play(guessing), self._play(plain))

    def _play(self, crowd: Crowd) -> Crowded:
        return run(self._material.told, self._material.effects, crowd)


def full(settings: Settings, row: str, both: Both) -> Iterator[Result]:
    """The rows of a limit that is used up."""
    yield both.tail(settings, f"{row}-100")
    yield both.waste(settings, f"{row}-100-waste")


def _timed(sessions: Sequence[TraceSession]) -> Sequence[TraceSession]:
    """Those of the family with most sessions in which the model's times were recorded."""
    timed = [each for each in sessions if any(call.gap_s is not None for call in each.calls)]
    families = Counter(each.family for each in timed or sessions)
    family = max(families, key=lambda name: (families[name], name))
    return [each for each in timed or sessions if each.family == family]


async def by_load(
    settings: Settings, name: str, limit: Callable[[Crowded, float], Limit]
) -> AsyncIterator[Result]:
    """Yield the rows of a crowd within one kind of limit, by the median of a call's seconds and the load."""
    for median in MEDIANS[1:2] if settings.quick else MEDIANS:
        for result in await asyncio.to_thread(_of_median, settings, name, limit, median):
            yield result


def _of_median(
    settings: Settings, name: str, limit: Callable[[Crowded, float], Limit], median: float
) -> list[Result]:
    row = f"load-{name}-{median:g}s"
    loads = Loads(settings, AT_ONCE, median)
    shown = list(full(settings, row, loads.both(limit(loads.free, 1.0))))
    for load in (0.9, 0.6):
        both = loads.both(limit(loads.free, load))
        shown.append(both.waits(settings, f"{row}-{100 * load:.0f}"))
    return shown
