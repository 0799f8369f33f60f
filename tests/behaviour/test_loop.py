"""The circle: complaints of an unknown kind are corrected in a browser, exported and trained on, and then known."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from data.complaint import Complaint
from data.region import load_region
from data.sectors import find_sector
from model.bundle import load_bundle
from tests.serving.processes import Server, run_disposisi

pytestmark = pytest.mark.browser

REGION = "kab-tangerang"
SAMPLES = "data/samples/kab-tangerang.csv"
# Kite strings coated with ground glass: a matter of public order, of which the sample corpus knows next to nothing.
AGENCY, SECTOR = "satpolpp", "public-order"
GLASS_STRINGS = [
    "Ada benang gelasan melintang di jalan raya, leher pengendara motor tersayat",
    "Tiap sore orang dewasa adu gelasan di atas jembatan, benangnya jatuh ke jalan",
    "Benang gelasan putus menyangkut di kabel listrik dan melilit ban motor saya",
    "Anak saya luka di kuping kena gelasan waktu pulang sekolah, harus dijahit di puskesmas",
    "Lapangan samping sekolah dipakai adu gelasan sampai magrib, sisa benangnya di mana-mana",
    "Penjual gelasan mangkal di depan sekolah dasar, murid-murid ikut membeli",
]
NEVER_SEEN = "Sisa benang gelasan bertebaran di jalan dekat jembatan, kemarin tukang sayur hampir celaka"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that runs no JavaScript."""
    context = browser.new_context(java_script_enabled=False, locale="id-ID")
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def server(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(bundle_folder, tmp_path_factory.mktemp("desk") / "cases.db") as running:
        yield running


def post(server: Server, **complaint: str) -> dict[str, Any]:
    answer = server.post("/v1/complaints", json=complaint)
    assert answer.status_code == 201, answer.text
    case: dict[str, Any] = answer.json()
    return case


def sign_in(page: Page, server: Server) -> None:
    """Let the page's browser in at the desk, as a moderator of its own."""
    cookies = server.sign_in()
    page.context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies.items()])


def sector_by(bundle: Path, text: str) -> str:
    """The likeliest sector of a text by that bundle."""
    [prediction] = load_bundle(bundle).predict([Complaint(text, region=REGION)])
    return prediction.sector.label


def correct(page: Page, server: Server, case_id: str, agency: str, sector: str) -> None:
    """Open a case from the queue as a moderator does, choose another agency, and save."""
    page.goto(f"{server.url}/antrean")
    page.locator(f'a[href="/kasus/{case_id}"]').click()
    page.get_by_label("Instansi lain, ketik di bawah").check()
    page.locator("#instansi_lain").fill(f"{agency}: {sector}")
    page.locator('input[name="urgensi"][value="1"]').check()
    page.get_by_label("Catatan").fill("Benang gelasan ditertibkan Satpol PP.")
    page.get_by_role("button", name="Simpan putusan").click()


def saved(page: Page) -> str:
    """What a page says of a verdict that was just saved."""
    return page.get_by_role("status").locator("p").inner_text()


def test_six_corrections_in_the_browser_teach_the_model_a_kind_it_routed_wrongly(
    page: Page, bundle_folder: Path, tmp_path: Path
) -> None:
    database, reviewed, taught = tmp_path / "cases.db", tmp_path / "reviewed.csv", tmp_path / "new"
    agency = load_region(REGION).all_agencies[AGENCY].name
    assert sector_by(bundle_folder, NEVER_SEEN) != SECTOR

    with Server(bundle_folder, database) as server:
        sign_in(page, server)
        suggested = {}
        for text in GLASS_STRINGS:
            case = post(server, text=text)
            suggested[case["id"]] = case["prediction"]["sector"]
        assert SECTOR not in suggested.values()
        for case_id in suggested:
            correct(page, server, case_id, agency, find_sector(SECTOR).name)
            assert saved(page) == f"Putusan untuk kasus {case_id[:8]} tersimpan."
            page.goto(f"{server.url}/antrean")
            assert page.locator(f'a[href="/kasus/{case_id}"]').count() == 0
        assert page.get_by_text("Tidak ada laporan yang menunggu putusan.").is_visible()
        page.goto(f"{server.url}/kasus/{case_id}")
        assert page.get_by_text("usulan dikoreksi").is_visible()
        assert page.get_by_role("button", name="Simpan putusan").count() == 0

    exported = run_disposisi("rows", "export", "--database", database, "--out", reviewed)
    assert exported.returncode == 0, exported.stderr
    rows = list(csv.DictReader(StringIO(reviewed.read_text(encoding="utf-8"))))
    assert {row["id"]: row["suggested_sector"] for row in rows} == suggested
    assert [row["text"] for row in rows] == GLASS_STRINGS
    assert {(row["agency"], row["sector"], row["label_source"]) for row in rows} == {
        (agency, SECTOR, "human-corrected")
    }

    trained = run_disposisi("train", SAMPLES, reviewed, "--region", REGION, "--into", taught)
    assert trained.returncode == 0, trained.stderr
    assert sector_by(taught, NEVER_SEEN) == SECTOR
    with Server(taught, database) as server:
        prediction = post(server, text=NEVER_SEEN)["prediction"]
    assert prediction["sector"] == SECTOR
    assert prediction["agency"]["code"] == AGENCY


def tab_to(page: Page, field: Locator) -> None:
    """Press Tab until the field has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if field.and_(page.locator(":focus")).count():
            return
    raise AssertionError("the field is never reached by Tab")


def test_a_moderator_needs_no_mouse_even_without_scripts(page: Page, server: Server) -> None:
    sign_in(page, server)
    case = post(server, text="Benang gelasan melilit tiang bendera di halaman sekolah")
    page.goto(f"{server.url}/kasus/{case['id']}")
    tab_to(page, page.locator("input[name=pilihan]"))
    page.keyboard.press("ArrowDown")
    chosen = page.locator("input[name=pilihan]:checked").get_attribute("value")
    tab_to(page, page.get_by_role("button", name="Simpan putusan"))
    page.keyboard.press("Enter")
    assert saved(page) == f"Putusan untuk kasus {case['id'][:8]} tersimpan."
    review = server.get(f"/v1/cases/{case['id']}").json()["review"]
    assert f"{review['agency']}/{review['sector']}" == chosen
    assert review["label_source"] == "human-corrected"


def test_two_moderators_on_one_case_the_second_reads_who_has_it(browser: Browser, page: Page, server: Server) -> None:
    case = post(server, text="Adu gelasan di atas tanggul setiap hari Minggu")
    context = browser.new_context(java_script_enabled=False)
    other = context.new_page()
    for opened in (page, other):
        sign_in(opened, server)
        opened.goto(f"{server.url}/kasus/{case['id']}")
    assert other.get_by_text("Sedang dikerjakan petugas-").is_visible()
    assert other.get_by_role("button", name="Simpan putusan").count() == 0
    page.get_by_role("button", name="Simpan putusan").click()
    assert "tersimpan" in saved(page)
    other.reload()
    assert other.get_by_text("Sudah diputuskan").first.is_visible()
    context.close()


def test_a_verdict_from_another_site_never_gets_through(page: Page, server: Server, tmp_path: Path) -> None:
    sign_in(page, server)
    case = post(server, text="Gelasan tersangkut di pohon depan balai warga")
    trap = tmp_path / "trap.html"
    trap.write_text(
        f'<form method="post" action="{server.url}/kasus/{case["id"]}/putusan">'
        f'<input name="pilihan" value="{AGENCY}/{SECTOR}"><input name="urgensi" value="0">'
        "<button>Hadiah</button></form>",
        encoding="utf-8",
    )
    page.goto(trap.as_uri())
    page.get_by_role("button").click()
    assert page.get_by_role("heading", name="Ditolak").is_visible()
    assert server.get(f"/v1/cases/{case['id']}").json()["status"] == "waiting"
