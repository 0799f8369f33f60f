"""The outbox: events that were written with what they tell of, read in order, and what became of their delivery."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, or_, select, update

from data.errors import DisposisiError
from serving.case import Clock, now
from serving.events import Event, EventType
from serving.store import Store
from serving.tables import events

UNDELIVERED = and_(events.c.delivered_at.is_(None), events.c.given_up_at.is_(None))
_GIVEN_UP = and_(events.c.delivered_at.is_(None), events.c.given_up_at.is_not(None))
EVENT_COLUMNS = [events.c[name] for name in ("number", "id", "type", "case_id", "region", "happened_at", "data")]


class NoSuchEvent(DisposisiError):
    """A number that no event waiting for delivery, or given up, has."""


@dataclass(frozen=True)
class Counts:
    """How many events still are to be delivered, and how many won't be unless someone retries them."""

    undelivered: int
    given_up: int


@dataclass(frozen=True)
class GivenUp:
    """An event that was tried to the end. `last_error` is an HTTP status or the class of an exception."""

    number: int
    type: EventType
    case_id: str
    attempts: int
    given_up_at: datetime
    last_error: str


class Outbox:
    """What the outbox holds, for whoever reads it instead of being called, and for the operator."""

    def __init__(self, store: Store, *, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock

    def after(self, number: int, limit: int, region: str = "") -> list[Event]:
        """The events that follow a number, oldest first; an empty region is every region."""
        query = select(*EVENT_COLUMNS).where(events.c.number > number).order_by(events.c.number).limit(limit)
        if region:
            query = query.where(events.c.region == region)
        with self._store.reading() as connection:
            return [event_of(row) for row in connection.execute(query)]

    def undelivered_lag(self) -> float:
        """Seconds since the oldest undelivered event happened; 0 if none waits."""
        query = select(events.c.happened_at).where(UNDELIVERED).order_by(events.c.number).limit(1)
        with self._store.reading() as connection:
            oldest = connection.execute(query).scalar()
        return max((self._clock() - oldest).total_seconds(), 0.0) if oldest else 0.0

    def counts(self) -> Counts:
        """How many wait and how many were given up."""
        with self._store.reading() as connection:
            waiting, dead = (
                connection.execute(select(func.count()).select_from(events).where(which)).scalar_one()
                for which in (UNDELIVERED, _GIVEN_UP)
            )
        return Counts(int(waiting), int(dead))

    def given_up(self, limit: int) -> list[GivenUp]:
        """The events that were given up, oldest first."""
        told = [events.c[field.name] for field in fields(GivenUp)]
        query = select(*told).where(_GIVEN_UP).order_by(events.c.number).limit(limit)
        with self._store.reading() as connection:
            return [GivenUp(row.number, EventType(row.type), *row[2:]) for row in connection.execute(query)]

    def retry(self, number: int | None = None) -> int:
        """Make one event, or all that were given up or wait for another attempt, due at once; how many these are.

        Each starts its attempts anew. `NoSuchEvent` if the one is unknown or delivered.
        """
        which = and_(events.c.delivered_at.is_(None), or_(events.c.given_up_at.is_not(None), events.c.attempts > 0))
        if number is not None:
            which = and_(events.c.delivered_at.is_(None), events.c.number == number)
        anew = update(events).where(which).values(given_up_at=None, next_attempt_at=None, attempts=0)
        with self._store.writing() as connection:
            count = connection.execute(anew).rowcount
        if number is not None and not count:
            raise NoSuchEvent(f"No undelivered event has the number {number}. See: disposisi events dead")
        return count


def event_of(row: Row[*tuple[Any, ...]]) -> Event:
    return Event(row.number, row.id, EventType(row.type), row.case_id, row.region, row.happened_at, row.data)
