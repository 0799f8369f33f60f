"""A head: a linear scorer over the features that answers one question with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.features import Features, Floats

ANYWHERE = ""


@dataclass(frozen=True)
class Head:
    """Scores of one question. `weights` (features, labels) float32, `bias` (labels,) float64.

    Probabilities are the softmax of scores times `inverse_temperature` (temperature scaling: Guo et al. 2017,
    "On Calibration of Modern Neural Networks"). `thresholds` gives, by region, the least probability at which a program
    may act on the answer by itself; a region that isn't in it has proven nothing, so there it never may. A threshold of
    `ANYWHERE` is one for all regions.
    """

    name: str
    labels: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: Floats
    inverse_temperature: float
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def logits(self, features: Features) -> Floats:
        """Scaled scores (labels,) of one text."""
        scores: Floats = features.weights @ self.weights[features.indices] + self.bias
        return self.inverse_temperature * scores

    def probabilities(self, features: Features) -> Floats:
        """Calibrated probabilities (labels,) of one text."""
        return softmax(self.logits(features))

    @cached_property
    def mean_weights(self) -> Floats:
        """The mean over labels of each feature's weight (features,): what speaks for every label alike."""
        means: Floats = self.weights.mean(axis=1, dtype=np.float64)
        return means


def softmax(logits: Floats) -> Floats:
    """Softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    total: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return total
