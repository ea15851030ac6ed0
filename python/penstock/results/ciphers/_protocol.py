"""What a cipher is: from a key and a segment's salt it makes a box that seals that segment's bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Box(Protocol):
    """Seals and opens bytes under one key, which is one segment's alone."""

    def seal(self, nonce: bytes, data: bytes | memoryview, context: bytes) -> bytes:
        """Return `data` sealed, 16 bytes longer.

        Args:
            nonce: 12 bytes that were never used with this box before.
            data: what is hidden.
            context: what is not hidden, and must be the same to open it.
        """
        ...

    def open(self, nonce: bytes, data: bytes | memoryview, context: bytes) -> bytes | None:
        """Return what was sealed; None if the key, the nonce, the context or a byte is another."""
        ...


@dataclass(frozen=True, slots=True)
class Cipher:
    """A way to seal segments.

    Attributes:
        name: its file's name.
        box: makes the box of one segment, from a key of 32 bytes and the segment's salt.
    """

    name: str
    box: Callable[[bytes, bytes], Box]
