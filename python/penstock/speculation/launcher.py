"""`Launcher`: launches what is worth it of what may come, as far as there is room.

Ground rules:

- Each candidate is judged: what must not be guessed (`safety.py`), what is not worth it (`gate.py`). The rest
  is launched, what gains most first, as far as there is room: windows, places, waste budget. Each leaves
  one record. In shadow mode, at points of the control group, for tools whose chances do not hold and where
  it is not known how long something takes, it is only kept what would have been.
- State: for each tenant and tool the launches without an end, for each tool when it was told to wait, and
  one ring of records. What guesses cost is in `books.py`. Nothing here awaits.
- Bound: launches are the windows', records 10,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from penstock.engine import Facts, Guessing, Prepared, Talk, Underway
from penstock.speculation._protocol import Candidate
from penstock.speculation.audit import Audit, Record
from penstock.speculation.books import Books
from penstock.speculation.gate import Gate, Offer, Prices
from penstock.speculation.safety import Guess, refusal
from penstock.speculation.window import Launch, Window

SPOKEN = ""
"""What a guess comes after while a reply is spoken, for how long its call takes to come: no tool."""


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
class Talking:
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
class Judged:
    """A candidate, and what is to become of it; `call` and `offer` only if it could run."""

    candidate: Candidate
    verdict: str
    call: Prepared | None = None
    offer: Offer | None = None
    launch: Launch | None = None

    @property
    def worth(self) -> float:
        """What it gains, in micro-dollars."""
        return 0.0 if self.offer is None else self.offer.worth


class Launcher:
    """See the ground rules."""

    def __init__(self, terms: Terms, guessing: Guessing) -> None:
        """Launch nothing yet.

        Args:
            terms: the settings.
            guessing: what the engine does.
        """
        self.gate = Gate(terms, guessing)
        self.books = Books(terms.budget)
        self.audit = Audit()
        self.is_closing = False
        self._terms = terms
        self._guessing = guessing
        self._told_to_wait: dict[str, float] = {}
        # Of each tenant and tool, those without an end.
        self._open: dict[tuple[str | None, str], set[Launch]] = {}

    def told_to_wait(self, tool: str) -> None:
        """Launch nothing of a tool for a while: its service asked for that."""
        self._told_to_wait[tool] = self._guessing.clock()

    def judge_all(self, talking: Talking, candidates: Sequence[Candidate]) -> list[Judged]:
        """Launch what is worth it of what may come, and keep a record of each."""
        judged = [self._judge(talking, candidate) for candidate in candidates]
        for one in sorted(judged, key=lambda one: one.worth, reverse=True):
            self._act(talking, one, control=talking.is_control)
        now = self._guessing.clock()
        for one in judged:
            tool, p = one.candidate.tool, one.candidate.p
            self.audit.note(Record(now, talking.talk.id, tool, p, one.verdict))
        return judged

    def _judge(self, talking: Talking, candidate: Candidate) -> Judged:
        """Say whether a candidate may run, and is worth it."""
        talk = talking.talk
        facts = self._guessing.facts(candidate.tool)
        if facts is None:
            return Judged(candidate, "unknown")
        call = self._guessing.prepare(talk, candidate.tool, candidate.arguments)
        forbidden = refusal(self._asks(talking, candidate, facts, call))
        if forbidden is not None or call is None:
            return Judged(candidate, forbidden or "arguments")
        if self._guessing.is_known(talk, call):
            return Judged(candidate, "known")
        left = self.books.waste_left(talk.tenant)
        after = talking.after if talking.spoken is None else SPOKEN
        offer = self.gate.weigh(talk, after, candidate, call, left)
        return Judged(candidate, offer.verdict, call, offer)

    def _act(self, talking: Talking, judged: Judged, *, control: bool) -> None:
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
        self, talking: Talking, candidate: Candidate, facts: Facts, call: Prepared | None
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
            budget_left=self.books.money_left,
            is_valid=tool.effects != "read" or call is not None,
            is_closing=self.is_closing,
            is_staged=tool.commit is not None,
        )

    def _in_the_way(
        self,
        talking: Talking,
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
        if self.books.is_off(tool):
            return "drift"
        if self._guessing.is_dead(tool):
            return "dead_letter"
        if talking.window.is_full:
            return "window"
        own = sum(launch.holds_place for launch in self._open.get((tenant, tool), ()))
        if not offer.has_place(own, self._terms.slot_share):
            return "slots"
        if call.role.tool.price > self.books.money_left:
            return "budget"  # another candidate has taken it
        return None if self.books.waste_left(tenant) >= 1.0 else "waste"

    def _launch(
        self, talking: Talking, candidate: Candidate, call: Prepared, offer: Offer
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
                self.told_to_wait(launch.tool)
            self.books.ended(launch, tenant)

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
        self.books.launched(launch, tenant)
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
