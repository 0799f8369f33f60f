"""Plain sentences, written for the project, that nobody could misread: what any bundle should answer to them."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("sentences.csv")


@cache
def plain_sentences(question: str) -> tuple[tuple[str, str], ...]:
    """(label, text) of every sentence for a question, "sector" or "urgency"."""
    with _FILE.open(encoding="utf-8", newline="") as handle:
        return tuple((row["label"], row["text"]) for row in csv.DictReader(handle) if row["question"] == question)
