"""Expanding: short forms in full, regional words and affixes in Indonesian, ambiguous forms by their neighbours."""

from __future__ import annotations

import csv
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.complaint import Complaint
from data.lexicon import FOLDER, read_lines
from model.expansion import (
    Reading,
    affixes,
    ambiguous,
    expand_word,
    expansions,
    tell_apart,
    translate_affixes,
    translate_word,
    translations,
)
from model.stemming import is_root, stem
from model.text import prepare

FORMS = sorted(ambiguous())
NEIGHBOURS = sorted({stem for found in ambiguous().values() for row in found for stem in row.previous | row.following})
LISTS = st.lists(st.sampled_from(FORMS) | st.sampled_from(NEIGHBOURS) | st.sampled_from(["12", "qoq"]), max_size=14)
CORES = st.one_of(
    st.sampled_from(sorted(translations())),
    st.sampled_from(sorted(expansions())),
    st.sampled_from(sorted(read_lines("loan_verbs"))),
    st.sampled_from("jalan lampu lapor tempat batu budi an e".split()),
    st.text("aeiknrst", max_size=8),
)
WITH_AFFIX = st.builds(
    lambda affix, core: f"{affix.prefix}{core}{affix.suffix}", st.sampled_from(list(affixes())), CORES
)


def words_of(text: str) -> str:
    return prepare(Complaint(text)).words


# One word


@pytest.mark.parametrize(
    ("form", "meaning"),
    [
        ("yg", "yang"),
        ("pju", "penerangan jalan umum"),
        ("kelurhan", "kelurahan"),
        ("dishub", "dinas perhubungan"),
        ("yang", "yang"),
        ("kk", "kk"),
        ("dalan", "dalan"),
        ("YG", "YG"),
        ("", ""),
    ],
)
def test_an_abbreviation_is_put_in_full_and_other_words_stay(form: str, meaning: str) -> None:
    assert expand_word(form) == meaning


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("dalan", "jalan"),
        ("dalane", "jalannya"),
        ("ndalane", "jalannya"),
        ("diewangi", "dibantu"),
        ("piye", "bagaimana"),
        ("downloadke", "downloadkan"),
        ("sakminggu", "seminggu"),
        ("kumaha", "bagaimana"),
        ("euweuh", "tidak ada"),
        ("jalan", "jalan"),
        ("sing", "sing"),
        ("yg", "yg"),
        ("", ""),
    ],
)
def test_a_regional_word_is_put_in_indonesian_and_other_words_stay(word: str, meaning: str) -> None:
    assert translate_word(word) == meaning


def test_no_form_has_a_regional_meaning_beside_another() -> None:
    assert translations().keys().isdisjoint(expansions())
    assert translations().keys().isdisjoint(ambiguous())


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("gedunge", "gedungnya"),
        ("laporno", "laporkan"),
        ("laporaken", "laporkan"),
        ("dilanjutno", "dilanjutkan"),
        ("nglanjutno", "lanjutkan"),
        ("dipuncek", "dicek"),
        ("diuploadang", "diuploadkan"),
        ("ngadownloadkeun", "downloadkan"),
        ("ngeblokirin", "blokirkan"),
        ("lampunyo", "lampunya"),
        ("mambantu", "membantu"),
        ("jalannye", "jalannya"),
        ("jalannyane", "jalannya"),
        # Where a shorter affix would fit too: -e on "sangkan", di- -ke on "tahana", nge- on "hadirin".
        ("sangkane", "sangkanya"),
        ("ditahanake", "ditahankan"),
        ("ngehadirin", "hadirkan"),
    ],
)
def test_a_regional_affix_on_a_root_or_a_loan_verb_is_put_in_indonesian(word: str, expected: str) -> None:
    assert translate_affixes(word) == expected


@pytest.mark.parametrize(
    "word",
    [
        "jalan",
        "sarana",
        "perbaikan",
        "online",
        "budiono",
        "budine",
        "airne",
        "log-in",
        "lampu-ne",
        "jalan2e",
        "e",
        "ke",
        "ne",
        "dike",
        "",
    ],
)
def test_a_word_that_is_indonesian_short_or_no_word_keeps_its_end(word: str) -> None:
    assert translate_affixes(word) == word


def test_a_regional_prefix_is_translated_with_its_regional_word_and_a_suffix_alone_is_not() -> None:
    assert translations()["dalan"] == "jalan"
    assert translate_affixes("sakdalan") == "sejalan"
    assert translate_affixes("dalane") == "dalane"


@given(WITH_AFFIX)
@settings(max_examples=100, deadline=None)
def test_a_word_with_an_affix_becomes_one_word_and_an_indonesian_one_stays(word: str) -> None:
    result = translate_affixes(word)
    assert len(result.split()) <= 1
    if is_root(word) or stem(word) != word:
        assert result == word


@pytest.mark.parametrize("word", ["kayakna", "sakdulur", "ngagancang", "ngelungguh"])
def test_a_word_without_its_affix_is_no_form_of_the_tables(word: str) -> None:
    result = translate_word(expand_word(word)).split()
    assert " ".join(translate_word(expand_word(found)) for found in result).split() == result


# Ambiguous forms


@pytest.mark.parametrize(
    ("previous", "following", "fitting"),
    [
        ("", "", "anything"),
        ("#", "", "anything, after a number"),
        ("", "jalan", "anything, before a way"),
        ("#", "jalan", "anything, after a number, before a way, between"),
        ("jalan", "#", "anything"),
    ],
)
def test_a_reading_fits_between_the_neighbours_it_asks_for(previous: str, following: str, fitting: str) -> None:
    any_word, number, way = (frozenset(words.split()) for words in ("", "#", "jalan gang"))
    readings = [
        Reading("anything", any_word, any_word),
        Reading("after a number", number, any_word),
        Reading("before a way", any_word, way),
        Reading("between", number, way),
    ]
    assert ", ".join(reading.meaning for reading in readings if reading.fits(previous, following)) == fitting


def said_once(previous: str, meaning: str) -> str:
    """Both together, without the word before where the meaning begins with it."""
    return meaning if meaning.startswith(f"{previous} ") else f"{previous} {meaning}"


def rows() -> list[dict[str, str]]:
    with (FOLDER / "ambiguous.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row['form']}-{row['meaning']}-{row['previous'][:9]}")
def test_a_reading_is_reached_from_a_sentence_with_any_of_its_neighbours(row: dict[str, str]) -> None:
    before, after = (row[side].replace("#", "12").split() or ["qoq"] for side in ("previous", "following"))
    sentences = [
        (f"{previous} {row['form'].upper()} {following}.", f"{said_once(previous, row['meaning'])} {following}")
        for previous, following in product(before, after)
    ]
    assert [(sentence, words_of(sentence)) for sentence, read in sentences if words_of(sentence) != read] == []


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_no_neighbour_tells_stays_unless_it_has_a_reading_for_anything(form: str) -> None:
    for_anything = [row.meaning for row in ambiguous()[form] if not row.previous and not row.following]
    expected = for_anything[0] if for_anything else form
    assert words_of(f"qoq {form} qoq") == f"qoq {expected} qoq"
    assert words_of(form) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("5 km", "5 kilometer"),
        ("km 12", "kilometer 12"),
        ("km", "km"),
        ("tgl 12", "tanggal 12"),
        ("yg tgl di", "yang tinggal di"),
        ("kami tgl 2 tahun", "kami tanggal 2 tahun"),
        ("50 kk", "50 kepala keluarga"),
        ("kk hilang", "kartu keluarga hilang"),
        ("no kk hilang", "nomor kartu keluarga hilang"),
        ("SD Negeri 1", "sekolah dasar negeri 1"),
        ("jam 8 sd 10", "jam 8 sampai 10"),
        ("sd", "sd"),
        ("no 12", "nomor 12"),
        ("no rumah", "nomor rumah"),
        ("no comment", "no comment"),
        ("dr soetomo", "dokter soetomo"),
        ("dr rumah", "dari rumah"),
        ("pmk sapi", "penyakit mulut dan kuku sapi"),
        ("mobil pmk", "mobil pemadam kebakaran"),
        ("an [NAMA]", "atas nama _nama_"),
        ("an itu", "an itu"),
        ("kk kk", "kartu keluarga kartu keluarga"),
        ("12 sd 15", "12 sampai 15"),
    ],
)
def test_neighbours_tell_what_an_ambiguous_form_means(before: str, after: str) -> None:
    assert words_of(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pelanggaran ktr", "pelanggaran kawasan tanpa rokok"),
        ("kasi pemerintahan", "kepala seksi pemerintahan"),
        ("kasi pembangunan", "kepala seksi pembangunan"),
        ("berlangganan no", "berlangganan no"),
        ("no pelanggan", "nomor pelanggan"),
        ("mengelola bs", "mengelola bank sampah"),
        ("menteri permen nomor", "menteri peraturan menteri nomor"),
    ],
)
def test_a_neighbour_tells_by_its_stem(before: str, after: str) -> None:
    assert tell_apart(before.split()) == after.split()


def test_the_beginning_and_the_end_of_a_text_are_no_neighbours() -> None:
    assert tell_apart(["km"]) == ["km"]
    assert tell_apart(["12", "km"]) == ["12", "kilometer"]
    assert tell_apart([]) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("kartu kk hilang", "kartu keluarga hilang"),
        ("bank bri", "bank rakyat indonesia"),
        ("dinas dlh", "dinas lingkungan hidup"),
        ("sekolah SD negeri", "sekolah dasar negeri"),
        ("kartu kartu kartu kk", "kartu keluarga"),
        ("no kartu kk", "nomor kartu keluarga"),
        # No meaning begins here.
        ("taman tk", "taman kanak kanak"),
        ("hati hati di jalan", "hati hati di jalan"),
        ("tolong tolong pak", "tolong tolong pak"),
        ("kk kk", "kartu keluarga kartu keluarga"),
    ],
)
def test_a_word_that_a_meaning_says_again_is_said_once(before: str, after: str) -> None:
    assert words_of(before) == after
    assert words_of(after) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sinyal 4G hilang", "sinyal 4g hilang"),
        ("menara 5g", "menara 5g"),
        ("lebar jalan 3m", "lebar jalan 3 meter"),
        ("gerakan 3M plus", "gerakan 3 menguras menutup mengubur plus"),
        ("kebisingan 80 db", "kebisingan 80 desibel"),
        ("kena DB", "kena demam berdarah"),
        ("file maksimal 500 kb", "file maksimal 500 kilobita"),
        ("pasang kb", "pasang keluarga berencana"),
        ("bpjs tk", "badan penyelenggara jaminan sosial ketenagakerjaan"),
        ("poli KIA penuh", "poli kesehatan ibu dan anak penuh"),
        ("urus kia", "urus kartu identitas anak"),
        ("kartu sim telkomsel", "kartu sim telkomsel"),
        ("perpanjang sim", "perpanjang surat izin mengemudi"),
        ("perum damri", "perum damri"),
        ("perum babatan indah", "perumahan babatan indah"),
        ("perum bulog", "perum badan urusan logistik"),
        ("tes skb", "tes seleksi kompetensi bidang"),
        ("skb cpns", "seleksi kompetensi bidang calon pegawai negeri sipil"),
        ("skb 3", "skb 3"),
        ("parah skl", "parah sekali"),
        ("akta dan skl bidan", "akta dan surat keterangan lahir bidan"),
        ("ijazah skl", "ijazah surat keterangan lulus"),
        ("pj bupati", "penjabat bupati"),
        ("pj proyek", "penanggung jawab proyek"),
        ("add teman", "add teman"),
        ("dana add", "dana alokasi dana desa"),
        ("tgl 12 des 2022", "tanggal 12 desember 2022"),
        ("des nanjung", "desa nanjung"),
        ("tu smp", "tata usaha sekolah menengah pertama"),
        ("suket domisili", "surat keterangan domisili"),
        ("pinggir suket", "pinggir rumput"),
        ("pipa gepeng", "pipa gepeng"),
        ("no rek hilang", "nomor rek hilang"),
        ("piye rek", "bagaimana rek"),
        ("bank nagari", "bank nagari"),
        ("banyu urip", "banyu urip"),
        ("banyu mati", "air mati"),
        ("tambak wedi baru", "tambak wedi baru"),
        ("truk wedi", "truk pasir"),
        ("anak loro", "anak sakit"),
        ("solokan jeruk", "solokan jeruk"),
        ("dibenakke", "diperbaiki"),
        ("benakaken", "benakaken"),
        ("abdi negara", "abdi negara"),
        ("bumi abdi", "bumi abdi"),
        ("ti kamari", "dari kemarin"),
        ("bagian ti", "bagian ti"),
        ("karo tanggane", "dengan tetangganya"),
        ("kabupaten karo", "kabupaten karo"),
    ],
)
def test_a_form_that_the_complaints_use_for_two_things_is_told_or_left(before: str, after: str) -> None:
    assert words_of(before) == after


@pytest.mark.parametrize(
    ("short", "full"),
    [("drh tps", "daerah tps"), ("drh dpt", "daerah dpt"), ("sm dr", "sama dr")],
)
def test_a_form_is_told_alike_by_a_short_form_before_it_and_by_the_same_in_full(short: str, full: str) -> None:
    assert tell_apart(short.split()) == tell_apart(full.split())


@given(LISTS)
@settings(max_examples=125, deadline=None)
def test_what_was_told_apart_stays(words: list[str]) -> None:
    given_words = list(words)
    told = tell_apart(words)
    assert tell_apart(told) == told
    assert words == given_words


@given(LISTS)
@settings(max_examples=75, deadline=None)
def test_words_that_are_no_ambiguous_forms_stay_in_their_order(words: list[str]) -> None:
    plain = [word for word in words if word not in ambiguous()]
    told = tell_apart(words)
    left = iter(told)
    assert all(word in left for word in plain if plain.count(word) == 1)
    assert set(plain) <= set(told)
