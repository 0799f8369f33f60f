"""Fitting: from labelled rows to a bundle, by scikit-learn, with calibration on rows kept aside in turn."""

from __future__ import annotations

import platform
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from operator import attrgetter
from typing import Any

import numpy as np
import scipy
import sklearn
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import LinearSVC

from data.complaint import Confidentiality, LabelledRow
from data.errors import TooFewRows
from data.lexicon import lexicon_mark
from data.progress import Progress, silent
from model.bundle import (
    COMPLETE,
    COMPLETENESS,
    INCOMPLETE,
    JURISDICTION,
    SECTOR,
    URGENCY,
    Bundle,
    fingerprint,
)
from model.features import CHAR_NGRAMS, Floats, Vocabulary
from model.heads import Head, softmax
from model.text import PreparedText, TextChain, prepare
from training.calibration import PROMISE_CONFIDENCE, PROMISED_PRECISION, choose_threshold, fit_inverse_temperature
from training.recipe import Recipe
from training.splitting import Ints, assign_folds, near_copy_groups

FEWEST_ROWS = 20
# Rows that were written for the project, not sent by citizens: learned from, but no evidence of how often one is right.
WRITTEN = "written"
_FEWEST_REAL_ROWS = 200
_SEED = 20180901
_JOBS = 2
_ROWS_WORTH_PROCESSES = 5_000


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

    def fit(self, features: csr_matrix, labels: Ints) -> CalibratedSVC:
        self.svc_ = self.svc.fit(features, labels)
        self.classes_ = self.svc_.classes_
        return self

    def decision_function(self, features: csr_matrix) -> Floats:
        """Scores (n, labels), also where there are but two labels."""
        scores = self.svc_.decision_function(features)
        return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores

    def predict_proba(self, features: csr_matrix) -> Floats:
        return softmax(self.inverse_temperature * self.decision_function(features))


@dataclass(frozen=True)
class Training:
    """What a training gave: the bundle, and for each head the scikit-learn pipeline it was taken from."""

    bundle: Bundle
    pipelines: dict[str, Pipeline]
    notes: list[str] = field(default_factory=list)

    def promise(self, region: str) -> str:
        """What the bundle may do without a person in a region, in plain words."""
        evidence = self.bundle.about["metrics"][SECTOR]["evidence"].get(region, {"rows": 0, "coverage": 0.0})
        what = f"its {evidence['rows']} real labelled rows"
        if region in self.bundle.heads[SECTOR].thresholds:
            share = f"{evidence['coverage']:.0%} of complaints like {what}"
            return f"Routed without a person in {region}: {share}, with a promise of {PROMISED_PRECISION:.0%} right."
        return (
            f"Nothing is routed without a person in {region}: {what} can't promise {PROMISED_PRECISION:.0%} right. "
            "More of them help; written rows and other regions' rows are no evidence."
        )


def fit(rows: Sequence[LabelledRow], recipe: Recipe, region: str, progress: Progress = silent) -> Training:
    """Train a bundle for a region from rows of any region. Each head learns from the rows that have its label.

    Raises `TooFewRows` if there is no sector head to be had. What else fell short is told in `notes`.
    """
    notes: list[str] = []
    if secret := sum(row.confidentiality is Confidentiality.RAHASIA for row in rows):
        notes.append(f"{secret} secret (rahasia) rows were left out: their text is never trained on.")
    rows = [
        row
        for row in rows
        if row.confidentiality is not Confidentiality.RAHASIA
        and any(question.label(row) is not None for question in QUESTIONS)
    ]
    sectors = [row.sector for row in rows if row.sector is not None]
    if len(sectors) < FEWEST_ROWS or len(set(sectors)) < 2:
        raise TooFewRows(
            f"{len(sectors)} rows carry a sector, {len(set(sectors))} different ones; at least {FEWEST_ROWS} rows of "
            "two sectors or more are needed. Label more rows."
        )
    progress("text steps", 0.0)
    chain = TextChain(recipe.text_steps)
    texts = [chain.prepare(row.complaint) for row in rows]
    groups = near_copy_groups([prepare(row.complaint) for row in rows])
    union = make_features(recipe)
    progress("features", 0.1)
    try:
        # One text of each group of near-copies makes the vocabulary: a term must occur in two complaints, so that a
        # bundle holds no words of a single one, however often it was sent.
        different = [texts[i] for i in np.unique(groups, return_index=True)[1]]
        union.fit(different)
        features = union.transform(texts).tocsr()
    except ValueError as error:
        raise TooFewRows(
            f"The {len(rows)} labelled rows share no words to learn from, or are copies of each other ({error})."
        ) from None
    pipelines: dict[str, Pipeline] = {}
    heads: dict[str, Head] = {}
    metrics: dict[str, dict[str, object]] = {}
    for number, question in enumerate(QUESTIONS):
        progress(f"head: {question.name}", 0.2 + 0.8 * number / len(QUESTIONS))
        labels = [question.label(row) for row in rows]
        labelled = np.array([i for i, label in enumerate(labels) if label is not None], dtype=np.int64)
        names = np.array([labels[i] for i in labelled], dtype=object)
        if len(labelled) < FEWEST_ROWS or len(set(names)) < 2:
            what = f"{len(labelled)} rows with {len(set(names))} different labels"
            notes.append(f"No {question.name} head: {what}; it needs {FEWEST_ROWS} rows of two labels or more.")
            continue
        real = np.array([rows[i].label_source != WRITTEN for i in labelled])
        fitted = fit_head(features[labelled], names, groups[labelled], recipe, real)
        head, metrics[question.name] = _as_head(question, fitted, [rows[i] for i in labelled], groups[labelled])
        heads[question.name] = head
        pipelines[question.name] = Pipeline([("features", union), ("head", fitted.classifier)])
        notes += _thin_labels(question.name, names)
    progress("done", 1.0)
    about = _about(rows, texts, recipe, region, metrics)
    seen = np.unique(np.array([fingerprint(text) for text in texts], dtype=np.uint64))
    stems = shared_stems(different, recipe.min_rows_per_term)
    bundle = Bundle(_vocabulary(union), _idf(union, recipe), heads, seen, tuple(chain.names), stems, about)
    return Training(bundle, pipelines, notes)


def make_features(recipe: Recipe) -> FeatureUnion:
    """The views of a text that heads look at: stems and pairs of stems, in-word character n-grams, the region."""
    common = {"lowercase": False, "sublinear_tf": True, "min_df": recipe.min_rows_per_term}
    # A stem keeps its hyphens, at which scikit-learn's own pattern would part it; one letter is no feature.
    of_stems = {"preprocessor": attrgetter("stems"), "token_pattern": r"\S\S+", "ngram_range": (1, 2)}
    views = [
        ("words", TfidfVectorizer(**of_stems, **common)),
        (
            "chars",
            TfidfVectorizer(preprocessor=attrgetter("words"), analyzer="char_wb", ngram_range=CHAR_NGRAMS, **common),
        ),
    ]
    if recipe.region_weight:
        views.append(("region", CountVectorizer(analyzer=_region_term)))
    return FeatureUnion(views, transformer_weights={"region": recipe.region_weight} if recipe.region_weight else None)


@dataclass(frozen=True)
class FittedHead:
    """A classifier fitted on all its rows, with the scores each row got (n, k) from a fit that hadn't seen it."""

    classifier: CalibratedSVC
    names: tuple[str, ...]
    scores: Floats
    labels: Ints


def fit_head(
    features: csr_matrix, names: NDArray[Any], groups: Ints, recipe: Recipe, real: NDArray[np.bool_]
) -> FittedHead:
    """Fit on all rows, and on all but one fold in turn to calibrate; near-copies are in one fold.

    The temperature is that of the `real` rows (n,), once there are enough of them.
    """
    classes, labels = np.unique(names, return_inverse=True)
    labels = labels.astype(np.int64)
    folds = assign_folds(groups, recipe.folds, _SEED)
    masks = [np.ones(len(names), dtype=np.bool_)] + [folds != fold for fold in np.unique(folds)]
    # Processes, not threads: liblinear draws from one random generator a process, so threads would change each other's
    # fits. Few rows are fitted sooner than processes start.
    fits = Parallel(n_jobs=_JOBS if len(names) >= _ROWS_WORTH_PROCESSES else 1)(
        delayed(_fit_svc)(features[mask], labels[mask], recipe) for mask in masks
    )
    scores = np.zeros((len(names), len(classes)))
    for mask, kept_aside in zip(masks[1:], fits[1:], strict=True):
        if kept_aside is None:
            continue
        part = kept_aside.decision_function(features[~mask])
        # A label that this fold's fit never saw ranks last for its rows, so that its rarity lowers the confidence.
        placed = np.repeat(part.min(axis=1, keepdims=True), len(classes), axis=1)
        placed[:, kept_aside.classes_] = part
        scores[~mask] = placed
    whole = fits[0]
    telling = real if real.sum() >= _FEWEST_REAL_ROWS else np.ones_like(real)
    whole.inverse_temperature = fit_inverse_temperature(scores[telling], labels[telling])
    return FittedHead(whole, tuple(str(name) for name in classes), scores, labels)


def _fit_svc(features: csr_matrix, labels: Ints, recipe: Recipe) -> CalibratedSVC | None:
    counts = Counter(labels.tolist())
    if len(counts) < 2:
        return None
    weights = {label: len(labels) / (len(counts) * count) for label, count in counts.items()}
    if recipe.class_weighting == "square-root":
        weights = {label: weight**0.5 for label, weight in weights.items()}
    svc = LinearSVC(C=recipe.regularisation, class_weight=weights, random_state=_SEED)
    with warnings.catch_warnings():
        # A fit cut off after liblinear's 1,000 rounds is as good as a finished one here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return CalibratedSVC(svc).fit(features, labels)


def _as_head(
    question: Question, fitted: FittedHead, rows: Sequence[LabelledRow], groups: Ints
) -> tuple[Head, dict[str, object]]:
    """The head as the bundle keeps it, with what the rows kept aside in turn say of it."""
    classifier = fitted.classifier
    probabilities = softmax(classifier.inverse_temperature * fitted.scores)
    right = probabilities.argmax(axis=1) == fitted.labels
    top3 = (np.argsort(-probabilities, axis=1)[:, :3] == fitted.labels[:, None]).any(axis=1)
    metrics: dict[str, object] = {
        "rows": len(right),
        "labels": {name: int(count) for name, count in zip(fitted.names, np.bincount(fitted.labels), strict=True)},
        "cross_fitted_accuracy": round(float(right.mean()), 4),
        "cross_fitted_top3": round(float(top3.mean()), 4),
    }
    thresholds: dict[str, float] = {}
    if question.acts:
        thresholds, evidence = _thresholds(probabilities.max(axis=1), right, rows, groups)
        metrics |= {
            "promised_precision": PROMISED_PRECISION,
            "promise_confidence": PROMISE_CONFIDENCE,
            "evidence": evidence,
        }
    svc = classifier.svc_
    two = len(fitted.names) == 2
    weights = np.vstack([-svc.coef_, svc.coef_]) if two else svc.coef_
    bias = np.concatenate([-svc.intercept_, svc.intercept_]) if two else svc.intercept_
    head = Head(
        name=question.name,
        labels=fitted.names,
        weights=np.ascontiguousarray(weights.T, dtype=np.float32),
        bias=bias.astype(np.float64),
        inverse_temperature=classifier.inverse_temperature,
        thresholds=thresholds,
    )
    return head, metrics


def _thresholds(
    confidence: Floats, right: NDArray[np.bool_], rows: Sequence[LabelledRow], groups: Ints
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """For each region the threshold that its own real rows can prove, and how many rows and what coverage that is.

    One row of each group of near-copies counts: a complaint sent two hundred times is one piece of evidence.
    """
    thresholds, evidence = {}, {}
    for region in sorted({row.complaint.region for row in rows}):
        own = np.flatnonzero([row.complaint.region == region and row.label_source != WRITTEN for row in rows])
        telling = own[np.unique(groups[own], return_index=True)[1]]
        threshold = choose_threshold(confidence[telling], right[telling])
        coverage = 0.0
        if threshold is not None:
            thresholds[region] = threshold
            coverage = round(float((confidence[telling] >= threshold).mean()), 4)
        evidence[region] = {"rows": len(telling), "coverage": coverage}
    return thresholds, evidence


def _vocabulary(union: FeatureUnion) -> Vocabulary:
    views = union.named_transformers
    region = views["region"].get_feature_names_out() if "region" in views else ()
    return Vocabulary(
        tuple(views["words"].get_feature_names_out().tolist()),
        tuple(views["chars"].get_feature_names_out().tolist()),
        tuple(str(name) for name in region),
    )


def _idf(union: FeatureUnion, recipe: Recipe) -> Floats:
    views = union.named_transformers
    regions = len(views["region"].vocabulary_) if "region" in views else 0
    return np.concatenate([views["words"].idf_, views["chars"].idf_, np.full(regions, recipe.region_weight)])


def shared_stems(texts: Sequence[PreparedText], fewest: int) -> dict[str, str]:
    """Word -> stem of the words that stand in `fewest` texts or more, so that serving hardly ever computes a stem."""
    counts = Counter(pair for text in texts for pair in set(zip(text.words.split(), text.stems.split(), strict=True)))
    return {word: stem for (word, stem), count in sorted(counts.items()) if count >= fewest and word.isalpha()}


def _region_term(text: PreparedText) -> list[str]:
    return [text.region] if text.region else []


def _thin_labels(head: str, names: NDArray[Any]) -> list[str]:
    thin = [f"{name} ({count})" for name, count in sorted(Counter(names).items()) if count < 5]
    return [f"The {head} head has fewer than 5 rows of: {', '.join(thin)}."] if thin else []


def _about(
    rows: Sequence[LabelledRow], texts: Sequence[PreparedText], recipe: Recipe, region: str, metrics: dict[str, Any]
) -> dict[str, Any]:
    mark = sha256()
    for row, text in sorted(zip(rows, texts, strict=True), key=lambda pair: pair[0].id):
        labels = [question.label(row) for question in QUESTIONS]
        mark.update(repr((row.id, fingerprint(text), labels)).encode())
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "region": region,
        "recipe": recipe.as_dict(),
        "lexicons": lexicon_mark(),
        "rows": {
            "count": len(rows),
            "by_region": dict(sorted(Counter(row.complaint.region for row in rows).items())),
            "fingerprint": mark.hexdigest(),
        },
        "metrics": metrics,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }
