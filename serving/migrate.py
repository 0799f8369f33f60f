"""Brings a database's tables up to date with Alembic."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

_MIGRATIONS = Path(__file__).with_name("migrations")


class CannotMigrate(Exception):
    """A database whose tables this version of the program doesn't know."""


def migrate(engine: Engine) -> None:
    """Run the migrations that the database doesn't have yet, in one transaction."""
    if _is_up_to_date(engine):
        return
    # Alembic costs a start a third of a second, and is seldom needed.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise CannotMigrate(str(error)) from None


def _is_up_to_date(engine: Engine) -> bool:
    """Whether the database says that it has the latest migration; their files are named by revision, in order."""
    latest = max(path.name for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]
    try:
        with engine.execution_options(only_reads=True).connect() as connection:
            return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars()) == [latest]
    except DBAPIError:
        return False  # a new database; any other trouble shows again below
