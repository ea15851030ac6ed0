"""Server-sent events: the pieces in raw lines of a stream.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html. All providers write an event's
data in one line, so a line is a piece, and no state is kept between lines.
"""

from collections.abc import Iterator
from typing import Final

from penstock.formats._reply import Unreadable, plain

DONE: Final = object()
"""Stands for `data: [DONE]`, which is no JSON."""

_FIELD = b"data:"
_JSON = (b"{", b"[")


def pieces(raw: str | bytes | bytearray | memoryview) -> Iterator[object]:
    """Iterate over the decoded data of whole lines, one or more; of JSON by itself, that.

    Raises:
        Unreadable: the data of a line is not JSON.
    """
    data = _encoded(raw)
    if data.lstrip().startswith(_JSON):
        yield plain(data)
        return
    # Lines of bytes end at \r and \n only. Lines of text would also end at U+2028, which models write.
    for line in data.splitlines():
        if not line.startswith(_FIELD):
            continue  # comments, names of events, blank lines
        payload = line[len(_FIELD) :].strip()
        if payload == b"[DONE]":
            yield DONE
        elif payload:
            yield plain(payload)


def _encoded(raw: str | bytes | bytearray | memoryview) -> bytes:
    if not isinstance(raw, str):
        return bytes(raw)
    try:
        return raw.encode()
    except UnicodeEncodeError as error:
        raise Unreadable("", f"is not text that can be read: {error.reason}") from None
