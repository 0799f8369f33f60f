"""Calibration: from scores of rows that were kept aside to probabilities that hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from model.confidence import SIGNALS, Confidence, signals
from model.features import Floats
from model.heads import set_probabilities, softmax
from training.splitting import Ints

# Chosen with the signals on real rows (docs/decisions/0016-confidence-and-promise.md).
_SIGNAL_SCALE, _OFFSET_SCALE = 3.0, 0.4
_MATRIX_PULL, _BIAS_PULL, _MATRIX_ROUNDS, _FLATTENING = 0.01, 1e-4, 30, 0.7


def fit_inverse_temperature(scores: Floats, labels: Ints) -> float:
    """The factor on scores (n, k) whose softmax gives the labels (n,) the highest likelihood (Guo et al. 2017)."""

    def loss(log_factor: float) -> float:
        probabilities = softmax(np.exp(log_factor) * scores)
        chosen = probabilities[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    best = minimize_scalar(loss, bounds=(np.log(0.05), np.log(50.0)), method="bounded")
    return float(np.exp(best.x))


def fit_confidence(probabilities: Floats, labels: Ints, regions: Sequence[str]) -> Confidence:
    """A logistic regression of whether the likeliest of `probabilities` (n, k) is the label (n,).

    The probabilities are of rows kept aside. Offsets of labels and regions are pulled to 0, so that those with few rows
    keep to the common line. With all answers right, or all wrong, the confidence is a constant near the share.
    """
    first: Ints = probabilities.argmax(axis=1)
    right = first == labels
    count = probabilities.shape[1]
    known = sorted(set(regions) - {""})
    if right.all() or not right.any():
        share = (right.sum() + 1.0) / (len(right) + 2.0)
        return Confidence(np.zeros(len(SIGNALS)), float(np.log(share / (1 - share))), np.zeros(count))
    told = signals(probabilities)
    means, spreads = told.mean(axis=0), np.maximum(told.std(axis=0), 1e-6)
    offsets = csr_matrix(
        (np.ones(len(first)), (np.arange(len(first)), first)),
        shape=(len(first), count),
    )
    of_regions = csr_matrix(np.array([[region == code for code in known] for region in regions], dtype=np.float64))
    # Scaled so that the pull to 0 is weak on the signals and strong on the offsets.
    scaled = _SIGNAL_SCALE / spreads
    features = hstack([csr_matrix((told - means) * scaled), _OFFSET_SCALE * hstack([offsets, of_regions])]).tocsr()
    fitted = LogisticRegression(C=1.0, max_iter=1_000).fit(features, right)
    weights, offset = fitted.coef_[0, : len(SIGNALS)] * scaled, fitted.coef_[0, len(SIGNALS) :] * _OFFSET_SCALE
    return Confidence(
        weights=weights,
        bias=float(fitted.intercept_[0] - weights @ means),
        labels=offset[:count],
        regions={code: float(value) for code, value in zip(known, offset[count:], strict=True)},
    )


def cross_fitted_confidence(probabilities: Floats, labels: Ints, regions: Sequence[str], folds: Ints) -> Floats:
    """The confidence (n,) of each row by a fit on the rows of the other `folds` (n,)."""
    found = np.zeros(len(labels))
    for fold in np.unique(folds):
        aside = np.flatnonzero(folds == fold).tolist()
        shown = np.flatnonzero(folds != fold).tolist()
        if not shown:
            raise ValueError("Cross-fitting needs rows in two folds or more.")
        fitted = fit_confidence(probabilities[shown], labels[shown], [regions[i] for i in shown])
        found[aside] = [fitted.of(probabilities[i], regions[i]) for i in aside]
    return found


def fit_set_weights(probabilities: Floats, labels: Ints) -> Floats:
    """Weights (k + 1, k) for `set_probabilities`, from probabilities (n, k) of rows kept aside and labels (n,).

    Matrix scaling pulled to the identity (Kull et al. 2019, "Beyond temperature scaling"): which sectors are taken for
    which. Then everything is flattened, as the small probabilities, of which sets of high coverage are made, are too
    small.
    """
    logs = np.log(np.maximum(probabilities, 1e-9))
    count, k = logs.shape
    start = np.vstack([np.eye(k), np.zeros(k)])
    pull = np.vstack([np.full((k, k), _MATRIX_PULL), np.full(k, _BIAS_PULL)])
    truth = np.zeros((count, k))
    truth[np.arange(count), labels] = 1.0

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(k + 1, k)
        found = softmax(logs @ weights[:-1] + weights[-1])
        given = np.maximum(found[np.arange(count), labels], 1e-12)
        slope = (found - truth) / count
        away = weights - start
        value = -np.log(given).mean() + (pull * away**2).sum()
        gradient = np.vstack([logs.T @ slope, slope.sum(axis=0)]) + 2 * pull * away
        return float(value), gradient.ravel()

    # Products this small are slower on several cores than on one.
    with threadpool_limits(1):
        best = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MATRIX_ROUNDS}).x
    weights: Floats = _FLATTENING * best.reshape(k + 1, k)
    return weights


def cross_fitted_sets(probabilities: Floats, labels: Ints, folds: Ints) -> Floats:
    """`set_probabilities` (n, k) of each row by weights fitted on the rows of the other `folds` (n,)."""
    found = np.zeros_like(probabilities)
    for fold in np.unique(folds):
        aside = folds == fold
        weights = fit_set_weights(probabilities[~aside], labels[~aside])
        found[aside] = set_probabilities(probabilities[aside], weights)
    return found
