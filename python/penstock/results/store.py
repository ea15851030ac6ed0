"""`ResultStore`: holds the values of ended calls, within the memory and the disk that they may take.

The decisions are the core's: who leaves memory is the `Ledger`'s, where on disk the `Segments`', how it
is packed the `Packer`'s. Here they are joined: forms (`forms.py`), files (`spill.py`), the thread that
moves (`writer.py`), who waits (`room.py`), what a crash left (`recovery.py`).

Ground rules:

- A store may be used from any thread and any number of event loops. It needs no engine.
- A value lives as long as a `ResultRef` of it, a handle that was given out (`hold`), or, after a crash,
  its time to live. The store itself holds nothing else, and knows the entries of values only weakly.
- After `aclose` nothing is taken and nothing moves; what is held can be read on, from memory and disk.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from typing import Self, TypeVar
from weakref import ReferenceType, WeakValueDictionary

from penstock._native import Ledger, exceeds, measure
from penstock.errors import ConfigError, EngineClosed, ResultTooLarge, ResultUnreadable
from penstock.results._packing import Packing
from penstock.results.entries import ABSENT, Entry
from penstock.results.folder import Claimed, Nameless, claim, is_in_memory
from penstock.results.forms import Forms
from penstock.results.keys import Keyring
from penstock.results.options import Results
from penstock.results.origin import Origin, origin_of
from penstock.results.recovery import Found, Recovery, recover
from penstock.results.ref import ResultRef
from penstock.results.room import Room
from penstock.results.spill import Spill
from penstock.results.statistics import ResultStatistics
from penstock.results.values import as_bytes
from penstock.results.writer import Writer

PART_BYTES = 1 << 20

T = TypeVar("T")

logger = logging.getLogger("penstock.results")


class ResultStore:
    """A store of values; see the ground rules.

    Example:
        >>> import asyncio
        >>> async def keep():
        ...     async with ResultStore(Results(spill=None)) as store:
        ...         ref = store.put({"rows": list(range(100_000))}, tool="query")
        ...         return ref.where, ref.preview(18), len(ref.value()["rows"])
        >>> asyncio.run(keep())
        ('object', '{"rows":[0,1,2,3,4', 100000)
    """

    def __init__(
        self, options: Results | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Open a store; with `keep`, what dead owners left in its folder is taken over.

        Args:
            options: what it may hold; the defaults of `Results` unless given.
            clock: monotonic seconds, for the time to live.

        Raises:
            ConfigError: the folder cannot be used; the operator acts.
            MissingExtra: there are keys and no cipher; the operator installs it.
        """
        self.options = options or Results()
        self._clock = clock
        self._keys = Keyring(self.options.key_bytes())
        self._packing = Packing(self.options.value_bytes)
        self._spill = _make_spill(self.options, self._keys)
        self._ledger = Ledger(self.options.memory_bytes, spills=self._spill is not None)
        self._entries: dict[int, ReferenceType[Entry]] = {}
        self._by_id: dict[str, ReferenceType[Entry]] = {}
        self._texts: WeakValueDictionary[bytes, Entry] = WeakValueDictionary()
        self._held: dict[str, tuple[ResultRef, float]] = {}
        self._first_end = math.inf
        self._forms = Forms(
            self._ledger,
            self._packing,
            self._spill,
            self.options.value_bytes,
            on_release=self._forget,
            on_name=self._name,
            on_growth=self._make_room,
        )
        self._writer = Writer(
            self._ledger,
            self._entry,
            self._forms,
            self._spill,
            self._packing,
            on_change=self._tell,
            on_end=self._end,
        )
        self.room = Room(self.options, self._ledger, self._writer.wake, self._expire)
        self._reader: ThreadPoolExecutor | None = None
        self._is_closed = self._is_ended = False
        self._ending = threading.Lock()
        self._kept = self._too_large = 0
        self._recovery = self._recover()
        if self._spill is not None and self._spill.has_files:
            self._writer.wake()  # closes them when their values end

    def keep(
        self,
        value: object,
        *,
        tool: str = "",
        media_type: str = "",
        tenant: str | None = None,
        value_bytes: int | None = None,
        measured: tuple[int, int] | None = None,
    ) -> ResultRef | None:
        """Take a value if it is large; never waits.

        Args:
            value: anything. What is not plain stays in memory as it is; see `values.py`.
            tool: whose result it is.
            media_type: of bytes and text.
            tenant: whose value it is; nobody else finds it by its id.
            value_bytes: the largest value, if the tool has a size of its own.
            measured: bytes encoded and in memory, if the caller has measured.

        Returns:
            A hold on the value; None if it is small, so that it is the caller's.

        Raises:
            ResultTooLarge: it has more than `value_bytes`; the author of the tool acts.
        """
        size, resident = measured or measure(value)
        most = self.options.value_bytes if value_bytes is None else value_bytes
        if size > most and exceeds(value, most):
            self._too_large += 1
            raise ResultTooLarge(size, most)
        if size < self.options.inline_bytes:
            return None
        return self._take(value, origin_of(tool, media_type, tenant), size, resident)

    def put(
        self, value: object, *, tool: str = "", media_type: str = "", tenant: str | None = None
    ) -> ResultRef:
        """Take a value, however small; see `keep`.

        Raises:
            ResultTooLarge: it has more than `value_bytes`; the caller acts.
        """
        ref = self.keep(value, tool=tool, media_type=media_type, tenant=tenant)
        if ref is not None:
            return ref
        return self._take(value, origin_of(tool, media_type, tenant), *measure(value))

    def put_once(self, text: str, *, tool: str = "", tenant: str | None = None) -> ResultRef:
        """Take a text, or return a hold on the same text of this tenant's tool that is held already.

        Raises:
            ResultTooLarge: it has more than `value_bytes`; the caller acts.
        """
        whose = repr((tool, tenant)).encode()
        digest = blake2b(as_bytes(text) or b"", person=blake2b(whose, digest_size=16).digest())
        entry = self._texts.get(key := digest.digest())
        if entry is not None and self._ledger.hold(entry.number):
            return self._ref(entry)
        ref = self.put(text, tool=tool, tenant=tenant)
        self._texts[key] = ref.entry
        return ref

    def find(self, id: str, *, tenant: str | None = None) -> ResultRef | None:
        """Return a hold on a value by its id; None if it is not held any more, or another tenant's.

        Args:
            id: of a `ResultRef`; how it was come by is the caller's business.
            tenant: who asks.
        """
        self._expire()
        known = self._by_id.get(id)
        entry = None if known is None else known()
        if entry is None or entry.origin.tenant != tenant:
            return None
        return self._ref(entry) if self._ledger.hold(entry.number) else None

    def hold(self, ref: ResultRef, ttl: float | None = None) -> str:
        """Hold a value for a while by its id, such as one that a model was told; return the id.

        Args:
            ref: of this store.
            ttl: seconds from now; `Results.ttl` unless given. A hold is never shortened.
        """
        self._expire()
        id = ref.id
        ends = self._clock() + (self.options.ttl if ttl is None else ttl)
        kept, until = self._held.get(id, (None, ends))
        if kept is None:
            self._ledger.hold(ref.entry.number)
            kept = self._ref(ref.entry)
        self._hold_until(id, kept, max(ends, until))
        return id

    def owns(self, ref: ResultRef) -> bool:
        """Say whether a value is held by this store."""
        return self._entry(ref.entry.number) is ref.entry

    def forget(self, id: str) -> bool:
        """End the hold of `hold`, or of a crash; false if there was none."""
        return self._held.pop(id, None) is not None

    def ids(self, *, tenant: str | None = None) -> tuple[str, ...]:
        """Return the ids that are held for a tenant, such as those that were found after a crash."""
        self._expire()
        return tuple(id for id, (ref, _) in self._held.items() if ref.tenant == tenant)

    async def chunks(
        self, ref: ResultRef, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes of a value, 1 MiB each, without having all of it in memory.

        Args:
            ref: of this store.
            start: the first byte of its JSON, its text or itself.
            length: bytes; to the end unless given.

        Raises:
            ConfigError: a start or a length below 0; the caller acts.
            ResultUnreadable: it cannot be read back; the operator acts.
        """
        for field, number in (("start", start), ("length", length or 0)):
            if number < 0:
                raise ConfigError(field, number, "a whole number from 0")
        end = math.inf if length is None else start + length
        while start < end:
            count = int(min(PART_BYTES, end - start))
            part = await self.beside(partial(self._forms.read, ref.entry, start, count))
            if part:
                yield part
            start += len(part)
            if len(part) < count or start >= ref.size:  # exact by now
                return

    async def wait_room(self) -> None:
        """Return when values take no more memory than they may; what produces them in a loop waits here.

        Raises:
            ResultsFull: nothing could leave memory for `full_wait` seconds; the operator acts.
        """
        await self.room.wait()

    async def settle(self) -> None:
        """Return when all that shall leave memory now has left it."""
        await self.beside(self._writer.settle)

    def rotate(self, name: str, key: bytes) -> None:
        """Encrypt new files with this key from now on; files of other keys stay readable.

        Raises:
            MissingExtra: there is no cipher; the operator installs it.
        """
        self._keys.add(name, key)
        if self._spill is not None:
            self._spill.rotate()

    def statistics(self) -> ResultStatistics:
        """Return the figures of the store."""
        core = self._ledger.statistics()
        return ResultStatistics(
            values=core["entries"],
            object_bytes=core["object_bytes"],
            packed_bytes=core["packed_bytes"],
            on_disk=core["disk"],
            pinned=core["pinned"],
            opaque=self._forms.opaque,
            kept=self._kept,
            too_large=self._too_large,
            demoted_packed=core["demoted_packed"],
            demoted_disk=core["demoted_disk"],
            promoted=core["promoted"],
            unreadable=self._forms.unreadable,
            stall_seconds=self._forms.stall_seconds,
            is_full=self._ledger.is_full,
            waiting=self.room.waiting,
            spill=None if self._spill is None else self._spill.statistics(),
            recovery=self._recovery.statistics(),
            packing=self._packing.statistics(),
        )

    async def aclose(self) -> None:
        """Take no more. With `keep`, what is held is written; else it ends with its holders.

        Who is cancelled meanwhile gives up at once, and the store goes on closing.
        """
        if self._is_closed:
            return
        self._refuse()
        try:
            await asyncio.shield(self._run_beside(self._writer.close))
        finally:
            if self._reader is not None:
                self._reader.shutdown(wait=False)

    def close(self) -> None:
        """Do the same as `aclose`, and block meanwhile."""
        if not self._is_closed:
            self._refuse()
            self._writer.close()
            if self._reader is not None:
                self._reader.shutdown()

    def abandon(self) -> None:
        """Take no more, and wait for nobody: for destructors. The store's own thread does the rest."""
        self._refuse()
        self._writer.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exit: object) -> None:
        await self.aclose()

    def _refuse(self) -> None:
        self._is_closed = True
        self.room.close()

    def _take(self, value: object, origin: Origin, size: int, resident: int) -> ResultRef:
        if self._is_closed:
            raise EngineClosed("closed")
        number = self._ledger.add(resident, plain=True)
        entry = Entry(number, value, origin, size, resident, is_exact=type(value) is bytes)
        self._entries[number] = ReferenceType(entry)
        self._kept += 1
        ref = self._ref(entry)
        self._make_room()
        return ref

    def _entry(self, number: int) -> Entry | None:
        known = self._entries.get(number)
        return None if known is None else known()

    def _ref(self, entry: Entry) -> ResultRef:
        return ResultRef(entry, self._forms, self._ledger, self.beside)

    def _make_room(self) -> None:
        if self.room.is_over:
            self._expire()
            self._writer.wake()

    def _forget(self, entry: Entry) -> None:
        """The last holder of a value is gone. Called with the guard, maybe by a destructor."""
        self._entries.pop(entry.number, None)
        if entry.id is not None:
            self._by_id.pop(entry.id.hex(), None)
        self._writer.nudge()
        self.room.tell()

    def _name(self, entry: Entry, id: bytes) -> None:
        """Let a value be found by its id, for as long as somebody holds it. Called with the guard."""
        self._by_id[id.hex()] = ReferenceType(entry)

    def _tell(self) -> None:
        self.room.tell()

    def _expire(self) -> float:
        """Let go of what was held for long enough; return the seconds until the next is due.

        Looks at nothing before the first is due.
        """
        now = self._clock()
        if now < self._first_end:
            return self._first_end - now
        for id in [id for id, (_, ends) in list(self._held.items()) if ends <= now]:
            self._held.pop(id, None)
        self._first_end = min((ends for _, ends in list(self._held.values())), default=math.inf)
        return self._first_end - now

    def _hold_until(self, id: str, ref: ResultRef, ends: float) -> None:
        self._held[id] = (ref, ends)
        if ends < self._first_end:
            self._first_end = ends
            self.room.tell()  # who waits there looks at the time again

    async def beside(self, work: Callable[[], T]) -> T:
        """Run something that may block in the thread that reads; after the end, in one of the loop's."""
        if self._is_closed:
            return await asyncio.get_running_loop().run_in_executor(None, work)
        return await self._run_beside(work)

    def _run_beside(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, thread_name_prefix="penstock-results-read")
        return asyncio.get_running_loop().run_in_executor(self._reader, work)

    def _recover(self) -> Recovery:
        folder = self.options.folder
        if not self.options.keep or folder is None or self._spill is None:
            return Recovery()
        try:
            recovery = recover(folder, self._keys)
        except OSError as error:
            self._spill.close()
            reason = f"what was left there cannot be looked at: {error}"
            raise ConfigError("spill", str(folder), reason) from error
        for found in recovery.found:
            self._adopt(found, self._spill)
        recovery.found.clear()
        return recovery

    def _adopt(self, found: Found, spill: Spill) -> None:
        """Hold the values of a segment, until somebody forgets them or their time is over."""
        places = [place for place, _ in found.values]
        spill.adopt(found.file, places)
        ends = self._clock() + self.options.ttl
        for place, origin in found.values:
            try:
                info = self._packing.describe(partial(spill.read, place), place.length)
            except ResultUnreadable:
                spill.release(place)
                continue
            place.dictionary = info.dictionary
            place.raw_at = info.header_length if info.codec == "raw" else 0
            number = self._ledger.add(0, plain=True)
            entry = Entry(number, ABSENT, origin, info.raw_length, 0, is_exact=True)
            entry.kind, entry.place, entry.id = info.form, place, place.id
            self._ledger.moved(number, "disk", 0)
            self._entries[number] = self._by_id[place.id.hex()] = ReferenceType(entry)
            self._hold_until(place.id.hex(), self._ref(entry), ends)

    def _end(self) -> None:
        """Write what is kept and close the files, once; who comes second waits for who was first."""
        with self._ending:
            if self._is_ended:
                return
            self._is_ended = self._forms.is_closed = True
            if self._spill is not None:
                if self.options.keep:
                    for known in list(self._entries.values()):
                        entry = known()
                        if entry is not None:
                            self._forms.demote(entry, to_disk=True)
                self._spill.close()
            for claimed in self._recovery.folders:
                claimed.close()


def _make_spill(options: Results, keys: Keyring) -> Spill | None:
    """Return where values go; None if they have to stay in memory."""
    folder = options.folder
    if folder is None:
        return None
    if options.spill == "auto" and is_in_memory(folder):
        logger.warning(
            "results stay in memory: the temporary folder %s lies in memory itself; name another "
            "with Results(spill=...), or say spill=None",
            folder,
        )
        return None
    try:
        files: Nameless | Claimed = claim(folder) if options.keep else Nameless(folder)
    except OSError as error:
        raise ConfigError("spill", str(folder), f"files cannot be made there: {error}") from error
    return Spill(files, keys, disk_bytes=options.disk_bytes, segment_bytes=options.segment_bytes)
