"""The service told to stop amid its work: what it has kept it answers, and then it ends as it should."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.crash.harness import FAST, TEXTS, a_moment, at_length, children, loaded, read_findings, require_all_kept
from tests.serving.processes import PATIENCE, Server


@pytest.mark.parametrize("workers", [pytest.param(1, marks=at_length), 2])
def test_told_to_stop_amid_its_work_it_answers_all_that_it_keeps(
    bundle_folder: Path, tmp_path: Path, workers: int
) -> None:
    database = str(tmp_path / "cases.db")
    with loaded(database) as load:
        with Server(bundle_folder, database, "--workers", str(workers), environment=FAST) as server:
            load.aim(server)
            load.wait_for_more(20)
            a_moment()
            load.aim(None)
            assert server.end(signal.SIGTERM) == 0
        load.rest()
        # Whoever got no answer was not heard: a case that was kept without a word would be here.
        found = read_findings(database, load)
        assert found.is_whole, found
        assert found.unasked == 0, found
        with Server(bundle_folder, database, environment=FAST) as server:
            load.aim(server)
            load.finish()
        require_all_kept(database, load, f"SIGTERM to {workers} under load")


@pytest.mark.parametrize("workers", [pytest.param(1, marks=at_length), 2])
def test_told_to_stop_it_refuses_whoever_comes_new_while_it_ends_its_work(
    bundle_folder: Path, tmp_path: Path, workers: int
) -> None:
    body = json.dumps({"text": TEXTS[0]}).encode()
    with Server(bundle_folder, tmp_path / "cases.db", "--workers", str(workers), environment=FAST) as server:
        address = (str(urlsplit(server.url).hostname), urlsplit(server.url).port or 0)
        with socket.create_connection(address, PATIENCE) as asking:
            head = f"POST /v1/complaints HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
            asking.sendall(head.encode())
            assert asking.recv(1000).startswith(b"HTTP/1.1 100 ")  # so it is under way, and waits for its body
            server.process.send_signal(signal.SIGTERM)
            refused, until = False, time.monotonic() + 8
            while not refused and time.monotonic() < until:
                try:
                    socket.create_connection(address, 1).close()
                except ConnectionRefusedError:
                    refused = server.process.poll() is None
                time.sleep(0.01)
            asking.sendall(body)
            answer = asking.recv(1000)
        assert server.end(signal.SIGCONT) == 0
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert refused


def test_told_to_stop_while_a_dead_worker_is_replaced_it_ends_all_the_same(bundle_folder: Path, tmp_path: Path) -> None:
    with Server(bundle_folder, tmp_path / "cases.db", "--workers", "2", environment=FAST) as server:
        httpx.get(f"{server.url}/livez", timeout=60)
        workers = children(server.process.pid)
        os.kill(workers[0], signal.SIGKILL)
        until = time.monotonic() + PATIENCE
        while not any("worker died" in line for line in server.stderr):
            assert time.monotonic() < until
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


def test_told_to_stop_while_its_workers_start_it_ends_all_the_same(bundle_folder: Path, tmp_path: Path) -> None:
    # Once the second worker exists it has some way to go before it can listen to signals of its own.
    with Server(bundle_folder, tmp_path / "cases.db", "--workers", "2", environment=FAST) as server:
        until = time.monotonic() + PATIENCE
        while len(started := children(server.process.pid)) < 2:
            assert time.monotonic() < until
            time.sleep(0.001)
        server.process.send_signal(signal.SIGTERM)
        try:
            assert server.process.wait(30) == 0
        finally:
            for worker in started:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
