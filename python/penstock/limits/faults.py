"""Faults: what is wrong with the fields of one constructor, told together in one `ConfigError`."""

import math
from collections.abc import Callable, Collection
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from penstock.errors import ConfigError, nearest

MOST = 2**53 - 1
"""The largest amount of anything: JSON, Lua and doubles are exact up to here."""


MOST_SLOTS = 2**32 - 1
"""The most calls that can be at one place at once."""

T = TypeVar("T")


class Faults:
    """A list of faults, empty at first. Each check adds one at most, and reads one field.

    Example:
        >>> faults = Faults()
        >>> faults.whole("n", 0, least=1)
        >>> faults.seconds("per", -1.0, least=0.001, most=60.0)
        >>> try:
        ...     faults.tell()
        ... except ConfigError as error:
        ...     print(error)
        n=0: a whole number from 1 to 9007199254740991; also per=-1.0: seconds from 0.001 to 60
    """

    def __init__(self) -> None:
        """Start without faults."""
        self._found: list[ConfigError] = []

    def add(self, field: str, value: object, reason: str) -> None:
        """Note that `field` cannot be `value`."""
        self.keep(ConfigError(field, value, reason))

    def keep(self, fault: ConfigError) -> None:
        """Note a fault that something else found, once."""
        if all(str(fault) != str(known) for known in self._found):
            self._found.append(fault)

    def attempt(self, make: Callable[[], T]) -> T | None:
        """Return what `make` returns; its fault is noted, and the answer None."""
        try:
            return make()
        except ConfigError as fault:
            self.keep(fault)
            return None

    def tell(self) -> None:
        """Raise if there are faults: the first, and the others in its text."""
        if self._found:
            first, *others = self._found
            reason = "; also ".join([first.reason, *map(str, others)])
            raise ConfigError(first.field, first.value, reason)

    def whole(self, field: str, value: object, *, least: int, most: int = MOST) -> None:
        """Check for a whole number; True is none."""
        if type(value) is not int or not least <= value <= most:
            self.add(field, value, f"a whole number from {least} to {most}")

    def seconds(self, field: str, value: object, *, least: float, most: float) -> None:
        """Check for seconds; NaN and True are none."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or math.isnan(value) or not least <= value <= most:  # type: ignore[arg-type,operator]  # a number by now
            self.add(field, value, f"seconds from {least:.12g} to {most:.12g}")

    def one_of(self, field: str, value: object, words: Collection[str]) -> None:
        """Check for one of a few words."""
        if not isinstance(value, str) or value not in words:
            self.add(field, value, f"must be one of {', '.join(map(repr, words))}")

    def truth(self, field: str, value: object) -> None:
        """Check for True or False."""
        if not isinstance(value, bool):
            self.add(field, value, "must be True or False")

    def name(self, field: str, value: object) -> None:
        """Check for a name that a log or a metric can show."""
        if not isinstance(value, str) or not 0 < len(value) <= 1_000 or not value.isprintable():
            self.add(field, value, "must be a printable name of 1 to 1000 characters")

    def zone(self, field: str, value: object) -> None:
        """Check for the name of a time zone, such as `Europe/Oslo`."""
        try:
            ZoneInfo(value)  # type: ignore[arg-type]  # what is no text raises
        except ZoneInfoNotFoundError:
            self.add(field, value, f"is no time zone{_hint(str(value))}")
        except (
            TypeError,
            ValueError,
            OSError,
            AttributeError,
        ):  # a path, a folder of zones, no text
            self.add(field, value, "is no time zone; they are named like 'UTC' or 'Europe/Oslo'")


def _hint(name: str) -> str:
    common = ("UTC", "Europe/Oslo", "Europe/London", "America/New_York", "Asia/Tokyo")
    near = nearest(name, common, most=1)
    return f"; did you mean {near[0]!r}?" if near else "; they are named like 'Europe/Oslo'"
