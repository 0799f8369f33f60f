"""Whether the service stays as light and as quick as it began: python -m benchmarks.soak [--minutes 30] [--bundle DIR]

A real server takes complaints in (SQLite), or with --predictions answers and keeps nothing, at about half of what it
was measured to bear; each text is another real complaint where they are at hand. Each minute: requests, p50 and p99
counted from when each was due, and memory, read each 10 s. At the end, after the warm-up: the slope of memory by least
squares, and the last third's latency beside the first's.

The index of similar cases grows by right: what a case weighs is measured on an index of its own, and what that makes of
the cases taken in is told, and taken off the slope, for the verdict.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.load import SERVER_CORE, Job, Window, ask, measure, memory_of
from benchmarks.serving import TOGETHER, complaint_bodies, complaints, load_average, service, train
from data.complaint import LabelledRow
from model.bundle import load_bundle
from model.similar import SimilarCases

SAMPLED_SECONDS = 10.0
MINUTE = 60.0
WEIGHED = 3_000
MOST_MEGABYTES, MOST_DRIFT = 1.0, 1.25


@dataclass
class Memory:
    """Readings of a process's memory: when (s), resident and proportional (MB)."""

    process: int
    readings: list[tuple[float, float, float]] = field(default_factory=list)

    def read_until(self, ended: threading.Event) -> None:
        """Read each ten seconds."""
        while not ended.wait(SAMPLED_SECONDS):
            self.readings.append((time.perf_counter(), *memory_of(self.process)))

    def slopes(self, since: float) -> tuple[float, float]:
        """MB in 10 minutes of resident and proportional memory, by least squares over the readings from a time on."""
        kept = np.array([reading for reading in self.readings if reading[0] >= since])
        if len(kept) < 2:
            return float("nan"), float("nan")
        resident, proportional = np.polyfit(kept[:, 0], kept[:, 1:], 1)[0] * 600
        return float(resident), float(proportional)


def main() -> int:
    """Print a line for each minute, then the verdict; 0 if it holds."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bundle", type=Path, help="an existing bundle; by default one is trained")
    arguments.add_argument("--minutes", type=int, default=30)
    arguments.add_argument("--warm-minutes", type=int, help="left out of slope and drift; by default a fifth")
    arguments.add_argument("--rate", type=float, help="requests a second; by default half of what is measured first")
    arguments.add_argument("--predictions", action="store_true", help="ask for predictions, which keep nothing")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = (given.bundle or train(folder / "bundle")).resolve()
        return soak(bundle, complaints(), folder / "soak.db", given)


def soak(bundle: Path, rows: list[LabelledRow], database: Path, given: argparse.Namespace) -> int:
    """The whole run; 0 if the verdict is good."""
    path = "/v1/predictions" if given.predictions else "/v1/complaints"
    bodies = _prediction_bodies(rows) if given.predictions else complaint_bodies(rows)
    case_weight = 0.0 if given.predictions else _weight_of_a_case(bundle, rows)
    with service(bundle, database, core=SERVER_CORE) as (port, headers, process):
        job = Job(port, path, headers, bodies, TOGETHER, 10.0, warm_seconds=10.0)
        rate = given.rate or measure(job).per_second / 2
        print(f"POST {path} at {rate:,.0f} a second for {given.minutes} minutes. {load_average()}\n")
        print(
            "| minute | req/s | p50 ms | p99 ms | failed | resident MB | proportional MB |\n"
            "|---|---|---|---|---|---|---|"
        )
        memory, ended = Memory(process), threading.Event()
        reader = threading.Thread(target=memory.read_until, args=(ended,))
        reader.start()
        began, windows = time.perf_counter(), []
        job = Job(port, path, headers, bodies, TOGETHER, MINUTE, given.minutes, rate)
        for window in ask(job):
            windows.append(window)
            _, resident, proportional = memory.readings[-1]
            cells = f"{window.per_second:,.0f} | {window.p50:.1f} | {window.p99:.1f} | {window.failed}"
            print(f"| {len(windows)} | {cells} | {resident:.1f} | {proportional:.1f} |", flush=True)
        ended.set()
        reader.join()
    warm = max(1, given.minutes // 5) if given.warm_minutes is None else given.warm_minutes
    warm = min(warm, given.minutes - 1)
    return _judge(windows, warm, memory.slopes(began + warm * MINUTE), case_weight)


def _judge(windows: list[Window], warm: int, slopes: tuple[float, float], case_weight: float) -> int:
    kept = windows[warm:]
    third = max(1, len(kept) // 3)
    drifts = {
        name: statistics.median(getattr(each, name) for each in kept[-third:])
        / statistics.median(getattr(each, name) for each in kept[:third])
        for name in ("p50", "p99")
    }
    by_right = case_weight * statistics.mean(each.per_second for each in kept) * 600
    failed = sum(each.failed for each in windows)
    print(f"\n{load_average()} After {warm} minutes of warm-up:")
    print(f"- memory: {slopes[0]:+.1f} MB resident and {slopes[1]:+.1f} MB proportional in 10 minutes")
    if case_weight:
        print(f"- of it the index of similar cases, {case_weight * 1000:.2f} kB a case: {by_right:+.1f} MB")
    print(f"- latency, last third to first: p50 x {drifts['p50']:.2f}, p99 x {drifts['p99']:.2f}")
    print(f"- failed: {failed} of {sum(sum(each.statuses.values()) for each in windows):,}")
    # Proportional memory also falls and rises with what other processes map, resident memory doesn't.
    light, quick = slopes[0] - by_right <= MOST_MEGABYTES, drifts["p99"] <= MOST_DRIFT
    print(
        f"\nVerdict: memory {'holds' if light else '**GROWS**'} (at most {MOST_MEGABYTES:.0f} MB in 10 minutes),"
        f" latency {'holds' if quick else '**DRIFTS**'} (p99 at most x {MOST_DRIFT}),"
        f" {'nothing failed' if not failed else '**REQUESTS FAILED**'}."
    )
    return 0 if light and quick and not failed else 1


def _prediction_bodies(rows: list[LabelledRow]) -> list[str]:
    return [json.dumps({"complaints": [{"text": row.complaint.text}]}) for row in rows]


def _weight_of_a_case(bundle: Path, rows: list[LabelledRow]) -> float:
    """MB that an index of similar cases grows by with each case, once it knows the usual words."""
    index = SimilarCases(load_bundle(bundle))
    traits = [index.describe(row.complaint) for row in rows[: 2 * WEIGHED]]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    weights = []
    for number, each in enumerate(traits):
        if number % (len(traits) // 2) == 0:
            weights.append(memory_of(os.getpid())[0])
        index.add(f"{number:036d}", each, at + timedelta(minutes=number))
    weights.append(memory_of(os.getpid())[0])
    return (weights[-1] - weights[-2]) / (len(traits) - len(traits) // 2)


if __name__ == "__main__":
    sys.exit(main())
