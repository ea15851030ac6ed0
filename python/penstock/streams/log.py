"""`Stream`: the log of a batch, and what its watchers share.

The log itself is native. Here are the filters, which become a mask that the log reads, and the
snapshot, of which there is one for all watchers that need it at about the same time.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from penstock._native import Batch as NativeBatch
from penstock._native import EngineLog, Host
from penstock.calls import Call
from penstock.errors import ConfigError, StreamPosition
from penstock.events import RECORDED, Event
from penstock.streams._protocol import Look, StreamLog
from penstock.streams.elsewhere import DistantSubscription, call_there, relay_of
from penstock.streams.watch import Subscription, Wanted

SNAPSHOT_CALLS = 1_000
"""Calls in one part of a snapshot."""

ALL_KINDS = (1 << len(RECORDED)) - 1


class SharedPages:
    """A log whose last page is kept for those who read on from the same place.

    A thousand watchers that are woken together, or that fell asleep at the same event, hold one list of
    events. A page that was not full when it was made stays right: what followed is on the next one.
    """

    def __init__(self, log: StreamLog) -> None:
        """Take what the pages are read from."""
        self._log = log
        self._key: tuple[object, ...] = ()
        self._page: tuple[Look, int, list[Event]] = ("nothing", 0, [])
        self.position = log.position
        self.grown = log.grown

    def __len__(self) -> int:
        return len(self._log)

    def read(
        self,
        after: int,
        limit: int,
        kinds: int = ALL_KINDS,
        calls: bytes | None = None,
        values: bool = True,
    ) -> tuple[Look, int, list[Event]]:
        """Return what follows an event; see `StreamLog`."""
        key = (after, limit, kinds, calls, values)
        if key == self._key:
            return self._page
        page = self._log.read(*key)
        if page[0] == "records":
            self._key, self._page = key, page
        return page


class Stream:
    """The log of one batch."""

    def __init__(self, native: NativeBatch, calls: Sequence[Call]) -> None:
        """Take the log of a batch.

        Args:
            native: the batch.
            calls: its calls, in order.
        """
        self._native = native
        self._calls = calls
        self.pages = SharedPages(native)
        self._catch_up = {values: partial(self.snapshot, values=values) for values in (True, False)}
        self._folded: tuple[Any, ...] | None = None
        self._snapshots: dict[bool, tuple[Event, ...]] = {}

    def watch(
        self,
        after: int,
        types: Collection[str] | None,
        calls: Collection[str | int] | None,
        branch: str | None,
        values: bool,
    ) -> Subscription:
        """Return a watcher; see `Batch.events`."""
        kinds, chosen = mask(types), self._wanted(calls, branch)
        begin = partial(_begin, self._native, after)
        if not self._native.is_here():
            relay = relay_of(self._native, _BatchSource(self))
            return DistantSubscription(relay, begin, (kinds, chosen, values))
        return Subscription(
            self.pages,
            begin(),
            self._catch_up[values],
            kinds=kinds,
            calls=chosen,
            values=values,
        )

    def snapshot(self, *, values: bool = True) -> tuple[int, Sequence[Event]]:
        """Return a number, and the events that stand for everything up to there."""
        _seq, stale = self._native.snapshot()
        if stale or self._folded is None:
            self._folded = self._native.fold()
            self._snapshots.clear()
        if values not in self._snapshots:
            self._snapshots[values] = tuple(self._parts(*self._folded, values=values))
        return self._folded[0], self._snapshots[values]

    def _parts(
        self,
        seq: int,
        rows: list[tuple[Any, ...]],
        branches: list[tuple[int, bool]],
        ended: bool,
        *,
        values: bool,
    ) -> Iterator[Event]:
        now, names = time.monotonic(), self._native.branches
        parts = max(1, -(-len(rows) // SNAPSHOT_CALLS))
        kept = {names[number - 1]: kept for number, kept in branches}
        for part in range(parts):
            first = part * SNAPSHOT_CALLS
            shown = rows[first : first + SNAPSHOT_CALLS]
            data = {
                "part": part + 1,
                "parts": parts,
                "ended": ended,
                "branches": kept,
                "calls": [self._row(at, row, values=values) for at, row in enumerate(shown, first)],
            }
            yield Event(seq, "stream.snapshot", now, data=data)

    def _row(self, index: int, row: tuple[Any, ...], *, values: bool) -> dict[str, object]:
        state, attempt, status, progress, output, outcome = row
        call = self._calls[index]
        told: dict[str, object] = {
            "call": call.id if call.id is not None else f"call-{index}",
            "index": index,
            "tool": call.tool,
            "branch": call.branch,
            "state": state,
            "attempt": attempt,
            "status": status,
            "progress": progress,
            "output": output,
        }
        if values and outcome is not None:
            told["outcome"] = outcome
        return told

    def _wanted(self, calls: Collection[str | int] | None, branch: str | None) -> bytes | None:
        """A byte a call: whether its events are wanted; None for all."""
        if calls is None and branch is None:
            return None
        if branch is not None and branch not in self._native.branches:
            reason = f"the batch has these branches: {self._native.branches}"
            raise ConfigError("branch", branch, reason)
        if isinstance(calls, str):
            raise ConfigError("calls", calls, "a collection of ids of calls, or of their places")
        chosen = None if calls is None else set(calls)
        if chosen is not None:
            known = {call.id or f"call-{at}" for at, call in enumerate(self._calls)}
            unknown = chosen - known - set(range(len(self._calls)))
            if unknown:
                raise ConfigError("calls", sorted(map(str, unknown)), "no such calls in the batch")
        return bytes(
            (branch is None or call.branch == branch)
            and (chosen is None or at in chosen or (call.id or f"call-{at}") in chosen)
            for at, call in enumerate(self._calls)
        )


class _BatchSource:
    """The log of a batch, for watchers elsewhere."""

    def __init__(self, stream: Stream) -> None:
        self.log = stream.pages
        self.catch_up = stream.snapshot


class EngineStream:
    """The log of an engine, written while somebody watches it."""

    def __init__(self, host: Host) -> None:
        """Take the native half of an engine."""
        self._host = host

    def watch(self, after: int, types: Collection[str] | None) -> Subscription:
        """Return a watcher; see `Engine.events`."""
        wanted = mask(types), None, False
        if not self._host.is_here():
            return self._watch_elsewhere(after, wanted)
        watch = _Watch(self._host)
        position = watch.begin(after)
        log = watch.log
        subscription = Subscription(
            log, position, watch.catch_up, kinds=wanted[0], calls=None, values=False
        )
        subscription.on_close(watch.close)
        return subscription

    def _watch_elsewhere(self, after: int, wanted: Wanted) -> Subscription:
        watch = _Watch(self._host)
        relay = relay_of(self._host, watch)
        subscription = DistantSubscription(relay, partial(watch.begin, after), wanted)
        subscription.on_close(partial(call_there, relay, watch.close))
        return subscription


class _Watch:
    """One watch of an engine, on the engine's loop: what it does is written meanwhile."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._is_open = False

    @cached_property
    def _native(self) -> EngineLog:
        self._is_open = True
        return self._host.watch()

    @cached_property
    def log(self) -> SharedPages:
        """The log: open, from the first look at it on."""
        return SharedPages(self._native)

    def begin(self, after: int) -> int:
        """Open the log; return the position of who knows the events up to `after`."""
        try:
            return _begin(self.log, after)
        except BaseException:
            self.close()
            raise

    def catch_up(self, *, values: bool = False) -> tuple[int, Sequence[Event]]:
        """The newest that is forgotten: a log of many batches has no snapshot."""
        del values  # there are none
        oldest, _newest = self._native.range()
        return oldest - 1, ()

    def close(self) -> None:
        """Have nothing more written for this one."""
        if self._is_open:
            self._is_open = False
            self._native.close()


def mask(types: Collection[str] | None) -> int:
    """Return a bit for each wanted type.

    Raises:
        ConfigError: there is no such type; the caller acts.
    """
    if types is None:
        return ALL_KINDS
    if isinstance(types, str):
        raise ConfigError("types", types, "a collection of types of events")
    unknown = [name for name in types if name not in RECORDED]
    if unknown:
        raise ConfigError("types", unknown, f"there are these types: {', '.join(RECORDED)}")
    return sum(1 << RECORDED.index(name) for name in set(types))


def _begin(log: StreamLog, after: int) -> int:
    if type(after) is not int or after < -1:
        raise StreamPosition(after, len(log))
    return log.position(None if after == -1 else after)
