"""The service as a process: what it refuses to start with, how it ends, and that no acknowledged case is ever lost."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.region import known_regions
from model.bundle import _checksum
from serving.database import open_store
from tests.serving.problems import problem_in
from tests.serving.processes import Server, run_disposisi


def refusal(*arguments: str | Path) -> str:
    """The one line with which the command refuses to start."""
    ended = run_disposisi("serve", *arguments)
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.startswith("Error: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


@pytest.fixture
def copied_bundle(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))


def change_a_byte(bundle: Path) -> None:
    weights = bundle / "sector.weights.npy"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)


def read_manifest(bundle: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def write_manifest(bundle: Path, manifest: dict[str, Any], *, signed: bool) -> None:
    checksum = {"checksum": _checksum(manifest)} if signed else {}
    (bundle / "manifest.json").write_text(json.dumps(manifest | checksum), encoding="utf-8")


def set_format(bundle: Path) -> None:
    write_manifest(bundle, read_manifest(bundle) | {"format": 99}, signed=True)


def make_sure(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    manifest["heads"]["sector"]["thresholds"] = {"kab-tangerang": 0.01}
    write_manifest(bundle, manifest, signed=False)


def make_surer_than_sure(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    manifest["heads"]["sector"]["thresholds"] = {"kab-tangerang": 1.5}
    write_manifest(bundle, manifest, signed=True)


def drop_checksum(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    del manifest["checksum"]
    write_manifest(bundle, manifest, signed=False)


def cut_manifest(bundle: Path) -> None:
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text()[:200])


def remove_file(bundle: Path) -> None:
    (bundle / "idf.npy").unlink()


@pytest.mark.parametrize("host", ["192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_refused(bundle_folder: Path, database: Path, host: str) -> None:
    said = refusal("--bundle", bundle_folder, "--database", database, "--host", host, "--port", "0")
    assert f"Can't listen on {host}" in said
    assert not database.exists()


def test_all_wrong_settings_are_told_at_once(bundle_folder: Path, database: Path) -> None:
    arguments = ("--bundle", bundle_folder, "--database", database, "--port", "70000", "--workers", "0")
    ended = run_disposisi("serve", *arguments)
    assert ended.returncode == 2
    assert "2 problems in the settings" in ended.stderr
    assert "--port" in ended.stderr
    assert "--workers" in ended.stderr


def test_a_port_in_use_is_refused(bundle_folder: Path, database: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal("--bundle", bundle_folder, "--database", database, "--port", str(port))
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said


def test_a_missing_bundle_stops_the_start_with_the_way_to_make_one(tmp_path: Path, database: Path) -> None:
    said = refusal("--bundle", tmp_path / "nowhere", "--database", database, "--port", "0")
    assert "nowhere" in said
    assert "disposisi train" in said


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (change_a_byte, "sector.weights.npy"),
        (set_format, "format 99"),
        (make_sure, "manifest"),
        (make_surer_than_sure, "thresholds of sector"),
        (drop_checksum, "checksum"),
        (cut_manifest, "manifest"),
        (remove_file, "idf.npy"),
    ],
)
def test_a_bundle_that_is_not_as_it_was_made_stops_the_start(
    copied_bundle: Path, database: Path, spoil: Callable[[Path], None], told: str
) -> None:
    spoil(copied_bundle)
    assert told in refusal("--bundle", copied_bundle, "--database", database, "--port", "0")
    assert not database.exists()


def test_an_unknown_region_stops_the_start_with_the_known_ones(bundle_folder: Path, database: Path) -> None:
    said = refusal("--bundle", bundle_folder, "--database", database, "--region", "bogor", "--port", "0")
    assert all(code in said for code in known_regions())


def test_a_database_that_is_none_stops_the_start(bundle_folder: Path, database: Path) -> None:
    database.write_text("This is a letter to the regent, not a database.\n" * 100, encoding="utf-8")
    assert "cases.db" in refusal("--bundle", bundle_folder, "--database", database, "--port", "0")


def test_a_database_in_memory_stops_the_start(bundle_folder: Path) -> None:
    said = refusal("--bundle", bundle_folder, "--database", "sqlite://", "--port", "0")
    assert "--database must be a file" in said


def test_a_manifest_that_was_signed_again_is_taken_at_its_word(copied_bundle: Path, database: Path) -> None:
    manifest = read_manifest(copied_bundle)
    manifest["heads"]["sector"]["thresholds"] = {"kab-tangerang": 0.01}
    write_manifest(copied_bundle, manifest, signed=True)
    with Server(copied_bundle, database) as server:
        assert server.get("/readyz").json()["model_version"] == _checksum(manifest)[:12]
        complaint = {"text": "Sampah menumpuk di pinggir kali Cirarab, baunya sampai ke rumah warga"}
        assert server.post("/v1/complaints", json=complaint).json()["status"] == "routed"


def test_a_database_that_lost_a_table_is_told_without_a_citizens_words(bundle_folder: Path, database: Path) -> None:
    with Server(bundle_folder, database) as server:
        cookie = server.sign_in()
        assert server.get("/readyz").status_code == 200
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("DROP TABLE cases")
        problem_in(server.get("/readyz"), 503)
        assert server.get("/livez").status_code == 200
        complaint = {"text": "got mampet kecapung7491", "title": "kecapung7491"}
        problem_in(server.post("/v1/complaints", json=complaint), 503)
        problem_in(server.get("/v1/cases/kecapung7491"), 503)
        for path in ("/antrean", "/antrean?lihat=diteruskan", "/kasus/kecapung7491"):
            page = server.get(path, cookies=cookie)
            assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    told = "".join(server.stderr)
    assert told.count("the database fails") == 5
    assert "OperationalError" in told
    assert "kecapung7491" not in told
    assert "[SQL" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize("host", ["localhost", "::1"])
def test_the_address_it_prints_is_one_that_answers(bundle_folder: Path, database: Path, host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    with Server(bundle_folder, database, "--host", host) as server:
        assert server.get("/livez").json() == {"status": "ok"}


def test_it_starts_for_another_region_than_the_bundles(bundle_folder: Path, database: Path) -> None:
    with Server(bundle_folder, database, "--region", "kota-surabaya") as server:
        assert server.get("/readyz").json()["region"] == "kota-surabaya"


def test_a_term_signal_ends_it_cleanly(bundle_folder: Path, database: Path) -> None:
    with Server(bundle_folder, database) as server:
        created = server.post("/v1/complaints", json={"text": "got mampet depan sekolah"})
        assert server.end(signal.SIGTERM) == 0
    assert "".join(server.stderr) == ""
    with closing(open_store(str(database))) as store:
        assert store.get(created.json()["id"]).complaint.text == "got mampet depan sekolah"


def test_a_request_under_way_is_answered_before_the_end(bundle_folder: Path, database: Path) -> None:
    complaints = [{"text": f"got mampet dan bau di gang nomor {number}"} for number in range(1000)]
    with Server(bundle_folder, database) as server:
        answers: list[httpx.Response] = []

        def ask() -> None:
            answers.append(server.post("/v1/predictions", json={"complaints": complaints}, timeout=60))

        asking = threading.Thread(target=ask)
        server.get("/livez")
        asking.start()
        asking.join(0.15)
        server.end(signal.SIGTERM)
        asking.join(60)
    assert [answer.status_code for answer in answers] == [200]
    assert len(answers[0].json()["predictions"]) == 1000


def test_the_serving_process_never_loads_scikit_learn(server: Server) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps")
    if not maps.exists():
        pytest.skip("no /proc here")
    complaint = {"text": "Sampah menumpuk di pinggir kali Cirarab"}
    case = server.post("/v1/complaints", json=complaint).json()
    cookie = server.sign_in()
    assert server.get(f"/kasus/{case['id']}", cookies=cookie).status_code == 200
    assert server.get("/antrean", cookies=cookie).status_code == 200
    loaded = set(_loaded_libraries(maps))
    assert any("numpy" in path for path in loaded)
    assert [path for path in loaded if re.search(r"/(sklearn|scipy|scikit_learn\.libs|scipy\.libs)/", path)] == []


def _loaded_libraries(maps: Path) -> Iterator[str]:
    for line in maps.read_text().splitlines():
        path = line.rpartition(" ")[2]
        if path.endswith(".so") or ".so." in path:
            yield path


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
