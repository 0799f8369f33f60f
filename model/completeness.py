"""Completeness: whether a complaint says where, what and what is wrong, and what to ask its writer if it doesn't.

Slots are read off the prepared words by tables. They serve twice: `slot_terms` as features of the learned head, which
decides, and `CompletenessJudge` to say what was found and to ask for exactly what is missing.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from data.lexicon import FOLDER, read_lines, read_table
from model.areas import Mention
from model.memory import RECENT_TEXTS, WordMemory
from model.prediction import Prediction
from model.stemming import is_root
from model.text import PreparedText

INCOMPLETE = "incomplete"
# Where a bundle has no threshold of its own.
INCOMPLETE_FROM = 0.5

_NUMBER = re.compile(r"\d{1,3}[a-z]?|i{1,3}|iv|vi{0,3}|ix|xi{0,3}")
_SPLIT_RT = re.compile(r"r[tw]\d{1,3}")
_RT_WORDS, _RUKUN = frozenset({"rt", "rw", "rukun"}), frozenset({"tetangga", "warga"})
_BESIDE = frozenset("depan belakang samping sebelah seberang dekat".split())
_TOWARDS = frozenset("di daerah kawasan wilayah arah ke dari area jalur utara selatan timur barat sekitar".split())
# They say nothing about where within the region.
_TOO_WIDE = frozenset("surabaya bandung tangerang sby jatim jabar jawa indonesia jakarta".split())
_NUMBERED_SCHOOLS = frozenset("negeri sd sdn smp smpn sma sman smk smkn min mts tk".split())
_COUNTED = frozenset(
    "rb ribu bulan hari tahun jam orang kali kg meter m cm juta jt unit minggu kk anak x thn bln".split()
)
# Between the word for a street or a school and its name: "jalan raya X", "jalan KH X", "sekolah negeri X".
_BETWEEN = frozenset(
    (
        "raya tol provinsi nasional gang kampung negeri umum daerah ra ir kh dr hr hos mayjen letjen brigjen jenderal "
        "jend kapten kolonel profesor prof raden kiai haji insinyur dokter mayor letnan jaksa makan the"
    ).split()
)
_NUMBERED_STREETS = frozenset({"gang", "gg", "jalan", "jl"})
_OWN_PLACES = frozenset({"rumah", "gang", "toko", "tempat"})
_LENGTHS = (6, 12, 20, 35, 60, 100)
_LONGEST_BETWEEN = 4

_EXACT = frozenset({"street", "settlement", "landmark", "numbered", "map", "beside"})
_OBJECTS = ("site", "service", "personal")
_OPENING = "Terima kasih atas laporan Anda. Agar dapat segera kami tindak lanjuti, mohon lengkapi hal berikut."
_CLOSING = "Mohon tidak menuliskan NIK, nomor telepon, atau data pribadi lain dalam jawaban."


class SlotState(StrEnum):
    """Whether a text says a thing, or need not."""

    FOUND = "found"
    MISSING = "missing"
    NOT_NEEDED = "not-needed"


@dataclass(frozen=True)
class Slot:
    """One thing a complaint should say (`place`, `object` or `problem`) and the words that say it."""

    name: str
    state: SlotState
    found: tuple[str, ...] = ()


@dataclass(frozen=True)
class CompletenessAnswer:
    """Whether an officer can act without asking back, the probability that not, the slots, and what to ask ("")."""

    complete: bool
    probability_incomplete: float
    slots: tuple[Slot, ...]
    question: str


@dataclass(frozen=True)
class PlaceFound:
    """A place in a text: its kind and the words, in half-open positions."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class _Role:
    """What a word may be to a place: its first word, or a number after a name."""

    begins_place: bool
    is_number: bool


_NO_ROLE = _Role(begins_place=False, is_number=False)


@dataclass(frozen=True)
class _Questions:
    place_need: str
    place: str
    object: str
    problem: str


@cache
def _questions() -> dict[str, _Questions]:
    with (FOLDER / "missing_questions.csv").open(encoding="utf-8", newline="") as handle:
        return {
            row["sector"]: _Questions(row["place_need"], row["place"], row["object"], row["problem"])
            for row in csv.DictReader(handle)
        }


@cache
def _matters() -> dict[str, tuple[str, ...]]:
    """What a stem speaks of: site, service or personal for objects, problem for what is wrong."""
    kinds: dict[str, tuple[str, ...]] = {}
    with (FOLDER / "matter_words.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            kinds[row["stem"]] = (*kinds.get(row["stem"], ()), row["kind"])
    return kinds


def slot_terms(text: PreparedText) -> list[str]:
    """The names of the slot features that a text has, for the head to learn from.

    The location field is no part of it: those who judged the rows saw the text alone.
    """
    words, stems = text.words.split(), text.stems.split()
    places = _places_of(text)
    kinds = {place.kind for place in places}
    matters = _matters()
    speaks_of = {kind for stem in matters.keys() & stems for kind in matters[stem]}
    grade = _grade(kinds, area_named=text.names_area)
    coarse = grade.removesuffix("+area").removesuffix("+rt")
    length = sum(len(words) >= bound for bound in _LENGTHS)
    somewhere = "somewhere" if coarse in ("exact", "area") else "nowhere"
    terms = {f"place:{kind}" for kind in kinds} | {f"speaks:{kind}" for kind in speaks_of}
    terms |= {f"grade:{grade}", f"length:{length}", f"length:{length}:{somewhere}", f"places:{min(len(places), 4)}"}
    terms |= {f"{kind}:{coarse}" for kind in _OBJECTS if kind in speaks_of}
    if text.names_area:
        terms.add("place:known-area")
    if "problem" not in speaks_of:
        terms.add("no-problem")
    if speaks_of.isdisjoint(_OBJECTS):
        terms.add("no-object")
    if "_nama_" in words:
        terms.add("mask:name")
    if not {"_nik_", "_kk_", "nomor"}.isdisjoint(words):
        terms.add("mask:number")
    return sorted(terms)


def best_f1_threshold(probabilities: NDArray[np.float64], is_incomplete: NDArray[np.bool_]) -> float:
    """The threshold on P(incomplete) (n,) with the best F1 on these rows, which the fit mustn't have seen.

    `INCOMPLETE_FROM` where none of them is incomplete.
    """
    if not is_incomplete.any():
        return INCOMPLETE_FROM
    order = np.argsort(-probabilities, kind="stable")
    hits = np.cumsum(is_incomplete[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + is_incomplete.sum())
    best = int(f1.argmax())
    after = min(best + 1, len(order) - 1)
    return float((probabilities[order[best]] + probabilities[order[after]]) / 2)


class CompletenessJudge:
    """Answers with a threshold on the head's P(incomplete), as `best_f1_threshold` chose it."""

    def __init__(self, threshold: float = INCOMPLETE_FROM) -> None:
        self.threshold = threshold

    def answer(
        self, text: PreparedText, prediction: Prediction, mentions: Sequence[Mention] = ()
    ) -> CompletenessAnswer:
        """The head decides; without one, a missing slot does. `mentions` are the router's, the location field's too."""
        asked = _questions()[prediction.sector.label]
        slots = _slots(text, asked.place_need, mentions)
        missing = [slot.name for slot in slots if slot.state is SlotState.MISSING]
        probability = float(bool(missing))
        if prediction.completeness:
            probability = next((r.probability for r in prediction.completeness if r.label == INCOMPLETE), 0.0)
        complete = probability < self.threshold
        # The head may see that something lacks where the tables see nothing: then what happened is asked.
        question = "" if complete else _question(asked, missing or ["problem"])
        return CompletenessAnswer(complete, probability, slots, question)


@lru_cache(maxsize=RECENT_TEXTS)
def _places_of(text: PreparedText) -> tuple[PlaceFound, ...]:
    """The places of a text, which the head's features ask for, and then the judge."""
    return tuple(find_places(text.words.split(), text.stems.split()))


def find_places(words: Sequence[str], stems: Sequence[str]) -> Iterator[PlaceFound]:
    """The places named in a text's words, in their order."""
    kinds, done = read_table("place_words"), 0
    roles = list(map(_roles.__getitem__, words))
    for place, (role, following) in enumerate(zip(roles, [*roles, _NO_ROLE][1:], strict=True)):
        if not (role.begins_place or following.is_number) or place < done:
            continue
        kind = kinds.get(words[place])
        found = _place_at(kind, words, stems, place)
        if found:
            yield found
        # "Kota X" is too wide to say anything; the number of an RT is no place of its own.
        done = place + (2 if kind == "city" or (found and found.kind == "rt" and found.end - place > 1) else 1)


def _role_of(word: str) -> _Role:
    begins = word in read_table("place_words") or word in _RT_WORDS or word in _BESIDE or word in _TOWARDS
    return _Role(begins or _SPLIT_RT.fullmatch(word) is not None, _NUMBER.fullmatch(word) is not None)


_roles = WordMemory(_role_of)


def _place_at(kind: str | None, words: Sequence[str], stems: Sequence[str], place: int) -> PlaceFound | None:
    """The place that begins at `place`, whose word is of a `kind` of places, or of none."""
    word, following = words[place], words[place + 1] if place + 1 < len(words) else ""
    if kind == "map" or (word[-1].isdigit() and _SPLIT_RT.fullmatch(word)):
        return PlaceFound("map" if kind else "rt", place, place + 1)
    if not following or kind == "city":
        return None
    if kind:
        return _named_place(kind, words, stems, place)
    if word in _RT_WORDS:
        number = place + (2 if word == "rukun" and following in _RUKUN else 1)
        is_numbered = number < len(words) and words[number].isdigit()
        return PlaceFound("rt", place, number + 1) if is_numbered else None
    if word in _BESIDE and following in _OWN_PLACES:
        return PlaceFound("vague", place, place + 2)
    if word in _BESIDE or word in _TOWARDS:
        is_named = _is_proper(words, stems, place + 1)
        return PlaceFound("beside" if word in _BESIDE else "named", place, place + 2) if is_named else None
    if _NUMBER.fullmatch(following):
        is_named = _is_proper(words, stems, place) and not _counts(words, place + 2)
        return PlaceFound("numbered", place, place + 2) if is_named else None
    return None


def _named_place(kind: str, words: Sequence[str], stems: Sequence[str], place: int) -> PlaceFound | None:
    """The place whose kind of word stands at `place`, if a name follows."""
    at = place + 1
    while at < min(len(words) - 1, place + _LONGEST_BETWEEN) and words[at] in _BETWEEN:
        at += 1
    word, name = words[place], words[at]
    is_number = _NUMBER.fullmatch(name) is not None
    # An affixed word or one that speaks of the matter is no name: "jalan berlubang", "jalan rusak".
    may_be_name = name.isalpha() and len(name) > 2 and name == stems[at] and not _is_common(name)
    if kind == "street":
        named = may_be_name and (word != "raya" or _is_proper(words, stems, at))
        named = named or (is_number and word in _NUMBERED_STREETS and not _counts(words, at + 1))
    elif kind == "settlement":
        named = (may_be_name and name not in read_table("place_words")) or (word in ("blok", "blk") and len(name) < 4)
    else:
        named = _is_proper(words, stems, at) or (is_number and word in _NUMBERED_SCHOOLS)
    return PlaceFound(kind, place, at + 1) if named else None


def _counts(words: Sequence[str], place: int) -> bool:
    """Whether a unit stands there, so that the number before it counts something."""
    return place < len(words) and words[place] in _COUNTED


def _is_common(word: str) -> bool:
    return word in read_lines("not_place_names") or word in _TOO_WIDE or word in _matters()


def _is_proper(words: Sequence[str], stems: Sequence[str], place: int) -> bool:
    """Whether no table knows the word, so that it is likely a name."""
    word = words[place]
    return len(word) > 3 and word.isalpha() and not _is_common(word) and not is_root(stems[place])


def _grade(kinds: set[str], *, area_named: bool) -> str:
    """How well the place is known."""
    in_area = area_named or "area" in kinds
    if kinds & _EXACT:
        return "exact+area" if in_area else "exact"
    if in_area:
        return "area+rt" if "rt" in kinds else "area"
    return "named" if "named" in kinds else "rt" if "rt" in kinds else "none"


def _slots(text: PreparedText, place_need: str, mentions: Sequence[Mention]) -> tuple[Slot, ...]:
    words, stems = text.words.split(), text.stems.split()
    places = [found for found in _places_of(text) if found.kind != "vague"]
    shown = [" ".join(words[found.start : found.end]) for found in places]
    shown += [mention.area.full_name for mention in mentions]
    # A kecamatan from the form's own field doesn't find a hole in a road; in the text it comes with more.
    telling = [mention for mention in mentions if not (mention.in_location and mention.area.is_district)]
    is_known = bool(telling) or any(found.kind != "rt" for found in places)
    if place_need == "area":
        is_known = bool(mentions) or any(found.kind == "area" for found in places)
    elif place_need == "unit":
        is_known = is_known or bool(mentions)
    matters = _matters()
    spoken = matters.keys() & stems
    about = [(word, kind) for word, stem in zip(words, stems, strict=True) if stem in spoken for kind in matters[stem]]
    return (
        Slot("place", _state(is_known, needed=place_need != "none"), tuple(dict.fromkeys(shown))),
        *(
            Slot(name, _state(bool(said), needed=True), said)
            for name, kinds in (("object", _OBJECTS), ("problem", ("problem",)))
            for said in [tuple(dict.fromkeys(word for word, kind in about if kind in kinds))]
        ),
    )


def _state(is_known: bool, *, needed: bool) -> SlotState:
    if is_known:
        return SlotState.FOUND
    return SlotState.MISSING if needed else SlotState.NOT_NEEDED


def _question(asked: _Questions, missing: Sequence[str]) -> str:
    """A polite question for what is missing."""
    return " ".join([_OPENING, *(str(getattr(asked, name)) for name in missing), _CLOSING])
