"""Chaining is honest: what was not recorded is charged, and what a write changed is not known."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock._native import WasteBudget
from penstock.speculation import Evaluation, evaluate
from penstock.speculation._replay import learner
from penstock.speculation._replay.chain import (
    DEPTH,
    Charges,
    Guess,
    alone,
    coming,
    looked_beyond,
)
from penstock.speculation._replay.evaluate import trained
from penstock.speculation._replay.play import play
from penstock.speculation._replay.timeline import timeline_of
from unit.speculation.conftest import EFFECTS, call, looked_up, session

TRAIN = [looked_up(number) for number in range(12)]
STORY = timeline_of(looked_up(50), EFFECTS)
FIND, X, Y = (point.calls[0].key for point in STORY.points[:3])


def played(guesses: Sequence[Guess], charges: Charges, mode="gated", latency=1.0):
    points = [guesses, *[()] * (len(STORY.points) - 1)]
    return play(mode, STORY, points, WasteBudget(), [latency], charges)


def chained(p: float = 0.9) -> Guess:
    return Guess(FIND, p, then=(Guess(X, p * p, is_known=True),), is_known=True)


def test_what_comes_is_known_up_to_the_next_write() -> None:
    story = session(
        1, call("find", 0, 0, id="a"), call("change", 0, 1, id="a"), call("find", 0, 2, id="b")
    )
    points = timeline_of(story, EFFECTS).points
    assert [made.arguments for made in coming(points).values()] == [b'{"id":"a"}']
    assert coming(points[1:]) == {}
    assert [made.arguments for made in coming(points[2:]).values()] == [b'{"id":"b"}']


def test_beyond_a_launch_stands_what_its_result_leads_to() -> None:
    predictor = trained(TRAIN, EFFECTS, ())
    name = learner.begin(predictor, STORY, learns=False)
    learner.show_inputs(predictor, name, STORY.points[0].inputs)
    candidates = predictor.predict(name).candidates
    guesses = looked_beyond(predictor, name, candidates, coming(STORY.points))
    assert guesses[0].key == FIND
    assert X in {guess.key for guess in guesses[0].then}
    assert X not in {candidate.key for candidate in candidates}
    assert all(each.p <= guess.p for guess in guesses for each in guess.then)
    assert _depth(guesses) <= DEPTH + 1
    again = predictor.predict(name).candidates
    assert [(each.key, each.p) for each in again] == [(each.key, each.p) for each in candidates]


def _depth(guesses: Sequence[Guess]) -> int:
    return 1 + max((_depth(guess.then) for guess in guesses if guess.then), default=0)


def test_a_chained_launch_begins_when_the_one_before_it_is_done() -> None:
    charges = Charges()
    result = played([chained()], charges, latency=3.0)
    assert (result.launches, result.window_hits) == (2, 2)
    # find: asked at 2, done at 3; then fetch: begun at 3, asked at 5, done at 6; then 3 for the last.
    assert result.stalls[3.0][0] == pytest.approx(1.0 + 1.0 + 3.0)
    assert (charges.right, charges.chained, charges.wrong) == (2, 1, 0)


def test_beyond_what_is_not_launched_nothing_is() -> None:
    charges = Charges()
    assert played([chained(0.1)], charges).launches == 0
    assert played([Guess(FIND, 0.9, then=(Guess(X, 0.1),), is_known=True)], charges).launches == 1


def test_what_nobody_gates_is_not_chained() -> None:
    charges = Charges()
    assert played([chained()], charges, mode="top3").launches == 1
    assert charges == Charges()


def test_a_wrong_guess_is_charged_what_a_right_one_leads_to() -> None:
    charges = Charges()
    wrong = Guess(b"elsewhere", 0.9, is_known=False)
    played([chained(), wrong], charges)
    assert (charges.right, charges.wrong, charges.charged) == (2, 1, 0.5)


@given(st.lists(st.booleans(), max_size=30))
def test_charges_are_paid_from_the_budget_in_whole_launches(order: list[bool]) -> None:
    charges, budget = Charges(), WasteBudget()
    owed = 0.0
    for is_right in order:
        if is_right:
            charges.right += 1
            charges.chained += 2
        else:
            owed += charges.chained / charges.right if charges.right else 0.0
            charges.pay(budget)
    assert budget.left == pytest.approx(max(5.0 - int(owed + 1e-9), 0.0))


def test_a_fixed_chance_is_that_of_all() -> None:
    assert alone([Guess(X, 0.3, 0.1), Guess(Y, 0.2, 0.1)], 0.5) == (Guess(X, 0.5), Guess(Y, 0.5))
    assert alone([Guess(X, 0.3, 0.1)]) == (Guess(X, 0.3, 0.1),)


def test_rows_say_what_was_chained_and_charged() -> None:
    how = Evaluation(modes=("gated",), latencies=(1.0,), chain=True)
    test = [looked_up(number) for number in range(50, 58)]
    fields = evaluate(TRAIN, test, EFFECTS, how)[0].fields
    assert fields["chained_per_read"] > 0
    assert fields["charged_per_read"] >= 0
    plain = evaluate(TRAIN, test, EFFECTS, Evaluation(modes=("gated",), latencies=(1.0,)))
    assert "chained_per_read" not in plain[0].fields
    assert plain[0].fields["model_hash"] == fields["model_hash"]
