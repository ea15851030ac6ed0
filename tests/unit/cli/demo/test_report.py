from penstock.cli.demo.play import Played
from penstock.cli.demo.report import differences, records, timeline
from penstock.cli.demo.story import Pair
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


def test_a_record_a_turn_and_one_for_all() -> None:
    first, second, together = records([pair(0), pair(1, parallel=3.0, in_turn=12.0)])
    assert (first["speed_up"], second["speed_up"], together["speed_up"]) == (4.0, 4.0, 4.0)
    assert together["calls"] == first["calls"] + second["calls"]
    assert together["sequential_seconds"] == 16.0
    assert together["as_expected"] is True


def test_the_timeline_shows_the_parallel_run_and_the_measured_time() -> None:
    (turn,) = timeline([pair()])
    assert (turn.submitted, turn.sequential_seconds) == (1.0, 4.0)
    assert turn.name.startswith("1 survey")


def test_what_went_as_recorded_makes_no_difference() -> None:
    assert differences([pair()]) == []


def test_a_difference_says_where_and_what() -> None:
    (line,) = differences([pair(good=False)])
    assert line == "1_survey, in parallel: expected 51 ok; got 52 ok"
