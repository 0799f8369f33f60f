"""Invariance: what says nothing about the matter changes neither its sector nor its urgency."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache

import pytest

from data.region import load_region
from model.prediction import Prediction
from tests.behaviour.capabilities import (
    REGION,
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

SENTENCES_A_SECTOR = 2
# By how much an answer may move and still be the same: probability of the first sector, levels of urgency.
MOST_PROBABILITY, MOST_LEVELS = 0.3, 0.5
LONG_WORD = re.compile(r"\b[a-z]{7,}\b")

# A sentence and its turn, which chooses among variants; None where a sentence offers nothing to change.
Change = Callable[[str, int], Pair | None]


def into(*variants: str, plain: str = "{}") -> Change:
    """The sentence set into `plain`, against the sentence set into one of the variants."""
    return lambda text, turn: (complaint(plain.format(text)), complaint(variants[turn % len(variants)].format(text)))


def as_typed(change: Callable[[str], str]) -> Change:
    """The sentence against what a change makes of it."""
    return lambda text, turn: (complaint(text), complaint(change(text)))


def with_typo(text: str, turn: int) -> Pair | None:
    """One long word with two letters swapped, or a letter dropped or doubled; never its first or last."""
    words = list(LONG_WORD.finditer(text))
    if not words:
        return None
    chance = random.Random(turn)
    found = chance.choice(words)
    word, place = found.group(), chance.randrange(1, len(found.group()) - 2)
    left, letter, next_letter, right = word[:place], word[place], word[place + 1], word[place + 2 :]
    middle = (next_letter + letter, next_letter, letter + letter + next_letter)[turn % 3]
    return complaint(text), complaint(text[: found.start()] + left + middle + right + text[found.end() :])


def with_title(text: str, turn: int) -> Pair | None:
    """The first clause as the title, against the title written before or behind the text."""
    title, comma, rest = text.partition(", ")
    if not comma:
        return None
    moved = (f"{title}. {rest}", f"{rest} {title}.")[turn % 2]
    return complaint(rest, title=title), complaint(moved)


def elsewhere(text: str, turn: int) -> Pair | None:
    """Every place named in the sentence, against another of the region of the same kind."""
    pattern, kinds = places()
    chance = random.Random(turn)
    moved = pattern.sub(lambda found: chance.choice(kinds[found.group()]), text)
    return (complaint(text), complaint(moved)) if moved != text else None


@cache
def places() -> tuple[re.Pattern[str], dict[str, list[str]]]:
    """A pattern of the region's place names, and for each name all names of its kind."""
    areas = load_region(REGION).areas
    names = {area.name: [other.name for other in areas if other.kind == area.kind] for area in areas}
    longest_first = sorted(names, key=len, reverse=True)
    # Not as a sentence's first word, where its capital doesn't show a name.
    return re.compile(rf"(?<=[^.?!] )(?:{'|'.join(map(re.escape, longest_first))})\b"), names


# Capability: change. The names are ones that are words too; the numbers are nobody's.
CHANGES: dict[str, Change] = {
    "person names": into(
        "Saya Slamet Widodo. {}",
        "Saya Melati Puspa Indah. {}",
        "Nama saya Guntur Bintang Samudra. {}",
        "Saya H. Untung Jaya, S.Pd. {}",
        "Perkenalkan, saya Ujang. {}",
        "Saya Maria Simanjuntak. {}",
        plain="Saya Budi Santoso. {}",
    ),
    "place names": elsewhere,
    "greetings": into(
        "Yth. Bapak dan Ibu di tempat, {}",
        "Assalamualaikum wr. wb. {}",
        "Mohon maaf sebelumnya, {}",
        "Selamat pagi min, izin melapor. {}",
        "Dengan hormat, dengan ini saya sampaikan pengaduan sebagai berikut. {}",
    ),
    # Who is asked isn't yet who must act: people write to whom they know.
    "addressees": into(
        "Yth. Bapak Bupati, {}",
        "Kepada Yth. Ibu Camat di tempat. {}",
        "Pak Lurah, {}",
        "Kepada Bapak Gubernur: {}",
        "Yth. Bapak Presiden, {}",
        "Untuk dinas terkait. {}",
    ),
    "closings": into(
        "{} Terima kasih.",
        "{} Mohon segera ditindaklanjuti, atas perhatiannya kami ucapkan terima kasih.",
        "{} Wassalamualaikum wr. wb.",
        "{} Hormat kami, warga.",
        "{} Makasih banyak ya min, sehat selalu.",
    ),
    "upper case": as_typed(str.upper),
    "lower case": as_typed(str.lower),
    "no punctuation": as_typed(lambda text: re.sub(r"[^\w\s-]", "", text)),
    "punctuation and emoji": into("{}!!!!", "{} 🙏🙏🙏", "{} 😡😡", "{}..........", "😭 {} ???"),
    "typos": with_typo,
    "title in the text": with_title,
    "phone numbers": into(
        "{} Hubungi saya di 0812-3456-7890.",
        "{} Hubungi saya di +62 857 1111 2222.",
        "{} Hubungi saya di 081900001111.",
        plain="{} Hubungi saya di [TELEPON].",
    ),
    "channel boilerplate": into(
        "Laporan masuk melalui WhatsApp: {}",
        "{} (Dikirim dari aplikasi Android)",
        "[Instagram] {} Lampiran: 2 foto.",
        "Nomor tiket 1234567. Kanal: situs web. Isi laporan: {}",
        "{} Sent from my iPhone",
    ),
}
SPELLINGS = ("slang", "Javanese", "Sundanese", "Betawi")


def sector_moves(before: Prediction, after: Prediction) -> bool:
    """Whether another sector comes first, or the same one with a quite different probability."""
    now = probability(after.sectors, before.sector.label)
    return after.sector.label != before.sector.label or abs(now - before.sector.probability) > MOST_PROBABILITY


def urgency_moves(before: Prediction, after: Prediction) -> bool:
    """Whether another level comes first, or the expected level is quite another."""
    moved = abs(expected_urgency(after) - expected_urgency(before))
    return after.urgency[0].label != before.urgency[0].label or moved > MOST_LEVELS


QUESTIONS: dict[str, Fails] = {"sector": sector_moves, "urgency": urgency_moves}


@cache
def bases() -> list[str]:
    """Sentences to change: the first of each sector's plain ones, and those of each urgency."""
    plain: dict[str, list[str]] = {}
    for row in read_table("plain_sentences.csv"):
        plain.setdefault(row["sector"], []).append(row["text"])
    chosen = [text for texts in plain.values() for text in texts[:SENTENCES_A_SECTOR]]
    return chosen + [text for _, text in labelled_sentences("urgency")]


def pairs(capability: str) -> list[Pair]:
    """A capability's cases: written down, or sentences with a change."""
    if capability in SPELLINGS:
        return pairs_of(capability)
    # Few of the chosen sentences name a place, so all plain ones are asked.
    texts = [row["text"] for row in read_table("plain_sentences.csv")] if capability == "place names" else bases()
    changed = [CHANGES[capability](text, turn) for turn, text in enumerate(texts)]
    return [pair for pair in changed if pair]


@pytest.fixture(scope="module")
def ask(training: Training) -> Ask:
    return asking(training.bundle)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("capability", [*CHANGES, *SPELLINGS])
def test_what_says_nothing_of_the_matter_changes_no_answer(ask: Ask, capability: str, question: str) -> None:
    check(f"{capability}: {question}", failures(ask, pairs(capability), QUESTIONS[question]))
