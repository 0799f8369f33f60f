"""Working time counts the hours of working days alone: no nights, weekends, holidays or joint leave."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.working_time import DAYS_TO_VERIFY, ZONE, due_after, is_working_day, working_days

# Well beyond what a desk will ever hold.
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2045, 12, 31), timezones=st.just(ZONE))
DAY = timedelta(days=1)


def at(day: str, clock: str = "12:00") -> datetime:
    """A moment in Tangerang."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-02-12", True),  # Thursday
        ("2026-02-13", True),  # Friday
        ("2026-02-14", False),  # Saturday
        ("2026-02-15", False),  # Sunday
        ("2026-02-16", False),  # joint leave before Lunar New Year
        ("2026-02-17", False),  # Lunar New Year
        ("2026-02-18", True),
        ("2026-03-18", False),  # joint leave before Nyepi
        ("2026-03-20", False),  # joint leave before Idulfitri
        ("2026-03-24", False),  # joint leave after Idulfitri
        ("2026-03-25", True),
        ("2026-08-17", False),  # Independence Day
        ("2026-12-24", False),  # joint leave before Christmas
        ("2026-12-25", False),
        ("2026-12-26", False),  # Saturday
        ("2026-12-28", True),
        ("2027-01-01", False),
        ("2025-08-18", False),  # joint leave that was decreed only days before
    ],
)
def test_weekends_holidays_and_joint_leave_are_no_working_days(day: str, works: bool) -> None:
    assert is_working_day(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("clock", "grown"),
    [
        ("00:00", 0.0),
        ("07:59", 0.0),
        ("08:00", 0.0),
        ("09:00", 0.125),
        ("12:00", 0.5),
        ("15:30", 0.9375),
        ("16:00", 1.0),
        ("16:01", 1.0),
        ("23:59", 1.0),
    ],
)
def test_within_a_working_day_time_grows_from_eight_to_four(clock: str, grown: float) -> None:
    assert working_days(at("2026-02-11", clock)) - working_days(at("2026-02-11", "00:00")) == pytest.approx(grown)


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (at("2026-02-10", "10:00"), at("2026-02-11", "10:00"), 1.0),  # from one day to the next
        (at("2026-02-10", "16:00"), at("2026-02-11", "08:00"), 0.0),  # a night
        (at("2026-02-13", "16:00"), at("2026-02-18", "08:00"), 0.0),  # a weekend, joint leave and a holiday
        (at("2026-02-13", "12:00"), at("2026-02-18", "12:00"), 1.0),  # the same, from noon to noon
        (at("2026-03-17", "12:00"), at("2026-03-25", "12:00"), 1.0),  # Nyepi and Idulfitri
        (at("2026-02-14", "09:00"), at("2026-02-15", "15:00"), 0.0),  # within a weekend
        (at("2026-12-23", "08:00"), at("2027-01-04", "08:00"), 5.0),  # over the turn of the year
        (at("2026-08-14", "15:00"), at("2026-08-18", "09:00"), 0.25),  # an hour on each side of a long weekend
    ],
)
def test_differences_are_working_time(since: datetime, until: datetime, days: float) -> None:
    assert working_days(until) - working_days(since) == pytest.approx(days)


def test_a_moment_counts_the_same_in_whatever_zone_it_is_told() -> None:
    moment = at("2026-02-11", "09:30")
    tokyo = moment.astimezone(timezone(timedelta(hours=9)))
    assert working_days(moment.astimezone(UTC)) == working_days(tokyo) == working_days(moment)
    # In UTC it is still Friday, in Tangerang Saturday has begun.
    late = datetime(2026, 2, 13, 17, 30, tzinfo=UTC)
    assert working_days(late) == working_days(at("2026-02-13", "16:00"))


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=800)))
def test_working_time_never_runs_back_nor_faster_than_the_calendar(moment: datetime, later: timedelta) -> None:
    passed = working_days(moment + later) - working_days(moment)
    # A working day's hours fit between 08.00 and 16.00 of one day.
    assert 0 <= passed <= (later / timedelta(hours=8)) + 1e-6
    assert passed <= later.days + 2


@given(st.dates(date(2001, 1, 1), date(2045, 12, 31)), st.integers(0, 120))
def test_from_midnight_to_midnight_working_days_are_those_of_the_calendar(day: date, span: int) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    counted = sum(is_working_day(day + n * DAY) for n in range(span))
    assert working_days(midnight + span * DAY) - working_days(midnight) == counted


@pytest.mark.parametrize(
    ("comes_in", "due"),
    [
        (at("2026-02-09", "00:00"), at("2026-02-12", "16:00")),  # Monday: Thursday
        (at("2026-02-09", "23:59"), at("2026-02-12", "16:00")),
        (at("2026-02-10"), at("2026-02-13", "16:00")),  # Tuesday: Friday
        (at("2026-02-11"), at("2026-02-18", "16:00")),  # Thursday, Friday, then a long weekend to Wednesday
        (at("2026-02-14"), at("2026-02-20", "16:00")),  # Saturday
        (at("2026-03-17"), at("2026-03-27", "16:00")),  # before Nyepi and Idulfitri
        (at("2026-12-23"), at("2026-12-30", "16:00")),
    ],
)
def test_three_working_days_after_the_one_it_came_in_a_case_is_due(comes_in: datetime, due: datetime) -> None:
    assert due_after(comes_in) == due


@given(MOMENTS, st.integers(0, 70))
def test_a_clock_runs_out_as_counted_by_hand(moment: datetime, days: int) -> None:
    day, left = moment.date(), days
    while left > 0:
        day += DAY
        if day.weekday() < 5 and is_working_day(day):
            left -= 1
    due = due_after(moment, days)
    assert due == datetime(day.year, day.month, day.day, 16, tzinfo=ZONE)
    assert due.tzinfo is UTC


@given(MOMENTS, st.integers(1, 70))
def test_a_clock_holds_as_many_whole_working_days_as_it_is_said_to(moment: datetime, days: int) -> None:
    next_morning = datetime(moment.year, moment.month, moment.day, tzinfo=ZONE) + DAY
    assert working_days(due_after(moment, days)) - working_days(next_morning) == days


@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_what_comes_in_later_is_never_due_sooner(moment: datetime, later: timedelta) -> None:
    assert due_after(moment + later, DAYS_TO_VERIFY) >= due_after(moment, DAYS_TO_VERIFY)
