"""Matters: whether a complaint holds two, for two agencies, and where its text would be split."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from data.complaint import Complaint
from model.prediction import Prediction, Ranked
from model.text import full_text

# Chosen on pairs of real complaints joined to one, against complaints alone (docs/model.md).
LIKELY_FROM = 0.45
SURE_FROM = 0.9
_FEWEST_WORDS = 5
_MOST_PARTS = 4

# A new sentence, a new line, a number of a list, or words that begin another matter. A run of dots or blanks is tried
# from its start only, so that a long one costs no more than its length. The first sign stands before all else, because
# that is how `re` finds it quickly.
_BOUNDARY = re.compile(
    r"[.!?;\s](?:(?<=[.!?;])(?<![.!?;][.!?;])[.!?;]*\s+|(?<=\n)\n*|(?<=\s)(?<!\s\s)\s*(?=\(?[2-9]\)\s"
    r"|(?:selain itu|di ?samping itu|satu lagi|sekalian|(?:yang|yg) kedua|kedua,|lalu juga|kemudian juga"
    r"|juga (?:mohon|tolong|mau|ingin|soal|masalah))\b))",
    re.IGNORECASE,
)

# Where a second matter is announced, it is looked for however sure the whole is of one.
_ANNOUNCED = re.compile(
    r"\b(?:selain itu|di ?samping itu|satu lagi|(?:yang|yg) kedua|kedua,)|(?<!\w)\(?2[.)]\s", re.IGNORECASE
)
# One of these stands in whatever that finds.
_ANNOUNCING = (" itu", "satu lagi", "kedua", "2.", "2)")

# The likeliest sector of a text, and how sure it is.
FindSurest = Callable[[Complaint], Ranked]


@dataclass(frozen=True)
class TwoMatters:
    """Two matters of different sectors in one complaint, and the two texts it would be split into.

    `probability` is that of both: the product of what the model gives each half's sector on the half alone. It is a
    suggestion to a person, never acted on.
    """

    first: Ranked
    second: Ranked
    probability: float
    texts: tuple[str, str]


def find_two_matters(
    complaint: Complaint, whole: Prediction, find_surest: FindSurest, least: float = LIKELY_FROM
) -> TwoMatters | None:
    """The likeliest split of a complaint into two matters; None if no split is likely enough.

    Each boundary between sentences is tried: both sides are predicted as complaints of their own, and the split is the
    one whose sides are the surest of two different sectors. Where the `whole` is sure of one sector and no word
    announces a second matter none is tried, so that most complaints cost nothing.
    """
    text = full_text(complaint)
    if whole.sector.probability > SURE_FROM and not _announces_another(text):
        return None
    parts = _parts(text)
    if len(parts) < 2:
        return None
    best: TwoMatters | None = None
    for texts in [(" ".join(parts[:i]), " ".join(parts[i:])) for i in range(1, len(parts))]:
        needed = max(least, best.probability if best else 0.0)
        left = find_surest(replace(complaint, title="", text=texts[0]))
        # However sure the other half is, both can't be surer than one.
        if left.probability < needed:
            continue
        right = find_surest(replace(complaint, title="", text=texts[1]))
        both = left.probability * right.probability
        if left.label != right.label and both >= needed:
            best = TwoMatters(left, right, both, texts)
    return best


def _announces_another(text: str) -> bool:
    folded = text.casefold()
    return any(words in folded for words in _ANNOUNCING) and _ANNOUNCED.search(text) is not None


def _parts(text: str) -> list[str]:
    """The text's sentences, in at most `_MOST_PARTS` parts; one of few words goes with the one before it."""
    parts: list[str] = []
    start = 0
    for end in [*(match.end() for match in _BOUNDARY.finditer(text)), len(text)]:
        part = text[start:end].strip()
        start = end
        if not part:
            continue
        if parts and (len(part.split()) < _FEWEST_WORDS or len(parts[-1].split()) < _FEWEST_WORDS):
            parts[-1] = f"{parts[-1]} {part}"
        else:
            parts.append(part)
    if len(parts) <= _MOST_PARTS:
        return parts
    # Of a long text, runs of neighbouring sentences.
    edges = [round(i * len(parts) / _MOST_PARTS) for i in range(_MOST_PARTS + 1)]
    return [" ".join(parts[a:b]) for a, b in pairwise(edges)]
