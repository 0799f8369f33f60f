"""Verdicts: each kind, its fields and reasons, all that is wrong told at once, and from the desk's own page only."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from data.complaint import Confidentiality
from data.region import load_region
from model.bundle import Bundle
from serving.access import Access
from serving.case import Kind, LabelSource, Part, Status
from serving.checks import CheckShares
from serving.export import reviewed_rows
from serving.reasons import Archiving, Correction
from serving.settings import Settings
from serving.store import Store
from serving.triage import Triage
from serving.verdict_form import KIND_VALUES, LONGEST_NOTE
from tests.serving.clients import client_of
from tests.serving.conftest import REGION
from tests.serving.desk_pages import (
    HEALTH,
    KEPT_SCRIPT,
    SCRIPT,
    checked_page,
    opened_form,
    other_agency,
    post,
    review_of,
    send,
    sign_in_as,
    suggestion,
    take_in,
    token_of,
)
from tests.serving.processes import run_disposisi

POLICE = "Polresta Tangerang: Kepolisian"
NOTE = "Sudah ditelepon; warga menunggu."


@pytest.fixture
def client(anonymous_client: TestClient, access: Access) -> TestClient:
    """The client of the moderator budi, who may see every region."""
    return sign_in_as(anonymous_client, access, "budi")


@pytest.fixture
def bold(bold_bundle: Bundle, store: Store) -> Triage:
    """A triage that routes by itself."""
    return Triage(bold_bundle, REGION, store)


def test_an_accepted_suggestion_is_kept_as_accepted(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    answer = send(client, case, {"catatan": "  sudah dicek \n"})
    assert answer.status_code == 303
    queue = checked_page(client.get(answer.headers["location"]))
    assert f"Putusan untuk kasus {case.id[:8]} tersimpan." in queue.text
    assert "Tidak ada laporan yang menunggu putusan." in queue.text
    decided = triage.store.get(case.id)
    assert decided.status is Status.DECIDED
    assert decided.answer == case.answer
    review = review_of(triage, case)
    assert review.label_source is LabelSource.HUMAN_ACCEPTED
    assert (review.verdict.note, review.verdict.reason, review.reviewer) == ("sudah dicek", "", "moderator:budi")
    assert review.seconds is not None
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "usulan diterima" in page.text
    assert page.verdict_forms == []


def test_after_a_verdict_one_is_led_to_the_next_case_of_the_choice(client: TestClient, triage: Triage) -> None:
    cases = [take_in(triage, f"got mampet di gang nomor {number}") for number in range(3)]
    query = f"?instansi={cases[0].agency}"
    shown = {case.id: case for case in cases if case.agency == cases[0].agency}
    assert len(shown) > 1
    left, case = set(shown), cases[0]
    while True:
        answer = post(client, case, opened_form(client, case, query))
        left.remove(case.id)
        way = urlsplit(answer.headers["location"])
        assert way.query.startswith(f"selesai={case.id}")
        assert way.query.endswith(query[1:])
        page = checked_page(client.get(answer.headers["location"]))
        assert f"Putusan untuk kasus {case.id[:8]} tersimpan." in page.text
        assert f"/kasus/{case.id}/urungkan" in page.forms
        if not left:
            break
        case = shown[way.path.removeprefix("/kasus/")]
    assert way.path == "/antrean"


@pytest.mark.parametrize(
    ("changes", "agency", "sector"),
    [
        (other_agency(HEALTH), "dinkes", "health"),
        (other_agency("  dinas   KESEHATAN "), "dinkes", "health"),
        (other_agency("polresta"), "polres", "police"),
        ({"pilihan": "dishub/transport"}, "dishub", "transport"),
    ],
)
def test_another_agency_is_kept_as_a_correction(
    client: TestClient, triage: Triage, changes: dict[str, str], agency: str, sector: str
) -> None:
    case = take_in(triage)
    assert send(client, case, changes).status_code == 303
    review = review_of(triage, case)
    assert (review.verdict.agency, review.verdict.sector) == (agency, sector)
    assert review.label_source is LabelSource.HUMAN_CORRECTED
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert f"Disposisikan: {load_region(REGION).all_agencies[agency].name}" in page.text
    assert "usulan dikoreksi" in page.text


def test_a_verdict_can_name_the_office_of_an_area(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "Pelayanan di kantor camat lambat sekali")
    # "Kecamatan Balaraja" is a part of its villages' labels too, and is still that one office.
    assert send(client, case, other_agency("kecamatan balaraja") | {"urgensi": "1"}).status_code == 303
    assert "Kecamatan Balaraja: Kecamatan" in checked_page(client.get(f"/kasus/{case.id}")).text
    [row], _ = reviewed_rows(triage.store)
    assert (row["agency"], row["sector"], row["area"]) == ("Kecamatan Balaraja", "district-office", "Balaraja")


def test_two_villages_of_one_name_are_told_apart(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    page = checked_page(send(client, case, other_agency("Desa Talagasari")), 422)
    labels = [f"Desa Talagasari, Kecamatan {name}: Kelurahan atau desa" for name in ("Balaraja", "Cikupa")]
    assert f"Ada beberapa instansi yang cocok dengan “Desa Talagasari”: {'; '.join(labels)}." in page.text
    assert send(client, case, other_agency(labels[0])).status_code == 303
    assert triage.store.get(case.id).agency == "village-office:36.03.01.2005"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"alasan": Correction.AGREED_OTHERWISE}, ""),
        ({"urgensi": "3"}, Correction.OTHER_URGENCY),
        (other_agency(), Correction.OTHER_MATTER),
        (other_agency("polresta"), Correction.OTHER_GOVERNMENT),
        (other_agency() | {"alasan": Correction.AGREED_OTHERWISE}, Correction.AGREED_OTHERWISE),
        ({"urgensi": "3", "alasan": Correction.OTHER_AREA}, Correction.OTHER_AREA),
    ],
)
def test_a_correction_has_the_reason_that_was_given_or_follows_from_it(
    client: TestClient, triage: Triage, changes: dict[str, str], reason: str
) -> None:
    case = take_in(triage)
    assert case.answer.urgency != 3
    assert send(client, case, changes).status_code == 303
    assert review_of(triage, case).verdict.reason == reason


def test_another_village_of_the_same_sector_is_another_area(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "Pelayanan pegawai kecamatan Curug lambat sekali")
    assert case.answer.sector == "district-office"
    send(client, case, other_agency("kecamatan balaraja"))
    assert review_of(triage, case).verdict.reason == Correction.OTHER_AREA


def test_a_complaint_is_split_for_two_or_three_agencies(client: TestClient, triage: Triage) -> None:
    case, other = take_in(triage), take_in(triage)
    both = {"pecah1": HEALTH, "urgensi_pecah1": "2"}
    assert send(client, case, both).status_code == 303
    assert review_of(triage, case).verdict.parts == (Part("health", "dinkes", 2),)
    assert review_of(triage, case).label_source is LabelSource.HUMAN_CORRECTED
    assert send(client, other, both | {"pecah2": "polresta", "urgensi_pecah2": "0"}).status_code == 303
    assert review_of(triage, other).verdict.parts == (Part("health", "dinkes", 2), Part("police", "polres", 0))
    text = checked_page(client.get(f"/kasus/{other.id}")).text
    assert "Dinas Kesehatan: Kesehatan (tinggi); Polresta Tangerang: Kepolisian (rendah)." in text


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"pecah1": "dinas impian"}, "Tidak ada instansi untuk perkara lain bernama “dinas impian”."),
        ({"pecah1": "rsud"}, "yang cocok dengan “rsud”: RSUD Balaraja: Kesehatan; RSUD Pakuhaji: Kesehatan."),
        ({"pecah1": HEALTH, "urgensi_pecah1": "9"}, "Pilih tingkat urgensi."),
        ({"pecah1": HEALTH, "pecah2": HEALTH}, "Perkara yang dipecah harus untuk instansi yang berbeda."),
        ({"pecah2": "lingkungan hidup"}, "Perkara yang dipecah harus untuk instansi yang berbeda."),
    ],
)
def test_parts_that_can_not_be_are_told(
    client: TestClient, triage: Triage, parts: dict[str, str], problem: str
) -> None:
    case = take_in(triage)
    assert suggestion(case)["pilihan"].endswith("/environment")
    page = checked_page(send(client, case, parts), 422)
    assert problem in page.text
    form = page.forms[f"/kasus/{case.id}/putusan"]
    assert {name: form[name] for name in parts if name.startswith("pecah")} == {
        name: value for name, value in parts.items() if name.startswith("pecah")
    }
    assert triage.store.get(case.id) == case


def test_a_citizen_is_asked_what_is_missing(client: TestClient, triage: Triage) -> None:
    case = take_in(triage, "ada sampah menumpuk")
    form = opened_form(client, case)
    assert post(client, case, form | {"jenis": "tunda"}).status_code == 303
    asked = triage.store.get(case.id)
    assert asked.status is Status.ASKED
    verdict = review_of(triage, case).verdict
    assert (verdict.kind, verdict.reply, verdict.agency) == (Kind.ASK, form["pertanyaan"], "")
    page = checked_page(client.get(f"/kasus/{case.id}"))
    assert "Ditunda, menunggu kelengkapan dari pelapor" in page.text
    assert "Di mana letaknya?" in page.text
    # Once the citizen has answered it can be decided, and isn't in the queue meanwhile.
    assert "0 laporan menunggu" in checked_page(client.get("/antrean")).text
    assert send(client, case, {"jenis": "disposisi", "catatan": "dijawab: di Curug"}).status_code == 303
    assert triage.store.get(case.id).status is Status.DECIDED


def test_a_matter_of_another_government_is_refused_with_the_draft_or_ones_own_words(
    client: TestClient, triage: Triage
) -> None:
    case = take_in(triage, "Kabel listrik PLN putus dan menjuntai di jalan Desa Klebet")
    form = opened_form(client, case)
    assert post(client, case, form | {"jenis": "bukan-wewenang"}).status_code == 303
    verdict = review_of(triage, case).verdict
    assert (verdict.kind, verdict.agency, verdict.reply) == (Kind.REFUSE, "pln", form["rujukan"])
    own = take_in(triage)
    refused = {"jenis": "bukan-wewenang", "kepada": "polresta", "rujukan": "Silakan ke polisi,\nya."}
    assert send(client, own, refused).status_code == 303
    assert review_of(triage, own).verdict.reply == "Silakan ke polisi,\nya."
    assert "Bukan wewenang: Polresta Tangerang: Kepolisian" in checked_page(client.get(f"/kasus/{own.id}")).text


def test_a_refusal_without_words_is_given_those_of_the_house(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    assert send(client, case, {"jenis": "bukan-wewenang", "kepada": POLICE, "rujukan": " "}).status_code == 303
    verdict = review_of(triage, case).verdict
    assert verdict.reply.startswith("Terima kasih atas laporan Anda.")
    assert "wewenang Polresta Tangerang" in verdict.reply


@pytest.mark.parametrize("reason", Archiving)
def test_a_case_is_archived_with_a_reason(client: TestClient, triage: Triage, reason: Archiving) -> None:
    case = take_in(triage)
    assert send(client, case, {"jenis": "arsip", "alasan_arsip": reason}).status_code == 303
    verdict = review_of(triage, case).verdict
    assert (verdict.kind, verdict.reason, verdict.agency) == (Kind.ARCHIVE, reason, "")


def test_a_duplicate_is_merged_with_the_similar_case_that_is_chosen_already(client: TestClient, triage: Triage) -> None:
    first, again = take_in(triage), take_in(triage)
    assert send(client, again, {"jenis": "gabung"}).status_code == 303
    verdict = review_of(triage, again).verdict
    assert (verdict.kind, verdict.merged_into) == (Kind.MERGE, first.id)
    assert f"Digabungkan dengan kasus {first.id[:8]}." in checked_page(client.get(f"/kasus/{again.id}")).text


def test_a_case_is_merged_by_the_beginning_of_a_number_rather_than_with_what_was_chosen(
    client: TestClient, triage: Triage
) -> None:
    take_in(triage)
    other, again = take_in(triage, "lampu jalan mati"), take_in(triage)
    changes = {"jenis": "gabung", "gabung_lain": f" {other.id[:9].upper()} "}
    assert send(client, again, changes).status_code == 303
    assert review_of(triage, again).verdict.merged_into == other.id


def test_a_case_is_merged_with_none_that_is_not_there_itself_merged_or_elsewhere(
    client: TestClient, triage: Triage
) -> None:
    first, again, case = take_in(triage), take_in(triage), take_in(triage, "lampu jalan mati")
    elsewhere = take_in(triage, region="kab-bandung")
    send(client, again, {"jenis": "gabung", "gabung_lain": first.id})
    for number in (case.id, again.id, elsewhere.id, "tidak-ada", "%" * 8, "x" * 10_000, SCRIPT):
        page = checked_page(send(client, case, {"jenis": "gabung", "gabung_lain": number}), 422)
        assert "tidak dapat digabungkan dengan nomor itu" in page.text
        assert page.checked("jenis") == ["gabung"]
    assert triage.store.get(case.id) == case


BAD_CHOICES: list[tuple[dict[str, str], str]] = [
    ({"jenis": "hapus"}, "Pilih jenis putusan."),
    ({"jenis": ""}, "Pilih jenis putusan."),
    ({"pilihan": ""}, "Pilih instansi yang harus menjawab."),
    ({"pilihan": "dinkes/public-works"}, "Pilih instansi yang harus menjawab."),
    ({"pilihan": "dinkes"}, "Pilih instansi yang harus menjawab."),
    ({"pilihan": "/"}, "Pilih instansi yang harus menjawab."),
    ({"pilihan": SCRIPT}, "Pilih instansi yang harus menjawab."),
    ({"instansi_lain": HEALTH}, "Instansi lain terisi, tetapi yang dipilih di atasnya"),
    (other_agency(""), "Isi instansi."),
    (other_agency("   "), "Isi instansi."),
    (other_agency("Dinas Kesehetan"), "Mungkin: Dinas Kesehatan: Kesehatan"),
    (other_agency("kecamatan"), "Ada beberapa instansi yang cocok dengan “kecamatan”"),
    (other_agency("'; DROP TABLE cases; --"), "Ketik sebagian namanya, lalu pilih dari daftar."),
    (other_agency("x" * 10_000), "Ketik sebagian namanya, lalu pilih dari daftar."),
    ({"urgensi": ""}, "Pilih tingkat urgensi."),
    ({"urgensi": "4"}, "Pilih tingkat urgensi."),
    ({"urgensi": "-1"}, "Pilih tingkat urgensi."),
    ({"urgensi": "tinggi"}, "Pilih tingkat urgensi."),
    ({"urgensi": "１"}, "Pilih tingkat urgensi."),
    ({"alasan": "bosan"}, "Pilih alasan koreksi dari daftar."),
    ({"jenis": "tunda", "pertanyaan": "  "}, "Isi pertanyaan untuk pelapor."),
    ({"jenis": "tunda", "pertanyaan": "?" * (LONGEST_NOTE + 1)}, "Pertanyaan paling panjang"),
    ({"jenis": "bukan-wewenang", "kepada": ""}, "Isi instansi pemerintah lain."),
    ({"jenis": "bukan-wewenang", "kepada": HEALTH}, "Tidak ada instansi pemerintah lain bernama"),
    ({"jenis": "bukan-wewenang", "kepada": POLICE, "rujukan": "x" * (LONGEST_NOTE + 1)}, "Rujukan paling panjang"),
    ({"jenis": "arsip", "alasan_arsip": ""}, "Pilih alasan mengarsipkan."),
    ({"jenis": "arsip", "alasan_arsip": Correction.OTHER_AREA}, "Pilih alasan mengarsipkan."),
    ({"jenis": "gabung", "gabung_lain": ""}, "Pilih laporan untuk digabungkan, atau isi nomornya."),
    ({"catatan": "x" * 10_000}, "Catatan paling panjang 2000 huruf; yang dikirim 10000."),
]


@pytest.mark.parametrize(("wrong", "problem"), BAD_CHOICES)
def test_a_wrong_field_is_told_and_the_form_given_back_as_it_was_sent(
    client: TestClient, triage: Triage, wrong: dict[str, str], problem: str
) -> None:
    case = take_in(triage)
    sent = opened_form(client, case) | {"catatan": NOTE, "pecah2": "polresta"} | wrong
    page = checked_page(post(client, case, sent), 422)
    assert problem in page.text
    assert not page.every("img")
    form = page.forms[f"/kasus/{case.id}/putusan"]
    kept = {name: sent[name] for name in ("instansi_lain", "pertanyaan", "kepada", "rujukan", "catatan", "pecah2")}
    assert {name: form[name] for name in kept} == {name: value.strip() for name, value in kept.items()}
    for name in ("jenis", "pilihan", "urgensi"):
        assert page.checked(name) in ([sent[name]], [])
    assert triage.store.get(case.id) == case


def test_all_that_is_wrong_with_a_verdict_is_told_at_once(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    wrong = {"pilihan": "", "urgensi": "", "alasan": "x", "pecah1": "dinas impian", "catatan": "x" * (LONGEST_NOTE + 1)}
    page = checked_page(send(client, case, wrong), 422)
    for problem in (
        "Pilih instansi yang harus menjawab.",
        "Pilih tingkat urgensi.",
        "Pilih alasan koreksi dari daftar.",
        "Tidak ada instansi untuk perkara lain bernama",
        "Catatan paling panjang",
    ):
        assert page.text.count(problem) == 1
    assert "Pilih jenis putusan." in checked_page(post(client, case, token_of(client) | {"jenis": "x"}), 422).text


FIELDS = (
    *("jenis", "pilihan", "instansi_lain", "urgensi", "alasan", "pecah1", "pecah2", "urgensi_pecah1", "urgensi_pecah2"),
    *("pertanyaan", "kepada", "rujukan", "alasan_arsip", "gabung_dengan", "gabung_lain", "catatan", "tampilan"),
)


@pytest.mark.parametrize("kind", KIND_VALUES)
def test_no_field_takes_the_desk_apart(client: TestClient, triage: Triage, kind: str) -> None:
    words = f"'; DROP TABLE cases; -- \x00\x1b\x7f{{{{ 76543 * 98765 }}}} {SCRIPT}"
    for field in FIELDS:
        case = take_in(triage, f"lampu jalan mati {field}")
        answer = send(client, case, {"jenis": kind, field: words})
        assert answer.status_code in (303, 422), field
        page = checked_page(client.get(f"/kasus/{case.id}"))
        assert not page.every("img")
        assert str(76543 * 98765) not in page.text
    checked_page(client.get("/antrean"))


def test_a_note_as_long_as_the_form_lets_one_type_is_kept(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    # Browsers count a line's end as one character against maxlength, and send it as two.
    typed = "baris\n" * (LONGEST_NOTE // 6)
    answer = send(client, case, {"catatan": typed.replace("\n", "\r\n")})
    assert answer.status_code == 303, checked_page(answer, 422).text


def test_markup_in_a_note_is_shown_and_never_run(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    note = f"</textarea>{SCRIPT}"
    again = send(client, case, {"urgensi": "", "catatan": note})
    assert checked_page(again, 422).every("img") == []
    assert note in unescape(again.text)
    assert send(client, case, {"catatan": note}).status_code == 303
    assert f"</textarea>{KEPT_SCRIPT}" in checked_page(client.get(f"/kasus/{case.id}")).text


def test_personal_data_in_what_a_moderator_writes_is_masked_before_it_is_kept(
    client: TestClient, triage: Triage, database: Path
) -> None:
    secrets = ("0812-3456-7890", "3603121506780001", "warga.curug@contoh.example", "https://contoh.example/foto")
    typed = f"Hubungi {' atau '.join(secrets)}"
    masked = "Hubungi [TELEPON] atau [NIK] atau [EMAIL] atau [URL]"
    noted, asked = take_in(triage), take_in(triage)
    assert send(client, noted, {"catatan": typed}).status_code == 303
    assert send(client, asked, {"jenis": "tunda", "pertanyaan": typed}).status_code == 303
    assert review_of(triage, noted).verdict.note == review_of(triage, asked).verdict.reply == masked
    with closing(sqlite3.connect(database)) as connection:
        dump = "\n".join(connection.iterdump())
    assert not [secret for secret in secrets if secret in dump]


def test_a_blind_verdict_is_kept_as_one_and_has_no_reason(bundle: Bundle, store: Store) -> None:
    triage = Triage(bundle, REGION, store, checks=CheckShares(blind=1.0))
    same, other = take_in(triage), take_in(triage, "lampu jalan mati di Curug")
    with client_of(triage) as client:
        untouched = checked_page(send(client, same), 422)
        assert "Isi instansi." in untouched.text
        assert "Pilih tingkat urgensi." in untouched.text
        assert send(client, same, suggestion(same)).status_code == 303
        told = other_agency() | {"urgensi": "1", "alasan": Correction.OTHER_AREA}
        assert send(client, other, told).status_code == 303
    for case in (same, other):
        review = review_of(triage, case)
        assert (review.label_source, review.verdict.reason) == (LabelSource.HUMAN_BLIND, "")


def test_a_routed_case_that_is_checked_is_decided_blind_and_leaves_the_queue(bold_bundle: Bundle, store: Store) -> None:
    bold = Triage(bold_bundle, REGION, store, checks=CheckShares(audit=1.0))
    case = take_in(bold)
    assert case.status is Status.ROUTED
    with client_of(bold) as client:
        assert send(client, case, other_agency() | {"urgensi": "1"}).status_code == 303
        assert "0 laporan menunggu" in checked_page(client.get("/antrean")).text
    assert bold.store.get(case.id).agency == "dinkes"
    assert review_of(bold, case).label_source is LabelSource.HUMAN_BLIND


def test_a_case_routed_wrongly_is_corrected_once_and_exported(bold: Triage, database: Path, tmp_path: Path) -> None:
    case = take_in(bold)
    with client_of(bold) as client:
        page = checked_page(client.get(f"/kasus/{case.id}"))
        assert "Diteruskan otomatis" in page.text
        assert page.checked("pilihan") == [suggestion(case)["pilihan"]]
        old = opened_form(client, case)
        assert send(client, case, other_agency()).status_code == 303
        decided = bold.store.get(case.id)
        assert (decided.status, decided.answer) == (Status.DECIDED, case.answer)
        assert checked_page(client.get(f"/kasus/{case.id}")).verdict_forms == []
        checked_page(post(client, case, old), 409)
    assert bold.store.get(case.id) == decided
    out = tmp_path / "reviewed.csv"
    done = run_disposisi("rows", "export", "--database", database, "--out", out)
    assert done.returncode == 0, done.stderr
    [row] = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    assert (row["id"], row["sector"], row["label_source"]) == (case.id, "health", "human-corrected")
    assert row["suggested_sector"] == case.answer.sector


def test_a_secret_case_is_decided_at_the_desk_and_stays_out_of_the_export(
    client: TestClient, triage: Triage, database: Path, tmp_path: Path
) -> None:
    secret = take_in(triage, "Oknum pegawai menagih uang kecapung7491", confidentiality=Confidentiality.RAHASIA)
    anonymous = take_in(triage, confidentiality=Confidentiality.ANONIM)
    assert "Rahasia" in checked_page(client.get(f"/kasus/{secret.id}")).text
    for case in (secret, anonymous):
        assert send(client, case, other_agency("inspektorat") | {"urgensi": "1"}).status_code == 303
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


def test_what_was_typed_while_the_session_ran_out_keeps_every_field(
    client: TestClient, access: Access, triage: Triage
) -> None:
    case = take_in(triage)
    sent = (
        opened_form(client, case, "?urgensi=1")
        | other_agency()
        | {
            "urgensi": "2",
            "pecah1": "polresta",
            "pertanyaan": "Di mana?\nKapan?",
            "kepada": "PLN",
            "rujukan": "baris satu\n\nbaris dua",
            "gabung_lain": "abc",
            "catatan": "\n </textarea>dua\nbaris",
        }
    )
    access.sign_out(client.cookies["disposisi"])
    page = checked_page(post(client, case, sent), 401)
    signed_in = client.post("/masuk", data=page.forms["/masuk"] | {"nama": "budi", "sandi": "sandi-untuk-uji-coba"})
    again = checked_page(signed_in).forms[f"/kasus/{case.id}/putusan"]
    page = checked_page(post(client, case, again))
    assert "Anda sudah masuk lagi. Putusan ini belum tersimpan" in page.text
    assert triage.store.get(case.id) == case
    form = page.forms[f"/kasus/{case.id}/putusan"]
    assert {name: value for name, value in form.items() if name != "csrf"} == {
        name: value.strip() for name, value in sent.items() if name != "csrf"
    }
    assert post(client, case, form).status_code == 303


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_verdict_sent_from_another_site_is_refused(client: TestClient, triage: Triage, site: str) -> None:
    case = take_in(triage)
    page = checked_page(send(client, case, **{"Sec-Fetch-Site": site}), 403)
    assert "Ditolak" in page.text
    assert triage.store.get(case.id) == case


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_verdict_sent_from_the_desk_itself_is_taken(client: TestClient, triage: Triage, site: str) -> None:
    assert send(client, take_in(triage), **{"Sec-Fetch-Site": site}).status_code == 303


@pytest.mark.parametrize("origin", ["https://contoh.example", "http://127.0.0.1:9", "http://localhost", "127.0.0.1"])
@pytest.mark.parametrize("site", [{}, {"Sec-Fetch-Site": "same-origin"}])
def test_a_verdict_whose_origin_is_another_is_refused(
    client: TestClient, triage: Triage, origin: str, site: dict[str, str]
) -> None:
    case = take_in(triage)
    checked_page(send(client, case, Origin=origin, **site), 403)
    assert triage.store.get(case.id) == case


def test_a_verdict_from_nowhere_by_way_of_another_site_is_refused(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    checked_page(send(client, case, Origin="null", **{"Sec-Fetch-Site": "cross-site"}), 403)
    assert triage.store.get(case.id) == case


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_a_verdict_whose_origin_is_the_desk_itself_is_taken(client: TestClient, triage: Triage, host: str) -> None:
    sent = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert send(client, take_in(triage), **sent).status_code == 303


@pytest.mark.parametrize("way", ["putusan", "lepas", "sewa", "urungkan"])
def test_nothing_is_done_to_a_case_without_the_token(client: TestClient, triage: Triage, way: str) -> None:
    case = take_in(triage)
    form = opened_form(client, case)
    checked_page(client.post(f"/kasus/{case.id}/{way}", data=form | {"csrf": "x" * 43}), 403)
    assert list(triage.store.claims_of([case.id], triage.now())) == [case.id]
    assert triage.store.get(case.id) == case


def test_a_form_with_a_file_is_answered_with_a_page(client: TestClient, triage: Triage) -> None:
    case = take_in(triage)
    form = opened_form(client, case) | {"urgensi": ""}
    file = {"catatan": ("surat.txt", b"kecapung7491", "text/plain")}
    form.pop("catatan")
    checked_page(client.post(f"/kasus/{case.id}/putusan", data=form, files=file), 422)
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
    checked_page(send(client, case, {"catatan": "x" * Settings().largest_body_bytes}), 413)
    assert triage.store.get(case.id) == case
