"""Faults of one constructor: each names its field, and all are told together."""

import pytest

from penstock.errors import ConfigError
from penstock.limits.faults import MOST, Faults


def told(faults: Faults) -> str:
    with pytest.raises(ConfigError) as caught:
        faults.tell()
    return str(caught.value)


def test_without_faults_nothing_is_told() -> None:
    faults = Faults()
    faults.whole("n", 1, least=1)
    faults.whole("n", MOST, least=1)
    faults.seconds("per", 0.001, least=0.001, most=1.0)
    faults.one_of("away", "open", ("share", "open"))
    faults.truth("share", False)
    faults.name("name", "rate tool:x")
    faults.zone("tz", "Europe/Oslo")
    faults.tell()


def test_the_first_fault_is_the_error_and_the_others_are_in_its_text() -> None:
    faults = Faults()
    faults.add("n", 0, "too few")
    faults.add("per", -1, "too short")
    with pytest.raises(ConfigError) as caught:
        faults.tell()
    assert (caught.value.field, caught.value.value) == ("n", 0)
    assert str(caught.value) == "n=0: too few; also per=-1: too short"


def test_a_fault_is_told_once() -> None:
    faults = Faults()
    faults.add("n", 0, "too few")
    faults.add("n", 0, "too few")
    assert told(faults) == "n=0: too few"


def test_an_attempt_keeps_the_fault_and_answers_none() -> None:
    faults = Faults()

    def broken() -> int:
        raise ConfigError("tz", "Mars", "is no time zone")

    assert faults.attempt(broken) is None
    assert faults.attempt(lambda: 3) == 3
    assert told(faults) == "tz='Mars': is no time zone"


@pytest.mark.parametrize("value", [True, 0, -1, 1.0, "1", None, MOST + 1])
def test_what_is_no_whole_number_from_one_is_told(value: object) -> None:
    faults = Faults()
    faults.whole("n", value, least=1)
    assert "a whole number from 1" in told(faults)


@pytest.mark.parametrize("value", [True, 0, -1.0, float("nan"), float("inf"), "1", None, 61])
def test_what_is_no_time_is_told(value: object) -> None:
    faults = Faults()
    faults.seconds("per", value, least=0.001, most=60.0)
    assert "seconds from 0.001 to 60" in told(faults)


@pytest.mark.parametrize("value", ["", "two\nlines", 3, None, "x" * 1_001])
def test_what_is_no_name_is_told(value: object) -> None:
    faults = Faults()
    faults.name("name", value)
    assert "printable name" in told(faults)


@pytest.mark.parametrize("value", ["Mars/Olympus", "", "America", "../etc/passwd", "\0", 3, None])
def test_what_is_no_zone_is_told(value: object) -> None:
    faults = Faults()
    faults.zone("tz", value)
    assert "is no time zone" in told(faults)


def test_a_zone_that_was_nearly_right_is_shown() -> None:
    faults = Faults()
    faults.zone("tz", "europe/oslow")
    assert "did you mean 'Europe/Oslo'?" in told(faults)


def test_what_is_no_truth_and_no_known_word_is_told() -> None:
    faults = Faults()
    faults.truth("share", 1)
    faults.one_of("away", ["open"], ("share", "open"))
    assert told(faults) == (
        "share=1: must be True or False; also away=['open']: must be one of 'share', 'open'"
    )
