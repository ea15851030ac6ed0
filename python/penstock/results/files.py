"""`SegmentFile`: one open segment. Written once from its beginning, read by `pread` or as a map.

Ground rules:

- One thread writes; any may read what it knows the place of. The file is allocated whole when it is
  made, so that a full disk is an error then, and each page of the map is backed. It is never truncated,
  and nothing is written twice at one place.
- A map with views that somebody holds cannot be closed; `close` says so, and is asked again later. The
  file has lost its name by then, and the disk gets its bytes back with the last view.
- Values are read by `pread`: pages that are touched through the map would count as ours for ever.
"""

import contextlib
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

from penstock.results.sealing import Seal

WRITE_BYTES = 1 << 18
"""The most that is written by one call of the system."""


class SegmentFile:
    """A file of records; see the ground rules."""

    def __init__(
        self, descriptor: int, size: int, nonce: int, seal: Seal | None, path: Path | None
    ) -> None:
        """Take an open file whose header is written.

        Args:
            descriptor: is closed by `close`.
            size: bytes of the file.
            nonce: of its header.
            seal: None if its records are not sealed.
            path: None if it has no name any more.
        """
        self.size = size
        self.nonce = nonce
        self.seal = seal
        self.readers = 0
        """Reads that are under way; the owner counts them."""
        self.dictionaries: dict[int, bytes] = {}
        """By id: those that its parcels need and that lie in it."""
        self._path = path
        self._descriptor: int | None = None  # the caller's, until there is a map
        self._map: mmap.mmap | None = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ)
        self._descriptor = descriptor

    def write(self, pieces: Sequence[bytes], offset: int) -> None:
        """Write all pieces, one after the other.

        Raises:
            OSError: the disk fails.
        """
        write(self._open, pieces, offset)

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes of the file.

        Raises:
            OSError: the disk fails, or the file is shorter than it was.
        """
        data = os.pread(self._open, count, offset)
        while len(data) < count:  # a signal, or 2 GiB at once
            more = os.pread(self._open, count - len(data), offset + len(data))
            if not more:
                raise OSError(f"the file ends {count - len(data)} bytes early")
            data += more
        return data

    def view(self, offset: int, count: int) -> memoryview:
        """Return bytes of the map itself."""
        if self._map is None:
            raise OSError("the file was closed")
        return memoryview(self._map)[offset : offset + count]

    def expect(self, offset: int, count: int) -> None:
        """Have the system fetch what will be read soon."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._open, offset, count, os.POSIX_FADV_WILLNEED)

    @property
    def _open(self) -> int:
        if self._descriptor is None:
            raise OSError("the file was closed")
        return self._descriptor

    def close(self) -> bool:
        """Close the file and remove it; false if somebody still looks at the map."""
        self._remove()
        if self._map is not None:
            try:
                # Before the descriptor: who closes the last one waits until the disk has its bytes
                # back, and only `os.close` lets others run meanwhile.
                self._map.close()
            except BufferError:
                return False
            self._map = None
        self._close_descriptor()
        return True

    def abandon(self, *, keep: bool) -> None:
        """Close the file; its map ends with the last view."""
        if not keep:
            self._remove()
        with contextlib.suppress(BufferError):
            if self._map is not None:
                self._map.close()
        self._map = None
        self._close_descriptor()

    def __del__(self) -> None:
        self._close_descriptor()  # of a store that was forgotten

    def _close_descriptor(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _remove(self) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):  # somebody else has removed it
                self._path.unlink()
            self._path = None


def allocate(descriptor: int, size: int) -> None:
    """Give a file all its bytes, zeros.

    Raises:
        OSError: the disk is full, a quota is reached, or files may not be that large.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:  # macOS: a full disk is found when a page is written
        os.ftruncate(descriptor, size)


def write(descriptor: int, pieces: Sequence[bytes], offset: int) -> None:
    """Write all pieces, one after the other, `WRITE_BYTES` at a time."""
    for group in _groups(pieces):
        rest = group
        while rest:
            written = os.pwritev(descriptor, rest, offset)
            offset += written
            rest = _after(rest, written)


def _groups(pieces: Sequence[bytes]) -> list[list[memoryview]]:
    groups, room = [list[memoryview]()], WRITE_BYTES
    for piece in pieces:
        view = memoryview(piece)
        while view:
            if not room:
                groups.append([])
                room = WRITE_BYTES
            part, view = view[:room], view[room:]
            groups[-1].append(part)
            room -= len(part)
    return groups


def _after(views: list[memoryview], written: int) -> list[memoryview]:
    """Return what is left of some buffers when so many bytes of them were written."""
    rest = []
    for view in views:
        if written < len(view):
            rest.append(view[written:])
        written = max(0, written - len(view))
    return rest
