"""What an error shows and hides; the tree as a whole is checked in `tests/architecture`."""

import copy
import pickle

import pytest

from penstock.errors import (
    BadPlan,
    CallTimeout,
    ConfigError,
    EngineFull,
    Fault,
    InternalError,
    InvalidArguments,
    MissingExtra,
    PenstockError,
    UnknownTool,
    UnresolvedRef,
    WouldDeadlock,
    extend_path,
    nearest,
    shown,
)


class BrokenRepr:
    def __repr__(self) -> str:
        raise ValueError("no repr")


def test_a_long_value_is_cut() -> None:
    assert len(shown("x" * 1_000_000)) <= 200


def test_a_large_list_is_cut() -> None:
    assert len(shown(list(range(1_000_000)))) <= 200


def test_a_number_too_long_to_print_is_shown_by_its_type() -> None:
    assert shown(10**10_000) == "<int>"


def test_a_value_with_a_broken_repr_is_shown_by_its_type() -> None:
    assert "BrokenRepr" in shown(BrokenRepr())


@pytest.mark.parametrize("field", ["password", "db.password", "api_key", "accessToken", "secret"])
def test_a_field_that_names_a_secret_is_masked(field: str) -> None:
    assert shown("hunter2", field=field) == "***"


@pytest.mark.parametrize("field", ["tokens", "max_tokens", "token_count", "city"])
def test_a_field_that_only_sounds_like_a_secret_is_shown(field: str) -> None:
    assert shown(7, field=field) == "7"


def test_a_secret_inside_a_value_is_masked() -> None:
    text = shown({"api_key": "hunter2", "days": 3})
    assert "hunter2" not in text
    assert "3" in text


def test_a_password_in_a_url_is_masked() -> None:
    assert shown("redis://user:hunter2@host/0") == "'redis://***@host/0'"


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (["days"], "days"),
        (["items", 2, "name"], "items[2].name"),
        (["headers", "x-y"], "headers['x-y']"),
        ([0], "[0]"),
    ],
)
def test_a_path_is_written_as_code(parts: list[str | int], path: str) -> None:
    built = ""
    for part in parts:
        built = extend_path(built, part)
    assert built == path


def test_the_nearest_name_comes_first() -> None:
    assert nearest("serch", ["fetch", "search", "weather"])[0] == "search"


def test_case_and_underscores_do_not_count_for_nearness() -> None:
    assert nearest("getWeather", ["get_weather", "weather_get_it"])[0] == "get_weather"


def test_a_name_like_no_other_has_nothing_near() -> None:
    assert nearest("zzz", ["search", "fetch"]) == ()


def test_a_name_of_a_million_letters_is_compared_quickly() -> None:
    assert nearest("x" * 1_000_000, ["search"] * 100) == ()


def test_a_fault_says_where_what_allowed_and_found() -> None:
    fault = Fault("days", "too small", "1 to 16", "0")
    assert str(fault) == "days: too small; allowed: 1 to 16 (got 0)"


def test_a_fault_of_the_whole_has_no_path() -> None:
    assert str(Fault("", "not an object")) == "not an object"


def test_invalid_arguments_lists_every_fault() -> None:
    error = InvalidArguments("forecast", (Fault("city", "is missing"), Fault("days", "too small")))
    assert "'forecast'" in str(error)
    assert "\n- city: is missing\n- days: too small" in str(error)


def test_unknown_tool_asks_whether_a_near_name_was_meant() -> None:
    assert "Did you mean 'search' or 'fetch'?" in str(UnknownTool("serch", ("search", "fetch")))


def test_unknown_tool_without_near_names_asks_nothing() -> None:
    assert "Did you mean" not in str(UnknownTool("serch", ()))


def test_bad_plan_shows_the_cycle() -> None:
    assert "a -> b -> a" in str(BadPlan("a", "after", "is a cycle", ("a", "b", "a")))


def test_bad_plan_shows_both_ends_of_a_long_cycle() -> None:
    cycle = tuple(f"n{at}" for at in range(100_000))
    text = str(BadPlan("n0", "after", "wait for each other", cycle))
    assert "(n0 -> n1 -> n2 -> n3 -> n4 -> … 99,990 more … -> n99995 -> " in text
    assert text.endswith("-> n99999)")
    assert len(text) < 300


def test_bad_plan_of_a_whole_batch_names_no_call() -> None:
    text = str(BadPlan("", "calls", "2 calls are more than 1; split them"))
    assert text == "The batch, calls: 2 calls are more than 1; split them"


def test_unresolved_ref_cuts_a_long_path() -> None:
    assert len(str(UnresolvedRef("a", "x." * 100_000, "is a text"))) < 400


def test_would_deadlock_names_the_limit() -> None:
    assert "waits for: tool." in str(WouldDeadlock("search", "tool"))


def test_config_error_masks_a_secret_option() -> None:
    assert "hunter2" not in str(ConfigError("api_key", "hunter2", "is not valid"))


def test_engine_full_says_when_to_ask_again() -> None:
    error = EngineFull(5, 5, 0.25)
    assert "0.25 s" in str(error)
    assert "0.25 s" in error.for_model()


def test_a_model_does_not_see_internals() -> None:
    assert "slot 17" not in InternalError("slot 17 is borrowed").for_model()


def test_keyword_fields_survive_a_pickle() -> None:
    error = pickle.loads(pickle.dumps(UnknownTool(name="serch", near=("search",))))  # noqa: S301
    assert (error.name, error.near) == ("serch", ("search",))


@pytest.mark.parametrize(
    "error",
    [CallTimeout("search", 2.0), MissingExtra("backend", "redis", "redis", "pip install redis")],
    ids=["an OSError", "an ImportError"],
)
def test_a_base_with_its_own_arguments_keeps_the_fields(error: PenstockError) -> None:
    again = copy.copy(error)
    assert (again.args, str(again), vars(again)) == (error.args, str(error), vars(error))


def test_a_timeout_is_caught_as_the_built_in_one() -> None:
    with pytest.raises(TimeoutError):
        raise CallTimeout("search", 2.0)
