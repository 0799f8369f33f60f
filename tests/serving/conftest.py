"""A triage over a real database, its application in-process, a real PostgreSQL, and a real server process to share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from data.complaint import Complaint
from model.bundle import SECTOR, Bundle, load_bundle
from serving.access import Access, Scope
from serving.api import Service
from serving.app import create_app
from serving.database import open_store
from serving.settings import Settings
from serving.store import Store
from serving.triage import Intake, Triage
from tests.serving.clients import quick_access, service_of, sign_in
from tests.serving.processes import Server, running_postgresql

REGION = "kab-tangerang"
EARLIER = "Perahu penyeberangan kecapung di kali Cirarab bocor dan talinya hampir putus"


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    """The sample corpus's bundle, which lets every case wait for a person."""
    return _with_thresholds(load_bundle(bundle_folder), {})


@pytest.fixture(scope="session")
def bold_bundle(bundle: Bundle) -> Bundle:
    """The same bundle, but sure of all that it reads in its own region; of others it has proven nothing."""
    return _with_thresholds(bundle, {REGION: 0.0})


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "cases.db"


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    with closing(open_store(str(database))) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL's own database, beside which tests make theirs."""
    with running_postgresql() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql: str, tmp_path: Path) -> str:
    """An empty database of a real PostgreSQL."""
    name = "d_" + "".join(c for c in tmp_path.name.lower() if c.isalnum())[-50:]
    engine = create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return postgresql.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> str:
    """A database file, and then an empty database of PostgreSQL."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("database"))
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def any_store(any_database: str) -> Iterator[Store]:
    """A store in SQLite, and then one in PostgreSQL."""
    with closing(open_store(any_database)) as opened:
        yield opened


@pytest.fixture
def triage(bundle: Bundle, store: Store) -> Triage:
    return Triage(bundle, REGION, store)


@pytest.fixture
def access(store: Store) -> Access:
    return quick_access(store)


@pytest.fixture
def service(triage: Triage, bundle_folder: Path) -> Service:
    return service_of(triage, bundle_folder)


@pytest.fixture
def app(service: Service, access: Access) -> FastAPI:
    return create_app(service, access, Settings())


@pytest.fixture
def key(access: Access) -> str:
    """The token of a key that may do everything everywhere."""
    return access.create_key("uji", [scope.value for scope in Scope])[1]


@pytest.fixture
def anonymous_client(app: FastAPI) -> Iterator[TestClient]:
    """The whole service in-process for somebody unknown; errors come back as answers, as they would over the wire."""
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def client(anonymous_client: TestClient, access: Access, key: str) -> TestClient:
    """The same for a moderator who has signed in, and who sends a key that may do everything."""
    anonymous_client.cookies.set("disposisi", sign_in(access))
    anonymous_client.headers["Authorization"] = f"Bearer {key}"
    return anonymous_client


@pytest.fixture(scope="session")
def server(bundle: Bundle, bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server process that tests share; none of them may count on its queue. `EARLIER` is older than the process."""
    database = tmp_path_factory.mktemp("server") / "cases.db"
    with closing(open_store(str(database))) as store:
        Triage(bundle, REGION, store).receive(Intake(Complaint(EARLIER), datetime(2024, 5, 6, tzinfo=UTC)))
    with Server(bundle_folder, database) as running:
        yield running


def _with_thresholds(bundle: Bundle, thresholds: Mapping[str, float]) -> Bundle:
    return replace(bundle, heads=bundle.heads | {SECTOR: replace(bundle.heads[SECTOR], thresholds=thresholds)})
