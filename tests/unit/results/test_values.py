"""What may leave memory, as which bytes, and how large values are taken to be."""

import math
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock._codec import encode
from penstock._native import measure
from penstock.results.values import Encoder, decode, is_plain

MOST = 1 << 20

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
PLAIN = st.recursive(LEAVES, lambda tree: st.lists(tree) | st.dictionaries(st.text(), tree))


class Colour(StrEnum):
    RED = "red"


class Pair(NamedTuple):
    left: int
    right: int


@dataclass
class Holder:
    rows: list[int] = field(default_factory=lambda: list(range(1_000)))


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


OPAQUE = [
    (1, 2),
    [(1, 2)],
    {"a": (1,)},
    {1: "a"},
    {None: 1},
    [math.nan],
    [math.inf],
    [2**64],
    [-(2**63) - 1],
    ["\ud800"],
    "\ud800",
    {"\udfff": 1},
    [b"bytes inside"],
    {1, 2},
    [Colour.RED],
    {Colour.RED: 1},
    Pair(1, 2),
    OrderedDict(a=1),
    [date(2026, 1, 1)],
    Holder(),
    bytearray(b"changes"),
    memoryview(b"changes"),
    7,
    None,
    nested(300),
    endless(),
]


class TestPlain:
    @given(st.lists(PLAIN) | st.dictionaries(st.text(), PLAIN))
    def test_a_plain_value_comes_back_equal_and_of_the_same_types(self, value: Any) -> None:
        made = Encoder(MOST, rest=None).encode_plain(value)
        assert made is not None
        kind, data = made
        assert kind == "json"
        assert repr(decode(kind, data)) == repr(value)

    @pytest.mark.parametrize("value", OPAQUE, ids=lambda value: type(value).__name__)
    def test_what_json_would_change_is_opaque(self, value: object) -> None:
        assert Encoder(MOST, rest=None).encode_plain(value) is None

    @pytest.mark.parametrize(("value", "kind"), [(b"\xff\0", "bytes"), ("blåbær", "text")])
    def test_bytes_and_text_are_their_own_bytes(self, value: object, kind: str) -> None:
        made = Encoder(MOST, rest=None).encode_plain(value)
        assert made is not None
        assert made[0] == kind
        assert decode(*made) == value

    def test_a_value_of_more_nodes_than_bytes_are_allowed_is_not_walked(self) -> None:
        shared: list[Any] = [1] * 10
        for _ in range(100):  # 2^100 nodes, in a hundred lists
            shared = [shared, shared]
        assert not is_plain(shared, 1_000)

    def test_a_value_that_changes_meanwhile_is_not_taken(self) -> None:
        value = {str(number): number for number in range(50_000)}

        def meddle(_: float) -> None:
            value["0"] = math.nan

        made = Encoder(MOST, rest=meddle).encode_plain(value)
        assert made is None or "NaN" not in made[1].decode()


class TestSlices:
    @pytest.mark.parametrize(
        "value",
        [
            [{"row": number, "text": "x" * 100} for number in range(5_000)],
            {f"key {number}": "x" * 100 for number in range(5_000)},
            [],
            {},
            [[]],
            [[1] * 100_000],
            {
                "status": "ok",
                "hits": [{"id": n, "text": "y" * 50} for n in range(9_000)],
                "next": None,
            },
            [{}, {"a": {"b": [["z" * 10] * 20_000, {}]}}],
            list(range(40_000)),
        ],
    )
    def test_slices_make_the_same_json_as_one_go(self, value: Any) -> None:
        rests: list[float] = []
        assert Encoder(8 * MOST, rests.append).encode_plain(value) == ("json", encode(value))
        assert all(0 < rest < 0.001 for rest in rests)

    def test_a_large_value_is_made_in_many_slices(self) -> None:
        rests: list[float] = []
        Encoder(8 * MOST, rests.append).encode_plain({"rows": ["x" * 1_000] * 2_000})
        assert len(rests) > 20

    def test_a_value_without_json_names_where(self) -> None:
        with pytest.raises(TypeError, match="object"):
            Encoder(MOST, rest=None).encode_any([object()])


class TestMeasure:
    def test_bytes_are_exact(self) -> None:
        assert measure(b"x" * 1_000)[0] == 1_000

    @pytest.mark.parametrize("value", [None, True, 7, 1.5])
    def test_what_is_always_small_takes_nothing(self, value: object) -> None:
        encoded, resident = measure(value)
        assert 0 < encoded <= 8
        assert resident == 0

    @pytest.mark.parametrize(
        "value",
        [
            [{"id": number, "name": f"name {number}"} for number in range(1_000)],
            ["x" * 50] * 5_000,
            {f"key {number}": number for number in range(5_000)},
            {"rows": [[1, 2, 3] for _ in range(2_000)]},
        ],
    )
    def test_json_is_estimated_within_a_factor_of_two(self, value: object) -> None:
        assert len(encode(value)) / 2 <= measure(value)[0] <= 2 * len(encode(value))

    def test_memory_is_more_than_json_for_small_parts(self) -> None:
        encoded, resident = measure([{"id": number} for number in range(1_000)])
        assert resident > 2 * encoded

    def test_an_object_counts_with_what_it_holds(self) -> None:
        assert measure(Holder())[0] > 2_000

    @pytest.mark.parametrize("value", [(1,) * 100, {1, 2}, frozenset("ab"), endless(), object()])
    def test_any_value_has_a_size(self, value: object) -> None:
        encoded, resident = measure(value)
        assert encoded >= 0
        assert resident >= 0

    def test_buffers_count_their_bytes(self) -> None:
        assert measure(bytearray(100_000))[0] >= 100_000
        assert sys.getsizeof(memoryview(bytes(100_000))) < 1_000
        assert measure(memoryview(bytes(100_000)))[0] >= 100_000
