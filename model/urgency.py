"""Urgency: the model's level of one complaint, raised where the text names an emergency, with reasons people can read.

A danger sign is a line of `data/lexicons/danger_signs.csv`: groups of words that must stand near each other. All signs
are features of the model (`sign_terms`); those of an emergency also raise its answer, and none ever lowers it, because
an emergency that waits costs more than one seen in vain.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from data.complaint import Urgency
from data.lexicon import FOLDER
from model.memory import RECENT_TEXTS
from model.prediction import Ranked
from model.text import PreparedText

# Words shortly before a sign that turn it round, that make it a fear or a plan, or that only ask for something.
_NEGATING = frozenset("tidak bukan belum tanpa jangan".split())
_IMAGINING = frozenset("agar supaya sebelum cegah antisipasi hindar khawatir takut andai misal kalau bila jika".split())
_ASKING = frozenset("cara syarat prosedur info informasi tanya jadwal".split())
# Words around a sign by which it is over, or was an exercise only.
_PAST = frozenset("pernah dulu dahulu pasca bekas padam surut lalu".split())
_STAGED = frozenset("simulasi latih pelatihan sosialisasi edukasi lomba seminar film".split())
# A danger that is there now, whatever else is said of it.
_PRESENT = frozenset("sekarang masih barusan rambat merambat membesar".split())
_NOT_YET = frozenset("belum tidak masih".split())
_ENDS = frozenset({"padam", "surut"})
_HAPPENS = frozenset("ada jadi terjadi pernah".split())
_MOMENTS = frozenset("detik menit jam".split())
_NEGATED_WITHIN = 2
_BEFORE = 4
_MOST_COUNTED = {Urgency.TINGGI: 3, Urgency.DARURAT: 2}


@dataclass(frozen=True)
class DangerSign:
    """A line of the list: within `span` words of one of the first group stands one of each other, and none of `unless`.

    A word is met as spelled in the prepared text or by its stem. `reason` is what moderators read.
    """

    level: Urgency
    span: int
    groups: tuple[frozenset[str], ...]
    unless: frozenset[str]
    reason: str

    @cached_property
    def own_words(self) -> frozenset[str]:
        """The words of all groups; none of them speaks against the sign itself."""
        return frozenset().union(*self.groups)


@dataclass(frozen=True)
class UrgencyAssessment:
    """How urgent a complaint is.

    `probabilities` are the model's, for the levels from 0 to 3, before any raising. `raised_by` holds the signs that
    lifted the level above the model's. `reasons` says in Indonesian which dangers the text names, none above the level.
    `score` orders a queue, most urgent highest: the probability of level 2 or more, and 1 more where signs raised it.
    """

    level: Urgency
    probabilities: tuple[float, ...]
    raised_by: tuple[DangerSign, ...]
    reasons: tuple[str, ...]
    score: float


def assess_urgency(ranked: Sequence[Ranked], text: PreparedText) -> UrgencyAssessment:
    """The model's likeliest level, or the highest where the text names an emergency.

    `ranked` holds the levels "0" to "3" with their probabilities, likeliest first; a level that is missing has none.
    Raises ValueError if it is empty.
    """
    if not ranked:
        raise ValueError("There is no urgency to assess: the bundle has no such head.")
    by_label = {level.label: level.probability for level in ranked}
    probabilities = tuple(by_label.get(str(int(level)), 0.0) for level in Urgency)
    likeliest = Urgency(int(ranked[0].label))
    signs = find_danger_signs(text)
    raised_by = tuple(sign for sign in signs if sign.level is Urgency.DARURAT and sign.level > likeliest)
    level = Urgency.DARURAT if raised_by else likeliest
    return UrgencyAssessment(
        level=level,
        probabilities=probabilities,
        raised_by=raised_by,
        reasons=tuple(dict.fromkeys(sign.reason for sign in (*raised_by, *signs) if sign.level <= level)),
        score=sum(probabilities[Urgency.TINGGI :]) + (1.0 if raised_by else 0.0),
    )


def sign_terms(text: PreparedText) -> list[str]:
    """How many signs of each level stand in a text, as features: one of level 2 is "tinggi-1", two add "tinggi-2"."""
    levels = [sign.level for sign in find_danger_signs(text)]
    return [
        f"{level.name.lower()}-{number}"
        for level, most in _MOST_COUNTED.items()
        for number in range(1, min(levels.count(level), most) + 1)
    ]


@lru_cache(maxsize=RECENT_TEXTS)
def find_danger_signs(text: PreparedText) -> tuple[DangerSign, ...]:
    """The signs that stand in a text, each once, in the order of the list. Linear in the text's length."""
    signs, by_anchor = danger_signs(), _signs_by_anchor()
    words, stems = text.words.split(), text.stems.split()
    present = {*words, *stems}
    # A cheap look first: few texts hold a word of each of a sign's groups at all.
    possible = [
        (word, number)
        for word in by_anchor.keys() & present
        for number in by_anchor[word]
        if not any(map(present.isdisjoint, signs[number].groups[1:]))
    ]
    if not possible:
        return ()
    places: dict[str, list[int]] = {}
    for place, (word, stem) in enumerate(zip(words, stems, strict=True)):
        places.setdefault(word, []).append(place)
        if stem != word:
            places.setdefault(stem, []).append(place)
    found = {
        number
        for word, number in possible
        if any(_stands_at(signs[number], words, stems, place) for place in places[word])
    }
    return tuple(signs[number] for number in sorted(found))


def _stands_at(sign: DangerSign, words: Sequence[str], stems: Sequence[str], place: int) -> bool:
    """Whether a sign whose first group is met at a place has its other groups beside it, and nothing against it."""
    start, end = max(place - sign.span, 0), place + 1 + sign.span
    beside = {*words[start:place], *stems[start:place], *words[place + 1 : end], *stems[place + 1 : end]}
    if any(beside.isdisjoint(group) for group in sign.groups[1:]) or not beside.isdisjoint(sign.unless):
        return False
    others = beside - sign.own_words
    nearest = max(place - _NEGATED_WITHIN, 0)
    # An emergency is seldom asked about: there a question must stand right before it.
    asked = nearest if sign.level == Urgency.DARURAT else max(place - _BEFORE, 0)
    if not _ASKING.isdisjoint({*words[asked:place], *stems[asked:place]} - sign.own_words):
        return False
    if any(_negates(words, at, place) for at in range(nearest, place)) or not _STAGED.isdisjoint(others):
        return False
    if sign.level < Urgency.DARURAT or not _PRESENT.isdisjoint(others):
        return True
    before = {*words[max(place - _BEFORE, 0) : place], *stems[max(place - _BEFORE, 0) : place]} - sign.own_words
    is_over = any(_is_past(words, stems, at) for at in range(start, min(end, len(words))) if at != place)
    return _IMAGINING.isdisjoint(before) and not is_over


def _negates(words: Sequence[str], at: int, place: int) -> bool:
    """Whether the word at `at` denies the sign at `place`: "belum" of another thing ("belum datang") doesn't."""
    if words[at] == "belum":
        return at == place - 1 or words[at + 1] in _HAPPENS
    return words[at] in _NEGATING


def _is_past(words: Sequence[str], stems: Sequence[str], at: int) -> bool:
    """Whether the word says that it is over: not after "belum" ("belum padam"), nor "lalu" in "10 menit lalu"."""
    word = words[at]
    # Who puts a fire out ("pemadam", "memadamkan") hasn't done so yet.
    if word not in _PAST and (stems[at] not in _PAST or word.startswith(("pem", "mem"))):
        return False
    before, after = words[at - 1] if at else "", words[at + 1] if at + 1 < len(words) else ""
    if word == "lalu":
        return not after.startswith("lintas") and before not in _MOMENTS
    return before not in _NOT_YET or stems[at] not in _ENDS


@cache
def danger_signs() -> tuple[DangerSign, ...]:
    """The list, in its order."""
    with (FOLDER / "danger_signs.csv").open(encoding="utf-8", newline="") as handle:
        return tuple(
            DangerSign(
                level=Urgency(int(row["level"])),
                span=int(row["within"]),
                groups=tuple(frozenset(group.split("|")) for group in row["words"].split()),
                unless=frozenset(row["unless"].split()),
                reason=row["reason"],
            )
            for row in csv.DictReader(handle)
        )


@cache
def _signs_by_anchor() -> Mapping[str, tuple[int, ...]]:
    """Word of a first group -> the numbers of its signs."""
    numbers: dict[str, list[int]] = {}
    for number, sign in enumerate(danger_signs()):
        for word in sign.groups[0]:
            numbers.setdefault(word, []).append(number)
    return {word: tuple(found) for word, found in numbers.items()}
