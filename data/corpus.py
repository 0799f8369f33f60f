"""The sample corpus: complaints written for the project and shipped with it, which every training may learn from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from data.complaint import LabelledRow
from data.rows import read_rows

SAMPLES = Path(__file__).parent / "samples" / "kab-tangerang.csv"


def corpus_beside(rows: Iterable[LabelledRow]) -> list[LabelledRow]:
    """The corpus's rows that aren't among `rows` already."""
    known = {row.id for row in rows}
    return [row for row in read_rows([SAMPLES], SAMPLES.stem).rows if row.id not in known]
