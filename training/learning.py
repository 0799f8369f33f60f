"""A learning curve: how much better the sector gets with more rows, so whether labelling more of them pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.complaint import LabelledRow
from data.corpus import corpus_beside
from data.errors import TooFewRows
from data.progress import Progress, silent
from model.text import prepare
from training.figures import Figure, mean_figure
from training.fitting import fit
from training.recipe import find_recipe
from training.splitting import assign_folds, near_copy_groups

_SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
_PARTS = 64
_SEED = 20240229


@dataclass(frozen=True)
class LearningStep:
    """A training on a part of the rows, and how often its first sector is right on the rows measured."""

    rows: int
    accuracy: Figure


@dataclass(frozen=True)
class LearningCurve:
    """Steps of more and more rows. `left_out` counts rows that resemble one that is measured, or have no sector."""

    steps: tuple[LearningStep, ...]
    left_out: int


def learning_curve(
    learn: Sequence[LabelledRow], measured: Sequence[LabelledRow], region: str, progress: Progress = silent
) -> LearningCurve:
    """Train the default recipe, the sector alone, on 1/8, 1/4, 1/2 and all of `learn`; measure on `measured`.

    Near-copies are on one side, and in one part. The sample corpus is learned from beside the rows, as in any training.
    Raises `TooFewRows` where no measured row has a sector, or no row is left to learn from.
    """
    told = [row for row in measured if row.sector is not None]
    groups = near_copy_groups([prepare(row.complaint) for row in (*learn, *told)])
    own, theirs = groups[: len(learn)], groups[len(learn) :]
    is_measured = np.isin(own, theirs)
    fresh = [i for i, row in enumerate(learn) if row.sector is not None and not is_measured[i]]
    if not told or not fresh:
        raise TooFewRows(
            "A learning curve needs rows to measure on that have a sector, and rows to learn from that have one and "
            "resemble none of them."
        )
    # Other labels are left off, so that only the sector is trained.
    rows = [replace(learn[i], urgency=None, jurisdiction=None, complete=None) for i in fresh]
    part = assign_folds(own[fresh], _PARTS, _SEED)
    # The scores of rows kept aside aren't looked at, so two folds do.
    recipe = replace(find_recipe("default"), folds=2)
    written = [replace(row, urgency=None, jurisdiction=None, complete=None) for row in corpus_beside(learn)]
    steps = []
    for number, share in enumerate(_SHARES):
        progress("learning curve", number / len(_SHARES))
        taken = [row for row, place in zip(rows, part, strict=True) if place < share * _PARTS]
        if not taken:
            continue
        bundle = fit([*taken, *written], recipe, region).bundle
        complaints = [replace(row.complaint, region=row.complaint.region or region) for row in told]
        answers = [prediction.sector.label for prediction in bundle.predict(complaints)]
        right = [row.sector == answer for row, answer in zip(told, answers, strict=True)]
        accuracy = mean_figure(np.array(right, dtype=np.float64), theirs)
        assert accuracy is not None
        steps.append(LearningStep(len(taken), accuracy))
    return LearningCurve(tuple(steps), len(learn) - len(fresh))
