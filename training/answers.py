"""Answers: rows that are new to a bundle with what it answers to each, which every figure of it rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from data.complaint import Complaint, LabelledRow
from data.errors import TooFewRows
from data.progress import Progress, silent
from data.region import Area, Region, known_regions, load_region
from model.bundle import COMPLETE, COMPLETENESS, INCOMPLETE, JURISDICTION, SECTOR, URGENCY, Bundle
from model.features import Floats
from model.prediction import Ranked
from model.routing import Outcome, Routed, Routers
from model.text import prepare
from training.heads import QUESTIONS
from training.leaks import LeakFinder
from training.splitting import Bools, Ints, near_copy_groups


@dataclass(frozen=True)
class HeadAnswers:
    """The rows that have a label for a head's question, with what was answered, likeliest first; arrays (n,)."""

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


@dataclass(frozen=True)
class Answers:
    """Rows (n) and what they were answered: routing, the area for the row's own sector, groups of near-copies (n,)."""

    bundle: Bundle
    region: Region
    rows: Sequence[LabelledRow]
    routed: Sequence[Routed]
    areas: Sequence[Area | None]
    groups: Ints
    left_out_as_seen: int

    def of_head(self, head: str) -> HeadAnswers:
        """The rows that have a label for a head's question; none where the bundle has no such head."""
        [label] = [question.label for question in QUESTIONS if question.name == head]
        labels, given = [label(row) for row in self.rows], [_GIVEN[head](routed) for routed in self.routed]
        both = [(i, a, b) for i, (a, b) in enumerate(zip(labels, given, strict=True)) if a is not None and b]
        index = np.array([i for i, _, _ in both], dtype=np.int64)
        return HeadAnswers(index, [a for _, a, _ in both], [b for _, _, b in both], self.groups[index])

    def confidence(self, index: Ints) -> Floats:
        """The probability that the first sector is right, of the rows of these numbers (m,)."""
        return np.array([self.routed[i].prediction.confidence for i in index], dtype=np.float64)

    def is_auto(self, index: Ints) -> Bools:
        """Which of the rows of these numbers (m,) are routed without a person."""
        return np.array([self.routed[i].disposition.outcome is Outcome.AUTO for i in index], dtype=np.bool_)


def unseen_by(
    bundles: Sequence[Bundle], rows: Sequence[LabelledRow], learned: Sequence[LabelledRow] = ()
) -> list[LabelledRow]:
    """The rows that none of the bundles was trained on, neither as they stand nor as `rows check` cleans them, and that
    are near-copies of none of `learned`: a bundle knows again only the very texts it was trained on."""
    known = set(known_regions())
    finders = {code: LeakFinder(load_region(code)) for code in {row.complaint.region for row in rows} & known}

    def forms(complaint: Complaint) -> list[Complaint]:
        finder = finders.get(complaint.region)
        if finder is None:
            return [complaint]
        title, text = finder.cut(complaint.title)[0], finder.cut(complaint.text)[0]
        cleaned = replace(complaint, title=title, text=text)
        return [complaint] if cleaned == complaint else [complaint, cleaned]

    seen = [any(each.has_seen(form) for form in forms(row.complaint) for each in bundles) for row in rows]
    if learned:
        groups = near_copy_groups([prepare(row.complaint) for row in (*rows, *learned)])
        are_like = np.isin(groups[: len(rows)], groups[len(rows) :]).tolist()
        seen = [one or other for one, other in zip(seen, are_like, strict=True)]
    return [row for row, is_seen in zip(rows, seen, strict=True) if not is_seen]


def answer_rows(
    bundle: Bundle,
    rows: Sequence[LabelledRow],
    region: Region,
    progress: Progress = silent,
    learned: Sequence[LabelledRow] = (),
) -> Answers:
    """Ask a bundle about the rows it has not been trained on; those it has are left out and counted, and so are
    near-copies of `learned`.

    Raises `TooFewRows` if none is left, or none has a label.
    """
    if not rows:
        raise TooFewRows("There are no rows to evaluate on.")
    unseen = unseen_by([bundle], rows, learned)
    if not unseen:
        raise TooFewRows(
            f"All {len(rows)} rows were in the bundle's training{_or_like(learned)}. Evaluate on rows it has not seen."
        )
    if not any(row.agency or any(question.label(row) is not None for question in QUESTIONS) for row in unseen):
        raise TooFewRows(f"None of the {len(unseen)} rows that are new to the bundle has a label: nothing to measure.")
    progress("scores", 0.1)
    groups = near_copy_groups([prepare(row.complaint) for row in unseen])
    routers = Routers(bundle, region)
    routed = [routers.route(row.complaint) for row in unseen]
    finders = [routers.of(row.complaint.region).finder for row in unseen]
    areas = [
        finder.choose(finder.find(row.complaint), row.sector or "") for row, finder in zip(unseen, finders, strict=True)
    ]
    return Answers(bundle, region, unseen, routed, areas, groups, len(rows) - len(unseen))


def _or_like(learned: Sequence[LabelledRow]) -> str:
    return ", or are near-copies of what was" if learned else ""


def _given(label: str, ranked: tuple[Ranked, ...]) -> tuple[Ranked, ...]:
    """What was answered first, then the head's other labels; nothing where the bundle has no such head."""
    return tuple(sorted(ranked, key=lambda answer: answer.label != label))


def _urgency(routed: Routed) -> tuple[Ranked, ...]:
    return _given(str(int(routed.urgency.level)), routed.prediction.urgency) if routed.urgency else ()


def _completeness(routed: Routed) -> tuple[Ranked, ...]:
    return _given(COMPLETE if routed.completeness.complete else INCOMPLETE, routed.prediction.completeness)


_GIVEN: dict[str, Callable[[Routed], tuple[Ranked, ...]]] = {
    SECTOR: lambda routed: routed.prediction.sectors,
    URGENCY: _urgency,
    JURISDICTION: lambda routed: _given(routed.jurisdiction.level.value, routed.prediction.jurisdiction),
    COMPLETENESS: _completeness,
}
