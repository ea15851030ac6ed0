import logging

import pytest

from penstock.calls import Call
from penstock.cli.demo.limits import LIMITS, Ledger, rate_report, run_name
from penstock.engine import Engine
from penstock.errors import BudgetExceeded
from penstock.limits import Cost, LimitStatistics, observe
from penstock.testing import outcome
from penstock.tools import tool

COST = Cost(microusd=10_000)
ENDED = {"submitted": 1.0, "ended": 3.0}


@tool(effects="read", service="tracker")
async def fetch_issue() -> None: ...


@tool(effects="read", cost=COST)
async def rate_page() -> None:
    observe(cost=COST)


def row(name: str, scope: str, spent: int) -> LimitStatistics:
    return LimitStatistics(name, scope, 0, spent, 50_000, 0, 0, 0, 0, 0, None, 1, None)


def test_only_calls_to_the_tracker_that_waited_are_counted() -> None:
    issue, page = Call("fetch_issue"), Call("fetch_page")
    waited = outcome(issue, value=1, started=1.5, **ENDED)
    at_once = outcome(issue, value=1, started=1.0, **ENDED)
    elsewhere = outcome(page, value=1, started=2.5, **ENDED)
    report = rate_report([waited, at_once, elsewhere])
    assert (report.calls, report.waited, report.longest) == (2, 1, 0.5)


def test_nothing_that_started_is_no_wait() -> None:
    assert rate_report([]).longest == 0.0


def test_each_way_of_playing_has_its_own_row() -> None:
    rows = [row("ratings", "run:parallel", 5), row("ratings", "run:one-by-one", 7)]
    ledger = Ledger([("run:parallel", 0.8)])
    parallel, in_turn = (ledger.budget(rows, [], in_turn=way) for way in (False, True))
    assert (parallel.spent, parallel.warned_at) == (5, (0.8,))
    assert (in_turn.spent, in_turn.warned_at) == (7, ())


def test_paid_and_refused_calls_are_told_apart() -> None:
    refused = outcome(Call("rate_page"), error=BudgetExceeded("ratings", "run:parallel"))
    paid = outcome(Call("rate_page"), value=1)
    report = Ledger().budget([], [paid, refused, refused], in_turn=False)
    assert (report.paid, report.refused) == (1, 2)


async def test_a_warning_is_kept_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    ledger, handlers = Ledger(), list(logging.getLogger("penstock.limits").handlers)
    async with Engine([rate_page, fetch_issue], limits=LIMITS) as engine:
        with ledger.listening(engine):
            outcomes = await engine.run([Call("rate_page")] * 6, run=run_name(in_turn=False))
        report = ledger.budget(engine.limits.statistics().limits, outcomes, in_turn=False)
    assert (report.spent, report.paid, report.refused) == (50_000, 5, 1)
    assert report.warned_at == (0.8,)
    assert logging.getLogger("penstock.limits").handlers == handlers
