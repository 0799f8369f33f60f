"""How good a bundle is on labelled rows: every figure with its interval, for all rows and for parts of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np

from data.complaint import LabelledRow, Urgency
from data.progress import Progress, silent
from data.region import Region, fold_name
from data.sectors import AREA_SECTORS, VILLAGE_OFFICE
from model.bundle import COMPLETENESS, INCOMPLETE, JURISDICTION, SECTOR, URGENCY, Bundle
from model.features import Floats
from model.language import majority_language
from training.answers import Answers, HeadAnswers, answer_rows
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

# The part of a queue, most urgent first, that should hold the urgent ones.
_READ_FIRST = 0.3
_FEW_ROWS = 30
_SHORT, _LONG = 15, 60
_LONGEST_NAME = 30
NO_CHANNEL, NO_MONTH = "no channel", "no month"
_LENGTHS = (f"under {_SHORT} words", f"{_SHORT} to {_LONG - 1} words", f"{_LONG} words or more")


@dataclass(frozen=True)
class Evaluation:
    """All figures of a bundle on rows; a figure is None where no row can tell it.

    `calibration_error` is the expected calibration error of `Prediction.confidence`, the probability that the first
    sector is right, in 15 bins of equal width (Naeini 2015).
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
    "region": lambda row: _as_name(row.complaint.region or "no region"),
    "language": lambda row: _as_name(row.language or majority_language(row.complaint.text)),
    "text length": lambda row: _length(len(row.complaint.text.split())),
    "title": lambda row: "with a title" if row.complaint.title else "without a title",
    "location": lambda row: "with a location" if row.complaint.location else "without a location",
    # "Website - pemerintah-kabupaten-x" is the website.
    "channel": lambda row: _as_name(row.channel.partition(" - ")[0] or NO_CHANNEL),
}


def evaluate(bundle: Bundle, rows: Sequence[LabelledRow], region: Region, progress: Progress = silent) -> Evaluation:
    """Measure a bundle on rows it has not been trained on; rows it has are left out and counted.

    Raises `TooFewRows` if none is left.
    """
    answers = answer_rows(bundle, rows, region, progress)
    progress("intervals", 0.9)
    return measure(answers)


def measure(answers: Answers) -> Evaluation:
    """Every figure of the answers."""
    return Evaluation(
        bundle=answers.bundle.version,
        region=answers.region.code,
        rows=len(answers.rows),
        left_out_as_seen=answers.left_out_as_seen,
        **_of_sectors(answers),
        **_of_places(answers),
        **_of_urgency(answers),
        **_of_jurisdiction(answers),
        **_of_completeness(answers),
    )


def _of_sectors(answers: Answers) -> dict[str, Any]:
    told = answers.of_head(SECTOR)
    top3 = told.among(3)
    auto = answers.is_auto(told.index)
    return {
        "sector_accuracy": mean_figure(told.right, told.groups),
        "sector_top3": mean_figure(top3, told.groups),
        "sector_macro_f1": macro_f1_figure(told.labels, told.found, told.groups),
        "calibration_error": calibration_error(answers.confidence(told.index), told.right) if told.labels else None,
        "auto_share": mean_figure(auto.astype(np.float64), told.groups),
        "auto_precision": mean_figure(told.right[auto], told.groups[auto]),
        "sectors": sector_lines(told.labels, told.found),
        "slices": _slices(answers, told, top3),
    }


def _of_places(answers: Answers) -> dict[str, Any]:
    rows, groups = answers.rows, answers.groups
    named = [i for i, row in enumerate(rows) if row.agency is not None]
    given = [answers.routed[i].disposition.choice.agency for i in named]
    agency_right = np.array(
        [a is not None and a.code == rows[i].agency for i, a in zip(named, given, strict=True)], dtype=float
    )
    placed = [i for i, row in enumerate(rows) if row.sector in AREA_SECTORS and _names_its_area(row)]
    areas = [answers.areas[i] for i in placed]
    area_right = np.array(
        [a is not None and fold_name(a.name) == fold_name(rows[i].area or "")
         for i, a in zip(placed, areas, strict=True)],
        dtype=float,
    )  # fmt: skip
    return {
        "agency_accuracy": mean_figure(agency_right, groups[named]),
        "area_accuracy": mean_figure(area_right, groups[placed]),
    }


def _of_urgency(answers: Answers) -> dict[str, Any]:
    told = answers.of_head(URGENCY)
    assessed = [answers.routed[i].urgency for i in told.index]
    scores = np.array([urgency.score if urgency else 0.0 for urgency in assessed])
    pressing = np.array([int(label) >= Urgency.TINGGI for label in told.labels], dtype=np.bool_)
    levels = [str(int(level)) for level in Urgency]
    return {
        "urgency_accuracy": mean_figure(told.right, told.groups),
        "urgency_macro_f1": macro_f1_figure(told.labels, told.found, told.groups),
        "urgency_kappa": kappa_figure(told.labels, told.found, told.groups, levels),
        "urgency_caught_at_30": caught_figure(scores, pressing, told.groups, _READ_FIRST),
    }


def _of_jurisdiction(answers: Answers) -> dict[str, Any]:
    told = answers.of_head(JURISDICTION)
    return {
        "jurisdiction_accuracy": mean_figure(told.right, told.groups),
        "jurisdiction_macro_f1": macro_f1_figure(told.labels, told.found, told.groups),
    }


def _of_completeness(answers: Answers) -> dict[str, Any]:
    told = answers.of_head(COMPLETENESS)
    is_label = np.array([label == INCOMPLETE for label in told.labels], dtype=np.bool_)
    is_answer = np.array([answer == INCOMPLETE for answer in told.found], dtype=np.bool_)
    return {
        "incomplete_f1": f1_figure(is_label, is_answer, told.groups),
        "incomplete_recall": mean_figure(told.right[is_label], told.groups[is_label]),
        "incomplete_precision": mean_figure(told.right[is_answer], told.groups[is_answer]),
    }


def _slices(answers: Answers, told: HeadAnswers, top3: Floats) -> tuple[Slice, ...]:
    names, order = slice_names(answers, told), {"text length": _LENGTHS}
    parts = [slices_of(k, names[k], told.right, top3, told.groups, order.get(k, ())) for k in _KINDS]
    return tuple(chain.from_iterable(parts))


def slice_names(answers: Answers, told: HeadAnswers) -> dict[str, list[str]]:
    """By each way of being alike, and by month: the name of the slice of each row with the head's label (n,)."""
    rows = [answers.rows[i] for i in told.index]
    names = {kind: [name_of(row) for row in rows] for kind, name_of in _KINDS.items()}
    return names | {"month": [row.received_at[:7] if len(row.received_at) >= 7 else NO_MONTH for row in rows]}


def _as_name(cell: str) -> str:
    """A cell as a slice's name, unless it holds a sentence: what citizens wrote is never printed."""
    return cell if len(cell) <= _LONGEST_NAME and len(cell.split()) <= 2 else "other"


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
