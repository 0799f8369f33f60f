"""The queue: which cases a moderator has to look at, in the order of expected harm, and how many of which kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import RowMapping, and_, case, false, func, or_, select

from data.complaint import Confidentiality, Urgency
from serving.case import Clock, Status, now
from serving.checks import Check
from serving.store import Store
from serving.tables import answers, cases, claims

_OPENING_READ = 400
# Live counts may be this old: a hundred thousand rows aren't counted anew for each look.
_COUNTS_KEPT = timedelta(seconds=5)
LATE, SOON = "terlambat", "segera"
# Stands in a choice, and in counts, for cases whose agency depends on an area that isn't known.
NO_AGENCY = "-"


@dataclass(frozen=True)
class Choice:
    """Which waiting cases a moderator wants to see; what is empty or None doesn't matter.

    `reason` is why they wait; `age` is `LATE`, whose clock has run out, or `SOON`, whose clock ends within a day.
    """

    region: str = ""
    agency: str = ""
    urgency: int | None = None
    reason: str = ""
    age: str = ""


@dataclass(frozen=True)
class Line:
    """A case in the queue, as far as the list shows it."""

    id: str
    region: str
    opening: str
    is_secret: bool
    status: Status
    check: Check
    agency: str | None
    sector: str
    probability: float
    urgency: int | None
    reason: str
    received_at: datetime
    due_at: datetime
    holder: str | None


@dataclass(frozen=True)
class Counts:
    """How many cases wait of each kind: in all, emergencies, late ones, and by region and agency, urgency and reason.

    `checks` are those that went on alone and are only checked, which isn't waiting. What is decided without its
    suggestion is in no count by agency, urgency or reason, which would tell it.
    """

    all: int
    checks: int
    emergencies: int
    late: int
    by_agency: dict[tuple[str, str], int]
    by_urgency: dict[int, int]
    by_reason: dict[str, int]


class Queue:
    """What waits in a store."""

    def __init__(self, store: Store, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock
        self._counted: dict[str, tuple[datetime, Counts]] = {}
        self._lock = Lock()

    def lines(self, choice: Choice, limit: int, offset: int = 0) -> list[Line]:
        """The waiting cases of a choice, the next one first, with who is at work on them."""
        at = self._clock()
        held = and_(claims.c.case_id == cases.c.id, claims.c.until > at)
        # First the few of the page, by the index alone; then what is shown of them.
        page = _chosen(select(cases.c.id, cases.c.turn), choice, at)
        page = page.order_by(cases.c.turn, cases.c.id).limit(limit).offset(offset).subquery()
        query = (
            select(*_LINE, claims.c.holder)
            .select_from(page)
            .join(cases, cases.c.id == page.c.id)
            .join(answers, answers.c.case_id == cases.c.id)
            .outerjoin(claims, held)
            .order_by(page.c.turn, page.c.id)
        )
        with self._store.reading() as connection:
            return [_line(row) for row in connection.execute(query).mappings()]

    def next_free(self, choice: Choice, holder: str, after: str = "") -> str | None:
        """The next case of a choice that nobody else is at work on; the one behind a case that was passed over.

        Behind the last comes the first again, so that one can pass over any number and miss none.
        """
        at = self._clock()
        taken = select(claims.c.case_id).where(claims.c.until > at, claims.c.holder != holder)
        query = _chosen(select(cases.c.id), choice, at).where(cases.c.id.not_in(taken), cases.c.id != after)
        query = query.order_by(cases.c.turn, cases.c.id).limit(1)
        passed = select(cases.c.turn).where(cases.c.id == after).scalar_subquery()
        behind = or_(cases.c.turn > passed, and_(cases.c.turn == passed, cases.c.id > after))
        with self._store.reading() as connection:
            found: str | None = connection.execute(query.where(behind)).scalar() if after else None
            if found is None:
                found = connection.execute(query).scalar()
        return found

    def count(self, choice: Choice) -> int:
        """How many cases a choice holds."""
        query = _chosen(select(func.count()).select_from(cases), choice, self._clock())
        with self._store.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def counts(self, region: str) -> Counts:
        """How many wait of each kind in a region, or in all; at most five seconds old."""
        at = self._clock()
        with self._lock:
            kept = self._counted.get(region)
        if kept is not None and abs(at - kept[0]) < _COUNTS_KEPT:
            return kept[1]
        counts = self._count(region, at)
        with self._lock:
            self._counted[region] = (at, counts)
        return counts

    def forget_counts(self) -> None:
        """Count anew at the next look."""
        with self._lock:
            self._counted.clear()

    def _count(self, region: str, at: datetime) -> Counts:
        late = func.sum(case((cases.c.due_at < at, 1), else_=0))
        # By region too, though nobody asks for it: so the rows come in an index's order, and nothing is sorted.
        kinds = (cases.c.region, cases.c.agency, cases.c.urgency, cases.c.reason, cases.c.check)
        query = _chosen(select(*kinds, func.count(), late), Choice(region), at).group_by(*kinds)
        by_agency: dict[tuple[str, str], int] = {}
        by_urgency: dict[int, int] = {}
        by_reason: dict[str, int] = {}
        total = is_late = checks = 0
        with self._store.reading() as connection:
            for place, agency, urgency, reason, check, amount, over in connection.execute(query):
                if check == Check.AUDIT:
                    checks += amount
                    continue
                total, is_late = total + amount, is_late + (over or 0)
                if check:
                    continue
                level = Urgency.SEDANG.value if urgency is None else urgency
                office = (place, agency or NO_AGENCY)
                by_agency[office] = by_agency.get(office, 0) + amount
                by_urgency[level] = by_urgency.get(level, 0) + amount
                by_reason[reason] = by_reason.get(reason, 0) + amount
        emergencies = by_urgency.get(Urgency.DARURAT.value, 0)
        return Counts(total, checks, emergencies, is_late, by_agency, by_urgency, by_reason)


_LINE = (
    *(cases.c[name] for name in ("id", "region", "title", "status", "check", "agency", "urgency", "reason")),
    *(cases.c[name] for name in ("received_at", "due_at", "confidentiality")),
    func.substr(cases.c.text, 1, _OPENING_READ).label("opening"),
    answers.c.sector,
    answers.c.probability,
)


# What is decided without its suggestion is of every agency, urgency and reason, or a choice would tell it.
_HIDDEN = cases.c.check != Check.NONE.value


def _chosen(query: Any, choice: Choice, at: datetime) -> Any:
    """The query for the queued cases of a choice."""
    query = query.where(cases.c.queued)
    if choice.region:
        query = query.where(cases.c.region == choice.region)
    if choice.agency:
        wanted = None if choice.agency == NO_AGENCY else choice.agency
        query = query.where(or_(cases.c.agency.is_(None) if wanted is None else cases.c.agency == wanted, _HIDDEN))
    if choice.urgency is not None:
        level = cases.c.urgency == choice.urgency
        unknown = cases.c.urgency.is_(None) if choice.urgency == Urgency.SEDANG else false()
        query = query.where(or_(level, unknown, _HIDDEN))
    if choice.reason:
        query = query.where(or_(cases.c.reason == choice.reason, _HIDDEN))
    if choice.age:
        # What went on alone has no clock any more.
        query = query.where(cases.c.check != Check.AUDIT.value)
    if choice.age == LATE:
        query = query.where(cases.c.due_at < at)
    elif choice.age == SOON:
        query = query.where(cases.c.due_at >= at, cases.c.due_at < at + timedelta(days=1))
    elif choice.age:
        query = query.where(false())
    return query


def _line(row: RowMapping) -> Line:
    return Line(
        id=row["id"],
        region=row["region"],
        opening=" ".join((row["title"] or row["opening"]).split()),
        is_secret=row["confidentiality"] == Confidentiality.RAHASIA.value,
        status=Status(row["status"]),
        check=Check(row["check"]),
        agency=row["agency"],
        sector=row["sector"],
        probability=row["probability"],
        urgency=row["urgency"],
        reason=row["reason"],
        received_at=row["received_at"],
        due_at=row["due_at"],
        holder=row["holder"],
    )
