"""Moderators: their passwords, and the sessions of those who are signed in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from math import ceil
from typing import Any

from pwdlib import PasswordHash
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from data.errors import UnknownName
from serving.caller import BadAccess, Caller, Scope, SlowDown, WrongPassword, parse_region, parse_scopes
from serving.case import Clock
from serving.passwords import LONGEST_WAIT, BadPassword, make_password, password_bytes, password_problems, wait_after
from serving.store import Store
from serving.tables import moderators, sessions

IDLE_SESSION, LONGEST_SESSION = timedelta(hours=8), timedelta(hours=24)
USE_IS_NOTED_AFTER = timedelta(minutes=1)
MODERATOR_NAME = re.compile(r"[a-z][a-z0-9._-]{1,39}")
_NOBODY = ""
_MOST_STRANGERS = 1_024


@dataclass(frozen=True)
class ModeratorRecord:
    """What is known of a moderator, without the password."""

    name: str
    scopes: frozenset[Scope]
    region: str
    created_at: datetime
    must_change: bool
    disabled_at: datetime | None


@dataclass(frozen=True)
class Session:
    """A signed-in browser. `csrf` is what each of its forms must hold."""

    caller: Caller
    csrf: str
    must_change: bool

    @property
    def name(self) -> str:
        """The moderator's own name."""
        return self.caller.name.removeprefix("moderator:")


class Moderators:
    """The moderators and sessions in a store. Passwords are kept as argon2 hashes, tokens as SHA-256."""

    def __init__(self, store: Store, clock: Clock, passwords: PasswordHash) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        # Failures of names that nobody has. They must wait as well, or the waiting would tell which names exist.
        self._strangers: dict[str, tuple[int, datetime]] = {}

    def create_moderator(self, name: str, scopes: Iterable[str], region: str = "") -> str:
        """A new moderator's one-time password, to be changed at the first sign-in. `BadAccess` or `UnknownName`."""
        if not MODERATOR_NAME.fullmatch(name):
            raise BadAccess(f"A moderator's name is 2 to 40 of a-z, 0-9, '.', '_', '-', a letter first; not {name!r}.")
        password = make_password()
        row = self._moderator_row(name, scopes, region, password)
        try:
            with self._store.writing() as connection:
                connection.execute(insert(moderators), row)
        except IntegrityError:
            raise BadAccess(f"There is a moderator {name!r} already. Reset the password to get a new one.") from None
        return password

    def list_moderators(self) -> list[ModeratorRecord]:
        """Every moderator by name, disabled ones too."""
        with self._store.reading() as connection:
            found = connection.execute(select(moderators).order_by(moderators.c.name)).all()
        return [
            ModeratorRecord(r.name, parse_scopes(r.scopes), r.region, r.created_at, r.must_change, r.disabled_at)
            for r in found
        ]

    def disable_moderator(self, name: str) -> None:
        """Shut a moderator out at once. Resetting the password lets them in again."""
        with self._store.writing() as connection:
            _change(connection, name, disabled_at=self._clock())

    def reset_password(self, name: str) -> str:
        """A new one-time password for a moderator, who is signed out everywhere and no longer disabled or waiting."""
        password = make_password()
        changed = {"password_hash": self._passwords.hash(password), "must_change": True, "disabled_at": None}
        with self._store.writing() as connection:
            _change(connection, name, **changed, failures=0, locked_until=None)
        return password

    def change_password(self, name: str, current: str, new: str) -> str:
        """Set a moderator's own password; gives the token of a new session, the only one left.

        Raises `BadPassword` with every problem, `WrongPassword` or `SlowDown`.
        """
        problems = password_problems(name, new, current)
        if problems:
            raise BadPassword(problems)
        known_hash = self._verify(name, current)
        new_hash = self._passwords.hash(password_bytes(new))
        with self._store.writing() as connection:
            _settle(connection, name, known_hash)
            _change(connection, name, password_hash=new_hash, must_change=False)
            return _open_session(connection, name, self._clock())

    def sign_in(self, name: str, password: str) -> str:
        """The token of a new session; raises `WrongPassword` or, without looking at the password, `SlowDown`."""
        name = name.strip().lower()
        known_hash = self._verify(name, password)
        with self._store.writing() as connection:
            _settle(connection, name, known_hash)
            return _open_session(connection, name, self._clock())

    def sign_out(self, token: str) -> None:
        """End a session; harmless if there is none."""
        with self._store.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.token_hash == _hashed(token)))

    def session(self, token: str) -> Session | None:
        """The session of a token, unless it has run out or its moderator is disabled."""
        at, hashed = self._clock(), _hashed(token)
        query = (
            select(sessions, moderators.c.scopes, moderators.c.region, moderators.c.must_change)
            .join(moderators, moderators.c.name == sessions.c.moderator)
            .where(sessions.c.token_hash == hashed, ~_run_out(at), moderators.c.disabled_at.is_(None))
        )
        with self._store.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        if at - row.used_at >= USE_IS_NOTED_AFTER:
            with self._store.writing() as connection:
                connection.execute(update(sessions).where(sessions.c.token_hash == hashed).values(used_at=at))
        caller = Caller(f"moderator:{row.moderator}", parse_scopes(row.scopes), row.region)
        return Session(caller, row.csrf, row.must_change)

    @cached_property
    def _decoy(self) -> str:
        """The hash that passwords of unknown names are held against."""
        return self._passwords.hash(secrets.token_bytes(16))

    def _verify(self, name: str, password: str) -> str:
        """The hash that the password was found right for."""
        decoy = self._decoy
        name = name if MODERATOR_NAME.fullmatch(name) else _NOBODY
        self._count_try(name)
        with self._store.reading() as connection:
            row = connection.execute(select(moderators).where(moderators.c.name == name)).first()
        is_right = self._passwords.verify(password_bytes(password), row.password_hash if row else decoy)
        if row is None or not is_right or row.disabled_at is not None:
            raise WrongPassword(_WRONG)
        return str(row.password_hash)

    def _count_try(self, name: str) -> None:
        """Count a try as failed before its password is looked at, so that many at once can't outrun the wait."""
        at = self._clock()
        with self._store.writing() as connection:
            row = connection.execute(select(moderators).where(moderators.c.name == name)).first()
            failures, until = (row.failures, row.locked_until) if row else self._strangers.get(name, (0, None))
            # A wait that is longer than any comes from a clock that has been set back since.
            if until is not None and timedelta() < until - at <= LONGEST_WAIT:
                raise SlowDown(ceil((until - at).total_seconds()))
            failures, until = failures + 1, at + wait_after(failures + 1)
            if row:
                counted = update(moderators).where(moderators.c.name == name)
                connection.execute(counted.values(failures=failures, locked_until=until))
            else:
                self._strangers[name] = (failures, until)
                if len(self._strangers) > _MOST_STRANGERS:
                    del self._strangers[next(iter(self._strangers))]

    def _moderator_row(self, name: str, scopes: Iterable[str], region: str, password: str) -> dict[str, Any]:
        return {
            "name": name,
            "password_hash": self._passwords.hash(password),
            "scopes": sorted(parse_scopes(scopes)),
            "region": parse_region(region),
            "created_at": self._clock(),
            "must_change": True,
        }


_WRONG = "The name or the password is wrong."


def _settle(connection: Connection, name: str, known_hash: str) -> None:
    """A right password: nothing has failed. It is wrong after all if the moderator was changed while it was checked."""
    settled = update(moderators).where(
        moderators.c.name == name, moderators.c.password_hash == known_hash, moderators.c.disabled_at.is_(None)
    )
    if connection.execute(settled.values(failures=0, locked_until=None)).rowcount != 1:
        raise WrongPassword(_WRONG)


def _open_session(connection: Connection, name: str, at: datetime) -> str:
    token = secrets.token_urlsafe(32)
    connection.execute(delete(sessions).where(sessions.c.moderator == name, _run_out(at)))
    row = {"token_hash": _hashed(token), "moderator": name, "csrf": secrets.token_urlsafe(32)}
    connection.execute(insert(sessions), {**row, "created_at": at, "used_at": at})
    return token


def _change(connection: Connection, name: str, **values: Any) -> None:
    """Change a moderator and end all of their sessions."""
    if connection.execute(update(moderators).where(moderators.c.name == name).values(**values)).rowcount != 1:
        known = connection.execute(select(moderators.c.name).order_by(moderators.c.name)).scalars()
        raise UnknownName("moderator", name, known)
    connection.execute(delete(sessions).where(sessions.c.moderator == name))


def _run_out(at: datetime) -> Any:
    return (sessions.c.used_at <= at - IDLE_SESSION) | (sessions.c.created_at <= at - LONGEST_SESSION)


def _hashed(token: str) -> str:
    return sha256(token.encode("utf-8", "replace")).hexdigest()
