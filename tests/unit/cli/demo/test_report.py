from penstock.cli.demo.limits import BudgetReport, RateReport
from penstock.cli.demo.play import Played
from penstock.cli.demo.report import differences, records, timeline
from penstock.cli.demo.story import Pair, Performance
from penstock.cli.demo.turns import TURNS
from penstock.testing import outcome


def pair(
    number: int = 0, *, parallel: float = 1.0, in_turn: float = 4.0, good: bool = True
) -> Pair:
    turn = TURNS[number]
    outcomes = [outcome(call, value=1, submitted=1.0, ended=2.0) for call in turn.calls()]
    expected = {"ok": len(outcomes) - (not good)}
    return Pair(
        Played(turn, outcomes, 1.0, parallel, expected),
        Played(turn, outcomes, 5.0, in_turn, {"ok": len(outcomes)}),
    )


def performance(*pairs: Pair) -> Performance:
    parallel = BudgetReport(50_000, 47_000, paid=24, refused=6, warned_at=(0.8,))
    in_turn = BudgetReport(50_000, 0, paid=0, refused=0, warned_at=())
    return Performance(pairs, RateReport(54, 34, 0.34), parallel, in_turn)


def test_a_record_a_turn_and_one_for_all() -> None:
    first, second, together = records(performance(pair(0), pair(1, parallel=3.0, in_turn=12.0)))
    assert (first["speed_up"], second["speed_up"], together["speed_up"]) == (4.0, 4.0, 4.0)
    assert together["calls"] == first["calls"] + second["calls"]
    assert together["sequential_seconds"] == 16.0
    assert together["as_expected"] is True


def test_the_last_record_says_what_the_limits_did() -> None:
    *_, together = records(performance(pair()))
    (tracker,) = together["limits"].values()
    assert tracker == {"calls": 54, "waited": 34, "longest_wait_seconds": 0.34}
    parallel = together["budgets"]["ratings, parallel"]
    assert (parallel["spent_microusd"], parallel["refused"]) == (47_000, 6)
    assert together["budgets"]["ratings, one by one"]["paid"] == 0


def test_the_timeline_shows_the_parallel_run_and_the_measured_time() -> None:
    (turn,) = timeline([pair()])
    assert (turn.submitted, turn.sequential_seconds) == (1.0, 4.0)
    assert turn.name.startswith("1 survey")


def test_what_went_as_recorded_makes_no_difference() -> None:
    assert differences([pair()]) == []


def test_a_difference_says_where_and_what() -> None:
    (line,) = differences([pair(good=False)])
    assert line == "1_survey, in parallel: expected 51 ok; got 52 ok"
