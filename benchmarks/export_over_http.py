"""Sends every row of a real LAPOR! export over HTTP, one by one: python -m benchmarks.export_over_http

Each must become a case (201), be readable afterwards, and again after the server was killed and started anew.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np

from data.complaint import LabelledRow
from data.rows import read_rows
from serving.demo import make_key

ROOT = Path(__file__).parent.parent
EXPORT = ROOT.parent / "shared" / "datasets" / "lapor_export_kab_bandung_2024.xlsx"
REGION = "kab-bandung"


def main() -> int:
    """Print what happened; 0 if every row is a case, before and after the restart."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bundle", type=Path, default=ROOT / "var" / "bundles" / "default")
    arguments.add_argument("--export", type=Path, default=EXPORT)
    given = arguments.parse_args()
    if not given.export.is_file():
        print("Skipped: the real export (../shared/datasets beside the checkout) is not here.")
        return 0
    rows = read_rows([given.export], REGION, labels=False).rows
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "export.db"
        key = make_key(database)
        process, address = start(given.bundle, database)
        ids, statuses, seconds = send(address, key, rows)
        before = read_back(address, key, ids)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process, address = start(given.bundle, database)
        after = read_back(address, key, ids)
        process.terminate()
        process.wait()
    milliseconds = np.array(seconds) * 1000
    print(f"load before the run: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    print(f"{len(rows)} rows sent: {dict(sorted(Counter(statuses).items()))}")
    print(f"readable afterwards: {before}; after SIGKILL and a new start: {after}")
    print("answer in ms: " + ", ".join(f"p{p} {np.percentile(milliseconds, p):.1f}" for p in (50, 95, 99, 100)))
    return 0 if Counter(statuses) == {201: len(rows)} and before == after == len(rows) else 1


def start(bundle: Path, database: Path) -> tuple[subprocess.Popen[str], str]:
    """A server process and its address, once it listens."""
    command = [sys.executable, "-m", "disposisi", "serve", "--bundle", str(bundle), "--database", str(database)]
    process = subprocess.Popen(
        [*command, "--region", REGION, "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    for line in process.stdout or ():
        if line.startswith("Listening on "):
            return process, line.removeprefix("Listening on ").strip()
    sys.exit(f"the server ended with {process.wait()}")


def send(address: str, key: str, rows: list[LabelledRow]) -> tuple[list[str], list[int], list[float]]:
    """The cases' ids, the answers' statuses and the seconds each took."""
    ids, statuses, seconds = [], [], []
    with httpx.Client(
        base_url=address, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30
    ) as client:
        for row in rows:
            body = {"text": row.complaint.text, "title": row.complaint.title, "location": row.complaint.location}
            started = time.perf_counter()
            answer = client.post("/v1/complaints", json=body)
            seconds.append(time.perf_counter() - started)
            statuses.append(answer.status_code)
            if answer.status_code == 201:
                ids.append(answer.json()["id"])
    return ids, statuses, seconds


def _client(address: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30)


def read_back(address: str, key: str, ids: list[str]) -> int:
    """How many cases can be read, each with its prediction."""
    with httpx.Client(
        base_url=address, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30
    ) as client:
        answers = [client.get(f"/v1/cases/{case_id}") for case_id in ids]
    return sum(a.status_code == 200 and json.loads(a.text)["prediction"]["sector"] != "" for a in answers)


if __name__ == "__main__":
    sys.exit(main())
