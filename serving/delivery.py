"""Delivery: events go to the intake's webhook, signed, at least once, and in order for each case."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import hmac
import json
import logging
import os
import time
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import SystemRandom
from threading import Thread
from typing import Any

import httpx
from sqlalchemy import Connection, Select, bindparam, func, or_, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from serving.case import Clock, now
from serving.events import Event, cloud_event
from serving.outbox import EVENT_COLUMNS, UNDELIVERED, event_of
from serving.store import Store
from serving.tables import events

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
# Seconds before the second attempt, the third ... The last comes some three days after the first (Standard Webhooks).
WAITS = (5, 30, 120, 600, 1_800, 3_600, 7_200, *[14_400] * 17)
_LONGEST_RETRY_AFTER = 3_600.0
_ANSWER_WITHIN = 10.0
_MOST_AT_ONCE = 8
# Taken from the database ahead of their turn, so that posting doesn't stop while marks are written.
_MOST_TAKEN = 512
_LONGEST_ANSWER = 65_536
_POLL = 1.0
# Posts that end within this time are marked together. After a search comes a rest ten times as long, within bounds.
_GATHER = 0.02
_LONGEST_REST = 5.0
# What is under way when the service stops has this long to end; what hasn't is delivered again by the next start.
_GRACE = 2.0
# PostgreSQL's advisory lock of whoever delivers.
_DELIVERERS = 7_418_529_631
_log = logging.getLogger("disposisi")
_random = SystemRandom()


@dataclass(frozen=True)
class _Due:
    """An event whose turn it is, and how often it was tried before."""

    event: Event
    attempts: int


@dataclass(frozen=True)
class _Attempt:
    """What became of one post; without an error it is delivered. `wait` is what the receiver asked for."""

    due: _Due
    at: datetime
    error: str = ""
    wait: timedelta = timedelta()


class Deliverer:
    """One thread that posts due events to a URL, several cases at once, each case's events one after the other.

    Of all the processes over one database one delivers at a time. An event counts as delivered once its 2xx is on
    disk: after a crash between the two it comes again, with the same `webhook-id`.
    """

    def __init__(
        self, store: Store, url: str, secret: str, *, clock: Clock = now, client: httpx.AsyncClient | None = None
    ) -> None:
        self._store = store
        self._url = url
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._clock = clock
        self._client = client or httpx.AsyncClient(headers={"User-Agent": "disposisi"})
        self._lease = _Lease(store)
        self._leads = self._closing = self._failing = False
        self._rest = _GATHER
        self._quiet_until = datetime.min.replace(tzinfo=UTC)
        self._under_way: dict[asyncio.Task[_Attempt | None], _Due] = {}
        self._unmarked: list[_Attempt] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)
        self._thread = Thread(target=lambda: asyncio.run(self._work()), name="deliverer", daemon=True)
        # Both tell each request's whole URL, whose query may hold a key.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    def start(self) -> None:
        """Begin to deliver; after a fork, not before, since threads don't survive it."""
        self._thread.start()

    def wake(self) -> None:
        """Look for new events now, from any thread; without it they are found within a second."""
        if self._leads:
            self._poke()

    def close(self) -> None:
        """Stop within some seconds. Call it before the store is closed."""
        self._closing = True
        self._poke()
        if self._thread.is_alive():
            self._thread.join(_GRACE + _ANSWER_WITHIN)

    def _poke(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._woken.set)

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._client:
            while not self._closing:
                self._woken.clear()
                try:
                    await self._round()
                except Exception as error:
                    # The thread must outlive a database that is away; what isn't marked yet is kept for the next round.
                    _log.error("events: %s; trying again", _reason(error))
                    self._leads = False
                    self._lease.release()
                await self._wait()
            await self._stop()

    async def _wait(self) -> None:
        ends = time.monotonic() + self._rest
        while not self._closing and (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.1))
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL):
                await self._woken.wait()

    async def _round(self) -> None:
        """Write down what has ended, then start what is due."""
        self._collect()
        if self._unmarked:
            marked = list(self._unmarked)
            await asyncio.to_thread(self._mark, marked)
            del self._unmarked[: len(marked)]
            self._tell(marked)
        self._leads = await asyncio.to_thread(self._lease.take)
        self._rest = _GATHER
        self._collect()
        busy = {due.event.case_id for due in self._under_way.values()}
        busy |= {attempt.due.event.case_id for attempt in self._unmarked}
        room = _MOST_TAKEN - len(busy)
        if not self._leads or room < _MOST_TAKEN // 2 or self._clock() < self._quiet_until:
            return
        began = time.monotonic()
        found = await asyncio.to_thread(self._due, room, busy)
        self._rest = min(max(_GATHER, 10 * (time.monotonic() - began)), _LONGEST_REST)
        for due in found:
            task = asyncio.create_task(self._post(due))
            self._under_way[task] = due
            task.add_done_callback(lambda _: self._woken.set())

    async def _stop(self) -> None:
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._collect()
        try:
            if self._unmarked:
                await asyncio.to_thread(self._mark, self._unmarked)
        except SQLAlchemyError as error:
            _log.error("events: %s; %d will be delivered again", _reason(error), len(self._unmarked))
        self._leads = False
        self._lease.release()

    def _collect(self) -> None:
        for task in [task for task in self._under_way if task.done()]:
            del self._under_way[task]
            attempt = None if task.cancelled() else task.result()
            if attempt is not None:
                self._unmarked.append(attempt)

    def _due(self, limit: int, busy: Set[str | None]) -> list[_Due]:
        """Of each case that isn't busy the oldest undelivered event, if its time has come; at most `limit`."""
        with self._store.reading() as connection:
            found = connection.execute(_due_numbers(self._clock(), limit + len(busy)))
            numbers = [row.number for row in found if row.case_id not in busy][:limit]
            whole = (
                select(*EVENT_COLUMNS, events.c.attempts).where(events.c.number.in_(numbers)).order_by(events.c.number)
            )
            return [_Due(event_of(row), row.attempts) for row in connection.execute(whole)] if numbers else []

    async def _post(self, due: _Due) -> _Attempt | None:
        """Post one event; None if its turn has passed. Whatever fails is an outcome, never an exception."""
        async with self._slots:
            started = self._clock()
            if self._closing or not self._leads or started < self._quiet_until:
                return None
            body = json.dumps(cloud_event(due.event), ensure_ascii=False, separators=(",", ":")).encode()
            headers = signed_headers(self._key, due.event.id, started, body)
            status, error, wait = 0, "", timedelta()
            try:
                # One limit over all: a receiver that dribbles would never reach the client's own, which are per read.
                async with (
                    asyncio.timeout(_ANSWER_WITHIN),
                    self._client.stream(
                        "POST", self._url, content=body, headers=headers, follow_redirects=False, timeout=None
                    ) as response,
                ):
                    status = response.status_code
                    wait = _retry_after(response.headers.get("retry-after", ""), started)
                    await _read_away(response)
            except Exception as failure:
                error = type(failure).__name__
            if 200 <= status < 300:
                return _Attempt(due, self._clock())
            if status in (429, 503):
                self._quiet_until = max(self._quiet_until, self._clock() + wait)
            return _Attempt(due, self._clock(), f"status {status}" if status else error, wait)

    def _mark(self, attempts: Sequence[_Attempt]) -> None:
        """Write down a group of attempts in one transaction; what has been delivered meanwhile stays so."""
        target = update(events).where(events.c.number == bindparam("of_number"), events.c.delivered_at.is_(None))
        with self._store.writing() as connection:
            connection.execute(target, [_marks(attempt) for attempt in attempts])

    def _tell(self, attempts: Sequence[_Attempt]) -> None:
        for attempt in attempts:
            if attempt.error and attempt.due.attempts >= len(WAITS):
                number, tried = attempt.due.event.number, attempt.due.attempts + 1
                _log.error("events: number %d given up after %d attempts: %s", number, tried, attempt.error)
        failures = [attempt.error for attempt in attempts if attempt.error]
        if failures and not self._failing:
            _log.warning("events: the webhook fails: %s; what it didn't take is kept and sent again", failures[0])
        elif not failures and self._failing:
            _log.warning("events: the webhook takes all again")
        self._failing = bool(failures)


class _Lease:
    """The right to deliver. The system takes it back from a process that ends, however it ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection: Connection | None = None
        self._file: int | None = None
        self._held = False

    def take(self) -> bool:
        """Whether this process may deliver. Raises if the database can't say."""
        if self._connection is None and self._file is None:
            self._open()
        if self._connection is not None:
            # While held the question only proves that the connection lives, and with it the lock.
            question = "SELECT true" if self._held else f"SELECT pg_try_advisory_lock({_DELIVERERS})"
            self._held = bool(self._connection.execute(text(question)).scalar_one())
        elif self._file is not None and not self._held:
            with suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._held = True
        return self._held

    def release(self) -> None:
        """Let another process deliver; harmless if it isn't held."""
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.close()
        if self._file is not None:
            os.close(self._file)
        self._connection, self._file, self._held = None, None, False

    def _open(self) -> None:
        with self._store.reading() as reading:
            engine = reading.engine
        if engine.dialect.name == "postgresql":
            # A connection of its own outside any transaction: the pool's would be taken away or time out.
            self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection.detach()
        else:
            # Not the database itself: closing any handle on that would drop SQLite's own locks.
            self._file = os.open(f"{engine.url.database}-delivering", os.O_RDWR | os.O_CREAT, 0o600)


def signed_headers(key: bytes, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a post: HMAC-SHA256 over `id.timestamp.body`, as the Standard Webhooks specification says."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(key, b".".join((event_id.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _due_numbers(at: datetime, limit: int) -> Select[Any]:
    """Number and case of the oldest undelivered event of each case, if its time has come.

    By a window, in one pass. Asking for each event whether an earlier one waits is quicker in SQLite, but PostgreSQL
    may plan it as a loop in a loop: with a long backlog it takes minutes.
    """
    place = func.row_number().over(partition_by=events.c.case_id, order_by=events.c.number).label("place")
    waiting = select(events.c.number, events.c.case_id, events.c.next_attempt_at, place).where(UNDELIVERED).subquery()
    its_time = or_(waiting.c.next_attempt_at.is_(None), waiting.c.next_attempt_at <= at)
    query = select(waiting.c.number, waiting.c.case_id).where(waiting.c.place == 1, its_time)
    return query.order_by(waiting.c.number).limit(limit)


def _marks(attempt: _Attempt) -> dict[str, Any]:
    """What an attempt changes in its event's row."""
    tried = attempt.due.attempts + 1
    delivered = not attempt.error
    given_up = not delivered and tried > len(WAITS)
    again = None if delivered or given_up else attempt.at + max(_backoff(tried), attempt.wait)
    return {
        "of_number": attempt.due.event.number,
        "attempts": tried,
        "delivered_at": attempt.at if delivered else None,
        "given_up_at": attempt.at if given_up else None,
        "next_attempt_at": again,
        "last_error": attempt.error[:200],
    }


def _backoff(tried: int) -> timedelta:
    """How long to wait after so many attempts; a tenth more or less, so that not all come at once."""
    return timedelta(seconds=WAITS[tried - 1] * _random.uniform(0.9, 1.1))


def _retry_after(value: str, at: datetime) -> timedelta:
    """A Retry-After header, seconds or an HTTP date, within bounds; zero if it says nothing."""
    try:
        asked = float(int(value)) if value.strip().isdigit() else (parsedate_to_datetime(value) - at).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return timedelta()
    return timedelta(seconds=min(max(asked, 0.0), _LONGEST_RETRY_AFTER))


async def _read_away(response: httpx.Response) -> None:
    """Read a short answer, so that its connection serves the next post; a long one is cut off."""
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > _LONGEST_ANSWER:
            return


def _reason(error: Exception) -> str:
    """The class and, of the database's, the driver's first line; never parameters."""
    first = str(getattr(error, "orig", "")).partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
