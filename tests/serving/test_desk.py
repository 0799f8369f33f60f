"""The moderators' desk: pages in Indonesian, safe with any text, whole without JavaScript, one verdict per case."""

from __future__ import annotations

import csv
import dataclasses
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jinja2 import meta, nodes
from starlette.testclient import TestClient

from data.complaint import Complaint, Confidentiality
from data.region import load_region
from model.bundle import Bundle
from model.text import ALL_STEPS, REQUIRED_STEPS, TextChain, whole_chain
from serving import desk, signin
from serving.access import Access
from serving.case import Case, LabelSource, Status
from serving.export import reviewed_rows
from serving.pages import MessagePage, environment
from serving.privacy import forget, looks_at
from serving.settings import Settings
from serving.store import Store
from serving.triage import Intake, Triage
from tests.serving.clients import PASSWORD, client_of
from tests.serving.conftest import REGION
from tests.serving.processes import run_disposisi

RUBBISH = "Sampah menumpuk di pinggir kali Cirarab, baunya sampai ke rumah warga"
SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>&amp;"
# What is kept of it, and so what must be shown.
KEPT_SCRIPT = SCRIPT.replace("&amp;", "&")
VOID = {"meta", "link", "input", "img", "br", "hr"}


class Page(HTMLParser):
    """A page taken apart: its elements with their attributes, and what is wrong with how they are nested."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.unlabelled: list[dict[str, str]] = []
        self.words: list[str] = []
        self.marked: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag in ("input", "select", "textarea") and "label" not in self._open:
            self.unlabelled.append(attributes)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "mark" in self._open:
            self.marked.append(data)

    def every(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def verdict_forms(self) -> list[str]:
        """Where the forms for a verdict go."""
        return [form["action"] for form in self.every("form") if form["action"].endswith("/putusan")]

    def hidden(self, name: str) -> list[str]:
        """The values of the hidden fields of that name."""
        return [box["value"] for box in self.every("input") if (box.get("type"), box.get("name")) == ("hidden", name)]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def checked(self, name: str) -> list[str]:
        """The values of the radio buttons of that name that are on."""
        return [box["value"] for box in self.every("input") if box.get("name") == name and "checked" in box]


def checked_page(answer: httpx2.Response, status: int = 200) -> Page:
    """A page of that status that passes what every page must."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.lstrip().lower().startswith("<!doctype html>")
    page = Page(answer.text)
    assert page.every("html") == [{"lang": "id"}]
    assert len(page.every("h1")) == len(page.every("title")) == len(page.every("main")) == 1
    assert not page.every("script")
    assert not page.every("style")
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not any(value.lower().lstrip().startswith("javascript:") for value in attributes.values())
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert not [name for name, count in Counter(ids).items() if count > 1]
    labelled = {label["for"] for label in page.every("label") if "for" in label}
    assert labelled <= set(ids)
    assert not [box for box in page.unlabelled if box.get("type") != "hidden" and box.get("id") not in labelled]
    return page


def take_in(triage: Triage, text: str = RUBBISH, **more: Any) -> Case:
    told = {name: more.pop(name) for name in ("title", "location", "region") if name in more}
    return triage.receive(Intake(Complaint(text, **told), **more))


def suggestion(case: Case) -> dict[str, str]:
    """The form as it is sent when a moderator accepts the suggestion."""
    assert case.answer.urgency is not None
    return {
        "pilihan": f"{case.answer.agency}/{case.answer.sector}",
        "instansi_lain": "",
        "urgensi": str(case.answer.urgency),
        "catatan": "",
    }


def agency_names() -> set[str]:
    return {agency.name for agency in load_region(REGION).all_agencies.values()}


def token_of(client: TestClient) -> dict[str, str]:
    """The hidden field that every form of this session holds."""
    return {"csrf": Page(client.get("/sandi").text).hidden("csrf")[0]}


def send(client: TestClient, case: Case, form: dict[str, str], **headers: str) -> httpx2.Response:
    return client.post(f"/kasus/{case.id}/putusan", data=token_of(client) | form, headers=headers)


@pytest.fixture
def client(anonymous_client: TestClient, access: Access) -> TestClient:
    """The client of the moderator budi, who may see every region."""
    token = access.change_password("budi", access.create_moderator("budi", ["review"]), PASSWORD)
    anonymous_client.cookies.set("disposisi", token)
    return anonymous_client


def test_the_front_door_leads_to_the_queue(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.is_redirect
    assert answer.headers["location"] == "/antrean"


def test_an_empty_queue_says_so_in_indonesian(client: TestClient) -> None:
    page = checked_page(client.get("/antrean"))
    assert "Tidak ada laporan yang menunggu putusan." in page.text


def test_the_queue_shows_each_waiting_case_with_a_link_to_it(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    page = checked_page(client.get("/antrean"))
    assert "1 laporan menunggu putusan." in page.text
    assert "Sampah menumpuk di pinggir kali" in page.text
    assert load_region(REGION).all_agencies[str(case.answer.agency)].name in page.text
    [link] = [anchor["href"] for anchor in page.every("a") if case.id in anchor["href"]]
    checked_page(client.get(link))


def test_a_long_queue_is_turned_page_by_page(client: TestClient, triage: Triage) -> None:
    ids = {take_in(triage, f"got mampet di gang nomor {number}").id for number in range(desk.PAGE_SIZE + 3)}
    first = checked_page(client.get("/antrean"))
    assert "/antrean?halaman=2" in [anchor["href"] for anchor in first.every("a")]
    second = checked_page(client.get("/antrean?halaman=2"))
    assert "/antrean?halaman=1" in [anchor["href"] for anchor in second.every("a")]
    assert "/antrean?halaman=3" not in [anchor["href"] for anchor in second.every("a")]
    shown = [
        anchor["href"].removeprefix("/kasus/")
        for page in (first, second)
        for anchor in page.every("a")
        if anchor["href"].startswith("/kasus/")
    ]
    assert set(shown) == ids
    assert len(shown) == len(ids)


def test_a_case_page_tells_the_suggestion_its_chance_and_its_reasons(client: TestClient, triage: Triage) -> None:
    case = take_in(
        triage, location="Desa Gintung", channel="WhatsApp", received_at=datetime(2026, 8, 17, 17, tzinfo=UTC)
    )
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert RUBBISH in page.text
    assert load_region(REGION).all_agencies[str(case.answer.agency)].name in page.text
    assert re.search(r"peluang (lebih dari |kurang dari )?\d{1,2} %", page.text)
    assert "Menunggu putusan" in page.text
    assert "Desa Gintung" in page.text
    assert "18 Agu 2026 00.00 WIB, lewat WhatsApp" in page.text
    assert "Model ini belum terbukti cukup sering benar di daerah ini" in page.text
    assert page.checked("pilihan") == [suggestion(case)["pilihan"]]
    assert page.checked("urgensi") == [suggestion(case)["urgensi"]]


def test_the_words_that_decided_are_marked_where_they_stand(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "Tolong, SAMPAH menumpuk dan tumpukan sampahnya bau", title="Sampah!")
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "SAMPAH" in page.marked
    assert "Sampah!" in page.marked
    speaking = {word["word"] for word in case.answer.detail["explanation"]["words"] if word["contribution"] > 0}
    assert {re.sub(r"\W", "", piece).lower() for piece in page.marked} <= speaking


def test_a_secret_case_shows_its_text_but_no_words_that_decided(client: TestClient, triage: Triage) -> None:
    secret = take_in(triage, confidentiality=Confidentiality.RAHASIA)
    page = checked_page(client.get(f"/kasus/{secret.id}"))
    assert RUBBISH in page.text
    assert page.marked == []
    assert "Kata yang menentukan" not in page.text
    opened = checked_page(client.get(f"/kasus/{take_in(triage).id}"))
    assert opened.marked != []
    assert "Kata yang menentukan" in opened.text


@pytest.mark.parametrize(
    ("text", "deciding", "marked"),
    [
        ("Lampu PJU mati", {"penerangan"}, ["PJU"]),
        ("jalan2 dan jalan-jalan rusak", {"jalan"}, ["jalan2", "jalan-jalan"]),
        ("bangeeeet (RUSAK), rusak!", {"rusak"}, ["(RUSAK),", "rusak!"]),
        ("lampune mati", {"lampunya"}, ["lampune"]),
        ("hubungi [TELEPON], [NIK].", {"[TELEPON]", "[NIK]"}, ["[TELEPON],", "[NIK]."]),
        ("[NAMA] dan nama", {"[NAMA]"}, ["[NAMA]"]),
        ("hp 0812-3456-7890", {"[TELEPON]"}, ["0812-3456-7890"]),
        ("jalan rusak", {"sampah"}, []),
        ("jalan  \n rusak", {""}, []),
        ("", {"jalan"}, []),
    ],
)
def test_a_piece_is_marked_if_a_deciding_word_is_read_in_it(text: str, deciding: set[str], marked: list[str]) -> None:
    pieces = desk.marked_pieces(text, deciding, whole_chain())
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.text for piece in pieces if piece.decided] == marked


@pytest.mark.parametrize(
    ("text", "deciding", "marked"),
    [
        ("wabah PMK sapi", {"penyakit"}, ["PMK"]),
        ("ada 50 kk", {"kepala"}, ["kk"]),
        ("ada 50 kk", {"kartu"}, []),
    ],
)
def test_a_deciding_word_that_its_neighbours_tell_is_marked_too(
    text: str, deciding: set[str], marked: list[str]
) -> None:
    assert [piece.text for piece in desk.marked_pieces(text, deciding, whole_chain()) if piece.decided] == marked


def test_the_pieces_are_read_by_the_steps_of_the_bundle() -> None:
    plain, whole = TextChain(REQUIRED_STEPS), TextChain(ALL_STEPS)
    assert [piece.decided for piece in desk.marked_pieces("PJU", {"penerangan"}, whole)] == [True]
    assert [piece.decided for piece in desk.marked_pieces("PJU", {"penerangan"}, plain)] == [False]
    assert [piece.decided for piece in desk.marked_pieces("PJU", {"pju"}, plain)] == [True]


def test_a_case_with_a_short_form_has_it_marked_where_it_stands(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "PJU mati, gelap gulita")
    words = {word["word"] for word in case.answer.detail["explanation"]["words"] if word["contribution"] > 0}
    assert "penerangan" in words
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "PJU" in page.marked


def test_an_unreadable_complaint_has_no_marks_and_still_takes_a_verdict(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "😡😡🔥")
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert page.marked == []
    assert "Tidak ada kata yang dikenal" in page.text
    queue = checked_page(client.get("/antrean")).text
    assert "Tidak terbaca" in queue
    assert "Wilayah belum diketahui" not in queue
    assert not [name for name in agency_names() if name in queue]
    form = {"pilihan": "lain", "instansi_lain": "dlhk/environment", "urgensi": "0", "catatan": ""}
    assert send(client, case, form).status_code == 303


@pytest.mark.parametrize("sent", [SCRIPT, escape(SCRIPT)], ids=["as-typed", "escaped"])
@pytest.mark.parametrize("field", ["text", "title", "location", "channel"])
def test_markup_in_a_complaint_is_shown_and_never_run(
    client: TestClient, triage: Triage, field: str, sent: str
) -> None:
    case = take_in(triage, **{"text": RUBBISH, field: sent})
    for path in ("/antrean", f"/kasus/{case.id}"):
        answer = client.get(path)
        page = checked_page(answer)
        assert not page.every("img")
        if path != "/antrean" or field in ("text", "title"):
            assert KEPT_SCRIPT in page.text


def test_markup_in_a_note_is_shown_and_never_run(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    note = f"</textarea>{SCRIPT}"
    again = send(client, case, {"catatan": note})
    assert checked_page(again, 422).every("img") == []
    assert note in unescape(again.text)
    assert send(client, case, suggestion(case) | {"catatan": note}).status_code == 303
    assert f"</textarea>{KEPT_SCRIPT}" in checked_page(client.get(f"/kasus/{case.id}")).text


def test_an_accepted_suggestion_is_kept_as_accepted(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    answer = send(client, case, suggestion(case) | {"catatan": "  sudah dicek \n"})
    assert answer.status_code == 303
    queue = checked_page(client.get(answer.headers["location"]))
    assert f"Putusan untuk kasus {case.id[:8]} tersimpan." in queue.text
    assert "Tidak ada laporan yang menunggu putusan." in queue.text
    decided = triage.store.get(case.id)
    assert decided.status is Status.DECIDED
    assert decided.answer == case.answer
    assert decided.review is not None
    assert decided.review.label_source is LabelSource.HUMAN_ACCEPTED
    assert decided.review.verdict.note == "sudah dicek"
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "usulan diterima" in page.text
    assert page.verdict_forms == []


@pytest.mark.parametrize(
    ("form", "agency", "sector"),
    [
        ({"pilihan": "lain", "instansi_lain": "dinkes/health"}, "dinkes", "health"),
        ({"pilihan": "lain", "instansi_lain": "polres/police"}, "polres", "police"),
        ({"pilihan": "dishub/transport"}, "dishub", "transport"),
    ],
)
def test_another_agency_is_kept_as_a_correction(
    client: TestClient, triage: Triage, form: dict[str, str], agency: str, sector: str
) -> None:
    case = take_in(triage)
    assert send(client, case, suggestion(case) | form).status_code == 303
    review = triage.store.get(case.id).review
    assert review is not None
    assert (review.verdict.agency, review.verdict.sector) == (agency, sector)
    assert review.label_source is LabelSource.HUMAN_CORRECTED
    assert review.reviewer == "moderator:budi"
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert f"Diteruskan ke {load_region(REGION).all_agencies[agency].name}" in page.text
    assert "usulan dikoreksi" in page.text


def test_another_urgency_alone_is_a_correction(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    other = {"urgensi": "3" if case.answer.urgency != 3 else "0"}
    assert send(client, case, suggestion(case) | other).status_code == 303
    review = triage.store.get(case.id).review
    assert review is not None
    assert review.label_source is LabelSource.HUMAN_CORRECTED


def test_a_verdict_can_name_the_office_of_an_area(client: TestClient, triage: Triage) -> None:
    region = load_region(REGION)
    [curug] = [area for area in region.areas if area.is_district and area.name == "Curug"]
    office = f"district-office:{curug.code}"
    case = take_in(triage, "Pelayanan di kantor camat lambat sekali")
    options = [option["value"] for option in checked_page(client.get(f"/kasus/{case.id}")).every("option")]
    assert f"{office}/district-office" in options
    form = suggestion(case) | {"pilihan": "lain", "instansi_lain": f"{office}/district-office"}
    assert send(client, case, form).status_code == 303
    assert "Kecamatan Curug: Kecamatan" in checked_page(client.get(f"/kasus/{case.id}")).text
    [row], _ = reviewed_rows(triage.store)
    assert (row["agency"], row["sector"], row["area"]) == ("Kecamatan Curug", "district-office", "Curug")


def test_a_case_whose_area_is_unknown_suggests_no_office_but_offers_all(client: TestClient, triage: Triage) -> None:
    texts = ("Pelayanan pegawai kecamatan lambat sekali", "Kantor kecamatan tutup sebelum jam dua siang")
    [case, *_] = [case for case in (take_in(triage, text) for text in texts) if case.answer.agency is None]
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "wilayah belum diketahui" in page.text
    assert page.checked("pilihan") == ["lain"]
    assert "Wilayah belum diketahui" in checked_page(client.get("/antrean")).text


def test_every_sector_of_the_region_can_be_chosen(client: TestClient, triage: Triage) -> None:
    region = load_region(REGION)
    options = {
        option["value"] for option in checked_page(client.get(f"/kasus/{take_in(triage).id}")).every("option")
    } - {""}
    assert options == {
        f"{agency.code}/{sector}"
        for agency in region.all_agencies.values()
        for sector in agency.sectors or filter(None, [agency.label_sector])
    }


BAD_CHOICES = [
    {"pilihan": ""},
    {"pilihan": "lain", "instansi_lain": ""},
    {"pilihan": "lain", "instansi_lain": "dinas-impian/health"},
    {"pilihan": "dinkes/public-works"},
    {"pilihan": "dinkes"},
    {"pilihan": "/"},
    {"urgensi": ""},
    {"urgensi": "4"},
    {"urgensi": "-1"},
    {"urgensi": "tinggi"},
    {"urgensi": "１"},
]


@pytest.mark.parametrize("wrong", BAD_CHOICES)
def test_a_wrong_choice_gives_the_form_back_with_the_note(
    client: TestClient, triage: Triage, wrong: dict[str, str]
) -> None:
    case = take_in(triage)
    note = "Sudah ditelepon; warga menunggu."
    page = checked_page(send(client, case, suggestion(case) | {"catatan": note} | wrong), 422)
    assert "Pilih" in page.text
    assert note in page.text
    assert len(page.verdict_forms) == 1
    assert triage.store.get(case.id) == case


def test_all_that_is_wrong_with_a_verdict_is_told_at_once(client: TestClient, triage: Triage) -> None:
    page = checked_page(send(client, take_in(triage), {"catatan": "x" * (desk.LONGEST_NOTE + 1)}), 422)
    assert "Pilih instansi yang harus menjawab." in page.text
    assert "Pilih tingkat urgensi." in page.text
    assert "Catatan paling panjang" in page.text


def test_a_wrong_agency_gives_the_form_back_with_the_urgency_that_was_chosen(
    client: TestClient, triage: Triage
) -> None:
    case = take_in(triage)
    chosen = "3" if case.answer.urgency != 3 else "0"
    form = suggestion(case) | {"pilihan": "lain", "instansi_lain": "", "urgensi": chosen}
    assert checked_page(send(client, case, form), 422).checked("urgensi") == [chosen]


def test_another_agency_without_a_name_gives_the_form_back_with_that_choice(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    form = suggestion(case) | {"pilihan": "lain", "instansi_lain": ""}
    assert checked_page(send(client, case, form), 422).checked("pilihan") == ["lain"]


def test_a_wrong_urgency_gives_the_form_back_with_the_agency_that_was_chosen(
    client: TestClient, triage: Triage
) -> None:
    case = take_in(triage)
    form = suggestion(case) | {"pilihan": "lain", "instansi_lain": "kanim/immigration", "urgensi": ""}
    page = checked_page(send(client, case, form), 422)
    assert page.checked("pilihan") == ["lain"]
    assert [option["value"] for option in page.every("option") if "selected" in option] == ["kanim/immigration"]


def test_a_note_as_long_as_the_form_lets_one_type_is_kept(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    # Browsers count a line's end as one character against maxlength, and send it as two.
    typed = "baris\n" * (desk.LONGEST_NOTE // 6)
    answer = send(client, case, suggestion(case) | {"catatan": typed.replace("\n", "\r\n")})
    assert answer.status_code == 303, checked_page(answer, 422).text


def test_a_note_with_control_characters_breaks_nothing(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    answer = send(client, case, suggestion(case) | {"catatan": "nol \x00 dan \x1b akhir"})
    assert answer.status_code in (303, 422)
    checked_page(client.get(f"/kasus/{case.id}"))


def test_a_second_verdict_is_told_that_it_came_too_late(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    send(client, case, suggestion(case))
    first = triage.store.get(case.id)
    form = suggestion(case) | {"pilihan": "lain", "instansi_lain": "dinkes/health"}
    page = checked_page(send(client, case, form), 409)
    assert "Putusan Anda tidak disimpan." in page.text
    assert triage.store.get(case.id) == first


@pytest.fixture
def bold(bold_bundle: Bundle, store: Store) -> Triage:
    """A triage that routes by itself."""
    return Triage(bold_bundle, REGION, store)


@pytest.fixture
def bold_client(bold: Triage) -> Iterator[TestClient]:
    with client_of(bold) as opened:
        yield opened


def test_nothing_routed_yet_is_told_in_indonesian(bold_client: TestClient) -> None:
    page = checked_page(bold_client.get("/antrean?lihat=diteruskan"))
    assert "Belum ada laporan yang diteruskan otomatis." in page.text


def test_a_case_routed_wrongly_is_found_corrected_and_exported(
    bold_client: TestClient, bold: Triage, database: Path, tmp_path: Path
) -> None:
    case = take_in(bold)
    assert case.status is Status.ROUTED
    queue = checked_page(bold_client.get("/antrean"))
    assert "Tidak ada laporan yang menunggu putusan." in queue.text
    assert case.id not in str(queue.every("a"))
    [way] = [anchor["href"] for anchor in queue.every("a") if "diteruskan" in anchor["href"]]
    routed = checked_page(bold_client.get(way))
    assert "1 laporan sudah diteruskan tanpa moderator." in routed.text
    [link] = [anchor["href"] for anchor in routed.every("a") if case.id in anchor["href"]]
    page = checked_page(bold_client.get(link))
    assert "Diteruskan otomatis" in page.text
    assert len(page.verdict_forms) == 1
    assert page.checked("pilihan") == [suggestion(case)["pilihan"]]
    form = suggestion(case) | {"pilihan": "lain", "instansi_lain": "dinkes/health"}
    assert send(bold_client, case, form).status_code == 303
    decided = bold.store.get(case.id)
    assert (decided.status, decided.answer) == (Status.DECIDED, case.answer)
    assert case.id not in bold_client.get(way).text
    assert checked_page(bold_client.get(link)).verdict_forms == []
    checked_page(send(bold_client, case, suggestion(case)), 409)
    assert bold.store.get(case.id) == decided
    out = tmp_path / "reviewed.csv"
    done = run_disposisi("rows", "export", "--database", database, "--out", out)
    assert done.returncode == 0, done.stderr
    [row] = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    assert (row["id"], row["sector"], row["label_source"]) == (case.id, "health", "human-corrected")
    assert row["suggested_sector"] == case.answer.sector


def test_a_long_list_of_routed_cases_is_turned_page_by_page(bold_client: TestClient, bold: Triage) -> None:
    ids = [take_in(bold, f"{RUBBISH} nomor {number}").id for number in range(desk.PAGE_SIZE + 3)]
    shown: list[str] = []
    for number, others in ((1, {2}), (2, {1})):
        page = checked_page(bold_client.get(f"/antrean?lihat=diteruskan&halaman={number}"))
        links = [anchor["href"] for anchor in page.every("a")]
        turns = {link.rpartition("=")[2] for link in links if "halaman=" in link}
        assert turns == {str(other) for other in others}
        assert all(link.startswith("/antrean?lihat=diteruskan&") for link in links if "halaman=" in link)
        shown += [link.removeprefix("/kasus/") for link in links if link.startswith("/kasus/")]
    assert shown == ids[::-1]


def test_an_unknown_case_is_a_page_in_indonesian(client: TestClient) -> None:
    assert "Tidak ditemukan" in checked_page(client.get("/kasus/tidak-ada"), 404).text
    assert "Tidak ditemukan" in checked_page(client.post("/kasus/tidak-ada/putusan", data=token_of(client)), 404).text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_verdict_sent_from_another_site_is_refused(client: TestClient, triage: Triage, site: str) -> None:
    case = take_in(triage)
    page = checked_page(send(client, case, suggestion(case), **{"Sec-Fetch-Site": site}), 403)
    assert "Ditolak" in page.text
    assert triage.store.get(case.id) == case


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_verdict_sent_from_the_desk_itself_is_taken(client: TestClient, triage: Triage, site: str) -> None:
    case = take_in(triage)
    assert send(client, case, suggestion(case), **{"Sec-Fetch-Site": site}).status_code == 303


@pytest.mark.parametrize("origin", ["https://contoh.example", "http://127.0.0.1:9", "http://localhost", "127.0.0.1"])
@pytest.mark.parametrize("site", [{}, {"Sec-Fetch-Site": "same-origin"}])
def test_a_verdict_whose_origin_is_another_is_refused(
    client: TestClient, triage: Triage, origin: str, site: dict[str, str]
) -> None:
    case = take_in(triage)
    checked_page(send(client, case, suggestion(case), Origin=origin, **site), 403)
    assert triage.store.get(case.id) == case


def test_a_verdict_from_nowhere_by_way_of_another_site_is_refused(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    checked_page(send(client, case, suggestion(case), Origin="null", **{"Sec-Fetch-Site": "cross-site"}), 403)
    assert triage.store.get(case.id) == case


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_a_verdict_whose_origin_is_the_desk_itself_is_taken(client: TestClient, triage: Triage, host: str) -> None:
    case = take_in(triage)
    sent = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert send(client, case, suggestion(case), **sent).status_code == 303


def test_personal_data_in_a_note_is_masked_before_it_is_kept(
    client: TestClient, triage: Triage, database: Path
) -> None:
    case = take_in(triage)
    secrets = ("0812-3456-7890", "3603121506780001", "warga.curug@contoh.example", "https://contoh.example/foto")
    form = suggestion(case) | {"catatan": f"Hubungi {' atau '.join(secrets)}"}
    assert send(client, case, form).status_code == 303
    review = triage.store.get(case.id).review
    assert review is not None
    assert review.verdict.note == "Hubungi [TELEPON] atau [NIK] atau [EMAIL] atau [URL]"
    with closing(sqlite3.connect(database)) as connection:
        dump = "\n".join(connection.iterdump())
    assert not [secret for secret in secrets if secret in dump]


def test_the_offices_of_the_suggested_sector_are_offered_first(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "Pelayanan pegawai kecamatan Curug lambat sekali")
    page = checked_page(client.get(f"/kasus/{case.id}"))
    groups: list[tuple[str, list[str]]] = []
    for tag, attributes in page.elements:
        if tag == "optgroup":
            groups.append((attributes["label"], []))
        elif tag == "option" and groups:
            groups[-1][1].append(attributes["value"])
    [(first, likely), (second, others)] = groups
    assert (first, second) == ("Sesuai usulan", "Lainnya")
    assert likely
    assert others
    assert {value.rpartition("/")[2] for value in likely} == {case.answer.sector}
    assert case.answer.sector not in {value.rpartition("/")[2] for value in others}


def test_a_form_with_a_file_is_answered_with_a_page(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    path = f"/kasus/{case.id}/putusan"
    file = {"catatan": ("surat.txt", b"kecapung7491", "text/plain")}
    checked_page(client.post(path, data=token_of(client) | suggestion(case), files=file), 422)
    assert triage.store.get(case.id) == case


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_form_that_can_not_be_read_is_answered_with_a_page(
    client: TestClient, triage: Triage, content_type: str
) -> None:
    case = take_in(triage)
    path = f"/kasus/{case.id}/putusan"
    answer = client.post(path, content=b"kecapung7491", headers={"Content-Type": content_type})
    checked_page(answer, answer.status_code)
    assert answer.status_code in (400, 403)
    assert "kecapung7491" not in answer.text
    assert triage.store.get(case.id) == case


def test_a_form_over_the_limit_is_answered_with_a_page(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    checked_page(send(client, case, suggestion(case) | {"catatan": "x" * Settings().largest_body_bytes}), 413)
    assert triage.store.get(case.id) == case


def test_a_notice_can_not_be_put_into_the_queue_from_outside(client: TestClient) -> None:
    page = checked_page(client.get("/antrean", params={"selesai": f"{SCRIPT} hubungi 0812"}))
    assert "tersimpan" not in page.text
    assert "0812" not in page.text


def test_a_secret_case_is_marked_on_the_desk_and_stays_out_of_the_export(
    client: TestClient, triage: Triage, database: Path, tmp_path: Path
) -> None:
    secret = take_in(triage, "Oknum pegawai menagih uang kecapung7491", confidentiality=Confidentiality.RAHASIA)
    anonymous = take_in(triage, RUBBISH, confidentiality=Confidentiality.ANONIM)
    assert "Rahasia" in checked_page(client.get(f"/kasus/{secret.id}")).text
    for case in (secret, anonymous):
        form = suggestion(case) | {"pilihan": "lain", "instansi_lain": "inspektorat/oversight"}
        assert send(client, case, form).status_code == 303
    out = tmp_path / "reviewed.csv"
    done = run_disposisi("rows", "export", "--database", database, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "1 reviewed rows" in done.stdout
    assert "1 cases were left out: secret (rahasia), or their text was emptied." in done.stderr
    written = out.read_text(encoding="utf-8")
    assert "kecapung7491" not in written
    [row] = csv.DictReader(written.splitlines())
    assert (row["id"], row["confidentiality"]) == (anonymous.id, "anonim")
    assert (row["sector"], row["suggested_sector"]) == ("oversight", anonymous.answer.sector)


def test_a_case_page_tells_what_to_know_and_offers_drafts_to_the_citizen(client: TestClient, triage: Triage) -> None:
    said = {
        "Kabel listrik PLN putus dan menjuntai di jalan Desa Klebet": [
            "Tanda bahaya. Terbaca dalam laporan: kabel listrik putus atau menjuntai.",
            "Kewenangan. Tampaknya ada pada pemerintah pusat. Dapat dirujuk ke PLN UP3 Cikupa.",
            "Rancangan balasan Terima kasih atas laporan Anda.",
        ],
        "ada sampah menumpuk": ["Kelengkapan. Belum disebut: tempat.", "Rancangan balasan", "Di mana letaknya?"],
        "Jalan di Desa Klebet berlubang besar, aspal mengelupas. Selain itu obat di puskesmas Curug habis dan petugas "
        "loketnya kurang ramah": [
            "Dua perkara. Mungkin untuk Dinas Bina Marga dan Sumber Daya Air serta Dinas Kesehatan, peluang",
        ],
    }
    for text, notes in said.items():
        page = checked_page(client.get(f"/kasus/{take_in(triage, text).id}"))
        assert [note for note in notes if note not in page.text] == []
        assert len(page.every("summary")) == page.text.count("Rancangan balasan")
    plain = checked_page(client.get(f"/kasus/{take_in(triage, 'Petugas loket puskesmas Curug kurang ramah').id}"))
    assert not plain.every("details")


def test_a_case_page_leads_to_similar_cases_and_names_likely_duplicates(client: TestClient, triage: Triage) -> None:
    monday = datetime(2026, 3, 2, 5, tzinfo=UTC)
    first = take_in(triage, received_at=monday)
    page = checked_page(client.get(f"/kasus/{first.id}"))
    assert "Laporan serupa" not in page.text
    again = take_in(triage, received_at=monday + timedelta(days=4))
    page = checked_page(client.get(f"/kasus/{again.id}"))
    assert "Laporan serupa" in page.text
    assert f"Kasus {first.id[:8]} kemiripan lebih dari 99 %, 4 hari sebelumnya kemungkinan laporan ganda" in page.text
    assert [link["href"] for link in page.every("a") if first.id in link["href"]] == [f"/kasus/{first.id}"]
    secret = take_in(triage, confidentiality=Confidentiality.RAHASIA, received_at=monday + timedelta(days=5))
    assert "Laporan serupa" not in checked_page(client.get(f"/kasus/{secret.id}")).text


@pytest.mark.parametrize(
    ("template", "context"),
    [
        ("queue.html", desk.QueuePage),
        ("case.html", desk.CasePage),
        ("message.html", MessagePage),
        ("sign_in.html", signin.SignInPage),
        ("send_again.html", signin.SendAgainPage),
        ("password.html", signin.PasswordPage),
    ],
)
def test_a_page_uses_exactly_what_its_dataclass_holds(template: str, context: type) -> None:
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, template)
    base, _, _ = environment.loader.get_source(environment, "base.html")
    parsed = environment.parse(source)
    used = meta.find_undeclared_variables(parsed) | meta.find_undeclared_variables(environment.parse(base))
    used -= {macro.name for macro in parsed.find_all(nodes.Macro)}
    # What a template sets at its top is seen in its blocks.
    used -= {set_.target.name for set_ in parsed.find_all(nodes.Assign) if isinstance(set_.target, nodes.Name)}
    assert used - {"visitor"} == {field.name for field in dataclasses.fields(context)}
    assert environment.undefined.__name__ == "StrictUndefined"


def test_every_page_says_who_is_signed_in_and_offers_to_sign_out(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    for path in ("/antrean", f"/kasus/{case.id}", "/kasus/tidak-ada", "/sandi"):
        answer = client.get(path)
        page = checked_page(answer, answer.status_code)
        assert "Masuk sebagai budi" in page.text
        assert "/keluar" in [form["action"] for form in page.every("form")]


def test_every_form_holds_the_token_of_the_session(client: TestClient, triage: Triage) -> None:
    [token] = token_of(client).values()
    for path in ("/antrean", f"/kasus/{take_in(triage).id}", "/sandi"):
        page = checked_page(client.get(path))
        assert page.hidden("csrf") == [token] * len(page.every("form"))


@pytest.fixture
def bandung_client(client: TestClient, access: Access) -> TestClient:
    """The client of a moderator of another region."""
    first = access.create_moderator("asep", ["review"], "kab-bandung")
    client.cookies.set("disposisi", access.change_password("asep", first, PASSWORD))
    return client


def test_a_moderator_of_a_region_has_its_cases_only(bandung_client: TestClient, triage: Triage) -> None:
    own, other = take_in(triage, region="kab-bandung"), take_in(triage)
    queue = checked_page(bandung_client.get("/antrean"))
    assert "1 laporan menunggu putusan." in queue.text
    assert [link["href"] for link in queue.every("a") if "/kasus/" in link["href"]] == [f"/kasus/{own.id}"]
    checked_page(bandung_client.get(f"/kasus/{own.id}"))
    assert "Tidak ditemukan" in checked_page(bandung_client.get(f"/kasus/{other.id}"), 404).text
    checked_page(send(bandung_client, other, suggestion(other)), 404)
    assert triage.store.get(other.id) == other
    assert "Belum ada" in checked_page(bandung_client.get("/antrean?lihat=diteruskan")).text


def test_each_look_at_a_secret_case_is_on_record_and_the_queue_shows_nothing_of_it(
    client: TestClient, triage: Triage
) -> None:
    secret = take_in(triage, confidentiality=Confidentiality.RAHASIA)
    queue = checked_page(client.get("/antrean"))
    assert "Laporan rahasia" in queue.text
    assert "Sampah" not in queue.text
    assert looks_at(triage.store, secret.id) == []
    client.get(f"/kasus/{secret.id}")
    send(client, secret, {"catatan": "belum dipilih"})
    seen = [(entry.actor, entry.action) for entry in looks_at(triage.store, secret.id)]
    assert seen == [("moderator:budi", "look")] * 2


def test_a_case_that_was_sent_back_waits_again_and_tells_why(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    send(client, case, suggestion(case))
    triage.give_back(case.id, "dinkes", "Bukan wewenang kami", by="key:ab12cd34")
    assert "1 laporan menunggu putusan." in checked_page(client.get("/antrean")).text
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "Dikembalikan instansi" in page.text
    assert re.search(r"Dikembalikan\. Oleh Dinas Kesehatan, .* Alasan: Bukan wewenang kami", page.text)
    assert "oleh budi" in page.text
    assert page.verdict_forms == [f"/kasus/{case.id}/putusan"]
    assert send(client, case, suggestion(case)).status_code == 303


def test_a_forgotten_case_says_that_its_words_are_gone(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    forget(triage.store, case.id, by="moderator:admin", reason="permintaan pelapor")
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "sudah dihapus" in page.text
    assert page.verdict_forms == []


def test_a_case_that_somebody_else_is_at_work_on_takes_no_verdict_and_the_note_is_given_back(
    client: TestClient, triage: Triage
) -> None:
    case = take_in(triage)
    triage.claim(case.id, by="moderator:sari")
    page = checked_page(send(client, case, suggestion(case) | {"catatan": "sudah ditelepon"}), 409)
    assert "Sedang dikerjakan" in page.text
    assert "sudah ditelepon" in page.text
    assert triage.store.get(case.id).review is None


def test_a_verdict_that_came_too_late_gives_its_note_back(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    send(client, case, suggestion(case))
    page = checked_page(send(client, case, suggestion(case) | {"catatan": "sudah ditelepon"}), 409)
    assert "sudah ditelepon" in page.text
