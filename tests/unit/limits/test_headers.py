"""What providers say: each form, one fact a test; what cannot be read is left out and counted."""

import pytest

from penstock.limits.headers import (
    ANTHROPIC,
    GITHUB,
    NOTHING,
    OPENAI,
    Feedback,
    HeaderTable,
    Reading,
    parse_headers,
)

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
MOMENT = 784_111_777


def read(**headers: str) -> Feedback:
    """Parse headers whose names are written with underscores."""
    return parse_headers(200, {name.replace("_", "-"): value for name, value in headers.items()})


def test_an_answer_without_headers_says_nothing() -> None:
    assert parse_headers(200, {}) == Feedback(200)
    assert parse_headers(None, None) == Feedback()
    assert not NOTHING


def test_openai_tells_calls_and_tokens() -> None:
    feedback = read(
        x_ratelimit_limit_requests="60",
        x_ratelimit_remaining_requests="59",
        x_ratelimit_reset_requests="1s",
        x_ratelimit_limit_tokens="150000",
        x_ratelimit_remaining_tokens="149984",
        x_ratelimit_reset_tokens="6m0s",
    )
    assert feedback.requests == Reading(60, 59, 1.0)
    assert feedback.tokens == Reading(150_000, 149_984, 360.0)
    assert feedback.errors == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120ms", 0.12),
        ("1s", 1.0),
        ("7.66s", 7.66),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3_723.5),
        ("1d", 86_400.0),
        ("17us", 17e-6),
        ("12", 12.0),
        ("0s", 0.0),
        ("99999d", 366 * 86_400.0),
    ],
)
def test_openai_writes_durations_as_go_does(text: str, seconds: float) -> None:
    feedback = read(x_ratelimit_reset_requests=text)
    assert feedback.requests.reset == pytest.approx(seconds)


@pytest.mark.parametrize("limit", ["-1", "0", "none"])
def test_a_limit_that_is_none_hides_what_remains_of_it(limit: str) -> None:
    feedback = read(x_ratelimit_limit_tokens=limit, x_ratelimit_remaining_tokens="0")
    assert feedback.tokens == NOTHING


def test_minus_one_remaining_is_left_out_and_counted() -> None:
    feedback = read(x_ratelimit_limit_tokens="100", x_ratelimit_remaining_tokens="-1")
    assert (feedback.tokens, feedback.errors) == (Reading(limit=100), 1)


def test_anthropic_tells_moments_that_become_durations_by_the_answers_date() -> None:
    feedback = read(
        date=DATE,
        anthropic_ratelimit_requests_limit="50",
        anthropic_ratelimit_requests_remaining="49",
        anthropic_ratelimit_requests_reset="1994-11-06T08:49:38.2Z",
        anthropic_ratelimit_input_tokens_limit="40000",
        anthropic_ratelimit_input_tokens_remaining="39000",
        anthropic_ratelimit_output_tokens_remaining="8000",
    )
    assert feedback.requests == Reading(50, 49, 2.0)
    assert feedback.input_tokens == Reading(40_000, 39_000)
    assert feedback.output_tokens == Reading(remaining=8_000)


def test_a_moment_that_has_passed_is_now() -> None:
    feedback = read(date=DATE, anthropic_ratelimit_tokens_reset="1994-11-06T08:00:00Z")
    assert feedback.tokens.reset == 0.0


def test_a_moment_without_a_date_is_left_out_and_counted() -> None:
    feedback = read(
        anthropic_ratelimit_tokens_remaining="5",
        anthropic_ratelimit_tokens_reset="2999-01-01T00:00:00Z",
    )
    assert (feedback.tokens, feedback.errors) == (Reading(remaining=5), 1)


def test_a_moment_without_a_zone_is_left_out_and_counted() -> None:
    feedback = read(date=DATE, anthropic_ratelimit_tokens_reset="1994-11-06T08:49:38")
    assert (feedback.tokens, feedback.errors) == (NOTHING, 1)


def test_github_tells_seconds_since_1970_by_the_answers_date() -> None:
    feedback = read(
        date=DATE,
        x_ratelimit_limit="60",
        x_ratelimit_remaining="0",
        x_ratelimit_reset=str(1_372_700_873),
    )
    assert feedback.requests == Reading(60, 0, min(1_372_700_873 - MOMENT, 366 * 86_400), True)


def test_a_small_reset_is_seconds_from_now() -> None:
    feedback = read(x_ratelimit_remaining="0", x_ratelimit_reset="30")
    assert feedback.requests == Reading(None, 0, 30.0, new_window=True)


def test_ietf_tells_policies_and_the_tightest_counts() -> None:
    feedback = read(
        ratelimit='"burst";r=37;t=12, "daily";r=3;t=4000',
        ratelimit_policy='"burst";q=100;w=60;pk=:MDI0:, "daily";q=5000;w=86400;qu="requests"',
    )
    assert feedback.requests == Reading(5_000, 3, 4_000.0, new_window=True)
    assert feedback.errors == 0


def test_ietf_policies_of_other_units_say_nothing_of_calls() -> None:
    feedback = read(
        ratelimit='"bytes";r=0;t=9', ratelimit_policy='"bytes";q=100;qu="content-bytes"'
    )
    assert feedback.requests == NOTHING


def test_ietf_fields_may_be_sent_in_pieces() -> None:
    feedback = parse_headers(200, [("RateLimit", '"a";r=9'), ("ratelimit", '"b";r=2;t=1')])
    assert feedback.requests == Reading(None, 2, 1.0, new_window=True)


@pytest.mark.parametrize(
    ("text", "remaining", "errors"),
    [
        ('"p";r=-1', None, 1),
        ('"p";r=x;t=1', None, 1),
        ('"p";t=1', None, 0),
        ('"p;r=1', None, 1),
        ('"p";r=1 junk', None, 1),
        ('"p";r=5;t=-2', 5, 1),
        ('"p";r=5,,', 5, 1),
        ("p;r=5", 5, 0),
        ('"p";r=5' + " " * 2_000 + ";t=1", None, 1),
    ],
)
def test_ietf_fields_that_are_wrong_are_counted(
    text: str, remaining: int | None, errors: int
) -> None:
    feedback = read(ratelimit=text)
    assert (feedback.requests.remaining, feedback.errors) == (remaining, errors)


def test_older_ietf_drafts_are_read() -> None:
    one = read(ratelimit="limit=100, remaining=95, reset=60")
    three = read(ratelimit_limit="100", ratelimit_remaining="95", ratelimit_reset="60")
    assert one.requests == three.requests == Reading(100, 95, 60.0, new_window=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "2", "retry-after-ms": "1500"}, 2.0),
        ({"retry-after": "1", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "999999"}, 3_600.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:00 GMT", "date": DATE}, 23.0),
        ({"retry-after": "Sunday, 06-Nov-94 08:50:00 GMT", "date": DATE}, 23.0),
        ({"retry-after": "Sun Nov  6 08:50:00 1994", "date": DATE}, 23.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT", "date": DATE}, 0.0),
    ],
)
def test_retry_after_is_the_longer_wait_and_an_hour_at_most(
    headers: dict[str, str], seconds: float
) -> None:
    assert parse_headers(429, headers) == Feedback(429, seconds)


@pytest.mark.parametrize(
    "text",
    [
        "-1",
        "NaN",
        "inf",
        "1e3",
        "",
        "soon",
        "٣",
        "1" * 13,
        "0." + "0" * 80,
        "1 2",
        "Sun, 99 Foo 1994",
    ],
)
def test_a_retry_after_that_cannot_be_read_is_counted(text: str) -> None:
    assert parse_headers(429, {"retry-after": text}) == Feedback(429, errors=1)


def test_a_retry_date_without_the_answers_date_is_counted() -> None:
    assert parse_headers(429, {"retry-after": DATE}) == Feedback(429, errors=1)


def test_a_field_above_64_bytes_is_counted() -> None:
    feedback = read(x_ratelimit_remaining="0" * 64 + "5")
    assert (feedback.requests, feedback.errors) == (NOTHING, 1)


def test_names_of_any_case_and_bytes_are_read() -> None:
    assert parse_headers(429, {b"Retry-After": b"3"}).retry_after == 3.0
    assert parse_headers(429, [(b"RETRY-AFTER", b" 3 ")]).retry_after == 3.0


def test_of_two_equal_names_the_first_counts() -> None:
    assert parse_headers(429, [("retry-after", "3"), ("retry-after", "9")]).retry_after == 3.0


def test_a_provider_may_bring_its_own_table() -> None:
    table = HeaderTable("x-{unit}-{field}", {"requests": "calls"}, reset="number", new_window=True)
    headers = {"x-calls-limit": "9", "x-calls-remaining": "2", "x-ratelimit-remaining": "7"}
    feedback = parse_headers(200, headers, tables=[table])
    assert feedback.requests == Reading(9, 2, None, new_window=True)


def test_of_two_tables_that_speak_of_a_unit_the_first_counts() -> None:
    headers = {"x-ratelimit-remaining-requests": "5", "x-ratelimit-remaining": "7"}
    assert parse_headers(200, headers, [GITHUB, OPENAI, ANTHROPIC]).requests.remaining == 7
    assert parse_headers(200, headers).requests.remaining == 5
