"""Plain sentences: what nobody could misread, for every sector, is read right by the model of the shipped corpus."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from data.complaint import Complaint, LabelledRow
from data.sectors import all_sectors
from training.fitting import Training

REGION = "kab-tangerang"
SENTENCES = Path(__file__).with_name("plain_sentences.csv")
FEWEST_A_SECTOR = 10
# Measured when they were written: .91 right, .97 among the first three, no sector below 5 of 12.
RIGHT, AMONG_THREE, RIGHT_IN_A_SECTOR = 0.88, 0.95, 0.4
RUN = 6


@pytest.fixture(scope="module")
def sentences() -> list[tuple[str, str]]:
    """(sector, text) pairs."""
    with SENTENCES.open(encoding="utf-8", newline="") as handle:
        return [(row["sector"], row["text"]) for row in csv.DictReader(handle)]


def test_every_sector_has_its_sentences(sentences: list[tuple[str, str]]) -> None:
    counts = Counter(sector for sector, _ in sentences)
    assert counts.keys() == all_sectors().keys()
    assert min(counts.values()) >= FEWEST_A_SECTOR


def test_no_sentence_stands_in_the_corpus(sentences: list[tuple[str, str]], sample_rows: list[LabelledRow]) -> None:
    known = {run for row in sample_rows for run in runs(row.complaint.text)}
    assert [text for _, text in sentences if known & runs(text)] == []


def test_plain_sentences_are_read_right(training: Training, sentences: list[tuple[str, str]]) -> None:
    answers = training.bundle.predict([Complaint(text, region=REGION) for _, text in sentences])
    right = [answer.sector.label == sector for answer, (sector, _) in zip(answers, sentences, strict=True)]
    three = [
        sector in [ranked.label for ranked in answer.sectors[:3]]
        for answer, (sector, _) in zip(answers, sentences, strict=True)
    ]
    wrong = Counter(sector for is_right, (sector, _) in zip(right, sentences, strict=True) if not is_right)
    rows = Counter(sector for sector, _ in sentences)
    print(
        f"plain sentences: {1 - sum(right) / len(right):.3f} wrong, {1 - sum(three) / len(three):.3f} not among three"
    )
    assert sum(right) >= RIGHT * len(right)
    assert sum(three) >= AMONG_THREE * len(three)
    assert {
        sector for sector, count in rows.items() if rows[sector] - wrong[sector] < RIGHT_IN_A_SECTOR * count
    } == set()


def runs(text: str) -> set[str]:
    """A text's runs of six words."""
    words = text.lower().split()
    return {" ".join(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}
