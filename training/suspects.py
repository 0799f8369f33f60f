"""Suspects: labelled rows whose label is likely wrong, most suspicious first, each with a likelier label and why.

Confident learning (Northcutt, Jiang and Chuang, JAIR 2021) on probabilities of rows kept aside in turn, with this
project's own features and sector head. The package cleanlab, by the same authors, is under the AGPL, so none of it is
used or copied here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from data.complaint import Complaint, Confidentiality, LabelledRow, Provenance
from data.corpus import corpus_beside
from data.errors import TooFewRows
from data.progress import Progress, silent
from model.bundle import SECTOR
from model.features import Floats
from model.text import PreparedText, TextChain, prepare
from training.features import hide_views, make_features, regions_with_rows, vocabulary_of
from training.heads import JOBS, ROWS_WORTH_PROCESSES, fit_head
from training.recipe import HeadRecipe, Recipe
from training.splitting import Bools, Ints, near_copy_groups

FEWEST_ROWS = 20
COPIES, CONFIDENT, UNSURE = "copies", "confident", "unsure"
# A label that near-copies contradict is as doubtful as one of a tenth of its probability.
_COPIES_WEIGH = log(10.0)
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Readings:
    """Labelled rows as numbers, so that labels can be judged more than once: `features` of all (n, d), `groups` (n,) of
    near-copies, and which rows are `real` (n,), not written for the project."""

    features: csr_matrix
    groups: Ints
    real: Bools
    dimensions: int
    recipe: Recipe
    head: HeadRecipe


@dataclass(frozen=True)
class Suspect:
    """A row (its number among those judged) whose label may be wrong.

    `given` and `likely` are labels, with the probabilities that a fit which hadn't seen the row gives them. `reason` is
    `COPIES` (most near-copies carry the likely label), `CONFIDENT` (confident learning calls it an error) or `UNSURE`.
    `copies` counts near-copies with the likely label.
    """

    row: int
    given: str
    likely: str
    given_probability: float
    likely_probability: float
    reason: str
    copies: int = 0


def find_suspects(rows: Sequence[LabelledRow], recipe: Recipe, progress: Progress = silent) -> list[Suspect]:
    """Every row that people gave a sector and that isn't secret, likeliest error first.

    `Suspect.row` counts among all `rows`. The shipped corpus is learned from beside them. Raises `TooFewRows`.
    """
    judged = [
        number
        for number, row in enumerate(rows)
        if row.sector is not None
        and row.confidentiality is not Confidentiality.RAHASIA
        and row.label_source not in (Provenance.MACHINE, Provenance.WRITTEN)
    ]
    own = [rows[number] for number in judged]
    if len(own) < FEWEST_ROWS or len({row.sector for row in own}) < 2:
        raise TooFewRows(
            f"{len(own)} rows carry a sector; at least {FEWEST_ROWS} rows of two sectors or more are needed to tell "
            "which labels are likely wrong. Label more rows."
        )
    together = [*own, *corpus_beside(own)]
    readings = read_labelled(together, recipe, progress)
    progress("rows kept aside in turn", 0.5)
    ranked = rank_labels(readings, np.array([row.sector for row in together], dtype=object), len(own))
    progress("done", 1.0)
    return [replace(suspect, row=judged[suspect.row]) for suspect in ranked]


def read_labelled(rows: Sequence[LabelledRow], recipe: Recipe, progress: Progress = silent) -> Readings:
    """The rows' features as the sector head sees them. Raises `TooFewRows` where the rows share no words."""
    recipe = replace(recipe, slot_weight=0.0, sign_weight=0.0)  # views that the sector head doesn't look at
    progress("text steps", 0.0)
    complaints = [row.complaint for row in rows]
    texts = _prepared(recipe, complaints)
    groups = near_copy_groups([prepare(complaint) for complaint in complaints])
    progress("features", 0.3)
    real = np.array([row.label_source != Provenance.WRITTEN for row in rows])
    different = [texts[i] for i in np.unique(groups, return_index=True)[1]]
    union = make_features(recipe, different, regions_with_rows([text.region for text in texts], real))
    try:
        union.fit(different)
        features = union.transform(texts).tocsr()
    except ValueError as error:
        raise TooFewRows(f"The {len(rows)} labelled rows share no words to learn from ({error}).") from None
    head = recipe.of_head(SECTOR)
    shown = hide_views(features, union, head.views)
    return Readings(shown, groups, real, vocabulary_of(union).dimensions, recipe, head)


def rank_labels(readings: Readings, names: NDArray[np.object_], judged: int) -> list[Suspect]:
    """The first `judged` of the rows, likeliest error first; `names` (n,) are the labels of all of them."""
    fitted = fit_head(
        readings.features, names, readings.groups, readings.recipe, readings.real, readings.head, readings.dimensions
    )
    probabilities, labels = fitted.probabilities[:judged], fitted.labels[:judged]
    likely, is_error = confident_errors(probabilities, labels)
    rows = np.arange(judged)
    # The order is that of self-confidence, the probability of the label given: in exploring on rows of another region
    # with swapped labels it found half as many again as the margin to the likeliest label did.
    doubt = -np.log(np.maximum(probabilities[rows, labels], _SMALLEST))
    others = _labels_of_copies(readings.groups[:judged], labels)
    found: list[tuple[float, Suspect]] = []
    for row in range(judged):
        label, copies = others.get(row, (int(likely[row]), 0))
        reason = COPIES if copies else CONFIDENT if is_error[row] else UNSURE
        suspect = Suspect(
            row=row,
            given=fitted.names[labels[row]],
            likely=fitted.names[label],
            given_probability=float(probabilities[row, labels[row]]),
            likely_probability=float(probabilities[row, label]),
            reason=reason,
            copies=copies,
        )
        found.append((float(doubt[row]) + (_COPIES_WEIGH if copies else 0.0), suspect))
    return [suspect for _, suspect in sorted(found, key=lambda pair: (-pair[0], pair[1].row))]


def confident_errors(probabilities: Floats, labels: Ints) -> tuple[Ints, Bools]:
    """The likeliest other label of each row (n,), and whether confident learning counts the row as an error (n,).

    `probabilities` (n, k) come from fits that hadn't seen the row. A label is confidently a row's if its probability
    reaches the mean that it has over the rows that carry it; the row is an error if the likeliest of its confident
    labels is not the one given (the off-diagonal of the confident joint, equations 1 and 2).
    """
    rows = np.arange(len(labels))
    carries = np.zeros_like(probabilities)
    carries[rows, labels] = 1.0
    counts = carries.sum(axis=0)
    means = np.where(counts > 0, (probabilities * carries).sum(axis=0) / np.maximum(counts, 1.0), np.inf)
    confident = np.where(probabilities >= means, probabilities, -1.0)
    best = confident.argmax(axis=1)
    is_error = (confident[rows, best] >= 0.0) & (best != labels)
    others = np.where(carries > 0, -1.0, probabilities).argmax(axis=1)
    likely: Ints = np.where(is_error, best, others).astype(np.int64)
    return likely, is_error


def _labels_of_copies(groups: Ints, labels: Ints) -> dict[int, tuple[int, int]]:
    """For rows whose near-copies mostly carry one other label: that label, and how many of them do."""
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(row)
    found = {}
    for together in members.values():
        counts = Counter(labels[together].tolist())
        if len(counts) < 2:
            continue
        [(label, count), (_, next_count), *_] = counts.most_common()
        if count > next_count:
            found.update({row: (label, count) for row in together if labels[row] != label})
    return found


def _prepared(recipe: Recipe, complaints: Sequence[Complaint]) -> list[PreparedText]:
    jobs = JOBS if len(complaints) >= ROWS_WORTH_PROCESSES else 1
    parts = np.array_split(np.arange(len(complaints)), jobs)
    found = Parallel(jobs)(delayed(_prepare_all)(recipe, [complaints[i] for i in part]) for part in parts)
    return [text for part in found for text in part]


def _prepare_all(recipe: Recipe, complaints: Sequence[Complaint]) -> list[PreparedText]:
    chain = TextChain(recipe.text_steps)
    return [chain.prepare(complaint) for complaint in complaints]
