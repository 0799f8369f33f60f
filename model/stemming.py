"""Stems of Indonesian words through PySastrawi, remembered within a bound."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

REMEMBERED_WORDS = 65_536
LONGEST_WORD = 40


def stem(word: str) -> str:
    """The stem of one lower-case word; what isn't made of letters, or is longer than any word, stays as it is."""
    return word if len(word) > LONGEST_WORD or not word.isalpha() else remembered_stem(word)


@lru_cache(maxsize=REMEMBERED_WORDS)
def remembered_stem(word: str) -> str:
    """PySastrawi's stem of a word of letters."""
    return str(_stemmer().stem_word(word))


@cache
def _stemmer() -> Any:
    # The factory's own stemmer keeps a cache that grows without bound; its plain stemmer is behind `delegatedStemmer`.
    from Sastrawi.Stemmer.StemmerFactory import StemmerFactory

    return StemmerFactory().create_stemmer().delegatedStemmer
