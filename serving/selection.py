"""A selection: which cases somebody wants to see, the conditions it means in SQL, and the list of what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, exists, func, or_, select, true, tuple_

from data.complaint import Confidentiality, Urgency
from model.routing import Outcome
from serving.case import JUDGING, OPEN, Clock, Kind, LabelSource, Status, now
from serving.checks import Check
from serving.store import Store
from serving.tables import answers, cases, returns, reviews

_OPENING_READ = 400
_TOGETHER = 1_000
# Stands in a selection for whatever agency, and for cases whose agency depends on an area that isn't known.
ANY_AGENCY, NO_AGENCY = "*", "-"


class Moment(StrEnum):
    """Which of a case's times a selection's from and to are about."""

    INTAKE = "intake"
    VERDICT = "verdict"


class Comparison(StrEnum):
    """Verdicts set against the suggestion, by how they were given.

    `AUDIT`: blind, on cases routed alone. `BLIND`: blind, on cases that waited, picked by chance; `SEEN`: on the other
    cases that waited, the suggestion in view. All are a case's first verdict that names an agency, where one was
    suggested.
    """

    AUDIT = "audit"
    BLIND = "blind"
    SEEN = "seen"


class Measure(StrEnum):
    """Verdicts that were timed: the first one on a case that waited, and those whose seconds at work are known."""

    HOURS = "hours"
    SECONDS = "seconds"


@dataclass(frozen=True)
class Selection:
    """Which cases are wanted; what is empty or None doesn't matter. Times are from (inclusive) to (exclusive), aware.

    `kind`, `reason` and `measure` are of one verdict that stands, and with `Moment.VERDICT` so are the times.
    `waits_for` is why a case came to the desk, `returned_by` an agency that sent it back or `ANY_AGENCY`. `comparison`
    and `agreed` are of the verdict that was set against the suggestion.
    """

    region: str = ""
    status: Status | None = None
    is_open: bool = False
    agency: str = ""
    sector: str = ""
    outcome: Outcome | None = None
    kind: Kind | None = None
    reason: str = ""
    waits_for: str = ""
    returned_by: str = ""
    is_late: bool = False
    comparison: Comparison | None = None
    agreed: bool | None = None
    measure: Measure | None = None
    since: datetime | None = None
    until: datetime | None = None
    moment: Moment = Moment.INTAKE


@dataclass(frozen=True)
class CaseLine:
    """A case as far as a list shows it; `kind` and `reason` are of its latest verdict that stands, if there is one.

    `opening` is empty for a secret case and for one whose words were removed.
    """

    id: str
    region: str
    opening: str
    is_secret: bool
    status: Status
    check: Check
    agency: str | None
    urgency: int | None
    sector: str
    suggested_agency: str | None
    probability: float
    outcome: str
    model_version: str
    created_at: datetime
    due_at: datetime
    kind: Kind | None
    reason: str
    label_source: LabelSource | None
    decided_at: datetime | None

    @property
    def is_blind(self) -> bool:
        """Whether its suggestion is hidden from who decides it now, as `Case.is_blind` tells."""
        return self.check is not Check.NONE and self.kind is None and self.status is not Status.RETURNED


class Listing:
    """Lists of a store's cases by selection."""

    def __init__(self, store: Store, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock

    def count(self, selection: Selection) -> int:
        """How many cases a selection holds."""
        query = select(func.count()).select_from(cases).where(conditions(selection, self._clock()))
        with self._store.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def page(self, selection: Selection, limit: int, offset: int = 0) -> list[CaseLine]:
        """Cases of a selection, the newest first."""
        query = select(cases.c.id).where(conditions(selection, self._clock()))
        return self._lines(query.order_by(*_NEWEST).limit(limit).offset(offset))

    def every(self, selection: Selection) -> Iterator[CaseLine]:
        """All cases of a selection, the newest first. Read in pages, so that no transaction lasts."""
        query = select(cases.c.id).where(conditions(selection, self._clock())).order_by(*_NEWEST).limit(_TOGETHER)
        found = self._lines(query)
        while found:
            yield from found
            place = (found[-1].created_at, found[-1].id)
            found = self._lines(query.where(tuple_(cases.c.created_at, cases.c.id) < place))

    def _lines(self, page: Any) -> list[CaseLine]:
        # First the few of the page, by an index alone where there is one; then what is shown of them.
        few = page.subquery()
        query = (
            select(*_LINE)
            .select_from(few)
            .join(cases, cases.c.id == few.c.id)
            .join(answers, answers.c.case_id == cases.c.id)
            .outerjoin(reviews, reviews.c.id == _latest_verdict())
            .order_by(*_NEWEST)
        )
        with self._store.reading() as connection:
            return [_line(row) for row in connection.execute(query).mappings()]


_NEWEST = (cases.c.created_at.desc(), cases.c.id.desc())
_LINE = (
    *(cases.c[name] for name in ("id", "region", "title", "status", "check", "agency", "urgency")),
    *(cases.c[name] for name in ("created_at", "due_at", "confidentiality")),
    func.substr(cases.c.text, 1, _OPENING_READ).label("opening"),
    *(answers.c[name] for name in ("sector", "probability", "outcome", "model_version")),
    answers.c.agency.label("suggested_agency"),
    *(reviews.c[name] for name in ("kind", "label_source", "decided_at")),
    reviews.c.reason.label("verdict_reason"),
)


def conditions(selection: Selection, at: datetime) -> ColumnElement[bool]:
    """What a selection asks of the table `cases` at a time."""
    asked = [
        *_of_case(selection, at),
        *_of_answer(selection),
        *_of_verdict(selection),
        *_of_return(selection),
    ]
    return and_(true(), *asked)


def compared_by(comparison: Comparison) -> ColumnElement[bool]:
    """What makes a row of `reviews`, joined with its case and answer, one of a comparison, if it is `COMPARABLE`."""
    if comparison is Comparison.AUDIT:
        return and_(cases.c.check == Check.AUDIT.value, JUDGED_FAIRLY, answers.c.outcome == Outcome.AUTO.value)
    if comparison is Comparison.BLIND:
        return and_(cases.c.check == Check.BLIND.value, _IS_BLIND)
    # Emergencies are never picked for a check, so they have no part in what checks are compared with.
    ordinary = func.coalesce(answers.c.urgency, 0) != Urgency.DARURAT.value
    return and_(cases.c.check == Check.NONE.value, ~_IS_BLIND, answers.c.outcome == Outcome.REVIEW.value, ordinary)


def first_verdict(kinds: tuple[Kind, ...]) -> Any:
    """The number of a case's first verdict of these kinds that stands; for a query over `reviews`."""
    return _verdict_of(func.min, kinds)


def last_verdict(kinds: tuple[Kind, ...]) -> Any:
    """The number of a case's last verdict of these kinds that stands; for a query over `reviews`."""
    return _verdict_of(func.max, kinds)


def _verdict_of(which: Any, kinds: tuple[Kind, ...]) -> Any:
    own = reviews.alias()
    query = select(which(own.c.id)).where(own.c.case_id == reviews.c.case_id, own.c.undone_at.is_(None))
    query = query.where(own.c.kind.in_([kind.value for kind in kinds]))
    return query.correlate(reviews).scalar_subquery()


def within(column: Any, since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Conditions that keep a time between two, the later one exclusive."""
    return ([column >= since] if since else []) + ([column < until] if until else [])


_IS_BLIND = reviews.c.label_source == LabelSource.HUMAN_BLIND.value
# What an agency sent back before it was checked would else be missing from the checks, and that is the worst.
JUDGED_FAIRLY = or_(_IS_BLIND, exists().where(returns.c.case_id == reviews.c.case_id).correlate(reviews))
WAITED = answers.c.outcome == Outcome.REVIEW.value
STANDS = reviews.c.undone_at.is_(None)
# Took the agency that was suggested, whether or not it was shown; what is archived was no agency's business.
AGREED = reviews.c.agency == answers.c.agency
COMPARABLE = and_(
    STANDS,
    reviews.c.kind.in_([kind.value for kind in JUDGING]),
    answers.c.agency.is_not(None),
    reviews.c.id == first_verdict(JUDGING),
)


# Among an agency's or a sector's cases, one that is yet to be checked blind would give its suggestion away.
_UNCHECKED = and_(
    cases.c.check != Check.NONE.value,
    cases.c.queued,
    ~exists().where(reviews.c.case_id == cases.c.id, STANDS).correlate(cases),
)


def _latest_verdict() -> Any:
    own = reviews.alias()
    query = select(func.max(own.c.id)).where(own.c.case_id == cases.c.id, own.c.undone_at.is_(None))
    return query.correlate(cases).scalar_subquery()


def _of_case(selection: Selection, at: datetime) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    if selection.region:
        asked.append(cases.c.region == selection.region)
    if selection.status is not None:
        asked.append(cases.c.status == selection.status.value)
    if selection.is_open or selection.is_late:
        asked.append(cases.c.status.in_([status.value for status in OPEN]))
    if selection.is_late:
        asked.append(cases.c.due_at < at)
    if selection.agency:
        known = selection.agency != NO_AGENCY
        asked += [cases.c.agency == selection.agency if known else cases.c.agency.is_(None), ~_UNCHECKED]
    if selection.waits_for:
        asked.append(cases.c.reason == selection.waits_for)
    if selection.moment is Moment.INTAKE:
        asked += within(cases.c.created_at, selection.since, selection.until)
    return asked


def _of_answer(selection: Selection) -> list[ColumnElement[bool]]:
    asked = [answers.c.sector == selection.sector, ~_UNCHECKED] if selection.sector else []
    asked += [answers.c.outcome == selection.outcome.value] if selection.outcome else []
    return [exists().where(answers.c.case_id == cases.c.id, *asked)] if asked else []


def _of_verdict(selection: Selection) -> list[ColumnElement[bool]]:
    asked = [reviews.c.kind == selection.kind.value] if selection.kind else []
    asked += [reviews.c.reason == selection.reason] if selection.reason else []
    if selection.moment is Moment.VERDICT:
        asked += within(reviews.c.decided_at, selection.since, selection.until)
    if selection.measure is Measure.SECONDS:
        asked.append(reviews.c.seconds.is_not(None))
    if selection.measure is Measure.HOURS:
        waited = exists().where(answers.c.case_id == cases.c.id, WAITED).correlate(cases)
        asked += [reviews.c.id == first_verdict(tuple(Kind)), waited]
    if selection.comparison is None:
        return [exists().where(reviews.c.case_id == cases.c.id, STANDS, *asked).correlate(cases)] if asked else []
    if selection.agreed is not None:
        asked.append(AGREED if selection.agreed else reviews.c.agency != answers.c.agency)
    asked += [COMPARABLE, compared_by(selection.comparison)]
    held = exists().where(reviews.c.case_id == cases.c.id, answers.c.case_id == cases.c.id, *asked)
    return [held.correlate(cases)]


def _of_return(selection: Selection) -> list[ColumnElement[bool]]:
    if not selection.returned_by:
        return []
    own = exists().where(returns.c.case_id == cases.c.id)
    by_any = selection.returned_by == ANY_AGENCY
    return [own if by_any else own.where(returns.c.agency == selection.returned_by)]


def _line(row: RowMapping) -> CaseLine:
    is_secret = row["confidentiality"] == Confidentiality.RAHASIA.value
    return CaseLine(
        id=row["id"],
        region=row["region"],
        # Each look at a secret case is on record, so no list shows anything of it.
        opening="" if is_secret else " ".join((row["title"] or row["opening"]).split()),
        is_secret=is_secret,
        status=Status(row["status"]),
        check=Check(row["check"]),
        agency=row["agency"],
        urgency=row["urgency"],
        sector=row["sector"],
        suggested_agency=row["suggested_agency"],
        probability=row["probability"],
        outcome=row["outcome"],
        model_version=row["model_version"],
        created_at=row["created_at"],
        due_at=row["due_at"],
        kind=Kind(row["kind"]) if row["kind"] else None,
        reason=row["verdict_reason"] or "",
        label_source=LabelSource(row["label_source"]) if row["label_source"] else None,
        decided_at=row["decided_at"],
    )
