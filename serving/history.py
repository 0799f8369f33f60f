"""History: all that became of a case, in the order it happened, and what was decided of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from serving.case import Case, Return, Review, Status
from serving.store import NoSuchCase, Store, review_of
from serving.tables import cases, returns, reviews

_SHORTEST_PREFIX = 8


@dataclass(frozen=True)
class Outcome:
    """What became of another case: where it stands, to whom it went, its verdict; whether it is yet to be checked."""

    status: Status
    agency: str | None
    review: Review | None
    is_blind: bool


def verdicts_and_returns(store: Store, case: Case) -> list[Review | Return]:
    """Every review, also those taken back, and every return of a case, the first first."""
    with store.reading() as connection:
        given = [
            review_of(row)
            for row in connection.execute(
                select(reviews).where(reviews.c.case_id == case.id).order_by(reviews.c.id)
            ).mappings()
        ]
        sent_back = [
            Return(row.agency, row.reason, row.returned_at, row.told_by)
            for row in connection.execute(select(returns).where(returns.c.case_id == case.id).order_by(returns.c.id))
        ]
    return sorted([*given, *sent_back], key=_when)


def outcomes_of(store: Store, case_ids: Sequence[str], region: str = "") -> dict[str, Outcome]:
    """What became of some cases, as far as they are of the region."""
    query = select(cases.c.id, cases.c.status, cases.c.agency, cases.c.check).where(cases.c.id.in_(case_ids))
    stands = select(reviews).where(reviews.c.case_id.in_(case_ids), reviews.c.undone_at.is_(None))
    if region:
        query = query.where(cases.c.region == region)
    with store.reading() as connection:
        # The last one of a case stays.
        latest = {
            row["case_id"]: review_of(row) for row in connection.execute(stands.order_by(reviews.c.id)).mappings()
        }
        return {
            row.id: Outcome(
                Status(row.status), row.agency, latest.get(row.id), bool(row.check) and row.id not in latest
            )
            for row in connection.execute(query)
        }


def find_by_number(store: Store, written: str, region: str = "") -> str:
    """The id of the one case whose id begins with what was written, eight characters at least; else `NoSuchCase`."""
    start = written.strip().lower()
    if len(start) >= _SHORTEST_PREFIX and start.replace("-", "").isalnum() and start.isascii():
        query = select(cases.c.id).where(cases.c.id.startswith(start, autoescape=True)).limit(2)
        if region:
            query = query.where(cases.c.region == region)
        with store.reading() as connection:
            found = list(connection.scalars(query))
        if len(found) == 1:
            return str(found[0])
    raise NoSuchCase(f"There is no case {written[:60]!r}.")


def _when(entry: Review | Return) -> datetime:
    return entry.decided_at if isinstance(entry, Review) else entry.returned_at
