"""The rules of one native limiter: told to it, changed, and their calendar windows begun.

Ground rules:

- State: each limit and budget by its name, with its native number; a `Calendar` for each that has
  windows of days or months. Changed under one lock, for loops in several threads share a limiter.
- The core opens a window when its end comes, and does not know the end of the next one: it is too
  strict until it is told. So `roll` is called before the first take of a new day; who waits has a
  timer for it, too.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, replace
from typing import Any

from penstock._native import Limiter
from penstock.errors import ConfigError, nearest
from penstock.limits.budget import Budget
from penstock.limits.calendar import Calendar
from penstock.limits.faults import Faults
from penstock.limits.spec import LONGEST_PERIOD, Limit

_A_MOMENT = 0.001
"""Seconds; shorter timers spin."""

_WAIT_FOR_A_BUDGET = 10_000
"""Calls that may wait for what others have reserved of a budget, as for a limit."""


@dataclass(slots=True)
class _Rule:
    """One rule, its number in the core, its windows, and when the running one ends."""

    told: Limit | Budget
    number: int
    calendar: Calendar | None
    ends_at: float


class Rules:
    """The limits and budgets of one native limiter."""

    def __init__(
        self, native: Limiter, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        """Start without rules.

        Args:
            native: what counts.
            clock: its time, monotonic seconds.
            wall: seconds since 1970, for days and months.
        """
        self._native = native
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._rules: dict[str, _Rule] = {}
        self._retired: deque[str] = deque()
        self._next_roll = math.inf

    def add(self, rules: Iterable[Limit | Budget]) -> None:
        """Tell the core of rules: all of them, or none.

        Raises:
            ConfigError: something else is among them, or two have one name; the caller acts.
        """
        if not isinstance(rules, Iterable):
            raise ConfigError("limits", rules, "must be a list of limits and budgets")
        rules = tuple(rules)
        self.sweep()
        with self._lock:
            self._check(rules)
            for rule in rules:
                self._rules[rule.name] = self._add(rule)
            self._note_next_roll()

    def remove(self, name: str) -> None:
        """Forget a rule; who waits for it looks again."""
        with self._lock:
            self._native.remove(self._find(name).number)
            del self._rules[name]
            self._note_next_roll()

    def retire(self, name: str) -> None:
        """Have a rule forgotten by the next `sweep`.

        For destructors: they run in the middle of anything, also of a change by their own thread.
        """
        self._retired.append(name)

    def sweep(self) -> None:
        """Forget the rules that were retired."""
        while self._retired:
            self.remove(self._retired.popleft())

    def change(
        self, name: str, n: int | None, per: float | None, burst: int | None, revision: int | None
    ) -> None:
        """Change the numbers of a rule; see `Limiter.change`."""
        with self._lock:
            rule = self._find(name)
            rule.told = _changed(rule.told, n, per, burst, revision)
            self._native.change(name, n=n, per=per, burst=burst, revision=revision)

    def block(self, name: str, seconds: float) -> None:
        """Let nobody pass a rule for a while; see `Limiter.block`."""
        faults = Faults()
        faults.seconds("seconds", seconds, least=0.0, most=LONGEST_PERIOD)
        faults.tell()
        with self._lock:
            self._native.block(self._find(name).told.name, seconds)

    def told(self) -> tuple[Limit | Budget, ...]:
        """Return the rules as they are now, in the order in which they came."""
        self.sweep()
        return tuple(rule.told for rule in self._rules.values())

    def roll(self) -> float:
        """Begin the calendar windows that are due. Cheap when none is.

        Returns:
            Seconds until the next one is due, above 0; infinite without calendars.
        """
        if self._next_roll == math.inf:
            return math.inf
        left = self._next_roll - self._clock()
        if left > 0.0:
            return left
        with self._lock:
            due = set(self._native.rolls_due())
            for rule in self._rules.values():
                if rule.number in due and rule.calendar is not None:
                    lasts = rule.calendar.roll(self._wall())
                    rule.ends_at = self._clock() + lasts
                    self._native.roll(rule.number, lasts)
            self._note_next_roll()
        # The core counts nanoseconds: by its clock the end may be a moment later than by ours.
        return max(self._next_roll - self._clock(), _A_MOMENT)

    def _note_next_roll(self) -> None:
        self._next_roll = min((r.ends_at for r in self._rules.values()), default=math.inf)
        left = self._next_roll - self._clock()
        self._native.roll_in(self.roll, None if left == math.inf else max(left, 0.0))

    def _check(self, rules: tuple[object, ...]) -> None:
        faults, names = Faults(), set(self._rules)
        for rule in rules:
            if not isinstance(rule, Limit | Budget):
                faults.add("limits", rule, "must be a Limit or a Budget; Limit.tiers needs a `*`")
            elif rule.name in names:
                faults.add("name", rule.name, "two limits have this name; give one name=...")
            else:
                names.add(rule.name)
        faults.tell()

    def _add(self, rule: Limit | Budget) -> _Rule:
        calendar, lasts = None, None
        if isinstance(rule.per, str):
            calendar = Calendar(rule.per, rule.tz)
            lasts = calendar.roll(self._wall())
        scope = "global" if rule.scope == "call" else rule.scope
        number = self._native.add(rule.name, scope, ends=lasts, **_numbers(rule))
        ends_at = math.inf if lasts is None else self._clock() + lasts
        return _Rule(rule, number, calendar, ends_at)

    def _find(self, name: str) -> _Rule:
        found = self._rules.get(name)
        if found is None:
            near = nearest(str(name), self._rules, most=1)
            helps = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self._rules)}"
            raise ConfigError("name", name, f"is no limit; {helps}")
        return found


def _numbers(rule: Limit | Budget) -> dict[str, Any]:
    """Return what the core is told of a rule besides whom it is about and when its window ends."""
    if isinstance(rule, Budget):
        return {
            "shape": "each" if rule.scope == "call" else "budget",
            "unit": rule.unit,
            "n": rule.amount,
            "max_waiting": _WAIT_FOR_A_BUDGET,
            "follow": "off",
            "warn": rule.warn,
            "overrun": rule.overrun,
        }
    return {
        "shape": rule.shape,
        "unit": rule.unit,
        "n": rule.n,
        "per": None if isinstance(rule.per, str) else rule.per,
        "burst": rule.burst,
        "max_waiting": rule.max_waiting,
        "follow": rule.follow,
        "adaptive": rule.adaptive and astuple(rule.adaptive),
    }


def _changed(
    rule: Limit | Budget,
    n: int | None,
    per: float | None,
    burst: int | None,
    revision: int | None,
) -> Limit | Budget:
    """Return the rule with other numbers, checked as when it was made."""
    given: dict[str, Any] = {"n": n, "per": per, "burst": burst, "revision": revision}
    given = {field: value for field, value in given.items() if value is not None}
    if isinstance(rule, Limit):
        if revision is not None and type(revision) is int and revision < rule.revision:
            raise ConfigError("revision", revision, f"is older than {rule.revision}")
        return replace(rule, **given)
    amount = given.pop("n", rule.amount)
    for field, value in given.items():
        raise ConfigError(field, value, "a budget has an amount only; change it by n=")
    return replace(rule, amount=amount)
