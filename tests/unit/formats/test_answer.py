"""What a model is told: values as text or JSON, errors, and values that cannot be told."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import pytest

from penstock.calls import Call
from penstock.errors import CallTimeout, InternalError
from penstock.formats._answer import ERROR_CHARACTERS, answer, error_text, json_answer
from penstock.testing import outcome

CALL = Call("forecast", id="1")


class City(StrEnum):
    OSLO = "oslo"


@dataclass
class Weather:
    city: City
    day: date


class Broken(Exception):
    def __str__(self) -> str:
        raise AttributeError("no message")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("Sunny.", "Sunny."),
        ("", ""),
        ('{"already": "json"}', '{"already": "json"}'),
        ("sø 🙂", "sø 🙂"),
        (City.OSLO, "oslo"),
        (None, "null"),
        (True, "true"),
        ([1, "ø"], '[1,"ø"]'),
        (Weather(City.OSLO, date(2026, 9, 1)), '{"city":"oslo","day":"2026-09-01"}'),
    ],
)
def test_text_is_told_as_it_is_and_other_values_as_json(value: object, told: str) -> None:
    assert answer(outcome(CALL, value=value)) == (told, True)


def test_a_lone_surrogate_in_a_value_does_not_reach_the_request() -> None:
    assert answer(outcome(CALL, value="a\udfff")) == ("a\ufffd", True)


@pytest.mark.parametrize("value", [object(), [object()], {"a": print}])
def test_a_value_without_json_is_an_error_of_that_call(value: object) -> None:
    told, ok = answer(outcome(CALL, value=value))
    assert not ok
    assert "cannot be shown" in told
    assert json_answer(outcome(CALL, value=value)) == (told, False)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (7, 7),
        (False, False),
        ("a", "a"),
        (float("inf"), None),
        ({"a": (1,)}, {"a": [1]}),
        (City.OSLO, "oslo"),
    ],
)
def test_a_value_as_decoded_json(value: object, told: object) -> None:
    assert json_answer(outcome(CALL, value=value)) == (told, True)


def test_a_decoded_value_is_a_copy() -> None:
    value = {"a": [1]}
    told, _ = json_answer(outcome(CALL, value=value))
    value["a"].append(2)
    assert told == {"a": [1]}


def test_our_own_errors_are_told_without_internals() -> None:
    error = InternalError("slab index 7")
    assert answer(outcome(CALL, error=error)) == (error.for_model(), False)
    assert json_answer(outcome(CALL, error=error)) == (error.for_model(), False)


def test_a_timeout_is_told_as_what_it_is() -> None:
    error = CallTimeout("forecast", 2.0)
    made = outcome(CALL, error=error, status="timeout")
    assert error_text(made) == error.for_model()


def test_an_error_of_a_tool_is_told_by_type_and_message() -> None:
    assert error_text(outcome(CALL, error=OSError("disk full"))) == "OSError: disk full"


def test_an_error_without_a_message_is_told_by_its_type() -> None:
    assert error_text(outcome(CALL, error=TimeoutError())) == "TimeoutError"


def test_a_long_error_is_cut() -> None:
    assert len(error_text(outcome(CALL, error=ValueError("x" * 9_000)))) == ERROR_CHARACTERS


def test_an_error_that_cannot_say_its_message_is_told_by_its_type() -> None:
    assert error_text(outcome(CALL, error=Broken())) == "Broken"


def test_a_lone_surrogate_in_an_error_does_not_reach_the_request() -> None:
    assert error_text(outcome(CALL, error=ValueError("\ud800"))) == "ValueError: \ufffd"
