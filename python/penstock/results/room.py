"""`Room`: who waits while results fill the memory.

Ground rules:

- State: the futures of those who wait. It belongs to no thread: the set changes by single operations.
- A finished value is never refused, so the bound is the budget and what is in the making. Whoever makes
  large values asks here before: an engine for its calls, other code by `ResultStore.wait_room`.
- While values leave memory, a wait has no end of its own: they will. Only when nothing can leave does
  `full_wait` begin, and then the wait ends with `ResultsFull`.
- Who waits has what was held for long enough let go of, first and whenever the next is due.
- After the end of the store nobody waits: it takes no more values.
"""

import asyncio
import contextlib
import math
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable

from penstock._native import Ledger
from penstock.errors import ResultsFull
from penstock.results.options import Results


class Room:
    """See the ground rules."""

    def __init__(
        self,
        options: Results,
        ledger: Ledger,
        wake: Callable[[], object],
        expire: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Look at a ledger.

        Args:
            options: of the store.
            ledger: knows what is held.
            wake: has values leave memory.
            expire: lets go of what was held for long enough; returns the seconds until the next is due.
        """
        self._budget = options.memory_bytes
        self._full_wait = options.full_wait
        self._ledger = ledger
        self._wake = wake
        self._expire = expire
        self._waiting: set[tuple[AbstractEventLoop, Future[None]]] = set()
        self._was_over = self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def is_over(self) -> bool:
        """Whether values take more memory than they may."""
        return self._ledger.held_bytes > self._budget

    async def wait(self, patience: float | None = None) -> None:
        """Return when there is room, or the store is closed.

        Args:
            patience: seconds at the brim; `full_wait` unless given.

        Raises:
            ResultsFull: there was none for so long; the operator acts, or who holds values.
        """
        loop = asyncio.get_running_loop()
        patience = self._full_wait if patience is None else patience
        try:
            async with asyncio.timeout(None) as scope:
                while True:
                    due = self._expire()
                    if self._is_closed or not self.is_over:
                        return
                    self._was_over = True
                    is_full = self._ledger.is_full
                    if is_full is (scope.when() is None):
                        scope.reschedule(loop.time() + patience if is_full else None)
                    await self._change(loop, due, wake=not is_full)
        except TimeoutError:
            raise self.refusal() from None

    def refusal(self) -> ResultsFull:
        """Return the error of a call that had to wait too long."""
        return ResultsFull(self._ledger.held_bytes, self._budget, self._full_wait)

    def close(self) -> None:
        """Let all go on, for good; from any thread."""
        self._is_closed = True
        self.tell()

    def tell(self) -> None:
        """Look whether somebody may go on; called after each change, from any thread."""
        if not self._was_over:
            return
        for waiting in list(self._waiting):
            loop, future = waiting
            with contextlib.suppress(RuntimeError):  # its loop was closed
                loop.call_soon_threadsafe(_wake, future)
        if not self.is_over:
            self._was_over = False

    async def _change(self, loop: AbstractEventLoop, due: float, *, wake: bool) -> None:
        waiting = (loop, loop.create_future())
        timer = None if due == math.inf else loop.call_later(due, _wake, waiting[1])
        self._waiting.add(waiting)
        if wake:
            self._wake()
        try:
            await waiting[1]
        finally:
            self._waiting.discard(waiting)
            if timer is not None:
                timer.cancel()


def _wake(future: "Future[None]") -> None:
    if not future.done():
        future.set_result(None)
