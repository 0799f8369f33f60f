"""Ordered labels: one linear SVM for each step of a scale, folded into the weights of an ordinary head.

For levels 0 < 1 < ... each step has its own SVM that asks "this level or more?" (Frank & Hall 2001, "A Simple Approach
to Ordinal Classification"). A step's score is taken as the log-odds of two neighbouring levels, so that a level's logit
is the sum of the steps up to it: linear again, and the softmax of the sums gives the probabilities of the levels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from model.features import Floats
from training.splitting import Ints, assign_folds

_SEED = 20180901
_REGULARISATION = 0.3
_FOLDS = 5
# Pulls a step's slope and offset to 1 and 0 as this many rows would, since few rows speak for the highest step.
_PRIOR_ROWS = 3.0


@dataclass(frozen=True)
class OrdinalFit:
    """A head's numbers: `weights` (features, levels), `bias` (levels,), for the levels named, lowest first.

    The softmax of `features @ weights + bias` is calibrated: the inverse temperature of such a head is 1. `logits`
    (n, levels) are those that each row got from a fit that hadn't seen it, calibrated too.
    """

    levels: tuple[int, ...]
    weights: NDArray[np.float32]
    bias: Floats
    logits: Floats


def fit_ordinal(features: csr_matrix, levels: Ints, groups: Ints, real: NDArray[np.bool_], jobs: int = 1) -> OrdinalFit:
    """Fit the steps on all rows, and on all but one fold in turn to calibrate them on the `real` rows (n,).

    `features` (n, m), `levels` (n,) whole numbers, `groups` (n,) the near-copies, which are in one fold; in `jobs`
    processes. Raises ValueError for fewer than two levels.
    """
    names = np.unique(levels)
    if len(names) < 2:
        raise ValueError("An ordinal head needs rows of two levels or more.")
    reached = levels[:, None] >= names[1:]
    folds = assign_folds(groups, _FOLDS, _SEED)
    asides = [folds == fold for fold in np.unique(folds)]
    (weights, offsets), *of_folds = Parallel(jobs)(
        [
            delayed(_fit_steps)(features, reached),
            *(delayed(_fit_steps)(features[~aside], reached[~aside]) for aside in asides),
        ]
    )
    steps = np.zeros(reached.shape)
    for aside, (of_fold, offset) in zip(asides, of_folds, strict=True):
        steps[aside] = features[aside] @ of_fold + offset
    slopes, shifts = _calibrate(steps[real], np.searchsorted(names, levels[real]))
    return OrdinalFit(
        levels=tuple(int(name) for name in names),
        weights=np.ascontiguousarray(_summed(weights * slopes), dtype=np.float32),
        bias=_summed(offsets[None, :] * slopes + shifts)[0],
        logits=_summed(steps * slopes + shifts),
    )


def _fit_steps(features: csr_matrix, reached: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Weights (m, steps) and offsets (steps,) of a balanced linear SVM for each step."""
    weights, offsets = np.zeros((features.shape[1], reached.shape[1])), np.zeros(reached.shape[1])
    for step, is_reached in enumerate(reached.T):
        if is_reached.all() or not is_reached.any():
            offsets[step] = 1.0 if is_reached.all() else -1.0
            continue
        svm = LinearSVC(C=_REGULARISATION, class_weight="balanced", random_state=_SEED)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            svm.fit(features, is_reached)
        weights[:, step], offsets[step] = svm.coef_[0], svm.intercept_[0]
    return weights, offsets


def _calibrate(steps: Floats, labels: Ints) -> tuple[Floats, Floats]:
    """Slopes > 0 and shifts (steps,) under which the softmax gives `labels` (n,) the highest likelihood."""
    count = steps.shape[1]
    if not len(labels):
        return np.ones(count), np.zeros(count)

    def loss(parameters: Floats) -> float:
        logits = _summed(steps * np.exp(parameters[:count]) + parameters[count:])
        chosen = logits[np.arange(len(labels)), labels]
        return float((np.logaddexp.reduce(logits, axis=1) - chosen).sum() + _PRIOR_ROWS * (parameters**2).sum() / 2)

    best = minimize(loss, np.zeros(2 * count), method="L-BFGS-B").x
    return np.exp(best[:count]), best[count:]


def _summed(steps: Floats) -> Floats:
    """Levels' logits (n, levels) from those of the steps (n, steps); the lowest level's is 0."""
    sums: Floats = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
    return sums
