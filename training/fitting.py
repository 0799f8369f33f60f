"""Fitting: from labelled rows to a bundle, by scikit-learn, with calibration on rows kept aside in turn."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np
import scipy
import sklearn
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.pipeline import FeatureUnion, Pipeline

from data.complaint import Complaint, Confidentiality, LabelledRow, Provenance
from data.errors import TooFewRows
from data.lexicon import lexicon_mark
from data.progress import Progress, silent
from data.region import known_regions
from model.areas import names_area
from model.bundle import COMPLETENESS, EVIDENCE, INCOMPLETE, Bundle, fingerprint, labels_of
from model.completeness import best_f1_threshold
from model.encoder import load_encoder
from model.heads import ANYWHERE, Head
from model.promise import FEWEST_ROWS_FOR_SETS, make_promise
from model.text import PreparedText, TextChain, prepare
from training.calibration import cross_fitted_confidence, cross_fitted_sets, fit_confidence, fit_set_weights
from training.features import (
    fold_views,
    hide_views,
    idf_of,
    make_features,
    regions_with_rows,
    shared_stems,
    vocabulary_of,
)
from training.heads import JOBS, QUESTIONS, ROWS_WORTH_PROCESSES, Against, FittedHead, Trust, fit_head, telling_rows
from training.promise import promise_in_words
from training.provenance import is_independent, is_real, provenance_notes, source_of, weights_of, without_machine
from training.recipe import Recipe
from training.splitting import Ints, assign_folds, near_copy_groups

FEWEST_ROWS = 20
# Rows that were written for the project, not sent by citizens: learned from, but no evidence of how often one is right.
WRITTEN = Provenance.WRITTEN.value
_IDS_SHOWN = 10
_FEWEST_INCOMPLETE = 20
CONFIDENCE_FOLDS, SET_FOLDS = 3, 2
_SEED = 20180901


@dataclass(frozen=True)
class Training:
    """What a training gave: the bundle, and for each head the scikit-learn pipeline it was taken from."""

    bundle: Bundle
    pipelines: dict[str, Pipeline]
    notes: list[str] = field(default_factory=list)

    def promise(self, region: str) -> str:
        """What the bundle may do without a person in a region, in plain words."""
        return promise_in_words(self.bundle, region)


def fit(rows: Sequence[LabelledRow], recipe: Recipe, region: str, progress: Progress = silent) -> Training:
    """Train a bundle for a region from rows of any region. Each head learns from the rows that have its label.

    Raises `TooFewRows` if there is no sector head to be had. What else fell short is told in `notes`.
    """
    rows, notes = _usable(rows)
    progress("text steps", 0.0)
    texts = _prepared(recipe, [row.complaint for row in rows])
    groups = near_copy_groups([prepare(row.complaint) for row in rows])
    notes += _odd_rows(rows, texts)
    progress("features", 0.1)
    # One text of each group of near-copies makes the vocabulary: a term must occur in two complaints, so that a bundle
    # holds no words of a single one, however often it was sent.
    different = [texts[i] for i in np.unique(groups, return_index=True)[1]]
    real = is_real(rows)
    union = make_features(recipe, different, regions_with_rows([text.region for text in texts], real))
    try:
        union.fit(different)
        features = union.transform(texts).tocsr()
    except ValueError as error:
        raise TooFewRows(
            f"The {len(rows)} labelled rows share no words to learn from, or are copies of each other ({error})."
        ) from None
    dimensions = vocabulary_of(union).dimensions
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
        if not real[labelled].any() and real.any():
            notes.append(f"The {question.name} head learned from written rows alone: no real row has its label.")
        asked = recipe.of_head(question.name)
        shown = hide_views(features[labelled], union, asked.views)
        of_head = [rows[i] for i in labelled]
        trust = Trust(real[labelled], is_independent(of_head), weights_of(of_head))
        against = _against(rows, hide_views(features, union, asked.views), groups) if question.acts else None
        fitted = fit_head(shown, names, groups[labelled], recipe, trust, asked, dimensions, against)
        metrics[question.name] = _metrics(fitted)
        head = _as_head(question.name, fitted, union, recipe)
        if question.acts:
            head, evidence = _with_confidence(head, fitted, of_head, groups[labelled], trust)
            promise = make_promise(evidence, head.labels)
            head = promise.on(head)
            metrics[question.name] |= promise.as_metrics()
        if question.name == COMPLETENESS:
            head = replace(head, thresholds=_completeness_threshold(fitted, trust))
        heads[question.name] = head
        pipelines[question.name] = Pipeline([("features", union), ("head", fitted.classifier)])
        notes += [*_thin_labels(question.name, names), *_unknown_labels(question.name, names)]
    progress("done", 1.0)
    about = _about(rows, texts, recipe, region, metrics)
    seen = np.unique(np.array([fingerprint(text) for text in texts], dtype=np.uint64))
    stems = shared_stems(different, recipe.min_rows_per_term)
    bundle = Bundle(
        vocabulary=vocabulary_of(union),
        idf=idf_of(union, recipe),
        heads=heads,
        seen=seen,
        text_steps=tuple(TextChain(recipe.text_steps).names),
        encoder=recipe.encoder,
        stems=stems,
        evidence=evidence,
        about=about,
    )
    return Training(bundle, pipelines, notes)


def _usable(rows: Sequence[LabelledRow]) -> tuple[list[LabelledRow], list[str]]:
    """The rows that may and can be learned from, and what is to be said of the rest. Raises `TooFewRows`."""
    rows, notes = without_machine(rows)
    if secret := sum(row.confidentiality is Confidentiality.RAHASIA for row in rows):
        notes.append(f"{secret} secret (rahasia) rows were left out: their text is never trained on.")
    telling = [bool(row.not_sectors) or any(question.label(row) is not None for question in QUESTIONS) for row in rows]
    if unlabelled := len(rows) - sum(telling):
        notes.append(f"{unlabelled} of {len(rows)} rows carry no label, so they teach nothing.")
    usable = [
        row
        for row, tells in zip(rows, telling, strict=True)
        if tells and row.confidentiality is not Confidentiality.RAHASIA
    ]
    notes += provenance_notes(usable)
    sectors = [row.sector for row in usable if row.sector is not None]
    if len(sectors) < FEWEST_ROWS or len(set(sectors)) < 2:
        raise TooFewRows(
            f"{len(sectors)} rows carry a sector, {len(set(sectors))} different ones; at least {FEWEST_ROWS} rows of "
            "two sectors or more are needed. Label more rows."
        )
    return usable, notes


def _against(rows: Sequence[LabelledRow], features: csr_matrix, groups: Ints) -> Against | None:
    """Which sectors some rows aren't of, of those whose sector nobody knows; None if there are none.

    A row with a sector already speaks against all others.
    """
    known = [(i, sector) for i, row in enumerate(rows) if row.sector is None for sector in row.not_sectors]
    if not known:
        return None
    which = np.array([i for i, _ in known], dtype=np.int64)
    return Against(features[which], groups[which], np.array([sector for _, sector in known], dtype=object))


def _prepared(recipe: Recipe, complaints: Sequence[Complaint]) -> list[PreparedText]:
    """The complaints' texts, in two processes where that pays; an encoder uses all cores by itself."""
    jobs = JOBS if len(complaints) >= ROWS_WORTH_PROCESSES and not recipe.encoder else 1
    parts = np.array_split(np.arange(len(complaints)), jobs)
    found = Parallel(jobs)(delayed(_prepare_all)(recipe, [complaints[i] for i in part]) for part in parts)
    return [text for part in found for text in part]


def _prepare_all(recipe: Recipe, complaints: Sequence[Complaint]) -> list[PreparedText]:
    chain = TextChain(
        recipe.text_steps,
        encoder=load_encoder(recipe.encoder) if recipe.encoder else None,
        names_area=names_area if recipe.slot_weight else None,
    )
    return [chain.prepare(complaint) for complaint in complaints]


def _metrics(fitted: FittedHead) -> dict[str, object]:
    """What the rows kept aside in turn say of a head."""
    right = fitted.probabilities.argmax(axis=1) == fitted.labels
    top3 = (np.argsort(-fitted.probabilities, axis=1)[:, :3] == fitted.labels[:, None]).any(axis=1)
    return {
        "rows": len(right),
        "labels": {name: int(count) for name, count in zip(fitted.names, np.bincount(fitted.labels), strict=True)},
        "cross_fitted_accuracy": round(float(right.mean()), 4),
        "cross_fitted_top3": round(float(top3.mean()), 4),
    }


def _with_confidence(
    head: Head, fitted: FittedHead, rows: Sequence[LabelledRow], groups: Ints, trust: Trust
) -> tuple[Head, NDArray[np.void]]:
    """The head with its confidence and sets, and what both said of one independent row of each group of near-copies."""
    telling = np.flatnonzero(telling_rows(trust))
    regions = [rows[i].complaint.region for i in telling.tolist()]
    probabilities, labels = fitted.probabilities[telling], fitted.labels[telling]
    head = replace(head, confidence=fit_confidence(probabilities, labels, regions))
    folds = assign_folds(groups[telling], CONFIDENCE_FOLDS, _SEED)
    if len(np.unique(folds)) < 2:
        # Copies of one complaint are no evidence of anything.
        return head, np.zeros(0, EVIDENCE)
    sure = cross_fitted_confidence(probabilities, labels, regions, folds)
    own = np.flatnonzero(trust.independent[telling] & np.isin(regions, known_regions()))
    # Of a region's copies the first counts; copies in two regions are evidence in both.
    firsts: dict[tuple[str, int], int] = {}
    for i in own.tolist():
        firsts.setdefault((regions[i], int(groups[telling[i]])), i)
    single = np.array(list(firsts.values()), dtype=np.int64)
    for_sets = probabilities
    if len(single) >= FEWEST_ROWS_FOR_SETS:
        head = replace(head, set_weights=fit_set_weights(probabilities, labels))
        for_sets = cross_fitted_sets(probabilities, labels, assign_folds(groups[telling], SET_FOLDS, _SEED))
    evidence = np.zeros(len(single), EVIDENCE)
    evidence["region"] = [regions[i].encode() for i in single]
    evidence["label"], evidence["found"] = labels[single], probabilities[single].argmax(axis=1)
    evidence["confidence"], evidence["given"] = sure[single], for_sets[single, labels[single]]
    return head, evidence


def _completeness_threshold(fitted: FittedHead, trust: Trust) -> dict[str, float]:
    """The probability from which a complaint is called incomplete, wherever it is from: the one of the best F1."""
    telling = telling_rows(trust, fitted.labels, _FEWEST_INCOMPLETE)
    incomplete = fitted.names.index(INCOMPLETE)
    given = fitted.probabilities[telling, incomplete]
    return {ANYWHERE: best_f1_threshold(given, fitted.labels[telling] == incomplete)}


def _as_head(name: str, fitted: FittedHead, union: FeatureUnion, recipe: Recipe) -> Head:
    """The head as the bundle keeps it."""
    weights, bias = fold_views(union, recipe, fitted.weights, fitted.bias)
    return Head(
        name=name,
        labels=fitted.names,
        weights=np.ascontiguousarray(weights.T, dtype=np.float32),
        bias=bias.astype(np.float64),
        inverse_temperature=fitted.inverse_temperature,
    )


def _unknown_labels(head: str, names: NDArray[Any]) -> list[str]:
    missing = [label for label in labels_of(head) if label not in set(names)]
    return [f"The {head} head has seen no row of, so it never answers: {', '.join(missing)}."] if missing else []


def _odd_rows(rows: Sequence[LabelledRow], texts: Sequence[PreparedText]) -> list[str]:
    """What is odd about rows that are learned from all the same."""
    notes = []
    if wordless := [row.id for row, text in zip(rows, texts, strict=True) if not text.words]:
        shown = ", ".join(wordless[:_IDS_SHOWN])
        notes.append(
            f"{len(wordless)} of {len(rows)} rows hold no word that can be read, so they teach nothing: {shown}"
            f"{', ...' if len(wordless) > _IDS_SHOWN else ''}. Check which column holds the text."
        )
    strange = Counter(row.complaint.region for row in rows if row.complaint.region not in known_regions())
    notes += [
        f"{count} rows are of {region!r}, which has no region file: learned from, but nothing is routed alone there."
        for region, count in sorted(strange.items())
    ]
    sectors = Counter(row.sector for row in rows if row.sector is not None and row.label_source != WRITTEN)
    if len(sectors) == 1:
        [(sector, count)] = sectors.items()
        notes.append(f"All {count} real rows are of {sector}: the other sectors are known from written rows alone.")
    return notes


def _thin_labels(head: str, names: NDArray[Any]) -> list[str]:
    thin = [f"{name} ({count})" for name, count in sorted(Counter(names).items()) if count < 5]
    return [f"The {head} head has fewer than 5 rows of: {', '.join(thin)}."] if thin else []


def _about(
    rows: Sequence[LabelledRow], texts: Sequence[PreparedText], recipe: Recipe, region: str, metrics: dict[str, Any]
) -> dict[str, Any]:
    mark = sha256()
    for row, text in sorted(zip(rows, texts, strict=True), key=lambda pair: pair[0].id):
        labels = [question.label(row) for question in QUESTIONS]
        mark.update(repr((row.id, fingerprint(text), labels, row.not_sectors, source_of(row))).encode())
    days = sorted(row.received_at[:10] for row in rows if row.received_at and source_of(row) != Provenance.WRITTEN)
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "region": region,
        "recipe": recipe.as_dict(),
        "lexicons": lexicon_mark(),
        "rows": {
            "count": len(rows),
            "by_region": dict(sorted(Counter(row.complaint.region for row in rows).items())),
            "fingerprint": mark.hexdigest(),
            "received": [days[0], days[-1]] if days else [],
        },
        "metrics": metrics,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }
