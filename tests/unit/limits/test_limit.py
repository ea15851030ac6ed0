"""Limits as they are given."""

import dataclasses
from typing import Any

import pytest

from penstock import Limit, tool
from penstock.errors import ConfigError


@pytest.mark.parametrize("kind", ["tool", "service"])
def test_a_scope_is_a_kind_and_a_name(kind: str) -> None:
    limit = Limit.concurrency(f"{kind}:web:search", 3)
    assert (limit.kind, limit.name, limit.concurrent) == (kind, "web:search", 3)


@pytest.mark.parametrize("scope", ["", "web", "tool:", ":web", "tenant:acme", "TOOL:web"])
def test_another_scope_is_refused(scope: str) -> None:
    with pytest.raises(ConfigError) as bad:
        Limit.concurrency(scope, 1)
    assert bad.value.field == "scope"


@pytest.mark.parametrize("concurrent", [0, -1, 2**32, 1.5, True, None])
def test_another_number_is_refused(concurrent: int) -> None:
    with pytest.raises(ConfigError) as bad:
        Limit.concurrency("tool:web", concurrent)
    assert bad.value.field == "concurrent"


@pytest.mark.parametrize("scope", [None, 3, tool(test_a_scope_is_a_kind_and_a_name)])
def test_a_scope_is_a_text(scope: Any) -> None:
    with pytest.raises(ConfigError, match='a scope is "service:NAME" or "tool:NAME"'):
        Limit.concurrency(scope, 1)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (("host", "web", 1), "kind"),
        ((["tool"], "web", 1), "kind"),
        (("tool", "", 1), "name"),
        (("tool", None, 1), "name"),
        (("service", "web", 0), "concurrent"),
        (("service", "web", "1"), "concurrent"),
    ],
)
def test_a_limit_that_is_made_directly_is_checked_too(fields: Any, named: str) -> None:
    with pytest.raises(ConfigError) as bad:
        Limit(*fields)
    assert bad.value.field == named


def test_limits_are_frozen_and_equal_by_value() -> None:
    limit = Limit.concurrency("tool:web", 1)
    assert limit == Limit.concurrency("tool:web", 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        limit.concurrent = 2  # type: ignore[misc]
