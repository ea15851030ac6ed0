"""`Draft`: one call that the model is writing."""

from penstock._codec import decode, encode
from penstock._native import JsonStream
from penstock.calls import Call
from penstock.errors import BadJson
from penstock.formats._reply import arguments
from penstock.formats._streams.events import ArgClosed, ArgDelta, ReplyEvent


class Draft:
    """A call that is being written: its pieces, and what of them is complete.

    Arguments that cannot be read on are collected all the same: the call is made of exactly what the
    model sent, and is rejected for the reason that the whole reply would be.

    Attributes:
        index: the number of the call in its reply.
        place: sorts the calls of a reply as the whole reply has them.
        told: the call as `CallClosed` told it; None before.
    """

    __slots__ = ("_free", "_pieces", "_stream", "id", "index", "name", "place", "told")

    def __init__(
        self, index: int, place: int, id: str | None, name: str, *, free: bool = False
    ) -> None:
        self.index = index
        self.place = place
        self.id = id
        self.name = name
        self.told: Call | None = None
        self._free = free
        self._pieces: list[str] = []
        self._stream = None if free else JsonStream()

    @property
    def is_complete(self) -> bool:
        """Whether the arguments are an object that has ended."""
        return self._stream is not None and self._stream.ended

    @property
    def is_blank(self) -> bool:
        """Whether nothing of the arguments came yet."""
        return all(not piece or piece.isspace() for piece in self._pieces)

    def feed(self, text: str, events: list[ReplyEvent]) -> None:
        """Add a piece, and to `events` what it completed."""
        if not text:
            return
        self._pieces.append(text)
        events.append(ArgDelta(self.index, text))
        if self._stream is None:
            return
        try:
            closed = self._stream.feed(text)
        except BadJson:
            self._stream = None
            return
        for path, json in closed:
            if path:
                events.append(ArgClosed(self.index, path, decode(json)))

    def settle(self, text: str, events: list[ReplyEvent]) -> None:
        """Take `text` as the whole of the arguments, whatever came before."""
        known = "".join(self._pieces)
        if not text.startswith(known):
            self._pieces.clear()
            self._stream = None if self._free else JsonStream()
            known = ""
        self.feed(text[len(known) :], events)

    def call(self) -> Call:
        """Return the call, made of what came."""
        text = "".join(self._pieces)
        given = encode({"input": text}) if self._free else arguments(text)
        return Call(self.name, given, id=self.id)
