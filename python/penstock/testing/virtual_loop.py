"""An event loop whose time passes only when nothing else can happen.

When no callback is ready, the loop jumps to its next timer at once. Threads and sockets are real:
while a program waits for one of those and has no timer, the loop waits for it, in real time, and
five seconds of silence are reported as a `Deadlock`.
"""

import asyncio
import selectors
from typing import Any

from penstock.errors import Deadlock

_SILENCE_SECONDS = 5.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """The standard library's loop in virtual time.

    Example:
        >>> import asyncio
        >>> with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        ...     runner.run(asyncio.sleep(3600, "an hour later"))
        'an hour later'
    """

    is_virtual = True

    def __init__(self) -> None:
        """Make a loop whose clock stands at one second."""
        self._now = 1.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the virtual seconds since the loop was made, and one."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass without anything happening meanwhile."""
        self._now += seconds

    def on_turn(self) -> bool:
        """Called once a turn, before time may pass; true if something was made ready."""
        return False


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, Any]]:
        """Return what is ready; else jump to the next timer; else wait for the outside world."""
        ready = super().select(0)
        if self._loop.on_turn() or ready:
            return ready
        if timeout is not None:
            self._loop.advance(max(timeout, 0.0))
            return []
        ready = super().select(_SILENCE_SECONDS)
        if not ready:
            raise Deadlock(_SILENCE_SECONDS)
        return ready
