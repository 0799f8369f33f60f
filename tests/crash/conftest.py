"""A PostgreSQL of our own, which may be killed, and empty databases to be crashed upon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.serving.processes import running_postgresql


@pytest.fixture(scope="session")
def mortal_postgresql() -> Iterator[Callable[[], str]]:
    """Makes an empty database in a PostgreSQL that no other tests use, and gives its URL."""
    numbers = count()
    with running_postgresql() as url:

        def make() -> str:
            name = f"crash_{next(numbers)}"
            engine = create_engine(url, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            engine.dispose()
            return url.replace("/postgres?", f"/{name}?")

        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def crash_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty SQLite file, and then an empty database of PostgreSQL."""
    if request.param == "sqlite":
        return str(tmp_path / "cases.db")
    return str(request.getfixturevalue("mortal_postgresql")())
