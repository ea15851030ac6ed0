"""Values as the store sees them: whether they may leave memory, and as which bytes.

Demotion depends on memory pressure, so it must never change a value. Only *plain* values leave memory:
bytes, str, and trees of exact dict (keys are exact str), list, str, int of 64 bits, finite float, bool
and None. JSON gives back an equal value for those. All else is *opaque* and stays an object: orjson
would turn a tuple into a list and NaN into null without a word.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal

from penstock._codec import decode as decode_json
from penstock._codec import encode, encode_exactly
from penstock._native import measure

Kind = Literal["bytes", "text", "json"]

DEEPEST = 250
"""Levels of a plain value; `_codec` encodes as many."""

SLICE_BYTES = 64 << 10
"""How much JSON is made in one go: about 100 µs under the interpreter's lock."""

_LEAVES = frozenset({str, int, float, bool, type(None)})
_PLAIN = _LEAVES | {dict, list}
_LONGEST_STALL = 250e-6
_REST = 20e-6
_NODES_AT_ONCE = 1_024
_DEEPEST_SLICES = 8


def is_plain(value: object, most: int, rest: Callable[[], object] = lambda: None) -> bool:
    """Return whether JSON gives this value back equal, as far as orjson does not refuse it itself.

    orjson refuses lone surrogates and whole numbers over 64 bits by itself.

    Args:
        value: anything.
        most: nodes to look at; a value of more is not plain, such as one that contains itself.
        rest: called now and then, so that others get the interpreter.
    """
    level, seen, pause = [value], 0, _NODES_AT_ONCE
    for _ in range(DEEPEST):
        inside = list[Any]()
        for parent in level:
            for chunk, allowed in _chunks(parent):
                kinds = set(map(type, chunk))
                seen += len(chunk)
                if seen > most or not kinds <= allowed:
                    return False
                if float in kinds and not _are_finite(chunk):
                    return False
                if not kinds.isdisjoint(_CONTAINERS):
                    inside += [child for child in chunk if type(child) in _CONTAINERS]
                if seen > pause:
                    pause = seen + _NODES_AT_ONCE
                    rest()
        if not inside:
            return True
        level = inside
    return False


def _chunks(parent: Any) -> Iterator[tuple[Sequence[Any], frozenset[object]]]:
    """Yield what is in a container, a part at a time, with the types that it may have there."""
    if type(parent) is list and len(parent) <= _NODES_AT_ONCE:
        yield parent, _PLAIN
        return
    rows = [(parent, _STRINGS), (parent.values(), _PLAIN)] if type(parent) is dict else []
    for children, allowed in rows or [(parent, _PLAIN)]:
        items = iter(children)
        while chunk := list(islice(items, _NODES_AT_ONCE)):
            yield chunk, allowed


_CONTAINERS = frozenset({dict, list})
_STRINGS = frozenset({str})


def _are_finite(values: Iterable[Any]) -> bool:
    return all(math.isfinite(value) for value in values if type(value) is float)


def as_bytes(value: object) -> bytes | None:
    """Return the bytes of text and of what is bytes already, as everybody reads them; None of all else.

    A lone surrogate is no character, and becomes U+FFFD, as in JSON.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if not isinstance(value, str):
        return None
    try:
        return value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


class Encoder:
    """Makes the bytes of values, in slices, in a thread beside the loop.

    Between slices the thread sleeps for a moment: other threads would get the interpreter's lock only
    after its switch interval of 5 ms.
    """

    def __init__(self, most: int, rest: Callable[[float], object] | None = time.sleep) -> None:
        """Make an encoder.

        Args:
            most: bytes of the largest value.
            rest: sleeps; None on the loop itself.
        """
        self.stalled = 0.0
        """Seconds above 250 µs that single slices held the interpreter's lock."""
        self._most = most
        self._rest = rest

    def encode_plain(self, value: object) -> tuple[Kind, bytes] | None:
        """Return the bytes from which `decode` makes an equal value; None if there are none."""
        kind = type(value)
        if kind is bytes:
            return "bytes", value  # type: ignore[return-value]  # is bytes
        if kind is str:
            return _text(value)  # type: ignore[arg-type]  # is str
        if kind not in _CONTAINERS:
            return None
        try:
            if self.is_plain(value):
                return "json", b"".join(self.pieces(value))
        except (ValueError, RuntimeError):  # not exactly JSON; changed by its owner meanwhile
            pass
        return None

    def is_plain(self, value: object) -> bool:
        """Return whether JSON gives this value back equal, but for lone surrogates and such."""
        return type(value) in _CONTAINERS and is_plain(value, self._most, self._pause)

    def encode_any(self, value: object) -> bytes:
        """Return the bytes of any value, in one go: JSON, unless it is text or bytes already.

        Raises:
            BadValue: it has no JSON form; the author of the tool acts.
        """
        data = as_bytes(value)
        return self._timed(encode, value) if data is None else data

    def pieces(
        self, value: Any, write: Callable[[Any], bytes] = encode_exactly, depth: int = 0
    ) -> Iterator[bytes]:
        """Yield the JSON of a plain value, each piece made in about 100 µs.

        Args:
            value: plain.
            write: makes one piece, or raises what it likes.
            depth: of the value.
        """
        groups = _groups(value) if depth < _DEEPEST_SLICES else None
        if groups is None:
            yield self._timed(write, value)
            return
        is_dict = type(value) is dict
        yield b"{" if is_dict else b"["
        for number, group in enumerate(groups):
            if number:
                self._pause()
                yield b","
            if len(group) > 1:
                yield self._timed(write, group)[1:-1]
            elif is_dict:
                ((key, item),) = group.items()
                yield write(key) + b":"
                yield from self.pieces(item, write, depth + 1)
            else:
                yield from self.pieces(group[0], write, depth + 1)
        yield b"}" if is_dict else b"]"

    def _timed(self, write: Callable[[object], bytes], value: object) -> bytes:
        started = time.perf_counter()
        made = write(value)
        self.stalled += max(0.0, time.perf_counter() - started - _LONGEST_STALL)
        return made

    def _pause(self) -> None:
        if self._rest is not None:
            self._rest(_REST)


def decode(kind: Kind, data: bytes) -> object:
    """Return the value that these bytes were made of.

    Raises:
        ValueError: they were made of none.
    """
    if kind == "bytes":
        return data
    return data.decode() if kind == "text" else decode_json(data)


def _text(value: str) -> tuple[Kind, bytes] | None:
    try:
        return "text", value.encode()
    except UnicodeEncodeError:  # lone surrogates
        return None


def _groups(value: Any) -> Iterator[Any] | None:
    """Return the items of a large container in groups of about `SLICE_BYTES`; None for a small one.

    A group is a container of the same kind. Sizes are estimated: what is larger than it looked is made
    in one go, and counted.
    """
    if type(value) not in _CONTAINERS or not value:
        return None
    encoded, _ = measure(value)
    if encoded <= SLICE_BYTES:
        return None
    count = max(1, len(value) * SLICE_BYTES // encoded)
    starts = range(0, len(value), count)
    if type(value) is list:
        return (value[start : start + count] for start in starts)
    items = list(value.items())
    return (dict(items[start : start + count]) for start in starts)
