"""The kill switch: a tool whose guesses come true much less often than was said goes back to shadow."""

from collections import deque
from dataclasses import dataclass, field

LAUNCHES = 200
"""After so many of a tool it is judged, again and again, by the latest."""

LEAST_SHARE = 0.5
"""Of the hits that were promised."""


@dataclass(slots=True)
class Drift:
    """What was promised of one tool's guesses, and what came true.

    Attributes:
        off: whether its guesses do not run any more.
    """

    latest: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=LAUNCHES))
    off: bool = False

    def note(self, p: float, *, hit: bool) -> None:
        """Count the end of a launch, or of one that would have been."""
        self.latest.append((p, hit))
        if len(self.latest) == LAUNCHES:
            promised = sum(p for p, _ in self.latest)
            self.off = sum(hit for _, hit in self.latest) < LEAST_SHARE * promised
