"""A server process to measure, and the client that asks it: raw sockets, HTTP/1.1, connections kept alive.

`python -m benchmarks.load` is the client alone, in a process of its own on the other core, so that it isn't the limit.
It reads one `Job` as JSON from standard input and writes one `Window` as a line of JSON each.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
SERVER_CORE, CLIENT_CORE = 0, 1
PATIENCE = 180.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Job:
    """What to ask: POSTs of `bodies` in turn over so many connections, for so many windows of so many seconds.

    `rate` is in requests a second over all connections; 0 is as fast as they are answered. With a rate, the time of an
    answer counts from when its request was due, so that a server that lags can't hide it.
    """

    port: int
    path: str
    headers: dict[str, str]
    bodies: list[str]
    connections: int
    seconds: float
    windows: int = 1
    rate: float = 0.0
    warm_seconds: float = 0.0


@dataclass(frozen=True)
class Window:
    """What was answered in one window: requests a second, milliseconds, and how many of each status."""

    per_second: float
    p50: float
    p99: float
    worst: float
    statuses: dict[str, int]

    @property
    def failed(self) -> int:
        """Answers other than 2xx, and connections that were lost."""
        return sum(count for status, count in self.statuses.items() if not status.startswith("2"))


def ask(job: Job) -> Iterator[Window]:
    """Do a job in a client process on its own core; gives each window as it ends."""
    command = [sys.executable, "-m", "benchmarks.load"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes, preexec_fn=lambda: _pin(CLIENT_CORE)) as client:
        try:
            client.stdin.write(json.dumps(asdict(job)))
            client.stdin.close()
            for line in client.stdout:
                yield Window(**json.loads(line))
        finally:
            client.terminate()


def measure(job: Job) -> Window:
    """The one window of a job."""
    (window,) = ask(job)
    return window


@contextmanager
def started(
    command: Sequence[str | Path], port: int, *, environment: Mapping[str, str] | None = None, folder: Path = ROOT,
    core: int | None = SERVER_CORE, path: str = "/",
) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    """A server process on one core (None: on any), once it answers; ended with the block, with its children."""
    with Path(os.environ.get("BENCHMARK_LOG", os.devnull)).open("ab") as output:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=folder,
            env=os.environ | dict(environment or {}),
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=None if core is None else lambda: _pin(core),
        )
    try:
        _wait_for(port, path, process)
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        # It is the leader of its own group: what it has left behind ends too.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a path is answered with anything below 500; raises if the process ends before."""
    ends = time.perf_counter() + PATIENCE
    while time.perf_counter() < ends:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status < 500:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.005)
    raise RuntimeError("the server doesn't answer")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def memory_of(pid: int) -> tuple[float, float]:
    """Resident and proportional megabytes of a process and its children, added up."""
    resident = proportional = 0.0
    for each in _family(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {line.split(":")[0]: int(line.split()[1]) / 1000 for line in rollup}
        resident, proportional = resident + sizes["Rss"], proportional + sizes["Pss"]
    return resident, proportional


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process and its children have used."""
    used = 0
    for each in _family(pid):
        numbers = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        used += int(numbers[11]) + int(numbers[12])
    return used / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> list[int]:
    below = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [pid, *(each for child in below for each in _family(int(child)))]


def _pin(core: int) -> None:
    os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


class _Connection(asyncio.Protocol):
    """Sends one request after the other, each once the one before is answered (and due)."""

    def __init__(self, client: _Client, number: int) -> None:
        self._client = client
        self._due = client.started + number * client.interval / client.job.connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._next()

    def _next(self) -> None:
        self._answer, self._ends = b"", 0
        if self._client.interval and self._due > (now := time.perf_counter()):
            asyncio.get_running_loop().call_later(self._due - now, self._send)
        else:
            self._send()

    def _send(self) -> None:
        self._since = self._due if self._client.interval else time.perf_counter()
        self._due += self._client.interval
        self._transport.write(next(self._client.requests))

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._ends and (head := self._answer.find(b"\r\n\r\n")) > 0:
            length = _LENGTH.search(self._answer, 0, head)
            self._ends = head + 4 + int(length[1]) if length else 0
        if self._ends and len(self._answer) >= self._ends:
            self._client.record(self._answer[9:12].decode(), time.perf_counter() - self._since)
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.record("lost", 0.0)


class _Client:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.interval = job.connections / job.rate if job.rate else 0.0
        self.started = time.perf_counter()
        head = f"POST {job.path} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nContent-Type: application/json\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in job.headers.items())
        bodies = [body.encode() for body in job.bodies]
        self.requests = cycle([f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies])
        self._begin()

    def _begin(self) -> None:
        self._seconds: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._since = time.perf_counter()

    def record(self, status: str, seconds: float) -> None:
        self._statuses[status] += 1
        self._seconds.append(seconds)

    async def work(self) -> None:
        loop = asyncio.get_running_loop()
        for number in range(self.job.connections):
            await loop.create_connection(lambda number=number: _Connection(self, number), "127.0.0.1", self.job.port)
        await asyncio.sleep(self.job.warm_seconds)
        for _ in range(self.job.windows):
            self._begin()
            await asyncio.sleep(self.job.seconds)
            print(json.dumps(asdict(self._window())), flush=True)
        os._exit(0)

    def _window(self) -> Window:
        lasted = time.perf_counter() - self._since
        p50, p99, worst = np.percentile(self._seconds or [0.0], (50, 99, 100)) * 1000
        return Window(len(self._seconds) / lasted, float(p50), float(p99), float(worst), dict(self._statuses))


if __name__ == "__main__":
    import uvloop

    uvloop.run(_Client(Job(**json.load(sys.stdin))).work())
