"""Features of a text: word and in-word character n-grams, weighed as scikit-learn's TfidfVectorizer weighs them.

A feature's weight in one view is (1 + ln count) * idf, and each view has length 1 (sublinear tf-idf, L2). Views of
their own are the stems of the title, so that they count for more than as many words of the text, the region and the
written tables' facts with fixed weights, the stems and pairs once more as words of their region, so that a region can
differ from what holds everywhere (Daumé 2007, "Frustratingly Easy Domain Adaptation"), and the sentence embedding as it
is. Character n-grams are a function of the word, so a word's feature numbers are found once and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, count, pairwise, repeat
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from model.completeness import slot_terms
from model.memory import WordMemory
from model.text import PreparedText
from model.urgency import sign_terms

REMEMBERED_WORDS = 100_000
CHAR_NGRAMS = (2, 5)
_OF_REGION = " | "
_UNKNOWN = -1

# Views of facts that written tables tell of a text; each is there or not, with a fixed weight.
FACTS: dict[str, Callable[[PreparedText], Sequence[str]]] = {"slots": slot_terms, "signs": sign_terms}

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Vocabulary:
    """The features of a bundle in the order of their numbers: word terms, character terms, regions, title stems,
    slot terms, danger signs, words of regions. Last come the numbers of a sentence embedding, if it has `dimensions`.
    """

    words: tuple[str, ...]
    chars: tuple[str, ...]
    regions: tuple[str, ...]
    titles: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    dimensions: int = 0

    def __len__(self) -> int:
        terms = (self.words, self.chars, self.regions, self.titles, self.slots, self.signs, self.local)
        return sum(map(len, terms)) + self.dimensions


@dataclass(frozen=True)
class Occurrences:
    """Every occurrence of a known feature in one text: its number, the share of its weight, and the word it is in.

    A word pair stands twice, half in each of its words. `features`, `shares`, `words` and `at`, where the number stands
    among the text's features, are arrays of one length.
    """

    features: Indices
    shares: Floats
    words: Indices
    at: Indices


@dataclass(frozen=True)
class Features:
    """One text as numbers: feature numbers (n,), ascending, and their weights (n,)."""

    indices: Indices
    weights: Floats


@dataclass
class FeatureExtractor:
    """Turns prepared texts into features. Thread-safe: the memory of words is only ever added to or dropped.

    `idf` (len(vocabulary),) holds each feature's idf, and for a region, slot or sign its weight.
    """

    vocabulary: Vocabulary
    idf: Floats
    _words: dict[str, int] = field(init=False, repr=False)
    _chars: dict[str, int] = field(init=False, repr=False)
    _regions: dict[str, int] = field(init=False, repr=False)
    _titles: dict[str, int] = field(init=False, repr=False)
    _facts: dict[str, dict[str, int]] = field(init=False, repr=False)
    _local: dict[str, dict[str, int]] = field(init=False, repr=False, default_factory=dict)
    # First feature number and the one after the last, of each view whose terms are counted.
    _counted: list[tuple[int, int]] = field(init=False, repr=False)
    _memory: WordMemory[Indices] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        known = self.vocabulary
        views = (known.words, known.chars, known.regions, known.titles, known.slots, known.signs, known.local)
        starts = list(accumulate(map(len, views), initial=0))
        numbered = [dict(zip(terms, count(start), strict=False)) for terms, start in zip(views, starts, strict=False)]
        self._words, self._chars, self._regions, self._titles, slots, signs, local = numbered
        self._facts = {"slots": slots, "signs": signs}
        for term, number in local.items():
            region, _, word = term.rpartition(_OF_REGION)
            self._local.setdefault(region, {})[word] = number
        words, chars, regions, titles, slots_at, _, local_at, end = starts
        self._counted = [(words, chars), (chars, regions), (titles, slots_at), (local_at, end)]
        self._memory = WordMemory(self._char_terms, REMEMBERED_WORDS)

    def extract(self, text: PreparedText, facts: Collection[str] = FACTS.keys()) -> Features:
        """The features of one text; unknown terms have none. Of `FACTS` only those named are looked for."""
        terms = _neighbours(text.stems.split())
        numbers = [*_numbers(terms, self._words), self._regions.get(text.region, _UNKNOWN)]
        if text.title:
            numbers += _numbers(text.title.split(), self._titles)
        for view, known in self._facts.items():
            if known and view in facts:
                numbers += set(_numbers(FACTS[view](text), known))
        if (local := self._local.get(text.region)) is not None:
            numbers += _numbers(terms, local)
        features = self._weigh(numbers, map(self._memory.__getitem__, text.words.split()))
        if text.meaning is None or not self.vocabulary.dimensions:
            return features
        size = len(self.vocabulary)
        dimensions = np.arange(size - self.vocabulary.dimensions, size)
        return Features(
            np.concatenate([features.indices, dimensions]),
            np.concatenate([features.weights, text.meaning.astype(np.float64)]),
        )

    def extract_words(self, text: PreparedText) -> Features:
        """The features of stems and pairs of stems alone, which stand first among all, as a view of length 1."""
        return self._weigh([*_numbers(_neighbours(text.stems.split()), self._words)])

    def words_of(self, features: Features) -> Features:
        """What `extract_words` gives for the text that these `features` are of."""
        count = int(np.searchsorted(features.indices, len(self.vocabulary.words)))
        return Features(features.indices[:count], features.weights[:count])

    def occurrences(self, text: PreparedText, features: Features) -> Occurrences:
        """Where each feature of words stands, so that its weight can be shared out to the text's words.

        `features` are the text's. A stem of the title speaks for itself wherever it stands in the text.
        """
        of_words = list(map(self._memory.__getitem__, text.words.split()))
        stems = text.stems.split()
        places = [place for place, stem in enumerate(stems) if len(stem) > 1]
        terms, firsts, lasts = _neighbours(stems), places + places[:-1], places + places[1:]
        numbers = [*_numbers(terms, self._words)]
        if (local := self._local.get(text.region)) is not None:
            numbers, firsts, lasts = [*numbers, *_numbers(terms, local)], firsts * 2, lasts * 2
        if title := set(text.title.split()) & self._titles.keys():
            titled = [place for place, stem in enumerate(stems) if stem in title]
            numbers += [self._titles[stems[place]] for place in titled]
            firsts, lasts = firsts + titled, lasts + titled
        of_terms = np.array([numbers, firsts, lasts], dtype=np.int64)
        of_terms = of_terms[:, of_terms[0] != _UNKNOWN]
        found = np.concatenate([*of_words, of_terms[0], of_terms[0]])
        amounts = np.ones(len(found))
        amounts[len(found) - 2 * of_terms.shape[1] :] = 0.5
        # As `features.indices.searchsorted(found)`, at a fifth of the cost; what isn't filled in isn't looked up.
        places_of_features = np.empty(len(self.vocabulary), dtype=np.int64)
        places_of_features[features.indices] = np.arange(len(features.indices))
        at = places_of_features[found]
        shares = amounts / np.bincount(at, weights=amounts)[at] if len(at) else amounts
        in_words = np.repeat(np.arange(len(of_words)), list(map(len, of_words)))
        return Occurrences(found, shares, np.concatenate([in_words, of_terms[1], of_terms[2]]), at)

    def fact_numbers(self, view: str) -> list[int]:
        """The feature numbers of one of `FACTS`."""
        return list(self._facts[view].values())

    def knows(self, stem: str) -> bool:
        """Whether a stem is a feature by itself."""
        return stem in self._words

    def _char_terms(self, word: str) -> Indices:
        """The numbers of a word's known character n-grams, one for each occurrence."""
        numbers = _numbers(char_ngrams(word), self._chars)
        return np.array([number for number in numbers if number != _UNKNOWN], dtype=np.int64)

    def _weigh(self, numbers: Sequence[int], more: Iterable[Indices] = ()) -> Features:
        """Counted, weighed by idf, and each view of counted terms brought to length 1; a fact counts once."""
        # As `np.unique` counts, without what it does besides.
        ordered = np.concatenate([np.array(numbers, dtype=np.int64), *more])
        ordered.sort()
        ordered = ordered[ordered.searchsorted(0) :]
        is_new = np.ones(len(ordered) + 1, dtype=np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:-1])
        starts = is_new.nonzero()[0]
        indices = ordered[starts[:-1]]
        weights = (1.0 + np.log(starts[1:] - starts[:-1])) * self.idf[indices]
        bounds = indices.searchsorted(self._counted).tolist()
        for first, last in bounds:
            if first < last:
                view = weights[first:last]
                length = sqrt(view @ view)
                if length > 0:
                    view /= length
        return Features(indices, weights)


def _neighbours(stems: Sequence[str]) -> list[str]:
    """Stems and pairs of neighbouring stems. One-letter words are no features and don't part a pair, as in training."""
    several = [stem for stem in stems if len(stem) > 1]
    return [*several, *map(" ".join, pairwise(several))]


def _numbers(terms: Iterable[str], known: Mapping[str, int]) -> Iterator[int]:
    """The number of each term; `_UNKNOWN`, which is less than any, where there is none."""
    return map(known.get, terms, repeat(_UNKNOWN))


def local_prefix(region: str) -> str:
    """What a stem or a pair of stems begins with as a word of its region; no stem holds a blank."""
    return f"{region}{_OF_REGION}"


def char_ngrams(word: str) -> list[str]:
    """Character n-grams of " word " as scikit-learn's `char_wb` makes them; a short word counts once as a whole."""
    padded = f" {word} "
    shortest, longest = CHAR_NGRAMS
    sizes = range(shortest, min(longest, len(padded)) + 1)
    return [padded[start : start + size] for size in sizes for start in range(len(padded) - size + 1)]
