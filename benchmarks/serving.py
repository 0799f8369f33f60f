"""How much the service bears, beside others, in one run: python -m benchmarks.serving [--bundle DIR] [--peers]

Real server processes, each on one core, the client (`benchmarks.load`) on the other. All that is compared is measured
in turn, round after round; ratios are medians over the rounds. The texts are real complaints where they are at hand
(else the samples), another one each request. Without --bundle one is trained on them.

A  POST /v1/predictions of one complaint, beside an empty FastAPI endpoint, a scikit-learn pipeline of as many features
   behind FastAPI and, with --peers, MLServer, BentoML and LitServe, which are installed when first asked for.
B  POST /v1/complaints, each on disk when it is answered, 32 at once, beside the same server with a commit for each.
C  From start to ready, and memory of one process and of a second worker.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy import create_engine, text

from benchmarks.accuracy import SAMPLES, SHARED, SOURCES
from benchmarks.load import Job, Window, cpu_of, free_port, measure, memory_of, started
from benchmarks.serving_peers import PEERS, installed, save_pipeline, write_files
from data.complaint import LabelledRow
from data.region import known_regions
from data.rows import read_rows
from serving.access import Access, Scope
from serving.database import open_store
from tests.serving.processes import running_postgresql
from training.fitting import fit
from training.recipe import find_recipe

REGION = "kab-tangerang"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# The limit of requests a minute is not what is measured here.
UNLIMITED = {"DISPOSISI_REQUESTS_PER_MINUTE": "1000000"}
MANY, TOGETHER = 16, 32
STARTS = 5


@dataclass
class Measured:
    """A server under measurement: where it is, how it is asked, and what came of it by number of connections."""

    name: str
    process: int
    port: int
    path: str
    bodies: list[str]
    headers: dict[str, str] = field(default_factory=dict)
    windows: dict[int, list[Window]] = field(default_factory=dict)
    cpu: dict[int, list[float]] = field(default_factory=dict)

    def warm(self, seconds: float) -> None:
        """Work without being measured: what is loaded or remembered once is no part of what an answer costs."""
        self._work(MANY, seconds)

    def round(self, connections: int, seconds: float) -> None:
        """Measure once more."""
        before = cpu_of(self.process)
        window = self._work(connections, seconds)
        used = (cpu_of(self.process) - before) * 1000 / max(sum(window.statuses.values()), 1)
        self.windows.setdefault(connections, []).append(window)
        self.cpu.setdefault(connections, []).append(used)

    def _work(self, connections: int, seconds: float) -> Window:
        # Not the texts of the round before, but those behind them.
        done = sum(sum(window.statuses.values()) for windows in self.windows.values() for window in windows)
        start = done % len(self.bodies)
        bodies = self.bodies[start:] + self.bodies[:start]
        return measure(Job(self.port, self.path, self.headers, bodies, connections, seconds))

    def median(self, connections: int, what: str) -> float:
        """Of a window's figure over the rounds."""
        return statistics.median(getattr(window, what) for window in self.windows[connections])

    def times(self, other: Measured, connections: int) -> float:
        """How many times as many requests as another: the median over the rounds."""
        pairs = zip(self.windows[connections], other.windows[connections], strict=True)
        return statistics.median(own.per_second / max(theirs.per_second, 1e-9) for own, theirs in pairs)

    def cells(self, connections: int) -> str:
        """Requests a second, p50 and p99 in milliseconds, and the server's CPU for one request in milliseconds."""
        rate, p50, p99 = (self.median(connections, what) for what in ("per_second", "p50", "p99"))
        failed = sum(window.failed for window in self.windows[connections])
        answered = f"{rate:,.0f}{f' ({failed} failed)' if failed else ''}"
        return f"{answered} | {p50:.2f} | {p99:.2f} | {statistics.median(self.cpu[connections]):.2f}"


def main() -> int:
    """Print three tables, and what was wanted beside what was reached."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bundle", type=Path, help="an existing bundle; by default one is trained")
    arguments.add_argument("--peers", action="store_true", help="MLServer, BentoML and LitServe, too")
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each window")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--warm", type=float, default=10.0, help="seconds of work before the first window")
    arguments.add_argument("--parts", default="ABC", help="which of A, B and C")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = (given.bundle or train(folder / "bundle")).resolve()
        rows = complaints()
        print(
            f"{len(rows):,} different texts, in turn; {given.rounds} rounds of {given.seconds:.0f} s. {load_average()}"
        )
        if "A" in given.parts:
            predictions(bundle, rows, folder, given)
        if "B" in given.parts:
            durable(bundle, rows, folder, given)
        if "C" in given.parts:
            weigh(bundle, rows, folder)
        print(f"\nAfter the run: {load_average()}")
    return 0


def complaints() -> list[LabelledRow]:
    """The real complaints in an order of chance, or else the samples."""
    if SHARED.is_dir():
        rows = read_rows([SHARED / name for name in SOURCES.values()], REGION).rows
    else:
        print("The real complaints (../shared/datasets beside the checkout) are not here: the samples are sent.")
        rows = read_rows([SAMPLES], REGION).rows
    return random.Random(1).sample(rows, len(rows))


def complaint_bodies(rows: list[LabelledRow]) -> list[str]:
    """Bodies for POST /v1/complaints; two real texts hold control characters, which the service refuses by design."""
    found = []
    for row in rows:
        told = row.complaint
        if _CONTROL.search(told.text):
            continue
        region = told.region if told.region in known_regions() else REGION
        body = {"text": told.text, "title": told.title[:500], "location": told.location[:500], "region": region}
        found.append(json.dumps(body))
    return found


@contextmanager
def service(
    bundle: Path, database: Path | str, *more: str, core: int | None = 0, one_by_one: bool = False
) -> Iterator[tuple[int, dict[str, str], int]]:
    """`disposisi serve` on a database: its port, the headers of a key that may do everything, and its process's id."""
    port = free_port()
    module = ["benchmarks.serving_peers", "one-by-one"] if one_by_one else ["disposisi"]
    command = [sys.executable, "-m", *module, "serve", "--bundle", bundle, "--database", database, "--port", str(port)]
    with started([*command, *more], port, environment=UNLIMITED, core=core, path="/readyz") as process:
        with closing(open_store(str(database))) as store:
            key = Access(store).create_key("benchmark", [scope.value for scope in Scope])[1]
        yield port, {"Authorization": f"Bearer {key}"}, process.pid


def predictions(bundle: Path, rows: list[LabelledRow], folder: Path, given: argparse.Namespace) -> None:
    """Part A."""
    texts = [row.complaint.text for row in rows]
    bodies = [json.dumps({"complaints": [{"text": each}]}) for each in texts]
    pipeline = folder / "pipeline.joblib"
    features = np.load(bundle / "sector.weights.npy", mmap_mode="r").shape[0]
    labelled = [row for row in rows if row.sector]
    learned = save_pipeline(
        [row.complaint.text for row in labelled], [str(row.sector) for row in labelled], features, pipeline
    )
    print(f"\n## A. POST /v1/predictions: {features:,} features, scikit-learn's pipeline {learned:,}\n")
    with ExitStack() as stack:
        port, headers, process = stack.enter_context(service(bundle, folder / "a.db"))
        measured = [Measured("**disposisi**", process, port, "/v1/predictions", bodies, headers)]
        small = {"empty": "FastAPI, empty endpoint", "sklearn": "FastAPI + scikit-learn, `def`"}
        small["sklearn-async"] = "FastAPI + scikit-learn, `async def`"
        for what, name in small.items():
            port = free_port()
            command = [sys.executable, "-m", "benchmarks.serving_peers", what, str(port), pipeline]
            process = stack.enter_context(started(command, port)).pid
            measured.append(Measured(name, process, port, "/v1/predictions", bodies))
        for peer in PEERS if given.peers else ():
            environment = installed(peer)
            if environment is None:
                print(f"Skipped: {peer.name} can't be installed here.")
                continue
            port = free_port()
            write_files(peer, folder / peer.name, pipeline, port)
            command = [environment / peer.command[0], *(part.format(port=port) for part in peer.command[1:])]
            quiet = {"PATH": f"{environment / 'bin'}:{os.environ['PATH']}", "BENTOML_DO_NOT_TRACK": "True"}
            quiet["BENTOML_CONFIG_OPTIONS"] = "api_server.logging.access.enabled=false"
            process = stack.enter_context(started(command, port, folder=folder / peer.name, environment=quiet)).pid
            asked = [json.dumps(peer.body(each)) for each in texts]
            measured.append(Measured(peer.name, process, port, peer.path, asked))
        for each in measured:
            each.warm(given.warm)
        for _ in range(given.rounds):
            for connections in (1, MANY):
                for each in measured:
                    each.round(connections, given.seconds)
        print(
            f"{load_average()}\n\n| one at a time: | req/s | p50 ms | p99 ms | CPU ms | ours |"
            f" {MANY} at once: req/s | p50 ms | p99 ms | CPU ms | ours |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        ours, empty, *others = measured
        for each in measured:
            cells = " | ".join(f"{each.cells(n)} | x {ours.times(each, n):.2f}" for n in (1, MANY))
            print(f"| {each.name} | {cells} |")
    print()
    _wanted("share of the empty endpoint, 16 at once", ours.times(empty, MANY), 0.5)
    _wanted("the same, one at a time", ours.times(empty, 1), 0.5)
    for each in others:
        least = 15 if "scikit-learn" in each.name else 5 if "LitServe" in each.name else 18
        _wanted(f"times {each.name}, 16 at once", ours.times(each, MANY), least)
    _wanted(
        "ms of p99 over the empty endpoint's, one at a time", ours.median(1, "p99") - empty.median(1, "p99"), most=1
    )


def durable(bundle: Path, rows: list[LabelledRow], folder: Path, given: argparse.Namespace) -> None:
    """Part B."""
    bodies = complaint_bodies(rows)
    print(f"\n## B. POST /v1/complaints, each on disk, {TOGETHER} at once\n")
    with ExitStack() as stack:
        server = stack.enter_context(running_postgresql())
        databases = {"SQLite": [str(folder / "b0.db"), str(folder / "b1.db")], "PostgreSQL": _two_databases(server)}
        measured = []
        for name, (together, alone) in databases.items():
            for database, one_by_one in ((together, False), (alone, True)):
                port, headers, process = stack.enter_context(service(bundle, database, one_by_one=one_by_one))
                title = f"{name}, a commit for each" if one_by_one else f"**{name}**"
                measured.append(Measured(title, process, port, "/v1/complaints", bodies, headers))
                measured[-1].warm(given.warm)
        for _ in range(given.rounds):
            for each in measured:
                each.round(TOGETHER, given.seconds)
    print(
        f"{load_average()} PostgreSQL itself runs on either core; CPU is without it.\n\n"
        "| | req/s | p50 ms | p99 ms | CPU ms |\n|---|---|---|---|---|"
    )
    for each in measured:
        print(f"| {each.name} | {each.cells(TOGETHER)} |")
    print()
    for together, alone, least in ((measured[0], measured[1], 1200), (measured[2], measured[3], 700)):
        _wanted(f"{together.name} complaints a second", together.median(TOGETHER, "per_second"), least)
        _wanted(f"{together.name} times a commit for each", together.times(alone, TOGETHER), 4)


def _two_databases(server: str) -> list[str]:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for number in range(2):
            connection.execute(text(f"CREATE DATABASE b{number}"))
    engine.dispose()
    return [server.replace("/postgres?", f"/b{number}?") for number in range(2)]


def weigh(bundle: Path, rows: list[LabelledRow], folder: Path) -> None:
    """Part C."""
    print(f"\n## C. Start and memory\n\n{load_average()}\n")
    seconds = [_seconds_to_ready(bundle, folder / "c.db") for _ in range(STARTS + 1)]
    weights = {workers: _weight(bundle, rows, folder / f"w{workers}.db", workers) for workers in (1, 2)}
    print("| | |\n|---|---|")
    print(f"| start to ready, new database | {seconds[0]:.2f} s |")
    print(f"| start to ready, known database: median (worst) of {STARTS} | {_spread(seconds[1:])} s |")
    for workers, (resident, proportional) in weights.items():
        print(
            f"| {workers} worker{'s' * (workers > 1)}: resident, proportional | {resident:.0f}, {proportional:.0f} MB |"
        )
    print()
    _wanted("s from start to ready", statistics.median(seconds[1:]), most=1.5)
    _wanted("MB of a process, proportional", weights[1][1], most=200)
    _wanted("MB more for a second worker and its parent, proportional", weights[2][1] - weights[1][1], most=60)


def _seconds_to_ready(bundle: Path, database: Path) -> float:
    port, since = free_port(), time.perf_counter()
    command = [sys.executable, "-m", "disposisi", "serve", "--bundle", bundle, "--database", database]
    with started([*command, "--port", str(port)], port, core=None, path="/readyz"):
        return time.perf_counter() - since


def _weight(bundle: Path, rows: list[LabelledRow], database: Path, workers: int) -> tuple[float, float]:
    """Resident and proportional MB, all processes added up, after some seconds of work for each worker."""
    with service(bundle, database, "--workers", str(workers), core=None) as (port, headers, pid):
        measure(Job(port, "/v1/complaints", headers, complaint_bodies(rows), 16, 3.0 * workers))
        return memory_of(pid)


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({max(values):.2f})"


def load_average() -> str:
    """The load averages, which say how far the seconds can be believed."""
    return f"Load {', '.join(f'{each:.1f}' for each in os.getloadavg())} on {os.cpu_count()} cores."


def _wanted(what: str, reached: float, least: float | None = None, most: float | None = None) -> None:
    """A line that says what was wanted, what was reached, and whether that will do."""
    if least is not None:
        print(f"- {what}: {reached:,.2f}, wanted at least {least:,}: {'yes' if reached >= least else '**no**'}")
    if most is not None:
        print(f"- {what}: {reached:,.2f}, wanted less than {most:,}: {'yes' if reached < most else '**no**'}")


def train(folder: Path) -> Path:
    """A bundle of the size a regency will have."""
    if SHARED.is_dir():
        files = [*(SHARED / name for name in SOURCES.values()), SAMPLES]
        rows = read_rows(files, "kab-tangerang", annotations=SHARED / "annotations.csv").rows
    else:
        print("The real complaints (../shared/datasets beside the checkout) are not here: trained on the samples.")
        rows = read_rows([SAMPLES], "kab-tangerang").rows
    fit(rows, find_recipe("default"), "kab-tangerang").bundle.save(folder)
    return folder


if __name__ == "__main__":
    sys.exit(main())
