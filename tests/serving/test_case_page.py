"""The case's page: the complaint, what decided, what is suggested and known, and what became of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape

import pytest
from jinja2 import meta, nodes
from starlette.testclient import TestClient

from data.complaint import Confidentiality, Urgency
from data.region import Region, load_region
from model.bundle import Bundle
from model.text import ALL_STEPS, REQUIRED_STEPS, TextChain, whole_chain
from serving import case_page as case_pages
from serving import desk, signin, wording
from serving.access import Access
from serving.case_page import CasePage, marked_pieces
from serving.checks import CheckShares
from serving.pages import MessagePage, environment
from serving.privacy import forget, looks_at
from serving.queue_page import QueuePage
from serving.store import Store
from serving.triage import Triage
from tests.serving.clients import client_of
from tests.serving.conftest import REGION
from tests.serving.desk_pages import (
    KEPT_SCRIPT,
    RUBBISH,
    SCRIPT,
    Hand,
    checked_page,
    opened_form,
    other_agency,
    post,
    send,
    sign_in_as,
    suggestion,
    take_in,
    token_of,
)

DRAFT = "Terima kasih atas laporan Anda."


@pytest.fixture
def client(anonymous_client: TestClient, access: Access) -> TestClient:
    """The client of the moderator budi, who may see every region."""
    return sign_in_as(anonymous_client, access, "budi")


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def timed(bundle: Bundle, store: Store, hand: Hand) -> Triage:
    """A triage whose clock is set by hand."""
    return Triage(bundle, REGION, store, hand)


@pytest.fixture
def timed_client(timed: Triage) -> Iterator[TestClient]:
    with client_of(timed) as opened:
        yield opened


@pytest.fixture
def blind(bundle: Bundle, store: Store) -> Triage:
    """A triage that has every case decided without its suggestion."""
    return Triage(bundle, REGION, store, checks=CheckShares(blind=1.0))


@pytest.fixture
def blind_client(blind: Triage) -> Iterator[TestClient]:
    with client_of(blind) as opened:
        yield opened


def test_a_case_page_tells_the_suggestion_its_chance_and_its_reasons(client: TestClient, triage: Triage) -> None:
    at = datetime(2026, 8, 17, 17, tzinfo=UTC)
    case = take_in(triage, location="Desa Gintung", channel="WhatsApp", received_at=at)
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert RUBBISH in page.text
    assert load_region(REGION).all_agencies[str(case.answer.agency)].name in page.text
    assert re.search(r"\(peluang (lebih dari |kurang dari )?\d{1,2} %\)", page.text)
    assert re.search(r"hampir pasti|sangat mungkin|mungkin|ragu-ragu|hanya dugaan", page.text)
    assert "Menunggu putusan" in page.text
    assert "Desa Gintung" in page.text
    assert "18 Agu 2026 00.00 WIB" in page.text
    assert "lewat WhatsApp" in page.text
    assert "Model ini belum terbukti cukup sering benar di daerah ini" in page.text
    assert page.checked("jenis") == ["disposisi"]
    assert page.checked("pilihan") == [suggestion(case)["pilihan"]]
    assert page.checked("urgensi") == [suggestion(case)["urgensi"]]


def test_the_clock_is_told_in_working_time_while_a_case_waits_and_not_after(
    timed_client: TestClient, timed: Triage, hand: Hand
) -> None:
    case = take_in(timed)
    assert "Batas verifikasi sisa 4 hari kerja" in checked_page(timed_client.get(f"/kasus/{case.id}")).text
    hand.forward(hours=24 * 6)
    assert "Batas verifikasi terlambat" in checked_page(timed_client.get(f"/kasus/{case.id}")).text
    asked = {"jenis": "tunda", "pertanyaan": "Di mana letaknya?"}
    assert send(timed_client, case, asked).status_code == 303
    assert "Batas verifikasi" not in checked_page(timed_client.get(f"/kasus/{case.id}")).text


def test_a_case_that_was_routed_has_no_clock(bold_bundle: Bundle, store: Store) -> None:
    bold = Triage(bold_bundle, REGION, store)
    case = take_in(bold)
    with client_of(bold) as client:
        page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "Diteruskan otomatis" in page.text
    assert "Batas verifikasi" not in page.text
    assert page.checked("pilihan") == [suggestion(case)["pilihan"]]


def test_an_emergency_is_said_in_words_until_it_is_decided(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "kebakaran rumah di Pasar Kemis, api membesar, ada orang terjebak")
    assert case.urgency == Urgency.DARURAT
    assert "DARURAT. Hubungi petugas lapangan sekarang" in checked_page(client.get(f"/kasus/{case.id}")).text
    send(client, case)
    assert "DARURAT." not in checked_page(client.get(f"/kasus/{case.id}")).text


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
    pieces = marked_pieces(text, deciding, whole_chain())
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
    assert [piece.text for piece in marked_pieces(text, deciding, whole_chain()) if piece.decided] == marked


def test_the_pieces_are_read_by_the_steps_of_the_bundle() -> None:
    plain, whole = TextChain(REQUIRED_STEPS), TextChain(ALL_STEPS)
    assert [piece.decided for piece in marked_pieces("PJU", {"penerangan"}, whole)] == [True]
    assert [piece.decided for piece in marked_pieces("PJU", {"penerangan"}, plain)] == [False]
    assert [piece.decided for piece in marked_pieces("PJU", {"pju"}, plain)] == [True]


def test_a_case_with_a_short_form_has_it_marked_where_it_stands(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "PJU mati, gelap gulita")
    words = {word["word"] for word in case.answer.detail["explanation"]["words"] if word["contribution"] > 0}
    assert "penerangan" in words
    assert "PJU" in checked_page(client.get(f"/kasus/{case.id}")).marked


def test_an_unreadable_complaint_has_no_marks_and_still_takes_a_verdict(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "😡😡🔥")
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert page.marked == []
    assert "Tidak ada kata yang dikenal" in page.text
    assert "Tidak terbaca" in checked_page(client.get("/antrean")).text
    changes = other_agency("Dinas Lingkungan Hidup") | {"urgensi": "0"}
    assert send(client, case, changes).status_code == 303


@pytest.mark.parametrize("sent", [SCRIPT, escape(SCRIPT)], ids=["as-typed", "escaped"])
@pytest.mark.parametrize("field", ["text", "title", "location", "channel"])
def test_markup_in_a_complaint_is_shown_and_never_run(
    client: TestClient, triage: Triage, field: str, sent: str
) -> None:
    case = take_in(triage, **{"text": RUBBISH, field: sent})
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert not page.every("img")
    assert KEPT_SCRIPT in page.text


def test_a_case_page_offers_every_sector_of_the_region_under_a_name_of_its_own(
    client: TestClient, triage: Triage
) -> None:
    region = load_region(REGION)
    page = checked_page(client.get(f"/kasus/{take_in(triage).id}"))
    offered = page.offers("instansi")
    assert len(offered) == len(set(offered))
    assert len(offered) == sum(
        len(agency.sectors or tuple(filter(None, [agency.label_sector]))) for agency in region.all_agencies.values()
    )
    assert "Kecamatan Curug: Kecamatan" in offered
    assert "Desa Talagasari, Kecamatan Balaraja: Kelurahan atau desa" in offered
    assert set(page.offers("instansi-luar")) < set(offered)
    assert "Dinas Kesehatan: Kesehatan" not in page.offers("instansi-luar")


def test_the_offices_of_the_suggested_sector_are_offered_first(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "Pelayanan pegawai kecamatan Curug lambat sekali")
    assert case.answer.sector == "district-office"
    likely = [
        label.endswith(": Kecamatan") for label in checked_page(client.get(f"/kasus/{case.id}")).offers("instansi")
    ]
    assert likely == sorted(likely, reverse=True)
    assert any(likely)
    assert not all(likely)


def test_a_case_whose_area_is_unknown_suggests_no_office_but_offers_all(client: TestClient, triage: Triage) -> None:
    texts = ("Pelayanan pegawai kecamatan lambat sekali", "Kantor kecamatan tutup sebelum jam dua siang")
    [case, *_] = [case for case in (take_in(triage, text) for text in texts) if case.answer.agency is None]
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "wilayah belum diketahui" in page.text
    assert page.checked("pilihan") == ["lain"]
    assert "Wilayah belum diketahui" in checked_page(client.get("/antrean")).text


def test_a_case_page_tells_what_to_know_and_has_drafts_in_the_form(client: TestClient, triage: Triage) -> None:
    wire = take_in(triage, "Kabel listrik PLN putus dan menjuntai di jalan Desa Klebet")
    page = checked_page(client.get(f"/kasus/{wire.id}"))
    assert "Tanda bahaya. Terbaca dalam laporan: kabel listrik putus atau menjuntai." in page.text
    assert "Kewenangan. Tampaknya ada pada pemerintah pusat. Dapat dirujuk ke PLN UP3 Cikupa." in page.text
    form = page.forms[f"/kasus/{wire.id}/putusan"]
    assert form["rujukan"].startswith(DRAFT)
    assert form["kepada"] == "PLN UP3 Cikupa: Listrik dan energi (PLN/ESDM/Pertamina)"
    bare = take_in(triage, "ada sampah menumpuk")
    page = checked_page(client.get(f"/kasus/{bare.id}"))
    assert "Kelengkapan. Belum disebut: tempat." in page.text
    assert "Di mana letaknya?" in page.forms[f"/kasus/{bare.id}/putusan"]["pertanyaan"]
    both = take_in(
        triage,
        "Jalan di Desa Klebet berlubang besar, aspal mengelupas. Selain itu obat di puskesmas Curug habis dan petugas "
        "loketnya kurang ramah",
    )
    told = "Dua perkara. Mungkin untuk Dinas Bina Marga dan Sumber Daya Air serta Dinas Kesehatan, peluang"
    assert told in checked_page(client.get(f"/kasus/{both.id}")).text
    plain = take_in(triage, "Petugas loket puskesmas Curug kurang ramah")
    form = opened_form(client, plain)
    assert (form["pertanyaan"], form["rujukan"], form["kepada"]) == ("", "", "")


def test_a_case_page_leads_to_similar_cases_and_tells_what_became_of_them(client: TestClient, triage: Triage) -> None:
    monday = datetime(2026, 3, 2, 5, tzinfo=UTC)
    first = take_in(triage, received_at=monday)
    page = checked_page(client.get(f"/kasus/{first.id}"))
    assert "Laporan serupa" not in page.text
    send(client, first, other_agency())
    again = take_in(triage, received_at=monday + timedelta(days=4))
    page = checked_page(client.get(f"/kasus/{again.id}"))
    told = f"Kasus {first.id[:8]} kemiripan lebih dari 99 %, 4 hari sebelumnya: diputuskan ke Dinas Kesehatan"
    assert f"{told} kemungkinan laporan ganda" in page.text
    assert page.links(f"/kasus/{first.id}") == [f"/kasus/{first.id}"]
    assert page.choices("gabung_dengan") == page.checked("gabung_dengan") == [first.id]
    secret = take_in(triage, confidentiality=Confidentiality.RAHASIA, received_at=monday + timedelta(days=5))
    assert "Laporan serupa" not in checked_page(client.get(f"/kasus/{secret.id}")).text


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        ({"jenis": "arsip", "alasan_arsip": "unclear"}, "arsipkan"),
        ({"jenis": "tunda", "pertanyaan": "Di mana?"}, "tunda, minta kelengkapan"),
    ],
)
def test_similar_cases_that_went_nowhere_say_how(
    client: TestClient, triage: Triage, verdict: dict[str, str], told: str
) -> None:
    send(client, take_in(triage), verdict)
    assert f"sehari sebelumnya: {told}" in checked_page(client.get(f"/kasus/{take_in(triage).id}")).text


def test_a_blind_case_shows_nothing_that_the_program_thinks(blind_client: TestClient, blind: Triage) -> None:
    earlier = take_in(blind)
    assert send(blind_client, earlier, other_agency() | {"urgensi": "2"}).status_code == 303
    case = take_in(blind)
    answer = blind_client.get(f"/kasus/{case.id}")
    page = checked_page(answer)
    assert "tanpa usulan" in page.text
    assert page.marked == []
    assert (page.checked("pilihan"), page.checked("urgensi")) == (["lain"], [])
    assert page.choices("pilihan") == ["lain"]
    assert page.choices("alasan") == []
    assert page.checked("gabung_dengan") == []
    assert f"Kasus {earlier.id[:8]}" in page.text
    absent = (
        "peluang",
        "Usulan:",
        "Kata yang menentukan",
        "Mengusulkan",
        "diputuskan ke",
        "belum terbukti",
        "Kelengkapan.",
    )
    assert [word for word in absent if word in page.text] == []
    form = page.forms[f"/kasus/{case.id}/putusan"]
    filled = {name for name, value in form.items() if value} - {"csrf", "jenis", "pilihan", "melihat"}
    assert filled == {"urgensi_pecah1", "urgensi_pecah2"}
    assert page.offers("instansi") == sorted(page.offers("instansi"), key=opened_order(REGION).index)
    assert str(case.answer.agency) not in re.sub(r"<option.*?>", "", answer.text)


def opened_order(region: str) -> list[str]:
    """The offices in the region file's own order, which tells nothing of a case."""
    return [office.label for office in case_pages.all_offices(load_region(region))]


def test_a_blind_case_shows_the_suggestion_once_it_is_decided(blind_client: TestClient, blind: Triage) -> None:
    case = take_in(blind)
    send(blind_client, case, other_agency() | {"urgensi": "2"})
    page = checked_page(blind_client.get(f"/kasus/{case.id}"))
    assert "diputuskan tanpa melihat usulan" in page.text
    assert "Mengusulkan" in page.text


def test_a_routed_case_that_is_checked_does_not_tell_where_it_went(bold_bundle: Bundle, store: Store) -> None:
    bold = Triage(bold_bundle, REGION, store, checks=CheckShares(audit=1.0))
    case = take_in(bold)
    with client_of(bold) as client:
        page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "tanpa usulan" in page.text
    assert "Meneruskan ke" not in page.text
    assert page.checked("pilihan") == ["lain"]
    assert page.verdict_forms == [f"/kasus/{case.id}/putusan"]


def test_each_look_at_a_secret_case_is_on_record(client: TestClient, triage: Triage) -> None:
    secret = take_in(triage, confidentiality=Confidentiality.RAHASIA)
    form = opened_form(client, secret)
    checked_page(post(client, secret, form | {"urgensi": ""}), 422)
    seen = [(entry.actor, entry.action) for entry in looks_at(triage.store, secret.id)]
    assert seen == [("moderator:budi", "look")] * 2
    assert post(client, secret, form).status_code == 303
    # Whoever is told that it is decided sees nothing of it.
    checked_page(post(client, secret, form), 409)
    assert len(looks_at(triage.store, secret.id)) == 2


def test_a_case_that_was_sent_back_waits_again_and_tells_why(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    send(client, case)
    triage.give_back(case.id, "dinkes", f"Bukan wewenang kami {SCRIPT}", by="key:ab12cd34")
    assert "1 laporan menunggu" in checked_page(client.get("/antrean")).text
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert not page.every("img")
    assert "Dikembalikan instansi" in page.text
    assert re.search(r"Dikembalikan\. Oleh Dinas Kesehatan, .* Alasan: Bukan wewenang kami", page.text)
    assert page.verdict_forms == [f"/kasus/{case.id}/putusan"]
    assert send(client, case).status_code == 303


def test_the_history_tells_in_order_who_did_what_and_what_was_taken_back(
    timed_client: TestClient, timed: Triage, hand: Hand
) -> None:
    case = take_in(timed, channel="SMS")
    form = opened_form(timed_client, case)
    hand.forward(seconds=42)
    post(timed_client, case, form | {"catatan": "sudah dicek"})
    hand.forward(seconds=5)
    timed_client.post(f"/kasus/{case.id}/urungkan", data=token_of(timed_client))
    send(timed_client, case, {"jenis": "arsip", "alasan_arsip": "already-done"})
    text = checked_page(timed_client.get(f"/kasus/{case.id}")).text.partition("Riwayat")[2]
    told = (
        "24 Nov 2026 09.00 WIB · Sistem penerima Laporan masuk lewat SMS.",
        "Program Mengusulkan ",
        "Disposisikan: ",
        "usulan diterima; 42 detik",
        "sudah dicek",
        "Mengurungkan putusan itu.",
        "Arsipkan. (sudah diselesaikan",
    )
    places = [text.find(words) for words in told]
    assert -1 not in places
    assert places == sorted(places)


def test_a_forgotten_case_says_that_its_words_are_gone(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    form = opened_form(client, case)
    forget(triage.store, case.id, by="moderator:admin", reason="permintaan pelapor")
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "sudah dihapus" in page.text
    assert page.verdict_forms == []
    assert "Isi laporan ini sudah dihapus" in checked_page(post(client, case, form), 409).text


def test_an_unknown_case_is_a_page_in_indonesian(client: TestClient) -> None:
    assert "Tidak ditemukan" in checked_page(client.get("/kasus/tidak-ada"), 404).text
    assert "Tidak ditemukan" in checked_page(client.get("/kasus/%00"), 404).text
    for way in ("putusan", "lepas", "urungkan"):
        answer = client.post(f"/kasus/tidak-ada/{way}", data=token_of(client))
        assert "Tidak ditemukan" in checked_page(answer, 404).text


def without(region: Region, agency: str) -> Region:
    """The region as its file stands once an agency is gone from it."""
    return replace(region, agencies=tuple(each for each in region.agencies if each.code != agency))


def test_a_case_whose_agency_the_region_file_has_dropped_still_opens_and_can_be_decided(
    client: TestClient, triage: Triage, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, decided = take_in(triage), take_in(triage)
    send(client, decided)
    opened = opened_form(client, case)
    edited = without(load_region(REGION), str(case.answer.agency))
    for module in (desk, case_pages, wording):
        monkeypatch.setattr(module, "load_region", lambda _: edited)
    checked_page(client.get("/antrean"))
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert f"{case.answer.agency}, yang tidak ada lagi dalam daftar instansi daerah ini" in page.text
    assert page.checked("pilihan") == ["lain"]
    assert f"diputuskan ke {case.answer.agency}" in page.text or "Riwayat" in page.text
    assert str(case.answer.agency) in checked_page(client.get(f"/kasus/{decided.id}")).text
    refused = checked_page(post(client, case, opened), 422)
    assert "Pilih instansi yang harus menjawab." in refused.text
    assert post(client, case, opened | other_agency()).status_code == 303
    assert triage.store.get(case.id).agency == "dinkes"


@pytest.mark.parametrize(
    ("template", "context"),
    [
        ("queue.html", QueuePage),
        ("case.html", CasePage),
        ("shortcuts.html", desk.Shortcuts),
        ("message.html", MessagePage),
        ("sign_in.html", signin.SignInPage),
        ("send_again.html", signin.SendAgainPage),
        ("password.html", signin.PasswordPage),
    ],
)
def test_a_page_uses_exactly_what_its_dataclass_holds(template: str, context: type) -> None:
    used = asked_for(template) | asked_for("base.html")
    assert used - {"visitor"} == {field.name for field in dataclasses.fields(context)}
    assert environment.undefined.__name__ == "StrictUndefined"


def asked_for(template: str) -> set[str]:
    """The names that a template, and those it includes, take from the page."""
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, template)
    parsed = environment.parse(source)
    used = meta.find_undeclared_variables(parsed)
    used -= {macro.name for macro in parsed.find_all(nodes.Macro)}
    # What a template sets at its top is seen in its blocks.
    used -= {set_.target.name for set_ in parsed.find_all(nodes.Assign) if isinstance(set_.target, nodes.Name)}
    # What it gives to those it includes, they don't take from the page.
    given = {
        name.name for with_ in parsed.find_all(nodes.With) for name in with_.targets if isinstance(name, nodes.Name)
    }
    for include in parsed.find_all(nodes.Include):
        assert isinstance(include.template, nodes.Const)
        used |= asked_for(include.template.value) - given
    return used


def test_every_page_says_who_is_signed_in_and_offers_to_sign_out(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    for path in ("/antrean", f"/kasus/{case.id}", "/kasus/tidak-ada", "/bantuan", "/sandi"):
        answer = client.get(path)
        page = checked_page(answer, answer.status_code)
        assert "Masuk sebagai budi" in page.text
        assert "/keluar" in page.forms


def test_every_form_that_changes_something_holds_the_token_of_the_session(client: TestClient, triage: Triage) -> None:
    [token] = token_of(client).values()
    case = take_in(triage)
    client.post("/tampilan", data=token_of(client) | {"nama": "semua"})
    for path in (f"/antrean?selesai={case.id}", f"/kasus/{case.id}?selesai={case.id}", "/sandi"):
        page = checked_page(client.get(path))
        sent = [form for form in page.every("form") if form.get("method") == "post"]
        assert page.hidden("csrf") == [token] * len(sent)


def test_shortcuts_are_on_a_page_of_their_own_and_on_every_other(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    page = checked_page(client.get("/bantuan"))
    assert "Pintasan papan tik" in page.text
    assert page.every("dialog") == []
    sheet = checked_page(client.get(f"/kasus/{case.id}"))
    assert [dialog["id"] for dialog in sheet.every("dialog")] == ["pintasan"]
    keys = {each["data-key"] for _, each in sheet.elements if len(each.get("data-key", "")) == 1}
    assert keys <= set(re.findall(r"(?<= )\S(?= )", page.text)) | set("12345678")
