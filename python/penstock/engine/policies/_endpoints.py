"""The endpoints of one tool: how long each takes, and which one an attempt asks.

Ground rules:

- State: of each endpoint its latest 512 attempts; whose turn it is. On the loop's thread.
- First attempts take turns, so that the load is shared and every endpoint is known; another attempt goes to
  one that this call has not asked yet, the usually quickest first. Where a breaker is not closed no attempt
  goes while there is another endpoint; a first attempt goes there if there is none, for the breaker decides.
- An attempt that was stopped, or failed, says only that it takes longer than so far.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

LATEST = 512
"""Attempts of an endpoint that are remembered: p99.5 is between the third slowest and the slowest."""

FEWEST = 50
"""Before so many have ended well, a quantile of their durations says little."""


@dataclass(slots=True)
class Times:
    """How long attempts at one endpoint take."""

    latest: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=LATEST))
    """Seconds, and whether that was the whole time."""

    def note(self, seconds: float, *, whole: bool) -> None:
        """Note an attempt that has ended.

        Args:
            seconds: from the start of its code.
            whole: whether it ended well; otherwise it would have taken longer.
        """
        self.latest.append((seconds, whole))

    def quantile(self, share: float) -> float | None:
        """Return the seconds within which this share would end well; None while that is unknown.

        The longest seen if so many were stopped that it is longer.

        Source: Kaplan and Meier, Nonparametric Estimation from Incomplete Observations, 1958.
        """
        if sum(whole for _, whole in self.latest) < FEWEST:
            return None
        # Of equal times those that ended come first: the others were still running then.
        ordered = sorted(self.latest, key=lambda each: (each[0], not each[1]))
        running, left = len(ordered), 1.0
        for seconds, whole in ordered:
            if whole:
                left *= 1 - 1 / running
                if left <= 1 - share + 1e-12:
                    return seconds
            running -= 1
        return ordered[-1][0]


class Endpoints:
    """See the ground rules."""

    def __init__(self, names: Sequence[str], is_closed: Callable[[str], bool]) -> None:
        """Know nothing of them yet.

        Args:
            names: of the endpoints, at least two.
            is_closed: whether the breaker of one lets every call in; true without breakers.
        """
        self.names = tuple(names)
        self.times = {name: Times() for name in names}
        self._is_closed = is_closed
        self._turn = 0

    def first(self) -> str:
        """Return where the first attempt of a call goes."""
        whole = len(self.names)
        around = [self.names[(self._turn + step) % whole] for step in range(whole)]
        chosen = next(filter(self._is_closed, around), around[0])
        self._turn = (self.names.index(chosen) + 1) % whole
        return chosen

    def another(self, asked: Collection[str]) -> str | None:
        """Return where another attempt goes; None if no breaker lets every call in.

        Args:
            asked: the endpoints that the call has asked already.
        """
        open_to_all = list(filter(self._is_closed, self.names))
        fresh = [name for name in open_to_all if name not in asked]
        return min(fresh or open_to_all, key=self._usual, default=None)

    def _usual(self, name: str) -> float:
        """What is not known is asked, so that it will be."""
        return self.times[name].quantile(0.5) or 0.0
