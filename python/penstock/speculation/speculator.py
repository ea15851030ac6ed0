"""`LiveSpeculator`: hears of the sessions of an engine, and launches what is worth it.

Ground rules:

- State: for each session a window, its latest guesses and when its model started to generate; for each
  tenant a waste budget; for each tool its drift and when it was told to wait; one ring of decisions. All on
  the loop's thread; nothing here awaits.
- At a decision point the predictor is asked, and each candidate judged: what must not be guessed
  (`safety.py`), what is not worth it (the gate of the core), what does not fit (`window.py`, slots, waste
  budget). Each leaves one record. In shadow mode, at points of the control group, for tools that drifted
  and where it is not known how long something takes, it is only counted what would have been.
- A real call pays into its tenant's waste budget, a launch takes 1 from it, a promotion gives that back: so
  waste is at most 5 launches and 0.3 a real call.
- An error of the predictor never reaches a caller: that session is guessed no more.
- Bound: sessions are the engine's; tenants and tools are counted, the first to 10,000.
"""

import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from penstock._codec import encode
from penstock._native import WasteBudget, is_control, weigh
from penstock.calls import Call, Outcome
from penstock.engine import Facts, Flight, Guessing, Prepared, Talk
from penstock.errors import BadValue
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
    Word,
)
from penstock.speculation.audit import Audit, Record
from penstock.speculation.drift import Drift
from penstock.speculation.predictor import outcome_word
from penstock.speculation.safety import Guess, refusal
from penstock.speculation.statistics import SpeculationStatistics
from penstock.speculation.window import Launch, State, Window

CANDIDATES = 8
"""That are looked at, at one decision point."""

MOST_TENANTS = 10_000

MOST_BYTES = 256 << 10
"""Of a value that the predictor is shown; of a longer one it hears that there was something."""

WAITS = 64
"""Times from a decision to its calls that are remembered of an agent."""

_log = logging.getLogger("penstock.speculation")


class Terms(Protocol):
    """The settings: a `Speculation`."""

    @property
    def mode(self) -> str: ...
    @property
    def min_p(self) -> float: ...
    @property
    def min_p_priced(self) -> float: ...
    @property
    def value_per_second(self) -> float: ...
    @property
    def slot_share(self) -> float: ...
    @property
    def budget(self) -> int: ...
    @property
    def control(self) -> float: ...
    @property
    def early_writes(self) -> bool: ...


@dataclass(slots=True)
class _Talking:
    """What is known of one session."""

    talk: Talk
    window: Window = field(default_factory=Window)
    decisions: int = 0
    decided: float = 0.0
    shadows: dict[tuple[str, bytes], float] = field(default_factory=dict)
    flights: dict[Launch, Flight] = field(default_factory=dict)
    is_tainted: bool = False
    is_broken: bool = False


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
        self._talks: dict[str, _Talking] = {}
        self._waste: OrderedDict[str | None, WasteBudget] = OrderedDict()
        self._drift: dict[str, Drift] = {}
        self._told_to_wait: dict[str, float] = {}
        self._waits: dict[str | None, deque[float]] = {}
        self._running: Counter[tuple[str | None, str]] = Counter()
        self._audit = Audit()
        self._counts: Counter[str] = Counter()
        self._saved = self._wasted = 0.0
        self._money_left = terms.budget
        self._money_wasted = 0
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
        waits = self._waits.setdefault(session.agent, deque(maxlen=WAITS))
        waits.append(self._guessing.clock() - talking.decided)
        waste = self._waste_of(session.tenant)
        for _ in calls:
            waste.call()
        given = tuple((call.tool, _arguments(call)) for call in calls)
        self._settle_shadows(talking, self._forms(talking, given))
        self._observe(talking, Asked(given))

    def ended(self, session: Talk, outcomes: Sequence[Outcome]) -> None:
        """All calls of a step have ended."""
        talking = self._talks.get(session.id)
        if talking is None:
            return
        for outcome in outcomes:
            if getattr(outcome.error, "code", "") == "rate_limited":
                self._told_to_wait[outcome.tool] = self._guessing.clock()
            facts = self._guessing.facts(outcome.tool)
            talking.is_tainted |= facts is not None and "open_world" in facts.tool.tags
        self._observe(talking, Ended(tuple(map(_result, outcomes))))
        if session.number:  # otherwise it is being closed
            self._decide(talking)

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
        counts = self._counts
        names = ("decisions", "control", "launched", "joined", "preempted")
        ends = (state.value for state in State if state.is_end)
        return SpeculationStatistics(
            mode=self._terms.mode,
            **{name: counts[name] for name in (*names, *ends, "shadow_hit", "shadow_miss")},
            saved_seconds=self._saved,
            wasted_seconds=self._wasted,
            wasted_microusd=self._money_wasted,
            tools_off=tuple(sorted(tool for tool, drift in self._drift.items() if drift.off)),
        )

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
        talking.decided = self._guessing.clock()
        self._settle_shadows(talking, frozenset())
        if talking.is_broken or self._closing:
            return
        self._guessing.sweep(talking.talk)
        try:
            candidates = self._guesser.predict(talking.talk.id, CANDIDATES)
        except Exception:  # noqa: BLE001 - whatever it raises is logged, and no caller's
            self._give_up(talking)
            return
        self._counts["decisions"] += 1
        talking.decisions += 1
        control = is_control(talking.talk.id, talking.decisions, self._terms.control)
        self._counts["control"] += control
        for candidate in candidates:
            verdict = self._consider(talking, candidate, control=control)
            now = self._guessing.clock()
            record = Record(now, talking.talk.id, candidate.tool, candidate.p, verdict)
            self._audit.note(record)

    def _consider(self, talking: _Talking, candidate: Candidate, *, control: bool) -> str:
        """Launch a candidate or do not; return which, or why not."""
        facts = self._guessing.facts(candidate.tool)
        if facts is None:
            return "unknown"
        call = self._guessing.prepare(talking.talk, candidate.tool, candidate.arguments)
        forbidden = refusal(self._asks(talking, candidate, facts, call))
        if forbidden is not None or call is None:
            return forbidden or "arguments"
        if self._guessing.is_known(talking.talk, call):
            return "known"
        verdict = self._weigh(talking, candidate, facts)
        if verdict not in ("launch", "shadow"):
            return verdict
        if verdict == "launch":
            verdict = self._hindrance(talking, facts, control=control) or verdict
        if verdict != "launch":
            if verdict in ("shadow", "control", "drift"):
                talking.shadows[candidate.tool, call.form] = candidate.p
            return verdict
        return self._launch(talking, candidate, facts, call)

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
            budget_left=self._money_left,
            is_valid=tool.effects != "read" or call is not None,
            is_closing=self._closing,
        )

    def _weigh(self, talking: _Talking, candidate: Candidate, facts: Facts) -> str:
        waits, latency = self._waits.get(talking.talk.agent), facts.latency
        overlap = None
        if waits and latency is not None:
            overlap = sum(min(latency, wait) for wait in waits) / len(waits)
        busy = 0.0 if facts.bound is None else facts.in_flight / facts.bound
        return weigh(
            candidate.p,
            candidate.late_p,
            overlap=overlap,
            latency=latency,
            price=float(facts.tool.price),
            busy=busy,
            waste_left=self._waste_of(talking.talk.tenant).left,
            value_per_second=float(self._terms.value_per_second),
            min_p=self._terms.min_p,
            min_p_priced=self._terms.min_p_priced,
        )

    def _hindrance(self, talking: _Talking, facts: Facts, *, control: bool) -> str | None:
        """Return why a guess that is worth it does not run; None if it does."""
        tool = facts.tool.name
        if self._terms.mode != "live":
            return "shadow"
        if control:
            return "control"
        if tool in self._drift and self._drift[tool].off:
            return "drift"
        if talking.window.is_full:
            return "window"
        if facts.bound is not None:
            own = self._running[talking.talk.tenant, tool]
            taken = max(facts.in_flight, own)  # some of its own are not in flight yet
            if taken + 1 >= facts.bound or own >= self._terms.slot_share * facts.bound:
                return "slots"
        return None if self._waste_of(talking.talk.tenant).left >= 1.0 else "waste"

    def _launch(self, talking: _Talking, candidate: Candidate, facts: Facts, call: Prepared) -> str:
        tool, tenant = facts.tool, talking.talk.tenant

        def on_end(launch: Launch) -> None:
            self._running[tenant, tool.name] -= 1
            talking.window.remove(launch)
            talking.flights.pop(launch, None)
            self._count(launch, tenant)

        launch = Launch(tool.name, candidate.p, tool.price, on_end, self._guessing.clock)
        self._running[tenant, tool.name] += 1
        self._waste_of(tenant).launch()
        self._money_left -= tool.price
        self._counts["launched"] += 1
        talking.window.add(launch)
        flight = self._guessing.launch(talking.talk, call, launch)
        if flight is None:
            launch.refused()
            return "full"
        launch.queued()
        if not launch.state.is_end:
            talking.flights[launch] = flight
        return "launch"

    def _count(self, launch: Launch, tenant: str | None) -> None:
        """Note the end of a launch."""
        self._counts[launch.state.value] += 1
        self._counts["preempted"] += launch.preempted
        is_hit = launch.state is State.PROMOTED
        if is_hit:
            self._counts["joined"] += launch.was_asked
            self._saved += launch.saved
            self._waste_of(tenant).promoted()
        else:
            self._wasted += launch.seconds
            self._money_wasted += launch.price if launch.started is not None else 0
        if launch.started is None or is_hit:
            self._money_left += launch.price  # not spent, or the real call's own
        if launch.state is not State.CANCELLED:
            self._drift_of(launch.tool).note(launch.p, hit=is_hit)

    def _settle_shadows(self, talking: _Talking, asked: frozenset[tuple[str, bytes]]) -> None:
        """Count what would have been a hit in the coming step, and what would not."""
        for call, p in talking.shadows.items():
            hit = call in asked
            self._counts["shadow_hit" if hit else "shadow_miss"] += 1
            self._drift_of(call[0]).note(p, hit=hit)
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

    def _drift_of(self, tool: str) -> Drift:
        return self._drift.setdefault(tool, Drift())

    def _waste_of(self, tenant: str | None) -> WasteBudget:
        known = self._waste.get(tenant)
        if known is None:
            known = self._waste[tenant] = WasteBudget()
            if len(self._waste) > MOST_TENANTS:
                self._waste.popitem(last=False)
        self._waste.move_to_end(tenant)
        return known


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
