"""Why a head gave a label its score: exact contributions of the words, as linear models allow."""

from __future__ import annotations

import numpy as np

from model.features import FeatureExtractor, Features
from model.heads import Head
from model.prediction import Explanation, WordContribution
from model.text import PreparedText, shown_word


def explain(
    text: PreparedText, extractor: FeatureExtractor, head: Head, label: str, features: Features | None = None
) -> Explanation:
    """Share the score of `label` out to the words that stand in the text.

    A feature's contribution is its weight in the text times (its weight for the label - the mean over labels). It goes
    in equal parts to the feature's occurrences, a word pair's in halves to its words. `features` are the text's, where
    they are known already.
    """
    column = head.labels.index(label)
    features = features or extractor.extract(text)
    own = head.weights[features.indices, column].astype(np.float64) - head.mean_weights[features.indices]
    contributions = head.inverse_temperature * features.weights * own
    bias = head.inverse_temperature * (head.bias[column] - head.bias.mean())

    occurrences = extractor.occurrences(text, features)
    words = text.words.split()
    shares = occurrences.shares * contributions[occurrences.at]
    of_word = np.bincount(occurrences.words, weights=shares, minlength=len(words))
    region = contributions.sum() - of_word.sum()

    by_word: dict[str, float] = {}
    for word, contribution in zip(map(shown_word, words), of_word.tolist(), strict=True):
        by_word[word] = by_word.get(word, 0.0) + contribution
    ranked = sorted(by_word.items(), key=lambda item: -abs(item[1]))
    return Explanation(
        label=label,
        score=float(contributions.sum() + bias),
        base=float(bias + region),
        words=tuple(WordContribution(word, contribution) for word, contribution in ranked),
    )
