"""The language of a text: which regional language is mixed into its Indonesian, if any."""

from __future__ import annotations

from collections import Counter
from functools import cache

from data.lexicon import LANGUAGES, read_table
from model.expansion import translations
from model.normalising import fold, split_words

INDONESIAN = "indonesian"
# One word is a name or a greeting as often as a language; two different ones are a habit.
_FEWEST_WORDS = 2
# Words of everyday Indonesian that the tables have as well, and those of the thanks that close a complaint anywhere:
# with "nuwun" or "nuhun" they would be two.
_INDONESIAN_TOO = frozenset(
    "babe banter berabe demen gajih gocap gopek hatur keki kelar mandek matur mintak ogah orok sambat sampek sewot "
    "songong timpuk".split()
)


def majority_language(text: str) -> str:
    """The regional language with the most different words in a text that no other language has; else Indonesian."""
    # In the order of the text, not of a set: of two languages with as many words the first one is taken.
    different = dict.fromkeys(split_words(fold(text)))
    found = Counter(language for word in different if (language := _own_words().get(word)) is not None)
    language, words = max(found.items(), key=lambda item: item[1], default=(INDONESIAN, 0))
    return language if words >= _FEWEST_WORDS else INDONESIAN


@cache
def _own_words() -> dict[str, str]:
    """Form -> language, of the forms that one language's table alone has and that the chain translates.

    PySastrawi's list of roots is not asked: it has "kudu", "tos" and "mumet" too.
    """
    languages: dict[str, list[str]] = {}
    for language in LANGUAGES:
        for form in read_table(language):
            languages.setdefault(form, []).append(language)
    return {
        form: found[0]
        for form, found in languages.items()
        if len(found) == 1 and form in translations() and form not in _INDONESIAN_TOO
    }
