"""How many attempts of each tool wait for their turn: what shedding goes by."""

from collections import Counter
from types import TracebackType


class Waiting:
    """Counts attempts from when they are made until they start."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def one(self, tool: str) -> "Place":
        """Return the place of one attempt; it counts between `with` and `leave`."""
        return Place(self._counts, tool)

    def count(self, tool: str) -> int:
        """Return how many attempts of a tool wait now."""
        return self._counts[tool]


class Place:
    """One attempt that waits. Leaving twice is leaving once."""

    __slots__ = ("_counts", "_tool", "_waits")

    def __init__(self, counts: Counter[str], tool: str) -> None:
        # Made by `Waiting.one`.
        self._counts = counts
        self._tool = tool
        self._waits = False

    def __enter__(self) -> "Place":
        self._waits = True
        self._counts[self._tool] += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Count no longer: the attempt starts, or will not."""
        if self._waits:
            self._waits = False
            self._counts[self._tool] -= 1
