"""A head: a linear scorer over the features that answers one question with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.confidence import Confidence
from model.features import Features, Floats

ANYWHERE = ""
# Keeps logarithms of probabilities finite.
_SMALLEST = 1e-9


@dataclass(frozen=True)
class Head:
    """Scores of one question. `weights` (features, labels) float32, `bias` (labels,) float64.

    Probabilities are the softmax of scores times `inverse_temperature` (temperature scaling: Guo et al. 2017,
    "On Calibration of Modern Neural Networks"). `thresholds` gives, by region, the least probability at which a program
    may act on the answer by itself; a region that isn't in it has proven nothing, so there it never may. A threshold of
    `ANYWHERE` is one for all regions. `label_thresholds` gives, by region and label, a stricter one for answers of that
    label. `set_levels` gives, by region, the least probability at which a label is among those worth a look, by what
    `set_weights` (labels + 1, labels) make of the head's probabilities: which labels are taken for which, and in the
    last row how often.
    """

    name: str
    labels: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: Floats
    inverse_temperature: float
    thresholds: Mapping[str, float] = field(default_factory=dict)
    label_thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    set_levels: Mapping[str, float] = field(default_factory=dict)
    set_weights: Floats | None = None
    confidence: Confidence | None = None

    def logits(self, features: Features) -> Floats:
        """Scaled scores (labels,) of one text."""
        scores: Floats = features.weights @ self.weights.take(features.indices, axis=0) + self.bias
        return self.inverse_temperature * scores

    def probabilities(self, features: Features) -> Floats:
        """Calibrated probabilities (labels,) of one text."""
        return softmax(self.logits(features))

    def sureness(self, probabilities: Floats, region: str) -> float:
        """How probable it is that the likeliest of `probabilities` (labels,) is right in a region."""
        if self.confidence is None:
            return float(probabilities.max())
        return self.confidence.of(probabilities, region)

    def candidates(self, probabilities: Floats, region: str) -> tuple[int, ...]:
        """The labels that hold the right one as often as the levels promise, likeliest first; empty without levels.

        The likeliest of `probabilities` (labels,) is always among them.
        """
        level = self.set_levels.get(region)
        if level is None or self.set_weights is None:
            return ()
        worth = set_probabilities(probabilities[None, :], self.set_weights)[0] >= level
        worth[int(probabilities.argmax())] = True
        order = np.argsort(-probabilities, kind="stable")
        return tuple(order[worth[order]].tolist())

    def threshold(self, region: str, label: str) -> float | None:
        """From which sureness on an answer of `label` may be acted on alone in a region; None for never."""
        threshold = self.thresholds.get(region)
        own = self.label_thresholds.get(region, {}).get(label, 0.0)
        # An own threshold of 1 bars the label: nothing is sure.
        return None if threshold is None or own >= 1.0 else max(threshold, own)

    @cached_property
    def mean_weights(self) -> Floats:
        """The mean over labels of each feature's weight (features,): what speaks for every label alike."""
        means: Floats = self.weights.mean(axis=1, dtype=np.float64)
        return means


def set_probabilities(probabilities: Floats, weights: Floats) -> Floats:
    """Probabilities (n, k) for sets, out of a head's (n, k) and `weights` (k + 1, k)."""
    return softmax(np.log(np.maximum(probabilities, _SMALLEST)) @ weights[:-1] + weights[-1])


def softmax(logits: Floats) -> Floats:
    """Softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    total: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return total
