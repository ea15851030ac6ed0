"""How many attempts of each tool wait for their turn: what shedding goes by."""

from collections import Counter
from types import TracebackType
from typing import Self


class Waiting:
    """Counts attempts: all that were made and are not over, and those of them that have not started."""

    def __init__(self) -> None:
        self._all: Counter[str] = Counter()
        self._started: Counter[str] = Counter()

    def one(self, tool: str) -> "Place":
        """Return the place of one attempt: it waits inside of its block, until it starts."""
        return Place(self._all, self._started, tool)

    def count(self, tool: str, *, places: int | None = None) -> int:
        """Return how many attempts of a tool wait now.

        Args:
            tool: its name.
            places: attempts that may run at once. So many do not wait although nobody has looked at
                them yet; None: each that has not started waits.
        """
        started = self._started[tool] if places is None else places
        return max(0, self._all[tool] - started)


class Place:
    """One attempt, from when it is made until it is over."""

    __slots__ = ("_all", "_has_started", "_started", "_tool")

    def __init__(self, everyone: Counter[str], started: Counter[str], tool: str) -> None:
        # Made by `Waiting.one`.
        self._all = everyone
        self._started = started
        self._tool = tool
        self._has_started = False

    def __enter__(self) -> Self:
        self._all[self._tool] += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._all[self._tool] -= 1
        self._started[self._tool] -= self._has_started

    def start(self) -> None:
        """Wait no longer: the tool's code starts."""
        if not self._has_started:
            self._has_started = True
            self._started[self._tool] += 1
