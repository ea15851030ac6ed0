"""What becomes JSON, how, and what cannot."""

import json
import math
import re
import uuid
from collections import deque, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from ipaddress import ip_address
from pathlib import PurePosixPath
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, field_serializer

from penstock._codec import decode, encode, encode_text
from penstock.errors import BadValue


class City(BaseModel):
    name: str
    tags: set[str] = set()
    photo: bytes = b""


class Broken(BaseModel):
    name: str

    @field_serializer("name")
    def fail(self, value: str) -> str:
        raise KeyError(value)


@dataclass
class Point:
    x: object
    _hidden: int = 0


@dataclass(frozen=True, slots=True)
class Slotted:
    x: int


class Colour(Enum):
    RED = "red"
    BIG = 10**30


class Word(StrEnum):
    YES = "yes"


Pair = namedtuple("Pair", "left right")


class Whole(int):
    pass


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (City(name="Oslo"), {"name": "Oslo", "tags": [], "photo": ""}),
        ([City(name="Oslo")], [{"name": "Oslo", "tags": [], "photo": ""}]),
        (City(name="Oslo", photo=b"\xff"), {"name": "Oslo", "tags": [], "photo": "/w=="}),
        (Point(x=Slotted(1)), {"x": {"x": 1}}),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset(["b", "a"]), ["a", "b"]),
        (datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), "2025-01-02T03:04:05+00:00"),
        (date(2025, 1, 2), "2025-01-02"),
        (timedelta(hours=1, microseconds=500), "PT3600.0005S"),
        (-timedelta(seconds=90), "-PT90S"),
        (Decimal("1.10"), "1.10"),
        (Decimal("NaN"), None),
        (b"text", "text"),
        (b"\xff\xfe", "//4="),
        (bytearray(b"text"), "text"),
        (memoryview(b"text"), "text"),
        (Colour.RED, "red"),
        (Word.YES, "yes"),
        (Colour.BIG, 10**30),
        (uuid.UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (PurePosixPath("a/b"), "a/b"),
        (ip_address("::1"), "::1"),
        (Pair(1, 2), [1, 2]),
        (deque([1]), [1]),
        (range(3), [0, 1, 2]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        (re.compile("a+"), "a+"),
        (10**30, 10**30),
        ([-(2**63), 2**64 - 1, 2**64], [-(2**63), 2**64 - 1, 2**64]),
        (Whole(2**70), 2**70),
        (math.nan, None),
        ([math.inf, -math.inf], [None, None]),
        ({"a": {Colour.RED: {10**30}}}, {"a": {"red": [10**30]}}),
    ],
    ids=lambda value: None if isinstance(value, dict | list) else type(value).__name__,
)
def test_what_a_tool_returns_becomes_json(value: object, written: object) -> None:
    assert json.loads(encode(value)) == written


@pytest.mark.parametrize(
    ("value", "text"), [("a\ud800b", "a\ufffdb"), ("\ud83d\ude00", "\U0001f600")]
)
def test_surrogates_become_valid_text(value: str, text: str) -> None:
    assert decode(encode({value: value})) == {text: text}


@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        ({"a": [1, {"b c": object()}]}, "a[1]['b c']", "object"),
        (Point(x=Point(x=len)), "x.x", "builtin_function_or_method"),
        ([iter([1])], "[0]", "list_iterator"),
        ({"a": {(1, 2): 3}}, "a", "tuple"),
        ([1j], "[0]", "complex"),
        ([10**5000], "[0]", "int"),
        ({"city": Broken(name="Oslo")}, "city", "Broken"),
    ],
)
def test_what_cannot_be_json_is_named_by_its_path(value: object, path: str, kind: str) -> None:
    with pytest.raises(BadValue) as caught:
        encode(value)
    assert (caught.value.path, caught.value.type) == (path, kind)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop += [loop, loop]
    with pytest.raises(BadValue, match="contains itself"):
        encode(loop)


def test_a_value_nested_too_deep_is_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(BadValue, match="levels deep"):
        encode(deep)


def test_one_value_at_two_places_is_no_loop() -> None:
    shared = [10**30]
    assert encode([shared, shared]) == b"[[%d],[%d]]" % (10**30, 10**30)


def test_text_is_the_same_json() -> None:
    assert encode_text({"city": "Tromsø"}) == '{"city":"Tromsø"}'


@pytest.mark.parametrize("data", [b"", b"{", b"[NaN]", b'"\\ud800"', b"01", "nope"])
def test_what_is_not_json_is_a_value_error(data: bytes | str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(data)


@given(st.timedeltas())
def test_pydantic_reads_a_duration_back(duration: timedelta) -> None:
    assert TypeAdapter(timedelta).validate_json(encode(duration)) == duration


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON.filter(lambda value: "inf" not in repr(value)))
def test_json_values_are_what_the_standard_library_reads(value: object) -> None:
    assert json.loads(encode(value)) == value
