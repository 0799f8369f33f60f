"""Similar cases: which earlier cases a complaint resembles, by its words, its place and its time.

Similarity is the cosine of stems and pairs of stems, the bundle's word features (sublinear tf-idf). Of the real rows
that have a near-copy, in two thirds, that view puts one first for 98.5 and 99.6 %, characters for 97.2 and 98.7 %,
stems alone for 95.7 and 98.5 %, pairs alone for 96.9 and 97.2 %. Words and characters together do as well (98.2 and
99.8 %), for ten times the memory.

The index holds no text, but numbers of features, from which a text's words could be read again, and hashes of places:
a case whose text is deleted must be forgotten. It doesn't know who may see what: to leave secret (rahasia) cases out,
or to hide what is found, is the caller's part. Figures are `benchmarks.similar`'s unless a comment says otherwise.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import accumulate
from math import sqrt
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from data.complaint import Complaint
from data.region import fold_name, known_regions, load_region
from model.areas import finder_of
from model.bundle import Bundle, Reading
from model.text import TextChain, full_text

# The laxest of the tried thresholds at which 95 % of flagged pairs were near-copies, on a third of the real rows (97 %
# there, with 86 % of all pairs; on a third kept aside 97 % and 91 %).
NEAR_COPY_FROM = 0.75
# Read by one reader on a third kept aside: of 36 pairs that only this rule flags, 8 are near-copies and 19 more tell of
# the same matter. On the third it was chosen on, pairs of 0.5 to 0.6 that lie further apart were mostly others.
SAME_WORDS_FROM = 0.97
SAME_MATTER_FROM = 0.5
SAME_MATTER_DAYS = 3.0
# Texts of one known term are alike by themselves: "sampah" and "sampah".
_FEWEST_TERMS = 2

# Modest, so that the text decides: in three thirds of the real rows this order put a near-copy first as often as text
# alone in two (99.6 to 100 %), and for 97.6 % instead of 99.2 % of rows in one. Half of the near-copies come within two
# hours, three quarters in about four days. Of the five nearest, 13 % instead of 11 % are of the same place.
UNKNOWN_PLACE, OTHER_PLACE = 0.95, 0.9
LONG_AGO = 0.9
HALF_LIFE_DAYS = 30.0

# What a text may cost. The longest of the real ones has 9,551 characters, and 1 % have more than 283 terms.
LONGEST_TEXT = 20_000
MOST_TERMS = 256
# Lists read whole, and cases in which the other terms are looked up: the five nearest were those of reading all lists
# in each of 200 queries on 100,000 cases, with 20,000 and 50 already.
POSTINGS_READ = 100_000
CANDIDATES = 100
_ROUNDING = 1e-3

Floats = NDArray[np.float32]
Days = NDArray[np.float64]
Places = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SimilarCase:
    """An earlier case that a complaint resembles.

    `similarity`: 0..1, of the words alone. `days_apart`: how many days earlier it was received. `same_place`: whether
    both name the same area or location; None if one names none, or they can't be compared.
    """

    case_id: str
    similarity: float
    is_duplicate: bool
    days_apart: float
    same_place: bool | None


@dataclass(frozen=True)
class Traits:
    """What the index knows of a complaint: numbers of its terms (n,), their weights (n,) of length 1, and its place.

    `place` is a hash of the area, or of the location field where that names none; `within` one of the area's kecamatan.
    0 means unknown.
    """

    terms: NDArray[np.int32]
    weights: Floats
    place: int = 0
    within: int = 0


class SimilarCases:
    """An index in memory of one bundle's cases. Another bundle has other features: build it anew.

    Thread-safe: one lock guards reading and writing, and is held for the arithmetic of a query (a few milliseconds) but
    not while a text is read, so threads wait for each other briefly. The place of a forgotten case is used again.
    """

    def __init__(self, bundle: Bundle) -> None:
        # Without the encoder: an embedding costs more than all the rest and isn't looked at.
        self._chain = TextChain(bundle.text_steps, bundle.stems) if bundle.encoder else bundle.chain
        self._extractor = bundle.extractor
        self._lock = Lock()
        self._postings: dict[int, _Postings] = {}
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        # By slot. The terms are kept as bytes, which weigh half of what small arrays do.
        self._ids: list[str] = []
        self._terms: list[bytes] = []
        self._received: Days = np.zeros(0)
        self._latest = -np.inf
        self._place: Places = np.zeros(0, dtype=np.int64)
        self._within: Places = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, case_id: str) -> bool:
        return case_id in self._slots

    def describe(self, complaint: Complaint, reading: Reading | None = None) -> Traits:
        """What `add` and `find` need of a complaint; call it once where both are called.

        Only the first 20,000 characters and the 256 heaviest terms count, so that no text costs more than others.
        With a `reading` of the complaint by the index's own bundle it isn't read again.
        """
        short = Complaint(
            text=full_text(complaint)[:LONGEST_TEXT],
            location=complaint.location[:LONGEST_TEXT],
            region=complaint.region,
        )
        is_short = len(full_text(complaint)) <= LONGEST_TEXT
        if is_short and reading is not None and reading.bundle.extractor is self._extractor:
            features = self._extractor.words_of(reading.features)
        else:
            features = self._extractor.extract_words(self._chain.prepare(short, look_for_areas=False))
        terms, weights = features.indices, features.weights
        heaviest = np.sort(np.argsort(-weights, kind="stable")[:MOST_TERMS])
        terms, weights = terms[heaviest], weights[heaviest]
        length = np.sqrt(weights @ weights) if len(weights) else 1.0
        return Traits(terms.astype(np.int32), (weights / length).astype(np.float32), *self._place_of(short))

    def add(self, case_id: str, complaint: Complaint | Traits, received_at: datetime) -> None:
        """Keep a case, in the place of an earlier one of that id. `received_at` is an aware time.

        The cost is that of reading the text and of appending to its terms' lists (amortised); nothing is rebuilt.
        """
        traits = complaint if isinstance(complaint, Traits) else self.describe(complaint)
        with self._lock:
            self._forget(case_id)
            slot = heapq.heappop(self._free) if self._free else self._new_slot()
            self._slots[case_id], self._ids[slot], self._terms[slot] = slot, case_id, traits.terms.tobytes()
            self._received[slot] = _days(received_at)
            self._latest = max(self._latest, self._received[slot])
            self._place[slot], self._within[slot] = traits.place, traits.within
            for term, weight in zip(traits.terms.tolist(), traits.weights.tolist(), strict=True):
                postings = self._postings.get(term)
                if postings is None:
                    postings = self._postings[term] = _Postings()
                postings.put(slot, weight)

    def forget(self, case_id: str) -> bool:
        """Remove all that is known of a case, and tell whether it was here. One whose text is deleted must leave."""
        with self._lock:
            return self._forget(case_id)

    def find(
        self,
        complaint: Complaint | Traits,
        received_at: datetime,
        limit: int = 5,
        *,
        least: float = 0.0,
        leave_out: str | None = None,
    ) -> list[SimilarCase]:
        """The cases received no later than `received_at` that are nearest by text, place and time, nearest first.

        The order is that of similarity x place x time. Place: 1 for the same, 0.95 if unknown, 0.9 for another. Time:
        from 1 down to 0.9, half of the way in each 30 days. So neither outweighs a tenth of the text. Equals stand by
        time, the latest first, then by id. `leave_out` is the id of the complaint itself, if it is here already. Of the
        nearest, those of a similarity under `least` are left out.

        A case is a duplicate if its text is a near-copy (similarity from 0.75), or if it is from 0.5 and both come from
        one place within 3 days. A text of a single known term is never evidence enough.
        """
        traits = complaint if isinstance(complaint, Traits) else self.describe(complaint)
        if not len(traits.terms) or limit < 1:
            return []
        with self._lock:
            now, own = _days(received_at), None if leave_out is None else self._slots.get(leave_out)
            slots, similarity = self._candidates(traits, now, own, max(limit, CANDIDATES), least)
            if not len(slots):
                return []
            same, other = self._compare_places(traits, slots)
            days = now - self._received[slots]
            ids = [self._ids[slot] for slot in slots]
        ranks = np.round(similarity * _place_factors(same, other) * _time_factors(days), 6)
        found = []
        # Looked at closely are only those that may be among the first.
        near = (
            np.arange(len(ids)) if len(ids) <= limit else np.flatnonzero(ranks >= np.partition(ranks, -limit)[-limit])
        )
        for i in sorted(near.tolist(), key=lambda i: (-ranks[i], days[i], ids[i]))[:limit]:
            alike, apart = round(min(1.0, float(similarity[i])), 6), float(days[i])
            same_place = True if same[i] else False if other[i] else None
            is_duplicate = len(traits.terms) >= _FEWEST_TERMS and _is_duplicate(alike, apart, same_place)
            if alike >= least:
                found.append(SimilarCase(ids[i], alike, is_duplicate, apart, same_place))
        return found

    def _candidates(
        self, traits: Traits, now: float, own: int | None, most: int, least: float
    ) -> tuple[NDArray[np.intp], Floats]:
        """Slots (n,) of about `most` cases that may be nearest, and their similarities (n,).

        Only the rarest terms' lists are read whole, up to `POSTINGS_READ` entries: what remains are words that most
        texts have and that weigh little. They are looked up for the best candidates alone.
        """
        used = len(self._ids)
        found = zip(map(self._postings.get, traits.terms.tolist()), traits.weights.tolist(), strict=True)
        pairs = sorted(
            [(postings, weight) for postings, weight in found if postings], key=lambda pair: len(pair[0].slots)
        )
        counts = accumulate(len(postings.slots) for postings, _ in pairs)
        read = max(bisect_right(list(counts), POSTINGS_READ), min(1, len(pairs)))
        sums = np.zeros(used, dtype=np.float32)
        if read:
            lists, weights = zip(*pairs[:read], strict=True)
            slots = np.frombuffer(b"".join([postings.slots for postings in lists]), dtype=np.int32)
            shares = np.frombuffer(b"".join([postings.weights for postings in lists]), dtype=np.float32)
            repeated = np.repeat(np.array(weights, dtype=np.float32), [len(postings.slots) for postings in lists])
            np.add.at(sums, slots.astype(np.intp), shares * repeated)
        if now < self._latest:
            sums *= self._received[:used] <= now
        if own is not None:
            sums[own] = 0
        # Place and time take a fifth of a rank at most: what is further behind in text can't come first. The lists that
        # aren't read add at most the length of what the text has there (Cauchy and Schwarz).
        unread = sqrt(sum(weight * weight for _, weight in pairs[read:]))
        pool = np.flatnonzero(sums > max(0.0, least * OTHER_PLACE * LONG_AGO - unread - _ROUNDING))
        if len(pool) > most:
            floor = np.partition(sums[pool], len(pool) - most)[len(pool) - most]
            pool = pool[sums[pool] >= floor * np.float32(OTHER_PLACE * LONG_AGO)]
        if len(pool) > most:
            pool = self._best(pool, sums, traits, now, most)
        similarity = sums[pool]
        for postings, weight in pairs[read:]:
            similarity += postings.at(pool) * np.float32(weight)
        return pool, similarity

    def _best(self, pool: NDArray[np.intp], sums: Floats, traits: Traits, now: float, most: int) -> NDArray[np.intp]:
        """The `most` slots of a pool that rank highest so far; among equals the latest."""
        days = now - self._received[pool]
        ranks = sums[pool] * _place_factors(*self._compare_places(traits, pool)) * _time_factors(days)
        limit = np.partition(ranks, len(pool) - most)[len(pool) - most]
        above, equal = pool[ranks > limit], pool[ranks == limit]
        return np.concatenate([above, equal[np.argsort(days[ranks == limit], kind="stable")][: most - len(above)]])

    def _compare_places(self, traits: Traits, slots: NDArray[np.intp]) -> tuple[Bools, Bools]:
        """Whether each slot's place is the complaint's, and whether it is another one (n,); neither: can't tell.

        A village and its kecamatan can't be told apart, nor can an area and a location that names none.
        """
        place, within = self._place[slots], self._within[slots]
        same = (place == traits.place) & (place != 0)
        areas = (within != 0) & (traits.within != 0)
        nested = (place == traits.within) | (within == traits.place)
        return same, areas & ~same & ~nested

    def _place_of(self, complaint: Complaint) -> tuple[int, int]:
        """Hashes of a complaint's place and of the kecamatan it is in."""
        if complaint.region in known_regions():
            finder = finder_of(load_region(complaint.region))
            if area := finder.choose(finder.find(complaint), sector=""):
                return _mark(area.code), _mark(area.parent or area.code)
        name = fold_name(complaint.location)
        return (_mark(f"{complaint.region}|{name}"), 0) if name else (0, 0)

    def _new_slot(self) -> int:
        slot = len(self._ids)
        if slot == len(self._received):
            more = slot // 4 + 64
            self._received = np.concatenate([self._received, np.zeros(more)])
            self._place = np.concatenate([self._place, np.zeros(more, dtype=np.int64)])
            self._within = np.concatenate([self._within, np.zeros(more, dtype=np.int64)])
        self._ids.append("")
        self._terms.append(b"")
        return slot

    def _forget(self, case_id: str) -> bool:
        slot = self._slots.pop(case_id, None)
        if slot is None:
            return False
        for term in np.frombuffer(self._terms[slot], dtype=np.int32).tolist():
            self._postings[term].drop(slot)
            if not self._postings[term].slots:
                del self._postings[term]
        self._ids[slot], self._terms[slot] = "", b""
        self._received[slot] = self._place[slot] = self._within[slot] = 0
        heapq.heappush(self._free, slot)
        return True


class _Postings:
    """The cases that have one term: slots, ascending, and the term's weights in them."""

    __slots__ = ("slots", "weights")

    def __init__(self) -> None:
        self.slots = array("i")
        self.weights = array("f")

    def put(self, slot: int, weight: float) -> None:
        if not self.slots or self.slots[-1] < slot:
            self.slots.append(slot)
            self.weights.append(weight)
        else:
            place = bisect_left(self.slots, slot)
            self.slots.insert(place, slot)
            self.weights.insert(place, weight)

    def drop(self, slot: int) -> None:
        place = bisect_left(self.slots, slot)
        del self.slots[place], self.weights[place]

    def at(self, slots: NDArray[np.intp]) -> Floats:
        """The term's weight in each of some cases (n,), 0 where it isn't."""
        # Views, which are let go at once: an array can't grow while one looks at it.
        own, weights = np.frombuffer(self.slots, dtype=np.int32), np.frombuffer(self.weights, dtype=np.float32)
        places = np.minimum(np.searchsorted(own, slots.astype(np.int32)), len(own) - 1)
        found: Floats = np.where(own[places] == slots, weights[places], np.float32(0))
        return found


def _is_duplicate(similarity: float, days: float, same_place: bool | None) -> bool:
    if same_place is False:
        # "Lampu jalan mati" is sent from everywhere: of another place only the very same words are the same complaint.
        return similarity >= SAME_WORDS_FROM
    return similarity >= NEAR_COPY_FROM or (
        similarity >= SAME_MATTER_FROM and same_place is True and days <= SAME_MATTER_DAYS
    )


def _place_factors(same: Bools, other: Bools) -> Floats:
    factors: Floats = np.where(same, 1.0, np.where(other, OTHER_PLACE, UNKNOWN_PLACE)).astype(np.float32)
    return factors


def _time_factors(days: Days) -> Floats:
    factors: Floats = (LONG_AGO + (1 - LONG_AGO) * np.exp2(-days / HALF_LIFE_DAYS)).astype(np.float32)
    return factors


def _days(time: datetime) -> float:
    return time.timestamp() / 86_400


def _mark(place: str) -> int:
    """A place as a number, never 0; what people typed isn't kept."""
    return int.from_bytes(blake2b(place.encode("utf-8", "replace"), digest_size=7).digest(), "big") + 1
