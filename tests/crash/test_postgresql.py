"""PostgreSQL killed under a service that stays up: answers that say so, and no complaint lost once it is back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.crash.harness import (
    FAST,
    a_moment,
    complaint,
    kill_postgresql,
    loaded,
    require_all_kept,
    restart_postgresql,
    rounds,
)
from tests.serving.problems import problem_in
from tests.serving.processes import PATIENCE, Server


def test_the_service_outlives_a_killed_postgresql(bundle_folder: Path, mortal_postgresql: Callable[[], str]) -> None:
    database, times = mortal_postgresql(), rounds(1, of_a_hundred=20)
    with loaded(database) as load, Server(bundle_folder, database, environment=FAST) as server:
        # A new connection each time: the service closes those that were idle while PostgreSQL started.
        fresh = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=server.url, headers=load.headers, limits=fresh, timeout=60) as client:
            for turn in range(times):
                load.aim(server)
                load.wait_for_more(10)
                a_moment()
                kill_postgresql(database)
                _require_honest_answers(client, -1 - turn)
                restart_postgresql(database)
                until = time.monotonic() + PATIENCE
                while client.get("/readyz").status_code != 200:
                    assert time.monotonic() < until, "the service doesn't find PostgreSQL again"
                    time.sleep(0.05)
                load.wait_for_more()
        load.finish()
        assert server.end(signal.SIGTERM) == 0
        require_all_kept(database, load, f"{times} kills of PostgreSQL")


def _require_honest_answers(client: httpx.Client, number: int) -> None:
    headers, body = complaint(number)
    refused = client.post("/v1/complaints", headers=headers, json=body)
    problem_in(refused, 503)
    assert int(refused.headers["retry-after"]) >= 1
    unready = client.get("/readyz")
    problem_in(unready, 503)
    assert int(unready.headers["retry-after"]) >= 1
    assert client.get("/livez").status_code == 200
    predicted = client.post("/v1/predictions", json={"complaints": [{"text": body["text"]}]})
    assert predicted.status_code == 200
    assert predicted.json()["predictions"]
