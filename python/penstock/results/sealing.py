"""`Seal`: what encryption at rest does to the records of one segment.

A label, and each `BLOCK_BYTES` of a body, is sealed by itself, so that a range can be read without the
rest. The key is this segment's alone. A block's number follows from its place, which is written once,
so that none is used twice; the record's id is sealed along, so that a block fits no other record.
"""

import struct
from typing import Final

from penstock.results.ciphers import Box

TAG_BYTES: Final = 16
BLOCK_BYTES: Final = 256 << 10
"""How much is decrypted to read one byte: about 35 µs."""

_LABEL: Final = 0


def sealed_length(length: int) -> int:
    """Return how many bytes a body has when it is sealed.

    Example:
        >>> sealed_length(BLOCK_BYTES + 1) - BLOCK_BYTES
        33
    """
    return length + TAG_BYTES * -(-length // BLOCK_BYTES)


def plain_length(sealed: int) -> int:
    """Return how many bytes a sealed body has when it is opened.

    Example:
        >>> plain_length(sealed_length(1_000_000))
        1000000
    """
    return sealed - TAG_BYTES * -(-sealed // (BLOCK_BYTES + TAG_BYTES))


def sealed_range(start: int, count: int, length: int) -> tuple[int, int]:
    """Return the sealed bytes that hold a range of a body of `length` bytes: from, how many."""
    first, last = start // BLOCK_BYTES, -(-(start + count) // BLOCK_BYTES)
    begin = first * (BLOCK_BYTES + TAG_BYTES)
    end = min(last * (BLOCK_BYTES + TAG_BYTES), sealed_length(length))
    return begin, end - begin


class Seal:
    """Seals and opens the records of one segment."""

    __slots__ = ("_box",)

    def __init__(self, box: Box) -> None:
        """Use the box of that segment."""
        self._box = box

    def seal_label(self, offset: int, id: bytes, label: bytes) -> bytes:
        """Return the label of the record at `offset`, sealed."""
        return self._box.seal(_nonce(offset, _LABEL), label, id)

    def open_label(self, offset: int, id: bytes, sealed: bytes) -> bytes | None:
        """Return a label as it was; None if it was changed, or the key is another."""
        return self._box.open(_nonce(offset, _LABEL), sealed, id)

    def seal_body(self, offset: int, id: bytes, body: bytes) -> list[bytes]:
        """Return the body of the record at `offset`, block by block."""
        view = memoryview(body)
        return [
            self._box.seal(
                _nonce(offset, number + 1), view[number * BLOCK_BYTES :][:BLOCK_BYTES], id
            )
            for number in range(-(-len(body) // BLOCK_BYTES))
        ]

    def open_blocks(self, offset: int, id: bytes, start: int, sealed: bytes) -> bytes | None:
        """Return the blocks that begin with the one of byte `start`; None as for `open_label`.

        Args:
            offset: of the record.
            id: of the record.
            start: a byte of the body, before it was sealed.
            sealed: whole blocks, from that byte's on; see `sealed_range`.
        """
        view, first, opened = memoryview(sealed), start // BLOCK_BYTES, []
        step = BLOCK_BYTES + TAG_BYTES
        for number in range(-(-len(sealed) // step)):
            nonce = _nonce(offset, first + number + 1)
            block = self._box.open(nonce, view[number * step :][:step], id)
            if block is None:
                return None
            opened.append(block)
        return opened[0] if len(opened) == 1 else b"".join(opened)


def _nonce(offset: int, number: int) -> bytes:
    return struct.pack("<QI", offset, number)
