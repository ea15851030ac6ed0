"""What a backend of results answers: values that other processes read. None is here yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a stored value without its bytes.

    Attributes:
        size: bytes of the value, unpacked.
        frames: parts of at most 1 MiB that can be read by themselves.
        media_type: what the bytes are; empty if nobody said.
        expires_in: seconds.
    """

    size: int
    frames: int
    media_type: str
    expires_in: float


class ResultBackend(Protocol):
    """Where processes share values.

    Ids are 128 random bits below the tenant; whoever opens one is authorized by the caller's side. A
    description is written last, so that a reader sees all of a value or nothing.
    """

    async def put(self, tenant: str, id: str, parcel: bytes, ttl: float) -> None:
        """Store a packed value for `ttl` seconds; the same id again is the same value."""
        ...

    async def get(
        self, tenant: str, id: str, first: int = 0, count: int | None = None
    ) -> Sequence[bytes]:
        """Return frames of a value, packed, from `first` on; `ResultUnreadable` if it is not there."""
        ...

    async def describe(self, tenant: str, id: str) -> Description | None:
        """Return what is known of a value; None if it is not there."""
        ...

    async def drop(self, tenant: str, id: str) -> None:
        """Forget a value; nothing if it is not there."""
        ...

    async def aclose(self) -> None:
        """Give back the connections."""
        ...
