"""Calibration: temperatures and thresholds, from scores of rows that were kept aside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import beta

from model.features import Floats
from model.heads import softmax

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

PROMISED_PRECISION = 0.95
PROMISE_CONFIDENCE = 0.90
_STEPS = 200
# The strictest threshold tried leaves this many rows: fewer, and a single odd label would end the search.
_FEWEST_ROWS = 150


def fit_inverse_temperature(scores: Floats, labels: Ints) -> float:
    """The factor on scores (n, k) whose softmax gives the labels (n,) the highest likelihood (Guo et al. 2017)."""

    def loss(log_factor: float) -> float:
        probabilities = softmax(np.exp(log_factor) * scores)
        chosen = probabilities[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    best = minimize_scalar(loss, bounds=(np.log(0.05), np.log(50.0)), method="bounded")
    return float(np.exp(best.x))


def choose_threshold(
    confidence: Floats,
    right: Bools,
    *,
    target: float = PROMISED_PRECISION,
    certainty: float = PROMISE_CONFIDENCE,
) -> float | None:
    """The lowest probability from which on at least `target` of the answers are right, with `certainty`.

    `confidence` (n,) and `right` (n,) are of rows kept aside. Thresholds are tried from strict to lax, each tested by
    the lower Clopper-Pearson bound, up to the first that fails: fixed-sequence testing, so that trying many costs no
    certainty (Learn then Test: Angelopoulos et al. 2021). None if no threshold can promise it.
    """
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    hits = np.cumsum(right)
    if len(right) < _FEWEST_ROWS:
        return None
    chosen = None
    for count in np.unique(np.linspace(_FEWEST_ROWS, len(right), _STEPS).astype(int)):
        # Rows of equal confidence pass the threshold together.
        count = int(np.searchsorted(-confidence, -confidence[count - 1], side="right"))
        if lower_bound(int(hits[count - 1]), count, certainty) < target:
            break
        chosen = float(confidence[count - 1])
    return chosen


def lower_bound(hits: int, count: int, certainty: float) -> float:
    """The one-sided Clopper-Pearson lower bound of a share."""
    return float(beta.ppf(1.0 - certainty, hits, count - hits + 1)) if hits else 0.0
