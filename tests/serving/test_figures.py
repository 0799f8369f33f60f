"""The board's figures: each is what its cases amount to, told with an interval, in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, select

from data.complaint import Complaint, Confidentiality
from model.routing import Outcome, Reason
from serving.case import Answer, Case, Claim, Kind, LabelSource, Return, Review, Status, Verdict, new_id
from serving.checks import Check
from serving.database import open_store
from serving.figures import (
    Figures,
    Office,
    Share,
    Span,
    Summary,
    by_week,
    difference,
    span_of_days,
    spread,
)
from serving.local_time import HOURS_A_DAY, local_day, opening_tenths, working_hours
from serving.selection import ANY_AGENCY, NO_AGENCY, Comparison, Listing, Moment, Selection
from serving.store import Addition, Store
from serving.tables import UtcDateTime
from serving.working_time import working_days
from tests.serving.conftest import REGION

# A Tuesday, 10.00 in western Indonesia.
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
OTHER_REGION = "kab-bandung"
ROADS, BINS = "dinas-pu", "dinas-lh"
MODERATOR = "moderator:sari"


def keep(
    store: Store,
    came: datetime,
    *,
    alone: bool = False,
    agency: str | None = ROADS,
    region: str = REGION,
    check: Check = Check.NONE,
    reason: Reason = Reason.NOT_CONFIDENT,
    version: str = "v1",
    confidentiality: Confidentiality = Confidentiality.TERBUKA,
) -> Case:
    """A case on disk, as it came in at a time."""
    told = [Reason.CONFIDENT.value if alone else reason.value]
    outcome = Outcome.AUTO if alone else Outcome.REVIEW
    case = Case(
        id=new_id(),
        status=Status.ROUTED if alone else Status.WAITING,
        complaint=Complaint("Jalan rusak di depan pasar", region=region),
        channel="web",
        confidentiality=confidentiality,
        received_at=came,
        created_at=came,
        answer=Answer(version, "public-works", 0.75, agency, None, outcome.value, 1, 0.5, {"reasons": told}),
        agency=agency,
        urgency=1,
        check=check,
    )
    store.add(Addition(case, ())).result(10)
    return case


def decide(
    store: Store,
    case: Case,
    at: datetime,
    *,
    kind: Kind = Kind.DISPOSE,
    agency: str = ROADS,
    blind: bool = False,
    reason: str = "",
    seconds: float | None = None,
) -> None:
    """A verdict on a case; with `seconds` at work on it before."""
    names = kind in (Kind.DISPOSE, Kind.REFUSE)
    verdict = Verdict("public-works" if names else "", agency if names else "", 1, kind=kind, reason=reason)
    as_suggested = LabelSource.HUMAN_ACCEPTED if agency == case.answer.agency else LabelSource.HUMAN_CORRECTED
    source = LabelSource.HUMAN_BLIND if blind else as_suggested
    if seconds is not None:
        began = at - timedelta(seconds=seconds)
        store.claim(case.id, Claim(MODERATOR, at + timedelta(minutes=1), began), began)
    store.decide(case.id, Review(verdict, source, at, MODERATOR))


def figures(store: Store, days: int = 30, region: str = REGION) -> Summary:
    return Figures(store, lambda: NOW).of(span_of_days(days, NOW, region))


def listed(store: Store, selection: Selection) -> set[str]:
    """The ids that a selection lists, which its count must agree with."""
    listing = Listing(store, lambda: NOW)
    found = [line.id for line in listing.page(selection, 1_000)]
    assert len(found) == len(set(found)) == listing.count(selection)
    assert [line.id for line in listing.every(selection)] == found
    return set(found)


def test_of_no_cases_there_are_no_shares_and_no_times(any_store: Store) -> None:
    found = figures(any_store)
    assert sum(found.taken_in.values()) == found.open == found.late == 0
    assert found.alone.value is found.alone.interval is found.leaning is found.recent.probability is None
    assert found.hours.median is found.seconds.ninetieth is found.age.median is None
    assert found.given_back == found.by_agency == found.verdicts == {}
    assert set(found.comparisons.values()) == {Share(0, 0)}


def test_a_day_begins_at_midnight_in_western_indonesia(any_store: Store) -> None:
    midnight = datetime(2026, 11, 22, 17, tzinfo=UTC)
    keep(any_store, midnight - timedelta(microseconds=1))
    keep(any_store, midnight)
    found = figures(any_store, 7)
    assert len(found.taken_in) == 7
    assert {day: n for day, n in found.taken_in.items() if n} == {date(2026, 11, 22): 1, date(2026, 11, 23): 1}


def test_a_span_holds_its_own_days_and_region_alone(any_store: Store) -> None:
    first = span_of_days(7, NOW).since
    keep(any_store, first - timedelta(microseconds=1))
    inside = keep(any_store, first, alone=True)
    keep(any_store, first, region=OTHER_REGION)
    found = figures(any_store, 7)
    assert found.alone == Share(1, 1)
    span = found.span
    assert listed(any_store, Selection(REGION, since=span.since, until=span.until)) == {inside.id}
    assert figures(any_store, 7, region="").alone == Share(1, 2)


def test_accuracy_is_told_by_blind_checks_of_what_went_alone(any_store: Store) -> None:
    came = NOW - timedelta(days=3)
    right = [keep(any_store, came, alone=True, check=Check.AUDIT) for _ in range(3)]
    wrong = keep(any_store, came, alone=True, check=Check.AUDIT)
    for case in right:
        decide(any_store, case, NOW - timedelta(days=2), blind=True)
    decide(any_store, wrong, NOW - timedelta(days=2), agency=BINS, blind=True)
    # Somebody looked for mistakes: such verdicts tell nothing of how frequent they are.
    decide(any_store, keep(any_store, came, alone=True), NOW - timedelta(days=2), agency=BINS)
    keep(any_store, came, alone=True, check=Check.AUDIT)
    found = figures(any_store)
    assert found.comparisons[Comparison.AUDIT] == Share(3, 4)
    asked = Selection(REGION, comparison=Comparison.AUDIT, agreed=False, moment=Moment.VERDICT)
    assert listed(any_store, asked) == {wrong.id}
    assert listed(any_store, replace(asked, agreed=True)) == {case.id for case in right}


def test_a_suggestion_in_view_is_set_against_a_hidden_one(any_store: Store) -> None:
    came, at = NOW - timedelta(days=3), NOW - timedelta(days=2)
    for _ in range(4):
        decide(any_store, keep(any_store, came), at)
    decide(any_store, keep(any_store, came, check=Check.BLIND), at, blind=True)
    decide(any_store, keep(any_store, came, check=Check.BLIND), at, agency=BINS, blind=True)
    # What is archived was no agency's business; where nothing was suggested, nobody could agree or not.
    decide(any_store, keep(any_store, came), at, kind=Kind.ARCHIVE, reason="unclear")
    decide(any_store, keep(any_store, came, agency=None), at)
    found = figures(any_store)
    assert found.comparisons[Comparison.SEEN] == Share(4, 5)
    assert found.comparisons[Comparison.BLIND] == Share(1, 2)
    assert found.leaning == difference(Share(4, 5), Share(1, 2))
    assert found.leaning is not None
    assert found.leaning.value == pytest.approx(0.3)
    assert len(listed(any_store, Selection(REGION, comparison=Comparison.SEEN))) == 5


def test_only_the_first_verdict_on_an_agency_is_compared(any_store: Store) -> None:
    case = keep(any_store, NOW - timedelta(days=5))
    decide(any_store, case, NOW - timedelta(days=4), kind=Kind.ASK)
    decide(any_store, case, NOW - timedelta(days=3))
    any_store.give_back(case.id, Return(ROADS, "", NOW - timedelta(days=2), "key:a"))
    decide(any_store, case, NOW - timedelta(days=1), agency=BINS)
    found = figures(any_store)
    assert found.comparisons[Comparison.SEEN] == Share(1, 1)
    assert found.verdicts == {Kind.DISPOSE: 1, Kind.ASK: 1}
    assert found.given_back == {Office(REGION, ROADS): Share(1, 1)}
    assert listed(any_store, Selection(REGION, returned_by=ROADS)) == {case.id}


def test_a_verdict_that_was_taken_back_counts_for_nothing(any_store: Store) -> None:
    case = keep(any_store, NOW - timedelta(days=1))
    decide(any_store, case, NOW, agency=BINS, reason="other-matter")
    any_store.undo(case.id, MODERATOR, NOW)
    found = figures(any_store)
    assert found.verdicts == found.corrections == {}
    assert found.comparisons[Comparison.SEEN] == Share(0, 0)
    assert found.hours.count == 0
    assert found.open == 1
    assert listed(any_store, Selection(REGION, kind=Kind.DISPOSE)) == set()


def test_hours_until_a_verdict_are_working_hours_of_the_first_one(any_store: Store) -> None:
    friday = datetime(2026, 11, 20, 7, tzinfo=UTC)  # 14.00
    case = keep(any_store, friday)
    decide(any_store, case, friday + timedelta(days=3, hours=-5), kind=Kind.ASK)  # Monday 09.00
    decide(any_store, case, NOW)
    decide(any_store, keep(any_store, friday, alone=True), NOW)
    found = figures(any_store)
    assert (found.hours.count, found.hours.median) == (1, 3.0)


def test_seconds_at_work_are_those_of_the_claim(any_store: Store) -> None:
    for seconds in (30, 40, 400):
        decide(any_store, keep(any_store, NOW - timedelta(days=1)), NOW, seconds=seconds)
    decide(any_store, keep(any_store, NOW - timedelta(days=1)), NOW)
    found = figures(any_store).seconds
    assert (found.count, found.median, found.ninetieth) == (3, 40, 400)


def test_what_is_late_now_is_told_whatever_the_span(any_store: Store) -> None:
    late = keep(any_store, NOW - timedelta(days=200))
    keep(any_store, NOW - timedelta(hours=1))
    keep(any_store, NOW - timedelta(days=200), alone=True, check=Check.AUDIT)
    found = figures(any_store, 7)
    assert (found.open, found.late, found.age.count) == (2, 1, 2)
    assert listed(any_store, Selection(REGION, is_late=True)) == {late.id}
    assert len(listed(any_store, Selection(REGION, is_open=True))) == 2


def test_an_agency_is_judged_by_what_it_got(any_store: Store) -> None:
    came = NOW - timedelta(days=5)
    kept, archived, moved = (keep(any_store, came) for _ in range(3))
    decide(any_store, kept, NOW - timedelta(days=4))
    decide(any_store, archived, NOW - timedelta(days=4), kind=Kind.ARCHIVE, reason="unclear")
    keep(any_store, came)
    decide(any_store, moved, NOW - timedelta(days=4))
    for _ in range(2):
        any_store.give_back(moved.id, Return(ROADS, "", NOW - timedelta(days=3), "key:a"))
        decide(any_store, moved, NOW - timedelta(days=2))
    decide_elsewhere = keep(any_store, came, alone=True)
    any_store.give_back(decide_elsewhere.id, Return(ROADS, "", NOW - timedelta(days=3), "key:a"))
    decide(any_store, decide_elsewhere, NOW - timedelta(days=2), agency=BINS)
    assert figures(any_store).given_back == {Office(REGION, ROADS): Share(2, 3)}
    assert listed(any_store, Selection(REGION, returned_by=ANY_AGENCY)) == {moved.id, decide_elsewhere.id}


def test_counts_by_agency_sector_kind_and_reason_are_those_of_their_lists(any_store: Store) -> None:
    came = NOW - timedelta(days=2)
    decide(any_store, keep(any_store, came), NOW, agency=BINS, reason="other-matter")
    decide(any_store, keep(any_store, came), NOW, kind=Kind.ARCHIVE, reason="unclear")
    keep(any_store, came, agency=None)
    keep(any_store, came, region=OTHER_REGION)
    found = figures(any_store, region="")
    assert sum(found.by_agency.values()) == sum(found.by_sector.values()) == sum(found.taken_in.values()) == 4
    for office, count in found.by_agency.items():
        assert len(listed(any_store, Selection(office.region, agency=office.agency or NO_AGENCY))) == count
    for sector, count in found.by_sector.items():
        assert len(listed(any_store, Selection(sector=sector))) == count
    for kind, count in found.verdicts.items():
        assert len(listed(any_store, Selection(kind=kind, moment=Moment.VERDICT))) == count
    assert found.corrections == {"other-matter": 1, "unclear": 1}
    for reason, count in found.corrections.items():
        assert len(listed(any_store, Selection(reason=reason, moment=Moment.VERDICT))) == count


def test_a_verdicts_kind_reason_and_time_are_of_the_same_verdict(any_store: Store) -> None:
    case = keep(any_store, NOW - timedelta(days=20))
    decide(any_store, case, NOW - timedelta(days=19), kind=Kind.ASK)
    decide(any_store, case, NOW, kind=Kind.ARCHIVE, reason="unclear")
    span = span_of_days(7, NOW, REGION)
    asked = Selection(REGION, kind=Kind.ASK, since=span.since, until=span.until, moment=Moment.VERDICT)
    assert listed(any_store, asked) == set()
    assert listed(any_store, replace(asked, kind=Kind.ARCHIVE)) == {case.id}
    assert listed(any_store, replace(asked, kind=Kind.ASK, reason="unclear")) == set()


def test_this_week_stands_beside_the_weeks_before(any_store: Store) -> None:
    keep(any_store, NOW, reason=Reason.UNREADABLE)
    keep(any_store, NOW - timedelta(days=6))
    keep(any_store, NOW - timedelta(days=7))
    keep(any_store, NOW - timedelta(days=34))
    keep(any_store, NOW - timedelta(days=35))
    found = figures(any_store)
    assert (found.recent.count, found.before.count) == (2, 2)
    assert found.recent.unreadable == Share(1, 2)
    assert found.before.not_confident == Share(2, 2)
    assert found.recent.probability == 0.75


def test_models_are_told_the_newest_first(any_store: Store) -> None:
    keep(any_store, NOW - timedelta(days=9), version="old")
    keep(any_store, NOW - timedelta(days=2), version="new")
    keep(any_store, NOW - timedelta(days=1), version="new")
    found = figures(any_store).versions
    assert [(each.name, each.count, each.since) for each in found] == [
        ("new", 2, NOW - timedelta(days=2)),
        ("old", 1, NOW - timedelta(days=9)),
    ]


def test_a_list_never_shows_a_secret_cases_words(any_store: Store) -> None:
    keep(any_store, NOW, confidentiality=Confidentiality.RAHASIA)
    (line,) = Listing(any_store, lambda: NOW).page(Selection(), 10)
    assert (line.opening, line.is_secret) == ("", True)


def test_a_page_follows_on_the_one_before(any_store: Store) -> None:
    ids = [keep(any_store, NOW - timedelta(minutes=n // 2)).id for n in range(7)]
    listing = Listing(any_store, lambda: NOW)
    pages = [[line.id for line in listing.page(Selection(), 3, offset)] for offset in (0, 3, 6)]
    assert sorted(each for page in pages for each in page) == sorted(ids)


def test_figures_are_kept_for_a_while(store: Store) -> None:
    at = [NOW]
    kept = Figures(store, lambda: at[0])
    span = span_of_days(30, NOW, REGION)
    keep(store, NOW)
    first = kept.of(span)
    keep(store, NOW)
    at[0] = NOW + timedelta(seconds=59)
    assert kept.of(span) is first
    at[0] = NOW + timedelta(seconds=60)
    assert kept.of(span).open == 2
    at[0] = NOW - timedelta(hours=1)
    assert kept.of(span).counted_at == at[0]


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with closing(open_store(str(tmp_path_factory.mktemp("figures") / "empty.db"))) as opened:
        yield opened


moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))


@settings(deadline=None, max_examples=200)
@given(moments)
def test_the_database_tells_working_time_as_python_does(empty_store: Store, moment: datetime) -> None:
    column = literal(moment, UtcDateTime())
    with empty_store.reading() as connection:
        day, tenths = connection.execute(select(local_day(column), opening_tenths(column))).one()
    assert working_hours(day, tenths) == pytest.approx(working_days(moment) * HOURS_A_DAY, abs=0.0501)


def test_postgresql_tells_working_time_as_python_does(postgresql_url: str) -> None:
    start = datetime(2026, 12, 24, 23, 55, 1, 5, tzinfo=UTC)
    with closing(open_store(postgresql_url)) as store, store.reading() as connection:
        for moment in (start + timedelta(minutes=53 * n) for n in range(200)):
            column = literal(moment, UtcDateTime())
            day, tenths = connection.execute(select(local_day(column), opening_tenths(column))).one()
            assert working_hours(day, tenths) == pytest.approx(working_days(moment) * HOURS_A_DAY, abs=0.0501)


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_interval_holds_just_the_shares_that_could_have_given_what_was_seen(hits: int, count: int) -> None:
    """Wilson's interval inverts the score test: at its ends the distance is 1.96 standard errors of that end."""
    hits = min(hits, count)
    interval = Share(hits, count).interval
    assert interval is not None
    z = NormalDist().inv_cdf(0.975)
    assert 0 <= interval[0] <= hits / count <= interval[1] <= 1
    for end in interval:
        if 0 < end < 1:
            assert abs(hits / count - end) == pytest.approx(z * (end * (1 - end) / count) ** 0.5, rel=1e-4)


def test_the_difference_is_newcombes_own_example() -> None:
    """Newcombe 1998, table II, method 10, comparison (a): 56/70 less 48/80."""
    found = difference(Share(56, 70), Share(48, 80))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


@given(st.dictionaries(st.integers(0, 1_000), st.integers(1, 9), min_size=1))
def test_percentiles_are_values_that_were_seen_at_their_rank(histogram: dict[float, int]) -> None:
    found = spread(histogram)
    values = sorted(value for value, times in histogram.items() for _ in range(times))
    assert found.median == values[(len(values) + 1) // 2 - 1]
    assert found.ninetieth == values[-(-len(values) * 9 // 10) - 1]


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 400))
def test_weeks_hold_each_day_once(first: date, count: int) -> None:
    days = {first + timedelta(days=n): n for n in range(count)}
    weeks = by_week(days)
    assert sum(weeks.values()) == sum(days.values())
    assert sum(Span(*week).days for week in weeks) == count
    assert all(start.isocalendar()[:2] == end.isocalendar()[:2] for start, end in weeks)
