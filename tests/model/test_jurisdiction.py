"""Jurisdiction: who may act, who that is, what is told to the citizen, and what must not decide."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import pytest

from data.complaint import Complaint, Jurisdiction
from data.lexicon import FOLDER
from data.region import known_regions, load_region
from data.sectors import all_sectors
from model.jurisdiction import JurisdictionAnswer, JurisdictionJudge, jurisdiction_cues
from model.prediction import Prediction, Ranked
from model.text import prepare, whole_chain

OFFICES = [
    ("listrik padam sejak pagi, token listrik tidak bisa masuk", "energy", "central", "PLN UP3 Cikupa"),
    ("jalan nasional berlubang parah", "public-works", "central", "Kementerian Pekerjaan Umum"),
    ("jalan provinsi rusak, ruas jalan provinsi ini berlubang", "public-works", "province", "Provinsi Banten"),
    ("spp SMA negeri dipungut lagi", "education", "province", "Dinas Pendidikan dan Kebudayaan Provinsi Banten"),
    ("antre lama di samsat untuk pajak kendaraan", "regional-revenue", "province", "Pemerintah Provinsi Banten"),
    ("perpanjangan sim dipersulit di polres", "police", "central", "Polresta Tangerang"),
    ("sertifikat tanah ptsl belum jadi di bpn", "land", "central", "Kantor Pertanahan Kabupaten Tangerang"),
    ("saldo jht bpjs ketenagakerjaan tidak cair", "employment-insurance", "central", "BPJS Ketenagakerjaan"),
    ("paspor saya lama sekali di imigrasi", "immigration", "central", "Kantor Imigrasi"),
    ("buku nikah hilang, KUA minta biaya", "religion", "central", "Kementerian Agama"),
    ("pinjol menyebar data saya, debt collector meneror", "financial-services", "central", "Otoritas Jasa Keuangan"),
    ("akta cerai di pengadilan agama", "other", "central", "Pengadilan Agama"),
]
OURS = [
    ("jalan berlubang dekat kantor PLN", "public-works"),
    ("lampu jalan mati di depan SMA", "transport"),
    ("sampah menumpuk di samping polsek", "environment"),
    ("parkir liar di seberang gedung pengadilan", "transport"),
    ("PKH dan BPNT ibu saya tidak cair", "social"),
    ("jalan rusak, mohon diperbaiki", "public-works"),
    ("Yth. Kementerian Pekerjaan Umum, selokan di kampung kami mampet", "public-works"),
    ("selokan mampet. Kewenangan Pemerintah Provinsi Banten", "public-works"),
]


@pytest.fixture(scope="module")
def of_tangerang() -> JurisdictionJudge:
    return JurisdictionJudge(load_region("kab-tangerang"), whole_chain())


def answer(
    judge: JurisdictionJudge, text: str, sector: str, head: Sequence[tuple[str, float]] = (), known_words: int = 5
) -> JurisdictionAnswer:
    """The answer for a text whose sector is known; the head knows nothing unless told."""
    learned = tuple(Ranked(level, probability) for level, probability in head)
    others = [code for code in all_sectors() if code != sector][:3]
    sectors = (Ranked(sector, 0.85), *(Ranked(code, 0.05) for code in others))
    return judge.answer(prepare(Complaint(text)), Prediction(sectors, jurisdiction=learned, known_words=known_words))


@pytest.mark.parametrize(("text", "sector", "level", "office"), OFFICES)
def test_a_matter_of_another_government_names_who_answers(
    of_tangerang: JurisdictionJudge, text: str, sector: str, level: str, office: str
) -> None:
    found = answer(of_tangerang, text, sector)
    assert not found.is_ours
    assert found.level is Jurisdiction(level)
    assert found.responsible is not None
    assert office in found.responsible
    assert found.responsible in found.referral
    assert "SP4N-LAPOR!" in found.referral
    assert "bukan Pemerintah Kabupaten Tangerang" in found.referral


@pytest.mark.parametrize(("text", "sector"), OURS)
def test_what_is_ours_is_not_given_away(of_tangerang: JurisdictionJudge, text: str, sector: str) -> None:
    head = [("local", 0.9), ("central", 0.06), ("province", 0.02), ("private", 0.01), ("unclear", 0.01)]
    found = answer(of_tangerang, text, sector, head)
    assert found.is_ours
    assert found.responsible is None
    assert found.referral == ""


@pytest.mark.parametrize(
    "text",
    [
        "sampah dekat kantor PLN",
        "di depan gedung pengadilan",
        "samping polres",
        "Yth. Kementerian Agama",
        "selokan mampet Kewenangan Pemerintah Provinsi Banten",
    ],
)
def test_places_addressees_and_routing_lines_are_no_cues(of_tangerang: JurisdictionJudge, text: str) -> None:
    assert all(
        cue.level is Jurisdiction.LOCAL for cue in of_tangerang.find_cues(prepare(Complaint(text)), list(all_sectors()))
    )


def test_a_private_matter_is_told_to_have_no_office_and_where_to_turn(of_tangerang: JurisdictionJudge) -> None:
    found = answer(of_tangerang, "barang tidak dikirim, toko online menolak refund", "other", [("private", 0.5)])
    assert found.level is Jurisdiction.PRIVATE
    assert "tidak ada instansi pemerintah" in found.referral
    assert "BPSK" in found.referral
    personal = answer(of_tangerang, "utang piutang dengan mantan pacar", "other", [("private", 0.5)])
    assert personal.level is Jurisdiction.PRIVATE
    assert personal.responsible is None
    assert "BPSK" not in personal.referral


def test_an_unclear_matter_is_asked_about_and_stays_ours(of_tangerang: JurisdictionJudge) -> None:
    for found in (
        answer(of_tangerang, "tolong", "public-works", [("unclear", 0.6), ("local", 0.4)]),
        answer(of_tangerang, "xyz", "public-works", known_words=0),
    ):
        assert found.level is Jurisdiction.UNCLEAR
        assert found.is_ours
        assert "Mohon jelaskan" in found.referral
    cued = answer(of_tangerang, "pju mati", "transport", [("unclear", 0.6), ("local", 0.4)])
    assert cued.level is Jurisdiction.LOCAL


def test_probabilities_are_whole_and_ranked(of_tangerang: JurisdictionJudge) -> None:
    levels = answer(of_tangerang, "jalan nasional rusak", "public-works").levels
    assert {ranked.label for ranked in levels} == set(Jurisdiction)
    assert sum(ranked.probability for ranked in levels) == pytest.approx(1)
    assert [r.probability for r in levels] == sorted((r.probability for r in levels), reverse=True)


def test_the_cues_are_whole() -> None:
    with (FOLDER / "jurisdiction_cues.csv").open(encoding="utf-8", newline="") as handle:
        phrases = [row["phrase"] for row in csv.DictReader(handle)]
    assert phrases == sorted(set(phrases))
    for cue in jurisdiction_cues():
        assert cue.sectors <= all_sectors().keys()
        assert cue.level is not Jurisdiction.UNCLEAR
        if cue.level in (Jurisdiction.PROVINCE, Jurisdiction.CENTRAL):
            assert cue.office or cue.body
            assert cue.matter


@pytest.mark.parametrize("code", known_regions())
def test_every_office_of_a_cue_is_in_every_region_at_its_level(code: str) -> None:
    levels = {agency.code: agency.level for agency in load_region(code).agencies}
    for cue in jurisdiction_cues():
        assert not cue.office or levels[cue.office] is cue.level


def test_hostile_texts_are_answered(of_tangerang: JurisdictionJudge) -> None:
    for text in ("jalan " * 5_000, "yth " * 5_000, "depan kantor " * 3_000, "kewenangan pemerintah " * 3_000, ""):
        assert answer(of_tangerang, text, "public-works").levels
