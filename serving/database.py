"""Opens a database by file name or URL, with the settings that durability needs, and brings its tables up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, ExceptionContext, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from data.errors import DisposisiError
from serving.migrate import CannotMigrate, migrate
from serving.store import Store

_SQLITE, _POSTGRESQL = "sqlite", "postgresql"


class CannotOpen(DisposisiError):
    """A database that can't be opened or brought up to date."""


def open_store(database: str, *, must_exist: bool = False) -> Store:
    """Open a database by file name or SQLAlchemy URL, and bring its tables up to date.

    Raises `CannotOpen`, which never repeats a URL's password.
    """
    url = _url(database)
    name = url.database or "" if url.get_backend_name() == _SQLITE else url.render_as_string(hide_password=True)
    try:
        engine = _sqlite(url, must_exist) if url.get_backend_name() == _SQLITE else _postgresql(url)
        migrate(engine)
    except (SQLAlchemyError, ModuleNotFoundError, OSError, CannotMigrate) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise CannotOpen(f"Can't open the database {name}: {reason}.") from None
    return Store(engine, name)


def _url(database: str) -> URL:
    try:
        url = make_url(database if "://" in database else f"sqlite:///{database}")
    except (ArgumentError, ValueError):
        raise CannotOpen("--database is neither a file name nor a database URL such as sqlite:///cases.db.") from None
    if url.get_backend_name() not in (_SQLITE, _POSTGRESQL):
        raise CannotOpen(f"--database is a {url.get_backend_name()} URL; expected an SQLite file or postgresql://...")
    return url.set(drivername=f"{_POSTGRESQL}+psycopg") if url.drivername == _POSTGRESQL else url


def _sqlite(url: URL, must_exist: bool) -> Engine:
    if not url.database or ":memory:" in url.database or url.query:
        raise CannotOpen("--database must be a file: what a database in memory holds is lost at each stop.")
    path = Path(url.database)
    if must_exist and not path.is_file():
        raise CannotOpen(f"There is no database at {path}. Start one with: disposisi serve --database {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Complaints are for the service's own user only; the files SQLite puts beside take the same mode.
    path.touch(mode=0o600)
    engine = create_engine(url, hide_parameters=True)

    # A write-ahead log, synced at each commit; writing takes the lock at once, so that no transaction fails half-way.
    # What is deleted is overwritten, since it may be words that had to be forgotten.
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        wanted = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000", "secure_delete=ON")
        for pragma in wanted:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        reads = connection.get_execution_options().get("only_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    # A connection that was opened while the file was read-only stays so for ever; it is opened anew.
    @event.listens_for(engine, "handle_error")
    def _on_error(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
            context.is_disconnect = True

    return engine


def _postgresql(url: URL) -> Engine:
    """Commits wait for the disk whatever the server's default is; a lost connection is noticed before it is used."""
    options = "-c synchronous_commit=on -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"
    arguments = {"connect_timeout": 5, "options": options}
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments)
