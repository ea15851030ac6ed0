"""Estimates: from bytes at first, then from what answers really took; bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.limits.estimate import SAMPLES, Estimate, Estimator, input_tokens

KEY = ("acme", "gpt-5", "search")


def taught(*sizes: int) -> Estimator:
    estimator = Estimator()
    for size in sizes:
        estimator.learn(KEY, size)
    return estimator


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("x", 1), ("x" * 400, 110), (b"x" * 401, 111), ("ø" * 200, 176), ("\ud800", 1)],
)
def test_input_is_a_tenth_more_than_its_bytes_suggest(text: str | bytes, tokens: int) -> None:
    assert input_tokens(text) == tokens


def test_what_the_tool_counts_wins_over_bytes() -> None:
    assert Estimator().estimate(KEY, "x" * 400, counted=7).input_tokens == 7


def test_a_new_key_reserves_what_the_call_allows() -> None:
    assert Estimator().estimate(KEY, "", max_tokens=300) == Estimate(0, 300)


def test_a_new_key_without_max_tokens_reserves_1024() -> None:
    assert Estimator().estimate(KEY, "") == Estimate(0, 1_024)


def test_nineteen_answers_teach_nothing_and_twenty_do() -> None:
    assert taught(*[50] * 19).estimate(KEY, "", max_tokens=300).output_tokens == 300
    assert taught(*[50] * 20).estimate(KEY, "", max_tokens=300).output_tokens == 50


def test_what_was_learned_never_exceeds_what_the_call_allows() -> None:
    assert taught(*[500] * 20).estimate(KEY, "", max_tokens=300).output_tokens == 300
    assert taught(*[500] * 20).estimate(KEY, "").output_tokens == 500


def test_p95_is_what_nineteen_of_twenty_keep() -> None:
    assert taught(*range(1, 101)).p95(KEY) == 95
    assert taught(*range(20, 0, -1)).p95(KEY) == 19


def test_old_answers_are_forgotten() -> None:
    assert taught(*[900] * 50, *[10] * SAMPLES).p95(KEY) == 10


def test_keys_learn_apart() -> None:
    estimator = taught(*[50] * 20)
    assert estimator.p95(("other", "gpt-5", "search")) is None


def test_at_the_brim_the_key_that_learned_longest_ago_is_forgotten() -> None:
    estimator = Estimator(most_keys=2)
    for tool in ("a", "b", "a", "c"):
        for _ in range(20):
            estimator.learn((None, None, tool), 5)
    assert len(estimator) == 2
    assert [estimator.p95((None, None, tool)) for tool in "abc"] == [5, None, 5]


@given(st.lists(st.integers(0, 10_000), min_size=20, max_size=SAMPLES))
def test_p95_is_an_answer_that_was_seen_and_covers_nearly_all(sizes: list[int]) -> None:
    p95 = taught(*sizes).p95(KEY)
    assert p95 in sizes
    assert sum(size <= p95 for size in sizes) >= 0.95 * len(sizes)
