"""`Books`: what guesses cost and gave, and what they may still cost.

Ground rules:

- State: of each tenant a waste budget, the latest 10,000 of them; of each tool its drift; the money that is
  left for guesses of priced tools; counts. On the loop's thread.
- A real call pays into its tenant's waste budget, a launch takes 1 from it, a promotion gives that back: so
  waste is at most 5 launches and 0.3 a real call.
- A launch takes its price from the money. It comes back if its code never ran, or somebody asked for it:
  then it is that one's.
"""

from collections import Counter, OrderedDict

from penstock._native import WasteBudget
from penstock.speculation.calibration import Calibration
from penstock.speculation.drift import Drift
from penstock.speculation.statistics import SpeculationStatistics
from penstock.speculation.window import Launch, State

MOST_TENANTS = 10_000


class Books:
    """See the ground rules."""

    def __init__(self, money: int) -> None:
        """Begin with nothing spent.

        Args:
            money: micro-dollars for guesses of priced tools, in all.
        """
        self.money_left = money
        self._counts: Counter[str] = Counter()
        self._waste: OrderedDict[str | None, WasteBudget] = OrderedDict()
        self._drift: dict[str, Drift] = {}
        self._calibration = Calibration()
        self._money_wasted = 0
        self._saved = self._wasted = self._predicting = 0.0

    def decided(self, seconds: float, *, control: bool) -> None:
        """Count a decision, and what it took to predict."""
        self._predicting += seconds
        self._counts["decisions"] += 1
        self._counts["control"] += control

    def predicted_again(self, seconds: float) -> None:
        """Count a prediction while a reply was spoken, and what it took."""
        self._predicting += seconds
        self._counts["again"] += 1

    def contradicted(self) -> None:
        """Count a launch that was cancelled because something else was spoken."""
        self._counts["contradicted"] += 1

    def called(self, tenant: str | None, calls: int) -> None:
        """Count real calls of a tenant."""
        waste = self._waste_of(tenant)
        for _ in range(calls):
            waste.call()

    def waste_left(self, tenant: str | None) -> float:
        """Return how many launches a tenant could lose."""
        return self._waste_of(tenant).left

    def is_off(self, tool: str) -> bool:
        """Return whether guesses of a tool came true too rarely."""
        return tool in self._drift and self._drift[tool].off

    def launched(self, launch: Launch, tenant: str | None) -> None:
        """Take what a launch may cost."""
        self._waste_of(tenant).launch()
        self.money_left -= launch.price
        self._counts["launched"] += 1

    def ended(self, launch: Launch, tenant: str | None) -> None:
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
            self.money_left += launch.price
        if launch.state is not State.CANCELLED:
            self._note(launch.tool, launch.p, hit=is_hit)

    def shadow(self, tool: str, p: float, *, hit: bool) -> None:
        """Count a guess that would have run."""
        self._counts["shadow_hit" if hit else "shadow_miss"] += 1
        self._note(tool, p, hit=hit)

    def statistics(self, mode: str) -> SpeculationStatistics:
        """Return all counts."""
        counts = self._counts
        names = ("decisions", "control", "again", "launched", "joined", "preempted", "contradicted")
        ends = (state.value for state in State if state.is_end)
        return SpeculationStatistics(
            mode=mode,
            **{name: counts[name] for name in (*names, *ends, "shadow_hit", "shadow_miss")},
            saved_seconds=self._saved,
            wasted_seconds=self._wasted,
            wasted_microusd=self._money_wasted,
            prediction_seconds=self._predicting,
            ece=self._calibration.error,
            tools_off=tuple(sorted(tool for tool, drift in self._drift.items() if drift.off)),
        )

    def _note(self, tool: str, p: float, *, hit: bool) -> None:
        self._drift.setdefault(tool, Drift()).note(p, hit=hit)
        self._calibration.note(p, hit=hit)

    def _waste_of(self, tenant: str | None) -> WasteBudget:
        known = self._waste.get(tenant)
        if known is None:
            known = self._waste[tenant] = WasteBudget()
            if len(self._waste) > MOST_TENANTS:
                self._waste.popitem(last=False)
        self._waste.move_to_end(tenant)
        return known
