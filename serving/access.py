"""Who may do what: API keys, moderators and their sessions, over one store."""

from __future__ import annotations

from pwdlib import PasswordHash
from sqlalchemy import Connection, insert, select

from serving.caller import (
    BadAccess,
    Caller,
    Forbidden,
    NotAuthorised,
    OtherRegion,
    Scope,
    SlowDown,
    WrongPassword,
)
from serving.case import Clock, now
from serving.keys import KeyRecord, Keys
from serving.moderators import ModeratorRecord, Moderators, Session
from serving.passwords import BadPassword, make_password
from serving.store import Store
from serving.tables import moderators

__all__ = [
    "Access",
    "BadAccess",
    "BadPassword",
    "Caller",
    "Forbidden",
    "KeyRecord",
    "ModeratorRecord",
    "NotAuthorised",
    "OtherRegion",
    "Scope",
    "Session",
    "SlowDown",
    "WrongPassword",
]

FIRST_MODERATOR = "admin"
_FIRST_SCOPES = (Scope.REVIEW, Scope.DATA, Scope.ADMIN)


class Access(Keys, Moderators):
    """Keys, moderators and sessions in a store. Any thread may ask.

    `passwords` hashes them; a cheaper one than argon2's recommended costs is for tests.
    """

    def __init__(self, store: Store, *, clock: Clock = now, passwords: PasswordHash | None = None) -> None:
        Keys.__init__(self, store, clock)
        Moderators.__init__(self, store, clock, passwords or PasswordHash.recommended())

    def let_go(self, caller: str) -> None:
        """Whoever leaves holds no case any more."""
        self._store.release_all(caller)

    def first_start(self) -> str | None:
        """The one-time password of the new moderator `admin`, if there is no moderator yet; else None."""
        with self._store.reading() as connection:
            if not _is_empty(connection):
                return None
        password = make_password()
        row = self._moderator_row(FIRST_MODERATOR, _FIRST_SCOPES, "", password)
        with self._store.writing() as connection:
            # Another process may have been quicker.
            if not _is_empty(connection):
                return None
            connection.execute(insert(moderators), row)
        return password


def _is_empty(connection: Connection) -> bool:
    return connection.execute(select(moderators.c.name).limit(1)).first() is None
