"""The endpoint of an attempt: known inside of it only."""

from contextvars import copy_context

from penstock.tools import chosen, endpoint


def test_outside_of_an_attempt_nobody_has_chosen_one() -> None:
    assert endpoint() is None


def test_it_is_that_of_the_context() -> None:
    around = copy_context()
    around.run(chosen.set, "eu")
    assert around.run(endpoint) == "eu"
    assert endpoint() is None
