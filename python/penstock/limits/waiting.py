"""Those who wait for limits on one event loop: their futures, and the one timer for all of them.

Ground rules:

- State: a future for each place in the core's queues, by token; one timer; whether a turn is due.
  Only the loop's own thread touches it, but for `wake`, which may be called on any thread.
- The core decides who is next, here its answers are delivered: all that a turn brings, in one batch.
- The timer is set for when the core may have something to grant by itself. One that is set earlier
  looks in vain once and is set anew; nothing polls, and without waiters there is no timer.
- A cancelled wait leaves the queue in the same turn. A grant that was on its way meanwhile is given
  back whole.
"""

import asyncio
import math
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Callable

from penstock._native import Limiter, Permit
from penstock.errors import EngineClosed


class Waiting:
    """The waits of one event loop."""

    def __init__(self, native: Limiter, loop: AbstractEventLoop, roll: Callable[[], float]) -> None:
        """Become an owner of waits in the core.

        Args:
            native: what decides.
            loop: where the futures live.
            roll: begins the calendar windows that are due; returns the seconds until the next is.
        """
        self._native = native
        self.loop = loop
        self._roll = roll
        self._futures: dict[int, Future[Permit]] = {}
        self._timer: TimerHandle | None = None
        self._timer_at = math.inf
        self._is_turn_due = False
        self._is_closed = False
        self.owner = native.add_owner(self.wake)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._futures)

    @property
    def is_dead(self) -> bool:
        """Whether the event loop is closed."""
        return self.loop.is_closed()

    def enter(self, token: int, sooner: float | None) -> Future[Permit]:
        """Return what a place leads to: a permit, or why there is none.

        Args:
            token: the name of the place.
            sooner: seconds until the next decision if the timer is set too late for it.
        """
        future: Future[Permit] = self.loop.create_future()
        self._futures[token] = future
        if sooner is not None or self._timer is None:
            self._set_timer()
        return future

    def wake(self) -> None:
        """Let a turn come soon; callable on any thread."""
        if self._is_turn_due:
            return
        self._is_turn_due = True
        if _running_loop() is self.loop:
            self.loop.call_soon(self._turn)
        else:
            self.loop.call_soon_threadsafe(self._turn)

    def close(self) -> None:
        """Refuse those who wait, on any thread."""
        if _running_loop() is self.loop:
            self._refuse()
        elif not self.is_dead:
            self.loop.call_soon_threadsafe(self._refuse)
        # From now on the number may be somebody else's.
        self._is_closed = True
        self._native.remove_owner(self.owner)

    def _turn(self) -> None:
        self._is_turn_due = False
        if self._is_closed:
            return
        self._roll()
        for token, answer in self._native.poll(self.owner):
            future = self._futures.pop(token, None)
            if future is None or future.done():
                if isinstance(answer, Permit):
                    answer.refund()
            elif isinstance(answer, Permit):
                future.set_result(answer)
            else:
                future.set_exception(answer)
        self._set_timer()

    def _on_timer(self) -> None:
        self._timer = None
        self._turn()

    def _set_timer(self) -> None:
        seconds = self._seconds_to_turn() if self._futures else math.inf
        at = self.loop.time() + seconds
        if self._timer is not None:
            if at < math.inf and self._timer_at <= at:
                return
            self._timer.cancel()
            self._timer = None
        if at < math.inf:
            # Whole milliseconds, rounded up: uvloop rounds to the nearest, and a timer that rings
            # early finds nothing due. It also gives no handle that knows its time.
            later = math.ceil(seconds * 1_000) / 1_000
            self._timer, self._timer_at = self.loop.call_later(later, self._on_timer), at

    def _seconds_to_turn(self) -> float:
        """Return when there may be something to grant, in seconds; infinite if nobody knows."""
        wake = self._native.next_wake()
        return min(self._roll(), math.inf if wake is None else wake)

    def leave(self, token: int, future: Future[Permit]) -> None:
        """Give up a place, or what it has just led to."""
        if self._futures.pop(token, None) is not None:
            if self._is_closed:
                return
            self._native.forget(self.owner, token)
            self.wake()  # the next turn gives back what was on its way, and sets the timer
        elif not future.cancelled() and future.exception() is None:
            future.result().refund()

    def _refuse(self) -> None:
        futures, self._futures = self._futures, {}
        for future in futures.values():
            if not future.done():
                future.set_exception(EngineClosed("closed"))
        self._set_timer()


def _running_loop() -> AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
