"""The review order puts first what waiting harms most, and needs no clock to stay right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log2

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data.complaint import Urgency
from serving.review_order import turn
from serving.working_time import ZONE, working_days

# Three years, so that twice the harm for each working day is still a number.
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(ZONE))
PROBABILITIES = st.floats(0, 1)
ORDINARY = st.sampled_from([0, 1, 2])
MONDAY = datetime(2026, 2, 9, 9, tzinfo=ZONE)
# What DESIGN and the decision record say: each level weighs twice the one below.
WEIGHTS = {0: 1.0, 1: 2.0, 2: 4.0, 3: 8.0}


@dataclass(frozen=True)
class Waiting:
    """A case as far as its turn depends on it."""

    probability: float
    urgency: int
    since: datetime

    @property
    def turn(self) -> float:
        return turn(self.probability, self.urgency, self.since)

    def harm(self, at: datetime) -> float:
        """Expected harm of letting it wait, counted anew at a time."""
        waited = working_days(at) - working_days(self.since)
        return max(1 - self.probability, 0.01) * WEIGHTS[self.urgency] * 2**waited


WAITING = st.builds(Waiting, PROBABILITIES, ORDINARY, MOMENTS)


@given(PROBABILITIES, MOMENTS, WAITING)
def test_an_emergency_comes_before_whatever_else_has_waited(
    probability: float, since: datetime, other: Waiting
) -> None:
    assert turn(probability, Urgency.DARURAT, since) < other.turn
    assert turn(probability, 3, since) < turn(0.0, None, datetime(2001, 1, 1, tzinfo=ZONE), sent_back=True)


@given(WAITING, WAITING, MOMENTS)
def test_at_any_time_the_order_is_that_of_the_expected_harm(first: Waiting, second: Waiting, at: datetime) -> None:
    harms = first.harm(at), second.harm(at)
    assume(abs(log2(harms[0] / harms[1])) > 1e-6)
    assert (first.turn < second.turn) == (harms[0] > harms[1])


@given(PROBABILITIES, PROBABILITIES, ORDINARY, MOMENTS)
def test_what_is_more_likely_wrong_comes_sooner(one: float, other: float, urgency: int, since: datetime) -> None:
    low, high = sorted((one, other))
    assert turn(low, urgency, since) <= turn(high, urgency, since)
    if min(high, 0.99) - low > 1e-6:
        assert turn(low, urgency, since) < turn(high, urgency, since)


@given(PROBABILITIES, MOMENTS, st.booleans())
def test_what_is_more_urgent_comes_sooner(probability: float, since: datetime, sent_back: bool) -> None:
    turns = [turn(probability, int(level), since, sent_back=sent_back) for level in Urgency]
    assert turns == sorted(turns, reverse=True)
    assert len(set(turns)) == len(Urgency)


@given(PROBABILITIES, ORDINARY, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=60)))
def test_what_has_waited_longer_comes_sooner(
    probability: float, urgency: int, since: datetime, longer: timedelta
) -> None:
    earlier, later = turn(probability, urgency, since - longer), turn(probability, urgency, since)
    assert earlier <= later
    if working_days(since) - working_days(since - longer) > 1e-6:
        assert earlier < later


@pytest.mark.parametrize("urgency", [0, 1])
def test_a_working_day_weighs_as_much_as_twice_the_urgency_or_twice_the_chance_to_be_wrong(urgency: int) -> None:
    day_later = MONDAY + timedelta(days=1)
    assert turn(0.5, urgency, MONDAY) == pytest.approx(turn(0.5, urgency + 1, day_later))
    assert turn(0.8, urgency, MONDAY) == pytest.approx(turn(0.6, urgency, day_later))
    assert turn(0.8, urgency, MONDAY) < turn(0.61, urgency, day_later)
    assert turn(0.8, urgency, MONDAY) > turn(0.59, urgency, day_later)


def test_a_weekend_moves_no_case_forward() -> None:
    friday_evening, monday_morning = datetime(2026, 2, 6, 17, tzinfo=ZONE), datetime(2026, 2, 9, 7, tzinfo=ZONE)
    assert turn(0.5, 1, friday_evening) == turn(0.5, 1, monday_morning)


def test_what_an_agency_sent_back_counts_as_wrong_however_sure_the_suggestion_was() -> None:
    assert turn(0.97, 1, MONDAY, sent_back=True) == turn(0.0, 1, MONDAY)
    assert turn(0.97, 1, MONDAY, sent_back=True) < turn(0.2, 1, MONDAY)


def test_an_unknown_urgency_counts_as_the_ordinary_one() -> None:
    assert turn(0.5, None, MONDAY) == turn(0.5, int(Urgency.SEDANG), MONDAY)


@pytest.mark.parametrize("probability", [0.99, 0.999, 1.0])
def test_nobody_is_surer_than_99_percent_so_that_a_sure_case_still_has_its_turn(probability: float) -> None:
    assert turn(probability, 1, MONDAY) == pytest.approx(turn(0.99, 1, MONDAY))
