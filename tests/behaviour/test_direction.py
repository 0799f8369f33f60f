"""Direction: a fact that was added moves an answer the way it must, or leaves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from data.complaint import Jurisdiction, Urgency
from model.bundle import COMPLETE
from model.prediction import Prediction
from tests.behaviour.capabilities import (
    Ask,
    Fails,
    Pair,
    asking,
    check,
    complaint,
    expected_urgency,
    failures,
    labelled_sentences,
    pairs_of,
    probability,
    read_table,
)
from training.fitting import Training

# A movement this small is none: levels of urgency, probability.
SAME_LEVELS, SAME_PROBABILITY = 0.1, 0.05
MOST_LEVELS_LOST = 0.5
# The mean rise in levels of urgency by a danger that was added; measured: 0.93.
MEAN_RISE = 0.7
SHOUTS = ("{} TOLONG SEGERA!!!", "WOI {}!!!!!!", "{} Cepat dong, jangan diam saja!!", "{} SAYA SANGAT MARAH!!!")
COURTESIES = (
    "Mohon dengan hormat, {} Terima kasih banyak.",
    "Mohon maaf mengganggu waktunya, {}",
    "{} Semoga Bapak dan Ibu sehat selalu.",
    "{} Mohon berkenan menindaklanjuti, atas perhatiannya kami ucapkan terima kasih.",
)
REPAIRED = (
    "{} Sekarang sudah diperbaiki, terima kasih.",
    "{} Alhamdulillah sudah ditangani petugas, terima kasih.",
    "Sudah selesai ditangani, terima kasih. {}",
)
PLACES = (
    "{} Lokasinya di Jalan Raya Serang, Kecamatan Cikupa.",
    "{} Lokasi: Jalan Merdeka RT 02 RW 03, Kecamatan Curug.",
    "{} Di Jalan Raya Mauk, Kecamatan Sepatan.",
    "Jalan Melati, Kecamatan Balaraja: {}",
)


def levels_gained(before: Prediction, after: Prediction) -> float:
    """Levels of urgency, as expected, that a change adds."""
    return expected_urgency(after) - expected_urgency(before)


def chance_gained(before: Prediction, after: Prediction) -> float:
    """Probability that a change adds to an answer of complete."""
    return probability(after.completeness, COMPLETE) - probability(before.completeness, COMPLETE)


def distance_gained(before: Prediction, after: Prediction) -> float:
    """Probability that a change adds to an answer of another government than the local one."""
    return probability(before.jurisdiction, Jurisdiction.LOCAL) - probability(after.jurisdiction, Jurisdiction.LOCAL)


def dangers() -> list[Pair]:
    """Ordinary complaints, and the same with a danger to people."""
    return [
        (complaint(row["text"]), complaint(f"{row['text']} {row['fact']}")) for row in read_table("danger_facts.csv")
    ]


def of_urgency(variants: Sequence[str]) -> list[Pair]:
    """Every sentence with a known urgency, set into each variant in turn."""
    texts = [text for _, text in labelled_sentences("urgency")]
    return [
        (complaint(text), complaint(variants[turn % len(variants)].format(text))) for turn, text in enumerate(texts)
    ]


def emergencies_with_courtesy() -> list[Pair]:
    """Every emergency, and the same with each courtesy."""
    texts = [text for level, text in labelled_sentences("urgency") if level == str(int(Urgency.DARURAT))]
    return [(complaint(text), complaint(variant.format(text))) for text in texts for variant in COURTESIES]


def shouted() -> list[Pair]:
    """Sentences, and the same in capitals or with shouting about them."""
    pairs = of_urgency(SHOUTS)
    return pairs + [(plain, complaint(plain.text.upper() + "!!!")) for plain, _ in pairs]


def placed() -> list[Pair]:
    """Sentences that lack something, and the same with a street and its kecamatan."""
    texts = [text for label, text in labelled_sentences("completeness") if label != COMPLETE]
    return [(complaint(text), complaint(variant.format(text))) for text in texts for variant in PLACES]


@dataclass(frozen=True)
class Direction:
    """Pairs, and whether their answers go the wrong way."""

    pairs: Callable[[], list[Pair]]
    fails: Fails


DIRECTIONS = {
    "danger never lowers urgency": Direction(dangers, lambda *pair: levels_gained(*pair) < -SAME_LEVELS),
    "danger raises urgency": Direction(dangers, lambda *pair: levels_gained(*pair) <= SAME_LEVELS),
    "shouting doesn't raise urgency": Direction(shouted, lambda *pair: levels_gained(*pair) > SAME_LEVELS),
    "courtesy doesn't raise urgency": Direction(
        lambda: of_urgency(COURTESIES), lambda *pair: levels_gained(*pair) > SAME_LEVELS
    ),
    "courtesy doesn't lower an emergency": Direction(
        emergencies_with_courtesy, lambda *pair: levels_gained(*pair) < -MOST_LEVELS_LOST
    ),
    "repair doesn't raise urgency": Direction(
        lambda: of_urgency(REPAIRED), lambda *pair: levels_gained(*pair) > SAME_LEVELS
    ),
    "a place never makes incomplete": Direction(placed, lambda *pair: chance_gained(*pair) < -SAME_PROBABILITY),
    "a place makes complete": Direction(placed, lambda *pair: chance_gained(*pair) <= SAME_PROBABILITY),
    "another government is heard": Direction(
        lambda: pairs_of("another government"), lambda *pair: distance_gained(*pair) <= SAME_PROBABILITY
    ),
}


@pytest.fixture(scope="module")
def ask(training: Training) -> Ask:
    return asking(training.bundle)


@pytest.mark.parametrize("capability", DIRECTIONS)
def test_a_fact_moves_the_answer_the_way_it_must(ask: Ask, capability: str) -> None:
    direction = DIRECTIONS[capability]
    check(capability, failures(ask, direction.pairs(), direction.fails))


def test_danger_raises_urgency_on_average(ask: Ask) -> None:
    rises = [levels_gained(ask(before), ask(after)) for before, after in dangers()]
    print(f"\nmean rise of urgency by a danger: {sum(rises) / len(rises):.2f} levels, at least {MEAN_RISE}", end="")
    assert sum(rises) / len(rises) >= MEAN_RISE
