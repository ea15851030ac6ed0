"""`Habits`: how calls of a tool usually are: which optional arguments they have, and whether they come alone.

Ground rules: learned from the calls that were made in sessions, in memory only, no values. Of each tool the
16 commonest sets of optional arguments; at 200 calls all counts are halved, so that the latest count most.
Of the latest 1,000 tools.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

FEWEST = 5
"""Before so many calls, or steps, nothing is said of a tool."""

HALVED_AT = 200
MOST_SETS = 16
MOST_TOOLS = 1_000

CROWDED = 0.1
"""Of the steps of a tool: from this share on that have several of its calls, it does not come alone."""

Keys = frozenset[str]


@dataclass(slots=True)
class _Habit:
    sets: Counter[Keys] = field(default_factory=Counter)
    steps: float = 0.0
    crowded: float = 0.0


class Habits:
    """See the ground rules."""

    def __init__(self) -> None:
        """Know nothing."""
        self._known: OrderedDict[str, _Habit] = OrderedDict()

    def note(self, calls: Sequence[tuple[str, Keys]]) -> None:
        """Learn from one step.

        Args:
            calls: of each the tool, and which of its optional arguments it has.
        """
        several = Counter(tool for tool, _ in calls)
        for tool, keys in calls:
            habit = self._known.setdefault(tool, _Habit())
            habit.sets[keys] += 1
            if habit.sets.total() >= HALVED_AT:
                _halve(habit)
        for tool, count in several.items():
            habit = self._known[tool]
            habit.steps += 1
            habit.crowded += count > 1
            self._known.move_to_end(tool)
        while len(self._known) > MOST_TOOLS:
            self._known.popitem(last=False)

    def stays(self, tool: str, keys: Keys) -> float | None:
        """Return how likely a call that has these optional arguments gets no others.

        Args:
            tool: the name.
            keys: the optional arguments that it has so far.

        Returns:
            a chance between 0 and 1; None if too few calls had them.
        """
        habit = self._known.get(tool)
        if habit is None:
            return None
        such = sum(count for known, count in habit.sets.items() if known >= keys)
        return None if such < FEWEST else (habit.sets[keys] + 0.5) / (such + 1)

    def comes_alone(self, tool: str) -> bool:
        """Return whether a step that has a call of the tool has no other of it, as far as is known."""
        habit = self._known.get(tool)
        return habit is not None and habit.steps >= FEWEST and habit.crowded < CROWDED * habit.steps


def _halve(habit: _Habit) -> None:
    commonest = habit.sets.most_common(MOST_SETS)
    habit.sets = Counter({keys: count // 2 for keys, count in commonest if count > 1})
    habit.steps, habit.crowded = habit.steps / 2, habit.crowded / 2
