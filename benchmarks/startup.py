"""How soon the service is ready and what it weighs: python -m benchmarks.startup

Trains a bundle on all real complaints where they are at hand (else on the samples), starts `disposisi serve` on it
several times, and reads from /proc what the ready process holds and whether scikit-learn is in it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.accuracy import SAMPLES, SHARED, SOURCES
from data.rows import read_rows
from training.fitting import fit
from training.recipe import find_recipe

ROUNDS = 7


def main() -> int:
    """Print times, memory and what is loaded."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bundle", type=Path, help="an existing bundle; by default one is trained")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = given.bundle or train(Path(folder) / "bundle")
        size = sum(file.stat().st_size for file in bundle.iterdir()) / 1e6
        print(f"load before the run: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores; bundle of {size:.1f} MB")
        seconds, resident, shared_libraries = [], [], set()
        for number in range(ROUNDS):
            ready, megabytes, libraries = start_once(bundle, Path(folder) / f"{number}.db")
            seconds.append(ready)
            resident.append(megabytes)
            shared_libraries |= libraries
    print(
        f"ready after s: median {statistics.median(seconds):.2f}, worst {max(seconds):.2f} of {ROUNDS} (new database)"
    )
    print(f"resident MB after 50 complaints: median {statistics.median(resident):.0f}, worst {max(resident):.0f}")
    print(f"scikit-learn or SciPy in the process: {', '.join(sorted(shared_libraries)) or 'no'}")
    return 0


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


def start_once(bundle: Path, database: Path) -> tuple[float, float, set[str]]:
    """Seconds until /readyz answers, resident megabytes after some work, and heavy libraries found in the process."""
    command = [sys.executable, "-m", "disposisi", "serve", "--bundle", str(bundle), "--database", str(database)]
    started = time.perf_counter()
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            address = ""
            for line in process.stdout or ():
                if line.startswith("Listening on "):
                    address = line.removeprefix("Listening on ").strip()
                    break
            while True:
                try:
                    with urlopen(f"{address}/readyz", timeout=1):
                        break
                except URLError:
                    time.sleep(0.005)
            ready = time.perf_counter() - started
            work(address)
            status = Path(f"/proc/{process.pid}/status").read_text()
            maps = Path(f"/proc/{process.pid}/maps").read_text()
        finally:
            process.terminate()
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return ready, kilobytes / 1000, {name for name in ("sklearn", "scipy") if f"/{name}/" in maps}


def work(address: str) -> None:
    """Fifty complaints, so that what is loaded late is loaded."""
    import httpx

    with httpx.Client(base_url=address, trust_env=False) as client:
        for number in range(50):
            answer = client.post("/v1/complaints", json={"text": f"jalan berlubang di gang {number} belum diperbaiki"})
            answer.raise_for_status()


if __name__ == "__main__":
    sys.exit(main())
