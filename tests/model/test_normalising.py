"""Normalising: each function by a table of before and after, and what it never does to any text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.lexicon import read_table
from model.expansion import expansions
from model.normalising import (
    blur_numbers,
    cut_boilerplate,
    fold,
    join_letters,
    split_units,
    split_words,
    undouble,
    unleet,
    unstretch,
)
from model.stemming import LONGEST_WORD, is_root, stem

# Lower-case words with the digits, hyphens and repeated letters that these functions look at.
MADE_UP = st.lists(st.sampled_from([*"aeikmnrst", *"0123459", "-", "é", "jalan", "anak", "nya", "2", "jt"]), max_size=8)
WORDS = MADE_UP.map("".join) | st.text(max_size=20).map(str.lower)


# Text: case, tags, boilerplate


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("JALAN Rusak", "jalan rusak"),
        ("Jalan<br>RUSAK", "jalan rusak"),
        ("jalan<BR />rusak", "jalan rusak"),
        ("<p class='x'>Isi</p>", " isi "),
        ("<p\nid=1>isi", " isi"),
        ("<b>tebal</b> <i>miring</i>", " tebal   miring "),
        ("<a href='contoh'>klik</a>", " klik "),
        ("a < b > c", "a < b > c"),
        ("<alamat>", "<alamat>"),
        ("<br", "<br"),
        ("2 <3 kali", "2 <3 kali"),
        ("<script>x</script>", "<script>x</script>"),
        ("ÇA", "ça"),
        ("", ""),
    ],
)
def test_folding_lowers_case_and_takes_tags_for_gaps(before: str, after: str) -> None:
    assert fold(before) == after


def test_a_tag_without_an_end_swallows_no_more_than_a_tag_may_hold() -> None:
    assert fold("<p " + "x" * 300 + ">isi") != fold("<p " + "x" * 400 + ">isi")
    assert "isi" in fold("<p " + "x " * 400 + "isi>")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mohonLokasi Kejadian KABUPATEN X | Y | Z", "mohon KABUPATEN X | Y | Z"),
        ("tolong LOKASI KEJADIAN: KAB. BANDUNG", "tolong : KAB. BANDUNG"),
        ("tolong Lokasi Kejadian Provinsi Banten", "tolong Provinsi Banten"),
        ("rusakLokasi Kejadian kec Curug", "rusak kec Curug"),
        ("rusak lokasi kejadian ciwidey | pasir jambu", "rusak ciwidey | pasir jambu"),
        ("lokasi kejadian di jalan raya", "lokasi kejadian di jalan raya"),
        ("rusakTanggal 5", "rusak Tanggal 5"),
        ("ditindakTerima kasih", "ditindak Terima kasih"),
        ("rusak.Mohon segera", "rusak. Mohon segera"),
        ("jam 5Waktu kejadian", "jam 5 Waktu kejadian"),
        ("jalanNama saya", "jalan Nama saya"),
        ("PAKMohon dibantu", "PAKMohon dibantu"),
        ("Lokasinya di sini", "Lokasinya di sini"),
        ("lapor. Kewenangan Pemerintah Kabupaten Bandung", "lapor."),
        ("lapor. Kewenangan Pemkab", "lapor."),
        ("lapor Kewenangan Pemprov Jawa Barat \n \n", "lapor"),
        ("ini kewenangan Pemkab. Mohon diperbaiki!", "ini kewenangan Pemkab. Mohon diperbaiki!"),
        ("apakah ini kewenangan pemerintah kota", "apakah ini kewenangan pemerintah kota"),
        ("lapor. Di luar Kewenangan Pemda", "lapor."),
        ("lapor. Diluar Kewenangan Pemerintah Kota", "lapor."),
        ("itu kewenangan pemerintah pusat, tetapi kami tidak", "itu kewenangan pemerintah pusat, tetapi kami tidak"),
        ("kewenangan siapa jalan ini", "kewenangan siapa jalan ini"),
        ("Kewenangan Pemda " + "X" * 61, "Kewenangan Pemda " + "X" * 61),
        ("", ""),
    ],
)
def test_what_the_intake_form_glued_on_is_parted_and_its_own_words_are_left_out(before: str, after: str) -> None:
    assert cut_boilerplate(before).split() == after.split()


@pytest.mark.parametrize("sign", ["[", "| ", "- ", "\n"], ids=ascii)
def test_the_label_of_the_place_is_left_out_whatever_sign_follows_it(sign: str) -> None:
    assert "Lokasi" not in cut_boilerplate(f"tolong pak. Lokasi Kejadian {sign}KABUPATEN BANDUNG | CIWIDEY")


@given(st.text(max_size=60))
@settings(deadline=None)
def test_a_text_without_the_forms_own_words_is_not_touched(text: str) -> None:
    assert cut_boilerplate(text) == text


# From text to words


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pak, tolong!!!", "pak tolong"),
        ("jl. raya km 12,5", "jl raya km 12 5"),
        ("rp 1.500.000", "rp 1 500 000"),
        ("rt/rw 02", "rt rw 02"),
        ("50%", "50"),
        ("'jum'at'", "jum at"),
        ("😀🙏", ""),
        ("الشارع مكسور", "الشارع مكسور"),
        ("a\x00b\x1fc", "a b c"),
        ("a_b", "a_b"),
        ("x-y -z w- -- a--b", "x-y z w a b"),
        ("é-é -é é- é--é", "é-é é é é é"),
        ("a\u2010b", "a b"),
        ("[NIK]", "_nik_"),
        ("[nik] [Nama]", "_nik_ _nama_"),
        ("[NIK]jalan[KK]", "_nik_ jalan _kk_"),
        ("é[NIK]é", "é _nik_ é"),
        ("[[NIK]]", "_nik_"),
        ("[NIK", "NIK"),
        ("[LAIN]", "LAIN"),
        ("_nik_", "_nik_"),
        ("", ""),
    ],
)
def test_only_words_are_left_and_masks_are_words(before: str, after: str) -> None:
    assert split_words(before) == after.split()


@given(st.text(st.characters(max_codepoint=127), max_size=60) | MADE_UP.map("-".join))
@settings(max_examples=75, deadline=None)
def test_plain_text_is_split_as_text_with_a_foreign_letter_is(text: str) -> None:
    plain = "".join(letter for letter in text if letter.isascii())
    assert [*split_words(plain), "é"] == split_words(f"{plain} é")


@given(st.text(max_size=60))
@settings(max_examples=75, deadline=None)
def test_words_hold_no_white_space_and_no_loose_hyphen(text: str) -> None:
    words = split_words(text)
    assert " ".join(words).split() == words
    assert not [word for word in words if word.startswith("-") or word.endswith("-") or "--" in word]
    assert split_words(" ".join(words)) == words


# Letters typed apart, numbers


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("b a n j i r", "banjir"),
        ("rt b a n j i r parah", "rt banjir parah"),
        ("t o l o n g p a k", "t o l o n g p a k"),
        ("k e r u s a k a n", "kerusakan"),
        ("b a n j i r 5 j a l a n", "banjir 5 jalan"),
        ("a d a", "a d a"),
        ("x q z w", "x q z w"),
        ("r t", "r t"),
        ("j a l 4 n", "j a l 4 n"),
        ("", ""),
    ],
)
def test_four_letters_or_more_typed_apart_are_one_word_where_they_are_a_word(before: str, after: str) -> None:
    assert join_letters(before.split()) == after.split()


def test_letters_apart_that_make_an_abbreviation_of_ours_are_joined() -> None:
    assert "bpjs" in read_table("abbreviations")
    assert join_letters(list("bpjs")) == ["bpjs"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tiket 123456", "tiket nomor"),
        ("tiket 12345", "tiket 12345"),
        ("98765432109876543", "nomor"),
        ("123 456", "nomor"),
        ("1 2 3 4 5 6", "nomor"),
        ("12345 a 6", "12345 a 6"),
        ("123456 a 654321", "nomor a nomor"),
        ("nomor 123456", "nomor nomor"),
        ("123456 12 jalan 12", "nomor jalan 12"),
        ("ab123456", "ab123456"),
        ("sk 188 45 123", "sk nomor"),
        ("tahun 2023", "tahun 2023"),
        ("٣٣٣٣٣٣", "nomor"),
        ("", ""),
    ],
)
def test_a_number_of_six_digits_or_more_stands_for_any(before: str, after: str) -> None:
    assert blur_numbers(before.split()) == after.split()


@given(st.lists(st.text("0123456789", min_size=1, max_size=8) | st.sampled_from(["a", "b1", "jalan"]), max_size=12))
@settings(deadline=None)
def test_no_run_of_six_digits_is_left(words: list[str]) -> None:
    run = 0
    for word in blur_numbers(words):
        run = run + len(word) if word.isdigit() else 0
        assert run < 6


@pytest.mark.parametrize("of_words", [join_letters, blur_numbers])
def test_a_list_of_words_is_never_changed_in_place(of_words: Callable[[list[str]], list[str]]) -> None:
    words = [*"banjir", "123", "456", "jalan"]
    given_words = list(words)
    assert of_words(words) != words == given_words


# Words


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("bangeeeet", "banget"),
        ("toloooong", "tolong"),
        ("maaaf", "maaf"),
        ("maaf", "maaf"),
        ("manfaaat", "manfaat"),
        ("kooordinasi", "koordinasi"),
        ("massssalah", "masalah"),
        ("jalaaannn", "jalan"),
        ("aaaa", "a"),
        ("éééé", "é"),
        ("tannggal", "tannggal"),
        ("iii", "iii"),
        ("xxx", "xxx"),
        ("xxviii", "xxviii"),
        ("1000000", "1000000"),
        ("___", "___"),
        ("", ""),
    ],
)
def test_a_letter_typed_three_times_stands_once_or_twice_where_that_is_the_word(before: str, after: str) -> None:
    assert unstretch(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("keadaaan", "keadaan"),
        ("kecelakaaan", "kecelakaan"),
        ("perusahaaan", "perusahaan"),
        ("maaafkan", "maafkan"),
    ],
)
def test_a_derived_word_keeps_the_letter_it_has_twice(before: str, after: str) -> None:
    assert stem(after) != after
    assert unstretch(before) == after


@given(WORDS)
@settings(max_examples=75, deadline=None)
def test_only_a_stretched_word_is_changed_and_only_made_shorter(word: str) -> None:
    result = unstretch(word)
    assert len(result) <= len(word)
    stretched = any(word[place].isalpha() and word[place] * 3 == word[place : place + 3] for place in range(len(word)))
    assert stretched or result == word


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("jalan-jalan", "jalan"),
        ("jalan2", "jalan"),
        ("anak2nya", "anaknya"),
        ("buku2ku", "bukuku"),
        ("hati2lah", "hatilah"),
        ("mobil2an", "mobilan"),
        ("anak-anaknya", "anaknya"),
        ("berlarut-larut", "berlarut"),
        ("berlari-lari", "berlari"),
        ("a-a", "a"),
        ("sayur-mayur", "sayur mayur"),
        ("bolak-balik", "bolak balik"),
        ("non-aktif", "non aktif"),
        ("e-ktp", "e ktp"),
        ("blok-a", "blok a"),
        ("covid-19", "covid 19"),
        ("12-12", "12 12"),
        ("pak-pak-pak", "pak pak pak"),
        ("jalan2-rusak", "jalan rusak"),
        ("rt2", "rt2"),
        ("m2", "m2"),
        ("jalan20", "jalan20"),
        ("jalan", "jalan"),
        ("", ""),
    ],
)
def test_a_doubled_word_stands_once(before: str, after: str) -> None:
    assert undouble(before) == after


@given(WORDS)
@settings(max_examples=75, deadline=None)
def test_no_hyphen_is_left_in_a_word(word: str) -> None:
    for plain in split_words(word):
        assert "-" not in undouble(plain)


def test_two_halves_too_long_to_be_words_are_only_parted() -> None:
    half = "x" * (LONGEST_WORD // 2 + 1)
    assert undouble(f"{half}-{half}") == f"{half} {half}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("5jt", "5 juta"),
        ("10km", "10 kilometer"),
        ("100rb", "100 ribu"),
        ("12x", "12 kali"),
        ("450watt", "450 watt"),
        ("٥km", "٥ kilometer"),
        ("3kk", "3kk"),
        ("5jtan", "5jtan"),
        ("5km2", "5km2"),
        ("jt5", "jt5"),
        ("rt02", "rt02"),
        ("jt", "jt"),
        ("5", "5"),
        ("", ""),
    ],
)
def test_an_amount_and_its_unit_are_two_words(before: str, after: str) -> None:
    assert split_units(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("j4l4n", "jalan"),
        ("s4mp4h", "sampah"),
        ("m3t3r", "meter"),
        ("ru5ak", "rusak"),
        ("k0t0r", "kotor"),
        ("p3rb41k4n", "perbaikan"),
        ("b1234xyz", "b1234xyz"),
        ("rt02", "rt02"),
        ("c0vid19", "c0vid19"),
        ("sm4", "sm4"),
        ("j2l2n", "j2l2n"),
        ("jalan", "jalan"),
        ("2023", "2023"),
        ("", ""),
    ],
)
def test_digits_that_stand_for_letters_are_read_where_that_makes_a_word(before: str, after: str) -> None:
    assert unleet(before) == after


@given(st.text("abdijklnrst0134579", min_size=1, max_size=9))
@settings(max_examples=75, deadline=None)
def test_what_digits_are_read_as_is_a_word(word: str) -> None:
    spelled = unleet(word)
    assert spelled == word or (
        spelled.isalpha() and (is_root(spelled) or stem(spelled) != spelled or spelled in expansions())
    )


@given(WORDS, st.sampled_from([unstretch, undouble, split_units, unleet]))
@settings(max_examples=75, deadline=None)
def test_a_function_of_a_word_gives_words_that_it_leaves_as_they_are(word: str, of_word: Callable[[str], str]) -> None:
    for plain in split_words(word):
        result = of_word(plain).split()
        assert " ".join(map(of_word, result)).split() == result
