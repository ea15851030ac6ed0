"""The limits of the demo, and what they did: a service that may be asked so often, a run's money."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from penstock.calls import Outcome
from penstock.engine import Engine
from penstock.errors import BudgetExceeded
from penstock.limits import Budget, Limit, LimitStatistics

TRACKER_RATE = Limit.rate("service:tracker", 100, burst=20)
TRACKER_AT_ONCE = Limit.concurrency("service:tracker", 24)
RUN_BUDGET = Budget.money("run:*", "0.05", name="ratings")

LIMITS = (TRACKER_RATE, TRACKER_AT_ONCE, RUN_BUDGET)

TRACKER_TOOL, PAID_TOOL = "fetch_issue", "rate_page"

# Shorter waits are for the turn of the event loop, not for a limit.
_A_WAIT = 0.005


def run_name(*, in_turn: bool) -> str:
    """Return what the budget of a run is found by: each way of playing has its own."""
    return "one-by-one" if in_turn else "parallel"


@dataclass(frozen=True, slots=True)
class RateReport:
    """What the tracker's rate did to the calls of the parallel run.

    Attributes:
        calls: that started.
        waited: of those, the ones that waited for their turn.
        longest: seconds that one of them waited.
    """

    calls: int
    waited: int
    longest: float


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """What a run spent.

    Attributes:
        amount: millionths of a dollar that it might.
        spent: millionths of a dollar that its calls have really cost.
        paid: calls that were paid.
        refused: calls that were refused, because the rest did not pay what they might cost.
        warned_at: shares of the amount at which there was a warning.
    """

    amount: int
    spent: int
    paid: int
    refused: int
    warned_at: tuple[float, ...]


@dataclass(slots=True)
class Ledger:
    """Keeps the warnings of budgets while the demo runs."""

    warnings: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def listening(self, engine: Engine) -> Iterator[None]:
        """Hear of the warnings of an engine; they are shown at the end instead of being logged."""
        engine.limits.on_warning(lambda _name, scope, share: self.warnings.append((scope, share)))
        silent = logging.NullHandler()
        logger = logging.getLogger("penstock.limits")
        logger.addHandler(silent)
        try:
            yield
        finally:
            logger.removeHandler(silent)

    def budget(
        self, rows: Iterable[LimitStatistics], outcomes: Sequence[Outcome], *, in_turn: bool
    ) -> BudgetReport:
        """Return what one way of playing has spent.

        Args:
            rows: the statistics of the engine's limits.
            outcomes: of the calls that were played so.
            in_turn: which way that was.
        """
        scope = f"run:{run_name(in_turn=in_turn)}"
        spent = sum(row.spent for row in rows if (row.name, row.scope) == (RUN_BUDGET.name, scope))
        paid = [outcome for outcome in outcomes if outcome.tool == PAID_TOOL]
        return BudgetReport(
            RUN_BUDGET.amount,
            spent,
            sum(outcome.ok for outcome in paid),
            sum(isinstance(outcome.error, BudgetExceeded) for outcome in paid),
            tuple(share for where, share in self.warnings if where == scope),
        )


def rate_report(outcomes: Iterable[Outcome]) -> RateReport:
    """Return how the calls to the tracker waited."""
    started = [o for o in outcomes if o.tool == TRACKER_TOOL and o.started is not None]
    waits = [outcome.waited for outcome in started if outcome.waited >= _A_WAIT]
    return RateReport(len(started), len(waits), max(waits, default=0.0))
