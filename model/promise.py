"""Promises: the threshold from which on routing alone is right often enough, and what a promise would still need.

Everything here is told from rows that were kept aside: how sure the model was of its answer, and whether it was right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, lgamma, log, log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import BadTarget
from model.features import Floats
from model.heads import Head

Bools = NDArray[np.bool_]

PROMISED_PRECISION = 0.95
PROMISE_CONFIDENCE = 0.90
SET_COVERAGE = 0.95
# A level chosen on fewer rows makes sets of a dozen sectors, of no use to anyone, or breaks its promise.
FEWEST_ROWS_FOR_SETS = 1_000
_STEPS = 200
# The strictest threshold tried leaves this many rows: fewer, and a single odd label would end the search.
FEWEST_ROWS = 150
# Shares of the surest rows that `rows_needed` looks at; of fewer rows than these no precision is guessed.
_SHARES = np.linspace(0.1, 1.0, 19)
_FEWEST_TO_GUESS = 30
# Answers of a label routed alone from which on they are judged by themselves; of others together.
_FEWEST_OF_LABEL = 50
_NEVER = 1.0
_PRECISE, _TINY = 1e-14, 1e-300
# Enough for a beta distribution of some millions of rows.
_MOST_TERMS = 10_000


@dataclass(frozen=True)
class Promise:
    """What a sector head may do alone, by region, and what was told of it: see `Head` for the thresholds.

    `evidence` gives for each region the rows it was chosen on, the share of them that would be routed alone, and about
    how many more rows a promise needs (0: none, None: more rows alone won't do).
    """

    target: float
    certainty: float
    thresholds: dict[str, float]
    label_thresholds: dict[str, dict[str, float]]
    set_levels: dict[str, float]
    evidence: dict[str, dict[str, Any]]

    def as_metrics(self) -> dict[str, Any]:
        """As the manifest holds it among the head's metrics."""
        return {"promised_precision": self.target, "promise_confidence": self.certainty, "evidence": self.evidence}

    def on(self, head: Head) -> Head:
        """The head with this promise."""
        return replace(
            head,
            thresholds=self.thresholds,
            label_thresholds=self.label_thresholds,
            set_levels=self.set_levels,
        )


def make_promise(
    evidence: NDArray[np.void],
    labels: Sequence[str],
    target: float = PROMISED_PRECISION,
    certainty: float = PROMISE_CONFIDENCE,
) -> Promise:
    """Choose for each region of the `evidence` (`model.bundle.EVIDENCE`), each by its own rows.

    One row of each group of near-copies is evidence: a complaint sent two hundred times is one. Raises `BadTarget`.
    """
    _check_shares(target, certainty)
    thresholds: dict[str, float] = {}
    of_labels: dict[str, dict[str, float]] = {}
    levels: dict[str, float] = {}
    told: dict[str, dict[str, Any]] = {}
    for code in np.unique(evidence["region"]).tolist():
        own = evidence[evidence["region"] == code]
        region = code.decode()
        confidence, right = own["confidence"].astype(np.float64), own["label"] == own["found"]
        if len(own) >= FEWEST_ROWS_FOR_SETS:
            levels[region] = choose_set_level(own["given"].astype(np.float64))
        # Rows of one sector say nothing of how often the others would be taken for it.
        several = len(np.unique(own["label"])) > 1
        threshold = choose_threshold(confidence, right, target=target, certainty=certainty) if several else None
        coverage = 0.0
        if threshold is not None:
            thresholds[region] = threshold
            stricter = _stricter(own, threshold, target, certainty)
            if stricter:
                of_labels[region] = {labels[label]: least for label, least in stricter.items()}
            least = np.array([max(threshold, stricter.get(int(label), 0.0)) for label in own["found"]])
            coverage = float((confidence >= least).mean())
        needed = rows_needed(confidence, right, target, certainty) if several else None
        told[region] = {"rows": len(own), "coverage": round(coverage, 4), "needed": needed}
    return Promise(target, certainty, thresholds, of_labels, levels, told)


def _stricter(own: NDArray[np.void], threshold: float, target: float, certainty: float) -> dict[int, float]:
    """Thresholds of labels whose answers, routed alone from `threshold` on, prove to break the promise.

    The promise is of all that is routed alone; a label that lives off the others' precision would be one agency's daily
    trouble. Labels with few such answers are judged together.
    """
    routed = own["confidence"] >= threshold
    counts = np.bincount(own["found"][routed], minlength=int(own["found"].max()) + 1)
    groups = [[label] for label in np.flatnonzero(counts >= _FEWEST_OF_LABEL).tolist()]
    groups.append(np.flatnonzero((counts > 0) & (counts < _FEWEST_OF_LABEL)).tolist())
    found = {}
    for group in groups:
        answers = own[np.isin(own["found"], group)]
        right, confidence = answers["label"] == answers["found"], answers["confidence"].astype(np.float64)
        alone = confidence >= threshold
        if upper_bound(int(right[alone].sum()), int(alone.sum()), certainty) < target:
            least = choose_threshold(confidence, right, target=target, certainty=certainty)
            found.update(dict.fromkeys(group, _NEVER if least is None else max(least, threshold)))
    return found


def choose_threshold(
    confidence: Floats,
    right: Bools,
    *,
    target: float = PROMISED_PRECISION,
    certainty: float = PROMISE_CONFIDENCE,
) -> float | None:
    """The lowest confidence from which on at least `target` of the answers are right, with `certainty`.

    `confidence` (n,) and `right` (n,) are of rows kept aside. Thresholds are tried from strict to lax, each tested by
    the lower Clopper-Pearson bound, up to the first that fails: fixed-sequence testing, so that trying many costs no
    certainty (Learn then Test: Angelopoulos et al. 2021). One wrong label among the very surest could end that at once,
    so more sequences start at a quarter and at half of the rows, each with its part of the uncertainty. None if no
    threshold can promise it. Raises `BadTarget` for a target or certainty that is not between 0 and 1, and ValueError
    for confidences that are no probabilities.
    """
    _check(confidence, right, target, certainty)
    if len(right) < FEWEST_ROWS:
        return None
    order = np.argsort(-confidence, kind="stable")
    confidence, hits = confidence[order], np.cumsum(right[order])
    starts = [FEWEST_ROWS, *(start for start in (len(right) // 4, len(right) // 2) if start >= 2 * FEWEST_ROWS)]
    certainty = 1.0 - (1.0 - certainty) / len(starts)
    chosen = None
    for start in starts:
        for count in np.unique(np.linspace(start, len(hits), _STEPS).astype(int)):
            # Rows of equal confidence pass the threshold together.
            count = int(np.searchsorted(-confidence, -confidence[count - 1], side="right"))
            if not is_shown(int(hits[count - 1]), count, target, certainty):
                break
            found = float(confidence[count - 1])
            chosen = found if chosen is None else min(chosen, found)
    return chosen


def rows_needed(
    confidence: Floats,
    right: Bools,
    target: float = PROMISED_PRECISION,
    certainty: float = PROMISE_CONFIDENCE,
) -> int | None:
    """About how many more rows like these would let a threshold promise `target`; 0 if one can already.

    For each share of the surest rows: their precision as seen, less half a standard error since the best of many is
    flattered, and the rows of such precision at which the lower bound reaches the target. None where no share is
    shown to be more precise than the target, or rows are too few: then it can't be told.
    """
    if choose_threshold(confidence, right, target=target, certainty=certainty) is not None:
        return 0
    order = np.argsort(-confidence, kind="stable")
    found = []
    for share in _SHARES:
        count = int(share * len(right))
        if count < _FEWEST_TO_GUESS:
            continue
        precision = (float(right[order[:count]].sum()) + 1) / (count + 2)
        precision -= 0.5 * (precision * (1 - precision) / count) ** 0.5
        if precision > target and (enough := _rows_for(precision, target, certainty)) is not None:
            found.append(max(enough, FEWEST_ROWS) / share)
    if not found:
        return None
    # What should be enough and wasn't is a matter of luck with the rows at hand: some more decide it.
    return max(len(right) // 5, round(float(min(found))) - len(right))


def choose_set_level(given: Floats, coverage: float = SET_COVERAGE) -> float:
    """The least probability at which a label joins the set, so that sets hold the right one in `coverage` of rows.

    `given` (n,) is the probability that each row kept aside gave its right label. Split conformal prediction with the
    least ambiguous sets (Sadinle, Lei and Wasserman 2019): the level is the floor((n + 1) (1 - coverage)) smallest of
    them. 0, every label, where rows are too few for the coverage. Raises ValueError for a coverage that is not between
    0 and 1.
    """
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"The coverage is {coverage}; it must lie between 0 and 1.")
    rank = int(np.floor((len(given) + 1) * (1.0 - coverage)))
    return float(np.sort(given)[rank - 1]) if rank >= 1 else 0.0


def is_shown(hits: int, count: int, target: float, certainty: float) -> bool:
    """Whether the one-sided Clopper-Pearson lower bound of a share reaches the target.

    It does where a share of just the target would give as many hits by chance with a probability of at most
    1 - `certainty`: one look at the binomial distribution, where the bound itself takes a search. Mostly not even that:
    no more hits than expected come about in half of all cases, and Chernoff's bound is above the probability of more.
    """
    if hits <= count * target:
        return hits > 0 and certainty <= 0.5 and beta_distribution(target, hits, count - hits + 1) <= 1.0 - certainty
    share, misses = hits / count, count - hits
    surprise = hits * log(share / target) + (misses * log((1.0 - share) / (1.0 - target)) if misses else 0.0)
    return exp(-surprise) <= 1.0 - certainty or beta_distribution(target, hits, misses + 1) <= 1.0 - certainty


def lower_bound(hits: int, count: int, certainty: float) -> float:
    """The one-sided Clopper-Pearson lower bound of a share; 0 of no hits."""
    return _beta_quantile(1.0 - certainty, hits, count - hits + 1) if hits else 0.0


def upper_bound(hits: int, count: int, certainty: float) -> float:
    """The one-sided Clopper-Pearson upper bound of a share; 1 of no rows."""
    return _beta_quantile(certainty, hits + 1, count - hits) if hits < count else 1.0


def beta_distribution(x: float, a: float, b: float) -> float:
    """The share of a beta distribution below `x`, the regularised incomplete beta function; to about 1e-12.

    By its continued fraction (DLMF 8.17.22) with Lentz's method, on the side where that converges soon: a server that
    chooses thresholds does without SciPy.
    """
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - beta_distribution(1.0 - x, b, a)
    front = exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b)) / a
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _not_zero(1.0 + term * d)
            c = _not_zero(1.0 + term / c)
            fraction *= c * d
        if abs(c * d - 1.0) < _PRECISE:
            break
    return front * fraction


def _beta_quantile(share: float, a: float, b: float) -> float:
    """Where a share of a beta distribution lies below, found by halving."""
    low, high = 0.0, 1.0
    while high - low > _PRECISE:
        middle = (low + high) / 2
        low, high = (middle, high) if beta_distribution(middle, a, b) < share else (low, middle)
    return (low + high) / 2


def _not_zero(value: float) -> float:
    """Lentz's method divides by it."""
    return value if abs(value) > _TINY else _TINY


def _rows_for(precision: float, target: float, certainty: float) -> int | None:
    """The fewest rows of this precision whose lower bound reaches the target, within 5 %; None beyond a million."""
    count = 20
    while count < 1_000_000:
        if is_shown(int(precision * count), count, target, certainty):
            return count
        count = count + max(1, count // 20)
    return None


def _check_shares(target: float, certainty: float) -> None:
    for name, value in (("target", target), ("certainty", certainty)):
        if not 0.0 < value < 1.0:
            raise BadTarget(value, name)


def _check(confidence: Floats, right: Bools, target: float, certainty: float) -> None:
    _check_shares(target, certainty)
    if len(confidence) != len(right):
        raise ValueError(f"There are {len(confidence)} confidences for {len(right)} answers.")
    if not (np.isfinite(confidence).all() and (confidence >= 0).all() and (confidence <= 1).all()):
        raise ValueError("Confidences must be probabilities: numbers from 0 to 1.")
