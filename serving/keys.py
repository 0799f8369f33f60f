"""API keys: made, listed, revoked, and checked from memory so that a request hardly pays for it."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock

from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from data.errors import UnknownName
from serving.caller import BadAccess, Caller, NotAuthorised, Scope, parse_region, parse_scopes
from serving.case import Clock
from serving.store import Store
from serving.tables import keys

# A key that was checked is good for so long. One request renews it a little earlier, and the others go on meanwhile.
GOOD_FOR, RENEWED_AFTER = timedelta(seconds=5), timedelta(seconds=4)
# While the database is away, keys that were checked so long ago go on working.
OUTLASTS_DATABASE = timedelta(minutes=10)
_MOST_REMEMBERED = 1_024
_TOKEN = re.compile(r"dsp_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
LONGEST_KEY_NAME = 80


@dataclass(frozen=True)
class KeyRecord:
    """What is known of an API key, without its secret."""

    id: str
    name: str
    scopes: frozenset[Scope]
    region: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass
class _Remembered:
    """A key's caller in memory: when the database confirmed it, when to ask again and when it may no longer be used."""

    caller: Caller
    checked_at: datetime
    renew_at: datetime
    good_until: datetime
    being_renewed: bool = False


class Keys:
    """The API keys in a store. A token is `dsp_<id>_<secret>`; only the SHA-256 of the secret is kept."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._remembered: dict[bytes, _Remembered] = {}
        self._remembering = Lock()
        self._revocations = 0

    def create_key(self, name: str, scopes: Iterable[str], region: str = "") -> tuple[KeyRecord, str]:
        """A new key with its token, which nobody can read again. `BadAccess` or `UnknownName` if it can't be."""
        if not 1 <= len(name) <= LONGEST_KEY_NAME or not name.isprintable():
            raise BadAccess(f"A key's name says whose it is in 1 to {LONGEST_KEY_NAME} characters; not {name!r}.")
        record = KeyRecord(secrets.token_hex(4), name, parse_scopes(scopes), parse_region(region), self._clock(), None)
        secret = secrets.token_urlsafe(32)
        row = {**vars(record), "scopes": sorted(record.scopes), "secret_hash": sha256(secret.encode()).hexdigest()}
        with self._store.writing() as connection:
            connection.execute(insert(keys), row)
        return record, f"dsp_{record.id}_{secret}"

    def list_keys(self) -> list[KeyRecord]:
        """Every key, the oldest first, revoked ones too."""
        with self._store.reading() as connection:
            found = connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id)).all()
        return [KeyRecord(r.id, r.name, parse_scopes(r.scopes), r.region, r.created_at, r.revoked_at) for r in found]

    def revoke_key(self, key_id: str) -> None:
        """End a key: here at once, in other processes within `GOOD_FOR`. Harmless if it is revoked already."""
        revoked = update(keys).where(keys.c.id == key_id, keys.c.revoked_at.is_(None)).values(revoked_at=self._clock())
        with self._store.writing() as connection:
            known = list(connection.execute(select(keys.c.id).order_by(keys.c.id)).scalars())
            if key_id not in known:
                raise UnknownName("key", key_id, known)
            connection.execute(revoked)
        with self._remembering:
            self._revocations += 1
            for digest, entry in list(self._remembered.items()):
                if entry.caller.name == f"key:{key_id}":
                    del self._remembered[digest]

    def known_key(self, token: str) -> Caller | None:
        """The token's caller, if it was checked a moment ago. Memory only, so fit for the event loop.

        None asks for `check_key`, of one caller a little before the others would have to wait for it.
        """
        entry = self._remembered.get(_digest(token))
        if entry is None:
            return None
        at = self._clock()
        if not entry.checked_at <= at < entry.good_until:
            return None
        if at >= entry.renew_at and not entry.being_renewed:
            entry.being_renewed = True
            return None
        return entry.caller

    def check_key(self, token: str) -> Caller:
        """The token's caller, from the database unless it was asked a moment ago; raises `NotAuthorised`.

        While the database can't be reached, a key that it confirmed within `OUTLASTS_DATABASE` goes on working; for
        any other its error is raised.
        """
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            raise NotAuthorised("This is no key: one looks like dsp_ab12cd34_ and 43 letters, digits, - or _.")
        digest, at = _digest(token), self._clock()
        with self._remembering:
            entry, revocations = self._remembered.get(digest), self._revocations
        if entry is not None and entry.checked_at <= at < entry.renew_at:
            return entry.caller
        try:
            caller = self._find(parts[1], parts[2])
        except SQLAlchemyError:
            if entry is None or not entry.checked_at <= at < entry.checked_at + OUTLASTS_DATABASE:
                raise
            # For a moment nobody asks again: it may take long until asking fails.
            failed_at = self._clock()
            entry.renew_at, entry.good_until = failed_at + RENEWED_AFTER, failed_at + GOOD_FOR
            entry.being_renewed = False
            return entry.caller
        with self._remembering:
            self._remembered.pop(digest, None)
            # What was read before a revocation here may be older than it.
            if caller is not None and revocations == self._revocations:
                self._remembered[digest] = _Remembered(caller, at, at + RENEWED_AFTER, at + GOOD_FOR)
                if len(self._remembered) > _MOST_REMEMBERED:
                    del self._remembered[next(iter(self._remembered))]
        if caller is None:
            raise NotAuthorised("This key isn't known, or it was revoked.")
        return caller

    def _find(self, key_id: str, secret: str) -> Caller | None:
        with self._store.reading() as connection:
            row = connection.execute(select(keys).where(keys.c.id == key_id)).first()
        # Held against something even if no key has this id, so that the time taken tells nothing.
        is_right = hmac.compare_digest(row.secret_hash if row else "0" * 64, sha256(secret.encode()).hexdigest())
        if row is None or not is_right or row.revoked_at is not None:
            return None
        return Caller(f"key:{row.id}", parse_scopes(row.scopes), row.region)


def _digest(token: str) -> bytes:
    """Names a token in memory without keeping it there."""
    return sha256(token.encode("utf-8", "replace")).digest()
