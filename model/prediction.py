"""What the model says of one complaint: ranked sectors, urgency, and the words that decided."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ranked:
    """A label with its calibrated probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class WordContribution:
    """A word of the text and what it added to the score; negative: it spoke against."""

    word: str
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """Why a label got its score: `base` and the words' contributions add up to `score` exactly.

    The score is the label's scaled score less the mean over all labels, so that what speaks for every label alike
    explains nothing; softmax gives the same probabilities either way. `base` is what isn't in the words: how common the
    label is, and the region. Words are the model's: lower case, without punctuation, in the order of their weight.
    """

    label: str
    score: float
    base: float
    words: tuple[WordContribution, ...]


@dataclass(frozen=True)
class Prediction:
    """The answers of all heads for one complaint, likeliest first; empty where the bundle has no such head.

    `known_words` counts the text's words that are features by themselves: with none, the answer means nothing.
    The first sector's probability is the head's confidence in it (`model.confidence`), the others share the rest.
    `candidates` are the sectors of which one is right as often as was promised, likeliest first; empty where nothing
    was promised.
    """

    sectors: tuple[Ranked, ...]
    urgency: tuple[Ranked, ...] = ()
    jurisdiction: tuple[Ranked, ...] = ()
    completeness: tuple[Ranked, ...] = ()
    known_words: int = 0
    candidates: tuple[str, ...] = ()

    @property
    def sector(self) -> Ranked:
        return self.sectors[0]

    @property
    def confidence(self) -> float:
        """The probability that the first sector is right, by which routing alone is decided."""
        return self.sector.probability
