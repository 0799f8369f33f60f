"""A database that can't be written for a while: told at once and honestly, nothing kept in part, then all goes on."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from serving.database import open_store
from serving.writer import Writer
from tests.crash.harness import FAST, Load, at_length, complaint, loaded, require_all_kept
from tests.serving.problems import problem_in
from tests.serving.processes import PATIENCE, Server, run_disposisi

# SQLite waits ten seconds for a lock: whoever comes amid another's wait has two of them before an answer.
ANSWERED_WITHIN = 30.0
Cause = Callable[[Server, Path], AbstractContextManager[None]]


@contextmanager
def _immutable(*paths: Path) -> Iterator[None]:
    """Nobody may change these, not even root; skipped where that isn't permitted."""
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", *paths], capture_output=True).returncode:
        pytest.skip("nothing can be made immutable here (chattr +i)")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *paths], check=True)


@contextmanager
def no_file_may_grow(server: Server, database: Path) -> Iterator[None]:
    """A limit on the running process, under which each write to a file fails."""
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, before[1]))
    yield
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def files_are_immutable(server: Server, database: Path) -> Iterator[None]:
    """Read-only, and for who has them open, too."""
    with _immutable(database, Path(f"{database}-wal")):
        yield


@contextmanager
def another_holds_the_lock(server: Server, database: Path) -> Iterator[None]:
    """A transaction of another process that takes longer than SQLite waits."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB, as SQLite lets its log grow to 4; skipped where nothing may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def disk_is_full(server: Server, database: Path) -> Iterator[None]:
    """Something else takes all that is left of the disk."""
    filler = database.with_name("filler")
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    yield
    filler.unlink()


@pytest.mark.parametrize(
    "cause",
    [
        no_file_may_grow,
        *(pytest.param(long, marks=at_length) for long in (files_are_immutable, another_holds_the_lock)),
    ],
)
def test_what_cannot_be_kept_is_refused_and_goes_on_once_it_can(
    bundle_folder: Path, tmp_path: Path, cause: Cause
) -> None:
    _require_recovery(bundle_folder, tmp_path / "cases.db", cause)


@at_length
def test_a_full_disk_refuses_what_cannot_be_kept_and_goes_on_once_there_is_room(
    bundle_folder: Path, small_disk: Path
) -> None:
    _require_recovery(bundle_folder, small_disk / "cases.db", disk_is_full)


def test_a_database_in_a_folder_that_is_read_only_stops_the_start(bundle_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "read_only"
    folder.mkdir()
    with _immutable(folder):
        ended = run_disposisi("serve", "--bundle", bundle_folder, "--database", folder / "cases.db", "--port", "0")
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("Error: Can't open the database")
    assert ended.stderr.count("\n") == 1


def _require_recovery(bundle: Path, database: Path, cause: Cause) -> None:
    with loaded(str(database)) as load, Server(bundle, database, environment=FAST) as server:
        load.aim(server)
        load.wait_for_more(10)
        # A key that was never asked about can't be checked without the database.
        httpx.get(f"{server.url}/v1/cases", headers=server.headers, timeout=60)
        with cause(server, database):
            _require_refusals(server, load)
        # A connection that was opened meanwhile mustn't stay as it was opened.
        load.wait_for_more(20)
        refused = load.refused
        load.wait_for_more(20)
        assert load.refused == refused
        load.finish()
        assert server.end(signal.SIGTERM) == 0
        require_all_kept(str(database), load, cause.__name__)


def _require_refusals(server: Server, load: Load) -> None:
    """Everything that writes is refused soon, though many ask at once; what only reads is answered."""
    a_case = next(iter(load.acknowledged.values()))
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=300) as client:

        def post(number: int) -> tuple[httpx.Response, float]:
            started = time.monotonic()
            headers, body = complaint(-1 - number)
            # Two of them are moderators.
            path, body = (f"/v1/reviews/{a_case}/claim", {}) if number >= 6 else ("/v1/complaints", body)
            return client.post(path, headers=headers, json=body or None), time.monotonic() - started

        with ThreadPoolExecutor(16) as pool:
            posted = [pool.submit(post, number) for number in range(8)]
            read = [pool.submit(client.get, f"/v1/cases/{a_case}", timeout=20) for _ in range(16)]
            assert client.get("/livez", timeout=20).status_code == 200
            predicted = client.post("/v1/predictions", json={"complaints": [{"text": "got mampet"}]}, timeout=20)
            assert predicted.status_code == 200
            assert [each.result().json().get("id") for each in read] == [a_case] * 16
        for each in posted:
            answer, seconds = each.result()
            problem_in(answer, 503)
            assert int(answer.headers["retry-after"]) >= 1
            assert seconds < ANSWERED_WITHIN


def test_a_connection_opened_while_the_file_was_read_only_is_not_kept_for_ever(tmp_path: Path) -> None:
    database = tmp_path / "cases.db"
    with closing(open_store(str(database))) as store:
        with _immutable(database, Path(f"{database}-wal")), ExitStack() as readers:
            for _ in range(4):
                readers.enter_context(store.reading()).execute(text("SELECT count(*) FROM cases"))
        failures = 0
        for _ in range(12):
            try:
                with store.writing() as connection:
                    connection.execute(
                        text("INSERT INTO audit (happened_at, actor, action, detail) VALUES (0, '', '', '{}')")
                    )
            except OperationalError:
                failures += 1
    assert failures <= 4


def test_a_group_that_the_database_refuses_is_not_tried_one_by_one() -> None:
    groups: list[int] = []
    may_begin = threading.Event()

    def keep(group: Sequence[int]) -> list[int | Exception]:
        may_begin.wait(PATIENCE)
        groups.append(len(group))
        raise OperationalError("BEGIN IMMEDIATE", None, sqlite3.OperationalError("database is locked"))

    with closing(Writer(keep, most_waiting=100)) as writer:
        futures = [writer.submit(number) for number in range(20)]
        may_begin.set()
        assert all(isinstance(future.exception(PATIENCE), OperationalError) for future in futures)
    # Whichever came while the first was at its turn are one group.
    assert len(groups) <= 2
