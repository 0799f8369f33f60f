"""The language of a text: which regional language is mixed into its Indonesian, if any."""

from __future__ import annotations

import csv
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.lexicon import LANGUAGES, read_table
from model.expansion import translations
from model.language import INDONESIAN, majority_language
from model.stemming import is_root
from tests.conftest import SHARED

INDONESIAN_TOO = {
    *("babe", "banter", "berabe", "demen", "gajih", "gocap", "gopek", "hatur", "keki", "kelar", "mandek", "matur"),
    *("mintak", "ogah", "orok", "sambat", "sampek", "sewot", "songong", "timpuk"),
}


@pytest.mark.parametrize(
    "text",
    [
        "Jalan di depan rumah saya rusak parah sejak bulan lalu, tolong diperbaiki",
        "yg dpt bansos cuma itu2 aja, gmn nih pak, sdh lama blm cair",
        "Air PDAM mati sudah tiga hari",
        "Lampu jalan mati, mohon diperbaiki. Matur nuwun",
        "Mohon perbaikan drainase, hatur nuhun",
        "Pak ogah meresahkan, urusan tidak kelar-kelar",
    ],
)
def test_plain_indonesian_and_its_slang_are_indonesian(text: str) -> None:
    assert majority_language(text) == INDONESIAN


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Dalane rusak parah, piye iki pak camat", "javanese"),
        ("Lampune mati wis rong minggu, kapan didandani yo", "javanese"),
        ("Jalan di lembur abdi ruksak pisan, kumaha ieu", "sundanese"),
        ("Tos dua minggu lampu teu hurung, nyuhunkeun diperiksa", "sundanese"),
        ("Jalane rusak banget, kudu alon alon, mumet aku", "javanese"),
        ("Tos lami jalan butut, loba nu geubis, kudu gancang", "sundanese"),
        ("Aer kaga keluar, gimane nih bang", "betawi"),
        ("Jalan rusak bana, indak ado nan mampaeloki", "minangkabau"),
        ("Nenten wenten petugas, durung taen ngawales", "balinese"),
    ],
)
def test_two_words_of_one_regional_language_are_that_language(text: str, language: str) -> None:
    assert majority_language(text) == language


@pytest.mark.parametrize("word", ["piye", "kumaha", "gimane", "indak", "nenten"])
def test_one_regional_word_alone_is_no_language_however_often_it_stands(word: str) -> None:
    assert majority_language(f"jalan rusak {word}") == INDONESIAN
    assert majority_language(f"{word} {word.upper()} {word}, jalan rusak") == INDONESIAN


@pytest.mark.parametrize("text", ["", " \n", "😀", "[NIK] [NAMA]", "12 345", "\ud800", "الشارع مكسور"], ids=ascii)
def test_a_text_without_a_word_of_a_language_is_indonesian(text: str) -> None:
    assert majority_language(text) == INDONESIAN


@pytest.mark.parametrize("text", ["KUMAHA IEU", "<b>Kumaha</b> ieu!", "kumaha,ieu", "Kumaha\nieu..."])
def test_capitals_tags_and_punctuation_hide_no_language(text: str) -> None:
    assert majority_language(text) == "sundanese"


def test_the_language_with_more_different_words_is_the_one() -> None:
    assert majority_language("piye iki, kumaha") == "javanese"
    assert majority_language("piye piye piye, kumaha ieu") == "sundanese"


def shared_words() -> list[str]:
    """Forms of more than one regional language."""
    tables = [read_table(language).keys() for language in LANGUAGES]
    return sorted(form for form in set().union(*tables) if sum(form in table for table in tables) > 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_are_indonesian_slang_or_another_languages_too_tell_nothing(language: str) -> None:
    shared = set(shared_words())
    known = [
        form for form in read_table(language) if form in shared or form in INDONESIAN_TOO or form not in translations()
    ]
    assert len(known) > 10
    assert majority_language(" ".join(known)) == INDONESIAN


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_other_word_of_a_language_tells_it(language: str) -> None:
    shared = set(shared_words())
    own = [
        form
        for form in read_table(language)
        if form not in shared and form not in INDONESIAN_TOO and form in translations()
    ]
    assert len(own) > 200
    assert any(map(is_root, own))
    for one, other in pairwise(own):
        assert majority_language(f"jalan {one} {other}") == language


def test_complaints_from_the_whole_country_are_indonesian_but_for_one_in_fifty() -> None:
    path = SHARED / "datasets" / "nasional_lapor_2017.csv"
    if not path.is_file():
        pytest.skip("the complaints (shared/datasets beside the checkout) are not here")
    with path.open(encoding="utf-8", newline="") as handle:
        texts = [f"{row['title']}\n{row['text']}" for row in csv.DictReader(handle)]
    assert len(texts) > 1_000
    assert sum(majority_language(text) != INDONESIAN for text in texts) < len(texts) / 50


@given(st.text(max_size=80) | st.lists(st.sampled_from(["piye", "iki", "kumaha", "ieu", "jalan"])).map(" ".join))
@settings(max_examples=50, deadline=None)
def test_any_text_has_one_of_the_languages(text: str) -> None:
    assert majority_language(text) in {INDONESIAN, *LANGUAGES}
