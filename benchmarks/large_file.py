"""Half a million rows through `disposisi rows check`: python -m benchmarks.large_file [--rows N] [--format xlsx]

Texts are made of the real complaints where they are at hand (read in place, else of the sample corpus): one sentence of
a row and two of others of its sector, with a seventh of the words replaced; one in twelve copies an earlier one. Tells
how long the command took, its memory at the most, and how large the file was. The file is removed afterwards.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy import SAMPLES, SHARED, SOURCES
from data.complaint import LabelledRow
from data.region import load_region
from data.rows import read_rows

HEADER = ("id", "received_at", "text", "agency", "sector", "region")
_REGION, _SEED = "kota-surabaya", 7
_SENTENCE = re.compile(r"(?<=[.!?\n])\s+")


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=500_000)
    arguments.add_argument("--format", choices=("csv", "xlsx"), default="csv")
    asked = arguments.parse_args()
    real = SHARED.is_dir()
    source, region = (SHARED / SOURCES[_REGION], _REGION) if real else (SAMPLES, "kab-tangerang")
    rows = [row for row in read_rows([source], region).rows if row.sector]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {len(rows)} {'real' if real else 'sample'} rows")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"rows.{asked.format}"
        write(file, made_of(rows, region, asked.rows))
        started = time.perf_counter()
        command = [sys.executable, "-m", "disposisi", "rows", "check", str(file), "--region", region]
        done = subprocess.run(
            [*command, "--out", str(Path(folder) / "out")], capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        print(f"{file.stat().st_size / 1e6:.0f} MB of {asked.format}: {seconds:.0f} s, {peak:.1f} GB at the most")
    print("\n".join(line for line in done.stdout.splitlines() if " rows" in line[:30] or "copies" in line))
    if done.returncode not in (0, 1):
        sys.exit(done.stderr)


def made_of(rows: list[LabelledRow], region: str, count: int) -> Iterator[tuple[str, ...]]:
    """So many rows under `HEADER`, the oldest first."""
    rng = random.Random(_SEED)
    agencies = load_region(region).all_agencies
    parts = [_SENTENCE.split(row.complaint.text) for row in rows]
    words = [word for row in rows for word in row.complaint.text.split()]
    of_sector: dict[str | None, list[int]] = {}
    for i, row in enumerate(rows):
        of_sector.setdefault(row.sector, []).append(i)
    earlier: list[str] = []
    for number in range(count):
        i = rng.randrange(len(rows))
        if earlier and rng.random() < 1 / 12:
            text = rng.choice(earlier)
        else:
            alike = of_sector[rows[i].sector]
            joined = " ".join(rng.choice(parts[each]) for each in (i, rng.choice(alike), rng.choice(alike)))
            text = " ".join(rng.choice(words) if rng.random() < 1 / 7 else word for word in joined.split())
            earlier.append(text)
        agency = agencies.get(rows[i].agency or "")
        day = f"{2018 + 6 * number // count}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        yield f"b{number}", day, text, agency.name if agency else "", rows[i].sector or "", region


def write(file: Path, lines: Iterator[tuple[str, ...]]) -> None:
    """Write the lines as CSV or XLSX."""
    if file.suffix == ".csv":
        with file.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows([HEADER, *lines])
        return
    import openpyxl  # here, as only the other format needs it
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for line in (HEADER, *lines):
        sheet.append([ILLEGAL_CHARACTERS_RE.sub("", cell).lstrip("=") for cell in line])
    book.save(file)


if __name__ == "__main__":
    main()
