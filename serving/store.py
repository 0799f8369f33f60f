"""The store: cases and what became of them, in SQLite or PostgreSQL, through SQLAlchemy Core."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, delete, func, insert, select, text, tuple_, update
from sqlalchemy.exc import SQLAlchemyError

from data.complaint import Complaint, Confidentiality, Urgency
from data.errors import DisposisiError
from serving.case import (
    LABELLING,
    NEXT,
    OPEN,
    Answer,
    Case,
    Claim,
    Kind,
    LabelSource,
    Part,
    Return,
    Review,
    Status,
    Verdict,
)
from serving.checks import Check
from serving.events import Event, EventType, decided_event, returned_event, review_requested_event, routed_event
from serving.review_order import turn
from serving.tables import answers, cases, claims, events, requests, returns, reviews
from serving.working_time import due_after
from serving.writer import TooBusy, Writer

# One number for all that write: whoever holds it hands out the events' numbers, so that these are in order of commit.
_WRITERS = 7_418_529_630
_PAGE = 500
# As long as the database itself waits for its lock: who is behind such a wait is told soon, too.
_SECONDS_FOR_TURN = 10.0
_ID = re.compile(r"[A-Za-z0-9-]{1,36}")


class AlreadyDecided(DisposisiError):
    """A verdict on a case that has one, or a return of one that has gone nowhere."""


class NoSuchCase(DisposisiError):
    """An id that no case has."""


class Taken(DisposisiError):
    """Somebody else is at work on the case."""


class BadMerge(DisposisiError):
    """A case that another can't be merged into: there is none such, it is that case itself, or was merged as well."""


class ClaimGone(DisposisiError):
    """A verdict by somebody whose claim has run out: in the meantime others could have taken the case."""


class CannotUndo(DisposisiError):
    """A verdict that can't be taken back: it is too old, somebody else's, or the case has gone on."""


class OtherBody(DisposisiError):
    """An idempotency key, or an intake's id, that came before with another body."""


@dataclass(frozen=True)
class Identity:
    """What makes a request the same as an earlier one: a key, or the intake's own id, among those of its owner.

    The owner is the caller who sent the key, or for the intake's own id `REGION_OWNER` and the region.
    """

    owner: str
    key: str


@dataclass(frozen=True)
class Addition:
    """A case to keep with its events, unless one of its identities has come before with the same fingerprint."""

    case: Case
    events: tuple[Event, ...]
    identities: tuple[Identity, ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True)
class Added:
    """The case's id, and whether it is new."""

    case_id: str
    is_new: bool


@dataclass(frozen=True)
class Wanted:
    """Which cases are asked for; what is empty or None doesn't matter. Times are from (inclusive) to (exclusive).

    Without `secret`, those whose reporter asked for secrecy are left out.
    """

    statuses: tuple[Status, ...] = ()
    region: str = ""
    agency: str = ""
    urgency: int | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    secret: bool = True


REGION_OWNER = "region:"
# The fingerprint of a request whose case was emptied: what it said is no longer known, so it is taken for the same.
_EMPTIED = ""
# A place in a listing: the values that order its last case.
Place = tuple[Any, ...]

_CASE_COLUMNS = list(cases.c)
_ANSWER_COLUMNS = [column.label(f"answer_{column.name}") for column in answers.c if column.name != "case_id"]
_REVIEW_COLUMNS = [column.label(f"review_{column.name}") for column in reviews.c if column.name != "case_id"]
_BEFORE = [cases.c[name] for name in ("status", "agency", "urgency", "closed_at", "queued")]
_RETURN_COLUMNS = [column.label(f"return_{column.name}") for column in returns.c if column.name != "case_id"]
_BY_TIME = (cases.c.created_at, cases.c.id)
_BY_TURN = (cases.c.turn, cases.c.id)
# The reason for review of a case that an agency has sent back; the others are `model.routing.Reason`.
SENT_BACK = "returned"
_EVEN = 0.5
UNDO_WITHIN = timedelta(seconds=30)


class Store:
    """Cases on disk. What a method returned from is kept, what it raised in never was."""

    def __init__(self, engine: Engine, name: str, *, most_waiting: int = 2_000) -> None:
        self.name = name
        self._engine = engine
        self._reader = engine.execution_options(only_reads=True)
        # Threads of one process take turns here, which is quicker and fairer than at the database's own lock.
        self._turn = Lock()
        self._writer: Writer[Addition, Added] = Writer(self._keep, most_waiting=most_waiting)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that only reads."""
        with self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, on disk at the end; one at a time, in this process and in all others."""
        if not self._turn.acquire(timeout=_SECONDS_FOR_TURN):
            raise TooBusy("Others have been writing for too long. Nothing was kept; send it again later.")
        try:
            with self._engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _WRITERS})
                yield connection
        finally:
            self._turn.release()

    @property
    def unwritten(self) -> int:
        """How many new cases wait to be written."""
        return self._writer.waiting

    def add(self, addition: Addition) -> Future[Added]:
        """Keep a new case; the future is done once it is on disk. Raises `TooBusy`; the future holds `OtherBody`."""
        return self._writer.submit(addition)

    def _keep(self, group: Sequence[Addition]) -> list[Added | Exception]:
        with self.writing() as connection:
            known = _known_requests(connection, group)
            results: list[Added | Exception] = []
            fresh: list[Addition] = []
            made: list[dict[str, Any]] = []
            for addition in group:
                found = {known[identity] for identity in addition.identities if identity in known}
                if not found:
                    fresh.append(addition)
                    results.append(Added(addition.case.id, True))
                elif len(found) == 1 and next(iter(found))[0] in (addition.fingerprint, _EMPTIED):
                    results.append(Added(next(iter(found))[1], False))
                else:
                    results.append(OtherBody(_OTHER_BODY))
                    continue
                case_id = results[-1].case_id  # type: ignore[union-attr]
                for identity in addition.identities:
                    if identity not in known:
                        known[identity] = (addition.fingerprint, case_id)
                        made.append({**vars(identity), "case_id": case_id, **_asked(addition)})
            _insert_cases(connection, fresh)
            if made:
                connection.execute(insert(requests), made)
        return results

    def get(self, case_id: str, region: str = "") -> Case:
        """The case of that id, with its latest review and return; `NoSuchCase` if there is none (in the region)."""
        query = _whole_cases().where(cases.c.id == _known_form(case_id))
        with self.reading() as connection:
            row = connection.execute(query).mappings().first()
        if row is None or (region and row["region"] != region):
            raise NoSuchCase(f"There is no case {case_id!r}.")
        return _case(row)

    def waiting(self, limit: int, offset: int = 0, region: str = "") -> list[Case]:
        """Cases that wait for a moderator, in the order of expected harm (`serving.review_order`)."""
        return self._cases(_waiting(region).order_by(*_BY_TURN).limit(limit).offset(offset))

    def waiting_after(self, place: Place | None, limit: int, region: str = "") -> tuple[list[Case], Place | None]:
        """The same from a place on, with the place of what follows; None at the end."""
        return self._page(_waiting(region), _BY_TURN, place, limit)

    def listed(self, wanted: Wanted, place: Place | None, limit: int) -> tuple[list[Case], Place | None]:
        """Cases as wanted, the oldest first, from a place on, with the place of what follows; None at the end."""
        return self._page(_wanted(_whole_cases(), wanted), _BY_TIME, place, limit)

    def routed(self, limit: int, offset: int = 0, region: str = "") -> list[Case]:
        """Cases that the program routed by itself and nobody has corrected, the newest first."""
        query = _wanted(_whole_cases(), Wanted((Status.ROUTED,), region))
        return self._cases(query.order_by(cases.c.created_at.desc(), cases.c.id).limit(limit).offset(offset))

    def newest(self) -> Iterator[Case]:
        """Every case, the one received last first. Read in pages, so that no transaction lasts."""
        key = tuple_(cases.c.received_at, cases.c.id)
        query = _whole_cases().order_by(cases.c.received_at.desc(), cases.c.id.desc()).limit(_PAGE)
        found = self._cases(query)
        while found:
            yield from found
            found = self._cases(query.where(key < (found[-1].received_at, found[-1].id)))

    def count(self, status: Status, region: str = "") -> int:
        """How many cases have a status; those sent back wait too."""
        statuses = OPEN if status is Status.WAITING else (status,)
        query = _wanted(select(func.count()).select_from(cases), Wanted(statuses, region))
        with self.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def oldest_waiting(self) -> datetime | None:
        """When the case that has waited longest came in."""
        query = select(func.min(cases.c.created_at)).where(cases.c.status.in_(OPEN))
        with self.reading() as connection:
            oldest: datetime | None = connection.execute(query).scalar_one()
        return oldest

    def claim(self, case_id: str, claim: Claim, at: datetime, region: str = "") -> None:
        """Take a case, or go on with it, until the claim runs out. `NoSuchCase`, `AlreadyDecided` or `Taken`."""
        with self.writing() as connection:
            _require(connection, case_id, Status.DECIDED, region)
            own = _require_free(connection, case_id, claim.holder, at)
            connection.execute(delete(claims).where(claims.c.case_id == case_id))
            since = own.since if own else at
            connection.execute(insert(claims), {"case_id": case_id, **vars(claim), "since": since})

    def release(self, case_id: str, holder: str, until: datetime | None = None) -> None:
        """Let go of a case; harmless if it isn't held. With `until`, only of the very claim that ends then."""
        held = delete(claims).where(claims.c.case_id == case_id, claims.c.holder == holder)
        with self.writing() as connection:
            connection.execute(held if until is None else held.where(claims.c.until == until))

    def release_all(self, holder: str) -> None:
        """Let go of every case that somebody holds."""
        with self.writing() as connection:
            connection.execute(delete(claims).where(claims.c.holder == holder))

    def claims_of(self, case_ids: Sequence[str], at: datetime) -> dict[str, Claim]:
        """Who is at work on which of these cases."""
        query = select(claims).where(claims.c.case_id.in_(case_ids), claims.c.until > at)
        with self.reading() as connection:
            return {row.case_id: Claim(row.holder, row.until, row.since) for row in connection.execute(query)}

    def decide(
        self, case_id: str, review: Review, region: str = "", *, claimed: bool = False, seen: int | None = None
    ) -> None:
        """Append a review to a case that waits, was routed or sent back, and end its claim.

        With `claimed`, its reviewer must hold the case, and may undo the verdict: a webhook is told of it only after
        that. `seen`: how many verdicts and returns of the case its reviewer knew of; if there are more, somebody was
        quicker. `NoSuchCase`, `AlreadyDecided`, `Taken`, `ClaimGone` and `BadMerge` leave all as it was.
        """
        verdict, at = review.verdict, review.decided_at
        then = Status.ASKED if verdict.kind is Kind.ASK else Status.DECIDED
        with self.writing() as connection:
            case = _require(connection, case_id, then, region)
            if seen is not None and _count_entries(connection, case_id) != seen:
                raise AlreadyDecided(f"Case {case_id!r} was decided or sent back meanwhile.")
            if verdict.kind is Kind.MERGE:
                _require_original(connection, case, verdict.merged_into)
            own = _require_free(connection, case_id, review.reviewer, at)
            if claimed and own is None:
                raise ClaimGone(f"The claim on case {case_id!r} has run out.")
            seconds = (at - own.since).total_seconds() if own and own.since else None
            before = connection.execute(select(*_BEFORE).where(cases.c.id == case_id)).mappings().one()
            connection.execute(insert(reviews), _review_values(case_id, review, seconds, before))
            changed: dict[str, Any] = {"status": then.value, "queued": False, "closed_at": at}
            if verdict.kind in LABELLING:
                changed |= {"agency": verdict.agency, "urgency": verdict.urgency}
            connection.execute(update(cases).where(cases.c.id == case_id).values(changed))
            connection.execute(delete(claims).where(claims.c.case_id == case_id))
            insert_events(connection, [decided_event(case, review)], at + UNDO_WITHIN if claimed else None)

    def undo(self, case_id: str, by: str, at: datetime, region: str = "") -> None:
        """Take back one's own verdict of the last 30 s: the case is as it was before. `NoSuchCase`, `CannotUndo`.

        The review stays on record, with when it was taken back.
        """
        newest = select(reviews).where(reviews.c.case_id == _known_form(case_id)).order_by(reviews.c.id.desc()).limit(1)
        whole = _whole_cases().where(cases.c.id == case_id)
        with self.writing() as connection:
            row = connection.execute(whole).mappings().first()
            if row is None or (region and row["region"] != region):
                raise NoSuchCase(f"There is no case {case_id!r}.")
            last = connection.execute(newest).mappings().first()
            if last is None or not _may_undo(row, last, by, at):
                raise CannotUndo(f"The verdict on case {case_id!r} can't be taken back any more.")
            connection.execute(update(reviews).where(reviews.c.id == last["id"]).values(undone_at=at))
            # A webhook that wasn't told yet never is; who polls reads both.
            untold = (events.c.type == EventType.REVIEW_DECIDED.value, events.c.delivered_at.is_(None))
            never = update(events).where(events.c.case_id == case_id, *untold, events.c.next_attempt_at > at)
            connection.execute(never.where(events.c.attempts == 0).values(delivered_at=at))
            before = last["before"]
            closed_at = datetime.fromisoformat(before["closed_at"]) if before["closed_at"] else None
            restored = {**before, "closed_at": closed_at}
            if last["label_source"] == LabelSource.HUMAN_BLIND:
                # The suggestion could be seen in the meantime.
                restored["check"] = Check.NONE.value
            connection.execute(update(cases).where(cases.c.id == case_id).values(restored))
            # Read anew: an earlier verdict, of before a return, is the latest again.
            case = _case(connection.execute(whole).mappings().one())
            insert_events(connection, [_told_again(case, at)])

    def give_back(self, case_id: str, returned: Return, region: str = "") -> None:
        """An agency sends a case back that was routed or decided: it waits again. `NoSuchCase`, `AlreadyDecided`."""
        with self.writing() as connection:
            case = _require(connection, case_id, Status.RETURNED, region)
            connection.execute(insert(returns), {"case_id": case_id, **vars(returned)})
            changed = {
                "status": Status.RETURNED.value,
                "closed_at": None,
                "queued": True,
                "reason": SENT_BACK,
                "turn": turn(0.0, case.urgency, returned.returned_at, sent_back=True),
                "due_at": due_after(returned.returned_at),
            }
            connection.execute(update(cases).where(cases.c.id == case_id).values(**changed))
            insert_events(connection, [returned_event(case, returned.agency, returned.returned_at)])

    def reviewed(self) -> Iterator[Case]:
        """Every case that has a review, in the order of the reviews."""
        query = _whole_cases().where(reviews.c.id.is_not(None)).order_by(reviews.c.id)
        with self.reading() as connection:
            for row in connection.execute(query).mappings():
                yield _case(row)

    def is_ready(self) -> bool:
        """Whether the database answers."""
        try:
            with self.reading() as connection:
                connection.execute(select(cases.c.id).limit(1))
        except SQLAlchemyError:
            return False
        return True

    def close(self) -> None:
        """Write what waits, and let go of the database."""
        self._writer.close()
        self._engine.dispose()

    def _cases(self, query: Any) -> list[Case]:
        with self.reading() as connection:
            return [_case(row) for row in connection.execute(query).mappings()]

    def _page(
        self, query: Any, order: Sequence[Any], place: Place | None, limit: int
    ) -> tuple[list[Case], Place | None]:
        named = [column.label(f"place_{n}") for n, column in enumerate(order)]
        query = query.add_columns(*named).order_by(*order).limit(limit + 1)
        if place is not None:
            query = query.where(tuple_(*order) > tuple_(*place))
        with self.reading() as connection:
            rows = list(connection.execute(query).mappings())
        last = tuple(rows[limit - 1][column.name] for column in named) if len(rows) > limit else None
        return [_case(row) for row in rows[:limit]], last


_OTHER_BODY = (
    "This Idempotency-Key or intake_id came before with another body. Nothing was kept: send the first body again to "
    "read its case, or use a new key for a new complaint."
)


def _known_requests(connection: Connection, group: Sequence[Addition]) -> dict[Identity, tuple[str, str]]:
    asked = [identity for addition in group for identity in addition.identities]
    return _requests(connection, asked) if asked else {}


def _requests(connection: Connection, asked: Sequence[Identity]) -> dict[Identity, tuple[str, str]]:
    """Fingerprint and case of each of the identities that have come before."""
    pairs = [(identity.owner, identity.key) for identity in asked]
    query = select(requests).where(tuple_(requests.c.owner, requests.c.key).in_(pairs))
    return {Identity(row.owner, row.key): (row.fingerprint, row.case_id) for row in connection.execute(query)}


def _asked(addition: Addition) -> dict[str, Any]:
    return {"fingerprint": addition.fingerprint, "created_at": addition.case.created_at}


def _insert_cases(connection: Connection, group: Sequence[Addition]) -> None:
    if not group:
        return
    connection.execute(insert(cases), [_case_values(each.case) for each in group])
    connection.execute(insert(answers), [{"case_id": each.case.id, **vars(each.case.answer)} for each in group])
    insert_events(connection, [event for each in group for event in each.events])


def insert_events(connection: Connection, told: Sequence[Event], not_before: datetime | None = None) -> None:
    """Tell events within a transaction of `Store.writing`; a webhook gets them no sooner than at a time."""
    rows = [
        {
            "id": event.id,
            "type": event.type.value,
            "case_id": event.case_id,
            "region": event.region,
            "happened_at": event.happened_at,
            "data": event.data,
            "next_attempt_at": not_before,
        }
        for event in told
    ]
    if rows:
        _insert_plainly(connection, events, rows)


def _insert_plainly(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert without asking for the numbers that the database gave, which would cost a statement a row."""
    connection.execute(insert(table).inline(), rows)


def _known_form(case_id: str) -> str:
    """The id, if it could be one: PostgreSQL takes no NUL, and nothing else is worth asking for."""
    if not _ID.fullmatch(case_id):
        raise NoSuchCase(f"There is no case {case_id[:60]!r}.")
    return case_id


def _require(connection: Connection, case_id: str, then: Status, region: str) -> Case:
    """The case, if it exists and may become that."""
    row = connection.execute(_whole_cases().where(cases.c.id == _known_form(case_id))).mappings().first()
    if row is None or (region and row["region"] != region):
        raise NoSuchCase(f"There is no case {case_id!r}.")
    case = _case(row)
    if case.emptied_at is not None:
        raise AlreadyDecided(f"The words of case {case_id!r} were removed: nobody could decide it again.")
    if then not in NEXT[case.status]:
        raise AlreadyDecided(f"Case {case_id!r} is {case.status} already.")
    return case


def _may_undo(case: RowMapping, last: RowMapping, by: str, at: datetime) -> bool:
    """Whether somebody may take back the latest verdict of a case, which must still stand."""
    stands = case["status"] in (Status.DECIDED, Status.ASKED) and case["emptied_at"] is None
    is_own = last["reviewer"] == by and last["undone_at"] is None
    # A verdict of an earlier version of the program didn't keep what was before it.
    return stands and is_own and bool(last["before"]) and at - last["decided_at"] <= UNDO_WITHIN


def _told_again(case: Case, at: datetime) -> Event:
    """What a case is told as once a verdict on it was taken back: it goes on by itself again, or waits again."""
    if case.status is Status.ROUTED:
        return replace(routed_event(case), happened_at=at)
    return review_requested_event(case, at)


def _require_free(connection: Connection, case_id: str, holder: str, at: datetime) -> Claim | None:
    """The holder's own claim, if there is one; `Taken` if it is somebody else's."""
    held = connection.execute(select(claims).where(claims.c.case_id == case_id, claims.c.until > at)).first()
    if held is not None and held.holder != holder:
        raise Taken(f"{held.holder} is at work on case {case_id!r} until {held.until:%Y-%m-%dT%H:%M:%SZ}.")
    return Claim(held.holder, held.until, held.since) if held is not None else None


def _count_entries(connection: Connection, case_id: str) -> int:
    """How many verdicts, also those taken back, and returns a case has."""
    counts = (select(func.count()).where(table.c.case_id == case_id) for table in (reviews, returns))
    return sum(connection.execute(query).scalar_one() for query in counts)


def _require_original(connection: Connection, case: Case, original: str) -> None:
    """That a case may be merged into another: so that no chain or ring of merged cases leaves all unanswered."""
    row = connection.execute(_whole_cases().where(cases.c.id == original)).mappings().first()
    found = _case(row) if row is not None else case
    merged = found.review is not None and found.review.verdict.kind is Kind.MERGE
    into_this = select(reviews.c.id).where(reviews.c.merged_into == case.id, reviews.c.undone_at.is_(None)).limit(1)
    holds_others = connection.execute(into_this).first() is not None
    elsewhere = found.complaint.region != case.complaint.region
    if found.id == case.id or merged or elsewhere or holds_others or found.status is Status.FORGOTTEN:
        raise BadMerge(f"Case {case.id!r} can't be merged into {original[:60]!r}.")


def _waiting(region: str) -> Any:
    """Cases that wait for a moderator; those that are only checked are the desk's own business."""
    query = _whole_cases().where(cases.c.queued, cases.c.status.in_(OPEN))
    return query.where(cases.c.region == region) if region else query


def _wanted(query: Any, wanted: Wanted) -> Any:
    """The query with a condition for each thing that matters."""
    if wanted.statuses:
        query = query.where(cases.c.status.in_(wanted.statuses))
    for column, value in ((cases.c.region, wanted.region), (cases.c.agency, wanted.agency)):
        query = query.where(column == value) if value else query
    if wanted.urgency is not None:
        query = query.where(cases.c.urgency == wanted.urgency)
    if wanted.received_from is not None:
        query = query.where(cases.c.received_at >= wanted.received_from)
    if wanted.received_to is not None:
        query = query.where(cases.c.received_at < wanted.received_to)
    if not wanted.secret:
        query = query.where(cases.c.confidentiality != Confidentiality.RAHASIA)
    return query


@cache
def _whole_cases() -> Any:
    """Cases with their answer, last verdict that stands and last return; conditions are put on it, which copies it."""

    def latest(table: Table) -> Any:
        own = table.alias()
        query = select(func.max(own.c.id)).where(own.c.case_id == cases.c.id)
        if table is reviews:
            query = query.where(own.c.undone_at.is_(None))
        return query.correlate(cases).scalar_subquery()

    return select(*_CASE_COLUMNS, *_ANSWER_COLUMNS, *_REVIEW_COLUMNS, *_RETURN_COLUMNS).select_from(
        cases.join(answers, answers.c.case_id == cases.c.id)
        .outerjoin(reviews, reviews.c.id == latest(reviews))
        .outerjoin(returns, returns.c.id == latest(returns))
    )


def _case_values(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "status": case.status.value,
        **vars(case.complaint),
        "channel": case.channel,
        "confidentiality": case.confidentiality.value,
        "received_at": case.received_at,
        "created_at": case.created_at,
        "agency": case.agency,
        "urgency": case.urgency,
        "intake_id": case.intake_id or None,
        "reporter": case.reporter or None,
        "closed_at": case.closed_at,
        **_queue_values(case),
    }


def _queue_values(case: Case) -> dict[str, Any]:
    """What of a new case puts it into the queue, or not."""
    # Where an emergency went by itself, a person sees it all the same, so as to telephone.
    is_emergency = case.status is Status.ROUTED and case.urgency == Urgency.DARURAT
    # Checks are told apart by time alone: were the surest last, a busy desk would never check them.
    probability = _EVEN if case.check is Check.AUDIT else case.answer.probability
    return {
        "queued": case.status in OPEN or case.check is Check.AUDIT or is_emergency,
        "turn": turn(probability, case.urgency, case.created_at),
        "reason": next(iter(case.answer.detail.get("reasons", [])), ""),
        "due_at": case.due_at or due_after(case.created_at),
        "check": case.check.value,
    }


def _review_values(case_id: str, review: Review, seconds: float | None, before: RowMapping) -> dict[str, Any]:
    verdict = vars(review.verdict) | {
        "kind": review.verdict.kind.value,
        "parts": [vars(part) for part in review.verdict.parts],
    }
    told = {"label_source": review.label_source.value, "decided_at": review.decided_at, "reviewer": review.reviewer}
    closed_at = before["closed_at"].isoformat() if before["closed_at"] else None
    return {"case_id": case_id, **verdict, **told, "seconds": seconds, "before": {**before, "closed_at": closed_at}}


def _case(row: RowMapping) -> Case:
    answer = Answer(**{column.removeprefix("answer_"): row[column] for column in row if column.startswith("answer_")})
    return Case(
        id=row["id"],
        status=Status(row["status"]),
        complaint=Complaint(row["text"], row["title"], row["location"], row["region"]),
        channel=row["channel"],
        confidentiality=Confidentiality(row["confidentiality"]),
        received_at=row["received_at"],
        created_at=row["created_at"],
        answer=answer,
        agency=row["agency"],
        urgency=row["urgency"],
        intake_id=row["intake_id"] or "",
        reporter=row["reporter"] or "",
        closed_at=row["closed_at"],
        emptied_at=row["emptied_at"],
        due_at=row["due_at"],
        check=Check(row["check"]),
        review=_review(row) if row["review_id"] is not None else None,
        returned=_return(row) if row["return_id"] is not None else None,
    )


def _review(row: RowMapping) -> Review:
    told = {column.removeprefix("review_"): row[column] for column in row if column.startswith("review_")}
    return review_of(told)


def _return(row: RowMapping) -> Return:
    return Return(row["return_agency"], row["return_reason"], row["return_returned_at"], row["return_told_by"])


def review_of(row: Mapping[str, Any] | RowMapping) -> Review:
    """A row of the table of reviews as what it says."""
    verdict = Verdict(
        sector=row["sector"],
        agency=row["agency"],
        urgency=row["urgency"],
        note=row["note"],
        kind=Kind(row["kind"]),
        parts=tuple(Part(**part) for part in row["parts"]),
        reason=row["reason"],
        reply=row["reply"],
        merged_into=row["merged_into"],
    )
    source = LabelSource(row["label_source"])
    return Review(verdict, source, row["decided_at"], row["reviewer"], row["seconds"], row["undone_at"])
