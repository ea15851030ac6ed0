"""`Reader`: what the readers of all formats share: pieces in, events out, one end."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from penstock.calls import Call
from penstock.errors import BadReply
from penstock.formats._reply import Repeated, Unreadable
from penstock.formats._streams.draft import Draft
from penstock.formats._streams.events import (
    BROKEN,
    CallClosed,
    MessageEnd,
    ReplyEvent,
    ToolStart,
)
from penstock.formats._streams.fields import field
from penstock.formats._streams.sse import DONE, pieces

_RAW = (str, bytes, bytearray, memoryview)


@dataclass(frozen=True, slots=True)
class ReaderStatistics:
    """What a reader has read.

    Attributes:
        pieces: pieces that were fed, those after the end included.
        unknown: pieces of a type that this format does not know; they were passed over.
        calls: calls that were told as complete.
    """

    pieces: int
    unknown: int
    calls: int


class Reader(ABC):
    """Reads one streamed reply, piece by piece. Made by a format's `reader()`.

    It belongs to one reply, is used by one at a time, and holds nothing that must be closed.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self._events: list[ReplyEvent] = []
        self._drafts: list[Draft] = []
        self._reason: str | None = None
        self._ended = False
        self._pieces = 0
        self._unknown = 0

    def feed(self, chunk: object) -> list[ReplyEvent]:
        """Read a piece; return what became certain, in order.

        Args:
            chunk: an object of the SDK's stream, a decoded dict, or one or more whole lines of the
                raw stream as str or bytes.

        Raises:
            BadReply: the piece cannot be read; names the path. Events of earlier pieces are not
                lost by that, and later pieces can be read.
        """
        try:
            if isinstance(chunk, _RAW):
                for piece in pieces(chunk):
                    self._take(piece)
            else:
                self._take(chunk)
        except Unreadable as fault:
            raise BadReply(self.name, fault.path, fault.reason) from None
        return self._told()

    def finish(self, *, broken: bool = False) -> list[ReplyEvent]:
        """Say that no more pieces come; return what that made certain. Safe to repeat.

        Args:
            broken: whether the stream was cut. It also counts as cut when the provider did not say
                that it had ended.
        """
        self._end(BROKEN if broken else self._reason or BROKEN)
        return self._told()

    @property
    def calls(self) -> list[Call]:
        """The calls that are complete so far, in the order in which the whole reply has them."""
        drafts = sorted(self._drafts, key=lambda draft: (draft.place, draft.index))
        return [draft.told for draft in drafts if draft.told is not None]

    @property
    def order(self) -> list[int]:
        """The indexes of these calls, in the same order."""
        drafts = sorted(self._drafts, key=lambda draft: (draft.place, draft.index))
        return [draft.index for draft in drafts if draft.told is not None]

    @property
    def ended(self) -> bool:
        """Whether `MessageEnd` was told."""
        return self._ended

    def statistics(self) -> ReaderStatistics:
        """Return what was read so far."""
        closed = sum(draft.told is not None for draft in self._drafts)
        return ReaderStatistics(self._pieces, self._unknown, closed)

    @abstractmethod
    def _read(self, chunk: object) -> None:
        """Read one piece: decoded JSON, or an SDK's object."""

    def _take(self, piece: object) -> None:
        self._pieces += 1
        if self._ended:
            return  # some servers send usage, pings or `[DONE]` after the end
        if piece is DONE:
            self._end(self._reason or "stop")
        elif not _is_object(piece):
            raise Unreadable("", "must be an object, or a line of a stream")
        elif field(piece, "error"):
            self._end(BROKEN)  # the provider gave up in the middle of the stream
        else:
            self._read(piece)

    def _told(self) -> list[ReplyEvent]:
        events, self._events = self._events, []
        return events

    def _pass_over(self) -> None:
        self._unknown += 1

    def _start(self, place: int | None, id: str | None, name: str, *, free: bool = False) -> Draft:
        """A call has begun; without a place it comes after those before it."""
        index = len(self._drafts)
        draft = Draft(index, index if place is None else place, id, name, free=free)
        self._drafts.append(draft)
        self._events.append(ToolStart(index, f"call-{index}" if id is None else id, name))
        return draft

    def _close(self, draft: Draft, call: Call | None = None) -> None:
        """A call is complete."""
        draft.told = draft.call() if call is None else call
        self._events.append(CallClosed(draft.index, draft.told))

    def _close_rest(self) -> None:
        """At the end: what is open is cut, as it would be in the whole reply."""
        for draft in self._drafts:
            if draft.told is None:
                self._close(draft)

    def _end(self, reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        if reason != BROKEN:
            self._close_rest()
        self._events.append(MessageEnd(reason))


def _is_object(piece: object) -> bool:
    if type(piece) is dict:
        return True
    return hasattr(type(piece), "model_dump") or isinstance(piece, (Mapping, Repeated))
