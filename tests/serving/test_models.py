"""Models out of a registry: a start and every reload follow the alias, and no request is dropped on the way."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from data.errors import BundleError
from model.bundle import Bundle, _checksum, load_bundle
from model.registry import Registry
from serving.database import open_store
from serving.models import Models
from serving.triage import Triage
from tests.serving.processes import PATIENCE, Server, run_disposisi

REGION = "kab-tangerang"
WHY = "percobaan satu hari saja"
COMPLAINT = {"text": "lampu jalan mati di depan balai warga, gelap sekali kalau malam", "region": REGION}


@pytest.fixture
def registry(bundle_folder: Path, tmp_path: Path) -> Registry:
    """Version 1, the champion, and version 2, which says another day of training."""
    other = tmp_path / "other"
    shutil.copytree(bundle_folder, other)
    manifest = json.loads((other / "manifest.json").read_text(encoding="utf-8")) | {"created_at": "2031-01-01T00:00:00"}
    manifest["checksum"] = _checksum(manifest)
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    made = Registry(tmp_path / "registry")
    made.register(bundle_folder, "siti")
    made.promote("1", "siti", WHY)
    made.register(other, "siti")
    return made


@pytest.fixture
def triage(bundle: Bundle, tmp_path: Path) -> Iterator[Triage]:
    with closing(open_store(str(tmp_path / "cases.db"))) as store:
        yield Triage(bundle, REGION, store)


def version_of(registry: Registry, which: str) -> str:
    return load_bundle(registry.bundle_folder(which)).version


def test_a_reload_follows_the_champion(triage: Triage, registry: Registry) -> None:
    models = Models(triage, registry.folder)
    assert (models.reload().version, models.folder.name) == (version_of(registry, "1"), "1")
    registry.promote("2", "siti", WHY, override=WHY)
    assert (models.reload().version, models.folder.name) == (version_of(registry, "2"), "2")
    registry.rollback("siti", WHY)
    assert models.follow(lambda: models.source).version == version_of(registry, "1")


def test_the_champion_may_be_asked_for_by_name_and_is_followed_from_then_on(triage: Triage, registry: Registry) -> None:
    told: list[Path] = []
    models = Models(triage, Path(f"{registry.folder}@challenger"), tell=told.append)
    assert models.reload().version == version_of(registry, "2")
    assert models.reload("champion").version == version_of(registry, "1")
    assert told[-1] == registry.folder
    registry.promote("2", "siti", WHY, override=WHY)
    assert models.reload().version == version_of(registry, "2")


@pytest.mark.parametrize("name", ["challenger", "2", "1"])
def test_no_version_answers_past_the_gate(triage: Triage, registry: Registry, name: str) -> None:
    models = Models(triage, registry.folder)
    before = models.reload()
    with pytest.raises(BundleError, match="of a registry the champion answers"):
        models.reload(name)
    assert (models.bundle, models.source) == (before, registry.folder)


@pytest.mark.parametrize("name", ["3", "juara", "../registry", "..", "versions", ".lock"])
def test_a_name_that_the_registry_does_not_know_changes_nothing(triage: Triage, registry: Registry, name: str) -> None:
    models = Models(triage, registry.folder)
    before = models.reload()
    with pytest.raises(BundleError):
        models.reload(name)
    assert models.bundle is before
    assert models.reload().version == before.version


def test_a_registry_that_is_spoilt_meanwhile_goes_on_answering(triage: Triage, registry: Registry) -> None:
    models = Models(triage, registry.folder)
    before = models.reload()
    (registry.folder / "champion").write_text("9\n")
    with pytest.raises(BundleError, match="changed it by hand"):
        models.reload()
    assert models.bundle is before
    assert Models(triage, registry.folder).folder == registry.folder


def test_a_champion_that_somebody_wrote_by_hand_is_not_served(triage: Triage, registry: Registry) -> None:
    models = Models(triage, registry.folder)
    before = models.reload()
    (registry.folder / "champion").write_text("2\n")
    with pytest.raises(BundleError, match="write 1 into"):
        models.reload()
    assert models.bundle is before
    (registry.folder / "champion").write_text("1\n")
    assert models.reload().version == before.version


def test_promotion_and_rollback_reach_a_busy_server_without_a_dropped_request(
    registry: Registry, tmp_path: Path
) -> None:
    first, second = version_of(registry, "1"), version_of(registry, "2")
    with Server(registry.folder, tmp_path / "load.db", "--workers", "2") as server, ExitStack() as stack:
        stop, answers = Event(), []

        def ask() -> None:
            with server.client() as client:
                client.timeout = httpx.Timeout(60)
                while not stop.is_set():
                    answers.append(client.post("/v1/complaints", json=COMPLAINT))

        def wait_for(version: str) -> None:
            until = time.monotonic() + PATIENCE
            while {answer.json()["model_version"] for answer in answers[-8:]} != {version}:
                assert time.monotonic() < until, f"{version} never answers alone"
                time.sleep(0.05)

        askers = [Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
            stack.callback(asker.join, 60)
        stack.callback(stop.set)
        wait_for(first)
        registry.promote("2", "siti", WHY, override=WHY)
        server.process.send_signal(signal.SIGHUP)
        wait_for(second)
        done = run_disposisi("models", "rollback", "--registry", registry.folder, "--by", "siti", "--reason", WHY)
        assert done.returncode == 0, done.stderr
        assert server.post("/v1/models/reload", json={}, timeout=60).json()["folder"] == "1"
        wait_for(first)
        stop.set()
        for asker in askers:
            asker.join(60)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == len(answers)


def test_a_registry_without_a_champion_ends_the_start_with_one_line(bundle_folder: Path, tmp_path: Path) -> None:
    made = Registry(tmp_path / "registry")
    made.register(bundle_folder, "siti")
    done = run_disposisi("serve", "--bundle", made.folder, "--database", tmp_path / "x.db", "--port", "0")
    assert done.returncode == 2
    assert "has no champion yet" in done.stderr
