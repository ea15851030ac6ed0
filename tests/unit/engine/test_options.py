"""The options of a batch."""

import pytest

from penstock.engine.options import BatchOptions, check_count, to_native
from penstock.errors import ConfigError


def test_nothing_given_means_the_defaults() -> None:
    assert to_native({}) == {
        "timeout": None,
        "fail_fast": False,
        "max_parallel": None,
        "priority": None,
        "group": None,
        "labels": None,
    }


def test_fail_fast_is_a_switch_of_the_host() -> None:
    assert to_native({"on_error": "fail_fast"})["fail_fast"] is True


def test_a_tenant_is_always_the_same_group() -> None:
    one, same, other = (to_native({"tenant": name})["group"] for name in ("a", "a", "b"))
    assert one == same != other


def test_who_pays_is_told_to_the_host() -> None:
    options: BatchOptions = {"tenant": "acme", "agent": "planner", "run": "r-1"}
    assert to_native(options)["labels"] == ("acme", "planner", "r-1", None)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("on_error", {"on_error": "stop"}),
        ("on_error", {"on_error": None}),
        ("max_parallel", {"max_parallel": 0}),
        ("max_parallel", {"max_parallel": True}),
        ("max_parallel", {"max_parallel": 2.0}),
        ("tenant", {"tenant": ""}),
        ("tenant", {"tenant": "x" * 257}),
        ("tenant", {"tenant": 7}),
        ("agent", {"agent": ""}),
        ("run", {"run": ["r-1"]}),
    ],
)
def test_a_value_that_cannot_be_is_named(field: str, options: BatchOptions) -> None:
    with pytest.raises(ConfigError) as bad:
        to_native(options)
    assert bad.value.field == field


def test_a_count_has_an_upper_bound() -> None:
    assert check_count("threads", 4, most=4) == 4
    with pytest.raises(ConfigError, match="1 to 4"):
        check_count("threads", 5, most=4)
