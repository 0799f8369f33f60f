"""Expanding: abbreviations, slang and words of the regions' languages, into standard Indonesian.

The tables are in `data/lexicons`, and the domain goes first: "kk" is a kartu keluarga, not a kakak. A form that means
different things is decided by its neighbours (`ambiguous.csv`) or left alone. A form on which two regional languages
disagree is left alone too, because the chain doesn't know where the writer is from.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from operator import eq

from data.lexicon import FOLDER, LANGUAGES, read_lines, read_table
from model.stemming import is_root, stem

# Shorter roots are found in names and foreign words too: "Budi-no", "log-in".
_SHORTEST_ROOT = 5
_MOST_ROUNDS = 5
_REMEMBERED_CONTEXTS = 16_384


def expand_word(word: str) -> str:
    """An abbreviation or slang form in full: "yg" -> "yang", "pju" -> "penerangan jalan umum"."""
    return expansions().get(word, word)


def translate_word(word: str) -> str:
    """A regional word in Indonesian: "dalan" -> "jalan", "diewangi" -> "dibantu", "downloadke" -> "downloadkan"."""
    found = translations().get(word)
    if found is not None:
        return found
    # What is left may be a form itself: "kayakna" -> "kayaknya" -> "sepertinya", "sakdulur" -> "sedulur" -> "saudara".
    bare = translate_affixes(word)
    return word if bare == word else expansions().get(bare) or translations().get(bare, bare)


@cache
def expansions() -> Mapping[str, str]:
    """Form -> meaning of the abbreviations and the informal spellings; an abbreviation has its way."""
    return {**read_table("informal"), **read_table("abbreviations")}


@cache
def translations() -> Mapping[str, str]:
    """Form -> meaning of the regional languages, without the forms on which they disagree or that mean more."""
    meanings: dict[str, set[str]] = {}
    for language in LANGUAGES:
        for form, meaning in read_table(language).items():
            meanings.setdefault(form, set()).add(meaning)
    taken = expansions().keys() | ambiguous().keys()
    return {form: next(iter(found)) for form, found in meanings.items() if len(found) == 1 and form not in taken}


@dataclass(frozen=True)
class Reading:
    """One meaning of an ambiguous form, where the stems beside it allow it; an empty set allows anything.

    The form itself as its meaning keeps the form there, before the readings that follow: "bank nagari".
    """

    meaning: str
    previous: frozenset[str]
    following: frozenset[str]

    def fits(self, previous: str, following: str) -> bool:
        """Whether the neighbours' stems are ones this reading asks for; "#" stands for a number."""
        return (not self.previous or previous in self.previous) and (not self.following or following in self.following)


@cache
def ambiguous() -> Mapping[str, Sequence[Reading]]:
    """The readings of each ambiguous form, in the order of trial; where none fits, the form stays."""
    readings: dict[str, list[Reading]] = {}
    with (FOLDER / "ambiguous.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            reading = Reading(row["meaning"], frozenset(row["previous"].split()), frozenset(row["following"].split()))
            readings.setdefault(row["form"], []).append(reading)
    return readings


@cache
def _ambiguous_forms() -> frozenset[str]:
    return frozenset(ambiguous())


def tell_apart(words: list[str]) -> list[str]:
    """Ambiguous forms in full where their neighbours tell which is meant: "km 12", "5 km", "SD 1", "jam 8 sd 10".

    A word that a meaning, of any table, says again is left out: "kartu kk" -> "kartu keluarga", "bank bri".
    """
    known = _ambiguous_forms()
    # Most texts hold none, and are asked no more than that.
    told = words if known.isdisjoint(words) else _told_apart(words)
    return _said_once(told) if any(map(eq, told, islice(told, 1, None))) else told


def _told_apart(words: list[str]) -> list[str]:
    known = _ambiguous_forms()
    places = untold = [place for place, word in enumerate(words) if word in known]
    # A form's words stay at its place until all are told, so that no other place shifts. From the left, so that the
    # form before is told already: "drh tps"; and once more while that may tell the form before: "no kk" -> "nomor ...".
    told = list(words)
    for _ in range(_MOST_ROUNDS):
        before = untold
        untold = [place for place in before if not _tell(told, place)]
        if len(untold) in (0, len(before)):
            break
    return _parted(told, places)


def _said_once(words: list[str]) -> list[str]:
    """The words, with a word that is said twice once where it begins a meaning: not "kupu kupu", not "hati hati"."""
    kept: list[str] = []
    for word in words:
        while len(kept) > 1 and kept[-2] == kept[-1] and (kept[-1], word) in _openings():
            kept.pop()
        kept.append(word)
    return kept


@cache
def _openings() -> frozenset[tuple[str, str]]:
    """The first two words of each longer meaning; of "kanak kanak" nothing could be left out."""
    told = (reading.meaning for found in ambiguous().values() for reading in found)
    meanings = (meaning.split() for meaning in (*expansions().values(), *translations().values(), *told))
    return frozenset((words[0], words[1]) for words in meanings if len(words) > 1 and words[0] != words[1])


def _parted(words: list[str], places: Iterable[int]) -> list[str]:
    """The words, with those parted that stand together at some places; not all, for that costs more than telling."""
    parted: list[str] = []
    start = 0
    for place in places:
        parted += words[start:place]
        parted += words[place].split()
        start = place + 1
    return parted + words[start:]


def _tell(words: list[str], place: int) -> bool:
    """Put the meaning of the ambiguous form at a place there; False where the form stays."""
    form = words[place]
    previous = _context(words[place - 1].rpartition(" ")[2]) if place else ""
    following = _context(words[place + 1].partition(" ")[0]) if place + 1 < len(words) else ""
    for reading in ambiguous()[form]:
        if reading.fits(previous, following):
            words[place] = reading.meaning
            return reading.meaning != form
    return False


@lru_cache(maxsize=_REMEMBERED_CONTEXTS)
def _context(word: str) -> str:
    """A neighbour as the readings name it: a number, or a stem, so that stemmed text is read like plain text."""
    return "#" if word[:1].isdigit() else stem(word)


@dataclass(frozen=True)
class Affix:
    """A regional affix and the Indonesian one it stands for."""

    prefix: str
    suffix: str
    own_prefix: str
    own_suffix: str


@cache
def affixes() -> Sequence[Affix]:
    """The affix rules, longer ones first."""
    with (FOLDER / "affixes.csv").open(encoding="utf-8", newline="") as handle:
        rows = [
            Affix(row["prefix"], row["suffix"], row["own_prefix"], row["own_suffix"]) for row in csv.DictReader(handle)
        ]
    return sorted(rows, key=lambda affix: -len(affix.prefix + affix.suffix))


@cache
def _affixes_by_end(end: str) -> Sequence[Affix]:
    """The rules for words that end in a letter."""
    return [affix for affix in affixes() if affix.suffix.endswith(end) or not affix.suffix]


def translate_affixes(word: str) -> str:
    """A word with a regional affix on a known core, with the Indonesian affix; other words as they are."""
    if not word.isalpha() or is_root(word) or stem(word) != word or word in read_lines("not_affixed"):
        return word
    for affix in _affixes_by_end(word[-1]):
        if word.startswith(affix.prefix) and word.endswith(affix.suffix):
            core = word[len(affix.prefix) : len(word) - len(affix.suffix)]
            if core in read_lines("not_affixed"):
                return word
            if core in read_lines("loan_verbs") or (len(core) >= _SHORTEST_ROOT and is_root(core)):
                return f"{affix.own_prefix}{core}{affix.own_suffix}"
            if is_root(core):
                # Too short to be sure of, but a shorter affix would be wrong for sure: "batu-ne", not "batun-e".
                return word
            meaning = translations().get(core)
            if meaning is not None and " " not in meaning and affix.prefix and len(core) >= _SHORTEST_ROOT:
                return f"{affix.own_prefix}{meaning}"
    return word
