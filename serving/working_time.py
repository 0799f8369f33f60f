"""Working time: which days officers work on in Indonesia, and the clock that counts only those."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache

# Western Indonesia's time, the only zone of the regions that have a file.
ZONE = timezone(timedelta(hours=7), "WIB")
# SP4N-LAPOR! gives a complaint three working days to be verified and handed on.
DAYS_TO_VERIFY = 3
# Offices open at eight and work eight hours.
OPENS, HOURS_A_DAY = 8, 8.0
_EPOCH = date(2000, 1, 3)


def is_working_day(day: date) -> bool:
    """Monday to Friday, but no national holiday and no joint leave (cuti bersama)."""
    return day.weekday() < 5 and day not in _holidays(day.year)


def working_days(moment: datetime) -> float:
    """Working days from the start of 2000 to an aware time; within one, from 08.00 to 16.00, they grow by the hour.

    Differences of two such numbers are working time: nights, weekends and holidays count for nothing.
    """
    local = moment.astimezone(ZONE)
    day = local.date()
    whole = _days_before(day)
    if not is_working_day(day):
        return float(whole)
    hours = local.hour + local.minute / 60 + local.second / 3600 - OPENS
    return whole + min(max(hours, 0.0), HOURS_A_DAY) / HOURS_A_DAY


def due_after(moment: datetime, days: int = DAYS_TO_VERIFY) -> datetime:
    """When a clock of so many working days that starts at an aware time runs out, in UTC.

    The day something comes in isn't counted: what comes in on Monday is due on Thursday by the end of work.
    """
    day, left = moment.astimezone(ZONE).date(), days
    while left:
        day += timedelta(days=1)
        left -= is_working_day(day)
    closing = datetime.combine(day, time(OPENS), ZONE) + timedelta(hours=HOURS_A_DAY)
    return closing.astimezone(UTC)


def _days_before(day: date) -> int:
    """Working days from the epoch to a day, without the day itself."""
    weeks, rest = divmod((day - _EPOCH).days, 7)
    free = _free_weekdays(day.year)
    return weeks * 5 + min(rest, 5) - bisect_left(free, day)


@cache
def _free_weekdays(year: int) -> list[date]:
    """The holidays from the epoch to a year's end that fall on a Monday to Friday, in order."""
    return sorted(day for each in range(_EPOCH.year, year + 1) for day in _holidays(each) if day.weekday() < 5)


@cache
def _holidays(year: int) -> frozenset[date]:
    # Its table of all countries takes a moment to read, which only who asks for a clock should pay.
    from holidays import country_holidays

    return frozenset(country_holidays("ID", years=year, categories=("public", "government")))
