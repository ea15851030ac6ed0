"""What an engine does for large results: a store for them, and no more of them while it is full.

Ground rules:

- State: the store, made with the first large value or when somebody asks for it. What can go wrong with it,
  or takes its time, is met at the start: with a folder of its own or keys it is made with the engine's
  first use. It belongs to the loop of the engine; a store that was given belongs to whoever made it, and
  is not closed here.
- Order: a value is taken when its call has ended. Over the budget, calls of tools whose results are
  usually large are held before they start; all others go on.
- End: a watch runs while results are held. It ends with relief, or with the engine. When nothing could
  leave memory for `full_wait` seconds, it has the calls that wait refused, and goes on; it never looks more
  often than each 50 ms.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

import penstock.results as stores
from penstock._native import Host
from penstock.errors import ConfigError, EngineClosed, MissingExtra, PenstockError, ResultsFull
from penstock.results import Results
from penstock.tools import Toolset

SHORTEST_WATCH = 0.05
"""Seconds between two looks at who waits, when nobody shall wait at all."""

logger = logging.getLogger("penstock.results")


def open_early(
    results: "Results | stores.ResultStore | None", clock: Callable[[], float]
) -> "stores.ResultStore | None":
    """Return the store of an engine that is used now; None if it is made when it is needed, or shared.

    Raises:
        ConfigError: its folder cannot be used; the operator acts.
        MissingExtra: there are keys and no cipher; the operator installs it.
    """
    if not isinstance(results, Results):
        return None
    is_plain = results.spill is None or results.spill == "auto"
    return None if is_plain and not results.keys else stores.ResultStore(results, clock=clock)


class Keeping:
    """See the ground rules."""

    def __init__(
        self,
        results: "Results | stores.ResultStore | None",
        host: Host,
        tools: Toolset,
        clock: Callable[[], float] = time.monotonic,
        opened: "stores.ResultStore | None" = None,
    ) -> None:
        """Have the host give large values here.

        Args:
            results: settings of a store of the engine's own, or a store to share.
            host: of the engine, with all its tools.
            tools: for what they say of their values.
            clock: the seconds of the engine.
            opened: the store of these settings, if it is there already; see `open_early`.
        """
        self._is_own = results is None or isinstance(results, Results)
        self._store: stores.ResultStore | None = opened
        self._fault: PenstockError | None = None
        if results is None or isinstance(results, Results):
            self._options = results or Results()
        else:
            self._store, self._options = results, results.options
        self._host = host
        self._tools = tools
        # The values that are held as objects, and some that were: by their ids, tools and tenants.
        self._known: WeakValueDictionary[tuple[int, str, str | None], stores.ResultRef] = (
            WeakValueDictionary()
        )
        self._clock = clock
        self._watch: asyncio.Task[None] | None = None
        host.use_results(self.keep, self._options.inline_bytes, self._options.value_bytes)

    @property
    def store(self) -> "stores.ResultStore":
        """The store; made now if there is none."""
        if self._store is None:
            self._store = stores.ResultStore(self._options, clock=self._clock)
        return self._store

    def keep(
        self, value: object, tool: str, tenant: str | None, encoded: int, resident: int
    ) -> "stores.ResultRef | None":
        """Take a value, unless it is small after all.

        An object that is held already, such as the answer of a cache or of a run that calls share, is
        held once.

        Raises:
            ResultTooLarge: it has more bytes than the tool, or any tool, may return.
        """
        if self._fault is not None:
            return None
        key = (id(value), tool, tenant)
        known = self._known.get(key)
        if known is not None and known.is_of(value):  # ids are used again
            return known
        own, most = self._tools[tool], self._options.value_bytes
        try:
            store = self.store
        except (ConfigError, MissingExtra) as fault:
            self._fault = fault
            logger.error("large values stay with their outcomes, for they have no store: %s", fault)
            return None
        try:
            ref = store.keep(
                value,
                tool=tool,
                media_type=own.media_type,
                tenant=tenant,
                value_bytes=most if own.value_bytes is None else min(most, own.value_bytes),
                measured=(encoded, resident),
            )
        except EngineClosed:  # a store that others share: the value stays with its outcome
            return None
        if ref is None:
            return None
        self._known[key] = ref
        if self._watch is None and store.room.is_over:
            self._hold(store)
        return ref

    def statistics(self) -> "stores.ResultStatistics | None":
        """Return the figures of the store; None if there is none."""
        return None if self._store is None else self._store.statistics()

    async def aclose(self) -> None:
        """Stop watching, and close a store of the engine's own: what is held can be read on.

        Who is cancelled meanwhile gives up at once; the store goes on closing beside the loop.
        """
        watch = self._watch
        if watch is not None:
            watch.cancel()
        try:
            if self._store is not None and self._is_own:
                await self._store.aclose()
        finally:
            if watch is not None:
                await asyncio.wait([watch])  # takes no cancellation of ours for that of the watch

    def forget(self) -> None:
        """The same from a finalizer, or after the end of the loop: waits for nobody."""
        if self._store is not None and self._is_own:
            self._store.abandon()

    def _hold(self, store: "stores.ResultStore") -> None:
        self._host.hold_results()
        self._watch = asyncio.get_running_loop().create_task(self._relieve(store))

    async def _relieve(self, store: "stores.ResultStore") -> None:
        """Let calls go on when there is room, and refuse those that wait when there is none."""
        try:
            while not await self._is_relieved(store):
                pass
        finally:
            self._watch = None
            self._host.release_results()

    async def _is_relieved(self, store: "stores.ResultStore") -> bool:
        try:
            await store.room.wait(max(self._options.full_wait, SHORTEST_WATCH))
        except ResultsFull as full:
            self._host.refuse_held(full.held, full.limit, full.retry_after or 0.0)
            return False
        return True
