"""The ends of calendar windows: the next midnight of a zone, and the next first of a month.

Ground rules:

- State: a `Calendar` remembers the newest boundary that it gave. Its one owner drives it.
- Boundaries only move forward: a window that has ended is never opened again when the wall clock is set
  back. The window after it then lasts until the clock has caught up.
- The wall clock is an argument. The seconds that are returned are for a monotonic clock.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Period = Literal["day", "month"]

SHORTEST: dict[str, int] = {"day": 22 * 3_600, "month": 28 * 86_400 - 2 * 3_600}
"""Seconds. Clocks are put forward by up to two hours (Antarctica/Troll)."""


def boundary_after(per: Period, zone: str, moment: float) -> float:
    """Return when the window that holds a moment ends, as seconds since 1970.

    A day ends at the first instant of the next date: also where that date begins at one o'clock, and
    only once where midnight comes twice.

    Args:
        per: what ends.
        zone: the name of a time zone; it exists.
        moment: seconds since 1970.

    Returns:
        A later moment.
    """
    place = ZoneInfo(zone)
    date = datetime.fromtimestamp(moment, place).date()
    while True:
        date += timedelta(days=1)
        if per == "month":
            # The 28th of every month is followed by its next one within four days.
            date = (
                (date.replace(day=28) + timedelta(days=4)).replace(day=1) if date.day > 1 else date
            )
        # Where midnight is skipped this is the instant of the skip, for the older offset counts.
        midnight = datetime.combine(date, time(), place).astimezone(UTC).timestamp()
        if midnight > moment:
            return midnight


class Calendar:
    """The windows of one calendar limit or budget, one after the other.

    Example:
        >>> days = Calendar("day", "UTC")
        >>> days.roll(86_000.0)
        400.0
        >>> days.roll(85_000.0)  # the clock was set back: the next window ends a day later
        87800.0
    """

    def __init__(self, per: Period, zone: str) -> None:
        """Describe the windows; none has begun."""
        self._per = per
        self._zone = zone
        self._newest: float | None = None

    def roll(self, now: float) -> float:
        """Begin the next window and return how long it lasts.

        Args:
            now: the wall clock, seconds since 1970.

        Returns:
            Seconds from now, above 0.
        """
        begins = now if self._newest is None else max(now, self._newest)
        self._newest = boundary_after(self._per, self._zone, begins)
        return self._newest - now
