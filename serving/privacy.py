"""Data protection (UU 27/2022): texts are emptied in time or at once, and who looks at what is recorded."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    insert,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from data.complaint import Confidentiality
from model.masking import mask_for_storage
from serving.case import Clock, Status, now
from serving.store import REGION_OWNER, NoSuchCase, Store
from serving.tables import answers, audit, cases, claims, requests, returns, reviews, sessions

# Docs/decisions/0005 says why: as long as a supervisory complaint and its appeal may take.
TEXT_KEPT = timedelta(days=365)
SECRET_TEXT_KEPT = timedelta(days=90)
REQUESTS_KEPT = timedelta(days=7)
# A sign-in holds a day at most.
SESSIONS_KEPT = timedelta(days=2)
_TOGETHER = 500
# Longer than SQLite lets another process sleep between two tries, so that whoever waits to write gets its turn.
_PAUSE_SECONDS = 0.2
_PATIENCE_SECONDS = 10.0
# Up to here a file is rewritten in a second or two; a larger one only when a case is to be forgotten at once.
_SMALL_FILE_BYTES = 64_000_000


class Action(StrEnum):
    """What the audit record tells of; a change is one of the settings, or of who may do what."""

    LOOK = "look"
    EXPORT = "export"
    FORGET = "forget"
    EMPTY = "empty"
    CHANGE = "change"


@dataclass(frozen=True)
class AuditEntry:
    """One line of the audit record; `happened_at` is aware, in UTC."""

    happened_at: datetime
    actor: str
    action: str
    case_id: str | None
    detail: dict[str, Any]


def record(
    where: Connection | Store,
    actor: str,
    action: Action,
    case_id: str | None,
    detail: Mapping[str, Any] | None = None,
    *,
    clock: Clock = now,
) -> None:
    """Append to the audit record: within the transaction of a connection, or in one of its own.

    `detail` is plain JSON and never holds citizens' words. Nothing in the program changes or deletes a line.
    """
    if isinstance(where, Store):
        with where.writing() as connection:
            record(connection, actor, action, case_id, detail, clock=clock)
        return
    line = {"happened_at": clock(), "actor": actor, "action": action.value, "case_id": case_id}
    where.execute(insert(audit).inline(), {**line, "detail": dict(detail or {})})


def looks_at(store: Store, case_id: str) -> list[AuditEntry]:
    """Who looked at, exported or emptied a case, in the order it happened."""
    query = select(*(audit.c[name] for name in AuditEntry.__annotations__)).where(audit.c.case_id == case_id)
    with store.reading() as connection:
        return [AuditEntry(*row) for row in connection.execute(query.order_by(audit.c.id))]


def empty_old_texts(store: Store, *, clock: Clock = now, pause: float = _PAUSE_SECONDS) -> int:
    """Remove the words of cases that were closed long enough ago, and tell of how many; labels and figures stay.

    Each transaction takes at most 500 cases, with `pause` seconds between two. Safe to run again, or twice at once.
    """
    at = clock()
    due = _due(at)
    with store.reading() as connection:
        ids = list(connection.scalars(select(cases.c.id).where(due).order_by(cases.c.closed_at)))
    emptied = 0
    for start in range(0, len(ids), _TOGETHER):
        if start:
            time.sleep(pause)
        with store.writing() as connection:
            # One of them may have been sent back, or emptied by another process, since the list was made.
            together = cases.c.id.in_(ids[start : start + _TOGETHER])
            still = list(connection.scalars(select(cases.c.id).where(together, due)))
            if still:
                _empty(connection, still, emptied_at=at)
                record(connection, "program", Action.EMPTY, None, {"cases": len(still)}, clock=clock)
                emptied += len(still)
    # Also when nothing was due: a reader may have held the log yesterday.
    _clean_file(store, rewrite=emptied > 0, up_to=_SMALL_FILE_BYTES)
    return emptied


def forget(store: Store, case_id: str, *, by: str, reason: str, clock: Clock = now) -> bool:
    """Remove the words of a case now, whatever its state, and let it wait for nobody. Raises `NoSuchCase`.

    False: the words are gone from the tables, but traces may lie in the SQLite file until this is called again (once
    nobody reads for longer than 10 s, and the disk holds the file twice). May be called again for the same case.
    """
    at = clock()
    query = select(cases.c.closed_at, cases.c.emptied_at, cases.c.confidentiality).where(cases.c.id == case_id)
    with store.writing() as connection:
        found = connection.execute(query).first()
        if found is None:
            raise NoSuchCase(f"There is no case {case_id!r}.")
        _empty(connection, [case_id], emptied_at=found.emptied_at or at)
        ended = {"status": Status.FORGOTTEN.value, "closed_at": found.closed_at or at, "queued": False}
        connection.execute(update(cases).where(cases.c.id == case_id).values(ended))
        connection.execute(delete(claims).where(claims.c.case_id == case_id))
        why = mask_for_storage(reason, Confidentiality(found.confidentiality))
        record(connection, by, Action.FORGET, case_id, {"reason": why}, clock=clock)
    return _clean_file(store, rewrite=True)


def emptied_since(store: Store, since: datetime) -> list[str]:
    """The cases whose words were removed at a time or later: a server lets go of them in memory too."""
    with store.reading() as connection:
        return list(connection.scalars(select(cases.c.id).where(cases.c.emptied_at >= since)))


def drop_old_requests(store: Store, *, clock: Clock = now) -> int:
    """Delete what tells repeated requests apart once it is seven days old, and tell how many; their cases stay."""
    # An intake's own id is its case's for good.
    is_key = not_(requests.c.owner.startswith(REGION_OWNER))
    return _drop(store, requests, and_(is_key, requests.c.created_at < clock() - REQUESTS_KEPT))


def drop_old_sessions(store: Store, *, clock: Clock = now) -> int:
    """Delete sign-ins of more than two days ago, and tell how many."""
    return _drop(store, sessions, sessions.c.created_at < clock() - SESSIONS_KEPT)


def _due(at: datetime) -> ColumnElement[bool]:
    """Closed long enough ago for its class, and neither open nor emptied."""
    is_secret = cases.c.confidentiality == Confidentiality.RAHASIA.value
    return and_(
        cases.c.status.in_((Status.ROUTED.value, Status.DECIDED.value, Status.ASKED.value)),
        cases.c.emptied_at.is_(None),
        or_(cases.c.closed_at <= at - TEXT_KEPT, and_(is_secret, cases.c.closed_at <= at - SECRET_TEXT_KEPT)),
    )


def _empty(connection: Connection, ids: Sequence[str], *, emptied_at: datetime) -> None:
    """Remove every word that citizens, moderators and agencies wrote from some cases."""
    gone = {"title": "", "text": "", "location": "", "reporter": None, "emptied_at": emptied_at, "queued": False}
    connection.execute(update(cases).where(cases.c.id.in_(ids)).values(gone))
    connection.execute(update(reviews).where(reviews.c.case_id.in_(ids)).values(note="", reply=""))
    connection.execute(update(returns).where(returns.c.case_id.in_(ids), returns.c.reason != "").values(reason=""))
    # What a request said could be found out from its hash by trying.
    connection.execute(update(requests).where(requests.c.case_id.in_(ids)).values(fingerprint=""))
    told = connection.execute(select(answers.c.case_id, answers.c.detail).where(answers.c.case_id.in_(ids))).all()
    statement = (
        update(answers)
        .where(answers.c.case_id == bindparam("of_case"))
        .values(detail=bindparam("without_words", type_=answers.c.detail.type))
    )
    if told:
        connection.execute(
            statement, [{"of_case": case_id, "without_words": without_words(detail)} for case_id, detail in told]
        )


def without_words(detail: Mapping[str, Any]) -> dict[str, Any]:
    """An answer's detail with its labels and figures alone, in the shape it had.

    What isn't known to hold no words is left out, so that what a later version adds is lost before it is kept too long.
    The drafts and the dangers named come from our own tables, but tell what the text was about.
    """
    kept = {name: detail[name] for name in ("reasons", "alternatives", "split", "similar") if name in detail}
    if "urgency_reasons" in detail:
        kept["urgency_reasons"] = []
    if jurisdiction := detail.get("jurisdiction"):
        labels = {name: jurisdiction[name] for name in ("level", "probability", "is_ours", "responsible")}
        kept["jurisdiction"] = labels | {"cues": [], "referral": ""}
    if completeness := detail.get("completeness"):
        slots = [{"name": slot["name"], "state": slot["state"], "found": []} for slot in completeness["slots"]]
        figures = {name: completeness[name] for name in ("is_complete", "probability_incomplete")}
        kept["completeness"] = figures | {"slots": slots, "question": ""}
    if explanation := detail.get("explanation"):
        others = explanation["others"] + sum(word["contribution"] for word in explanation["words"])
        scores = {name: explanation[name] for name in ("score", "base")}
        kept["explanation"] = scores | {"words": [], "others": others}
    return kept


def _clean_file(store: Store, *, rewrite: bool, up_to: float = float("inf")) -> bool:
    """Leave no removed word in an SQLite file, nor in the log beside it; False if somebody or the disk was in the way.

    Deleted bytes are overwritten, but where SQLite has moved rows between pages a copy may lie in the room between:
    only a rewritten file has none. It is rewritten if it has no more than `up_to` bytes.
    """
    with store.reading() as connection:
        if connection.dialect.name != "sqlite":
            return True
        # Neither statement works within a transaction, and SQLAlchemy would begin one.
        file: Any = connection.connection.driver_connection
        end = time.monotonic() + _PATIENCE_SECONDS
        try:
            size = file.execute("PRAGMA page_count").fetchone()[0] * file.execute("PRAGMA page_size").fetchone()[0]
            if rewrite and size <= up_to:
                file.execute("VACUUM")
            # SQLite waits for readers by itself, but gives up at once where another connection shortens the log.
            while is_busy := file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > end:
                    break
                time.sleep(_PAUSE_SECONDS)
        except sqlite3.OperationalError:
            return False
        return not is_busy


def _drop(store: Store, table: Table, old: ColumnElement[bool]) -> int:
    """Delete the rows of a table that are old, some at a time."""
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(old).limit(_TOGETHER)
    dropped = 0
    while True:
        with store.writing() as connection:
            count = connection.execute(delete(table).where(key.in_(some))).rowcount
        dropped += count
        if count < _TOGETHER:
            return dropped
