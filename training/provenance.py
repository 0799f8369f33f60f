"""Provenance in training: what a label weighs by where it comes from, and which rows are evidence of being right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.complaint import LabelledRow, Provenance
from data.errors import TooFewRows
from model.features import Floats

Bools = NDArray[np.bool_]

# A moderator who sees a suggestion leans on it, so a label that only took it says less than one of their own
# (docs/decisions/0022-weights-by-provenance.md). A correction went against the suggestion, so nothing was leaned on.
ACCEPTED_WEIGHT = 0.5
_WEIGHTS: dict[str, float] = {Provenance.HUMAN_ACCEPTED: ACCEPTED_WEIGHT, Provenance.MACHINE: 0.0}
# Reviews with the suggestion in sight: those that took it make the model look better than it is, and those that
# didn't are by choice the ones where it was wrong. Neither is a fair sample, nor are both together.
_LEANING = frozenset({Provenance.HUMAN_ACCEPTED, Provenance.HUMAN_CORRECTED})
# What was chosen because it was hard tells how good the model is on hard ones.
_NO_EVIDENCE = _LEANING | {Provenance.HUMAN_CHOSEN, Provenance.WRITTEN, Provenance.MACHINE, Provenance.RETURNED}

_NO_LABELS: dict[str, Any] = dict.fromkeys(("agency", "sector", "area", "urgency", "jurisdiction", "complete"))


def weights_of(rows: Sequence[LabelledRow]) -> Floats:
    """What each row's labels (n,) weigh in a fit: 1, less if a suggestion was taken, 0 for the program's own.

    Rows of a source that isn't a `Provenance` were labelled elsewhere by people, who saw no suggestion: 1.
    """
    return np.array([_WEIGHTS.get(source_of(row), 1.0) for row in rows], dtype=np.float64)


def is_real(rows: Sequence[LabelledRow]) -> Bools:
    """The rows (n,) that citizens sent; the others were written for the project."""
    return np.array([source_of(row) != Provenance.WRITTEN for row in rows], dtype=np.bool_)


def is_independent(rows: Sequence[LabelledRow]) -> Bools:
    """The real rows (n,) labelled without the suggestion in sight, and not chosen for being hard: fair evidence."""
    return np.array([source_of(row) not in _NO_EVIDENCE for row in rows], dtype=np.bool_)


def source_of(row: LabelledRow) -> str:
    """A row's source as `Provenance` spells it, whatever the case."""
    return row.label_source.casefold()


def without_machine(rows: Sequence[LabelledRow]) -> tuple[list[LabelledRow], list[str]]:
    """The rows but the program's own answers, of which it would learn to agree with itself, and what is to be told."""
    kept = [row for row in rows if source_of(row) != Provenance.MACHINE]
    left_out = len(rows) - len(kept)
    told = f"{left_out} rows were left out: the program's own answers (machine), which nobody looked at."
    return kept, [told] if left_out else []


def fair_rows(rows: Sequence[LabelledRow]) -> tuple[list[LabelledRow], list[str]]:
    """The rows that a bundle may be measured on, and what is to be told of those left out.

    Left out are the program's own answers, and labels that were given with a suggestion in sight: a bundle is right
    there by its own doing, or wrong by choice. Raises `TooFewRows` if that is all of them.
    """
    kept, notes = without_machine(rows)
    fair = [row for row in kept if source_of(row) not in _LEANING]
    if left_out := len(kept) - len(fair):
        notes.append(
            f"{left_out} rows were left out: decided with a suggestion in sight (human-accepted, human-corrected), "
            "they say more of who suggested than of what is right. Measure on human-blind or imported rows."
        )
    if rows and not fair:
        raise TooFewRows(f"None of the {len(rows)} rows can be measured on. {' '.join(notes)}")
    return fair, notes


def only_people_label(rows: Sequence[LabelledRow]) -> list[LabelledRow]:
    """The same rows, the program's own answers without their labels."""
    return [replace(row, **_NO_LABELS) if source_of(row) == Provenance.MACHINE else row for row in rows]


def provenance_notes(rows: Sequence[LabelledRow]) -> list[str]:
    """What is to be told of the rows' sources: what weighs less, and what proves nothing."""
    counts = Counter(source_of(row) for row in rows)
    notes = []
    if accepted := counts[Provenance.HUMAN_ACCEPTED]:
        notes.append(
            f"{accepted} rows took the program's suggestion (human-accepted): each counts {ACCEPTED_WEIGHT:g}."
        )
    if leaning := sum(counts[source] for source in _LEANING):
        notes.append(
            f"{leaning} rows were decided with the suggestion in sight (human-accepted, human-corrected): learned "
            "from, but no evidence for routing alone. Rows checked blind (human-blind) or labelled elsewhere are."
        )
    if chosen := counts[Provenance.HUMAN_CHOSEN]:
        notes.append(f"{chosen} rows were chosen for being hard (human-chosen): learned from, but no evidence.")
    if returned := counts[Provenance.RETURNED]:
        notes.append(f"{returned} rows were sent back by an agency (returned): they say whose they are not.")
    return notes
