"""`Gate`: whether a guess is worth it, and how much. It gathers what the core weighs.

Ground rules:

- State: how long calls came after a decision, a sketch for each agent and the tool it called last, and one
  for each agent; the newest first to 512 of them. How long tools take and what room there is the engine
  knows. All on the loop's thread.
- A guess is weighed with what is so now: a decision costs some microseconds and remembers nothing.
- Only calls that came are waits: what the model does not call is in the chance already.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal, Protocol

from penstock._native import Sketch, weigh
from penstock.engine import Guessing, Prepared, Pressure, Talk
from penstock.speculation._protocol import Candidate

MOST_WAITS = 512
"""Sketches of waits, of 10 KB each."""

FEWEST_WAITS = 3
"""Behind one tool; before so many those behind any tool are asked."""

Verdict = Literal["launch", "shadow", "unlikely", "dear"]


class Prices(Protocol):
    """The settings that say what things are worth: of a `Speculation`."""

    @property
    def min_p(self) -> float: ...
    @property
    def min_p_priced(self) -> float: ...
    @property
    def value_per_second(self) -> float: ...
    @property
    def slot_share(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A guess that was weighed.

    Attributes:
        verdict: "launch", or why not.
        worth: micro-dollars that it is expected to gain.
        pressure: how much room it has.
    """

    verdict: Verdict
    worth: float
    pressure: Pressure

    def has_place(self, own: int, share: float) -> bool:
        """Return whether one place stays free besides the guess, and its tenant has not too many.

        Args:
            own: guesses of its tenant and tool that nobody asked for.
            share: of the places, that guesses of one tenant may have.
        """
        rooms = self.pressure.rooms
        for bound, used, guesses in rooms:
            taken = used - guesses + max(guesses, own)  # some of its own are not in flight yet
            if taken + 1 >= bound:
                return False
        return not rooms or own < share * min(room.bound for room in rooms)


class Gate:
    """See the ground rules."""

    def __init__(self, prices: Prices, guessing: Guessing) -> None:
        """Know nothing of waits yet.

        Args:
            prices: the settings.
            guessing: what the engine knows.
        """
        self._prices = prices
        self._guessing = guessing
        self._waits: OrderedDict[Hashable, Sketch] = OrderedDict()

    def waited(
        self, agent: str | None, after: str | None, seconds: float, *, is_usual: bool = True
    ) -> None:
        """Note how long after a decision the calls came.

        Args:
            agent: whose.
            after: the tool that it had called last; None behind what the user said.
            seconds: from the decision.
            is_usual: whether it counts for what is not known of another `after`, too.
        """
        now = self._guessing.clock()
        for key in ((agent, after), (agent,)) if is_usual else ((agent, after),):
            sketch = self._waits.setdefault(key, Sketch())
            sketch.record(max(seconds, 0.0), now)
            self._waits.move_to_end(key)
        while len(self._waits) > MOST_WAITS:
            self._waits.popitem(last=False)

    def weigh(
        self,
        talk: Talk,
        after: str | None,
        candidate: Candidate,
        call: Prepared,
        waste_left: float,
    ) -> Offer:
        """Weigh one guess.

        Args:
            talk: its session.
            after: the tool that was called last in it; None behind what the user said.
            candidate: how likely it is.
            call: what would run.
            waste_left: launches that its tenant may still lose.
        """
        tool, prices = call.role.tool, self._prices
        pressure = self._guessing.pressure(talk, call)
        known = self._guessing.expect(tool.name, self._waits_of(talk.agent, after))
        strain = pressure.strain
        verdict, worth = weigh(
            candidate.p,
            candidate.late_p,
            overlap=None if known is None else known.overlap,
            latency=None if known is None else known.latency,
            price=float(tool.price),
            tokens=0.0 if strain is None else float(strain.units),
            seconds_per_token=0.0 if strain is None else strain.seconds_per_unit,
            fill=1.0 if strain is None else strain.left,
            busy=_busy(pressure),
            waste_left=waste_left,
            value_per_second=float(prices.value_per_second),
            min_p=prices.min_p,
            min_p_priced=prices.min_p_priced,
        )
        return Offer(verdict, worth, pressure)

    def _waits_of(self, agent: str | None, after: str | None) -> Sketch:
        own = self._waits.get((agent, after))
        if own is not None and len(own) >= FEWEST_WAITS:
            return own
        return self._waits.get((agent,)) or Sketch()


def _busy(pressure: Pressure) -> float:
    """Of the fullest room, the share that real calls have."""
    shares = ((used - guesses) / bound if bound else 1.0 for bound, used, guesses in pressure.rooms)
    return max(shares, default=0.0)
