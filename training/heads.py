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
from scipy.sparse import csr_matrix, diags_array, vstack
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
class Trust:
    """What may be made of rows (n,) by where their labels come from (`training.provenance`).

    `real`: sent by citizens. `independent`: and labelled without a suggestion in sight. `weights`: what each counts.
    """

    real: NDArray[np.bool_]
    independent: NDArray[np.bool_]
    weights: Floats

    @classmethod
    def of_real(cls, real: NDArray[np.bool_]) -> Trust:
        """All labels count, and those of the real rows are independent."""
        return cls(real, real, np.ones(len(real)))


@dataclass(frozen=True)
class Against:
    """Complaints known not to be of a label: features (m, features), near-copy groups (m,), and the label (m,)."""

    features: csr_matrix
    groups: Ints
    names: NDArray[Any]

    def within(self, classes: NDArray[Any]) -> Against:
        """Those against one of the `classes`, its number in the place of its name."""
        known = np.isin(self.names, classes)
        numbers = np.searchsorted(classes, self.names[known])
        return Against(self.features[known], self.groups[known], numbers)

    def only(self, kept: NDArray[np.bool_]) -> Against:
        return Against(self.features[kept], self.groups[kept], self.names[kept])


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
    trust: Trust | NDArray[np.bool_],
    head: HeadRecipe | None = None,
    dimensions: int = 0,
    against: Against | None = None,
) -> FittedHead:
    """Fit on all rows, and on all but one fold in turn to calibrate; near-copies are in one fold.

    `trust` says what the rows' labels count (or which rows are real, n,); the temperature is that of the rows it trusts
    most, once there are enough of them. `head` holds what the recipe says of this head. The last `dimensions` of the
    features are a sentence embedding. `against` is evidence against labels, which an ordinal head has no use for.
    """
    head = head or HeadRecipe("")
    trust = trust if isinstance(trust, Trust) else Trust.of_real(trust)
    if head.is_ordinal:
        return _fit_ordinal_head(features, names, groups, trust)
    classes, labels = np.unique(names, return_inverse=True)
    labels = labels.astype(np.int64)
    weights = trust.weights * np.where(trust.real, 1.0, head.written_weight)
    ruled_out = against.within(classes) if against is not None else None
    folds = assign_folds(groups, recipe.folds, _SEED)
    asides = [folds == fold for fold in np.unique(folds)]
    how = (recipe, head, dimensions)
    # Processes, not threads: liblinear draws from one random generator a process, so threads would change each other's
    # fits. Few rows are fitted sooner than processes start.
    whole, *of_folds = Parallel(n_jobs=JOBS if len(names) >= ROWS_WORTH_PROCESSES else 1)(
        [
            delayed(_fit_svc)(features, labels, weights, *how, ruled_out),
            *(
                delayed(_scores_aside)(
                    features, labels, weights, aside, len(classes), *how, _apart(ruled_out, groups[aside])
                )
                for aside in asides
            ),
        ]
    )
    scores = np.zeros((len(names), len(classes)))
    for aside, found in zip(asides, of_folds, strict=True):
        scores[aside] = found
    telling = telling_rows(trust)
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


def telling_rows(trust: Trust, labels: Ints | None = None, fewest: int = 0) -> NDArray[np.bool_]:
    """The rows (n,) to calibrate on: the independent ones if there are enough of them, and `fewest` of each label; else
    the real ones, if they are enough, else all.

    Labels that took a suggestion make it look right too often. A form that writes one level into every row would else
    teach a head to answer nothing but that.
    """
    for rows in (trust.independent, trust.real):
        enough = rows.sum() >= _FEWEST_REAL_ROWS
        if enough and labels is not None:
            enough = all((rows & (labels == label)).sum() >= fewest for label in np.unique(labels))
        if enough:
            return rows
    return np.ones_like(trust.real)


def _fit_ordinal_head(features: csr_matrix, names: NDArray[Any], groups: Ints, trust: Trust) -> FittedHead:
    levels = names.astype(np.int64)
    jobs = JOBS if len(levels) >= ROWS_WORTH_PROCESSES else 1
    fitted = fit_ordinal(features, levels, groups, telling_rows(trust, levels, _FEWEST_OF_A_LABEL), jobs)
    return FittedHead(
        classifier=LinearScorer(fitted.weights.astype(np.float64), fitted.bias),
        names=tuple(str(level) for level in fitted.levels),
        scores=fitted.logits,
        labels=np.searchsorted(fitted.levels, levels).astype(np.int64),
        weights=fitted.weights.T.astype(np.float64),
        bias=fitted.bias,
        inverse_temperature=1.0,
    )


def _apart(against: Against | None, groups: Ints) -> Against | None:
    """What is `against` labels without near-copies of the `groups`, which a fit isn't to know."""
    return against.only(~np.isin(against.groups, groups)) if against is not None else None


def _scores_aside(
    features: csr_matrix,
    labels: Ints,
    row_weights: Floats,
    aside: NDArray[np.bool_],
    count: int,
    recipe: Recipe,
    head: HeadRecipe,
    dimensions: int,
    against: Against | None,
) -> Floats:
    """Scores (rows aside, `count` labels) of the rows `aside` (n,), by a fit on the others.

    It takes all rows, so that processes share their memory, and gives back no weights, which are far larger.
    """
    shown = ~aside
    fitted = _fit_svc(features[shown], labels[shown], row_weights[shown], recipe, head, dimensions, against)
    if fitted is None:
        return np.zeros((int(aside.sum()), count))
    scores = fitted.decision_function(features[aside])
    # A label that this fold's fit never saw ranks last for its rows, so that its rarity lowers the confidence.
    placed = np.repeat(scores.min(axis=1, keepdims=True), count, axis=1)
    placed[:, fitted.classes_] = scores
    return placed


def _fit_svc(
    features: csr_matrix,
    labels: Ints,
    row_weights: Floats,
    recipe: Recipe,
    head: HeadRecipe,
    dimensions: int,
    against: Against | None = None,
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
    is_term = np.arange(features.shape[1]) < features.shape[1] - (dimensions if embedded else 0)
    of_words = (features @ diags_array(is_term * 1.0)).tocsr() if embedded else features
    with warnings.catch_warnings():
        # A fit cut off after liblinear's 1,000 rounds is as good as a finished one here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = CalibratedSVC(svc).fit(of_words, labels, row_weights)
        if against is not None:
            _rule_out(fitted.svc_, of_words, labels, row_weights, against, is_term)
    if embedded:
        each = row_weights * np.array([weights[label] for label in labels.tolist()])
        _add_meaning(fitted.svc_, features[:, -dimensions:].toarray(), labels, each, recipe.encoder_weight)
    return fitted


def _rule_out(
    svc: LinearSVC,
    features: csr_matrix,
    labels: Ints,
    row_weights: Floats,
    against: Against,
    is_term: NDArray[np.bool_],
) -> None:
    """Fit the labels that something is `against` once more, each with that among its "rest", as one row each.

    Of one-against-rest fits only the label's own knows what a complaint isn't: of the others nothing is known. The
    costs are those of liblinear's fit of all labels: the label's weight on its rows, 1 on the rest. With two labels
    there is but one fit for both, and it stays as it is.
    """
    if len(svc.classes_) < 3:
        return
    for place, label in enumerate(svc.classes_.tolist()):
        if not (is_its := against.names == label).any():
            continue
        others = (against.features[is_its] @ diags_array(is_term * 1.0)).tocsr()
        own = LinearSVC(C=svc.C, class_weight={1: svc.class_weight[label]}, tol=svc.tol, random_state=svc.random_state)
        own.fit(
            vstack([features, others]).tocsr(),
            np.concatenate([labels == label, np.zeros(others.shape[0])]).astype(np.int64),
            np.concatenate([row_weights, np.ones(others.shape[0])]),
        )
        svc.coef_[place], svc.intercept_[place] = own.coef_[0], own.intercept_[0]


def _add_meaning(svc: LinearSVC, meanings: Floats, labels: Ints, row_weights: Floats, share: float) -> None:
    """Add to an SVM's scores a `share` of a logistic regression's on the embeddings (n, d), the last features.

    Fitted apart and added they help; as features of the SVM, among the words, they don't (docs/model.md). The sum of
    two linear scores is a linear score: the scorer has nothing more to do.
    """
    regression = LogisticRegression(C=_MEANING_REGULARISATION, max_iter=200)
    regression.fit(meanings, labels, row_weights)
    svc.coef_[:, -meanings.shape[1] :] = share * regression.coef_
    svc.intercept_ = svc.intercept_ + share * regression.intercept_
