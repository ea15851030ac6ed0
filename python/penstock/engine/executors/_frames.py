"""Values as length-prefixed pickles, on the sockets between an engine and its worker processes."""

import pickle
import struct

MOST_BYTES = 64 * 1024 * 1024
"""What one job or one answer may have: beyond it, a file or a store is the better way."""

_LENGTH = struct.Struct("<I")
_PROTOCOL = 5


class FrameTooLong(ValueError):
    """A value is larger than what may go over the socket."""


def pack(value: object) -> bytes:
    """Return a value as a frame.

    Raises:
        FrameTooLong: it takes more than `MOST_BYTES`.
        Exception: whatever pickling it raises.
    """
    body = pickle.dumps(value, _PROTOCOL)
    if len(body) > MOST_BYTES:
        raise FrameTooLong(f"it takes {len(body):,} bytes; at most {MOST_BYTES:,} can be sent")
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Cuts what comes from a socket into frames."""

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self._rest = bytearray()

    def cut(self, data: bytes) -> list[bytearray]:
        """Return the bodies that are complete with `data`, in order.

        Raises:
            FrameTooLong: the other side is no peer of ours; nothing after it can be read.
        """
        rest, at, bodies = self._rest, 0, []
        rest += data
        while len(rest) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(rest, at)
            if length > MOST_BYTES:
                raise FrameTooLong(f"a frame announces {length:,} bytes")
            end = at + _LENGTH.size + length
            if end > len(rest):
                break
            bodies.append(rest[at + _LENGTH.size : end])
            at = end
        del rest[:at]
        return bodies
