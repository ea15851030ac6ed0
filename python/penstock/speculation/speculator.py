"""`LiveSpeculator`: hears of the sessions of an engine, and launches what is worth it.

Ground rules:

- State: for each session a window, its latest guesses and when its model started to generate. All on the
  loop's thread; nothing here awaits.
- At a decision point, and while a reply is spoken, the predictor is asked, and what it says may come is
  given to `launcher.py`. What would have been launched is compared with what comes.
- An error of the predictor never reaches a caller: that session is guessed no more.
- Bound: sessions are the engine's.
"""

import logging
import time
from collections.abc import Sequence
from typing import Any

from penstock._codec import encode
from penstock._native import is_control
from penstock.calls import Call, Outcome
from penstock.engine import Guessing, Talk
from penstock.errors import BadValue, RateLimited
from penstock.speculation._protocol import (
    Answered,
    Asked,
    Candidate,
    Closed,
    Ended,
    Event,
    Guesser,
    Opened,
    Said,
    Spoken,
    Word,
    hears_steps,
)
from penstock.speculation.audit import Record
from penstock.speculation.early import Early, keys_of
from penstock.speculation.habits import Habits
from penstock.speculation.launcher import SPOKEN, Launcher, Talking, Terms
from penstock.speculation.predictor import outcome_word
from penstock.speculation.statistics import SpeculationStatistics
from penstock.speculation.window import Launch, State
from penstock.tools import Tool

CANDIDATES = 8
"""That are looked at, at one decision point."""

MOST_BYTES = 256 << 10
"""Of a value that the predictor is shown; of a longer one it hears that there was something."""

_log = logging.getLogger("penstock.speculation")


class LiveSpeculator:
    """See the ground rules. Made by `Speculation.build`."""

    def __init__(self, terms: Terms, guesser: Guesser, guessing: Guessing) -> None:
        """Guess nothing yet.

        Args:
            terms: the settings.
            guesser: predicts.
            guessing: what the engine does.
        """
        self._terms = terms
        self._guesser = guesser
        self._guessing = guessing
        self._launcher = Launcher(terms, guessing)
        self._books = self._launcher.books
        self._talks: dict[str, Talking] = {}
        self._habits = Habits()
        self._hears_steps = hears_steps(guesser.predict)

    def opened(self, session: Talk) -> None:
        """A session begins."""
        if self._terms.mode == "off":
            return
        self._talks[session.id] = talking = Talking(session)
        self._observe(talking, Opened(session.tenant or "", session.agent or ""))
        self._decide(talking)

    def user(self, session: Talk, text: str) -> None:
        """The user said something."""
        talking = self._talks.get(session.id)
        if talking is not None:
            talking.after = None
            self._observe(talking, Said(text))
            self._decide(talking)

    def answered(self, session: Talk) -> None:
        """The model answered in words."""
        talking = self._talks.get(session.id)
        if talking is not None:
            self._settle_shadows(talking, frozenset())
            self._observe(talking, Answered())

    def asked(self, session: Talk, calls: Sequence[Call]) -> None:
        """The model asked for these calls."""
        talking = self._talks.get(session.id)
        if talking is None:
            return
        if calls:
            waited = self._guessing.clock() - talking.decided
            self._launcher.gate.waited(session.agent, talking.after, waited)
            talking.after = calls[-1].tool
        self._books.called(session.tenant, len(calls))
        given = tuple((call.tool, _arguments(call)) for call in calls)
        if self._terms.mode == "live":
            self._learn(talking, given)
        self._settle_shadows(talking, self._forms(talking, given))
        self._observe(talking, Asked(given))

    def ended(self, session: Talk, outcomes: Sequence[Outcome]) -> None:
        """All calls of a step have ended."""
        talking = self._talks.get(session.id)
        if talking is None:
            return
        for outcome in outcomes:
            if isinstance(outcome.error, RateLimited):
                self._launcher.told_to_wait(outcome.tool)
            facts = self._guessing.facts(outcome.tool)
            talking.is_tainted |= facts is not None and "open_world" in facts.tool.tags
        self._observe(talking, Ended(tuple(map(_result, outcomes))))
        if session.number:  # otherwise it is being closed
            self._decide(talking)

    def speaking(self, session: Talk) -> Early | None:
        """A reply of the model begins to come: return who hears of it, if anybody has to."""
        talking = self._talks.get(session.id)
        if talking is None or self._terms.mode != "live":
            return None
        return Early(_Desk(self, talking), self._habits)

    def closed(self, session: Talk) -> None:
        """A session ended."""
        talking = self._talks.pop(session.id, None)
        if talking is not None:
            for launch, flight in list(talking.flights.items()):
                launch.dropped("closed")
                self._guessing.cancel(flight, "the session ended")
            self._observe(talking, Closed())

    def close(self) -> None:
        """The engine closes."""
        self._launcher.is_closing = True

    @property
    def early_writes(self) -> bool:
        """Whether replies of sessions start other tools than reads before their end."""
        return self._terms.early_writes

    def statistics(self) -> SpeculationStatistics:
        """Return what guessing did since the first session."""
        return self._books.statistics(self._terms.mode)

    def explain(self, session: str) -> list[Record]:
        """Return what was decided about guesses of a session lately, the oldest first."""
        return self._launcher.audit.of(session)

    def _observe(self, talking: Talking, event: Event) -> None:
        if talking.is_broken:
            return
        try:
            self._guesser.observe(talking.talk.id, event, int(self._guessing.clock() * 1e9))
        except Exception:  # noqa: BLE001 - whatever it raises is logged, and no caller's
            self._give_up(talking)

    def _give_up(self, talking: Talking) -> None:
        """Guess a session no more: its predictor has raised, which callers must not feel."""
        talking.is_broken = True
        _log.exception("the predictor failed; session %r is guessed no more", talking.talk.id)

    def _decide(self, talking: Talking) -> None:
        """The model starts to generate: look at what may come."""
        talking.decided, talking.spoken = self._guessing.clock(), None
        self._settle_shadows(talking, frozenset())
        if talking.is_broken or self._launcher.is_closing:
            return
        self._guessing.sweep(talking.talk)
        began = time.perf_counter()
        try:
            candidates = self._guesser.predict(talking.talk.id, CANDIDATES)
        except Exception:  # noqa: BLE001 - whatever it raises is logged, and no caller's
            self._give_up(talking)
            return
        talking.decisions += 1
        control = is_control(talking.talk.id, talking.decisions, self._terms.control)
        talking.is_control = control
        self._books.decided(time.perf_counter() - began, control=control)
        self._launcher.judge_all(talking, candidates)

    def _predict_again(self, talking: Talking, step: Sequence[Spoken], open: Spoken | None) -> None:
        """Part of the reply is known: look again at what may come."""
        if talking.is_broken or self._launcher.is_closing or not self._hears_steps:
            return
        began = time.perf_counter()
        try:
            candidates = self._guesser.predict(talking.talk.id, CANDIDATES, step=step, open=open)
        except Exception:  # noqa: BLE001 - whatever it raises is logged, and no caller's
            self._give_up(talking)
            return
        self._books.predicted_again(time.perf_counter() - began)
        self._launcher.judge_all(talking, candidates)

    def _learn(self, talking: Talking, given: Sequence[Spoken]) -> None:
        """Learn how calls are, and how long they took once the first was begun."""
        if talking.spoken is not None:
            waited = self._guessing.clock() - talking.spoken
            self._launcher.gate.waited(talking.talk.agent, SPOKEN, waited, is_usual=False)
        noted = []
        for name, arguments in given:
            facts = self._guessing.facts(name)
            keys = None if facts is None else keys_of(facts.tool, arguments)
            if keys is not None:
                noted.append((name, keys))
        self._habits.note(noted)

    def _settle_shadows(self, talking: Talking, asked: frozenset[tuple[str, bytes]]) -> None:
        """Count what would have been a hit in the coming step, and what would not."""
        for call, p in talking.shadows.items():
            hit = call in asked
            self._books.shadow(call[0], p, hit=hit)
        talking.shadows.clear()

    def _forms(
        self, talking: Talking, calls: Sequence[tuple[str, bytes]]
    ) -> frozenset[tuple[str, bytes]]:
        """The calls as shadows know them; nothing to be done without shadows."""
        if not talking.shadows:
            return frozenset()
        made = ((tool, self._form(talking, (tool, arguments))) for tool, arguments in calls)
        return frozenset((tool, form) for tool, form in made if form is not None)

    def _form(self, talking: Talking, spoken: Spoken) -> bytes | None:
        """A call as bytes, the same for the same only; None if it cannot be made."""
        if self._guessing.facts(spoken[0]) is None:
            return None
        call = self._guessing.prepare(talking.talk, *spoken)
        return None if call is None else call.form


class _Desk:
    """What `early.py` has done for one session. Nothing once the session is over."""

    def __init__(self, speculator: LiveSpeculator, talking: Talking) -> None:
        self._speculator = speculator
        self._guessing = speculator._guessing
        self._talking = talking

    def tool(self, name: str) -> Tool[..., Any] | None:
        facts = self._guessing.facts(name)
        return None if facts is None else facts.tool

    def form(self, spoken: Spoken) -> bytes | None:
        return self._speculator._form(self._talking, spoken)

    def predict_again(self, step: Sequence[Spoken], open: Spoken | None) -> None:
        if self._begin():
            self._speculator._predict_again(self._talking, step, open)

    def launch_one(self, candidate: Candidate) -> Launch | None:
        if not self._begin():
            return None
        (judged,) = self._speculator._launcher.judge_all(self._talking, [candidate])
        return judged.launch

    def running(self, tool: str) -> list[Launch]:
        return [
            launch
            for launch in self._talking.window.launches
            if launch.tool == tool and launch.decision == self._talking.decisions
        ]

    def cancel(self, launch: Launch) -> None:
        flight = self._talking.flights.get(launch)
        if flight is None or launch.was_asked or launch.state is State.DONE:
            return
        self._speculator._launcher.books.contradicted()
        self._guessing.cancel(flight, "something else is asked for")

    def _begin(self) -> bool:
        if self._talking.spoken is None:
            self._talking.spoken = self._guessing.clock()
        return bool(self._talking.talk.number) and not self._talking.is_broken


def _arguments(call: Call) -> bytes:
    given = call.arguments
    if isinstance(given, bytes):
        return given or b"{}"
    try:
        return encode(given or {})
    except BadValue:
        return b"{}"


def _result(outcome: Outcome) -> tuple[Word, bytes]:
    if not outcome.ok:
        return "error", b"null"
    if outcome.size > MOST_BYTES:
        return "ok", b"null"
    value = outcome.value
    try:
        return outcome_word(value, error=False), encode(value)
    except BadValue:
        return "ok", b"null"
