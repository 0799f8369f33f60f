"""How good a bundle is on labelled rows: every figure with its interval, for all rows and for parts of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from data.complaint import LabelledRow, Urgency
from data.errors import TooFewRows
from data.progress import Progress, silent
from data.region import Area, Region, fold_name
from data.sectors import AREA_SECTORS, VILLAGE_OFFICE
from model.bundle import COMPLETE, COMPLETENESS, INCOMPLETE, JURISDICTION, SECTOR, URGENCY, Bundle
from model.features import Floats
from model.language import majority_language
from model.prediction import Ranked
from model.routing import Outcome, Routed, Routers
from model.text import prepare
from training.figures import (
    Figure,
    SectorLine,
    Slice,
    calibration_error,
    caught_figure,
    f1_figure,
    kappa_figure,
    macro_f1_figure,
    mean_figure,
    sector_lines,
    slices_of,
)
from training.heads import QUESTIONS
from training.splitting import Ints, near_copy_groups

# The part of a queue, most urgent first, that should hold the urgent ones.
_READ_FIRST = 0.3
_FEW_ROWS = 30
_SHORT, _LONG = 15, 60
_LENGTHS = (f"under {_SHORT} words", f"{_SHORT} to {_LONG - 1} words", f"{_LONG} words or more")


@dataclass(frozen=True)
class Evaluation:
    """All figures of a bundle on rows; a figure is None where no row can tell it.

    `calibration_error` is the expected calibration error of the first sector in 15 bins of equal width (Naeini 2015).
    `area_accuracy` is over rows of kecamatan and village offices whose area stands in the text, title or location; the
    area is the one found for the row's own sector, so that a wrong sector isn't counted twice.
    `urgency_caught_at_30` is the share of rows of level 2 or 3 among the 30 % of the highest urgency score: the
    probability of level 2 or more, and above all others what a danger sign raised. `incomplete_recall` and `_precision`
    are over the rows that are, or are called, incomplete.
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
    urgency_caught_at_30: Figure | None
    jurisdiction_accuracy: Figure | None
    jurisdiction_macro_f1: Figure | None
    incomplete_f1: Figure | None
    incomplete_recall: Figure | None
    incomplete_precision: Figure | None
    sectors: tuple[SectorLine, ...]
    slices: tuple[Slice, ...]

    def as_dict(self) -> dict[str, object]:
        """Every figure under its name, fit for JSON."""
        return asdict(self)

    def as_text(self) -> str:
        """Every figure on a line that says what it is, in groups."""
        lines = [f"Bundle {self.bundle} on {self.rows} rows for {self.region}"]
        if self.left_out_as_seen:
            lines.append(f"{self.left_out_as_seen} rows were in its training and are left out.")
        lines.append(f"In brackets: 95 % interval and n, its rows. Of few rows (under {_FEW_ROWS}) it is unsure too.")
        for group, titles in _TITLES.items():
            lines += ["", group]
            lines += [f"  {title:<42} {_shown(getattr(self, name))}" for name, title in titles.items()]
        lines += [*self._slice_lines(), *self._sector_lines()]
        return "\n".join(lines)

    def _slice_lines(self) -> Iterator[str]:
        kind = ""
        if self.slices:
            yield f"\n{'Sector by parts of the rows':<26} {'rows':>6}  {'sector right':<19}    among the first three"
        for part in self.slices:
            if part.kind != kind:
                kind = part.kind
                yield f" by {kind}"
            figures = f"{part.accuracy.without_rows()}    {part.top3.without_rows()}"
            yield f"  {part.name:<24} {part.rows:>6}  {figures}{_few(part.rows)}"

    def _sector_lines(self) -> Iterator[str]:
        if self.sectors:
            yield f"\n{'Sector by sector':<26} {'rows':>6} {'found':>7} {'right':>7}"
            yield "  found: of the rows of the sector, share given it; right: of the rows given it, share that are its"
        for line in self.sectors:
            right = "-" if line.precision is None else f"{line.precision:.2f}"
            yield f"  {line.sector:<24} {line.rows:>6} {line.recall:>7.2f} {right:>7}"


_TITLES = {
    "Sector": {
        "sector_accuracy": "sector right",
        "sector_top3": "sector among the first three",
        "sector_macro_f1": "sector macro-F1",
        "calibration_error": "calibration error (ECE, 15 bins)",
    },
    "Routing": {
        "auto_share": "share routed without a person",
        "auto_precision": "of those, sector right",
        "agency_accuracy": "agency right",
        "area_accuracy": "area right where one is named",
    },
    "Urgency": {
        "urgency_accuracy": "urgency right",
        "urgency_macro_f1": "urgency macro-F1",
        "urgency_kappa": "urgency quadratic kappa",
        "urgency_caught_at_30": "levels 2 and 3 in the most urgent 30 %",
    },
    "Jurisdiction": {
        "jurisdiction_accuracy": "jurisdiction right",
        "jurisdiction_macro_f1": "jurisdiction macro-F1",
    },
    "Completeness": {
        "incomplete_recall": "of the incomplete, called so",
        "incomplete_precision": "of those called incomplete, right",
        "incomplete_f1": "incomplete F1",
    },
}

# The ways in which rows are alike, in the order of the report.
_KINDS: dict[str, Callable[[LabelledRow], str]] = {
    "region": lambda row: row.complaint.region or "no region",
    "language": lambda row: row.language or majority_language(row.complaint.text),
    "text length": lambda row: _length(len(row.complaint.text.split())),
    "title": lambda row: "with a title" if row.complaint.title else "without a title",
    "location": lambda row: "with a location" if row.complaint.location else "without a location",
}


def evaluate(bundle: Bundle, rows: Sequence[LabelledRow], region: Region, progress: Progress = silent) -> Evaluation:
    """Measure a bundle on rows it has not been trained on; rows it has are left out and counted.

    Raises `TooFewRows` if none is left.
    """
    if not rows:
        raise TooFewRows("There are no rows to evaluate on.")
    unseen = [row for row in rows if not bundle.has_seen(row.complaint)]
    if not unseen:
        raise TooFewRows(f"All {len(rows)} rows were in the bundle's training. Evaluate on rows it has not seen.")
    if not any(row.agency or any(question.label(row) is not None for question in QUESTIONS) for row in unseen):
        raise TooFewRows(f"None of the {len(unseen)} rows that are new to the bundle has a label: nothing to measure.")
    progress("scores", 0.1)
    groups = near_copy_groups([prepare(row.complaint) for row in unseen])
    routers = Routers(bundle, region)
    routed = [routers.route(row.complaint) for row in unseen]
    progress("intervals", 0.9)
    finders = [routers.of(row.complaint.region).finder for row in unseen]
    areas = [
        finder.choose(finder.find(row.complaint), row.sector or "") for row, finder in zip(unseen, finders, strict=True)
    ]
    measures = _Measures(unseen, routed, areas, groups)
    return Evaluation(
        bundle=bundle.version,
        region=region.code,
        rows=len(unseen),
        left_out_as_seen=len(rows) - len(unseen),
        **measures.of_sectors(),
        **measures.of_places(),
        **measures.of_urgency(),
        **measures.of_jurisdiction(),
        **measures.of_completeness(),
    )


@dataclass(frozen=True)
class _Answered:
    """The rows that have a label for a head's question, with what the head answered; arrays (n,)."""

    index: Ints
    labels: list[str]
    ranked: list[tuple[Ranked, ...]]
    groups: Ints

    @cached_property
    def found(self) -> list[str]:
        return [ranked[0].label for ranked in self.ranked]

    @cached_property
    def right(self) -> Floats:
        return self.among(1)

    def among(self, first: int) -> Floats:
        """1 for each row whose label is among the first answers, else 0."""
        pairs = zip(self.labels, self.ranked, strict=True)
        return np.array([label in [r.label for r in ranked[:first]] for label, ranked in pairs], dtype=np.float64)


def _given(label: str | int | None, routed: Routed, head: str) -> tuple[Ranked, ...]:
    """What was answered first, then the head's other labels; nothing where the bundle has no such head."""
    ranked: tuple[Ranked, ...] = getattr(routed.prediction, head)
    if label is None or not ranked:
        return ()
    return tuple(sorted(ranked, key=lambda answer: answer.label != str(label)))


def _urgency_given(routed: Routed) -> tuple[Ranked, ...]:
    return _given(int(routed.urgency.level) if routed.urgency else None, routed, URGENCY)


@dataclass(frozen=True)
class _Measures:
    rows: Sequence[LabelledRow]
    routed: Sequence[Routed]
    areas: Sequence[Area | None]
    groups: Ints

    def of_sectors(self) -> dict[str, Any]:
        told = self._answered(SECTOR, lambda routed: routed.prediction.sectors)
        top3 = told.among(3)
        confidence = np.array([ranked[0].probability for ranked in told.ranked])
        auto = np.array([self.routed[i].disposition.outcome is Outcome.AUTO for i in told.index], dtype=np.bool_)
        return {
            "sector_accuracy": mean_figure(told.right, told.groups),
            "sector_top3": mean_figure(top3, told.groups),
            "sector_macro_f1": macro_f1_figure(told.labels, told.found, told.groups),
            "calibration_error": calibration_error(confidence, told.right) if told.labels else None,
            "auto_share": mean_figure(auto.astype(np.float64), told.groups),
            "auto_precision": mean_figure(told.right[auto], told.groups[auto]),
            "sectors": sector_lines(told.labels, told.found),
            "slices": self._slices(told, top3),
        }

    def of_places(self) -> dict[str, Any]:
        named = [i for i, row in enumerate(self.rows) if row.agency is not None]
        given = [self.routed[i].disposition.choice.agency for i in named]
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
        told = self._answered(URGENCY, _urgency_given)
        assessed = [self.routed[i].urgency for i in told.index]
        scores = np.array([urgency.score if urgency else 0.0 for urgency in assessed])
        pressing = np.array([int(label) >= Urgency.TINGGI for label in told.labels], dtype=np.bool_)
        levels = [str(int(level)) for level in Urgency]
        return {
            "urgency_accuracy": mean_figure(told.right, told.groups),
            "urgency_macro_f1": macro_f1_figure(told.labels, told.found, told.groups),
            "urgency_kappa": kappa_figure(told.labels, told.found, told.groups, levels),
            "urgency_caught_at_30": caught_figure(scores, pressing, told.groups, _READ_FIRST),
        }

    def of_jurisdiction(self) -> dict[str, Any]:
        told = self._answered(JURISDICTION, lambda routed: _given(routed.jurisdiction.level, routed, JURISDICTION))
        return {
            "jurisdiction_accuracy": mean_figure(told.right, told.groups),
            "jurisdiction_macro_f1": macro_f1_figure(told.labels, told.found, told.groups),
        }

    def of_completeness(self) -> dict[str, Any]:

        def answer(routed: Routed) -> tuple[Ranked, ...]:
            return _given(COMPLETE if routed.completeness.complete else INCOMPLETE, routed, COMPLETENESS)

        told = self._answered(COMPLETENESS, answer)
        is_label = np.array([label == INCOMPLETE for label in told.labels], dtype=np.bool_)
        is_answer = np.array([answer == INCOMPLETE for answer in told.found], dtype=np.bool_)
        return {
            "incomplete_f1": f1_figure(is_label, is_answer, told.groups),
            "incomplete_recall": mean_figure(told.right[is_label], told.groups[is_label]),
            "incomplete_precision": mean_figure(told.right[is_answer], told.groups[is_answer]),
        }

    def _slices(self, told: _Answered, top3: Floats) -> tuple[Slice, ...]:
        rows = [self.rows[i] for i in told.index]
        names = {kind: [name_of(row) for row in rows] for kind, name_of in _KINDS.items()}
        order = {"text length": _LENGTHS}
        parts = [slices_of(k, names[k], told.right, top3, told.groups, order.get(k, ())) for k in _KINDS]
        return tuple(chain.from_iterable(parts))

    def _answered(self, head: str, answer: Callable[[Routed], tuple[Ranked, ...]]) -> _Answered:
        [label] = [question.label for question in QUESTIONS if question.name == head]
        labels, answers = [label(row) for row in self.rows], [answer(routed) for routed in self.routed]
        both = [(i, a, b) for i, (a, b) in enumerate(zip(labels, answers, strict=True)) if a is not None and b]
        index = np.array([i for i, _, _ in both], dtype=np.int64)
        return _Answered(index, [a for _, a, _ in both], [b for _, _, b in both], self.groups[index])


def _length(words: int) -> str:
    return _LENGTHS[(words >= _SHORT) + (words >= _LONG)]


def _shown(figure: Figure | float | None) -> str:
    if figure is None or isinstance(figure, float):
        return "-" if figure is None else f"{figure:.3f}"
    return f"{figure}{_few(figure.rows)}"


def _few(rows: int) -> str:
    """A warning where an interval of so few rows is itself unsure: of three right ones it is 1 to 1."""
    return "  few rows" if rows < _FEW_ROWS else ""


def _names_its_area(row: LabelledRow) -> bool:
    if not row.area:
        return False
    where = fold_name(" ".join((row.complaint.title, row.complaint.text, row.complaint.location)))
    name = fold_name(row.area)
    if row.sector == VILLAGE_OFFICE:
        # "Kecamatan Gubeng" doesn't name the village of that name.
        where = where.replace(f"kecamatan {name}", "")
    return f" {name} " in f" {where} "
