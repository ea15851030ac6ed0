"""Five tiers in plain Python: sliding windows, a day and slots, passed together or not at all.

The baseline of `limit-tiers`: the same shapes as `Limit.tiers` makes, to the same promise (a window
never admits more than n in any period), by the same means (a ring of cells). Nothing waits here; that
is `_plain_bucket.py`.
"""

import time

CELLS = 64
SECONDS_A_DAY = 86_400


class Window:
    """At most `n` units in any `per` seconds, by a ring of cells of `per / 64` and their sum."""

    __slots__ = ("_at", "_cell", "_cells", "_n", "_sum")

    def __init__(self, n: int, per: float) -> None:
        self._n = n
        self._cell = per / CELLS
        self._cells = [0] * (CELLS + 1)
        self._at = 0
        self._sum = 0

    def pays(self, cost: int, now: float) -> bool:
        """Whether `cost` fits; forgets what has left the window."""
        at = int(now / self._cell)
        if at > self._at:
            self._roll(at)
        return self._sum + cost <= self._n

    def take(self, cost: int) -> None:
        self._cells[self._at % (CELLS + 1)] += cost
        self._sum += cost

    def free(self) -> None:
        """A window keeps what was taken until its time is over."""

    def _roll(self, at: int) -> None:
        for index in range(max(self._at + 1, at - CELLS), at + 1):
            place = index % (CELLS + 1)
            self._sum -= self._cells[place]
            self._cells[place] = 0
        self._at = at


class Day:
    """At most `n` units in a day of UTC."""

    __slots__ = ("_day", "_n", "_offset", "_used")

    def __init__(self, n: int) -> None:
        self._n = n
        self._offset = time.time() - time.monotonic()
        self._day = 0
        self._used = 0

    def pays(self, cost: int, now: float) -> bool:
        day = int((now + self._offset) / SECONDS_A_DAY)
        if day > self._day:
            self._day, self._used = day, 0
        return self._used + cost <= self._n

    def take(self, cost: int) -> None:
        self._used += cost

    def free(self) -> None:
        """A day keeps what was taken until it is over."""


class Slots:
    """At most `n` permits at once."""

    __slots__ = ("_n", "_used")

    def __init__(self, n: int) -> None:
        self._n = n
        self._used = 0

    def pays(self, cost: int, now: float) -> bool:
        return self._used < self._n

    def take(self, cost: int) -> None:
        self._used += 1

    def free(self) -> None:
        self._used -= 1


Tier = Window | Day | Slots


class TiersPermit:
    """What a call holds; it ends once."""

    __slots__ = ("_tiers",)

    def __init__(self, tiers: list[Tier]) -> None:
        self._tiers: list[Tier] | None = tiers

    def settle(self) -> bool:
        """Free the slot; what was counted stays counted. False if it had ended before."""
        tiers, self._tiers = self._tiers, None
        if tiers is None:
            return False
        for tier in tiers:
            tier.free()
        return True


class PlainTiers:
    """Tiers that each call passes together."""

    def __init__(self, tiers: list[Tier]) -> None:
        self._tiers = tiers

    def try_take(self, cost: int = 1) -> TiersPermit | None:
        """Take from all tiers, or from none."""
        now = time.monotonic()
        for tier in self._tiers:
            if not tier.pays(cost, now):
                return None
        for tier in self._tiers:
            tier.take(cost)
        return TiersPermit(self._tiers)
