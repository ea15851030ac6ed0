"""Launches and claims: one session on a virtual clock, once a mode.

A launch is made at a decision point and is ready one tool latency later; a call comes when the model
has spoken. A launch is claimed once, by a call with its key; a write empties window and cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from penstock._native import WasteBudget, is_control, weigh
from penstock.speculation._replay.chain import Charges, Guess
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
    guesses: Sequence[Sequence[Guess]],
    budget: WasteBudget,
    latencies: Sequence[float],
    charges: Charges | None = None,
) -> Played:
    """Replay one session.

    Args:
        mode: who decides what is launched.
        timeline: the session.
        guesses: the candidates of each decision point.
        budget: the tenant's, moved by this session.
        latencies: seconds that a tool takes, one virtual clock each.
        charges: moved by what is launched beyond other launches; None where nothing is.
    """
    charges = Charges() if charges is None else charges
    table = _Table(mode, budget, [Clock(latency) for latency in latencies], charges)
    name = timeline.session.id
    for number, (point, candidates) in enumerate(zip(timeline.points, guesses, strict=True)):
        for guess in _launched(mode, name, number, point, candidates, budget.left):
            table.launch(guess)
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
    candidates: Sequence[Guess],
    left: float,
) -> Sequence[Guess]:
    """What a mode would launch, the likeliest first."""
    if mode == "oracle":
        return [Guess(call.key, 1.0) for call in point.calls if call.effect == "read"]
    if mode == "top3":
        return [replace(guess, then=(), is_known=None) for guess in candidates[:_TOP]]
    if is_control(session, number):
        return []
    # The window and the latency are known, and nothing is scarce: what is left is the chance.
    return [guess for guess in candidates if not guess.barred and _worth(guess, left)]


def _worth(guess: Guess, left: float) -> bool:
    verdict, _gain = weigh(guess.p, guess.late_p, overlap=1.0, latency=1.0, waste_left=left)
    return verdict == "launch"


class _Table:
    """The window, the cache and the clocks of one session."""

    def __init__(
        self, mode: Mode, budget: WasteBudget, clocks: list[Clock], charges: Charges
    ) -> None:
        self.mode = mode
        self.budget = budget
        self.clocks = clocks
        self.charges = charges
        self.window = dict[bytes, None]()
        self.cache = set[bytes]()
        self.played = Played()

    def launch(self, guess: Guess, after: bytes | None = None) -> None:
        """Launch a guess, unless it is there, or may not be; then what is worth it beyond it.

        Args:
            guess: what to launch.
            after: the key of the launch whose result it needs.
        """
        key = guess.key
        if key not in self.window and self._run(key, after):
            self.charges.chained += after is not None
            self.charges.right += guess.is_known is True
            if guess.is_known is False:
                self.charges.pay(self.budget)
        if key in self.window:
            for beyond in guess.then:
                if _worth(beyond, self.budget.left):
                    self.launch(beyond, after=key)

    def _run(self, key: bytes, after: bytes | None) -> bool:
        if key in self.cache or len(self.window) >= _WINDOW:
            return False
        if self.mode in {"gated", "engine"} and not self.budget.launch():
            return False
        self.played.launches += 1
        self.window[key] = None
        for clock in self.clocks:
            begins = clock.now if after is None else max(clock.now, clock.ready[after])
            clock.ready[key] = begins + clock.latency
        return True

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
