"""The settings of policies: what is refused, the short forms, and the rule of effects."""

import dataclasses
from typing import Any

import pytest

from penstock.errors import ConfigError
from penstock.tools import settings
from penstock.tools.settings import Breaker, Cache, Hedge, Retry, Shed

NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        *[(Retry, "attempts", bad) for bad in (0, -1, 101, 2.0, True, None, "3")],
        *[(Retry, "wait", bad) for bad in ("random", None, 1)],
        *[(Retry, "base", bad) for bad in (0, -1, NAN, float("inf"), True, "1", None)],
        *[(Retry, "most", bad) for bad in (0.05, 0, NAN, "1")],
        *[(Retry, "on", bad) for bad in ((), ValueError, (BaseException,), (1,), [ValueError])],
        *[(Retry, "total", bad) for bad in (0, -1, NAN, 31 * 86_400)],
        *[(Hedge, "after", bad) for bad in (0, -0.5, NAN, "p95")],
        *[(Hedge, "extra", bad) for bad in (0, 1.5, NAN, None, True)],
        *[(Hedge, "floor", bad) for bad in (0, NAN, None)],
        *[(Hedge, "max_attempts", bad) for bad in (1, 11, 2.0)],
        *[(Cache, "ttl", bad) for bad in (0, -1, NAN, True, None, "60")],
        *[(Cache, "entries", bad) for bad in (0, 1.5, None)],
        *[(Cache, "bytes", bad) for bad in (0, -1, 1e6)],
        *[(Cache, "scope", bad) for bad in ("session", "", None)],
        *[(Breaker, "failures", bad) for bad in (0, 1.1, NAN)],
        *[(Breaker, "slow", bad) for bad in (0, -1, "0.8")],
        *[(Breaker, "slow_after", bad) for bad in (0, NAN)],
        *[(Breaker, "min_calls", bad) for bad in (0, 1.0)],
        *[(Breaker, "consecutive", bad) for bad in (0, None)],
        *[(Breaker, "open_for", bad) for bad in (1.0, (1.0,), (2.0, 1.0), (0, 1), ("1", 2), None)],
        *[(Breaker, "on_open", bad) for bad in ("wait", None)],
        *[(Shed, "max_waiting", bad) for bad in (0, -1, 1.0, True)],
        *[(Shed, "deadline", bad) for bad in (1, None, "yes")],
    ],
)
def test_a_bad_value_is_refused_by_its_field(kind: Any, field: str, value: object) -> None:
    needed = {"ttl": 60.0} if kind is Cache else {}
    with pytest.raises(ConfigError) as bad:
        kind(**needed | {field: value})
    assert bad.value.field == field
    assert bad.value.value is value
    assert bad.value.reason


@pytest.mark.parametrize("made", [Retry(), Hedge(), Cache(1), Breaker(), Shed()])
def test_settings_are_frozen_and_equal_by_value(made: Any) -> None:
    assert made == dataclasses.replace(made)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(made)[0].name, 2)


def test_short_forms_become_records() -> None:
    assert settings.retries(2, "read", "t") == Retry(attempts=3)
    assert settings.hedge(True, "idempotent", "t") == Hedge()
    assert settings.cache(60.0, "read", "t") == Cache(60.0)
    assert settings.breaker(True, "t") == Breaker()
    assert settings.shed(500, "t") == Shed(500)
    assert settings.coalesce(True, "read", "t") is True


def test_records_stay_what_they_are() -> None:
    for option, made in [("retries", Retry()), ("hedge", Hedge()), ("cache", Cache(1.0))]:
        assert getattr(settings, option)(made, "read", "t") is made
    assert settings.breaker(made := Breaker(), "t") is made
    assert settings.shed(made := Shed(), "t") is made


@pytest.mark.parametrize("effects", ["read", "idempotent", "once", "compensable"])
def test_nothing_is_asked_for_by_default(effects: str) -> None:
    assert settings.retries(None, effects, "t") is None
    assert settings.retries(0, effects, "t") is None
    assert settings.hedge(None, effects, "t") is settings.hedge(False, effects, "t") is None
    assert settings.cache(None, effects, "t") is None
    assert settings.coalesce(False, effects, "t") is False
    assert settings.breaker(None, "t") is settings.breaker(False, "t") is None
    assert settings.shed(None, "t") is None


@pytest.mark.parametrize("effects", ["once", "compensable"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("retries", 1), ("retries", Retry()), ("hedge", True), ("hedge", Hedge())],
        *[("cache", 1.0), ("cache", Cache(1)), ("coalesce", True)],
    ],
)
def test_what_must_happen_exactly_once_cannot_ask_for_it(
    option: str, value: object, effects: str
) -> None:
    with pytest.raises(ConfigError) as bad:
        getattr(settings, option)(value, effects, "pay")
    assert bad.value.field == option
    assert "'pay'" in bad.value.reason
    assert "declare effects=" in bad.value.reason


@pytest.mark.parametrize(("option", "value"), [("cache", 1.0), ("coalesce", True)])
def test_only_a_reading_is_answered_by_another_calls_value(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match="declare effects='read'"):
        getattr(settings, option)(value, "idempotent", "put")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("retries", bad) for bad in (-1, 100, True, 1.5, "2", Hedge())],
        *[("hedge", bad) for bad in (1, 0.5, "yes", Retry())],
        *[("cache", bad) for bad in (True, 0, -1, NAN, "60", Shed())],
        *[("coalesce", bad) for bad in (None, 1, "yes")],
    ],
)
def test_another_short_form_is_refused_with_the_tools_name(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match="tool 't'") as bad:
        getattr(settings, option)(value, "read", "t")
    assert (bad.value.field, bad.value.value) == (option, value) or value is NAN


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("breaker", bad) for bad in (1, "yes", Retry())],
        *[("shed", bad) for bad in (True, False, 0, -1, 1.5, "500", Retry())],
    ],
)
def test_a_bad_breaker_or_shed_is_refused_likewise(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match="tool 't'") as bad:
        getattr(settings, option)(value, "t")
    assert (bad.value.field, bad.value.value) == (option, value)


@pytest.mark.parametrize("scope", ["session", "tenant"])
def test_a_cache_of_sessions_is_a_word(scope: str) -> None:
    assert settings.cache(scope, "read", "t") == scope
    with pytest.raises(ConfigError, match="effects='once'"):
        settings.cache(scope, "once", "t")


def test_other_words_are_no_cache() -> None:
    with pytest.raises(ConfigError, match="'session' or 'tenant'"):
        settings.cache("all", "read", "t")


def test_what_answers_other_sessions_says_for_how_long() -> None:
    with pytest.raises(ConfigError, match="stable_for=seconds"):
        settings.stable_for(None, "tenant", "read", "t")
    assert settings.stable_for(30, "tenant", "read", "t") == 30.0
    assert settings.stable_for(None, "session", "read", "t") is None


@pytest.mark.parametrize("bad", [0, -1, NAN, "30", True])
def test_stable_for_is_seconds(bad: object) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        settings.stable_for(bad, None, "read", "t")


def test_only_a_read_may_be_stable_or_guessed() -> None:
    with pytest.raises(ConfigError, match="effects='idempotent'"):
        settings.stable_for(1.0, None, "idempotent", "t")
    with pytest.raises(ConfigError, match="effects='once'"):
        settings.speculate(True, "once", "t")
    assert settings.speculate(False, "once", "t") is False


@pytest.mark.parametrize("bad", [-1, 0.5, True, "1", 10**10])
def test_a_price_is_whole_micro_dollars(bad: object) -> None:
    with pytest.raises(ConfigError, match="micro-dollars"):
        settings.price(bad, "t")


@pytest.mark.parametrize(
    "bad",
    [
        "eu",
        b"eu",
        (),
        ("eu",),
        ("eu", "eu"),
        ("eu", ""),
        ("eu", 7),
        ("eu", "x" * 257),
        2,
        {"eu", "us"},
    ],
)
def test_endpoints_that_are_no_choice_are_refused(bad: Any) -> None:
    with pytest.raises(ConfigError, match="2 to 16 different names"):
        Hedge(endpoints=bad)


def test_endpoints_are_kept_as_they_were() -> None:
    names = ["eu", "us"]
    hedge = Hedge(endpoints=names)
    names.clear()
    assert hedge.endpoints == ("eu", "us")
    assert hash(hedge) == hash(Hedge(endpoints=("eu", "us")))


@pytest.mark.parametrize("host", ["process", "command"])
def test_another_process_does_not_hear_which_endpoint_to_ask(host: str) -> None:
    with pytest.raises(ConfigError, match="another process"):
        settings.hedge(Hedge(endpoints=("eu", "us")), "read", "t", host)
    assert settings.hedge(Hedge(), "read", "t", host) == Hedge()
