"""A triage over a real database file, its application in-process, and one real server process to share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from data.complaint import Complaint
from model.bundle import SECTOR, Bundle, load_bundle
from serving.app import create_app
from serving.store import Store, open_store
from serving.triage import Intake, Triage
from tests.serving.processes import Server

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
    opened = open_store(str(database))
    yield opened
    opened.close()


@pytest.fixture
def triage(bundle: Bundle, store: Store) -> Triage:
    return Triage(bundle, REGION, store)


@pytest.fixture
def client(triage: Triage) -> Iterator[TestClient]:
    """The whole service in-process; errors come back as answers, as they would over the wire."""
    app = create_app(triage)
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


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
