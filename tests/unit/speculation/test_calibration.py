"""How far what was said is from what came true."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from penstock.speculation.calibration import Calibration


def error(*guesses: tuple[float, bool]) -> float:
    made = Calibration()
    for p, hit in guesses:
        made.note(p, hit=hit)
    return made.error


def test_nothing_is_wrong_with_nothing() -> None:
    assert error() == 0.0


def test_what_comes_true_as_often_as_was_said_has_no_error() -> None:
    assert error(*[(0.75, True)] * 3, (0.75, False)) == pytest.approx(0.0)


def test_errors_of_different_chances_do_not_cancel_each_other() -> None:
    assert error((0.1, True), (0.9, False)) == pytest.approx(0.9)
    assert error((0.55, True), (0.55, False)) == pytest.approx(0.05)


@given(st.lists(st.tuples(st.floats(-1.0, 2.0), st.booleans())))
def test_it_is_a_share(guesses: list[tuple[float, bool]]) -> None:
    assert 0.0 <= error(*guesses) <= 1.0
