"""Features of a text: word and in-word character n-grams, weighed as scikit-learn's TfidfVectorizer weighs them.

A feature's weight in one view is (1 + ln count) * idf, and each view has length 1 (sublinear tf-idf, L2). Views of
their own are the stems of the title, so that they count for more than as many words of the text, the region and the
written tables' facts with fixed weights, the stems and pairs once more as words of their region, so that a region can
differ from what holds everywhere (Daumé 2007, "Frustratingly Easy Domain Adaptation"), and the sentence embedding as it
is. Character n-grams are a function of the word, so a word's feature numbers are found once and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.completeness import slot_terms
from model.stemming import LONGEST_WORD
from model.text import PreparedText
from model.urgency import sign_terms

REMEMBERED_WORDS = 100_000
CHAR_NGRAMS = (2, 5)

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
    _local: dict[str, int] = field(init=False, repr=False)
    _memory: dict[str, Indices] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        first_char = len(self.vocabulary.words)
        first_region = first_char + len(self.vocabulary.chars)
        first_title = first_region + len(self.vocabulary.regions)
        self._words = {term: number for number, term in enumerate(self.vocabulary.words)}
        self._chars = {term: number for number, term in enumerate(self.vocabulary.chars, first_char)}
        self._regions = {term: number for number, term in enumerate(self.vocabulary.regions, first_region)}
        first_slot = first_title + len(self.vocabulary.titles)
        self._titles = {term: number for number, term in enumerate(self.vocabulary.titles, first_title)}
        first_sign = first_slot + len(self.vocabulary.slots)
        self._facts = {
            "slots": {term: number for number, term in enumerate(self.vocabulary.slots, first_slot)},
            "signs": {term: number for number, term in enumerate(self.vocabulary.signs, first_sign)},
        }
        first_local = first_sign + len(self.vocabulary.signs)
        self._local = {term: number for number, term in enumerate(self.vocabulary.local, first_local)}

    def extract(self, text: PreparedText) -> Features:
        """The features of one text; unknown terms have none."""
        words = self.extract_words(text)
        word_part = words.indices, words.weights
        char_part = self._weigh(_joined([self._char_terms(word) for word in text.words.split()]))
        region = self._regions.get(text.region)
        region_part = ([], []) if region is None else ([region], [self.idf[region]])
        titles = [self._titles[stem] for stem in text.title.split() if stem in self._titles]
        parts = [word_part, char_part, region_part, self._weigh(np.array(titles, dtype=np.int64))]
        for view, known in self._facts.items():
            if known:
                facts = np.array(sorted({known[term] for term in FACTS[view](text) if term in known}), np.int64)
                parts.append((facts, self.idf[facts]))
        parts.append(self._weigh(np.array([number for number, *_ in self._local_terms(text)], dtype=np.int64)))
        if text.meaning is not None and self.vocabulary.dimensions:
            size = len(self.vocabulary)
            parts.append((np.arange(size - self.vocabulary.dimensions, size), text.meaning.astype(np.float64)))
        return Features(
            np.concatenate([part[0] for part in parts]).astype(np.int64, copy=False),
            np.concatenate([part[1] for part in parts]),
        )

    def extract_words(self, text: PreparedText) -> Features:
        """The features of the first view alone: stems and pairs of stems."""
        return Features(*self._weigh(np.array([number for number, *_ in self._word_terms(text)], dtype=np.int64)))

    def occurrences(self, text: PreparedText) -> Occurrences:
        """Where each feature of words stands, so that its weight can be shared out to the text's words.

        A stem of the title speaks for itself wherever it stands in the text.
        """
        features: list[Indices] = []
        places: list[Indices] = []
        for place, word in enumerate(text.words.split()):
            numbers = self._char_terms(word)
            features.append(numbers)
            places.append(np.full(len(numbers), place))
        counted = _joined(features)
        terms = [*self._word_terms(text), *self._title_terms_in(text), *self._local_terms(text)]
        words = np.array([[number, place] for number, first, last in terms for place in (first, last)], dtype=np.int64)
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
        return self._terms(text, self._words, "")

    def _local_terms(self, text: PreparedText) -> Iterator[tuple[int, int, int]]:
        """The same of those that are known as words of the text's region."""
        return self._terms(text, self._local, local_prefix(text.region))

    def _terms(self, text: PreparedText, known: dict[str, int], prefix: str) -> Iterator[tuple[int, int, int]]:
        if not known:
            return
        # One-letter words are no features and don't part a pair, as in training.
        stems = [(place, stem) for place, stem in enumerate(text.stems.split()) if len(stem) > 1]
        for place, stem in stems:
            if (number := known.get(prefix + stem)) is not None:
                yield number, place, place
        for (first, left), (last, right) in pairwise(stems):
            if (number := known.get(f"{prefix}{left} {right}")) is not None:
                yield number, first, last

    def _title_terms_in(self, text: PreparedText) -> Iterator[tuple[int, int, int]]:
        """(number, place, place) of each word whose stem is a known one of the title."""
        title = set(text.title.split()) & self._titles.keys()
        for place, stem in enumerate(text.stems.split()):
            if stem in title:
                yield self._titles[stem], place, place

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


def local_prefix(region: str) -> str:
    """What a stem or a pair of stems begins with as a word of its region; no stem holds a blank."""
    return f"{region} | "


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
