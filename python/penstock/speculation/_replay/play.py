"""Launches and claims: one session on a virtual clock, once a mode.

A launch is made at a decision point and is ready one tool latency later; a call comes when the model
has spoken. A launch is claimed once, by a call with its key; a write empties window and cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from penstock._native import Candidate, WasteBudget, is_control, weigh
from penstock.speculation._replay.timeline import Made, Point, Timeline

Mode = Literal["top3", "gated", "engine", "oracle"]
MODES: tuple[Mode, ...] = ("top3", "gated", "engine", "oracle")

_WINDOW = 64
_TOP = 3


@dataclass(slots=True)
class Clock:
    """One latency's virtual time: when each launch is ready, what was waited."""

    latency: float
    now: float = 0.0
    waited: float = 0.0
    worked: float = 0.0
    spoke: float = 0.0
    ready: dict[bytes, float] = field(default_factory=dict)


@dataclass(slots=True)
class Played:
    """What became of one session in one mode."""

    reads: int = 0
    window_hits: int = 0
    cache_hits: int = 0
    launches: int = 0
    stalls: dict[float, tuple[float, float, float]] = field(default_factory=dict)


def play(
    mode: Mode,
    timeline: Timeline,
    guesses: Sequence[Sequence[Candidate]],
    budget: WasteBudget,
    latencies: Sequence[float],
) -> Played:
    """Replay one session.

    Args:
        mode: who decides what is launched.
        timeline: the session.
        guesses: the candidates of each decision point.
        budget: the tenant's, moved by this session.
        latencies: seconds that a tool takes, one virtual clock each.
    """
    table = _Table(mode, budget, [Clock(latency) for latency in latencies])
    name = timeline.session.id
    for number, (point, candidates) in enumerate(zip(timeline.points, guesses, strict=True)):
        for key in _launched(mode, name, number, point, candidates, budget.left):
            table.launch(key)
        if point.calls:
            table.step(point)
    if timeline.timed:
        for clock in table.clocks:
            table.played.stalls[clock.latency] = (clock.waited, clock.worked, clock.spoke)
    return table.played


def _launched(
    mode: Mode,
    session: str,
    number: int,
    point: Point,
    candidates: Sequence[Candidate],
    left: float,
) -> Sequence[bytes]:
    """The keys that a mode would launch, the likeliest first."""
    if mode == "oracle":
        return [call.key for call in point.calls if call.effect == "read"]
    if mode == "top3":
        return [guess.key for guess in candidates[:_TOP]]
    if is_control(session, number):
        return []
    # The window and the latency are known, and nothing is scarce: what is left is the chance.
    return [guess.key for guess in candidates if _worth(guess, left)]


def _worth(guess: Candidate, left: float) -> bool:
    verdict = weigh(guess.p, guess.late_p, overlap=1.0, latency=1.0, waste_left=left)
    return verdict == "launch"


class _Table:
    """The window, the cache and the clocks of one session."""

    def __init__(self, mode: Mode, budget: WasteBudget, clocks: list[Clock]) -> None:
        self.mode = mode
        self.budget = budget
        self.clocks = clocks
        self.window = dict[bytes, None]()
        self.cache = set[bytes]()
        self.played = Played()

    def launch(self, key: bytes) -> None:
        """Launch a guess, unless it is there, or may not be."""
        if key in self.window or key in self.cache or len(self.window) >= _WINDOW:
            return
        if self.mode in {"gated", "engine"} and not self.budget.launch():
            return
        self.played.launches += 1
        self.window[key] = None
        for clock in self.clocks:
            clock.ready[key] = clock.now + clock.latency

    def step(self, point: Point) -> None:
        """The model's message: each call claims what is there for it."""
        waits = [0.0] * len(self.clocks)
        for call in point.calls:
            for index, wait in enumerate(self._waits(call, point.gap)):
                waits[index] = max(waits[index], wait)
            if call.effect == "write":
                self.window.clear()
                self.cache.clear()
            self.budget.call()
        for clock, wait in zip(self.clocks, waits, strict=True):
            clock.now += point.gap + wait
            clock.waited += wait
            clock.worked += clock.latency
            clock.spoke += point.gap

    def _waits(self, call: Made, gap: float) -> list[float]:
        if call.effect != "read":
            return [clock.latency for clock in self.clocks]
        self.played.reads += 1
        if call.key in self.cache:
            self.played.cache_hits += 1
            return [0.0 for _ in self.clocks]
        if self.mode == "engine":
            self.cache.add(call.key)
        if call.key not in self.window:
            return [clock.latency for clock in self.clocks]
        del self.window[call.key]
        self.played.window_hits += 1
        if self.mode in {"gated", "engine"}:
            self.budget.promoted()
        return [
            min(max(clock.ready[call.key] - (clock.now + gap), 0.0), clock.latency)
            for clock in self.clocks
        ]
