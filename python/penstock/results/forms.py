"""`Forms`: turns a value from one form into another: object, JSON, packed, on disk, and back.

Ground rules:

- State: the forms of each entry, with the ledger's figures for them. Both change together, under one
  guard; encoding, packing, reading and writing are done outside of it, on what was there before, and
  their result is dropped if it came too late.
- One party at a time moves an entry down (`is_moving`); the ledger says which. Meanwhile nobody
  promotes it: readers get their value and the entry stays as the mover leaves it.
- What `load` has fetched is one more form, counted and dropped like the others: to the ledger such a value
  is an object.
- Every smaller form is kept while the entry comes back to memory, so leaving it again costs nothing.
- A form is dropped only when a smaller one is complete: no failure loses a value.
- Destructors let go of entries through the guard; they never wait.
"""

import os
from collections.abc import Callable, Sequence

from penstock._native import Ledger, measure
from penstock.errors import DictionaryMissing, ResultUnreadable
from penstock.results._guard import Guard
from penstock.results._head import CHARACTER_BYTES, head, text_head
from penstock.results._packing import Packing
from penstock.results.entries import ABSENT, Entry
from penstock.results.spill import Place, Spill
from penstock.results.values import Encoder, Kind, as_bytes, decode


class Forms:
    """See the ground rules."""

    def __init__(
        self,
        ledger: Ledger,
        packing: Packing,
        spill: Spill | None,
        value_bytes: int,
        on_release: Callable[[Entry], object],
        on_name: Callable[[Entry, bytes], object] = lambda _entry, _id: None,
        on_growth: Callable[[], object] = lambda: None,
    ) -> None:
        """Join the parts.

        Args:
            ledger: says who moves.
            packing: packs.
            spill: None keeps all in memory.
            value_bytes: the largest value.
            on_release: told of each entry whose last holder is gone; called from destructors.
            on_name: told of each entry that was given an id.
            on_growth: told when a value that was held takes more memory than before.
        """
        self.guard: Guard[Entry] = Guard(self._let_go)
        self.unreadable = self.opaque = 0
        self.is_closed = False
        """Whether nothing moves down any more, so that nothing may come up."""
        self._ledger = ledger
        self._packing = packing
        self._spill = spill
        self._most = value_bytes
        self._on_release = on_release
        self._on_name = on_name
        self._on_growth = on_growth
        self._here = Encoder(value_bytes, rest=None)
        self._beside = Encoder(value_bytes)

    @property
    def stall_seconds(self) -> float:
        """For which the interpreter was kept busy longer than 250 µs at once."""
        return self._here.stalled + self._beside.stalled

    def value(self, entry: Entry, *, promote: bool = True) -> object:
        """Return the value itself, from wherever it is.

        Args:
            entry: of the value.
            promote: whether it is in memory from now on.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
        """
        value = entry.value
        if value is not ABSENT:
            if promote and not entry.is_released:
                self._ledger.touch(entry.number)
            return value
        data = entry.encoded
        if data is None:
            data = self.unpacked(entry)
        try:
            value = decode(entry.kind or "bytes", data)
        except ValueError as error:
            raise self._unreadable(entry, f"its bytes stand for no value: {error}") from error
        if promote:
            self._promote(entry, value)
        return value

    def encoded(self, entry: Entry, *, beside: bool = False) -> bytes:
        """Return the bytes of a value: JSON, text or bytes. Those of an object are made once.

        Args:
            entry: of the value.
            beside: whether this runs in a thread beside the loop, so that it may rest.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
            BadValue: it has no JSON form; the author of the tool acts.
        """
        with self.guard, self.guard.lock:
            value, encoded = entry.value, entry.encoded
        if encoded is not None:
            return encoded
        if value is ABSENT:
            return self.unpacked(entry)
        encoder = self._beside if beside else self._here
        plain = encoder.encode_plain(value)
        kind, data = plain or ("json", encoder.encode_any(value))
        with self.guard, self.guard.lock:
            self._note_encoded(entry, kind, data, is_plain=plain is not None)
        self._on_growth()
        return data

    def unpacked(self, entry: Entry) -> bytes:
        """Return the bytes of a value that is packed or on disk; blocks while they are read."""
        with self.guard, self.guard.lock:
            parcel, place, value = entry.parcel, entry.place, entry.value
        if parcel is None and place is None:  # promoted by another thread meanwhile
            if value is ABSENT:
                raise self._unreadable(entry, "the store has let go of it")
            return self.encoded(entry)
        try:
            kind, unpacked = self._unpack(entry, parcel, place)
        except ResultUnreadable as error:
            self.unreadable += 1
            error.result = error.result or self.id_of(entry).hex()
            raise
        entry.kind, entry.size, entry.is_exact = kind, len(unpacked), True
        return unpacked

    def load(self, entry: Entry) -> None:
        """Fetch the bytes of a value that is no object, for `value` to decode; blocks meanwhile.

        Nobody fetches twice what others have fetched. Memory pressure may drop the bytes again.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
        """
        if entry.encoded is not None:
            return
        data = self.unpacked(entry)
        with self.guard, self.guard.lock:
            if entry.is_released or entry.is_moving or entry.value is not ABSENT:
                return
            entry.encoded = data
            self._ledger.moved(entry.number, "object", entry.memory())
        self._on_growth()

    def view(self, entry: Entry) -> memoryview:
        """Return the bytes of a value, read-only; those that lie on disk as they are come uncopied."""
        place = entry.place
        if place is not None and place.raw_at and entry.where == "disk" and self._spill is not None:
            mapped = self._spill.view(place, place.raw_at, place.length - place.raw_at)
            if mapped is not None:
                return mapped
        data = self.encoded(entry)
        view = memoryview(data).toreadonly()
        with self.guard, self.guard.lock:
            if entry.is_released or not (data is entry.value or data is entry.encoded):
                return view
            return entry.pin_by(view, self._ledger)

    def head(self, entry: Entry, characters: int) -> str:
        """Return the first characters of a value's text; reads no more than those.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
            BadValue: it has no JSON form; the author of the tool acts.
        """
        value = entry.value
        if value is not ABSENT:
            return head(value, characters)
        part = self.read(entry, 0, CHARACTER_BYTES * characters)
        return text_head(part, characters, is_all=len(part) == entry.size)

    def read(self, entry: Entry, start: int, count: int) -> bytes:
        """Return a part of the bytes of a value; blocks while it is read."""
        with self.guard, self.guard.lock:
            value, encoded, parcel, place = entry.value, entry.encoded, entry.parcel, entry.place
        if encoded is None and value is ABSENT:
            return self._read_part(entry, parcel, place, start, count)
        data = self.encoded(entry, beside=True) if encoded is None else encoded
        return data[start : start + count]

    def tree(self, entry: Entry) -> object:
        """Return the JSON of a value, decoded: what a path of a model leads into. Blocks meanwhile.

        A plain value is its own tree; text and bytes may be JSON; all else is as a model reads it.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
            BadValue: it has no JSON form; the author of the tool acts.
            ValueError: it is text, and no JSON.
        """
        value = entry.value
        if value is ABSENT:
            value = self.value(entry, promote=False)
        data = as_bytes(value)
        if data is not None:
            return decode("json", data)
        if entry.kind == "json" or self._beside.is_plain(value):
            return value
        return decode("json", self.encoded(entry, beside=True))

    def expect(self, entry: Entry) -> None:
        """Have the system fetch what will be read soon."""
        place = entry.place
        if place is not None and entry.value is ABSENT and self._spill is not None:
            self._spill.expect(place)

    def demote(self, entry: Entry, *, to_disk: bool) -> bool:
        """Move an entry down, as the ledger has asked; false if the disk is full.

        Belongs to the writer's thread.
        """
        with self.guard, self.guard.lock:
            if entry.is_released:
                return True
            entry.is_moving = True
            value, encoded, parcel = entry.value, entry.encoded, entry.parcel
            is_there = entry.place is not None or (parcel is not None and not to_disk)
        if is_there:
            return self._settle(entry)
        pieces = [parcel] if parcel is not None else self._packed(entry, value, encoded)
        if pieces is None:
            return self.give_up(entry, is_opaque=True)
        is_packed = len(pieces) == 1
        if is_packed and not to_disk:
            return self._settle(entry, parcel=pieces[0])
        place = self._write(entry, pieces) if self._spill is not None else None
        if place is not None:
            return self._settle(entry, place=place)
        if is_packed and parcel is None:
            self._settle(entry, parcel=pieces[0])  # at least it is smaller
        else:
            self.give_up(entry)
        return self._spill is None

    def _packed(self, entry: Entry, value: object, encoded: bytes | None) -> Sequence[bytes] | None:
        """Return the parcel of an object, in pieces; None if it is opaque."""
        if encoded is None or entry.kind is None:
            plain = self._beside.encode_plain(value)
            if plain is None or len(plain[1]) > self._most:
                return None
            entry.kind, encoded = plain
            entry.size, entry.is_exact = len(encoded), True
        return self._packing.pack(entry.kind, encoded, entry.origin)

    def _write(self, entry: Entry, pieces: Sequence[bytes]) -> Place | None:
        if self._spill is None:
            return None
        needed = self._packing.dictionary(pieces[0], entry.origin) if len(pieces) == 1 else None
        place = self._spill.write(self.id_of(entry), entry.origin.label, pieces, needed)
        if place is not None and len(pieces) > 1:
            place.raw_at = len(pieces[0])  # the header; then the value as it is
        return place

    def id_of(self, entry: Entry) -> bytes:
        """Return the id of a value, made when it is first asked for."""
        with self.guard, self.guard.lock:
            if entry.id is None:
                entry.id = os.urandom(16)
                self._on_name(entry, entry.id)
            return entry.id

    def _settle(
        self, entry: Entry, *, parcel: bytes | None = None, place: Place | None = None
    ) -> bool:
        """Take over a smaller form, if there is a new one, and drop the larger ones."""
        with self.guard, self.guard.lock:
            entry.is_moving = False
            if entry.is_released:
                self._drop(entry, place)
                return True
            entry.parcel = parcel or entry.parcel
            entry.place = place or entry.place
            entry.shed()
            self._ledger.moved(entry.number, entry.where, entry.memory())
        return True

    def give_up(self, entry: Entry, *, is_opaque: bool = False) -> bool:
        """Leave a value as it is; an opaque one is never asked for again."""
        with self.guard, self.guard.lock:
            entry.is_moving = False
            if entry.is_released:
                self._drop(entry, None)
                return True
            if is_opaque:
                entry.is_opaque = True
                self.opaque += 1
                self._ledger.pin(entry.number)
            self._ledger.stuck(entry.number)
        return True

    def _promote(self, entry: Entry, value: object) -> None:
        with self.guard, self.guard.lock:
            if entry.is_released or entry.is_moving or entry.value is not ABSENT:
                return
            if self.is_closed:
                entry.encoded = None  # was loaded for this moment, and nothing would drop it again
                return
            entry.resident = entry.resident or measure(value)[1]
            entry.value, entry.encoded = value, None
            self._ledger.moved(entry.number, "object", entry.memory())
            self._ledger.touch(entry.number)
        self._on_growth()

    def _note_encoded(self, entry: Entry, kind: Kind, data: bytes, *, is_plain: bool) -> None:
        """Keep the JSON of an object beside it, for all who want it. Called with the guard."""
        entry.size, entry.is_exact = len(data), True
        entry.kind = kind if is_plain else entry.kind
        if entry.is_released or entry.is_moving or entry.value is ABSENT or data is entry.value:
            return
        entry.encoded = data
        self._ledger.moved(entry.number, "object", entry.memory())

    def _let_go(self, entry: Entry) -> None:
        """One holder is gone. Called with the guard, maybe by a destructor."""
        if entry.is_released or not self._ledger.release(entry.number):
            return
        entry.is_released = True
        self._on_release(entry)
        if not entry.is_moving:
            self._drop(entry, None)

    def _drop(self, entry: Entry, place: Place | None) -> None:
        for dead in (entry.clear(), place):
            if dead is not None and self._spill is not None:
                self._spill.release(dead)

    def _unpack(
        self, entry: Entry, parcel: bytes | None, place: Place | None
    ) -> tuple[Kind, bytes]:
        if parcel is None:
            if place is None or self._spill is None:
                raise ResultUnreadable("the store has let go of it")
            if place.raw_at and entry.kind is not None:
                return entry.kind, self._read_raw(entry, place, entry.kind, self._spill)
            parcel = self._spill.read(place)
        try:
            return self._packing.unpack(parcel, entry.origin)
        except DictionaryMissing as missing:
            self._learn(entry, place, missing.dictionary)
            return self._packing.unpack(parcel, entry.origin)

    def _read_raw(self, entry: Entry, place: Place, kind: Kind, spill: Spill) -> bytes:
        """Return a value that lies as it is: its bytes are read once and not copied again."""
        header = spill.read(place, 0, place.raw_at)
        data = spill.read(place, place.raw_at)
        if not self._packing.is_raw(header, kind, data, entry.origin):
            raise ResultUnreadable("its bytes were changed on disk")
        return data

    def _learn(self, entry: Entry, place: Place | None, id: int) -> None:
        """Fetch the dictionary of a parcel from the file that it lies in, if it does."""
        if place is not None and self._spill is not None:
            dictionary = self._spill.dictionary(place, id)
            if dictionary is not None:
                self._packing.learn(entry.origin, dictionary)

    def _read_part(
        self, entry: Entry, parcel: bytes | None, place: Place | None, start: int, count: int
    ) -> bytes:
        def read(begin: int, length: int) -> bytes:
            if parcel is not None:
                return parcel[begin : begin + length]
            if place is None or self._spill is None:
                raise ResultUnreadable("the store has let go of it")
            return self._spill.read(place, begin, length)

        length = len(parcel) if parcel is not None else place.length if place is not None else 0
        try:
            try:
                return self._packing.read(read, length, start, count, entry.origin)
            except DictionaryMissing as missing:
                self._learn(entry, place, missing.dictionary)
                return self._packing.read(read, length, start, count, entry.origin)
        except ResultUnreadable as error:
            self.unreadable += 1
            error.result = error.result or self.id_of(entry).hex()
            raise

    def _unreadable(self, entry: Entry, reason: str) -> ResultUnreadable:
        self.unreadable += 1
        return ResultUnreadable(reason, self.id_of(entry).hex())
