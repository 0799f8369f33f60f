"""The API under whatever its description allows, and what it doesn't: python -m benchmarks.fuzz [--requests 20000]

Schemathesis asks a real server, by turns on SQLite and on PostgreSQL, with all its checks and phases, each run with
another seed, until so many requests were answered (counted by the service's own /metrics). What the description can't
say is told in tests/serving/schemathesis.toml. A failing run's whole report is printed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

from benchmarks.load import ROOT
from benchmarks.serving import load_average, service, train
from tests.serving.processes import running_postgresql

CONFIGURATION = ROOT / "tests" / "serving" / "schemathesis.toml"
# The service's counter: requests by method, route and class of status.
_COUNTED = re.compile(r'^disposisi_requests_total\{.*route="([^"]*)".*status="(\dxx)".*\} (\S+)$', re.MULTILINE)


def main() -> int:
    """Print each run, the answers by status, and what failed; 0 if nothing did and no answer was a 5xx."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bundle", type=Path, help="an existing bundle; by default one is trained")
    arguments.add_argument("--requests", type=int, default=20_000)
    arguments.add_argument("--examples", type=int, default=100, help="test cases of each operation in a run")
    arguments.add_argument("--seed", type=int, default=1, help="of the first run")
    given = arguments.parse_args()
    answered: Counter[str] = Counter()
    failed, seed = 0, given.seed
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        bundle = (given.bundle or train(folder / "bundle")).resolve()
        databases = {"SQLite": str(folder / "fuzz.db"), "PostgreSQL": stack.enter_context(running_postgresql())}
        print(f"{load_average()}\n\n| seed | database | requests | 2xx | 4xx | 5xx | seconds | checks |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        while answered.total() < given.requests:
            kind = list(databases)[seed % 2]
            since = time.perf_counter()
            with service(bundle, databases[kind], core=None) as (port, headers, _):
                report = fuzz(port, headers, given.examples, seed, folder)
                found = statuses(port)
            answered += found
            failed += bool(report)
            cells = " | ".join(f"{found[status]:,}" for status in ("2xx", "4xx", "5xx"))
            told = f"{found.total():,} | {cells} | {time.perf_counter() - since:.0f}"
            print(f"| {seed} | {kind} | {told} | {'**fail**' if report else 'hold'} |\n{report}", end="", flush=True)
            seed += 1
    print(f"\n{answered.total():,} requests, {answered['5xx']} answers of 5xx, {failed} runs with a failing check.")
    return 1 if failed or answered["5xx"] else 0


def fuzz(port: int, headers: dict[str, str], examples: int, seed: int, folder: Path) -> str:
    """One run of Schemathesis; its report if a check failed, else nothing."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "--no-color", "run"]
    command += [f"http://127.0.0.1:{port}/openapi.json", "--checks", "all", "--continue-on-failure"]
    command += f"--max-examples {examples} --seed {seed} --request-timeout 120 --generation-database none".split()
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return f"{ran.stdout}\n{ran.stderr}\n" if ran.returncode else ""


def statuses(port: int) -> Counter[str]:
    """How many requests the service has answered with each class of status, those of the benchmark itself left out."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    found: Counter[str] = Counter()
    for route, status, count in _COUNTED.findall(text):
        if route not in ("/metrics", "/readyz"):
            found[status] += int(float(count))
    return found


if __name__ == "__main__":
    sys.exit(main())
