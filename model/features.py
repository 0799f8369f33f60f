"""Features of a text: word and in-word character n-grams, weighed as scikit-learn's TfidfVectorizer weighs them.

A feature's weight in one view is (1 + ln count) * idf, and each view has length 1 (sublinear tf-idf, L2). The region is
a view of its own, with a fixed weight. Character n-grams are a function of the word, so a word's feature numbers are
found once and kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.stemming import LONGEST_WORD
from model.text import PreparedText

REMEMBERED_WORDS = 100_000
CHAR_NGRAMS = (2, 5)

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Vocabulary:
    """The features of a bundle in the order of their numbers: word terms, then character terms, then regions."""

    words: tuple[str, ...]
    chars: tuple[str, ...]
    regions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.words) + len(self.chars) + len(self.regions)


@dataclass(frozen=True)
class Occurrences:
    """Every occurrence of a known feature in one text: its number, the share of its weight, and the word it is in.

    A word pair stands twice, half in each of its words. `features`, `shares`, `words` are arrays of one length.
    """

    features: Indices
    shares: Floats
    words: Indices


@dataclass(frozen=True)
class Features:
    """One text as numbers: feature numbers (n,), ascending, and their weights (n,)."""

    indices: Indices
    weights: Floats


@dataclass
class FeatureExtractor:
    """Turns prepared texts into features. Thread-safe: the memory of words is only ever added to or dropped."""

    vocabulary: Vocabulary
    idf: Floats  # (len(vocabulary),); for a region, its weight
    _words: dict[str, int] = field(init=False, repr=False)
    _chars: dict[str, int] = field(init=False, repr=False)
    _regions: dict[str, int] = field(init=False, repr=False)
    _memory: dict[str, Indices] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        first_char = len(self.vocabulary.words)
        first_region = first_char + len(self.vocabulary.chars)
        self._words = {term: number for number, term in enumerate(self.vocabulary.words)}
        self._chars = {term: number for number, term in enumerate(self.vocabulary.chars, first_char)}
        self._regions = {term: number for number, term in enumerate(self.vocabulary.regions, first_region)}

    def extract(self, text: PreparedText) -> Features:
        """The features of one text; unknown terms have none."""
        word_part = self._weigh(np.array([number for number, *_ in self._word_terms(text)], dtype=np.int64))
        char_part = self._weigh(_joined([self._char_terms(word) for word in text.words.split()]))
        region = self._regions.get(text.region)
        region_part = ([], []) if region is None else ([region], [self.idf[region]])
        return Features(
            np.concatenate([word_part[0], char_part[0], region_part[0]]).astype(np.int64, copy=False),
            np.concatenate([word_part[1], char_part[1], region_part[1]]),
        )

    def occurrences(self, text: PreparedText) -> Occurrences:
        """Where each feature but the region stands, so that its weight can be shared out to the text's words."""
        features: list[Indices] = []
        places: list[Indices] = []
        for place, word in enumerate(text.words.split()):
            numbers = self._char_terms(word)
            features.append(numbers)
            places.append(np.full(len(numbers), place))
        counted = _joined(features)
        pairs = [(number, first, last) for number, first, last in self._word_terms(text)]
        words = np.array([[number, place] for number, first, last in pairs for place in (first, last)], dtype=np.int64)
        words = words.reshape(-1, 2)
        all_features = np.concatenate([counted, words[:, 0]])
        amounts = np.concatenate([np.ones(len(counted)), np.full(len(words), 0.5)])
        _, inverse = np.unique(all_features, return_inverse=True)
        totals = np.bincount(inverse, weights=amounts) if len(inverse) else np.zeros(0)
        return Occurrences(all_features, amounts / totals[inverse], np.concatenate([_joined(places), words[:, 1]]))

    def knows(self, stem: str) -> bool:
        """Whether a stem is a feature by itself."""
        return stem in self._words

    def _word_terms(self, text: PreparedText) -> Iterator[tuple[int, int, int]]:
        """(number, place of the first word, place of the last) of each known stem and pair of neighbouring stems."""
        known = self._words
        # One-letter words are no features and don't part a pair, as in training.
        stems = [(place, stem) for place, stem in enumerate(text.stems.split()) if len(stem) > 1]
        for place, stem in stems:
            if (number := known.get(stem)) is not None:
                yield number, place, place
        for (first, left), (last, right) in pairwise(stems):
            if (number := known.get(f"{left} {right}")) is not None:
                yield number, first, last

    def _char_terms(self, word: str) -> Indices:
        """The numbers of a word's known character n-grams, one for each occurrence."""
        numbers = self._memory.get(word)
        if numbers is None:
            known = self._chars
            numbers = np.array([known[term] for term in char_ngrams(word) if term in known], dtype=np.int64)
            if len(word) <= LONGEST_WORD:
                if len(self._memory) >= REMEMBERED_WORDS:
                    self._memory.clear()
                self._memory[word] = numbers
        return numbers

    def _weigh(self, numbers: Indices) -> tuple[Indices, Floats]:
        """Counted, weighed by idf and brought to length 1."""
        indices, counts = np.unique(numbers, return_counts=True)
        weights = (1.0 + np.log(counts)) * self.idf[indices]
        length = np.sqrt(weights @ weights)
        return indices, weights / length if length > 0 else weights


def char_ngrams(word: str) -> Iterator[str]:
    """Character n-grams of " word " as scikit-learn's `char_wb` makes them; a short word counts once as a whole."""
    padded = f" {word} "
    shortest, longest = CHAR_NGRAMS
    for size in range(shortest, longest + 1):
        yield padded[:size]
        if size >= len(padded):
            return
        for start in range(1, len(padded) - size + 1):
            yield padded[start : start + size]


def _joined(arrays: Sequence[Indices]) -> Indices:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int64)
