"""Heads in training: what each is asked, and how it is fitted, with scores of rows kept aside to calibrate on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from data.complaint import LabelledRow
from model.bundle import COMPLETE, COMPLETENESS, INCOMPLETE, JURISDICTION, SECTOR, URGENCY
from model.features import Floats
from model.heads import softmax
from training.calibration import fit_inverse_temperature
from training.features import MEANING
from training.ordinal import fit_ordinal
from training.recipe import HeadRecipe, Recipe
from training.splitting import Ints, assign_folds

_FEWEST_REAL_ROWS = 200
_FEWEST_OF_A_LABEL = 5
_SEED = 20180901
_MEANING_REGULARISATION = 4.0
JOBS = 2
# liblinear's own; ten thousand times more exact gives the same accuracy and takes a fifth longer.
_TOLERANCE = 0.1
ROWS_WORTH_PROCESSES = 4_000


@dataclass(frozen=True)
class Question:
    """What a head is asked: its name, the label a row has for it (None: unknown), and whether it may act by itself."""

    name: str
    label: Callable[[LabelledRow], str | None]
    acts: bool = False


QUESTIONS = (
    Question(SECTOR, attrgetter("sector"), acts=True),
    Question(URGENCY, lambda row: None if row.urgency is None else str(row.urgency)),
    Question(JURISDICTION, lambda row: None if row.jurisdiction is None else row.jurisdiction.value),
    Question(COMPLETENESS, lambda row: None if row.complete is None else COMPLETE if row.complete else INCOMPLETE),
)


class CalibratedSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A one-against-rest linear SVM whose probabilities are the softmax of its scores times a fitted factor."""

    def __init__(self, svc: LinearSVC, inverse_temperature: float = 1.0) -> None:
        self.svc = svc
        self.inverse_temperature = inverse_temperature

    def fit(self, features: csr_matrix, labels: Ints, row_weights: Floats | None = None) -> CalibratedSVC:
        self.svc_ = self.svc.fit(features, labels, row_weights)
        self.classes_ = self.svc_.classes_
        return self

    def decision_function(self, features: csr_matrix) -> Floats:
        """Scores (n, labels), also where there are but two labels."""
        scores = self.svc_.decision_function(features)
        return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores

    def predict_proba(self, features: csr_matrix) -> Floats:
        return softmax(self.inverse_temperature * self.decision_function(features))


class LinearScorer(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Weights (features, labels) and a bias (labels,) as a classifier, for a head that no single fit gives."""

    def __init__(self, weights: Floats, bias: Floats) -> None:
        self.weights = weights
        self.bias = bias

    def fit(self, features: csr_matrix, labels: Ints) -> LinearScorer:
        """Nothing is left to fit; scikit-learn takes nothing without this for a classifier."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def decision_function(self, features: csr_matrix) -> Floats:
        scores: Floats = features @ self.weights + self.bias
        return scores

    def predict_proba(self, features: csr_matrix) -> Floats:
        return softmax(self.decision_function(features))


@dataclass(frozen=True)
class FittedHead:
    """A classifier fitted on all its rows, with the scores each row got (n, k) from a fit that hadn't seen it.

    `weights` (k, features) and `bias` (k,) are the classifier's; its probabilities, and those of `scores`, are the
    softmax of scores times `inverse_temperature`.
    """

    classifier: CalibratedSVC | LinearScorer
    names: tuple[str, ...]
    scores: Floats
    labels: Ints
    weights: Floats
    bias: Floats
    inverse_temperature: float

    @property
    def probabilities(self) -> Floats:
        """Calibrated probabilities (n, k) of the rows, each by the fit that hadn't seen it."""
        return softmax(self.inverse_temperature * self.scores)


def fit_head(
    features: csr_matrix,
    names: NDArray[Any],
    groups: Ints,
    recipe: Recipe,
    real: NDArray[np.bool_],
    head: HeadRecipe | None = None,
    dimensions: int = 0,
) -> FittedHead:
    """Fit on all rows, and on all but one fold in turn to calibrate; near-copies are in one fold.

    The temperature is that of the `real` rows (n,), once there are enough of them. `head` holds what the recipe says of
    this head. The last `dimensions` of the features are a sentence embedding.
    """
    head = head or HeadRecipe("")
    if head.is_ordinal:
        return _fit_ordinal_head(features, names, groups, real)
    classes, labels = np.unique(names, return_inverse=True)
    labels = labels.astype(np.int64)
    weights = np.where(real, 1.0, head.written_weight)
    folds = assign_folds(groups, recipe.folds, _SEED)
    asides = [folds == fold for fold in np.unique(folds)]
    how = (recipe, head, dimensions)
    # Processes, not threads: liblinear draws from one random generator a process, so threads would change each other's
    # fits. Few rows are fitted sooner than processes start.
    whole, *of_folds = Parallel(n_jobs=JOBS if len(names) >= ROWS_WORTH_PROCESSES else 1)(
        [
            delayed(_fit_svc)(features, labels, weights, *how),
            *(delayed(_scores_aside)(features, labels, weights, aside, len(classes), *how) for aside in asides),
        ]
    )
    scores = np.zeros((len(names), len(classes)))
    for aside, found in zip(asides, of_folds, strict=True):
        scores[aside] = found
    telling = telling_rows(real)
    whole.inverse_temperature = fit_inverse_temperature(scores[telling], labels[telling])
    svc, two = whole.svc_, len(classes) == 2
    return FittedHead(
        classifier=whole,
        names=tuple(str(name) for name in classes),
        scores=scores,
        labels=labels,
        weights=np.vstack([-svc.coef_, svc.coef_]) if two else svc.coef_,
        bias=np.concatenate([-svc.intercept_, svc.intercept_]) if two else svc.intercept_,
        inverse_temperature=whole.inverse_temperature,
    )


def telling_rows(real: NDArray[np.bool_], labels: Ints | None = None, fewest: int = 0) -> NDArray[np.bool_]:
    """The rows (n,) to calibrate on: the `real` ones if there are enough of them, and `fewest` of each label, else all.

    A form that writes one level into every row would else teach a head to answer nothing but that.
    """
    enough = real.sum() >= _FEWEST_REAL_ROWS
    if enough and labels is not None:
        enough = all((real & (labels == label)).sum() >= fewest for label in np.unique(labels))
    return real if enough else np.ones_like(real)


def _fit_ordinal_head(features: csr_matrix, names: NDArray[Any], groups: Ints, real: NDArray[np.bool_]) -> FittedHead:
    levels = names.astype(np.int64)
    jobs = JOBS if len(levels) >= ROWS_WORTH_PROCESSES else 1
    fitted = fit_ordinal(features, levels, groups, telling_rows(real, levels, _FEWEST_OF_A_LABEL), jobs)
    return FittedHead(
        classifier=LinearScorer(fitted.weights.astype(np.float64), fitted.bias),
        names=tuple(str(level) for level in fitted.levels),
        scores=fitted.logits,
        labels=np.searchsorted(fitted.levels, levels).astype(np.int64),
        weights=fitted.weights.T.astype(np.float64),
        bias=fitted.bias,
        inverse_temperature=1.0,
    )


def _scores_aside(
    features: csr_matrix,
    labels: Ints,
    row_weights: Floats,
    aside: NDArray[np.bool_],
    count: int,
    recipe: Recipe,
    head: HeadRecipe,
    dimensions: int,
) -> Floats:
    """Scores (rows aside, `count` labels) of the rows `aside` (n,), by a fit on the others.

    It takes all rows, so that processes share their memory, and gives back no weights, which are far larger.
    """
    shown = ~aside
    fitted = _fit_svc(features[shown], labels[shown], row_weights[shown], recipe, head, dimensions)
    if fitted is None:
        return np.zeros((int(aside.sum()), count))
    scores = fitted.decision_function(features[aside])
    # A label that this fold's fit never saw ranks last for its rows, so that its rarity lowers the confidence.
    placed = np.repeat(scores.min(axis=1, keepdims=True), count, axis=1)
    placed[:, fitted.classes_] = scores
    return placed


def _fit_svc(
    features: csr_matrix, labels: Ints, row_weights: Floats, recipe: Recipe, head: HeadRecipe, dimensions: int
) -> CalibratedSVC | None:
    present = np.unique(labels)
    if len(present) < 2:
        return None
    amounts = np.bincount(labels, weights=row_weights)
    weights = {label: row_weights.sum() / (len(present) * amounts[label]) for label in present.tolist()}
    if recipe.class_weighting == "square-root":
        weights = {label: weight**0.5 for label, weight in weights.items()}
    regularisation = head.regularisation or recipe.regularisation
    svc = LinearSVC(C=regularisation, class_weight=weights, tol=_TOLERANCE, random_state=_SEED)
    embedded = dimensions > 0 and MEANING in head.views
    of_words = features
    if embedded:
        is_term = np.arange(features.shape[1]) < features.shape[1] - dimensions
        of_words = (features @ diags_array(is_term * 1.0)).tocsr()
    with warnings.catch_warnings():
        # A fit cut off after liblinear's 1,000 rounds is as good as a finished one here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = CalibratedSVC(svc).fit(of_words, labels, row_weights)
    if embedded:
        each = row_weights * np.array([weights[label] for label in labels.tolist()])
        _add_meaning(fitted.svc_, features[:, -dimensions:].toarray(), labels, each, recipe.encoder_weight)
    return fitted


def _add_meaning(svc: LinearSVC, meanings: Floats, labels: Ints, row_weights: Floats, share: float) -> None:
    """Add to an SVM's scores a `share` of a logistic regression's on the embeddings (n, d), the last features.

    Fitted apart and added they help; as features of the SVM, among the words, they don't (docs/model.md). The sum of
    two linear scores is a linear score: the scorer has nothing more to do.
    """
    regression = LogisticRegression(C=_MEANING_REGULARISATION, max_iter=200)
    regression.fit(meanings, labels, row_weights)
    svc.coef_[:, -meanings.shape[1] :] = share * regression.coef_
    svc.intercept_ = svc.intercept_ + share * regression.intercept_
