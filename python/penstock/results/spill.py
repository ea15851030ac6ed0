"""`Spill`: the files that values go to. What goes where, and what may go, is the core's `Segments`.

Ground rules:

- State: the open files by their number, the places alive in them, what waits to be closed. It changes
  under one guard, which is never held across a read or a write. `write`, `sweep` and what they call
  belong to one thread; `read`, `view` and `release` to any.
- A file goes when nothing alive is in it, nobody reads it and it takes no more. A map that somebody
  still looks at lingers, counts against the quota, and is tried again at each sweep.
- The brim: what does not fit into `disk_bytes`, or onto the disk, is not written; `write` returns None
  and the value stays in memory. An error of the system lowers the quota to what is held.
- With the last file that the quota allows, what is left in sparse ones is copied together.
- After `close` whoever releases the last place of a file closes it; the files of a `keep` folder stay.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from penstock._native import (
    Segments,
    record_bytes,
    record_head,
    segment_header,
)
from penstock.errors import ResultUnreadable
from penstock.results._guard import Guard
from penstock.results.files import SegmentFile, allocate, write
from penstock.results.folder import Claimed, Nameless
from penstock.results.keys import Keyring
from penstock.results.sealing import BLOCK_BYTES, TAG_BYTES, sealed_length, sealed_range
from penstock.results.statistics import SpillStatistics

RecordKind = Literal["parcel", "dictionary"]

logger = logging.getLogger("penstock.results")


@dataclass(frozen=True, slots=True)
class Room:
    """Room for a record.

    Attributes:
        segment: the number of its file.
        offset: where the record begins.
        taken: bytes of the record, with its padding.
    """

    segment: int
    offset: int
    taken: int


@dataclass(frozen=True, slots=True)
class Spot(Room):
    """Where a parcel lies.

    Attributes:
        body: where in the file it begins.
    """

    body: int


class Place:
    """A parcel on disk. The writer may move it to another spot."""

    __slots__ = ("dictionary", "id", "label", "length", "raw_at", "spot")

    def __init__(self, id: bytes, label: bytes, length: int, spot: Spot, dictionary: int) -> None:
        self.id = id
        self.label = label
        self.length = length
        """Bytes of the parcel, before it is sealed."""
        self.spot = spot
        self.dictionary = dictionary
        """What it is packed with; 0 for none."""
        self.raw_at = 0
        """Where in the parcel its value lies as it is, to its end; 0 if it is packed."""


class Spill:
    """See the ground rules."""

    def __init__(
        self, folder: Nameless | Claimed, keys: Keyring, *, disk_bytes: int, segment_bytes: int
    ) -> None:
        """Say where files go; none is made before the first value."""
        self._folder = folder
        self._keys = keys
        self._segment_bytes = segment_bytes
        self._segments = Segments(segment_bytes=segment_bytes, quota_bytes=disk_bytes)
        self._guard = Guard(self._release)
        self._files: dict[int, SegmentFile] = {}
        self._places: dict[int, set[Place]] = {}
        self._leaving: dict[int, SegmentFile] = {}
        self._turns = False
        self._is_closed = False
        self._written = self._written_bytes = self._moved = self._refused = self._errors = 0
        self._write_seconds = self._read_seconds = 0.0

    @property
    def has_files(self) -> bool:
        """Whether there is any file."""
        return bool(self._files or self._leaving)

    @property
    def is_sweep_due(self) -> bool:
        """Whether a file waits to be closed."""
        return bool(self._leaving)

    def adopt(self, file: SegmentFile, places: Sequence[Place]) -> None:
        """Take over a full file with what is alive in it; the segment of each spot is set here."""
        taken = sum(place.spot.taken for place in places)
        number = self._segments.adopt(file.size, taken, len(places))
        for place in places:
            place.spot = replace(place.spot, segment=number)
        with self._guard, self._guard.lock:
            self._files[number] = file
            self._places[number] = set(places)
        self._leave_empty()

    def write(
        self,
        id: bytes,
        label: bytes,
        parcel: Sequence[bytes],
        dictionary: tuple[int, bytes] | None = None,
    ) -> Place | None:
        """Return where a parcel lies from now on; None if there is no room for it.

        Args:
            id: 16 random bytes.
            label: what is known of it beside its bytes.
            parcel: its bytes, in pieces.
            dictionary: what it is packed with; written into each file that needs it.
        """
        started = time.perf_counter()
        try:
            spot = self._write(id, label, parcel, dictionary)
        except OSError as error:
            self._note(error)
            spot = None
        self._write_seconds += time.perf_counter() - started
        if spot is None:
            self._refused += 1
            return None
        length = sum(map(len, parcel))
        self._written += 1
        self._written_bytes += length
        place = Place(id, label, length, spot, dictionary[0] if dictionary else 0)
        with self._guard, self._guard.lock:
            self._places[spot.segment].add(place)
        return place

    def read(self, place: Place, start: int = 0, count: int | None = None) -> bytes:
        """Return bytes of a parcel, all unless said otherwise.

        Raises:
            ResultUnreadable: the disk fails, or the bytes were changed; the operator acts.
        """
        count = max(0, min(place.length - start, place.length if count is None else count))
        started = time.perf_counter()
        with self._reading(place) as (file, spot):
            try:
                data = _read(file, place, spot, start, count)
            except OSError as error:
                self._errors += 1
                raise ResultUnreadable(str(error), place.id.hex()) from error
        self._read_seconds += time.perf_counter() - started
        if data is None:
            reason = "its bytes were changed on disk, or are sealed with another key"
            raise ResultUnreadable(reason, place.id.hex())
        return data

    def view(self, place: Place, start: int, count: int) -> memoryview | None:
        """Return bytes of a parcel as they lie in the map; None if they are sealed."""
        with self._guard, self._guard.lock:
            spot = place.spot
            file = self._file(place)
            return None if file.seal else file.view(spot.body + start, count)

    def expect(self, place: Place) -> None:
        """Have the system fetch a parcel that will be read soon."""
        with self._reading(place) as (file, spot):
            file.expect(spot.body, place.length)

    def dictionary(self, place: Place, id: int) -> bytes | None:
        """Return a dictionary that a parcel needs, from its file."""
        with self._reading(place) as (file, _):
            return file.dictionaries.get(id)

    def release(self, place: Place) -> None:
        """Let go of a parcel; never waits."""
        self._guard.leave(place)

    def sweep(self, *, idle: bool = False) -> int:
        """Close the files in which nothing is alive; return the bytes that were freed.

        Args:
            idle: whether nothing will be written soon: then also the file that takes more.
        """
        if idle:
            self._seal()
        freed = 0
        for number, file in list(self._leaving.items()):
            if file.readers or not file.close():
                continue
            with self._guard, self._guard.lock:
                if self._leaving.pop(number, None) is not None:
                    self._segments.removed(number)
                    freed += file.size
        return freed

    def rotate(self) -> None:
        """Let the next parcel begin a new file, under the newest key."""
        self._turns = True

    def close(self) -> None:
        """Take no more. What is alive can be read until it is released; a `keep` folder is given up."""
        with self._guard, self._guard.lock:
            self._is_closed = True
        self._seal()
        self.sweep()
        with self._guard, self._guard.lock:
            for number in list(self._leaving):
                self._abandon(number)
        self._folder.close()

    def statistics(self) -> SpillStatistics:
        """Return the figures of the files."""
        core = self._segments.statistics()
        return SpillStatistics(
            held_bytes=core["held_bytes"],
            live_bytes=core["live_bytes"],
            quota_bytes=core["quota_bytes"],
            open=core["open"],
            sealed=core["sealed"],
            lingering=core["removing"],
            written=self._written,
            written_bytes=self._written_bytes,
            moved=self._moved,
            refused=self._refused,
            errors=self._errors,
            write_seconds=self._write_seconds,
            read_seconds=self._read_seconds,
        )

    def _write(
        self, id: bytes, label: bytes, parcel: Sequence[bytes], dictionary: tuple[int, bytes] | None
    ) -> Spot | None:
        if self._turns:
            self._seal()
        length = sum(map(len, parcel))
        room = self._take(len(label), length)
        if room is not None and dictionary is not None:
            room = self._beside_dictionary(room, len(label), length, *dictionary)
        return None if room is None else self._put(room, "parcel", id, label, parcel)

    def _beside_dictionary(
        self, room: Room, label: int, length: int, number: int, data: bytes
    ) -> Room | None:
        """Return room for a record in a file that has its dictionary, which is written if need be.

        A dictionary is never let go of, so it does not count as alive: it ends with its file.
        """
        while number not in self._files[room.segment].dictionaries:
            try:
                beside = self._take(0, len(data))
                if beside is not None:
                    self._put(beside, "dictionary", number.to_bytes(16, "little"), b"", [data])
                    self._files[beside.segment].dictionaries[number] = data
            except BaseException:
                self._give_back(room)
                raise
            if beside is None:
                self._give_back(room)
                return None
            if beside.segment != room.segment:
                self._give_back(room)
                again = self._take(label, length)
                if again is None:
                    return None
                room = again
            self._give_back(beside)
        return room

    def _put(
        self, room: Room, kind: RecordKind, id: bytes, label: bytes, parcel: Sequence[bytes]
    ) -> Spot:
        """Write a record into the room that was taken for it."""
        file = self._files[room.segment]
        if file.seal is not None:
            label = file.seal.seal_label(room.offset, id, label)
            parcel = file.seal.seal_body(room.offset, id, b"".join(parcel))
        is_sealed = file.seal is not None
        head = record_head(file.nonce, kind, id, parcel, label=label, sealed=is_sealed)
        pieces = [head, *parcel]
        pieces.append(bytes(room.taken - sum(map(len, pieces))))
        try:
            file.write(pieces, room.offset)
        except BaseException:
            self._give_back(room)
            self._seal()
            raise
        return Spot(room.segment, room.offset, room.taken, room.offset + len(head))

    def _take(self, label: int, body: int) -> Room | None:
        """Return room for a record, in a new file if need be; None at the brim."""
        if self._keys.newest:
            label, body = label + TAG_BYTES, sealed_length(body)
        taken = record_bytes(label, body)
        placed = self._segments.place(taken)
        if placed is None:
            return None
        number, offset, capacity = placed
        if capacity:
            self._open(number, capacity)
            self._leave_empty()  # the one that was open may have been freed meanwhile
            if self._is_last():
                self._gather(number)
        return Room(number, offset, taken)

    def _open(self, number: int, capacity: int) -> None:
        """Make the file of a segment that the core has begun."""
        try:
            file = self._create(capacity)
        except BaseException:
            self._segments.failed(number)
            self._segments.lower_quota()
            raise
        with self._guard, self._guard.lock:
            self._files[number] = file
            self._places[number] = set()

    def _create(self, capacity: int) -> SegmentFile:
        nonce = int.from_bytes(os.urandom(8), "little")
        name = self._keys.newest
        header = segment_header(capacity, nonce, int(time.time() * 1000), name)
        descriptor, path = self._folder.open()
        try:
            allocate(descriptor, capacity)
            write(descriptor, [header], 0)
            return SegmentFile(descriptor, capacity, nonce, self._keys.seal(name, header), path)
        except BaseException:
            os.close(descriptor)
            if path is not None:
                path.unlink(missing_ok=True)
            raise

    def _give_back(self, room: Room) -> None:
        """Let go of a record that was not written."""
        if self._segments.free(room.segment, room.taken):
            with self._guard, self._guard.lock:
                self._leave(room.segment)

    def _seal(self) -> None:
        """Let the file that takes more be full."""
        self._turns = False
        self._segments.seal()
        self._leave_empty()

    def _leave_empty(self) -> None:
        with self._guard, self._guard.lock:
            for number in self._segments.empty():
                self._leave(number)

    def _leave(self, number: int) -> None:
        """Have an empty file closed; called with the guard."""
        file = self._files.pop(number, None)
        self._places.pop(number, None)
        if file is None:
            return
        self._leaving[number] = file
        if self._is_closed:
            self._abandon(number)

    def _abandon(self, number: int) -> None:
        """Close a file, whoever looks at its map, unless it is being read; called with the guard."""
        if not self._leaving[number].readers:
            self._leaving.pop(number).abandon(keep=self._folder.keeps)
            self._segments.removed(number)

    def _release(self, place: Place) -> None:
        places = self._places.get(place.spot.segment)
        if places is None or place not in places:
            return
        places.remove(place)
        if self._segments.free(place.spot.segment, place.spot.taken):
            self._leave(place.spot.segment)

    def _is_last(self) -> bool:
        """Whether the quota allows no more files."""
        core = self._segments.statistics()
        return core["held_bytes"] + self._segment_bytes > core["quota_bytes"]

    def _gather(self, target: int) -> None:
        """Copy what is alive in sparse files into a new one, and close them."""
        for number in self._segments.sparse():
            for place in list(self._places.get(number, ())):
                if not self._move(place, target):
                    return
        self.sweep()

    def _move(self, place: Place, target: int) -> bool:
        """Copy a parcel to another file; false if it does not take it."""
        old, needed = place.spot, None
        data = self.dictionary(place, place.dictionary)
        if data is not None:
            needed = (place.dictionary, data)
        try:
            new = self._write(place.id, place.label, [self.read(place)], needed)
        except (OSError, ResultUnreadable):
            return False  # it stays where it is, and tells its reader
        if new is None:
            return False
        with self._guard, self._guard.lock:
            is_alive = place in self._places.get(old.segment, ())
            if is_alive:
                self._places[old.segment].remove(place)
                self._places[new.segment].add(place)
                place.spot = new
                self._moved += 1
        self._give_back(old if is_alive else new)
        return new.segment == target

    @contextmanager
    def _reading(self, place: Place) -> Iterator[tuple[SegmentFile, Spot]]:
        """Keep a parcel where it is, and its file open."""
        with self._guard, self._guard.lock:
            spot = place.spot
            file = self._file(place)
            file.readers += 1
        try:
            yield file, spot
        finally:
            with self._guard, self._guard.lock:
                file.readers -= 1
                if self._is_closed and spot.segment in self._leaving:
                    self._abandon(spot.segment)

    def _file(self, place: Place) -> SegmentFile:
        """Return the file of a place; called with the guard."""
        file = self._files.get(place.spot.segment)
        if file is None:
            raise ResultUnreadable("the store has let go of it", place.id.hex())
        return file

    def _note(self, error: OSError) -> None:
        """Tell the operator once in a while what the system refused."""
        self._errors += 1
        if self._errors & (self._errors - 1) == 0:
            logger.warning("values stay in memory, for they cannot be written: %s", error)


def _read(file: SegmentFile, place: Place, spot: Spot, start: int, count: int) -> bytes | None:
    if file.seal is None:
        return file.read(spot.body + start, count)
    begin, length = sealed_range(start, count, place.length)
    sealed = file.read(spot.body + begin, length)
    opened = file.seal.open_blocks(spot.offset, place.id, start, sealed)
    skipped = start % BLOCK_BYTES
    if opened is None or len(opened) == count:
        return opened
    return opened[skipped : skipped + count]
