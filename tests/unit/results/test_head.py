"""`head`: the first characters of a value, equal to those of its whole text."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock._codec import encode_text
from penstock.results._head import head, text_head

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8)
KEYS = st.text(max_size=4)
TREES = st.recursive(
    LEAVES,
    lambda tree: st.lists(tree, max_size=4) | st.dictionaries(KEYS, tree, max_size=4),
    max_leaves=20,
)


@dataclass
class Point:
    x: int


@given(st.lists(TREES, max_size=5) | st.dictionaries(KEYS, TREES, max_size=5), st.integers(0, 80))
def test_a_tree_begins_as_its_json(value: Any, characters: int) -> None:
    assert head(value, characters) == encode_text(value)[:characters]


def test_text_is_told_as_it_is() -> None:
    assert head("æøå", 2) == "æø"


@pytest.mark.parametrize("value", [(1, [2]), Point(3), {"p": Point(4)}, {1: "a"}, 7.5])
def test_other_values_begin_as_their_json(value: object) -> None:
    assert head(value, 5) == encode_text(value)[:5]


def test_the_rest_of_a_value_is_not_looked_at() -> None:
    assert head(["a" * 1_000_000, object()], 10) == '["aaaaaaaa'


def test_bytes_are_shown_as_text() -> None:
    assert head(b"plain", 3) == "pla"


def test_a_character_that_is_cut_is_left_out_unless_the_value_ends_there() -> None:
    assert text_head("aé".encode()[:2], 5, is_all=False) == "a"
    assert text_head("aé".encode()[:2], 5, is_all=True) == "a\ufffd"
    assert head("aé".encode()[:2], 5) == "a\ufffd"


def test_what_is_no_text_is_replaced() -> None:
    assert text_head(b"\xffa", 5, is_all=False) == "\ufffda"
