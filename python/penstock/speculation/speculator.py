"""`LiveSpeculator`: hears of the sessions of an engine, and launches what is worth it.

Ground rules:

- State: for each session a window, its latest guesses and when its model started to generate; for each
  tool when it was told to wait; one ring of decisions. What guesses cost is in `books.py`, how long things
  take in `gate.py`. All on the loop's thread; nothing here awaits.
- At a decision point the predictor is asked, and each candidate judged: what must not be guessed
  (`safety.py`), what is not worth it (`gate.py`). The rest is launched, what gains most first, as far as
  there is room: windows, places, waste budget. Each candidate leaves one record. In shadow mode, at points
  of the control group, for tools that drifted and where it is not known how long something takes, it is
  only counted what would have been.
- An error of the predictor never reaches a caller: that session is guessed no more.
- Bound: sessions are the engine's, launches the windows', records 10,000.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from penstock._codec import encode
from penstock._native import is_control
from penstock.calls import Call, Outcome
from penstock.engine import Facts, Guessing, Prepared, Talk, Underway
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
from penstock.speculation.audit import Audit, Record
from penstock.speculation.books import Books
from penstock.speculation.early import Early, keys_of
from penstock.speculation.gate import Gate, Offer, Prices
from penstock.speculation.habits import Habits
from penstock.speculation.predictor import outcome_word
from penstock.speculation.safety import Guess, refusal
from penstock.speculation.statistics import SpeculationStatistics
from penstock.speculation.window import Launch, State, Window
from penstock.tools import Tool

CANDIDATES = 8
"""That are looked at, at one decision point."""

SPOKEN = ""
"""What a guess comes after while a reply is spoken, for how long its call takes to come: no tool."""

MOST_BYTES = 256 << 10
"""Of a value that the predictor is shown; of a longer one it hears that there was something."""

_log = logging.getLogger("penstock.speculation")


class Terms(Prices, Protocol):
    """The settings: a `Speculation`."""

    @property
    def mode(self) -> str: ...
    @property
    def rate_share(self) -> float: ...
    @property
    def budget(self) -> int: ...
    @property
    def control(self) -> float: ...
    @property
    def early_writes(self) -> bool: ...


@dataclass(slots=True)
class _Talking:
    """What is known of one session.

    Attributes:
        decided: when its model started to generate.
        after: the tool that it called last; None behind what the user said.
        is_control: whether nothing is launched until the next decision.
        spoken: when the first call of its reply was begun; None before.
        shadows: what would have been launched for the coming step, and its chance.
    """

    talk: Talk
    window: Window = field(default_factory=Window)
    decisions: int = 0
    decided: float = 0.0
    after: str | None = None
    is_control: bool = False
    spoken: float | None = None
    shadows: dict[tuple[str, bytes], float] = field(default_factory=dict)
    flights: dict[Launch, Underway] = field(default_factory=dict)
    is_tainted: bool = False
    is_broken: bool = False


@dataclass(slots=True)
class _Judged:
    """A candidate, and what is to become of it; `call` and `offer` only if it could run."""

    candidate: Candidate
    verdict: str
    call: Prepared | None = None
    offer: Offer | None = None
    launch: Launch | None = None

    @property
    def worth(self) -> float:
        return 0.0 if self.offer is None else self.offer.worth


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
        self._gate = Gate(terms, guessing)
        self._books = Books(terms.budget)
        self._audit = Audit()
        self._talks: dict[str, _Talking] = {}
        self._told_to_wait: dict[str, float] = {}
        # Of each tenant and tool, those without an end.
        self._open: dict[tuple[str | None, str], set[Launch]] = {}
        self._habits = Habits()
        self._hears_steps = hears_steps(guesser.predict)
        self._closing = False

    def opened(self, session: Talk) -> None:
        """A session begins."""
        if self._terms.mode == "off":
            return
        self._talks[session.id] = talking = _Talking(session)
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
            self._gate.waited(session.agent, talking.after, waited)
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
                self._told_to_wait[outcome.tool] = self._guessing.clock()
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
        self._closing = True

    @property
    def early_writes(self) -> bool:
        """Whether replies of sessions start other tools than reads before their end."""
        return self._terms.early_writes

    def statistics(self) -> SpeculationStatistics:
        """Return what guessing did since the first session."""
        return self._books.statistics(self._terms.mode)

    def explain(self, session: str) -> list[Record]:
        """Return what was decided about guesses of a session lately, the oldest first."""
        return self._audit.of(session)

    def _observe(self, talking: _Talking, event: Event) -> None:
        if talking.is_broken:
            return
        try:
            self._guesser.observe(talking.talk.id, event, int(self._guessing.clock() * 1e9))
        except Exception:  # noqa: BLE001 - whatever it raises is logged, and no caller's
            self._give_up(talking)

    def _give_up(self, talking: _Talking) -> None:
        """Guess a session no more: its predictor has raised, which callers must not feel."""
        talking.is_broken = True
        _log.exception("the predictor failed; session %r is guessed no more", talking.talk.id)

    def _decide(self, talking: _Talking) -> None:
        """The model starts to generate: look at what may come."""
        talking.decided, talking.spoken = self._guessing.clock(), None
        self._settle_shadows(talking, frozenset())
        if talking.is_broken or self._closing:
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
        self._judge_all(talking, candidates)

    def _predict_again(
        self, talking: _Talking, step: Sequence[Spoken], open: Spoken | None
    ) -> None:
        """Part of the reply is known: look again at what may come."""
        if talking.is_broken or self._closing or not self._hears_steps:
            return
        began = time.perf_counter()
        try:
            candidates = self._guesser.predict(talking.talk.id, CANDIDATES, step=step, open=open)
        except Exception:  # noqa: BLE001 - whatever it raises is logged, and no caller's
            self._give_up(talking)
            return
        self._books.predicted_again(time.perf_counter() - began)
        self._judge_all(talking, candidates)

    def _judge_all(self, talking: _Talking, candidates: Sequence[Candidate]) -> list[_Judged]:
        """Launch what is worth it of what may come, and keep a record of each."""
        judged = [self._judge(talking, candidate) for candidate in candidates]
        for one in sorted(judged, key=lambda one: one.worth, reverse=True):
            self._act(talking, one, control=talking.is_control)
        now = self._guessing.clock()
        for one in judged:
            tool, p = one.candidate.tool, one.candidate.p
            self._audit.note(Record(now, talking.talk.id, tool, p, one.verdict))
        return judged

    def _learn(self, talking: _Talking, given: Sequence[Spoken]) -> None:
        """Learn how calls are, and how long they took once the first was begun."""
        if talking.spoken is not None:
            waited = self._guessing.clock() - talking.spoken
            self._gate.waited(talking.talk.agent, SPOKEN, waited, is_usual=False)
        noted = []
        for name, arguments in given:
            facts = self._guessing.facts(name)
            keys = None if facts is None else keys_of(facts.tool, arguments)
            if keys is not None:
                noted.append((name, keys))
        self._habits.note(noted)

    def _judge(self, talking: _Talking, candidate: Candidate) -> _Judged:
        """Say whether a candidate may run, and is worth it."""
        talk = talking.talk
        facts = self._guessing.facts(candidate.tool)
        if facts is None:
            return _Judged(candidate, "unknown")
        call = self._guessing.prepare(talk, candidate.tool, candidate.arguments)
        forbidden = refusal(self._asks(talking, candidate, facts, call))
        if forbidden is not None or call is None:
            return _Judged(candidate, forbidden or "arguments")
        if self._guessing.is_known(talk, call):
            return _Judged(candidate, "known")
        left = self._books.waste_left(talk.tenant)
        after = talking.after if talking.spoken is None else SPOKEN
        offer = self._gate.weigh(talk, after, candidate, call, left)
        return _Judged(candidate, offer.verdict, call, offer)

    def _act(self, talking: _Talking, judged: _Judged, *, control: bool) -> None:
        """Launch what is worth it, unless something is in the way; count what would have been."""
        call, offer, candidate = judged.call, judged.offer, judged.candidate
        if call is None or offer is None:
            return
        if judged.verdict == "launch":
            in_the_way = self._in_the_way(talking, candidate, call, offer, control=control)
            if in_the_way is None:
                judged.launch = self._launch(talking, candidate, call, offer)
            judged.verdict = in_the_way or ("full" if judged.launch is None else "launch")
        if judged.verdict in ("shadow", "control", "drift", "dead_letter"):
            talking.shadows[candidate.tool, call.form] = candidate.p

    def _asks(
        self, talking: _Talking, candidate: Candidate, facts: Facts, call: Prepared | None
    ) -> Guess:
        tool = facts.tool
        told = self._told_to_wait.get(tool.name)
        return Guess(
            tool=tool.name,
            effects=tool.effects,
            speculate=tool.speculate,
            price=tool.price,
            needs_approval="approval" in tool.tags,
            is_open_world="open_world" in tool.tags,
            is_tainted=talking.is_tainted,
            confirmed=getattr(candidate, "confirmed", 0),
            is_of_tenant=getattr(candidate, "scope", "tenant") != "global",
            breaker_closed=facts.breaker_closed,
            refused_ago=None if told is None else self._guessing.clock() - told,
            budget_left=self._books.money_left,
            is_valid=tool.effects != "read" or call is not None,
            is_closing=self._closing,
            is_staged=tool.commit is not None,
        )

    def _in_the_way(
        self,
        talking: _Talking,
        candidate: Candidate,
        call: Prepared,
        offer: Offer,
        *,
        control: bool,
    ) -> str | None:
        """Return why a guess that is worth it does not run; None if it does."""
        tool, tenant = candidate.tool, talking.talk.tenant
        if self._terms.mode != "live":
            return "shadow"
        if control:
            return "control"
        if getattr(candidate, "shadow", False):
            return "shadow"  # the predictor has not shown yet that its chances of this tool hold
        if self._books.is_off(tool):
            return "drift"
        if self._guessing.is_dead(tool):
            return "dead_letter"
        if talking.window.is_full:
            return "window"
        own = sum(launch.holds_place for launch in self._open.get((tenant, tool), ()))
        if not offer.has_place(own, self._terms.slot_share):
            return "slots"
        if call.role.tool.price > self._books.money_left:
            return "budget"  # another candidate has taken it
        return None if self._books.waste_left(tenant) >= 1.0 else "waste"

    def _launch(
        self, talking: _Talking, candidate: Candidate, call: Prepared, offer: Offer
    ) -> Launch | None:
        """Launch a guess; None if the engine does not take it."""
        tenant, price = talking.talk.tenant, call.role.tool.price
        own = self._open.setdefault((tenant, candidate.tool), set())

        def on_end(launch: Launch) -> None:
            own.discard(launch)
            if not own:
                self._open.pop((tenant, candidate.tool), None)
            talking.window.remove(launch)
            talking.flights.pop(launch, None)
            if launch.was_refused:
                self._told_to_wait[launch.tool] = self._guessing.clock()
            self._books.ended(launch, tenant)

        launch = Launch(
            candidate.tool,
            candidate.p,
            price,
            on_end,
            self._guessing.clock,
            candidate.arguments,
            talking.decisions,
        )
        own.add(launch)
        self._books.launched(launch, tenant)
        talking.window.add(launch)
        flight = self._guessing.launch(
            talking.talk, call, launch, worth=offer.worth, share=self._terms.rate_share
        )
        if flight is None:
            launch.refused()
            return None
        launch.queued()
        if not launch.state.is_end:
            talking.flights[launch] = flight
        return launch

    def _settle_shadows(self, talking: _Talking, asked: frozenset[tuple[str, bytes]]) -> None:
        """Count what would have been a hit in the coming step, and what would not."""
        for call, p in talking.shadows.items():
            hit = call in asked
            self._books.shadow(call[0], p, hit=hit)
        talking.shadows.clear()

    def _forms(
        self, talking: _Talking, calls: Sequence[tuple[str, bytes]]
    ) -> frozenset[tuple[str, bytes]]:
        """The calls as shadows know them; nothing to be done without shadows."""
        if not talking.shadows:
            return frozenset()
        named = (call for call in calls if self._guessing.facts(call[0]) is not None)
        made = (
            (tool, self._guessing.prepare(talking.talk, tool, arguments))
            for tool, arguments in named
        )
        return frozenset((tool, call.form) for tool, call in made if call is not None)


class _Desk:
    """What `early.py` has done for one session. Nothing once the session is over."""

    def __init__(self, speculator: LiveSpeculator, talking: _Talking) -> None:
        self._speculator = speculator
        self._guessing = speculator._guessing
        self._talking = talking

    def tool(self, name: str) -> Tool[..., Any] | None:
        facts = self._guessing.facts(name)
        return None if facts is None else facts.tool

    def form(self, spoken: Spoken) -> bytes | None:
        if self.tool(spoken[0]) is None:
            return None
        call = self._guessing.prepare(self._talking.talk, *spoken)
        return None if call is None else call.form

    def predict_again(self, step: Sequence[Spoken], open: Spoken | None) -> None:
        if self._begin():
            self._speculator._predict_again(self._talking, step, open)

    def launch_one(self, candidate: Candidate) -> Launch | None:
        if not self._begin():
            return None
        (judged,) = self._speculator._judge_all(self._talking, [candidate])
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
        self._speculator._books.contradicted()
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
