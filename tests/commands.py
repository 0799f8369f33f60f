"""Commands as processes of their own, without each importing the libraries anew: a fork server has them imported."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What the commands import when they run; the fork server starts once for each process of a test run.
_IMPORTED = [
    *("disposisi", "data.rows", "model.bundle", "model.registry", "training.fitting", "training.evaluation"),
    *("training.row_check", "training.suspects", "training.next_sheet", "serving.export", "serving.settings"),
]


@dataclass(frozen=True)
class Ran:
    """What a process left: its exit code and what it said."""

    code: int
    out: str
    err: str


def disposisi(*arguments: str | Path, timeout: float = 120, **variables: str) -> Ran:
    """Run the command. With variables of the environment, in a Python started anew, which reads them as it starts."""
    words = list(map(str, arguments))
    if variables:
        return _started_anew(words, timeout, variables)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_IMPORTED)
        process = context.Process(target=_run, args=(words, out, err), daemon=False)
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, timeout)
        return Ran(process.exitcode, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


def _started_anew(words: list[str], timeout: float, variables: dict[str, str]) -> Ran:
    ran = subprocess.run(
        [sys.executable, "-m", "disposisi", *words],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        env=os.environ | {"COLUMNS": "80"} | variables,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def _run(words: list[str], out: Path, err: Path) -> None:
    """In the new process: what `python -m disposisi` does, its output in files."""
    from disposisi import main

    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
    os.chdir(ROOT)
    os.environ["COLUMNS"] = "80"
    sys.argv = ["disposisi", *words]
    try:
        main()
    finally:
        # A process of multiprocessing ends without them; joblib's workers are sent home there.
        atexit._run_exitfuncs()
