"""Names of persons are masked where a form or a phrase announces them, and other words after it stay."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.names import mask_announced_names, mask_reporter

NAMES = (
    "Siti Aminah",
    "Agus Setiawan",
    "Wagiyem",
    "Yohanes Nababan",
    "Nur Hidayat",
    "Asep Sunandar",
    "I Ketut Suardana",
    "Bambang",
    "Dewi Lestari",
    "Muhammad Santoso",
    "Maria Wulandari",
    "Ujang Hermawan",
)
PIECES = (
    "Nama: ",
    "nama saya",
    "NAMA",
    "namanya",
    "a.n.",
    "an.",
    " an ",
    "atas nama",
    "bernama",
    "Pelapor:",
    "Hormat saya,\n",
    "terima kasih\n",
    "ttd",
    "kenalkan",
    "jeneng kulo",
    "saya",
    "Bapak",
    "Budi",
    "siti aminah",
    "I Made",
    "JOKO",
    "dan",
    "jalan rusak",
    "[NAMA]",
    "[NIK]",
    "\n",
    ",",
    ":",
    "(",
    "İ",
    "-",
    "'",
)
# Enough of it, and the share of capitals in a text is the usual one, with a name more or less.
ORDINARY = "jalan rusak di depan pasar Curug sudah lama dan warga mohon segera diperbaiki " * 10
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=10).map(" ".join) | st.text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Nama: Budi Santoso", "Nama: [NAMA]"),
        ("Nama : BUDI SANTOSO", "Nama : [NAMA]"),
        ("nama:budi", "nama:[NAMA]"),
        ("NAMA LENGKAP:\tBUDI", "NAMA LENGKAP:\t[NAMA]"),
        ("Nama=Budi; alamat=Curug", "Nama=[NAMA]; alamat=Curug"),
        ("Nama - Budi", "Nama - [NAMA]"),
        ("Nama \u2013 Budi", "Nama \u2013 [NAMA]"),
        ("Nama | Budi", "Nama | [NAMA]"),
        ("*Nama*: Budi", "*Nama*: [NAMA]"),
        ("Nama:\nBudi Santoso", "Nama:\n[NAMA]"),
        ("Nama anak: Rafi\nUmur: 3 tahun", "Nama anak: [NAMA]\nUmur: 3 tahun"),
        ("Nama ibu kandung: Siti Aminah", "Nama ibu kandung: [NAMA]"),
        ("Nama lengkap/KTP: Budi", "Nama lengkap/KTP: [NAMA]"),
        ("1. Nama: Budi\n2. Nama: Siti", "1. Nama: [NAMA]\n2. Nama: [NAMA]"),
        ("Pelapor: Budi", "Pelapor: [NAMA]"),
        ("pengirim = siti", "pengirim = [NAMA]"),
        ("Nama Budi Santoso NIK [NIK]", "Nama [NAMA] NIK [NIK]"),
        ("Nm : Budi\nAlamat: Curug", "Nm : [NAMA]\nAlamat: Curug"),
        ("Nm: Budi", "Nm: [NAMA]"),
    ],
)
def test_the_name_in_a_form_is_masked(before: str, after: str) -> None:
    assert mask_announced_names(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("KTP atas nama Budi, Ujang dan Iroh belum jadi", "KTP atas nama [NAMA], [NAMA] dan [NAMA] belum jadi"),
        ("rekening a.n. Budi ditolak", "rekening a.n. [NAMA] ditolak"),
        ("rekening a.n budi santoso", "rekening a.n [NAMA]"),
        ("A/n Budi", "A/n [NAMA]"),
        ("an. Budi", "an. [NAMA]"),
        ("tagihan an Budi naik", "tagihan an [NAMA] naik"),
        ("KTP AN BUDI BELUM JADI", "KTP AN [NAMA] BELUM JADI"),
        ("atas nama Siti Aminah", "atas nama [NAMA]"),
        ("a.n. pelanggan Budi Santoso", "a.n. pelanggan [NAMA]"),
        ("a.n. almarhum bapak saya Karto", "a.n. almarhum bapak saya [NAMA]"),
        ("nama saya budi", "nama saya [NAMA]"),
        ("Saya bernama Budi Santoso mau lapor sampah", "Saya bernama [NAMA] mau lapor sampah"),
        ("anak itu namanya Joko", "anak itu namanya [NAMA]"),
        ("perkenalkan saya Rina dari Cikupa", "perkenalkan saya [NAMA] dari Cikupa"),
        ("jeneng kulo Slamet", "jeneng kulo [NAMA]"),
        ("nami abdi Ujang", "nami abdi [NAMA]"),
    ],
)
def test_the_name_that_a_phrase_announces_is_masked(before: str, after: str) -> None:
    assert mask_announced_names(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("terima kasih\nBudi", "terima kasih\n[NAMA]"),
        ("Terima kasih.\n\nBudi Santoso", "Terima kasih.\n\n[NAMA]"),
        ("Hormat saya,\nSiti Aminah", "Hormat saya,\n[NAMA]"),
        ("Hormat kami,\n\n\nSiti Aminah", "Hormat kami,\n\n\n[NAMA]"),
        ("ttd\nSiti", "ttd\n[NAMA]"),
        ("Tertanda, Budi", "Tertanda, [NAMA]"),
    ],
)
def test_the_name_below_a_letter_is_masked(before: str, after: str) -> None:
    assert mask_announced_names(before) == after


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("Budi", "[NAMA]"),
        ("I Gusti Ngurah Rai", "[NAMA]"),
        ("Ni Luh Sari", "[NAMA]"),
        ("Ja'far", "[NAMA]"),
        ("Nur-Aini", "[NAMA]"),
        ("Abd. Rahman", "[NAMA]"),
        ("M. Rizky P.", "[NAMA]"),
        ("Ahmad bin Ali", "[NAMA]"),
        ("H. Ahmad Fauzi, S.Pd", "H. [NAMA], S.Pd"),
        ("Dr. dr. Ahmad", "Dr. dr. [NAMA]"),
        ("Bapak Slamet", "Bapak [NAMA]"),
        ("Siti dan Agus", "[NAMA] dan [NAMA]"),
    ],
)
def test_a_name_goes_whole_and_titles_stay(name: str, masked: str) -> None:
    assert mask_announced_names(f"Nama: {name}\nAlamat: Curug") == f"Nama: {masked}\nAlamat: Curug"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_masked_in_whatever_capitals(name: str) -> None:
    spellings = (name, name.upper(), name.lower())
    masked = [mask_announced_names(f"Nama: {spelling}\nAlamat: Desa Curug") for spelling in spellings]
    assert masked == ["Nama: [NAMA]\nAlamat: Desa Curug"] * len(spellings)


@pytest.mark.parametrize(
    "text",
    [
        "Nama jalan: Jalan Mawar",
        "Nama toko: Sumber Rejeki",
        "Nama Perusahaan: PT Maju Jaya",
        "Nama: warga",
        "Nama: Anonim",
        "Nama: -",
        "Nama:",
        "Pelapor: warga RT 03",
        "nama saya sudah terdaftar",
        "nama sekolah SDN 3",
        "nama baik Dinas Pendidikan tercoreng",
        "atas nama warga desa kami mohon perbaikan",
        "namanya juga warga kecil",
        "dinamakan gotong royong",
        "perumahan a.n. Griya",
        "Masjid An Nur",
        "bulan, dan. Jalan",
        "Terima kasih\nWarga Cikupa",
        "Terima kasih\nMohon segera",
        "Hormat kami, warga desa",
        "perkenalkan saya warga Cikupa",
        "Saya Budi melapor jalan rusak",
        "Bapak Joko melapor jalan rusak",
        "Jalan rusak di depan pasar",
        "",
    ],
)
def test_words_that_are_no_announced_name_stay(text: str) -> None:
    assert mask_announced_names(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "[NAMA] Cikupa rusak jalannya",
        "Nama: [NAMA]",
        "Nama=[NAMA]; Kec=Curug",
        "a.n. [NAMA] id pelanggan [NOMOR]",
        "nami abdi [NAMA] ti Kampung Ciharashas",
        "Kepada [NAMA] Mawar",
        "[NAMA], Mekar Jaya",
        "[NAMA]: Sentani Timur",
        "nama saya [NAMA] dan [NAMA] melapor",
    ],
)
def test_a_name_that_is_masked_already_announces_nothing(text: str) -> None:
    assert mask_announced_names(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("saya Budi melapor bahwa jalan rusak", "saya [NAMA] melapor bahwa jalan rusak"),
        ("saya, Budi, mau melapor sampah di kali", "saya, [NAMA], mau melapor sampah di kali"),
        ("saya Muhammad Rizky Pratama dari Balaraja", "saya [NAMA] dari Balaraja"),
        ("Bapak Joko memukul anak saya di sekolah", "Bapak [NAMA] memukul anak saya di sekolah"),
        ("kata Ibu Siti Aminah, guru di sekolah", "kata Ibu [NAMA], guru di sekolah"),
        ("Sdr. Budi dan Mbak Rina", "Sdr. [NAMA] dan Mbak [NAMA]"),
        ("tetangga saya Pak Slamet membakar sampah", "tetangga saya Pak [NAMA] membakar sampah"),
        ("PAK JOKO", "PAK [NAMA]"),
        ("saya Budi", "saya [NAMA]"),
    ],
)
def test_whoever_is_called_by_name_is_masked_where_the_reporter_must_not_be_known(before: str, after: str) -> None:
    assert mask_reporter(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "Yth. Bapak Bupati Tangerang, jalan rusak di depan pasar",
        "Bapak/Ibu yang terhormat, mohon perbaikan jalan",
        "saya tinggal di Kampung Melayu dekat pasar",
        "Saya Warga Desa Mekar Sari melaporkan jalan rusak parah",
        "Saya Sangat kecewa dengan pelayanan Dukcapil",
        "Ibu Kota Jakarta macet setiap hari kerja",
        "Bapak Presiden mohon bantuannya untuk jalan kami",
        "saya [NAMA] dan Bapak [NAMA] melapor",
        "SAYA WARGA RT 02 MELAPORKAN JALAN RUSAK DI DEPAN RUMAH KAMI",
        "ibu saya sakit",
        "",
    ],
)
def test_an_office_or_a_plain_word_after_such_a_call_stays(text: str) -> None:
    assert mask_reporter(text) == text


def is_masked_from(masked: str, text: str) -> bool:
    """Whether a masked text is the text with some of its stretches replaced by the token, and nothing else changed."""
    place = 0
    for piece in masked.split("[NAMA]"):
        found = text.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return True


@given(TEXTS)
@settings(max_examples=40, deadline=None)
def test_nothing_but_names_is_touched(text: str) -> None:
    for masked in (mask_announced_names(text), mask_reporter(text)):
        assert is_masked_from(masked, text)
        assert masked.count("[NAMA]") >= text.count("[NAMA]")


@given(TEXTS)
@example("Nama: Bambang at")
@example("hormat saya\nBudi aku")
@settings(max_examples=40, deadline=None)
def test_masking_names_twice_changes_nothing_more(text: str) -> None:
    masked = mask_announced_names(f"{text} . {ORDINARY}")
    assert mask_announced_names(masked) == masked
