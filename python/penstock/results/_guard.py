"""`Guard`: a lock that destructors may need at any moment, also while their own thread holds it.

The garbage collector runs destructors wherever it likes, so a destructor never waits for a lock. It
leaves its item; whoever holds the lock, or the destructor itself if nobody does, works it off.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Guard(Generic[T]):
    """A lock, used by `with`, and a place for items that are handled under it, soon and once each.

    Example:
        >>> done = []
        >>> guard = Guard(done.append)
        >>> with guard:
        ...     guard.leave(1)
        ...     assert not done
        >>> done
        [1]
    """

    __slots__ = ("_handle", "_left", "_lock")

    def __init__(self, handle: Callable[[T], object]) -> None:
        """Make a guard.

        Args:
            handle: called with the lock held; neither waits nor raises.
        """
        self._handle = handle
        self._left: deque[T] = deque()
        self._lock = threading.Lock()

    def leave(self, item: T) -> None:
        """Have `item` handled, now if nobody holds the lock; never waits."""
        self._left.append(item)
        self._work_off()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exit: object) -> None:
        self._lock.release()
        # What came before the line above found the lock taken; what comes after it does not.
        if self._left:
            self._work_off()

    def _work_off(self) -> None:
        while self._left and self._lock.acquire(blocking=False):
            try:
                while self._left:
                    self._handle(self._left.popleft())
            finally:
                self._lock.release()
