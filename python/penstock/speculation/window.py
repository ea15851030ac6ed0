"""`Window`: the guesses of one session, each a `Launch`, from its decision to its one end.

| from | to | when |
|---|---|---|
| predicted | queued | it is launched |
| queued | running | its code starts |
| running | done | it ended well, and nobody has asked for it |
| running, done | promoted | a call asked for it, and it ended well |
| predicted, queued, running | cancelled | a limit refused it, a call asked before it began, real work needed its place, its session closed, those who joined went away |
| queued, running, done | expired | its time or its session was over |
| queued, running, done | invalidated | something that it may have read was changed |
| running | failed | it ended with an error: the real call runs afresh |

Ground rules: the last five are ends; a launch has exactly one, and hears nothing after it. At most 8 of a
session are unfinished, and at most 64 wait for somebody to ask.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from penstock.calls import Outcome
from penstock.errors import CallCancelled, RateLimited

UNFINISHED = 8
"""Launches of a session whose runs are not over."""

KEPT = 64
"""Launches of a session that may still be promoted."""


class State(Enum):
    """How far a launch is."""

    PREDICTED = "predicted"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    PROMOTED = "promoted"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self not in _OPEN


_OPEN = (State.PREDICTED, State.QUEUED, State.RUNNING, State.DONE)

_DROPPED = {
    "changed": State.INVALIDATED,
    "expired": State.EXPIRED,
    "closed": State.EXPIRED,
    "overtaken": State.CANCELLED,
    "crowded": State.CANCELLED,
}


@dataclass(slots=True, eq=False)
class Launch:
    """One guess that was launched; the engine tells it what becomes of its run.

    Attributes:
        tool: the name.
        p: how likely the call was.
        price: micro-dollars.
        on_end: called once, when it has its end.
        clock: seconds.
        arguments: of the call, a JSON object.
        decision: at which decision point of its session it was launched.
        state: how far it is; `states` are those that it went through.
        was_asked: whether a call waits for its end.
        preempted: whether a call needed its place.
        was_refused: whether its service said that it is asked too often.
        started: when its code did; None if it has not.
        seconds: of running.
        saved: of running, that whoever asked was spared.
    """

    tool: str
    p: float
    price: int
    on_end: "Callable[[Launch], None]"
    clock: Callable[[], float]
    arguments: bytes = b"{}"
    decision: int = 0
    state: State = State.PREDICTED
    was_asked: bool = False
    preempted: bool = False
    was_refused: bool = False
    started: float | None = None
    seconds: float = 0.0
    saved: float = 0.0
    states: list[State] = field(default_factory=lambda: [State.PREDICTED])

    @property
    def holds_place(self) -> bool:
        """Whether its run takes a place, or will, that nobody has asked for."""
        return not (self.was_asked or self.state is State.DONE or self.state.is_end)

    def queued(self) -> None:
        """It is launched."""
        if self.state is State.PREDICTED:
            self._go(State.QUEUED)

    def began(self) -> None:
        """Its code starts."""
        self.queued()  # the engine may start it before `launch` returns
        if self.state is State.QUEUED:
            self.started = self.clock()
            self._go(State.RUNNING)

    def claimed(self) -> None:
        """A call asked for it."""
        if self.state is State.DONE:
            self.saved = self.seconds
            self._go(State.PROMOTED)
        elif self.state is State.RUNNING and self.started is not None:
            self.was_asked = True
            self.saved = self.clock() - self.started

    def ended(self, outcome: Outcome) -> None:
        """Its run is over."""
        if self.state.is_end:
            return
        self.seconds = outcome.duration
        if outcome.ok:
            self._go(State.PROMOTED if self.was_asked else State.DONE)
        elif outcome.status in ("cancelled", "rejected", "skipped"):
            error = outcome.error
            self.preempted = isinstance(error, CallCancelled) and error.reason == "preempted"
            self._go(State.CANCELLED)
        else:
            self.was_refused = isinstance(outcome.error, RateLimited)
            self._go(State.FAILED)

    def dropped(self, why: str) -> None:
        """It can answer nobody any more."""
        if not self.state.is_end:
            if self.state is State.RUNNING and self.started is not None:
                self.seconds = self.clock() - self.started
            self._go(_DROPPED[why])

    def refused(self) -> None:
        """The engine did not take it."""
        if self.state is State.PREDICTED:
            self._go(State.CANCELLED)

    def _go(self, state: State) -> None:
        self.state = state
        self.states.append(state)
        if state.is_end:
            self.on_end(self)


class Window:
    """The launches of one session that have no end yet."""

    def __init__(self) -> None:
        """Make an empty one."""
        self._open: OrderedDict[Launch, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def launches(self) -> list[Launch]:
        """Those without an end, the oldest first."""
        return list(self._open)

    @property
    def unfinished(self) -> int:
        """Those whose runs are not over."""
        return sum(launch.state is not State.DONE for launch in self._open)

    @property
    def is_full(self) -> bool:
        """Whether one more is too many."""
        return len(self._open) >= KEPT or self.unfinished >= UNFINISHED

    def add(self, launch: Launch) -> None:
        """Take one up."""
        self._open[launch] = None

    def remove(self, launch: Launch) -> None:
        """Forget one that has its end."""
        self._open.pop(launch, None)
