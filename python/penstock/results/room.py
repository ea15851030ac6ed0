"""`Room`: who may begin while results fill the memory, and who waits.

Ground rules:

- State: the usual size of each tool's results, and the futures of those who wait. It belongs to no
  thread: dictionaries and lists change by single operations.
- Over the budget, calls whose results are usually large are held back; all others go on. A finished
  value is never refused, so the bound is the budget and the results of calls that run already.
- While values leave memory, a wait has no end of its own: they will. Only when nothing can leave does
  `full_wait` begin, and then the wait ends with `ResultsFull`.
"""

import asyncio
import contextlib
import logging
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable

from penstock._native import Ledger
from penstock.errors import ResultsFull
from penstock.results.options import Results

MOST_TOOLS = 10_000

logger = logging.getLogger("penstock.results")
_SHARE_OF_NEWEST = 0.125


class Room:
    """See the ground rules."""

    def __init__(self, options: Results, ledger: Ledger, wake: Callable[[], object]) -> None:
        """Look at a ledger.

        Args:
            options: of the store.
            ledger: knows what is held.
            wake: has values leave memory.
        """
        self._budget = options.memory_bytes
        self._inline = options.inline_bytes
        self._full_wait = options.full_wait
        self._ledger = ledger
        self._wake = wake
        self._usual: dict[str, float] = {}
        self._waiting: set[tuple[AbstractEventLoop, Future[None]]] = set()
        self._listeners: list[Callable[[], object]] = []
        self._was_over = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def is_over(self) -> bool:
        """Whether values take more memory than they may."""
        return self._ledger.held_bytes > self._budget

    def note(self, tool: str, size: int) -> None:
        """Learn the size of a result."""
        usual = self._usual.get(tool)
        if usual is not None:
            self._usual[tool] = usual + (size - usual) * _SHARE_OF_NEWEST
        elif len(self._usual) < MOST_TOOLS:
            self._usual[tool] = float(size)

    def may_begin(self, tool: str) -> bool:
        """Return whether a call of this tool may begin; asked for each, so it costs little."""
        if self._usual.get(tool, 0.0) <= self._inline or not self.is_over:
            return True
        self._was_over = True
        return False

    def on_relief(self, listener: Callable[[], object]) -> None:
        """Call `listener` when calls that were held back may begin.

        Any thread calls it, also in a destructor: it only wakes somebody. What it raises is logged.
        """
        self._listeners.append(listener)

    async def wait(self) -> None:
        """Return when there is room.

        Raises:
            ResultsFull: there was none for `full_wait` seconds; the operator acts, or who holds values.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as scope:
                while self.is_over:
                    self._was_over = True
                    is_full = self._ledger.is_full
                    if is_full is (scope.when() is None):
                        scope.reschedule(loop.time() + self._full_wait if is_full else None)
                    await self._change(loop, wake=not is_full)
        except TimeoutError:
            raise self.refusal() from None

    def refusal(self) -> ResultsFull:
        """Return the error of a call that had to wait too long."""
        return ResultsFull(self._ledger.held_bytes, self._budget, self._full_wait)

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
            for listener in self._listeners:
                try:
                    listener()
                except Exception:
                    logger.exception("a listener failed on relief of results")

    async def _change(self, loop: AbstractEventLoop, *, wake: bool) -> None:
        waiting = (loop, loop.create_future())
        self._waiting.add(waiting)
        if wake:
            self._wake()
        try:
            await waiting[1]
        finally:
            self._waiting.discard(waiting)


def _wake(future: "Future[None]") -> None:
    if not future.done():
        future.set_result(None)
