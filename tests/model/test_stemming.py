"""Stems: the same as PySastrawi's own, remembered within a bound, the same in every thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from pathlib import Path

import pytest
from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

from data.complaint import LabelledRow
from data.rows import read_rows
from model.stemming import LONGEST_WORD, REMEMBERED_WORDS, remembered_stem, stem
from model.text import prepare


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    remembered_stem.cache_clear()
    yield
    remembered_stem.cache_clear()


def words_of(rows: Sequence[LabelledRow]) -> list[str]:
    """Every distinct word of rows, in order."""
    return sorted({word for row in rows for word in prepare(row.complaint).words.split()})


def count_differences(words: Sequence[str]) -> int:
    """How many plain words get another stem than PySastrawi's own stemmer gives."""
    own = StemmerFactory().create_stemmer()
    plain = [word for word in words if word.isascii() and word.isalpha() and len(word) <= LONGEST_WORD]
    assert len(plain) > len(words) / 2
    return sum(stem(word) != own.stem(word) for word in plain)


def test_the_samples_get_pysastrawis_stems(sample_rows: Sequence[LabelledRow]) -> None:
    assert count_differences(words_of(sample_rows)) == 0


def test_the_real_complaints_get_pysastrawis_stems(shared_datasets: Path) -> None:
    files = [shared_datasets / name for name in ("bandung_lapor.csv", "surabaya_wargaku.csv")]
    rows = [row for file in files for row in read_rows([file], "kab-bandung", labels=False).rows]
    assert count_differences(words_of(rows)) == 0


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("perbaikan", "baik"),
        ("pelayanannya", "layan"),
        ("memperbaiki", "baik"),
        ("jalan", "jalan"),
        ("pju", "pju"),
        ("rt02", "rt02"),
        ("2023", "2023"),
        ("a_b", "a_b"),
        ("الشارع", "الشارع"),
        ("", ""),
        ("di" * 21, "di" * 21),
    ],
)
def test_words_are_cut_to_their_stems_and_other_things_stay(word: str, expected: str) -> None:
    assert stem(word) == expected


class Unchanging:
    """A stemmer that takes no time."""

    def stem_word(self, word: str) -> str:
        return word


def test_the_memory_of_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.stemming._stemmer", Unchanging)
    assert remembered_stem.cache_info().maxsize == REMEMBERED_WORDS
    for letters in islice(product("abcdefghijklmnop", repeat=5), REMEMBERED_WORDS + 1_000):
        stem("".join(letters))
    assert remembered_stem.cache_info().currsize == REMEMBERED_WORDS


@pytest.mark.parametrize("word", ["memper" * 7, "di" * 21, "a" * (LONGEST_WORD + 1), "nomor12", "a_b", "2023", ""])
def test_what_is_no_word_is_neither_stemmed_nor_remembered(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setattr("model.stemming._stemmer", None)
    assert stem(word) == word
    assert remembered_stem.cache_info().currsize == remembered_stem.cache_info().misses == 0


def test_the_longest_word_is_stemmed_and_remembered() -> None:
    longest = "memperbaiki".rjust(LONGEST_WORD, "a")
    for _ in range(2):
        stem(longest)
    assert (remembered_stem.cache_info().misses, remembered_stem.cache_info().hits) == (1, 1)
    assert remembered_stem.cache_info().currsize == 1


def test_pysastrawis_own_unbounded_memory_is_not_in_use() -> None:
    stem("perbaikan")
    from model.stemming import _stemmer

    assert not hasattr(_stemmer(), "cache")


def test_threads_get_the_same_stems(sample_rows: Sequence[LabelledRow]) -> None:
    words = words_of(sample_rows)[::3]
    alone = [stem(word) for word in words]
    remembered_stem.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: [stem(word) for word in words], range(4)))
    assert together == [alone] * 4
