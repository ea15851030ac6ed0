"""Cache: answer a call from the value of an equal one that ran a little while ago.

Ground rules:

- State: for each tool of an engine one dict of entries, in the order in which they expire, and the
  sum of their sizes. It is read and written without an await in between.
- Two calls are equal when their tenant (with `scope="tenant"`) and the canonical form of their
  arguments are. What has no such form is run, and counted (`cache_unkeyed`).
- An entry is made when the inner layers return; errors, cancelled calls and values that cannot be
  written as JSON, whose size nobody knows, leave none. It is gone `ttl` seconds later.
- Bound: `entries` and `bytes`. At the brim the entry goes that would expire first; a value larger
  than all of `bytes` is not kept.
- A hit is the same object as the first answer, not a copy.
"""

from collections import OrderedDict
from dataclasses import dataclass

from penstock._codec import encode
from penstock.engine.policies._key import canonical
from penstock.engine.policies._protocol import (
    Arguments,
    CallInfo,
    Policy,
    Run,
    Services,
    Slot,
    ToolView,
)
from penstock.errors import BadValue
from penstock.tools import settings

Key = tuple[str | None, bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """A value that was answered."""

    value: object
    size: int
    expires: float


class Store:
    """The values of one tool; every method takes the time."""

    def __init__(self, cache: settings.Cache) -> None:
        """Make an empty store with these bounds."""
        self._cache = cache
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Entry | None:
        """Return what is good at `now`, or None."""
        entry = self._entries.get(key)
        return entry if entry is not None and now < entry.expires else None

    def put(self, key: Key, value: object, size: int, now: float) -> bool:
        """Keep a value of `size` bytes from `now` on; False if it is too large to be kept."""
        self._drop(key)
        if size > self._cache.bytes:
            return False
        # One lifetime for all, so that the order of insertion is the order of expiry.
        self._entries[key] = Entry(value, size, now + self._cache.ttl)
        self.bytes += size
        self._shrink(now)
        return True

    def _shrink(self, now: float) -> None:
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.expires > now and not self._is_too_large():
                return
            self._drop(key)

    def _is_too_large(self) -> bool:
        return len(self._entries) > self._cache.entries or self.bytes > self._cache.bytes

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size


@dataclass(frozen=True, slots=True)
class _Caching:
    """The layer of one tool."""

    cache: settings.Cache
    store: Store
    inner: Run
    services: Services

    async def run(self, info: CallInfo, arguments: Arguments) -> object:
        form = canonical(arguments)
        if form is None:
            self.services.notify(info, "cache_unkeyed")
            return await self.inner(info, arguments)
        key = (info.tenant if self.cache.scope == "tenant" else None, form)
        entry = self.store.get(key, self.services.clock())
        if entry is not None:
            info.mark_cached()
            self.services.notify(info, "cache_hit")
            return entry.value
        self.services.notify(info, "cache_miss")
        value = await self.inner(info, arguments)
        self.keep(info, key, value)
        return value

    def keep(self, info: CallInfo, key: Key, value: object) -> None:
        now = self.services.clock()
        entry = self.store.get(key, now)
        if entry is not None and entry.value is value:
            return  # coalesced: the first of those who got it has kept it
        try:
            size = len(encode(value))
        except BadValue:
            kept = False
        else:
            kept = self.store.put(key, value, size, now)
        if not kept:
            self.services.notify(info, "cache_unkept")


def build(tool: ToolView, inner: Run, services: Services) -> Run:
    """Return the layer for one tool."""
    cache = tool.cache if isinstance(tool.cache, settings.Cache) else settings.Cache(ttl=1.0)
    return _Caching(cache, Store(cache), inner, services).run


def _is_timed(tool: ToolView) -> bool:
    """What sessions keep ("session", "tenant") is not of this layer: see `engine/flights.py`."""
    return isinstance(tool.cache, settings.Cache)


POLICY = Policy(
    name="cache",
    slot=Slot.CACHE,
    build=build,
    option="cache",
    applies=_is_timed,
    effects=("read",),
)
