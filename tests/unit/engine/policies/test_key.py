"""Canonical arguments: equal for what a tool cannot tell apart, for nothing else."""

import dataclasses
import enum
import itertools
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, HttpUrl, SecretStr, TypeAdapter

from penstock.engine.policies._key import DEEPEST, canonical


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: Any = 0


class Place(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

DIFFERENT: list[Any] = [
    *[None, True, False, 0, 1, -1, 2**70, "", "1", "true", "null", "red"],
    *[0.0, -0.0, 1.0, 1.5, float("nan"), float("inf"), float("-inf"), Decimal("1.5"), "1.5"],
    *[
        b"",
        b"a",
        "a",
        [],
        (),
        {},
        set(),
        [1],
        (1,),
        {1},
        {"a": 1},
        {"a": "1"},
        {1: "a"},
        {"1": "a"},
    ],
    *[["a", "b"], "ab", ["ab"], [["a"], "b"], ["a", ["b"]], {"a": {"b": 1}}],
    *[NOON, NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=1))), str(NOON)],
    *[Colour.RED, Point(1), Point(1, 1), Place(name="a"), Place(name="a", more=1), {"name": "a"}],
    *[UUID(int=1), str(UUID(int=1)), PurePosixPath("a"), timedelta(1), range(1), 1j],
    *[["float", "1.5"], ["tuple", [1]], ["dict", []], frozenset({1})],
    TypeAdapter(HttpUrl).validate_python("https://example.org/a"),
]


def test_what_a_tool_can_tell_apart_has_different_keys() -> None:
    keys = [canonical((value,)) for value in DIFFERENT]
    assert None not in keys
    for (one, key), (two, other) in itertools.combinations(zip(DIFFERENT, keys, strict=True), 2):
        assert key != other, f"{one!r} and {two!r} would share a value"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        (Place(name="a", p=1, q=2), Place(q=2, p=1, name="a")),
        (Point(1, {"a": 1}), Point(1, {"a": 1})),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_order_does_not_count_where_there_is_none(one: object, two: object) -> None:
    assert canonical((one,)) == canonical((two,)) is not None


class Opaque:
    """Nobody knows what is in it."""


class Name(str):
    """More than its text, perhaps."""

    __slots__ = ()


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [Opaque(), [Opaque()], Name("a"), "\ud800", {"k": "\udfff"}, SecretStr("s"), len, [10**5000]],
    ids=lambda value: type(value).__name__,
)
def test_what_nobody_can_compare_has_no_key(value: object) -> None:
    assert canonical((value,)) is None


def test_nesting_is_bounded() -> None:
    assert canonical(nested(DEEPEST - 1)) is not None
    assert canonical(nested(DEEPEST + 1)) is None
    endless: list[object] = []
    endless.append(endless)
    assert canonical(endless) is None


def test_a_long_key_is_a_digest() -> None:
    keys = [canonical(("x" * 10_000 + end,)) for end in "ab"]
    assert [len(key or b"") for key in keys] == [32, 32]
    assert keys[0] != keys[1]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def told_apart(one: object, two: object) -> bool:
    """Whether two JSON values differ, as `repr` tells it, but for the order of keys."""

    def ordered(value: object) -> object:
        if isinstance(value, dict):
            return {key: ordered(value[key]) for key in sorted(value)}
        return [ordered(item) for item in value] if isinstance(value, list) else value

    return repr(ordered(one)) != repr(ordered(two))


@given(json, json)
def test_keys_are_equal_exactly_when_json_is(one: object, two: object) -> None:
    assert (canonical((one,)) != canonical((two,))) == told_apart(one, two)
