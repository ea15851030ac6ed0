"""`Notes`: what was heard of one session, as bytes, until it is written; `Recorded` takes them.

Ground rules:

- All on the loop's thread. Values are encoded when they are heard, since their owners may change them, and
  are only looked at again in the recorder's thread.
- What is noted never reaches a caller: an error, or no more room, ends the notes of that session, which is
  then not written, and counted.
- Bound: the recorder's, in bytes of all notes that are not written; a value over 64 KiB is left out.
"""

import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from penstock._codec import encode
from penstock.calls import Call, Outcome
from penstock.engine import Guessing, Listener, Talk
from penstock.errors import BadValue
from penstock.tools import Tool

MOST_BYTES = 64 << 10
"""Of a value; of a longer one only that there was one."""

OVERHEAD = 300
"""Bytes that a call costs beside its values, about."""

_log = logging.getLogger("penstock.speculation")


class Host(Protocol):
    """Who speculates, if anybody does: what the engine talks to."""

    @property
    def early_writes(self) -> bool: ...
    def opened(self, session: Talk) -> None: ...
    def user(self, session: Talk, text: str) -> None: ...
    def answered(self, session: Talk) -> None: ...
    def asked(self, session: Talk, calls: Sequence[Call]) -> None: ...
    def ended(self, session: Talk, outcomes: Sequence[Outcome]) -> None: ...
    def speaking(self, session: Talk) -> Listener | None: ...
    def closed(self, session: Talk) -> None: ...
    def close(self) -> None: ...
    def statistics(self) -> object: ...
    def explain(self, session: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a call.

    Attributes:
        result: JSON of the value; None if it was too large, or has no JSON form.
        error: what went wrong; None if nothing did.
        latency: seconds of running; None if it was answered by another run, or did not run.
    """

    result: bytes | None
    error: str | None
    latency: float | None


@dataclass(slots=True, eq=False)
class Step:
    """The calls of one message of the model.

    Attributes:
        at: when they were asked for.
        turn: index of what the user had said last; -1 before anything.
        calls: tools and arguments as JSON; None for what has no JSON form or was too large.
        given: the calls themselves, until it is known what became of them.
        endings: what became of them; None until then.
        ended: when.
    """

    at: float
    turn: int
    calls: list[tuple[str, bytes | None]]
    given: Sequence[Call] = ()
    endings: list[Ending] | None = None
    ended: float | None = None


@dataclass(slots=True)
class Notes:
    """See above. Times are seconds on the engine's clock."""

    session: str
    tenant: str | None
    agent: str | None
    opened: float
    said: list[tuple[float, str]] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    running: list[Step] = field(default_factory=list)
    tools: dict[str, Tool[..., Any]] = field(default_factory=dict)
    size: int = 0

    def gaps(self) -> list[float]:
        """Seconds from the last thing that the model was told before each step to the step."""
        ends = (step.ended for step in self.steps if step.ended is not None)
        told = sorted((self.opened, *(at for at, _ in self.said), *ends))
        return [step.at - told[bisect_right(told, step.at) - 1] for step in self.steps]


class Keeper(Protocol):
    """Who keeps notes: a `Recorder`."""

    def reserve(self, size: int) -> bool:
        """Take room for so many bytes; false if there is none."""

    def drop(self, notes: Notes) -> None:
        """Give up the notes of a session, which are not written, and their room."""

    def take(self, notes: Notes) -> None:
        """Have them written."""


class Recorded:
    """Takes notes of sessions, and passes on what the engine says to who speculates."""

    def __init__(self, host: Host, keeper: Keeper, guessing: Guessing) -> None:
        """Stand before who speculates.

        Args:
            host: who speculates.
            keeper: gets the notes.
            guessing: knows the clock and the tools.
        """
        self._host = host
        self._keeper = keeper
        self._guessing = guessing
        self._notes: dict[str, Notes] = {}

    @property
    def early_writes(self) -> bool:
        """As who speculates says."""
        return self._host.early_writes

    def opened(self, session: Talk) -> None:
        """A session begins."""
        now = self._guessing.clock()
        notes = Notes(session.id, session.tenant, session.agent, now)
        self._notes[session.id] = notes
        self._note(session, lambda notes: OVERHEAD)
        self._host.opened(session)

    def user(self, session: Talk, text: str) -> None:
        """The user said something."""

        def note(notes: Notes) -> int:
            notes.said.append((self._guessing.clock(), text))
            return len(text) + OVERHEAD

        self._note(session, note)
        self._host.user(session, text)

    def answered(self, session: Talk) -> None:
        """The model answered in words."""

        def note(notes: Notes) -> int:
            notes.answered.append(len(notes.said) - 1)
            return 0

        self._note(session, note)
        self._host.answered(session)

    def asked(self, session: Talk, calls: Sequence[Call]) -> None:
        """The model asked for these calls."""

        def note(notes: Notes) -> int:
            made = [(call.tool, _arguments(call)) for call in calls]
            now, turn = self._guessing.clock(), len(notes.said) - 1
            step = Step(now, turn, made, tuple(calls))
            notes.steps.append(step)
            notes.running.append(step)
            for tool, _ in made:
                facts = None if tool in notes.tools else self._guessing.facts(tool)
                if facts is not None:
                    notes.tools[tool] = facts.tool
            return sum(len(arguments or b"") + OVERHEAD for _, arguments in made)

        self._note(session, note)
        self._host.asked(session, calls)

    def ended(self, session: Talk, outcomes: Sequence[Outcome]) -> None:
        """All calls of a step have ended."""

        def note(notes: Notes) -> int:
            step = _step_of(notes, outcomes)
            if step is None:
                return 0
            notes.running.remove(step)
            step.given = ()
            step.endings = [_ending(outcome) for outcome in outcomes]
            now = self._guessing.clock()
            step.ended = min(max((outcome.ended for outcome in outcomes), default=now), now)
            return sum(len(ending.result or ending.error or b"") for ending in step.endings)

        self._note(session, note)
        self._host.ended(session, outcomes)

    def speaking(self, session: Talk) -> Listener | None:
        """A reply begins to come; who speculates may hear of it."""
        return self._host.speaking(session)

    def closed(self, session: Talk) -> None:
        """A session ended."""
        notes = self._notes.pop(session.id, None)
        if notes is not None:
            self._keeper.take(notes)
        self._host.closed(session)

    def close(self) -> None:
        """The engine closes."""
        self._host.close()

    def statistics(self) -> object:
        """Return what guessing did since the first session."""
        return self._host.statistics()

    def explain(self, session: str) -> object:
        """Return what was decided about guesses of a session lately, the oldest first."""
        return self._host.explain(session)

    def _note(self, session: Talk, note: Callable[[Notes], int]) -> None:
        """Note something that takes so many bytes; see the ground rules."""
        notes = self._notes.get(session.id)
        if notes is None:
            return
        try:
            size = note(notes)
        except Exception:  # noqa: BLE001 - whatever it raises is logged, and no caller's
            _log.exception("session %r is not recorded", session.id)
            self._give_up(notes)
            return
        if self._keeper.reserve(size):
            notes.size += size
        else:
            self._give_up(notes)

    def _give_up(self, notes: Notes) -> None:
        del self._notes[notes.session]
        self._keeper.drop(notes)


def _step_of(notes: Notes, outcomes: Sequence[Outcome]) -> Step | None:
    """The step that these are the outcomes of; several may run at a time."""
    for step in notes.running:
        if len(step.given) == len(outcomes):
            pairs = zip(step.given, outcomes, strict=True)
            if all(call is outcome.call for call, outcome in pairs):
                return step
    return None


def _arguments(call: Call) -> bytes | None:
    given = call.arguments
    try:
        written = given if isinstance(given, bytes) else encode(given or {})
    except BadValue:
        return None
    return (written or b"{}") if len(written) <= MOST_BYTES else None


def _ending(outcome: Outcome) -> Ending:
    ran = outcome.attempts and not outcome.speculative and not outcome.cached
    latency = outcome.duration if ran else None
    if not outcome.ok:
        return Ending(None, str(outcome.error), latency)
    if outcome.size > MOST_BYTES:
        return Ending(None, None, latency)
    try:
        written = encode(outcome.value)
    except BadValue:
        return Ending(None, None, latency)
    return Ending(written if len(written) <= MOST_BYTES else None, None, latency)
