"""`Writer`: the thread that moves values down while memory is over its budget, and closes files.

Ground rules:

- It begins with the first value and ends when there is nothing to do and no file: a store that somebody
  forgot leaves no thread.
- It is woken by a put into a queue, which is all that a destructor may do, and works until the ledger
  names nobody. Each value is moved by itself, so a wish to close is heard soon.
- It closes the files itself when it is told to end: whoever tells it need not wait, and a destructor,
  which may run in any thread and under any lock, never does.
- On a full disk nothing more is written until files were freed or a second has passed; meanwhile what
  packing makes smaller is packed.
- A fault with one value is logged, and the value stays where it is: the thread goes on.
"""

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from penstock._native import Ledger
from penstock.results._packing import Packing
from penstock.results.entries import Entry
from penstock.results.forms import Forms
from penstock.results.spill import Spill

IDLE_SECONDS = 10.0
AGAIN_SECONDS = 1.0

_NOBODY = threading.Event()

logger = logging.getLogger("penstock.results")


class Writer:
    """See the ground rules."""

    def __init__(
        self,
        ledger: Ledger,
        entry: Callable[[int], Entry | None],
        forms: Forms,
        spill: Spill | None,
        packing: Packing,
        on_change: Callable[[], object],
        on_end: Callable[[], object],
    ) -> None:
        """Join the parts; no thread is started yet.

        Args:
            ledger: says who moves.
            entry: returns the entry of a number of the ledger; None if it is gone.
            forms: moves.
            spill: where to; None without.
            packing: has dictionaries made.
            on_change: told after each value that left memory, and when no more can.
            on_end: called when the end was asked for, by the thread and by who waits for it.
        """
        self._ledger = ledger
        self._entry = entry
        self._forms = forms
        self._spill = spill
        self._packing = packing
        self._on_change = on_change
        self._on_end = on_end
        self._queue: SimpleQueue[threading.Event | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._is_blocked = False

    def wake(self) -> None:
        """Have it look for work; begins the thread if there is none."""
        self.nudge()
        # The lock orders this with a thread that is about to end: it sees the nudge, or we its end.
        with self._lock:
            if self._thread is None and not self._is_closing:
                self._thread = threading.Thread(
                    target=self._run, name="penstock-results", daemon=True
                )
                self._thread.start()

    def nudge(self) -> None:
        """Have it look for work, if it runs; a destructor may call this."""
        if self._queue.empty():
            self._queue.put(None)

    def settle(self) -> None:
        """Wait until everything that can move now has moved; never on a loop."""
        done = threading.Event()
        self._queue.put(done)
        self.wake()
        while self._thread is not None and not done.wait(AGAIN_SECONDS):
            pass

    def end(self) -> None:
        """Have the thread end, if it runs; waits for nobody, so a destructor may call this."""
        self._is_closing = True
        self._queue.put(None)

    def close(self) -> None:
        """End the thread and wait for it."""
        self.end()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()
        self._on_end()

    def _run(self) -> None:
        while not self._is_closing:
            asked = self._next()
            if asked is _NOBODY and self._rest():
                return
            self._work()
            self._on_change()
            if asked is not None:
                asked.set()
        self._on_end()
        self._thread = None

    def _next(self) -> threading.Event | None:
        """Wait for somebody to wake this thread, and return what they wait for."""
        try:
            return self._queue.get(timeout=AGAIN_SECONDS if self._is_blocked else IDLE_SECONDS)
        except Empty:
            return _NOBODY

    def _rest(self) -> bool:
        """Tidy up after a while without work; true if there is nothing left to do."""
        if self._is_blocked:
            self._unblock()
            return False
        if self._spill is not None:
            self._spill.sweep(idle=True)
            if self._spill.has_files:
                return False
        with self._lock:
            if not self._queue.empty():
                return False
            self._thread = None
        return True

    def _work(self) -> None:
        if self._spill is not None and self._spill.is_sweep_due and self._spill.sweep():
            self._unblock()
        while not self._is_closing:
            move = self._ledger.next_move()
            if move is None:
                break
            number, where = move
            self._move(number, to_disk=where == "disk")
            self._on_change()
        self._packing.train()

    def _move(self, number: int, *, to_disk: bool) -> None:
        entry = self._entry(number)
        if entry is None:  # let go of between the two lines
            return
        try:
            is_done = self._forms.demote(entry, to_disk=to_disk)
        except Exception:  # a border: whatever one value does, the others are moved
            logger.exception("a value of %r could not be moved", entry.origin.tool)
            self._forms.give_up(entry, is_opaque=True)
            return
        if not is_done:
            self._is_blocked = True
            self._ledger.set_spills(False)

    def _unblock(self) -> None:
        if self._is_blocked:
            self._is_blocked = False
            self._ledger.set_spills(True)
