"""Takes the moderators' guide's pictures: a real service on invented complaints, its pages in Debian's chromium."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from serving.access import Access, Scope
from serving.database import open_store
from serving.demo import server

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1280, 900
REGION = "kab-tangerang"
MODERATOR, COLLEAGUE = "siti.aminah", "budi"
PASSWORD = "sandi-untuk-gambar-saja"  # noqa: S105  (of a service that ends with the last picture)
# So few colours are enough for a page of text, and make a picture that is quick to load.
COLOURS = 64
COMPLAINTS: tuple[dict[str, str], ...] = (
    {
        "title": "PJU mati di Cikupa",
        "text": "Lampu PJU di Jalan Raya Serang dekat pasar Cikupa mati sudah dua minggu. Gelap sekali, rawan begal "
        "dan tabrakan. Bisa hubungi saya di 0812-3456-7890. Mohon segera diperbaiki.",
        "location": "Kecamatan Cikupa",
        "channel": "WhatsApp",
    },
    {"text": "Kebakaran gudang di Pasar Kemis, api membesar dan ada orang terjebak, tolong kirim damkar sekarang!"},
    {"text": "Sampah di TPS pasar Curug sudah lima hari tidak diangkut, baunya masuk rumah", "channel": "Situs web"},
    {"title": "KTP belum jadi", "text": "Sudah tiga bulan e-KTP saya belum jadi padahal sudah rekam di kecamatan"},
    {"text": "Jalan Desa Klebet berlubang besar. Selain itu obat di puskesmas Curug habis, petugasnya kurang ramah"},
    {"text": "min tolong dong ada yang rusak"},
    {"text": "Listrik padam tiap magrib di Desa Cukanggalih, trafonya sering meletus", "location": "Kecamatan Curug"},
    {"text": "Pegawai kelurahan meminta uang untuk surat pindah", "confidentiality": "rahasia"},
    {"text": "Pelayanan pegawai kecamatan Sepatan lambat, surat waris tiga kali bolak-balik", "channel": "SMS"},
    {"text": "Obat darah tinggi di puskesmas Balaraja kosong sejak bulan lalu"},
)
AGAIN = {
    "title": "Lampu PJU padam",
    "text": "Lampu PJU di Jalan Raya Serang dekat pasar Cikupa padam dua minggu, gelap, rawan begal dan tabrakan. "
    "Hubungi saya di 0812-3456-7890",
    "location": "Kecamatan Cikupa",
    "channel": "Situs web",
}
DECIDED: tuple[tuple[str, str, str, int], ...] = (
    ("Truk sampah tidak pernah masuk gang kami di Mauk", "dlhk", "environment", 1),
    ("Jalan Balaraja menuju Kresek berlubang dalam", "dbmsda", "public-works", 1),
    ("Puskesmas Curug tutup pada jam pelayanan", "dinkes", "health", 1),
    ("Angkot ngetem di pertigaan Cikupa sampai macet", "dishub", "transport", 1),
)


@dataclass(frozen=True)
class Desk:
    """A running service: its address, a key to it, and the cookies of its moderators."""

    address: str
    key: str
    cookies: dict[str, str]

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.post(self.address + path, json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def main() -> int:
    """Take every picture anew."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bundle", type=Path, required=True)
    bundle = arguments.parse_args().bundle
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with running(bundle, blind="0") as desk:
            take_a_day(browser, desk)
        with running(bundle, blind="1") as desk:
            case = desk.post("/v1/complaints", COMPLAINTS[0])
            with page_of(browser, desk, MODERATOR) as page:
                page.goto(f"{desk.address}/kasus/{case['id']}")
                take(page, "tanpa-usulan", 760)
        browser.close()
    return 0


def take_a_day(browser: Browser, desk: Desk) -> None:
    """The queue, a case with its verdicts, the keys, a case that a colleague has, the board and the settings."""
    for text, agency, sector, urgency in DECIDED:
        case = desk.post("/v1/complaints", {"text": text})
        desk.post(f"/v1/reviews/{case['id']}/decide", {"agency": agency, "sector": sector, "urgency": urgency})
    ids = [desk.post("/v1/complaints", complaint)["id"] for complaint in (*COMPLAINTS, AGAIN)]
    with page_of(browser, desk, COLLEAGUE) as page:
        page.goto(f"{desk.address}/kasus/{ids[2]}")
        with page_of(browser, desk, MODERATOR) as own:
            own.goto(f"{desk.address}/antrean")
            take(own, "antrean", 820)
            own.goto(f"{desk.address}/kasus/{ids[2]}")
            take(own, "sedang-dikerjakan", 420)
    with page_of(browser, desk, MODERATOR) as page:
        page.goto(f"{desk.address}/kasus/{ids[-1]}")
        take(page, "kasus", 1000)
        for key, name, case_id in (
            ("k", "tunda", ids[5]),
            ("w", "bukan-wewenang", ids[6]),
            ("g", "gabungkan", ids[-1]),
        ):
            page.goto(f"{desk.address}/kasus/{case_id}")
            page.keyboard.press(key)
            take_form(page, name)
        page.goto(f"{desk.address}/kasus/{ids[4]}")
        page.keyboard.press("p")
        take_form(page, "pecah")
        page.goto(f"{desk.address}/antrean")
        page.keyboard.press("?")
        take(page, "pintasan", 820)
        page.goto(f"{desk.address}/kasus/{ids[0]}")
        page.keyboard.press("Enter")
        page.wait_for_url("**selesai=**")
        take(page, "urungkan", 300)
        page.goto(f"{desk.address}/papan")
        take(page, "papan", 900)
        page.goto(f"{desk.address}/pengaturan")
        take(page, "pengaturan", 900)


@contextmanager
def running(bundle: Path, *, blind: str) -> Iterator[Desk]:
    """A service with a database of its own; `blind` is the share of cases that are checked without a suggestion."""
    os.environ |= {"DISPOSISI_BLIND_SHARE": blind, "DISPOSISI_AUDIT_SHARE": "0"}
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "pictures.db"
        with closing(open_store(str(database))) as store:
            access = Access(store)
            key = access.create_key("pictures", list(Scope))[1]
            cookies = {
                name: access.change_password(name, access.create_moderator(name, scopes, REGION), PASSWORD)
                for name, scopes in ((MODERATOR, ["review", "admin"]), (COLLEAGUE, ["review"]))
            }
        with server(bundle, database) as address:
            yield Desk(address, key, cookies)


@contextmanager
def page_of(browser: Browser, desk: Desk, moderator: str) -> Iterator[Page]:
    """A page for a moderator who has signed in."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="id-ID")
    context.add_cookies([{"name": "disposisi", "value": desk.cookies[moderator], "url": desk.address}])
    yield context.new_page()
    context.close()


def take(page: Page, name: str, height: int) -> None:
    """The page's top, so many pixels of it."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.screenshot(path=HERE / f"{name}.png")
    _lighten(name)


def take_form(page: Page, name: str) -> None:
    """The verdict's part of the page alone."""
    page.locator("section[aria-labelledby=putusan]").screenshot(path=HERE / f"{name}.png")
    _lighten(name)


def _lighten(name: str) -> None:
    path = HERE / f"{name}.png"
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
