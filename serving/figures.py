"""Figures: what a desk's cases amount to over a period, counted in the database and told with how sure it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import ceil, sqrt
from threading import Lock
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    and_,
    case,
    cast,
    distinct,
    exists,
    func,
    or_,
    select,
)

from model.routing import Outcome, Reason
from serving.case import OPEN, Clock, Kind, Status, now
from serving.local_time import local_day, opening_tenths, working_hours
from serving.selection import AGREED, COMPARABLE, STANDS, WAITED, Comparison, compared_by, first_verdict, within
from serving.store import Store
from serving.tables import answers, cases, returns, reviews
from serving.working_time import HOURS_A_DAY, ZONE, working_days

# A hundred thousand cases aren't counted anew for each look: a month's figures stand for a minute, a year's for twelve.
_KEPT_A_DAY = timedelta(seconds=2)
# The answers of this many days are set against those of the four weeks before them.
RECENT_DAYS, BEFORE_DAYS = 7, 28
_WITH_95 = 1.959964
_ALL_KINDS = tuple(Kind)


@dataclass(frozen=True)
class Span:
    """Whole days in western Indonesia, the last one included, of one region or (empty) of all."""

    first: date
    last: date
    region: str = ""

    @property
    def since(self) -> datetime:
        """When it starts, aware."""
        return datetime.combine(self.first, time(), ZONE)

    @property
    def until(self) -> datetime:
        """When it is over, aware."""
        return datetime.combine(self.last + timedelta(days=1), time(), ZONE)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


def span_of_days(days: int, at: datetime, region: str = "") -> Span:
    """The latest so many days up to a time's own."""
    today = at.astimezone(ZONE).date()
    return Span(today - timedelta(days=days - 1), today, region)


@dataclass(frozen=True)
class Share:
    """So many of so many; of nothing there is no share, and every figure is None."""

    hits: int
    count: int

    @property
    def value(self) -> float | None:
        """The share as seen, 0 to 1."""
        return self.hits / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the true share lies with 95 % certainty: the score interval.

        Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference". It keeps its promise for
        few cases and for shares near 0 and 1 as well (Brown, Cai and DasGupta 2001).
        """
        if not self.count:
            return None
        share, count, z = self.hits / self.count, self.count, _WITH_95
        middle = (share + z * z / (2 * count)) / (1 + z * z / count)
        half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
        # At the ends the formula gives 0 and 1 but for rounding.
        low = 0.0 if not self.hits else max(middle - half, 0.0)
        return low, 1.0 if self.hits == count else min(middle + half, 1.0)


@dataclass(frozen=True)
class Difference:
    """How much larger one share is than another, with where that lies with 95 % certainty; all -1 to 1."""

    value: float
    low: float
    high: float


def difference(larger: Share, smaller: Share) -> Difference | None:
    """One share less another that is independent of it; None if either is of nothing.

    Newcombe 1998, "Interval Estimation for the Difference Between Independent Proportions", method 10: from the two
    score intervals.
    """
    first, second = larger.interval, smaller.interval
    if first is None or second is None:
        return None
    one, other = larger.hits / larger.count, smaller.hits / smaller.count
    return Difference(
        one - other,
        one - other - sqrt((one - first[0]) ** 2 + (second[1] - other) ** 2),
        one - other + sqrt((first[1] - one) ** 2 + (other - second[0]) ** 2),
    )


@dataclass(frozen=True)
class Spread:
    """The middle and the 90th percentile (nearest rank) of `count` values; None of nothing."""

    count: int
    median: float | None
    ninetieth: float | None


def spread(histogram: Mapping[float, int]) -> Spread:
    """Of values and how often each was seen."""
    count = sum(histogram.values())
    return Spread(count, _percentile(histogram, 0.5, count), _percentile(histogram, 0.9, count))


def _percentile(histogram: Mapping[float, int], share: float, count: int) -> float | None:
    seen, rank = 0, ceil(share * count)
    for value in sorted(histogram):
        seen += histogram[value]
        if seen >= rank:
            return value
    return None


@dataclass(frozen=True)
class Office:
    """An agency of a region; the code is None where it depends on an area that isn't known."""

    region: str
    agency: str | None


@dataclass(frozen=True)
class Answers:
    """What the program said over some days: how many answers, how sure on average (None of none), and their doubts."""

    count: int
    probability: float | None
    unreadable: Share
    not_confident: Share


@dataclass(frozen=True)
class Version:
    """A model, how many cases it answered in the period, and when it answered the first of them."""

    name: str
    count: int
    since: datetime


@dataclass(frozen=True)
class Summary:
    """A span's figures, as of `counted_at`. What is counted by intake is of the cases that came in during the span.

    `taken_in` has every day. `given_back` is for each agency the cases that it sent back of those it got. `verdicts`
    counts cases by kind of verdict, `corrections` by its reason; a case that got two kinds counts in both. `hours` is
    the working time from intake to first verdict of those that waited for one, `seconds` at work on a case. `open`,
    `late` and `age` (working hours since intake) are of now, whatever the span.
    """

    span: Span
    counted_at: datetime
    taken_in: dict[date, int]
    alone: Share
    by_agency: dict[Office, int]
    by_sector: dict[str, int]
    given_back: dict[Office, Share]
    verdicts: dict[Kind, int]
    corrections: dict[str, int]
    comparisons: dict[Comparison, Share]
    hours: Spread
    seconds: Spread
    open: int
    late: int
    age: Spread
    recent: Answers
    before: Answers
    versions: tuple[Version, ...]

    @property
    def leaning(self) -> Difference | None:
        """How much more often moderators agree with a suggestion that they see: automation bias."""
        return difference(self.comparisons[Comparison.SEEN], self.comparisons[Comparison.BLIND])


class Figures:
    """What a store's cases amount to; at most two seconds old for each day of the span."""

    def __init__(self, store: Store, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[Span, Summary] = {}
        self._lock = Lock()

    def of(self, span: Span) -> Summary:
        """The figures of a span."""
        at = self._clock()
        with self._lock:
            kept = self._kept.get(span)
        if kept is not None and _is_fresh(kept, at):
            return kept
        with self._store.reading() as connection:
            summary = _summary(connection, span, at)
        with self._lock:
            fresh = {each: told for each, told in self._kept.items() if _is_fresh(told, at)}
            self._kept = fresh | {span: summary}
        return summary


def _is_fresh(summary: Summary, at: datetime) -> bool:
    return timedelta() <= at - summary.counted_at < _KEPT_A_DAY * summary.span.days


def _summary(connection: Connection, span: Span, at: datetime) -> Summary:
    taken = _taken_in(connection, span)
    open_, late = _open(connection, span, at)
    verdicts, corrections = _verdicts(connection, span)
    recent = _answers(connection, span_of_days(RECENT_DAYS, at, span.region))
    before = _answers(connection, span_of_days(BEFORE_DAYS, at - timedelta(days=RECENT_DAYS), span.region))
    return Summary(
        span=span,
        counted_at=at,
        taken_in=_by_day(connection, span),
        alone=taken.alone,
        by_agency=taken.by_agency,
        by_sector=taken.by_sector,
        given_back=_given_back(connection, span),
        verdicts=verdicts,
        corrections=corrections,
        comparisons=_compared(connection, span),
        hours=_hours(connection, span),
        seconds=_seconds(connection, span),
        open=open_,
        late=late,
        age=_age(connection, span, at),
        recent=recent,
        before=before,
        versions=taken.versions,
    )


def _own(span: Span) -> list[ColumnElement[bool]]:
    return [cases.c.region == span.region] if span.region else []


def _came_in(span: Span) -> ColumnElement[bool]:
    return and_(*within(cases.c.created_at, span.since, span.until), *_own(span))


def _decided_in(span: Span) -> ColumnElement[bool]:
    # Worded so that no index of the region is of use: the verdicts of the span are fewer than the region's cases.
    own = [func.coalesce(cases.c.region, "") == span.region] if span.region else []
    return and_(*within(reviews.c.decided_at, span.since, span.until), STANDS, *own)


_REVIEWED = reviews.join(cases, cases.c.id == reviews.c.case_id)
_REVIEWED_ANSWERS = _REVIEWED.join(answers, answers.c.case_id == reviews.c.case_id)
_ANSWERED = cases.join(answers, answers.c.case_id == cases.c.id)
# What ends at the desk has an agency only because one was suggested.
_ENDED_AT_DESK = exists().where(
    reviews.c.case_id == cases.c.id, STANDS, reviews.c.kind.in_([Kind.ARCHIVE.value, Kind.MERGE.value])
)
_IS_GIVEN = or_(
    cases.c.status.in_([Status.ROUTED.value, Status.RETURNED.value]),
    and_(cases.c.status == Status.DECIDED.value, ~_ENDED_AT_DESK.correlate(cases)),
)


def _by_day(connection: Connection, span: Span) -> dict[date, int]:
    day = local_day(cases.c.created_at)
    query = select(day, func.count()).where(_came_in(span)).group_by(day)
    found = {date.fromisoformat(each): count for each, count in connection.execute(query)}
    days = (span.first + timedelta(days=n) for n in range(span.days))
    return {each: found.get(each, 0) for each in days}


@dataclass(frozen=True)
class _TakenIn:
    """As `Summary` has them."""

    alone: Share
    by_agency: dict[Office, int]
    by_sector: dict[str, int]
    versions: tuple[Version, ...]


def _taken_in(connection: Connection, span: Span) -> _TakenIn:
    kinds = (answers.c.outcome, answers.c.sector, cases.c.region, cases.c.agency, answers.c.model_version)
    query = select(*kinds, func.count(), func.min(cases.c.created_at)).select_from(_ANSWERED)
    by_outcome: Counter[str] = Counter()
    by_agency: Counter[Office] = Counter()
    by_sector: Counter[str] = Counter()
    versions: dict[str, Version] = {}
    for outcome, sector, region, agency, version, count, since in connection.execute(
        query.where(_came_in(span)).group_by(*kinds)
    ):
        by_outcome[outcome] += count
        by_agency[Office(region, agency)] += count
        by_sector[sector] += count
        known = versions.get(version, Version(version, 0, since))
        versions[version] = Version(version, known.count + count, min(known.since, since))
    return _TakenIn(
        Share(by_outcome[Outcome.AUTO.value], by_outcome.total()),
        dict(by_agency.most_common()),
        dict(by_sector.most_common()),
        tuple(sorted(versions.values(), key=lambda version: version.since, reverse=True)),
    )


def _given_back(connection: Connection, span: Span) -> dict[Office, Share]:
    """Of each agency that sent any back: those cases, of all that it ever got."""
    office = (cases.c.region, returns.c.agency)
    sent_back = func.count(distinct(returns.c.case_id))
    # Cases that are elsewhere by now aren't among those given to the agency.
    elsewhere = or_(func.coalesce(cases.c.agency, "") != returns.c.agency, ~_IS_GIVEN)
    moved_on = func.count(distinct(case((elsewhere, returns.c.case_id))))
    query = (
        select(*office, sent_back, moved_on)
        .select_from(returns.join(cases, cases.c.id == returns.c.case_id))
        .where(_came_in(span))
        .group_by(*office)
    )
    given = _given(connection, span)
    found = {
        Office(region, agency): Share(back, given[Office(region, agency)] + moved)
        for region, agency, back, moved in connection.execute(query)
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1].hits, item[1].count, str(item[0].agency))))


def _given(connection: Connection, span: Span) -> Counter[Office]:
    """How many cases are each agency's to answer."""
    office = (cases.c.region, cases.c.agency)
    query = select(*office, func.count()).where(_came_in(span), _IS_GIVEN).group_by(*office)
    return Counter({Office(region, agency): count for region, agency, count in connection.execute(query)})


def _verdicts(connection: Connection, span: Span) -> tuple[dict[Kind, int], dict[str, int]]:
    """Cases by kind of verdict, and by its reason."""
    amount = func.count(distinct(reviews.c.case_id))
    decided = _decided_in(span)
    tables = _REVIEWED if span.region else reviews
    by_kind = select(reviews.c.kind, amount).select_from(tables).where(decided).group_by(reviews.c.kind)
    by_reason = select(reviews.c.reason, amount).select_from(tables).where(decided, reviews.c.reason != "")
    kinds = {Kind(kind): count for kind, count in connection.execute(by_kind)}
    reasons = Counter(dict(map(tuple, connection.execute(by_reason.group_by(reviews.c.reason)))))
    return {kind: kinds[kind] for kind in Kind if kind in kinds}, dict(reasons.most_common())


def _compared(connection: Connection, span: Span) -> dict[Comparison, Share]:
    which = case(*((compared_by(each), each.value) for each in Comparison)).label("which")
    query = select(which, AGREED.label("agreed")).select_from(_REVIEWED_ANSWERS)
    found = query.where(_decided_in(span), COMPARABLE).subquery()
    counted = select(found.c.which, found.c.agreed, func.count()).group_by(found.c.which, found.c.agreed)
    counts = {(each, bool(agreed)): count for each, agreed, count in connection.execute(counted)}
    return {
        each: Share(hits := counts.get((each, True), 0), hits + counts.get((each, False), 0)) for each in Comparison
    }


def _hours(connection: Connection, span: Span) -> Spread:
    places = [tell(moment) for moment in (cases.c.created_at, reviews.c.decided_at) for tell in _PLACE]
    query = _counted(places, _REVIEWED_ANSWERS, _decided_in(span), WAITED, reviews.c.id == first_verdict(_ALL_KINDS))
    histogram: Counter[float] = Counter()
    for came_day, came, decided_day, decided, count in connection.execute(query):
        histogram[_span_of_hours(working_hours(decided_day, decided) - working_hours(came_day, came))] += count
    return spread(histogram)


def _age(connection: Connection, span: Span, at: datetime) -> Spread:
    places = [tell(cases.c.created_at) for tell in _PLACE]
    query = _counted(places, cases, cases.c.status.in_([status.value for status in OPEN]), *_own(span))
    now_at = working_days(at) * HOURS_A_DAY
    histogram: Counter[float] = Counter()
    for day, tenths, count in connection.execute(query):
        histogram[_span_of_hours(now_at - working_hours(day, tenths))] += count
    return spread(histogram)


def _seconds(connection: Connection, span: Span) -> Spread:
    seconds = cast(func.round(reviews.c.seconds), Integer)
    query = _counted(
        [seconds], _REVIEWED if span.region else reviews, _decided_in(span), reviews.c.seconds.is_not(None)
    )
    histogram: Counter[float] = Counter()
    for value, count in connection.execute(query):
        histogram[max(value, 0)] += count
    return spread(histogram)


# Where in working time a column's time lies: of a hundred thousand, few are told apart.
_PLACE = (local_day, opening_tenths)


def _counted(values: Sequence[Any], tables: FromClause, *where: ColumnElement[bool]) -> Any:
    """How often each combination of values is seen."""
    named = [value.label(f"value_{place}") for place, value in enumerate(values)]
    found = select(*named).select_from(tables).where(*where).subquery()
    return select(*found.c, func.count()).group_by(*found.c)


def _span_of_hours(hours: float) -> float:
    """Hours to a tenth; none where a clock went back."""
    return max(round(hours, 1), 0.0)


def _open(connection: Connection, span: Span, at: datetime) -> tuple[int, int]:
    late = func.coalesce(func.sum(case((cases.c.due_at < at, 1), else_=0)), 0)
    query = select(func.count(), late).where(cases.c.status.in_([status.value for status in OPEN]), *_own(span))
    count, over = connection.execute(query).one()
    return count, int(over)


def _answers(connection: Connection, span: Span) -> Answers:
    """Doubts are the first reason that each case waited for; of what was sent back since, that is no longer known."""
    query = (
        select(cases.c.reason, func.count(), func.sum(answers.c.probability))
        .select_from(_ANSWERED)
        .where(_came_in(span))
        .group_by(cases.c.reason)
    )
    found = {reason: (count, total) for reason, count, total in connection.execute(query)}
    count = sum(amount for amount, _ in found.values())

    def share(reason: Reason) -> Share:
        return Share(found.get(reason.value, (0, 0.0))[0], count)

    probability = sum(total for _, total in found.values()) / count if count else None
    return Answers(count, probability, share(Reason.UNREADABLE), share(Reason.NOT_CONFIDENT))


def by_week(days: Mapping[date, int]) -> dict[tuple[date, date], int]:
    """Days' counts in weeks from Monday to Sunday; the first and the last one may be shorter."""
    weeks: dict[date, list[date]] = {}
    for day in sorted(days):
        weeks.setdefault(day - timedelta(days=day.weekday()), []).append(day)
    return {(week[0], week[-1]): _total(days, week) for week in weeks.values()}


def _total(days: Mapping[date, int], wanted: Iterable[date]) -> int:
    return sum(days[day] for day in wanted)
