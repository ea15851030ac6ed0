"""Calendar windows: where days and months end, also where clocks change, and never twice."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.limits.calendar import SHORTEST, Calendar, Period, boundary_after

HOUR, DAY = 3_600.0, 86_400.0
ZONES = (
    "UTC",
    "Europe/Oslo",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("per", "zone", "moment", "boundary"),
    [
        ("day", "UTC", "2025-03-01T10:00:00Z", "2025-03-02T00:00:00Z"),
        ("day", "UTC", "2025-03-01T00:00:00Z", "2025-03-02T00:00:00Z"),
        ("day", "UTC", "2025-03-01T23:59:59.999Z", "2025-03-02T00:00:00Z"),
        ("day", "Asia/Kathmandu", "2025-03-01T18:14:00Z", "2025-03-01T18:15:00Z"),
        ("month", "UTC", "2024-01-31T23:00:00Z", "2024-02-01T00:00:00Z"),
        ("month", "UTC", "2024-02-29T12:00:00Z", "2024-03-01T00:00:00Z"),
        ("month", "UTC", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"),
        ("month", "UTC", "2024-12-05T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("month", "Europe/Oslo", "2025-03-05T00:00:00Z", "2025-04-01T00:00:00+02:00"),
    ],
)
def test_a_window_ends_at_the_midnight_of_its_zone(
    per: Period, zone: str, moment: str, boundary: str
) -> None:
    assert boundary_after(per, zone, seconds(moment)) == seconds(boundary)


@pytest.mark.parametrize(
    ("date", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-06-01", 24)]
)
def test_a_day_is_as_long_as_its_clock_changes_make_it(date: str, hours: int) -> None:
    begins = datetime.fromisoformat(date).replace(tzinfo=ZoneInfo("Europe/Oslo")).timestamp()
    assert boundary_after("day", "Europe/Oslo", begins) - begins == hours * HOUR


def test_a_midnight_that_is_skipped_is_the_instant_of_the_skip() -> None:
    before = seconds("2025-03-29T12:00:00+02:00")
    assert boundary_after("day", "Asia/Beirut", before) == seconds("2025-03-30T01:00:00+03:00")


def test_a_midnight_that_comes_twice_ends_one_day() -> None:
    """In Havana one o'clock becomes midnight again; the new day has begun an hour before."""
    first = boundary_after("day", "America/Havana", seconds("2025-11-01T12:00:00-04:00"))
    assert first == seconds("2025-11-02T00:00:00-04:00")
    assert boundary_after("day", "America/Havana", first) == seconds("2025-11-03T00:00:00-05:00")


def test_a_date_that_comes_back_for_an_hour_is_no_new_day() -> None:
    """Until 2011 St. John's put its clocks back at one minute past midnight."""
    again = seconds("2010-11-06T23:30:00-03:30")
    assert boundary_after("day", "America/St_Johns", again) == seconds("2010-11-08T00:00:00-03:30")


def test_a_date_that_never_was_is_no_window() -> None:
    """Samoa went from 29 to 31 December 2011."""
    first = boundary_after("day", "Pacific/Apia", seconds("2011-12-29T12:00:00-10:00"))
    assert boundary_after("day", "Pacific/Apia", first) - first == DAY


@given(
    st.sampled_from(["day", "month"]),
    st.sampled_from(ZONES),
    st.integers(5 * 366 * 86_400, 67 * 365 * 86_400).map(float),
)
def test_windows_follow_each_other_and_are_never_too_short(
    per: Period, zone: str, now: float
) -> None:
    first = boundary_after(per, zone, now)
    second = boundary_after(per, zone, first)
    assert now < first
    assert second - first >= SHORTEST[per]
    assert boundary_after(per, zone, second - 0.001) == second
    local = datetime.fromtimestamp(first, ZoneInfo(zone))
    before = datetime.fromtimestamp(first, UTC) - timedelta(seconds=1)
    assert local.date() > before.astimezone(ZoneInfo(zone)).date()


def test_a_calendar_gives_one_window_after_the_other() -> None:
    days = Calendar("day", "UTC")
    assert days.roll(10 * DAY + HOUR) == DAY - HOUR
    assert days.roll(11 * DAY) == DAY
    assert days.roll(12 * DAY + 1.0) == DAY - 1.0


def test_a_clock_set_back_does_not_reopen_a_window() -> None:
    """The next window ends a day after the one that has ended, wherever the clock stands."""
    days = Calendar("day", "UTC")
    assert days.roll(10 * DAY) == DAY
    assert days.roll(11 * DAY - 2.0) == DAY + 2.0
    assert days.roll(5 * DAY) == 8 * DAY


def test_a_clock_set_forward_skips_windows() -> None:
    days = Calendar("day", "UTC")
    days.roll(10 * DAY)
    assert days.roll(20 * DAY + HOUR) == DAY - HOUR
