"""The seam to packing: parcels of values, whole and in part, and what is said of them."""

import os

import pytest

from penstock.errors import ResultUnreadable
from penstock.results._packing import Packing
from penstock.results.origin import Origin

MIB = 1 << 20
ORIGIN = Origin("query", "application/json")
TEXT = b'{"rows":[1,2,3]}' * 5_000
NOISE = os.urandom(100_000)


@pytest.fixture
def packing() -> Packing:
    return Packing(4 * MIB)


def read_at(parcel: bytes, start: int, count: int) -> bytes:
    return parcel[start : start + count]


@pytest.mark.parametrize("value", [TEXT, NOISE, b"", b"x"])
def test_a_value_comes_back_with_what_it_stands_for(packing: Packing, value: bytes) -> None:
    parcel = b"".join(packing.pack("text", value, ORIGIN))
    assert packing.unpack(parcel, ORIGIN) == ("text", value)


def test_what_packing_makes_smaller_is_one_piece(packing: Packing) -> None:
    (parcel,) = packing.pack("json", TEXT, ORIGIN)
    assert len(parcel) < len(TEXT) / 3


def test_what_it_does_not_is_a_header_and_the_value_itself(packing: Packing) -> None:
    _header, value = packing.pack("bytes", NOISE, ORIGIN)
    assert value is NOISE


@pytest.mark.parametrize("value", [TEXT, NOISE])
@pytest.mark.parametrize(("start", "count"), [(0, 10), (99, 50_000), (99_990, 100), (10 * MIB, 1)])
def test_a_part_is_read_alone(packing: Packing, value: bytes, start: int, count: int) -> None:
    parcel = b"".join(packing.pack("bytes", value, ORIGIN))
    got = packing.read(lambda s, n: read_at(parcel, s, n), len(parcel), start, count, ORIGIN)
    assert got == value[start : start + count]


def test_a_part_of_a_large_value_needs_a_part_of_its_parcel(packing: Packing) -> None:
    value = b"".join(b"%d," % number for number in range(500_000))
    parcel = b"".join(packing.pack("bytes", value, ORIGIN))
    fetched = 0

    def read(start: int, count: int) -> bytes:
        nonlocal fetched
        fetched += count
        return read_at(parcel, start, count)

    assert packing.read(read, len(parcel), 2 * MIB, 100, ORIGIN) == value[2 * MIB :][:100]
    assert fetched < len(parcel) / 2


@pytest.mark.parametrize("value", [TEXT, NOISE])
def test_a_parcel_says_what_it_holds(packing: Packing, value: bytes) -> None:
    parcel = b"".join(packing.pack("bytes", value, ORIGIN))
    info = packing.describe(lambda s, n: read_at(parcel, s, n), len(parcel))
    assert (info.form, info.raw_length) == ("bytes", len(value))
    assert (info.codec == "raw") is (value is NOISE)
    if info.codec == "raw":
        assert parcel[info.header_length :] == NOISE


@pytest.mark.parametrize("value", [TEXT, NOISE])
def test_a_changed_byte_is_unreadable(packing: Packing, value: bytes) -> None:
    parcel = bytearray(b"".join(packing.pack("bytes", value, ORIGIN)))
    parcel[-5] ^= 1
    with pytest.raises(ResultUnreadable):
        packing.unpack(bytes(parcel), ORIGIN)


def test_a_parcel_that_claims_too_much_is_unreadable(packing: Packing) -> None:
    parcel = b"".join(packing.pack("bytes", bytes(2 * MIB), ORIGIN))
    with pytest.raises(ResultUnreadable):
        Packing(MIB).unpack(parcel, ORIGIN)


def test_what_is_no_parcel_is_unreadable(packing: Packing) -> None:
    with pytest.raises(ResultUnreadable):
        packing.describe(lambda s, n: b"nothing of the kind"[s : s + n], 19)
