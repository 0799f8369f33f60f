"""A real `disposisi serve` process on a free loopback port, for tests that need one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 150.0


def run_disposisi(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end and give back its exit code and output."""
    return subprocess.run(_command(arguments), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


class Server:
    """`with Server(...) as server:` starts the service and waits until it listens; leaving the block ends it."""

    def __init__(self, bundle: Path, database: Path, *more: str | Path) -> None:
        self._arguments = ("serve", "--bundle", bundle, "--database", database, "--port", "0", *more)
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
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
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
        return self

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
