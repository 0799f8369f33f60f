"""The text steps, each by a table of before and after, and the chain as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.complaint import Complaint, LabelledRow
from model.text import (
    SURFACE_STEPS,
    blur_numbers,
    fold,
    full_text,
    mask_personal_data,
    prepare,
    spell_words,
    stem_words,
    step_names,
    undouble,
    unstretch,
)

FRAGMENTS = (
    "jalan-jalan",
    "jalan2",
    "Jalaaan",
    "pelayanannya",
    "RT 02/RW 05",
    "Rp 1.500.000",
    "12/03/2023",
    "08123456789",
    "3603011234567890",
    "siti@contoh.id",
    "https://contoh.go.id/a?b=1",
    "&amp;",
    "&lt;b&gt;",
    "\u200f",
    "ﬁ",
    "İ",
    "ＪＡＬＡＮ",
    "x²",
    "a",
    "_",
    "!!!",
    "🙏🏽",
    "الشارع",
    "[NIK]",
)
SPACED = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=12).map(" ".join),
)
TEXTS = SPACED | st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join)


def surface(text: str) -> str:
    for step in SURFACE_STEPS:
        text = step(text)
    return text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("NIK 3603011234567890.", "NIK [NIK]."),
        ("nik:360301-123456-7890", "nik:[NIK]"),
        ("360301 123456 7890", "[NIK]"),
        ("３６０３０１１２３４５６７８９０", "[NIK]"),
        ("wa 081234567890 ya", "wa [TELEPON] ya"),
        ("0812-3456-7890", "[TELEPON]"),
        ("0812 345 678", "[TELEPON]"),
        ("0812.3456.7890", "[TELEPON]"),
        ("+62 812-3456-7890", "[TELEPON]"),
        ("+6281234567890", "[TELEPON]"),
        ("6281234567890", "[TELEPON]"),
        ("\u202a+62 812-3456-7890\u202c", "\u202a[TELEPON]\u202c"),
        ("hp08123456789,", "hp[TELEPON],"),
        ("surat ke siti.a+b@contoh.co.id saja", "surat ke [EMAIL] saja"),
        ("lihat https://contoh.go.id/a?b=1 ini", "lihat [URL] ini"),
        ("WWW.contoh.id", "[URL]"),
        ("http://contoh.id/08123456789", "[URL]"),
        ("3603011234567890 dan 08123456789", "[NIK] dan [TELEPON]"),
        ("Hp.081234567890", "Hp.[TELEPON]"),
        ("No.HP.0812-3456-7890.", "No.HP.[TELEPON]."),
        ("telp,081234567890", "telp,[TELEPON]"),
        ("081234567890,081345678901", "[TELEPON],[TELEPON]"),
        ("0812-3456-7890, 0813-4567-8901", "[TELEPON], [TELEPON]"),
        ("08123456789/08134567890", "[TELEPON]/[TELEPON]"),
        ("3603.0112.3456.7890", "[NIK]"),
        ("NIK.360301.123456.7890.", "NIK.[NIK]."),
        ("36.03.01.123456.7890", "[NIK]"),
        ("０８１２３４５６７８９", "[TELEPON]"),
        ("\U0001d7ce\U0001d7d6123456789", "[TELEPON]"),
        ("siti＠contoh.id", "[EMAIL]"),
        ("ｈｔｔｐｓ：／／contoh.id/a", "[URL]"),
        ("Ｊalan ①", "Jalan 1"),
    ],
)
def test_what_identifies_a_person_is_masked(before: str, after: str) -> None:
    assert mask_personal_data(before) == after


@pytest.mark.parametrize(
    "number",
    [
        "+62 812\u20113456\u20117890",  # as WhatsApp copies a contact: U+2011, a hyphen that doesn't break
        "+62\u00a0812-3456-7890",
        "0812\u200b34567890",
        "0812 - 3456 - 7890",
        "(0812) 3456-7890",
        "0812 34 56 78 90",
        "3603 0112 3456 7890",
    ],
    ids=ascii,
)
def test_numbers_are_masked_in_the_other_spellings_people_use(number: str) -> None:
    assert "7890" not in surface(f"hubungi {number} ya").replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        "Rp 1.500.000",
        "Rp. 23.400.000,-",
        "Rp 81.234.567.890",
        "Rp 62.812.345.678",
        "1,081,234,567",
        "Rp 1.081.234.567,00",
        "Rp 12,081,234,567",
        "Rp 15.000.000-20.000.000",
        "01.03.2023-05.03.2023",
        "12-03-2023 13-03-2023",
        "12/03/2023",
        "08-12-2022 jam 08.30",
        "2023-03-12 08:12",
        "RT 02/RW 05",
        "RT02 RW05",
        "15810",
        "112",
        "14045",
        "(021) 5501234",
        "12345678901234567",
        "pukul 20.00-21.30",
        "B 1234 XYZ",
        "@dinas",
    ],
)
def test_amounts_dates_and_neighbourhoods_are_not_masked(text: str) -> None:
    assert mask_personal_data(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Rp 1.500.000", "rp 1 500 000"),
        ("tgl 12/03/2023", "tgl 12 03 2023"),
        ("RT 02/RW 05", "rt 02 rw 05"),
        ("RT.02 RW.05", "rt 02 rw 05"),
        ("Jl. Raya Serang KM 12,5", "jl raya serang km 12 5"),
    ],
)
def test_amounts_dates_and_neighbourhoods_reach_the_words(text: str, words: str) -> None:
    assert surface(text) == words


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("JALAN Rusak", "jalan rusak"),
        ("air &amp; listrik", "air & listrik"),
        ("&lt;p&gt;", "<p>"),
        ("ｊａｌａｎ ①", "jalan 1"),
        ("ka\u200bta\u00adnya", "katanya"),
        ("\u202bkanan\u202c", "kanan"),
        ("  a\t\tb\r\nc\u00a0d  ", "a b c d"),
        ("a\x00b\x07c", "a b c"),
        ("\ufeffawal", "awal"),
        ("cafe\u0301", "café"),
        ("", ""),
    ],
)
def test_folding_undoes_escapes_forms_capitals_and_invisible_characters(before: str, after: str) -> None:
    assert fold(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("bangeeeet", "banget"),
        ("toloooong paaaak", "tolong pak"),
        ("maaf", "maaf"),
        ("saat manggung", "saat manggung"),
        ("1000000", "1000000"),
        ("!!!", "!!!"),
        ("___", "___"),
    ],
)
def test_a_letter_typed_three_times_stands_once(before: str, after: str) -> None:
    assert unstretch(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("jalan-jalan rusak", "jalan rusak"),
        ("jalan2 rusak", "jalan rusak"),
        ("anak2.", "anak."),
        ("sayur-mayur", "sayur-mayur"),
        ("jalan-jalannya", "jalan-jalannya"),
        ("rt2", "rt2"),
        ("smp2 dan sd2", "smp dan sd2"),
        ("jalan20", "jalan20"),
        ("blok-a", "blok-a"),
        ("12-12", "12-12"),
    ],
)
def test_a_doubled_word_stands_once(before: str, after: str) -> None:
    assert undouble(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tiket 123456", "tiket nomor"),
        ("tiket 98765432109876543", "tiket nomor"),
        ("no sambungan 1234567, tiket 765432.", "no sambungan nomor, tiket nomor."),
        ("ab123456cd", "ab123456cd"),
        ("15810 dan 2023", "15810 dan 2023"),
        ("rp 1.500.000", "rp 1.500.000"),
        ("", ""),
    ],
)
def test_a_long_number_stands_for_any(before: str, after: str) -> None:
    assert blur_numbers(before) == after


def test_texts_that_differ_in_a_long_number_read_alike() -> None:
    one, other = (prepare(Complaint(f"tagihan pelanggan {number} salah")) for number in ("51234567", "598765432"))
    assert one == other
    assert "nomor" in one.words.split()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pak, tolong!!!", "pak tolong"),
        ("[nik]", "nik"),
        ("rt/rw", "rt rw"),
        ("😀🙏", ""),
        ("الشارع مكسور", "الشارع مكسور"),
        ("a_b", "a_b"),
    ],
)
def test_only_words_are_left(before: str, after: str) -> None:
    assert spell_words(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("perbaikan jalan", "baik jalan"),
        ("rt02 08xx", "rt02 08xx"),
        ("", ""),
    ],
)
def test_words_are_stemmed_one_by_one(before: str, after: str) -> None:
    assert stem_words(before) == after


def test_the_steps_are_known_by_name_and_order() -> None:
    assert step_names() == [
        "mask_personal_data",
        "fold",
        "unstretch",
        "undouble",
        "blur_numbers",
        "spell_words",
        "stem_words",
    ]


@pytest.mark.parametrize(
    ("title", "text", "read"),
    [
        ("", "isi", "isi"),
        ("Judul", "isi", "Judul\nisi"),
        ("Jalan rusak", "JALAN RUSAK di depan", "JALAN RUSAK di depan"),
        ("  Judul ", "  ", "Judul\n"),
        (" ", " isi ", "isi"),
    ],
)
def test_a_title_is_read_unless_the_text_opens_with_it(title: str, text: str, read: str) -> None:
    assert full_text(Complaint(text, title=title)) == read


@given(TEXTS)
@settings(max_examples=400, deadline=None)
def test_the_chain_leaves_its_own_words_as_they_are(text: str) -> None:
    words = surface(text)
    assert surface(words) == words


def test_the_chain_leaves_the_words_of_the_samples_as_they_are(sample_rows: Sequence[LabelledRow]) -> None:
    for row in sample_rows:
        words = prepare(row.complaint).words
        assert surface(words) == words


@given(SPACED)
@settings(max_examples=200, deadline=None)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    masked = mask_personal_data(text)
    assert mask_personal_data(masked) == masked


def test_a_stored_and_masked_sample_gives_the_same_words(sample_rows: Sequence[LabelledRow]) -> None:
    for row in sample_rows:
        masked = replace(
            row.complaint,
            text=mask_personal_data(row.complaint.text),
            title=mask_personal_data(row.complaint.title),
        )
        assert prepare(masked) == prepare(row.complaint)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_each_word_has_one_stem_beside_it(text: str) -> None:
    prepared = prepare(Complaint(text))
    assert len(prepared.words.split()) == len(prepared.stems.split())


def test_each_word_of_the_samples_has_one_stem_beside_it(sample_rows: Sequence[LabelledRow]) -> None:
    for row in sample_rows:
        prepared = prepare(row.complaint)
        assert len(prepared.words.split()) == len(prepared.stems.split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        (" \n\t\u200b\ufeff ", ""),
        ("jalan \ud800 rusak", "jalan rusak"),
        ("\udfff", ""),
        ("\u200fjalan\u200e \u202erusak\u202c", "jalan rusak"),
        ("ja\u200blan", "jalan"),
        ("😡😡😡 rusak", "rusak"),
        ("الشارع مكسور", "الشارع مكسور"),
        ("a" * 20_000, "a"),
        ("ab" * 10_000, "ab" * 10_000),
        ("\x00", ""),
        ("&#0; &#x110000; &amp", ""),
    ],
    ids=lambda value: ascii(value[:24]),
)
def test_odd_input_is_read_for_what_it_holds(text: str, words: str) -> None:
    assert prepare(Complaint(text)).words.replace("\ufffd", "").strip() == words


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "ab",
        "1",
        "12 ",
        "0812-",
        "123456 ",
        "jalan-",
        "jalan2",
        "jalan-jalan ",
        "a@",
        "a@b.",
        "www.",
        "http://",
        "&",
        "&amp;",
        "&#",
        "\u200b",
        "😀",
        "\ud800",
        "ﷺ",
    ],
    ids=ascii,
)
def test_growing_texts_of_one_piece_come_through(piece: str) -> None:
    for size in (10, 1_000, 100_000):
        text = piece * (size // len(piece))
        prepared = prepare(Complaint(text, title=text[: size // 2]))
        assert len(prepared.words) <= 20 * size
