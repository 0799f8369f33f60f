"""Reliability: whether a head's probabilities are borne out by the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.bundle import COMPLETENESS, INCOMPLETE, JURISDICTION, SECTOR, URGENCY
from model.features import Floats
from model.prediction import Ranked
from training.answers import Answers, HeadAnswers
from training.figures import calibration_error
from training.shares import share_interval

# As many as the calibration error counts with, so that it can be worked out from what is shown.
BINS = 15
FEWEST_IN_BIN = 50
_FEWEST_EVEN_BINS, _MOST_EVEN_BINS = 2, 8
# A label of probability 0 would make the mean log loss infinite.
_LEAST_PROBABILITY = 1e-6
_FIELDS = {SECTOR: "sectors", URGENCY: "urgency", COMPLETENESS: "completeness"}


@dataclass(frozen=True)
class Bin:
    """Rows whose probability lies in a range: the mean probability, and how many were so, with a 95 % interval."""

    start: float
    end: float
    rows: int
    probability: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class SliceReliability:
    """Whether the sector's probabilities hold over the rows of a slice, in bins of which none has few rows.

    `told` is the mean probability, to be set beside the slice's accuracy. `calibration_error` and `bins` are of as many
    equally filled bins as give each `FEWEST_IN_BIN` rows; none where there are fewer than two.
    """

    kind: str
    name: str
    told: float
    calibration_error: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Reliability:
    """Whether a head's probabilities hold, over the rows with its label.

    `bins` and `calibration_error` (15 bins, Naeini 2015) are of the likeliest answer, or for completeness of
    "incomplete". `brier` is the squared error summed over labels (Brier 1950: 0 to 2), `log_loss` the mean -ln of the
    label's probability, no probability counted below 1e-6. Of urgency they are the model's, before danger signs.
    """

    head: str
    rows: int
    calibration_error: float
    brier: float
    log_loss: float
    bins: tuple[Bin, ...]


def reliability_of(answers: Answers, head: str) -> Reliability | None:
    """Whether a head's probabilities hold; None where no row has its label or the bundle no such head."""
    told = answers.of_head(head)
    if not told.labels:
        return None
    ranked = [_probabilities(answers, int(i), head) for i in told.index]
    if head == COMPLETENESS:
        probability = np.array([dict(_pairs(each))[INCOMPLETE] for each in ranked])
        happened = np.array([label == INCOMPLETE for label in told.labels], dtype=np.float64)
    else:
        probability = np.array([each[0].probability for each in ranked])
        happened = np.array([e[0].label == label for e, label in zip(ranked, told.labels, strict=True)], dtype=float)
    if head == SECTOR:
        probability = answers.confidence(told.index)
    of_label = np.array([dict(_pairs(e)).get(label, 0.0) for e, label in zip(ranked, told.labels, strict=True)])
    squares = np.array([sum(r.probability**2 for r in each) for each in ranked])
    return Reliability(
        head=head,
        rows=len(told.labels),
        calibration_error=calibration_error(probability, happened),
        brier=float((squares - 2 * of_label + 1).mean()),
        log_loss=float(-np.log(np.maximum(of_label, _LEAST_PROBABILITY)).mean()),
        bins=_bins(probability, happened),
    )


def slice_reliabilities(
    answers: Answers, told: HeadAnswers, names: Mapping[str, Sequence[str]]
) -> tuple[SliceReliability, ...]:
    """Of the rows with a sector (n,), parted by each kind's names (n,)."""
    confidence, found = answers.confidence(told.index), []
    for kind, of_rows in names.items():
        own = np.array(of_rows, dtype=object)
        for name in dict.fromkeys(of_rows):
            inside = own == name
            bins = _even_bins(confidence[inside], told.right[inside])
            gaps = sum(each.rows * abs(each.probability - each.share) for each in bins)
            error = gaps / int(inside.sum()) if bins else None
            found.append(SliceReliability(kind, name, float(confidence[inside].mean()), error, bins))
    return tuple(found)


def _even_bins(probability: Floats, happened: Floats) -> tuple[Bin, ...]:
    """Bins of equally many rows: of equal width, most would hold too few of a slice's rows to show anything."""
    count = min(_MOST_EVEN_BINS, len(probability) // FEWEST_IN_BIN)
    if count < _FEWEST_EVEN_BINS:
        return ()
    parts = np.array_split(np.argsort(probability, kind="stable"), count)
    return tuple(_bin(probability[part], happened[part]) for part in parts)


def _probabilities(answers: Answers, row: int, head: str) -> tuple[Ranked, ...]:
    """All labels of a head with the probabilities that are told for a row, likeliest first."""
    routed = answers.routed[row]
    given = routed.jurisdiction.levels if head == JURISDICTION else getattr(routed.prediction, _FIELDS[head])
    return tuple(sorted(given, key=lambda ranked: -ranked.probability))


def _pairs(ranked: Iterable[Ranked]) -> list[tuple[str, float]]:
    return [(each.label, each.probability) for each in ranked]


def _bins(probability: Floats, happened: Floats) -> tuple[Bin, ...]:
    """The bins of equal width that hold rows (n,)."""
    numbers = np.minimum((probability * BINS).astype(int), BINS - 1)
    found = []
    for number in np.unique(numbers).tolist():
        inside = numbers == number
        found.append(replace(_bin(probability[inside], happened[inside]), start=number / BINS, end=(number + 1) / BINS))
    return tuple(found)


def _bin(probability: Floats, happened: Floats) -> Bin:
    """The bin of these rows (m,), from the least to the greatest of their probabilities."""
    share, rows = float(happened.mean()), len(happened)
    low, high = share_interval(share, rows)
    return Bin(float(probability.min()), float(probability.max()), rows, float(probability.mean()), share, low, high)
