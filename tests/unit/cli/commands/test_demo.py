import pytest

from penstock.cli.commands import demo
from penstock.cli.demo import TURNS, Pair, Performance, Played
from penstock.cli.demo.limits import BudgetReport, RateReport
from penstock.testing import outcome


@pytest.fixture
def performed(monkeypatch: pytest.MonkeyPatch) -> list[Pair]:
    """Play nothing; return the list of what seems to have been played."""
    pairs: list[Pair] = []

    async def perform(watcher: object, *, quick: bool) -> Performance:
        spent = BudgetReport(50_000, 47_500, paid=24, refused=6, warned_at=(0.8,))
        return Performance(pairs, RateReport(54, 34, 0.34), spent, spent)

    monkeypatch.setattr(demo, "perform", perform)
    return pairs


def pair(ok: int) -> Pair:
    turn = TURNS[4]
    outcomes = [outcome(call, value=1, submitted=1.0, ended=2.0) for call in turn.calls()]
    run = Played(turn, outcomes, 1.0, 1.0, {"ok": ok})
    return Pair(run, run)


def test_what_went_as_recorded_is_exit_code_0(penstock, performed, desk) -> None:
    performed.append(pair(ok=12))
    printed = penstock("demo")
    assert (printed.code, printed.err) == (0, "")
    assert "demo-timeline.html" in printed.out
    assert "34 of 54 calls waited" in printed.out
    assert (desk / "demo-timeline.html").exists()


def test_what_differs_is_said_and_exit_code_1(penstock, performed) -> None:
    performed.append(pair(ok=11))
    printed = penstock("demo", "--json", "--timeline", "t.html")
    assert printed.code == 1
    assert "5_mirrors, in parallel: expected 11 ok; got 12 ok" in printed.err
    assert [record["as_expected"] for record in printed.records] == [False, False]


def test_a_timeline_that_cannot_be_written_is_said_first(penstock, performed) -> None:
    printed = penstock("demo", "--timeline", "missing/t.html")
    assert (printed.code, printed.out) == (2, "")
