"""`Subscription`: one watcher of a stream.

Ground rules:

- State: a cursor, and a page of events that are handed out. No queue: what is not read yet is in the
  log, and the log does not wait.
- Order: that of the log. The events of a page may be older than a page that another watcher has.
- Cancellation: at any wait; the cursor stays where the last event was handed out, so iterating again
  goes on there.
- Bound: a page of 256 events, which all who read on from one place share; then the loop has a turn, whatever else there is to read.
- Slow: when the log has forgotten what follows the cursor, the watcher gets `stream.gap` with the
  numbers it misses, then `stream.snapshot`, then what follows the snapshot.
"""

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence, Sized
from contextlib import aclosing
from operator import length_hint
from types import AsyncGeneratorType, TracebackType
from typing import Self, cast

from penstock.events import Event
from penstock.streams._protocol import StreamLog

PAGE = 256
"""Records that a watcher passes at once."""

NOTHING: Iterator[Event] = iter(())
"""Stays as it is, so all may share it."""

Wanted = tuple[int, bytes | None, bool]
"""Types, calls, values: see `StreamLog.read`."""

Catch = Callable[[], tuple[int, Sequence[Event]]]


class Subscription(AsyncIterator[Event]):
    """Events as they happen: iterate over it. Made by `Batch.events` and `Engine.events`.

    As `async with`, or with `aclose()`, it is over at once when nobody needs it any more.
    """

    # There may be ten thousand.
    __slots__ = (
        "__weakref__",
        "_catch_up",
        "_closed",
        "_events",
        "_finalizer",
        "_left",
        "_log",
        "_page",
        "_position",
        "_wanted",
        "gaps",
    )

    def __init__(
        self,
        log: Sized,
        position: int,
        catch_up: Catch,
        *,
        kinds: int,
        calls: bytes | None,
        values: bool,
    ) -> None:
        # Made by a `Stream`, whose log is a `StreamLog`. `catch_up` answers a number, and the events that stand for all before.
        self.gaps = 0
        self._position = position
        # What is left of the page that is handed out, and the page.
        self._left = NOTHING
        self._page: Sequence[Event] = ()
        self._log = log
        self._catch_up = catch_up
        self._wanted = (kinds, calls, values)
        self._events: AsyncGenerator[Event] | None = None
        self._closed = False
        self._finalizer: weakref.finalize[..., Subscription] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncGenerator[Event]:
        # The generator itself: a step of it costs a third of an `__anext__` in between.
        self._events = self._follow()
        return self._events

    async def __anext__(self) -> Event:
        if self._events is None:
            self._events = self._follow()
        return await anext(self._events)

    def __repr__(self) -> str:
        return f"<Subscription: after {self.position} of {len(self._log)} events>"

    @property
    def position(self) -> int:
        """The number of the last event that was handed out, or passed over."""
        # Found out when somebody asks: to note it with each event would cost a third of the event.
        left = length_hint(self._left)
        return self._page[-left].seq - 1 if left else self._position

    @property
    def lag(self) -> int:
        """How many records the log has written behind this watcher's position."""
        return len(self._log) - self.position

    async def aclose(self) -> None:
        """End the iteration; one that waits in another task ends with the next event."""
        self._closed = True
        # One that runs cannot be closed; it sees the flag.
        running = isinstance(self._events, AsyncGeneratorType) and self._events.ag_running
        if self._events is not None and not running:
            await self._events.aclose()
        if self._finalizer is not None:
            self._finalizer()

    def on_close(self, close: Callable[[], None]) -> None:
        """Have `close` called once, when this is closed or forgotten."""
        self._finalizer = weakref.finalize(self, close)
        self._finalizer.atexit = False

    async def _follow(self) -> AsyncGenerator[Event]:
        log = cast(StreamLog, self._log)
        read, grown, wanted = log.read, log.grown, self._wanted
        while not self._closed:
            before = self._position = self.position
            self._left = NOTHING
            look, position, events = read(before, PAGE, *wanted)
            if look == "records":
                self._page, self._left = events, iter(events)
                self._position = position
                for event in self._left:
                    yield event
                self._page = ()
                if position - before < PAGE:
                    await grown(position)
                else:
                    await asyncio.sleep(0)
            elif look == "nothing":
                await grown(before)
            elif look == "end":
                return
            else:
                async with aclosing(self._pass_over(*self._catch_up())) as passed:
                    async for event in passed:
                        yield event

    async def _pass_over(self, seq: int, snapshot: Sequence[Event]) -> AsyncGenerator[Event]:
        """What a watcher gets who missed events."""
        first = self._position + 1
        self.gaps += 1
        time = snapshot[0].time if snapshot else 0.0
        # From here on the watcher has heard of everything up to the snapshot.
        self._position = seq
        yield Event(seq, "stream.gap", time, data={"from": first, "to": seq})
        for event in snapshot:
            yield event
