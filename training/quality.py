"""Quality: what a report tells beyond an evaluation's figures: the curve, confusions, sectors, costs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from data.complaint import Urgency
from data.region import known_regions, load_region
from model.bundle import SECTOR, URGENCY
from model.features import Floats
from model.promise import PROMISE_CONFIDENCE, PROMISED_PRECISION, rows_needed
from training.answers import Answers, HeadAnswers
from training.figures import Figure
from training.shares import rows_for_interval, share_interval
from training.splitting import Bools

_CURVE_POINTS = 120
_FEWEST_ON_CURVE = 10
_NOT_TOLD = object()


@dataclass(frozen=True)
class CurvePoint:
    """The surest rows: how many, what share of all, the least confidence among them, and how often they are right."""

    rows: int
    coverage: float
    confidence: float
    precision: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """Precision by coverage of a region's rows, the surest first; near-copies count once, as in a promise.

    `threshold` is the bundle's for the region, `stricter` the sectors that have a stricter one, `chosen` what these let
    pass here (None: no threshold, or nothing passes). `proven_on` is how many real rows the bundle's own promise was
    tried on, `more_rows` about how many more would do; None where more alone won't, or where that can't be said.
    """

    region: str
    rows: int
    target: float
    certainty: float
    threshold: float | None
    stricter: tuple[str, ...]
    chosen: CurvePoint | None
    points: tuple[CurvePoint, ...]
    proven_on: int
    more_rows: int | None


@dataclass(frozen=True)
class Confusion:
    """A label and another answer that was given instead, how often, and the share of the label's rows."""

    label: str
    answer: str
    rows: int
    share: float


@dataclass(frozen=True)
class SectorQuality:
    """A sector: rows, recall and precision with 95 % intervals (Wilson 1927, near-copies counted once as evidence).

    `more_needed`: how many more different complaints until the recall's interval is 10 points to each side.
    """

    sector: str
    rows: int
    recall: Figure
    precision: Figure | None
    more_needed: int


@dataclass(frozen=True)
class UrgencyQuality:
    """Rows by labelled and answered level (4 x 4), and the ids of those labelled 3 that were answered less."""

    rows: int
    counts: tuple[tuple[int, ...], ...]
    emergencies: int
    missed: tuple[str, ...]


@dataclass(frozen=True)
class Costs:
    """A month at the assumed number of complaints and minutes for each; shares are those of the rows measured.

    `wrong_alone` is how many would be routed alone to a wrong sector; None where none is routed alone.
    """

    complaints_a_month: int
    minutes_each: float
    alone: float
    alone_low: float
    alone_high: float
    reviewed: float
    hours_saved: float
    hours_left: float
    wrong_alone: float | None


def curve_of(answers: Answers) -> Curve | None:
    """The curve of the region's own rows, one of each group of near-copies; None where none has a sector."""
    told, code, about = answers.of_head(SECTOR), answers.region.code, answers.bundle.about
    own = np.array([answers.rows[i].complaint.region in ("", code) for i in told.index], dtype=np.bool_)
    if not own.any():
        return None
    kept = np.flatnonzero(own)[np.unique(told.groups[own], return_index=True)[1]]
    confidence, right = answers.confidence(told.index[kept]), told.right[kept]
    metrics = about.get("metrics", {}).get(SECTOR, {})
    target = float(metrics.get("promised_precision", PROMISED_PRECISION))
    certainty = float(metrics.get("promise_confidence", PROMISE_CONFIDENCE))
    head = answers.bundle.heads[SECTOR]
    least = [head.threshold(code, told.found[i]) for i in kept]
    passes = np.array([a is not None and c >= a for c, a in zip(confidence, least, strict=True)], dtype=np.bool_)
    order = np.argsort(-confidence, kind="stable")
    evidence = metrics.get("evidence", {}).get(code, {})
    proven_on = int(evidence.get("rows", 0))
    # What the bundle's own rows say goes before a guess from the rows measured.
    more = evidence.get("needed", _NOT_TOLD)
    if more is _NOT_TOLD:
        needed = rows_needed(confidence, right > 0, target, certainty)
        more = None if needed is None else max(0, len(kept) + needed - proven_on)
    return Curve(
        region=code,
        rows=len(kept),
        target=target,
        certainty=certainty,
        threshold=head.thresholds.get(code),
        stricter=tuple(sorted(head.label_thresholds.get(code, {}))),
        chosen=_point(confidence[passes], right[passes], len(kept)) if passes.any() else None,
        points=_points(confidence[order], right[order]),
        proven_on=proven_on,
        more_rows=more,
    )


def _points(confidence: Floats, right: Floats) -> tuple[CurvePoint, ...]:
    """Points along rows (n,) that stand surest first; rows of equal confidence pass together."""
    first = min(_FEWEST_ON_CURVE, len(confidence))
    counts = np.unique(np.linspace(first, len(confidence), _CURVE_POINTS).astype(int))
    whole = {int(np.searchsorted(-confidence, -confidence[count - 1], side="right")) for count in counts}
    return tuple(_point(confidence[:count], right[:count], len(right)) for count in sorted(whole))


def _point(confidence: Floats, right: Floats, of_all: int) -> CurvePoint:
    """The point of some rows (m,) of so many."""
    precision = float(right.mean())
    low, high = share_interval(precision, len(right))
    return CurvePoint(len(right), len(right) / of_all, float(confidence.min()), precision, low, high)


def sector_confusions(told: HeadAnswers) -> tuple[Confusion, ...]:
    """Sectors taken for another, the most frequent first."""
    return confusions(zip(told.labels, told.found, strict=True))


def agency_confusions(answers: Answers) -> tuple[Confusion, ...]:
    """Agencies (names) taken for another; an answer "" is one that waits for the area to be told."""
    pairs = []
    for row, routed in zip(answers.rows, answers.routed, strict=True):
        if row.agency is not None:
            code = row.complaint.region
            region = load_region(code) if code in known_regions() else answers.region
            agency, given = region.all_agencies.get(row.agency), routed.disposition.choice.agency
            pairs.append((agency.name if agency else row.agency, given.name if given else ""))
    return confusions(pairs)


def confusions(pairs: Iterable[tuple[str, str]]) -> tuple[Confusion, ...]:
    """Pairs of a label and another answer with how often they occur, the most frequent first."""
    counts = Counter(pairs)
    of_label: dict[str, int] = defaultdict(int)
    for (label, _), count in counts.items():
        of_label[label] += count
    wrong = [(count, label, answer) for (label, answer), count in counts.items() if label != answer]
    wrong.sort(key=lambda item: (-item[0], item[1], item[2]))
    return tuple(Confusion(label, answer, count, count / of_label[label]) for count, label, answer in wrong)


def sector_qualities(told: HeadAnswers) -> tuple[SectorQuality, ...]:
    """A line for each sector that rows have as label, the most frequent first."""
    labels, found = np.array(told.labels, dtype=object), np.array(told.found, dtype=object)
    lines = []
    for sector, rows in sorted(Counter(told.labels).items(), key=lambda item: (-item[1], item[0])):
        recall = share_of(told, labels == sector)
        assert recall is not None
        different = len(np.unique(told.groups[labels == sector]))
        # Two rows found and two missed are added: of one row, found or not, nothing could be planned (Agresti-Coull).
        planned = (recall.value * different + 2) / (different + 4)
        more = max(0, rows_for_interval(planned) - different)
        lines.append(SectorQuality(sector, rows, recall, share_of(told, found == sector), more))
    return tuple(lines)


def share_of(told: HeadAnswers, chosen: Bools) -> Figure | None:
    """The share of the chosen rows (n,) that are right, with a score interval for which near-copies count once.

    None where none is chosen.
    """
    rows = int(chosen.sum())
    if not rows:
        return None
    value = float(told.right[chosen].mean())
    return Figure(value, *share_interval(value, len(np.unique(told.groups[chosen]))), rows)


def urgency_quality(answers: Answers) -> UrgencyQuality | None:
    """Levels labelled and answered; None where no row has a level."""
    told = answers.of_head(URGENCY)
    if not told.labels:
        return None
    counts = Counter(zip(told.labels, told.found, strict=True))
    levels = [str(int(level)) for level in Urgency]
    worst = str(int(Urgency.DARURAT))
    missed = [
        answers.rows[i].id
        for i, label, found in zip(told.index, told.labels, told.found, strict=True)
        if label == worst and found != worst
    ]
    return UrgencyQuality(
        rows=len(told.labels),
        counts=tuple(tuple(counts[label, found] for found in levels) for label in levels),
        emergencies=told.labels.count(worst),
        missed=tuple(sorted(missed)),
    )


def costs_of(share: Figure, precision: Figure | None, complaints_a_month: int, minutes_each: float) -> Costs:
    """What a month takes, from the share of complaints routed alone and how many of those are right."""
    alone = share.value * complaints_a_month
    hours = complaints_a_month * minutes_each / 60
    return Costs(
        complaints_a_month=complaints_a_month,
        minutes_each=minutes_each,
        alone=alone,
        alone_low=share.low * complaints_a_month,
        alone_high=share.high * complaints_a_month,
        reviewed=complaints_a_month - alone,
        hours_saved=share.value * hours,
        hours_left=(1 - share.value) * hours,
        wrong_alone=None if precision is None else alone * (1 - precision.value),
    )
