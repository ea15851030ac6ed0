"""How long to wait before another worker is started in the place of those that died.

Pure: the time is a parameter. Two deaths in ten seconds are bad luck; from the third on the wait is
half a second, and doubles with each further one, up to ten seconds.
"""

from collections import deque

_WINDOW_SECONDS = 10.0
_FREE_DEATHS = 2
_FIRST_WAIT = 0.5


class Backoff:
    """The deaths of the last seconds."""

    def __init__(self) -> None:
        """Start without a death."""
        self._deaths: deque[float] = deque()

    def add(self, now: float) -> None:
        """Take note of a death."""
        self._deaths.append(now)
        self._drop_old(now)

    def wait(self, now: float) -> float:
        """Return the seconds until a worker may be started, 0 if at once."""
        self._drop_old(now)
        beyond = len(self._deaths) - _FREE_DEATHS
        if beyond <= 0:
            return 0.0
        # Capped as an exponent: a thousand deaths must not overflow.
        pause = min(_FIRST_WAIT * 2.0 ** min(beyond - 1, 16), _WINDOW_SECONDS)
        return max(self._deaths[-1] + pause - now, 0.0)

    def _drop_old(self, now: float) -> None:
        while self._deaths and self._deaths[0] <= now - _WINDOW_SECONDS:
            self._deaths.popleft()
