"""The law of headers: whatever a server sends, reading it never raises and never makes things up."""

import math

from hypothesis import given
from hypothesis import strategies as st

from penstock.limits.headers import (
    LONGEST_RESET,
    LONGEST_RETRY_AFTER,
    TABLES,
    Feedback,
    Reading,
    parse_headers,
)

NAMES = [
    "date",
    "retry-after",
    "retry-after-ms",
    "ratelimit",
    "ratelimit-policy",
    *(
        table.template.format(field=field, unit=unit)
        for table in TABLES
        for unit in table.units.values()
        for field in ("limit", "remaining", "reset")
    ),
]
# Nearly right values find more than noise does.
PIECES = st.sampled_from(
    ["0", "1", "-1", "60", "6m0s", "120ms", "NaN", "inf", "1e9", "9" * 15, "9" * 70, ".", ";", ",",
     '"', '"p"', ";r=", ";t=", ";q=", ";w=", "=", " ", "\t", "\0", "é", "٣", "GMT", "Z", "+25:00",
     "1994-11-06T08:49:37Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59",
     "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:60 -9999", "Mon,", "Nov", "limit=",
     "remaining=1", "reset=2"]
)  # fmt: skip
NEARLY = st.lists(PIECES, max_size=6).map("".join)
NAME = st.sampled_from(NAMES) | st.text(max_size=20)
PAIRS = st.lists(st.tuples(NAME, NEARLY | st.text(max_size=100)), max_size=20)
RAW = st.lists(st.tuples(st.sampled_from(NAMES).map(str.encode) | st.binary(), st.binary()))


@given(PAIRS)
def test_reading_any_text_never_raises(pairs: list[tuple[str, str]]) -> None:
    check(parse_headers(429, pairs))
    check(parse_headers(None, dict(pairs)))


@given(RAW)
def test_reading_any_bytes_never_raises(pairs: list[tuple[bytes, bytes]]) -> None:
    check(parse_headers(429, pairs))


@given(st.sampled_from(NAMES), st.binary(max_size=80) | NEARLY)
def test_a_lone_field_is_read_or_counted_but_for_a_date(name: str, value: str | bytes) -> None:
    feedback = parse_headers(429, [(name, value)])
    check(feedback)
    assert feedback.errors <= 2


@given(st.integers(0, 10**15 - 1), st.integers(1, 10**15 - 1))
def test_sound_numbers_are_read_exactly(remaining: int, limit: int) -> None:
    headers = {
        "x-ratelimit-limit-tokens": str(limit),
        "x-ratelimit-remaining-tokens": str(remaining),
    }
    assert parse_headers(200, headers) == Feedback(200, tokens=Reading(limit, remaining))


def check(feedback: Feedback) -> None:
    """What is said is finite, not negative, and within the bounds of the module."""
    wait = feedback.retry_after
    assert wait is None or 0.0 <= wait <= LONGEST_RETRY_AFTER
    readings = (feedback.requests, feedback.tokens, feedback.input_tokens, feedback.output_tokens)
    for reading in readings:
        assert reading.limit is None or 1 <= reading.limit < 2**53
        assert reading.remaining is None or 0 <= reading.remaining < 2**53
        if reading.reset is not None:
            assert math.isfinite(reading.reset)
            assert 0.0 <= reading.reset <= LONGEST_RESET
