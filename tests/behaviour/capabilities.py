"""Capabilities: how often the model fails at one, against the ceiling that `ceilings.csv` states for it.

A capability is a name and its cases (Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with
CheckList"): pairs whose answers must agree (invariance), pairs whose answers must move one way (direction), or
sentences with their label (minimum functionality). `pytest tests/behaviour -s` prints a line for each: cases, failure
rate, ceiling.

To add one, add it to the table of its test module. `REMEASURE=1 pytest tests/behaviour -s` then writes every rate and
its ceiling into `ceilings.csv` instead of asserting; look at the difference before you keep it.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data.complaint import Complaint
from model.bundle import Bundle
from model.prediction import Prediction, Ranked

REGION = "kab-tangerang"
FOLDER = Path(__file__).parent
CEILINGS = "ceilings.csv"

Ask = Callable[[Complaint], Prediction]
# A complaint, and the same after a change whose effect on the answer is known.
Pair = tuple[Complaint, Complaint]
# Whether the answer after a change, compared with the one before, is a failure.
Fails = Callable[[Prediction, Prediction], bool]


@dataclass(frozen=True)
class FailureRate:
    """How many of a capability's cases failed."""

    capability: str
    cases: int
    failed: int

    @property
    def rate(self) -> float:
        return self.failed / self.cases

    @property
    def ceiling(self) -> float:
        """The share to tolerate from now on: two cases more, or a standard error and 0.02; never that all fail.

        A retraining moves some answers; a capability that is lost moves more than these.
        """
        error = math.sqrt(self.rate * (1 - self.rate) / self.cases)
        slack = max(self.rate + error + 0.02, (self.failed + 2) / self.cases)
        return min(math.ceil(100 * slack) / 100, 0.95)

    def __str__(self) -> str:
        return f"{self.capability:<36} {self.cases:4d} cases  {self.rate:.3f} failed"


def check(capability: str, failed: Sequence[bool]) -> None:
    """Print a capability's line, and hold its failure rate to its ceiling."""
    found = FailureRate(capability, len(failed), sum(failed))
    if os.environ.get("REMEASURE"):
        remeasure(found)
    ceiling = float(ceilings()[capability]["ceiling"])
    print(f"\n{found}  ceiling {ceiling:.2f}", end="")
    assert found.rate <= ceiling, f"{found}, more than {ceiling:.2f}: see tests/behaviour/capabilities.py"


def ceilings() -> dict[str, dict[str, str]]:
    """The lines of `ceilings.csv` by capability."""
    return {row["capability"]: row for row in read_table(CEILINGS)}


def remeasure(found: FailureRate) -> None:
    """Write a failure rate and the ceiling that follows from it into `ceilings.csv`."""
    line = {
        "capability": found.capability,
        "cases": str(found.cases),
        "measured": f"{found.rate:.3f}",
        "ceiling": f"{found.ceiling:.2f}",
    }
    lines = ceilings() | {found.capability: line}
    with (FOLDER / CEILINGS).open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, line, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines.values())


def asking(bundle: Bundle) -> Ask:
    """A function that gives a bundle's answer to a complaint, and remembers it."""
    return cache(lambda complaint: bundle.predict([complaint])[0])


def failures(ask: Ask, pairs: Iterable[Pair], fails: Fails) -> list[bool]:
    """For each pair whether its two answers fail."""
    return [fails(ask(before), ask(after)) for before, after in pairs]


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file beside this module."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def complaint(text: str, title: str = "") -> Complaint:
    """A complaint of the sample corpus's region."""
    return Complaint(text, title=title, region=REGION)


def pairs_of(capability: str) -> list[Pair]:
    """The pairs that `sentence_pairs.csv` holds for a capability."""
    rows = read_table("sentence_pairs.csv")
    return [(complaint(row["text"]), complaint(row["other"])) for row in rows if row["capability"] == capability]


def labelled_sentences(question: str) -> list[tuple[str, str]]:
    """(label, text) of the sentences that `labelled_sentences.csv` holds for a question."""
    return [(row["label"], row["text"]) for row in read_table("labelled_sentences.csv") if row["question"] == question]


def probability(answer: Sequence[Ranked], label: str) -> float:
    """The probability of a label; 0 where the head doesn't know it."""
    return sum(ranked.probability for ranked in answer if ranked.label == label)


def expected_urgency(prediction: Prediction) -> float:
    """The mean urgency in levels, 0 to 3, under the urgency head's probabilities."""
    return sum(int(ranked.label) * ranked.probability for ranked in prediction.urgency)
