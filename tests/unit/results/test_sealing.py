"""`Seal`: blocks open alone, at their own place, under their own key, and nowhere else."""

import os

import pytest

from penstock.results.ciphers import CIPHERS
from penstock.results.keys import Keyring
from penstock.results.sealing import BLOCK_BYTES, TAG_BYTES, Seal, sealed_length, sealed_range

ID = bytes(16)
SIZES = [1, 100, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 7]


def seal(key: bytes = bytes(32), header: bytes = bytes(64)) -> Seal:
    return Seal(CIPHERS.get("aes_gcm").box(key, header))


@pytest.mark.parametrize("size", SIZES)
def test_a_body_comes_back(size: int) -> None:
    body = os.urandom(size)
    sealed = b"".join(seal().seal_body(64, ID, body))
    assert len(sealed) == sealed_length(size)
    assert seal().open_blocks(64, ID, 0, sealed) == body


@pytest.mark.parametrize("size", SIZES)
def test_a_range_needs_its_own_blocks_only(size: int) -> None:
    body = os.urandom(size)
    sealed = b"".join(seal().seal_body(64, ID, body))
    start = size // 2
    begin, length = sealed_range(start, size - start, size)
    opened = seal().open_blocks(64, ID, start, sealed[begin : begin + length])
    assert opened is not None
    assert opened[start % BLOCK_BYTES :] == body[start:]


def test_a_label_comes_back() -> None:
    assert seal().open_label(8, ID, seal().seal_label(8, ID, b"whose")) == b"whose"


@pytest.mark.parametrize(
    ("other", "offset", "id"),
    [
        (seal(key=b"k" * 32), 64, ID),
        (seal(header=b"h" * 64), 64, ID),
        (seal(), 72, ID),
        (seal(), 64, b"i" * 16),
    ],
)
def test_another_key_segment_place_or_record_opens_nothing(
    other: Seal, offset: int, id: bytes
) -> None:
    sealed = b"".join(seal().seal_body(64, ID, b"secret"))
    assert other.open_blocks(offset, id, 0, sealed) is None


def test_blocks_cannot_change_places() -> None:
    blocks = seal().seal_body(64, ID, os.urandom(2 * BLOCK_BYTES))
    assert seal().open_blocks(64, ID, 0, b"".join(reversed(blocks))) is None


def test_a_changed_byte_is_seen() -> None:
    sealed = bytearray(b"".join(seal().seal_body(64, ID, b"x" * 100)))
    sealed[50] ^= 1
    assert seal().open_blocks(64, ID, 0, bytes(sealed)) is None
    assert len(sealed) == 100 + TAG_BYTES


def test_a_ring_seals_with_its_newest_key_and_opens_with_all() -> None:
    ring = Keyring({"old": b"o" * 32})
    ring.add("new", b"n" * 32)
    assert ring.newest == "new"
    old = ring.seal("old", bytes(64))
    assert old is not None
    assert old.open_label(0, ID, seal(key=b"o" * 32).seal_label(0, ID, b"x")) == b"x"


def test_a_key_that_is_not_here_opens_nothing() -> None:
    assert Keyring({}).seal("gone", bytes(64)) is None
