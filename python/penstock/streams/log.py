"""`Stream`: the log of a batch, and what its watchers share.

The log itself is native. Here are the filters, which become a mask that the log reads, and the
snapshot, of which there is one for all watchers that need it at about the same time.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

from penstock._native import Batch as NativeBatch
from penstock._native import EngineLog
from penstock.calls import Call
from penstock.errors import ConfigError, StreamPosition
from penstock.events import RECORDED, Event
from penstock.streams._protocol import Look, StreamLog
from penstock.streams.watch import Subscription

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
        self._pages = SharedPages(native)
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
        position = _begin(self._native, after)
        return Subscription(
            self._pages,
            position,
            self._catch_up[values],
            kinds=mask(types),
            calls=self._wanted(calls, branch),
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


class EngineStream:
    """The log of an engine, written while somebody watches it."""

    def __init__(self, native: EngineLog) -> None:
        """Take an open log."""
        self._native = native
        self._pages = SharedPages(native)

    def watch(self, after: int, types: Collection[str] | None) -> Subscription:
        """Return a watcher; see `Engine.events`."""
        position = _begin(self._native, after)
        return Subscription(
            self._pages,
            position,
            self._catch_up,
            kinds=mask(types),
            calls=None,
            values=False,
        )

    def _catch_up(self) -> tuple[int, Sequence[Event]]:
        """The newest that is forgotten: a log of many batches has no snapshot."""
        oldest, _newest = self._native.range()
        return oldest - 1, ()


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
