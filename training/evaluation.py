"""How good a bundle is on labelled rows: every figure with its interval, and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.complaint import LabelledRow, Urgency
from data.errors import TooFewRows
from data.progress import Progress, silent
from data.region import Area, Region, fold_name
from data.sectors import AREA_SECTORS, VILLAGE_OFFICE
from model.bundle import Bundle
from model.features import Floats
from model.language import majority_language
from model.prediction import Prediction
from model.routing import Disposition, Outcome, Routers
from model.text import prepare
from training.splitting import Ints, near_copy_groups

RESAMPLES = 1_000
_SEED = 20220101
_BINS = 15


@dataclass(frozen=True)
class Figure:
    """A share or score with its 95 % interval (bootstrap over groups of near-copies) and the rows it rests on."""

    value: float
    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f}, n={self.rows})"


@dataclass(frozen=True)
class SectorLine:
    """One sector: rows that have it as label, and how many of them, and of those given it, are right."""

    sector: str
    rows: int
    recall: float
    precision: float | None


@dataclass(frozen=True)
class LanguageLine:
    """The rows of one language, the file's own word for it or else the one that is mixed into the text."""

    language: str
    rows: int
    sector_accuracy: Figure
    sector_top3: Figure


@dataclass(frozen=True)
class Evaluation:
    """All figures of a bundle on rows; a figure is None where no row can tell it.

    `calibration_error` is the expected calibration error of the first sector in 15 bins of equal width (Naeini 2015).
    `area_accuracy` is over rows of kecamatan and village offices whose area stands in the text, title or location; the
    area is the one found for the row's own sector, so that a wrong sector isn't counted twice.
    """

    bundle: str
    region: str
    rows: int
    left_out_as_seen: int
    sector_accuracy: Figure | None
    sector_top3: Figure | None
    sector_macro_f1: Figure | None
    calibration_error: float | None
    auto_share: Figure | None
    auto_precision: Figure | None
    agency_accuracy: Figure | None
    area_accuracy: Figure | None
    urgency_accuracy: Figure | None
    urgency_macro_f1: Figure | None
    urgency_kappa: Figure | None
    sectors: tuple[SectorLine, ...]
    languages: tuple[LanguageLine, ...]

    def as_dict(self) -> dict[str, object]:
        """Every figure under its name, fit for JSON."""
        return asdict(self)

    def as_text(self) -> str:
        """Every figure on a line that says what it is."""
        lines = [f"Bundle {self.bundle} on {self.rows} rows for {self.region} (95 % intervals in brackets)"]
        if self.left_out_as_seen:
            lines.append(f"{self.left_out_as_seen} rows were in its training and are left out.")
        lines += [f"  {title:<44} {getattr(self, name) or '-'}" for name, title in _TITLES.items()]
        error = "-" if self.calibration_error is None else f"{self.calibration_error:.3f}"
        lines.append(f"  {'calibration error (ECE, 15 bins)':<44} {error}")
        lines.append(f"  {'sector':<24} {'rows':>6} {'found':>7} {'right':>7}")
        for line in self.sectors:
            right = "-" if line.precision is None else f"{line.precision:.2f}"
            lines.append(f"  {line.sector:<24} {line.rows:>6} {line.recall:>7.2f} {right:>7}")
        lines.append(f"  {'language':<24} {'rows':>6}  sector right, among the first three")
        lines += [f"  {r.language:<24} {r.rows:>6}  {r.sector_accuracy}, {r.sector_top3}" for r in self.languages]
        return "\n".join(lines)


_TITLES = {
    "sector_accuracy": "sector right",
    "sector_top3": "sector among the first three",
    "sector_macro_f1": "sector macro-F1",
    "agency_accuracy": "agency right",
    "area_accuracy": "area right where one is named",
    "auto_share": "share routed without a person",
    "auto_precision": "of those, sector right",
    "urgency_accuracy": "urgency right",
    "urgency_macro_f1": "urgency macro-F1",
    "urgency_kappa": "urgency quadratic kappa",
}


def evaluate(bundle: Bundle, rows: Sequence[LabelledRow], region: Region, progress: Progress = silent) -> Evaluation:
    """Measure a bundle on rows it has not been trained on; rows it has are left out and counted.

    Raises `TooFewRows` if none is left.
    """
    if not rows:
        raise TooFewRows("There are no rows to evaluate on.")
    unseen = [row for row in rows if not bundle.has_seen(row.complaint)]
    if unseen and not any(row.sector or row.agency or row.urgency is not None for row in unseen):
        raise TooFewRows(f"None of the {len(unseen)} rows that are new to the bundle has a label: nothing to measure.")
    if not unseen:
        raise TooFewRows(f"All {len(rows)} rows were in the bundle's training. Evaluate on rows it has not seen.")
    progress("scores", 0.1)
    groups = near_copy_groups([prepare(row.complaint) for row in unseen])
    routers = Routers(bundle, region)
    routed = [routers.route(row.complaint) for row in unseen]
    progress("intervals", 0.9)
    finders = [routers.of(row.complaint.region).finder for row in unseen]
    areas = [
        finder.choose(finder.find(row.complaint), row.sector or "") for row, finder in zip(unseen, finders, strict=True)
    ]
    measures = _Measures(unseen, [r.prediction for r in routed], [r.disposition for r in routed], areas, groups)
    return Evaluation(
        bundle=bundle.version,
        region=region.code,
        rows=len(unseen),
        left_out_as_seen=len(rows) - len(unseen),
        **(measures.of_sectors() | measures.of_places() | measures.of_urgency()),
    )


@dataclass(frozen=True)
class _Measures:
    rows: Sequence[LabelledRow]
    predictions: Sequence[Prediction]
    dispositions: Sequence[Disposition]
    areas: Sequence[Area | None]
    groups: Ints

    def of_sectors(self) -> dict[str, Any]:
        labelled = np.array([i for i, row in enumerate(self.rows) if row.sector is not None], dtype=np.int64)
        labels = [str(self.rows[i].sector) for i in labelled]
        found = [self.predictions[i].sector.label for i in labelled]
        first3 = [[ranked.label for ranked in self.predictions[i].sectors[:3]] for i in labelled]
        right = np.array([a == b for a, b in zip(labels, found, strict=True)], dtype=np.float64)
        top3 = np.array([a in b for a, b in zip(labels, first3, strict=True)], dtype=np.float64)
        confidence = np.array([self.predictions[i].sector.probability for i in labelled])
        auto = np.array([self.dispositions[i].outcome is Outcome.AUTO for i in labelled], dtype=np.bool_)
        groups = self.groups[labelled]
        return {
            "sector_accuracy": mean_figure(right, groups),
            "sector_top3": mean_figure(top3, groups),
            "sector_macro_f1": _macro_f1_figure(labels, found, groups),
            "calibration_error": calibration_error(confidence, right) if len(right) else None,
            "auto_share": mean_figure(auto.astype(np.float64), groups),
            "auto_precision": mean_figure(right[auto], groups[auto]),
            "sectors": _sector_lines(labels, found),
            "languages": _language_lines([self.rows[i] for i in labelled], right, top3, groups),
        }

    def of_places(self) -> dict[str, Any]:
        named = [i for i, row in enumerate(self.rows) if row.agency is not None]
        given = [self.dispositions[i].choice.agency for i in named]
        agency_right = np.array(
            [a is not None and a.code == self.rows[i].agency for i, a in zip(named, given, strict=True)], dtype=float
        )
        placed = [i for i, row in enumerate(self.rows) if row.sector in AREA_SECTORS and _names_its_area(row)]
        areas = [self.areas[i] for i in placed]
        area_right = np.array(
            [a is not None and fold_name(a.name) == fold_name(self.rows[i].area or "")
             for i, a in zip(placed, areas, strict=True)],
            dtype=float,
        )  # fmt: skip
        return {
            "agency_accuracy": mean_figure(agency_right, self.groups[named]),
            "area_accuracy": mean_figure(area_right, self.groups[placed]),
        }

    def of_urgency(self) -> dict[str, Any]:
        known = [i for i, row in enumerate(self.rows) if row.urgency is not None and self.predictions[i].urgency]
        labels = [str(self.rows[i].urgency) for i in known]
        found = [self.predictions[i].urgency[0].label for i in known]
        groups = self.groups[known]
        right = np.array([a == b for a, b in zip(labels, found, strict=True)], dtype=np.float64)
        return {
            "urgency_accuracy": mean_figure(right, groups),
            "urgency_macro_f1": _macro_f1_figure(labels, found, groups),
            "urgency_kappa": _label_figure(labels, found, groups, quadratic_kappa, [str(int(u)) for u in Urgency]),
        }


def macro_f1(confusion: Floats, counted: NDArray[np.bool_] | None = None) -> float:
    """Mean F1 over the labels that occur, or over those `counted` (k,); `confusion` (k, k) counts label by answer."""
    hits = np.diag(confusion)
    labelled, answered = confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = 2 * hits / np.maximum(labelled + answered, 1e-12)
    return float(f1[labelled > 0 if counted is None else counted & (labelled + answered > 0)].mean())


def quadratic_kappa(confusion: Floats) -> float:
    """Cohen's kappa with quadratic weights (Cohen 1968); labels are in their order in `confusion` (k, k)."""
    steps = np.arange(len(confusion))
    weights = (steps[:, None] - steps[None, :]) ** 2
    expected = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / confusion.sum()
    disagreement = (weights * expected).sum()
    return float(1 - (weights * confusion).sum() / disagreement) if disagreement else 0.0


def calibration_error(confidence: Floats, right: Floats) -> float:
    """Expected calibration error in 15 bins of equal width; arrays (n,)."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))


def mean_figure(values: Floats, groups: Ints) -> Figure | None:
    """The mean of values (n,) with its interval; None for no values."""
    if not len(values):
        return None
    _, inverse = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(inverse, weights=values), np.bincount(inverse)
    drawn = _draws(len(sums))
    low, high = np.quantile([float(draw @ sums) / float(draw @ counts) for draw in drawn], (0.025, 0.975))
    return Figure(float(values.mean()), float(low), float(high), len(values))


def _label_figure(
    labels: Sequence[str],
    found: Sequence[str],
    groups: Ints,
    score: Callable[[Floats], float],
    scale: Sequence[str] = (),
) -> Figure | None:
    """A score of the confusion matrix with its interval; `scale` lists labels that are steps, also those unused."""
    if not labels:
        return None
    names = list(scale) or sorted({*labels, *found})
    code = {name: number for number, name in enumerate(names)}
    cells = np.array([code[a] * len(names) + code[b] for a, b in zip(labels, found, strict=True)])
    _, inverse = np.unique(groups, return_inverse=True)

    def scored(weights: Floats) -> float:
        counts = np.bincount(cells, weights=weights, minlength=len(names) ** 2)
        return score(counts.astype(np.float64).reshape(len(names), len(names)))

    drawn = [scored(draw[inverse]) for draw in _draws(int(inverse.max()) + 1)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Figure(scored(np.ones(len(labels))), float(low), float(high), len(labels))


def _macro_f1_figure(labels: Sequence[str], found: Sequence[str], groups: Ints) -> Figure | None:
    """Macro-F1 over the labels of all rows. A resample that draws no row of a label but answers it scores 0 there."""
    names = sorted({*labels, *found})
    counted = np.array([name in set(labels) for name in names])
    return _label_figure(labels, found, groups, lambda confusion: macro_f1(confusion, counted), names)


def _draws(groups: int) -> list[Floats]:
    """How often each group is drawn in each resample: `RESAMPLES` arrays (groups,)."""
    random = np.random.default_rng(_SEED)
    return [
        np.bincount(random.integers(0, groups, groups), minlength=groups).astype(np.float64) for _ in range(RESAMPLES)
    ]


def _sector_lines(labels: Sequence[str], found: Sequence[str]) -> tuple[SectorLine, ...]:
    pairs: NDArray[np.str_] = np.array([labels, found]).reshape(2, -1)
    lines = []
    for sector in sorted(set(labels)):
        is_label, is_answer = pairs[0] == sector, pairs[1] == sector
        hits = int((is_label & is_answer).sum())
        answered = int(is_answer.sum())
        rows = int(is_label.sum())
        lines.append(SectorLine(sector, rows, hits / rows, hits / answered if answered else None))
    return tuple(sorted(lines, key=lambda line: -line.rows))


def _language_lines(rows: Sequence[LabelledRow], right: Floats, top3: Floats, groups: Ints) -> tuple[LanguageLine, ...]:
    languages = np.array([row.language or majority_language(row.complaint.text) for row in rows], dtype=object)
    lines = []
    for language in sorted(set(languages)):
        own = languages == language
        accuracy, among = mean_figure(right[own], groups[own]), mean_figure(top3[own], groups[own])
        if accuracy is not None and among is not None:
            lines.append(LanguageLine(language, int(own.sum()), accuracy, among))
    return tuple(sorted(lines, key=lambda line: -line.rows))


def _names_its_area(row: LabelledRow) -> bool:
    if not row.area:
        return False
    where = fold_name(" ".join((row.complaint.title, row.complaint.text, row.complaint.location)))
    name = fold_name(row.area)
    if row.sector == VILLAGE_OFFICE:
        # "Kecamatan Gubeng" doesn't name the village of that name.
        where = where.replace(f"kecamatan {name}", "")
    return f" {name} " in f" {where} "
