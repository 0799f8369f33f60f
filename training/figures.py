"""Figures: shares and scores with an interval from drawing groups of near-copies again; two recipes compared.

Every figure is a statistic of rows that weigh something: all rows weigh 1 for its value, and as often as their group
was drawn for its interval (percentile bootstrap over groups, Efron 1979, Field and Welsh 2007).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from model.features import Floats
from training.splitting import Bools, Ints

RESAMPLES = 1_000
_SEED = 20220101
_BINS = 15
# Resamples worked out at a time: bounds the memory, 8 MB for 10,000 rows.
_AT_A_TIME = 100

Statistic = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Figure:
    """A share, score or difference with its 95 % interval and the number of rows it rests on."""

    value: float
    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self._interval}, n={self.rows})"

    def without_rows(self) -> str:
        """For a line that has a column of rows."""
        return f"{self.value:.3f} ({self._interval})"

    @property
    def _interval(self) -> str:
        return f"{self.low:.3f}{' to ' if self.low < 0 else '-'}{self.high:.3f}"


@dataclass(frozen=True)
class Slice:
    """The rows with a sector that are alike in one way (`kind`): how often it is right, and among the first three."""

    kind: str
    name: str
    rows: int
    accuracy: Figure
    top3: Figure


@dataclass(frozen=True)
class SectorLine:
    """One sector: rows that have it as label, and how many of them, and of those given it, are right."""

    sector: str
    rows: int
    recall: float
    precision: float | None


def mean_figure(values: Floats, groups: Ints) -> Figure | None:
    """The mean of values (n,) with its interval; None for no values."""
    if not len(values):
        return None
    return _figure(_mean(values), groups)


def macro_f1_figure(labels: Sequence[str], found: Sequence[str], groups: Ints) -> Figure | None:
    """Macro-F1 over the labels of all rows (n,); None for no rows.

    A resample that draws no row of a label but answers it scores 0 there.
    """
    if not len(labels):
        return None
    names, [truth, answers] = _coded(labels, found)
    return _figure(_macro_f1(truth, answers, len(names)), groups)


def kappa_figure(labels: Sequence[str], found: Sequence[str], groups: Ints, scale: Sequence[str] = ()) -> Figure | None:
    """Quadratic kappa (n rows); `scale` lists the labels as steps, also those unused. None for no rows."""
    if not len(labels):
        return None
    names, [truth, answers] = _coded(labels, found, scale=scale)
    cells = _one_hot(truth * len(names) + answers, len(names) ** 2)
    square = (-1, len(names), len(names))
    return _figure(lambda weights: quadratic_kappa((weights @ cells).reshape(square)), groups)


def f1_figure(is_label: Bools, is_answer: Bools, groups: Ints) -> Figure | None:
    """F1 of one label: which rows have it, which were given it (n,); None where no row has it."""
    if not is_label.any():
        return None
    hits, either = 2.0 * (is_label & is_answer), is_label.astype(np.float64) + is_answer
    return _figure(lambda weights: _ratio(weights @ hits, weights @ either), groups)


def caught_figure(scores: Floats, wanted: Bools, groups: Ints, share: float) -> Figure | None:
    """Share of the wanted rows (n,) that are among the `share` of all rows with the highest scores (n,).

    Rows of equal score that only partly fit in count for the part that fits, which is what any order among them gives
    on average. The cut is made anew in every resample. The figure's rows are the wanted ones; None if there are none.
    """
    if not wanted.any():
        return None
    # Scores that differ by rounding alone are equal.
    steps, place = np.unique(-np.round(scores, 9), return_inverse=True)
    of_step = _one_hot(place, len(steps))

    def caught(weights: Floats) -> Floats:
        sizes, hits = weights @ of_step, (weights * wanted) @ of_step
        room = share * weights.sum(axis=1, keepdims=True) - (np.cumsum(sizes, axis=1) - sizes)
        fitting = np.clip(room / np.maximum(sizes, 1.0), 0.0, 1.0)
        return _ratio((hits * fitting).sum(axis=1), hits.sum(axis=1))

    return _figure(caught, groups, int(wanted.sum()))


def slices_of(
    kind: str, names: Sequence[str], right: Floats, top3: Floats, groups: Ints, order: Sequence[str] = ()
) -> list[Slice]:
    """A slice for each of the names (n,) that rows have, in the given order or else the largest first."""
    own = np.array(names, dtype=object)
    found = []
    for name in order or [name for name, _ in Counter(sorted(names)).most_common()]:
        accuracy, among = (mean_figure(values[own == name], groups[own == name]) for values in (right, top3))
        if accuracy is not None and among is not None:
            found.append(Slice(kind, name, accuracy.rows, accuracy, among))
    return found


def sector_lines(labels: Sequence[str], found: Sequence[str]) -> tuple[SectorLine, ...]:
    """A line for each sector that rows (n,) have as label, the most frequent first."""
    rows, answered = Counter(labels), Counter(found)
    hits = Counter(label for label, answer in zip(labels, found, strict=True) if label == answer)
    return tuple(
        SectorLine(sector, n, hits[sector] / n, hits[sector] / answered[sector] if answered[sector] else None)
        for sector, n in sorted(rows.items(), key=lambda item: (-item[1], item[0]))
    )


def paired_difference(values_a: Floats, values_b: Floats, groups: Ints) -> Figure:
    """The mean of a's values less that of b's, (n,) each, of the same rows in the same order.

    Both are drawn together, so what is easy or hard for both cancels out; the difference counts where the interval
    leaves out zero. Raises ValueError for no rows or for other numbers of them.
    """
    _require_pairs(groups, values_a, values_b)
    return _figure(_mean(values_a - values_b), groups)


def paired_macro_f1_difference(
    labels: Sequence[str], found_a: Sequence[str], found_b: Sequence[str], groups: Ints
) -> Figure:
    """Macro-F1 of a's answers less that of b's, to the same rows (n,); else as `paired_difference`."""
    _require_pairs(groups, labels, found_a, found_b)
    names, [truth, a, b] = _coded(labels, found_a, found_b)
    f1_a, f1_b = _macro_f1(truth, a, len(names)), _macro_f1(truth, b, len(names))
    return _figure(lambda weights: f1_a(weights) - f1_b(weights), groups)


def quadratic_kappa(confusion: Floats) -> Floats:
    """Cohen's kappa with quadratic weights (Cohen 1968) of each matrix of `confusion` (..., k, k), label by answer.

    Labels are in their order. Where labels and answers are all one and the same, it is 0.
    """
    steps = np.arange(confusion.shape[-1])
    weights = (steps[:, None] - steps[None, :]) ** 2
    labelled, answered = confusion.sum(axis=-1), confusion.sum(axis=-2)
    expected = labelled[..., :, None] * answered[..., None, :] / confusion.sum(axis=(-2, -1), keepdims=True)
    disagreement, by_chance = (weights * confusion).sum(axis=(-2, -1)), (weights * expected).sum(axis=(-2, -1))
    return np.where(by_chance > 0, 1 - disagreement / np.where(by_chance > 0, by_chance, 1.0), 0.0)


def calibration_error(confidence: Floats, right: Floats) -> float:
    """Expected calibration error in 15 bins of equal width (Naeini 2015); arrays (n,)."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))


def _figure(statistic: Statistic, groups: Ints, rows: int | None = None) -> Figure:
    """The figure of a statistic that takes weights (r, n) to scores (r,); `rows` is n unless it rests on fewer.

    Resamples that leave the statistic undefined (NaN) are left out of the interval.
    """
    _, inverse = np.unique(groups, return_inverse=True)
    value = statistic(np.ones((1, len(groups))))[0]
    scores = np.concatenate([statistic(drawn[:, inverse]) for drawn in _draws(int(inverse.max()) + 1)])
    low, high = np.nanquantile(scores, (0.025, 0.975))
    return Figure(float(value), float(low), float(high), len(groups) if rows is None else rows)


def _draws(groups: int) -> Iterator[Floats]:
    """How often each group is drawn in each of the `RESAMPLES` resamples, some resamples at a time (r, groups)."""
    random = np.random.default_rng(_SEED)
    for _ in range(0, RESAMPLES, _AT_A_TIME):
        drawn = [np.bincount(random.integers(0, groups, groups), minlength=groups) for _ in range(_AT_A_TIME)]
        yield np.array(drawn, dtype=np.float64)


def _mean(values: Floats) -> Statistic:
    return lambda weights: weights @ values / weights.sum(axis=1)


def _macro_f1(labels: Ints, found: Ints, k: int) -> Statistic:
    """The statistic of macro-F1 over the labels that occur, for the numbers 0..k-1 of labels and answers (n,)."""
    of_label, of_answer, of_hit = _one_hot(labels, k), _one_hot(found, k), _one_hot(labels, k, labels == found)
    occurs = np.bincount(labels, minlength=k) > 0

    def score(weights: Floats) -> Floats:
        either = weights @ of_label + weights @ of_answer
        f1 = 2 * (weights @ of_hit) / np.maximum(either, 1.0)
        counted = occurs & (either > 0)
        means: Floats = (f1 * counted).sum(axis=1) / counted.sum(axis=1)
        return means

    return score


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole (r,), NaN where there is no whole."""
    ratios: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return ratios


def _coded(*columns: Sequence[str], scale: Sequence[str] = ()) -> tuple[list[str], list[Ints]]:
    """All names that stand in the columns, or the `scale`, and each column (n,) as numbers of them."""
    names = list(scale) or sorted({name for column in columns for name in column})
    number = {name: i for i, name in enumerate(names)}
    return names, [np.array([number[name] for name in column], dtype=np.int64) for column in columns]


def _one_hot(numbers: Ints, k: int, values: Bools | None = None) -> csr_matrix:
    """A sparse matrix (n, k) that holds 1, or `values` (n,), in each row's column."""
    filled = np.ones(len(numbers)) if values is None else values.astype(np.float64)
    return csr_matrix((filled, (np.arange(len(numbers)), numbers)), shape=(len(numbers), k))


def _require_pairs(groups: Ints, *columns: Floats | Sequence[str]) -> None:
    lengths = {len(column) for column in (groups, *columns)}
    if len(lengths) != 1 or not len(groups):
        raise ValueError(f"Paired figures need the same rows on every side, one or more; there are {sorted(lengths)}.")
