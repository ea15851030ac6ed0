"""The seam to packing: values to parcels and back. What a parcel is, the core decides."""

import os
from collections.abc import Callable, Sequence

from penstock._native import Packer, ParcelInfo, describe, needed, raw_header
from penstock.results.origin import Origin
from penstock.results.values import Kind

ReadAt = Callable[[int, int], bytes]
"""Reads bytes of a parcel: from where, how many."""

_HEADER_BYTES = 4096
_FRAME_BYTES = 1 << 20
_BYTES_A_FRAME = 8
_LONGEST_MEDIA_TYPE = 127
_MOST_THREADS = 4


class Packing:
    """Packs and unpacks values of up to `value_bytes`."""

    def __init__(self, value_bytes: int) -> None:
        """Make one packer, which any threads may use."""
        self._packer = Packer(threads=_threads())
        self._most = value_bytes
        # A header grows with the frames of its value.
        self._header_bytes = _HEADER_BYTES + _BYTES_A_FRAME * (value_bytes // _FRAME_BYTES)

    def pack(self, kind: Kind, data: bytes, origin: Origin) -> Sequence[bytes]:
        """Return a parcel: one piece if it was packed, header and value if that does not pay."""
        media_type, tenant = _media_type(origin), origin.tenant or ""
        parcel = self._packer.try_pack(data, origin.tool, media_type, tenant=tenant, form=kind)
        if parcel is not None:
            return [parcel]
        return [raw_header(data, media_type, kind), data]

    def describe(self, read: ReadAt, length: int) -> ParcelInfo:
        """Return what the header of a parcel says.

        Raises:
            ResultUnreadable: it is no parcel; the operator acts.
        """
        return describe(self._header(read, length), length)

    def dictionary(self, parcel: bytes, origin: Origin) -> tuple[int, bytes] | None:
        """Return the dictionary that a parcel needs: its id and its bytes."""
        id = describe(parcel).dictionary
        data = self._packer.dictionary(origin.tenant or "", id) if id else None
        return None if data is None else (id, data)

    def unpack(self, parcel: bytes, origin: Origin) -> tuple[Kind, bytes]:
        """Return what a parcel's bytes stand for, and the bytes.

        Raises:
            ResultUnreadable: they were changed, or are more than `value_bytes`; the operator acts.
            DictionaryMissing: what they need is not known; `learn` it.
        """
        data = self._packer.unpack(parcel, self._most, tenant=origin.tenant or "")
        return describe(parcel).form, data

    def read(self, read: ReadAt, length: int, start: int, count: int, origin: Origin) -> bytes:
        """Return a part of a value, checked, reading no more of its parcel than is needed.

        Raises:
            ResultUnreadable: see `unpack`.
        """
        header = self._header(read, length)
        begin, end = needed(header, start, count)
        part = read(begin, end - begin)
        tenant = origin.tenant or ""
        return self._packer.read_part(header, part, start, count, tenant=tenant)

    def _header(self, read: ReadAt, length: int) -> bytes:
        return read(0, min(length, self._header_bytes))

    def is_raw(self, header: bytes, kind: Kind, data: bytes, origin: Origin) -> bool:
        """Return whether these bytes are the value of a raw parcel with this header, unchanged."""
        return raw_header(data, _media_type(origin), kind) == header

    def learn(self, origin: Origin, dictionary: bytes) -> None:
        """Know a dictionary, for reading."""
        self._packer.know(origin.tenant or "", dictionary)

    def train(self) -> int:
        """Make the dictionaries for which there are samples; return how many are used from now on."""
        used = 0
        for tenant, tool in self._packer.due():
            dictionary = self._packer.train(tenant, tool)
            if dictionary is not None:
                self._packer.use(tenant, tool, dictionary)
                used += 1
        return used

    def statistics(self) -> dict[str, int]:
        """Return bytes in and out by codec, and what was not packed, by reason."""
        return self._packer.statistics()


def _threads() -> int:
    """Return how many threads share a large value: one processor is left to the loop."""
    return min(_MOST_THREADS, max(1, (os.cpu_count() or 1) - 1))


def _media_type(origin: Origin) -> str:
    """Return the media type as a parcel can say it; any other is none."""
    said = origin.media_type
    return (
        said if said.isascii() and said.isprintable() and len(said) <= _LONGEST_MEDIA_TYPE else ""
    )
