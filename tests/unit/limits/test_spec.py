"""`Limit`: its constructors, their defaults, their faults, and what each limit promises."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from penstock.errors import ConfigError
from penstock.limits.adaptive import Adaptive
from penstock.limits.spec import Limit

DAY = 86_400.0


def fault(make: Callable[[], object]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        make()
    return caught.value


def test_a_rate_is_a_bucket_with_a_tenth_at_once() -> None:
    limit = Limit.rate("service:weather", 100)
    assert (limit.shape, limit.unit, limit.n, limit.per) == ("bucket", "requests", 100, 1.0)
    assert limit.burst == 10
    assert limit.name == "rate service:weather"


def test_a_small_rate_admits_one_at_once() -> None:
    assert Limit.rate("tool:x", 3).burst == 1


def test_the_common_keywords_have_the_documented_defaults() -> None:
    limit = Limit.rate("tool:x", 1)
    common = (limit.share, limit.away, limit.max_waiting, limit.follow, limit.horizon)
    assert common == (True, "share", 10_000, "down", 0.05)
    assert limit.revision == 0


def test_every_constructor_takes_the_common_keywords() -> None:
    common: Any = {
        "name": "mine",
        "share": False,
        "away": "open",
        "max_waiting": 5,
        "follow": "both",
        "horizon": 0.2,
        "revision": 3,
    }
    limits = [
        Limit.rate("tool:x", 1, **common),
        Limit.window("tool:x", 1, 1.0, **common),
        Limit.tokens("tool:x", 1, **common),
        Limit.tokens("tool:x", 1, burst=1, **common),
        Limit.concurrency("tool:x", 1, **common),
    ]
    for limit in limits:
        assert {name: getattr(limit, name) for name in common} == common
    tier = Limit.tiers("tool:x", per_day=1, **common)[0]
    assert (tier.name, tier.away) == ("mine per_day", "open")


def test_a_window_of_seconds_slides() -> None:
    limit = Limit.window("tenant:*/model:gpt-5", 500, per=60.0)
    assert (limit.shape, limit.per, limit.burst) == ("window", 60.0, None)
    assert limit.name == "window tenant:*/model:gpt-5"


def test_a_window_of_a_word_is_of_the_calendar() -> None:
    limit = Limit.window("tool:x", 500, "month", tz="Europe/Oslo", unit="total_tokens")
    assert (limit.shape, limit.per, limit.tz) == ("calendar", "month", "Europe/Oslo")
    assert limit.unit == "total_tokens"


def test_tokens_are_a_window_and_with_a_burst_a_bucket() -> None:
    window, bucket = Limit.tokens("model:m", 9), Limit.tokens("model:m", 9, burst=2, kind="input")
    assert (window.shape, window.per, window.unit) == ("window", 60.0, "total_tokens")
    assert (bucket.shape, bucket.burst, bucket.unit) == ("bucket", 2, "input_tokens")
    assert (window.name, bucket.name) == ("tokens model:m", "input tokens model:m")
    assert Limit.tokens("model:m", 9, "day", tz="Asia/Tokyo").shape == "calendar"


def test_concurrency_is_slots_and_zero_pauses() -> None:
    limit = Limit.concurrency("tool:browser", 0)
    assert (limit.shape, limit.n, limit.per, limit.lost) == ("slots", 0, None, "hold")
    assert limit.name == "concurrency tool:browser"


def test_adaptive_slots_start_where_they_are_told() -> None:
    adaptive = Adaptive(most=64)
    limit = Limit.concurrency("tool:browser", 8, adaptive=adaptive, lost="free")
    assert (limit.n, limit.adaptive, limit.lost) == (8, adaptive, "free")


def test_tiers_are_one_limit_each_with_a_name_of_its_own() -> None:
    tiers = Limit.tiers(
        "service:crm",
        per_second=5,
        per_minute=100,
        per_hour=2_000,
        per_day=10_000,
        tokens_per_minute=40_000,
        tokens_per_day=90_000,
        concurrent=4,
        tz="Europe/Oslo",
    )
    assert [(t.name.split()[-1], t.shape, t.unit, t.n, t.per) for t in tiers] == [
        ("per_second", "window", "requests", 5, 1.0),
        ("per_minute", "window", "requests", 100, 60.0),
        ("per_hour", "window", "requests", 2_000, 3_600.0),
        ("per_day", "calendar", "requests", 10_000, "day"),
        ("tokens_per_minute", "window", "total_tokens", 40_000, 60.0),
        ("tokens_per_day", "calendar", "total_tokens", 90_000, "day"),
        ("concurrent", "slots", "requests", 4, None),
    ]
    assert tiers[3].tz == "Europe/Oslo"


def test_a_limit_is_a_value() -> None:
    limit = Limit.rate("tool:a%62", 5)
    assert limit.scope == "tool:ab"
    assert limit == dataclasses.replace(Limit.rate("tool:ab", 5), name=limit.name)
    with pytest.raises(dataclasses.FrozenInstanceError):
        limit.n = 6  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("scope", lambda: Limit.rate("weather", 1)),
        ("scope", lambda: Limit.rate("batch", 1)),
        ("n", lambda: Limit.rate("tool:x", 0)),
        ("n", lambda: Limit.rate("tool:x", -1)),
        ("n", lambda: Limit.rate("tool:x", True)),
        ("n", lambda: Limit.rate("tool:x", 0.5)),
        ("n", lambda: Limit.rate("tool:x", float("nan"))),
        ("n", lambda: Limit.rate("tool:x", 2**53)),
        ("per", lambda: Limit.rate("tool:x", 1, "day")),
        ("per", lambda: Limit.rate("tool:x", 1, 0)),
        ("per", lambda: Limit.rate("tool:x", 1, 0.0005)),
        ("per", lambda: Limit.rate("tool:x", 1, float("inf"))),
        ("per", lambda: Limit.rate("tool:x", 1, 367 * DAY)),
        ("per", lambda: Limit.rate("tool:x", 1, None)),
        ("per", lambda: Limit.window("tool:x", 1, "hour")),
        ("burst", lambda: Limit.rate("tool:x", 1, burst=0)),
        ("burst", lambda: Limit.tokens("tool:x", 1, burst=1.5)),
        ("unit", lambda: Limit.rate("tool:x", 1, unit="microusd")),
        ("unit", lambda: Limit("x", "tool:x", "slots", "total_tokens", 1)),
        ("kind", lambda: Limit.tokens("tool:x", 1, kind="both")),
        ("tz", lambda: Limit.window("tool:x", 1, "day", tz="Mars")),
        ("n", lambda: Limit.concurrency("tool:x", -1)),
        ("n", lambda: Limit.concurrency("tool:x", 2**32)),
        ("n", lambda: Limit.concurrency("tool:x", 9, adaptive=Adaptive(most=8))),
        ("adaptive", lambda: Limit.concurrency("tool:x", 9, adaptive=8)),
        ("adaptive", lambda: Limit("x", "tool:x", "window", "requests", 1, per=1, adaptive=Adaptive())),
        ("lost", lambda: Limit.concurrency("tool:x", 9, lost="found")),
        ("name", lambda: Limit.rate("tool:x", 1, name="")),
        ("share", lambda: Limit.rate("tool:x", 1, share="yes")),
        ("away", lambda: Limit.rate("tool:x", 1, away="wait")),
        ("max_waiting", lambda: Limit.rate("tool:x", 1, max_waiting=-1)),
        ("follow", lambda: Limit.rate("tool:x", 1, follow="up")),
        ("horizon", lambda: Limit.rate("tool:x", 1, horizon=0)),
        ("revision", lambda: Limit.rate("tool:x", 1, revision=-1)),
        ("shape", lambda: Limit("x", "tool:x", "round", "requests", 1, per=1.0)),
        ("per", lambda: Limit("x", "tool:x", "slots", "requests", 1, per=1.0)),
        ("burst", lambda: Limit("x", "tool:x", "window", "requests", 1, per=1.0, burst=3)),
        ("tiers", lambda: Limit.tiers("tool:x")),
    ],
)  # fmt: skip
def test_a_field_that_cannot_work_is_named(field: str, make: Callable[[], object]) -> None:
    assert fault(make).field == field


def test_all_faults_of_a_limit_are_told_at_once() -> None:
    text = str(fault(lambda: Limit.rate("tol:x", 0, -1, burst=0, away="wait")))  # type: ignore[arg-type]
    for field in ("scope=", "n=0", "per=-1", "burst=0", "away="):
        assert field in text


def test_faults_of_tiers_name_the_tiers_and_the_rest_once() -> None:
    text = str(fault(lambda: Limit.tiers("x", per_second=0, concurrent=-1, tz="Mars")))
    assert text.count("scope=") == 1
    assert text.count("tz=") == 1
    assert text.startswith("per_second=0:")
    assert "concurrent=-1" in text


def test_an_unknown_keyword_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="brust"):
        Limit.rate("tool:x", 1, brust=3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("limit", "window", "most"),
    [
        (Limit.rate("tool:x", 100, burst=20), 0.0, 20),
        (Limit.rate("tool:x", 100, burst=20), 1.0, 120),
        (Limit.rate("tool:x", 100, burst=20), 0.019, 21),
        (Limit.rate("tool:x", 1, per=3.0), 8.999, 3),
        (Limit.rate("tool:x", 1, per=0.1), 0.3, 4),
        (Limit.window("tool:x", 500, 60.0), 0.0, 500),
        (Limit.window("tool:x", 500, 60.0), 60.0, 500),
        (Limit.window("tool:x", 500, 60.0), 60.001, 1_000),
        (Limit.window("tool:x", 500, 0.1), 0.3, 1_500),
        (Limit.window("tool:x", 500, "day"), 0.0, 0),
        (Limit.window("tool:x", 500, "day"), 1.0, 1_000),
        (Limit.window("tool:x", 500, "day"), DAY, 1_500),
        (Limit.window("tool:x", 500, "month"), 20 * DAY, 1_000),
        (Limit.concurrency("tool:x", 8), 60.0, 8),
        (Limit.concurrency("tool:x", 8, adaptive=Adaptive(most=64)), 60.0, 64),
        (Limit.concurrency("tool:x", 0, adaptive=Adaptive(most=64)), 60.0, 0),
    ],
)  # fmt: skip
def test_a_limit_promises_a_bound(limit: Limit, window: float, most: int) -> None:
    assert limit.bound(window) == most


def test_a_shared_bucket_adds_what_instances_lease_ahead() -> None:
    limit = Limit.rate("tool:x", 1_000, burst=20, horizon=0.05)
    assert limit.bound(1.0, shared=True) == 100 + 1_100


def test_a_shared_window_stays_strict_and_shared_slots_have_one_ceiling() -> None:
    assert Limit.window("tool:x", 500, 60.0).bound(60.0, shared=True) == 500
    slots = Limit.concurrency("tool:x", 8, adaptive=Adaptive(most=64))
    assert slots.bound(60.0, shared=True) == 8


@pytest.mark.parametrize("window", [-1.0, float("nan"), float("inf"), "day"])
def test_a_bound_of_no_time_is_refused(window: Any) -> None:
    assert fault(lambda: Limit.rate("tool:x", 1).bound(window)).field == "window"
