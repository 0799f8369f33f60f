"""The demonstration: starts the real server, sends it a dozen complaints over HTTP and prints what it answered."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from rich.console import Console
from rich.table import Table

from serving.access import Access, Scope
from serving.database import open_store

COMPLAINTS: tuple[dict[str, str], ...] = (
    {
        "text": "lampu pju di jalan raya serang depan gerbang citra mati dr minggu lalu, gelap bgt pak",
        "title": "PJU mati",
    },
    {"text": "Sampah di TPS pasar sudah 5 hari ga diangkut, baunya sampe masuk rumah", "location": "Kecamatan Curug"},
    {"text": "jln desa kami ancur, lobang dimana2, kmrn ada ibu hamil jatoh. mohon diaspal"},
    {"text": "mau tanya syarat bikin kartu keluarga baru setelah nikah apa aja ya? bisa online?"},
    {"text": "AIR PDAM MATI SUDAH 3 HARI!!! TAGIHAN TETAP JALAN", "location": "Desa Pasir Jaya, Cikupa"},
    {"text": "anak saya demam tinggi di puskesmas disuruh pulang katanya dokter lg rapat, tlg"},
    {"text": "ibu saya janda lansia blm pernah dapet bansos pkh, tetangga yg punya mobil malah dapet"},
    {"text": "listrik padem tiap magrib di kampung kula, trafone njeblug wingi, kabele mrengkel ning dalan"},
    {"text": "kebakaran gudang limbah plastik, api sudah nyamber ke rumah warga, cepat kirim damkar!"},
    {"text": "PPDB zonasi rumah saya 400 meter dari SMP negeri kok anak ga diterima"},
    {"text": "pelayanan di kantor kecamatan lambat, urus surat waris 3x bolak balik", "location": "Kecamatan Sepatan"},
    {"text": "gaji bulan lalu belum dibayar pabrik, THR juga dipotong tanpa alasan"},
)
WORDS_SHOWN = 4


def main() -> int:
    """Run the demonstration; 0 if every complaint became a case."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bundle", type=Path, required=True)
    bundle = arguments.parse_args().bundle
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "demo.db"
        key = make_key(database)
        with server(bundle, database) as address:
            cases = [send(address, key, complaint) for complaint in COMPLAINTS]
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table(cases))
    for text in sorted({reason["text"] for case in cases for reason in case["prediction"]["reasons"]}):
        console.print(f"Reason given: {text}")
    console.print(f"{len(cases)} complaints, sent over HTTP to a server that has now stopped.")
    return 0


def make_key(database: Path) -> str:
    """The token of a key that may take complaints in and read cases."""
    with closing(open_store(str(database))) as store:
        return Access(store).create_key("demonstration", [Scope.INTAKE, Scope.DATA])[1]


@contextmanager
def server(bundle: Path, database: Path) -> Iterator[str]:
    """A real server process on a free loopback port; gives its address, and stops it at the end."""
    command = [sys.executable, "-m", "disposisi", "serve", "--bundle", str(bundle), "--database", str(database)]
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            lines = iter(process.stdout or ())
            announced = next((line for line in lines if line.startswith("Listening on ")), None)
            if announced is None:
                sys.exit(process.wait())
            yield announced.removeprefix("Listening on ").strip()
        finally:
            process.terminate()


def send(address: str, key: str, complaint: dict[str, str]) -> dict[str, Any]:
    """The case that a complaint became."""
    body = json.dumps(complaint).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = Request(f"{address}/v1/complaints", body, headers)  # noqa: S310
    # Never through a proxy: the server is on this machine.
    with build_opener(ProxyHandler({})).open(request, timeout=30) as answer:
        case: dict[str, Any] = json.load(answer)
        return case


def table(cases: list[dict[str, Any]]) -> Table:
    """One line a case."""
    found = Table("Complaint", "Agency", "Sure", "Urgency", "Outcome", "Words that decided", show_lines=True)
    for case in cases:
        prediction = case["prediction"]
        agency = prediction["agency"] or {"name": f"{prediction['sector_name']}, area unknown"}
        words = [word["word"] for word in prediction["explanation"]["words"] if word["contribution"] > 0]
        urgency = prediction["urgency"]
        found.add_row(
            case["text"],
            agency["name"],
            "> 99%" if prediction["probability"] > 0.99 else f"{prediction['probability']:.0%}",
            f"{urgency['level']} {urgency['name']}" if urgency else "-",
            prediction["outcome"],
            ", ".join(words[:WORDS_SHOWN]),
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
