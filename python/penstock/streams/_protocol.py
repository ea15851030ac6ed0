"""What a watcher reads, and what a stream is kept in when other processes watch too."""

from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from penstock.events import Event

Look = Literal["records", "gap", "nothing", "end"]


class StreamLog(Protocol):
    """A log that can be read from any position. The native logs of batches and engines are some."""

    def __len__(self) -> int:
        """The number of the newest event."""

    def position(self, after: int | None) -> int:
        """Return where somebody begins who knows the events up to `after`; None: from now.

        Raises:
            StreamPosition: there is no such event yet; the caller acts.
            StreamExpired: the log is gone; the caller acts.
        """

    def read(
        self,
        after: int,
        limit: int,
        kinds: int = ...,
        calls: bytes | None = ...,
        values: bool = ...,
    ) -> tuple[Look, int, list[Event]]:
        """Return what follows event `after`: why there is nothing, or the new position and events.

        Args:
            after: the cursor.
            limit: records to pass at most, wanted or not.
            kinds: a bit for each wanted type, in the order of the core's kinds.
            calls: a byte a call: 0 for those whose events are not wanted; None for all.
            values: whether the events carry outcomes.
        """

    def grown(self, after: int) -> Future[None]:
        """Return a future that is done when something follows event `after`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One event as its owner has encoded it.

    Attributes:
        seq: its number.
        json: the event; never encoded again.
    """

    seq: int
    json: bytes


@dataclass(frozen=True, slots=True)
class Appended:
    """What came of an append.

    Attributes:
        last: the newest number that is stored.
        fenced: a newer owner has written: nothing was stored, and this owner must stop.
    """

    last: int
    fenced: bool = False


class StreamBackend(Protocol):
    """Keeps streams for other processes. Numbers have no holes but those that a snapshot covers.

    Ground rules: one owner appends to a stream; its epoch fences an owner that was given up. An
    append that is repeated changes nothing. Tenant and id are part of the key: nobody reads another
    tenant's stream by its id.
    """

    async def append(
        self, tenant: str, stream: str, epoch: int, events: Sequence[Stored]
    ) -> Appended:
        """Store events that follow the last one; those that are stored already are skipped.

        Raises:
            OSError: the backend is away; nothing or all was stored; the same append may be repeated.
        """

    async def keep_snapshot(
        self, tenant: str, stream: str, epoch: int, seq: int, json: bytes
    ) -> Appended:
        """Replace the stream's snapshot by one as of `seq`."""

    async def read(self, tenant: str, stream: str, after: int, count: int) -> Sequence[Stored]:
        """Return at most `count` events that follow `after`; the first may be later: a gap."""

    async def snapshot(self, tenant: str, stream: str) -> Stored | None:
        """Return the last snapshot, with its number."""

    async def wait(self, tenant: str, stream: str, after: int, timeout: float) -> bool:
        """Wait until something may follow `after`; False when `timeout` seconds have passed."""

    async def finish(self, tenant: str, stream: str, epoch: int, keep: float) -> None:
        """Say that nothing follows; the stream is forgotten after `keep` seconds."""
