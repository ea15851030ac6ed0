"""`Guard`: a lock that destructors may need at any moment, also while their own thread holds it.

The garbage collector runs destructors wherever it likes, so a destructor never waits for a lock. It
leaves its item; whoever holds the lock, or the destructor itself if nobody does, works it off.

A signal handler may raise wherever it likes, too, such as `KeyboardInterrupt`, and no lock may stay taken
then. Between the taking of a lock and the block that gives it back no line of Python may lie: so the lock
itself stands in the `with`, beside the guard, whose own end may be skipped without harm.
"""

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class Guard(Generic[T]):
    """A lock and a place for items that are handled under it, soon and once each.

    Attributes:
        lock: to be taken together with the guard, which works off what was left meanwhile.

    Example:
        >>> done = []
        >>> guard = Guard(done.append)
        >>> with guard, guard.lock:
        ...     guard.leave(1)
        ...     assert not done
        >>> done
        [1]
    """

    __slots__ = ("_handle", "_left", "_try", "lock")

    def __init__(self, handle: Callable[[T], object]) -> None:
        """Make a guard.

        Args:
            handle: called with the lock held; neither waits nor raises.
        """
        self._handle = handle
        self._left: deque[T] = deque()
        self.lock = threading.Lock()
        self._try = partial(self.lock.acquire, False)

    def leave(self, item: T) -> None:
        """Have `item` handled, now if nobody holds the lock; never waits."""
        self._left.append(item)
        self._work_off()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exit: object) -> None:
        # What came before the lock was given back found it taken; what comes after does not.
        if self._left:
            self._work_off()

    def _work_off(self) -> None:
        while self._left:
            # A loop and no call: signal handlers run after a call, but not after a step of an iterator.
            for _ in iter(self._try, False):
                try:
                    while self._left:
                        self._handle(self._left.popleft())
                finally:
                    self.lock.release()
                break
            else:
                return  # who holds the lock works it off
