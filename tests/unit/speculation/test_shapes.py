"""Disguised values: equal ones stay equal, different ones different, of the same length and kind."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.speculation.shapes import Shapes

SHAPES = Shapes(b"key")
WORDS = st.text(alphabet="01289abzABZ", min_size=1, max_size=12)


@given(text=st.text(max_size=40))
def test_a_text_keeps_its_length_and_what_is_between_words(text: str) -> None:
    other = SHAPES.text(text)
    assert other == Shapes(b"key").text(text)
    assert len(other) == len(text)
    assert re.sub(r"[^\W_]", "", other) == re.sub(r"[^\W_]", "", text)


@given(first=WORDS, second=WORDS)
def test_two_words_stay_two_words_of_their_kinds(first: str, second: str) -> None:
    assert (SHAPES.text(first) == SHAPES.text(second)) == (first == second)
    for test in (str.isdigit, str.isupper, str.islower):
        assert [*map(test, first)] == [*map(test, SHAPES.text(first))]


def test_all_words_of_a_kind_are_permuted() -> None:
    for words in ([*map(str, range(10))], [*map(str, range(10, 1000))], ["00", "01", "09"]):
        assert len({SHAPES.text(word) for word in words}) == len(words)
    assert {SHAPES.text(str(word)) for word in range(10, 100)} == {*map(str, range(10, 100))}


def test_a_number_is_the_same_as_value_and_as_text() -> None:
    assert str(SHAPES.value(4711)) == SHAPES.text("4711") != "4711"
    assert SHAPES.value(-4711) == -SHAPES.value(4711)
    assert isinstance(SHAPES.value(1.5), float)
    assert SHAPES.value(1e300) == SHAPES.value(1e300) < 1


@pytest.mark.parametrize("value", [True, False, None])
def test_what_has_no_length_stays(value: object) -> None:
    assert SHAPES.value(value) is value


def test_another_key_is_another_disguise() -> None:
    text = "Where is order W1234567 of Ana?"
    assert len({Shapes(bytes([key])).text(text) for key in range(1, 9)}) == 8


def test_a_word_in_a_sentence_is_the_word_alone() -> None:
    assert SHAPES.text("W1234567") in SHAPES.text("Where is order #W1234567?")
