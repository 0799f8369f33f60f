"""Areas: which kecamatan, kelurahan or desa of a region a complaint names, in its text or location field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import chain

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from data.complaint import Complaint
from data.lexicon import TABLES, read_lines, read_table
from data.region import Area, Region, fold_name, known_regions, load_region
from data.sectors import DISTRICT_OFFICE, VILLAGE_OFFICE
from model.memory import RECENT_TEXTS, WordMemory
from model.stemming import is_root, stem

# The words people put before a place's name, and the kinds of place that each announces.
_DISTRICT, _VILLAGE = ("kecamatan",), ("kelurahan", "desa")
_CUES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("kecamatan", "kec", "kcmtn", "camat"), _DISTRICT),
    **dict.fromkeys(("kelurahan", "kel", "lurah", "desa", "ds", "dsa", "kades"), _VILLAGE),
}
# Cues that are typed without a space before the name. After a long one the rest may be misspelt: "kecamatancilenyi".
_GLUED = ("kecamatan", "kelurahan", "kec", "kel", "desa", "ds")
_LONG_CUES = ("kecamatan", "kelurahan")
# The names after these are governments': "Kabupaten Jepara" is not the kelurahan of that name.
_GOVERNMENTS = frozenset("kab kabupaten kota kotamadya pemkab pemkot prov provinsi walikota bupati gubernur".split())
# The names after these are of streets, estates, shops and the like, which often lie elsewhere.
_STREET_WORDS = frozenset(
    "jl jln jalan dijalan dijln raya terusan simpang pertigaan perempatan perum perumahan komplek kompleks cluster "
    "griya graha villa vila taman bukit permata puri ruko apartemen rs rsud rsia pasar stasiun terminal halte tl merr "
    "smp smpn sma sman smk smkn indomaret alfamart kp kampung dusun arah bukan".split()
)
_ESTATE_WORDS = frozenset("indah permai jaya tama madya regency residence square golf estate city".split())
# A street with gangs ("Jl. Kebraon Gang 2") is one of the kampung it is named after.
_GANG_WORDS = frozenset(("gang", "gg"))

REMEMBERED_WORDS = 16_384
# Letters that a word, and words that a name, may have to be looked for as misspelt.
_LONGEST_WORD = 30
_LONGEST_NAME = 3
# How many announced names of one text may be looked for as misspelt, so that a text made for it costs no more.
_FUZZY_LOOKUPS = 50
# A bare word is compared with the names that begin or end with the same letters, this many.
_END_LETTERS = 3
_LEAST_BARE_LETTERS = 7


class Manner(IntEnum):
    """How an area is named, from the least sure to the surest.

    WEAK: as a street's or an estate's name, or misspelt with nothing to announce it. LIKELY: so too, but its kecamatan
    is named, or it stands misspelt in the location field. ANNOUNCED: after a word like "kecamatan".
    """

    WEAK = 0
    LIKELY = 1
    BARE = 2
    ANNOUNCED = 3


@dataclass(frozen=True)
class Mention:
    """An area that the complaint may mean, how it is named, and where."""

    area: Area
    manner: Manner
    in_location: bool

    @property
    def announced(self) -> bool:
        """Whether a word like "kecamatan" stands before the name."""
        return self.manner is Manner.ANNOUNCED

    @cached_property
    def strength(self) -> int:
        """The location field says more than the text, and the manner decides within each; a weak mention has none."""
        return self.manner and self.manner + self.in_location * len(Manner)


@dataclass(frozen=True)
class Look:
    """What a word may be: the first word of names, a misspelt name, the first or last word of a misspelt longer one."""

    exact: tuple[tuple[tuple[str, ...], Area], ...]
    near: tuple[str, ...]
    as_first: tuple[tuple[str, ...], ...]
    as_last: tuple[tuple[str, ...], ...]


@dataclass
class AreaFinder:
    """Finds a region's areas by name. Take a region's own from `finder_of`; it learns nothing but looks of words."""

    region: Region
    _by_first_word: dict[str, list[tuple[tuple[str, ...], Area]]] = field(init=False, repr=False, default_factory=dict)
    _by_last_word: dict[str, set[tuple[str, ...]]] = field(init=False, repr=False, default_factory=dict)
    _by_end: dict[str, set[str]] = field(init=False, repr=False, default_factory=dict)
    _joined: dict[str, list[Area]] = field(init=False, repr=False, default_factory=dict)
    _names: list[str] = field(init=False, repr=False)
    _look: WordMemory[Look | None] = field(init=False, repr=False)
    _parts: WordMemory[tuple[str, ...]] = field(init=False, repr=False)
    _mentions: Callable[[str, bool], tuple[Mention, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for area in self.region.areas:
            spellings = {fold_name(name) for name in (area.name, *area.aliases)}
            # "Sindang Jaya" is typed "sindangjaya" too.
            for spelling in spellings | {fold_name(area.name).replace(" ", "")}:
                words = tuple(spelling.split())
                self._by_first_word.setdefault(words[0], []).append((words, area))
            for words in {tuple(spelling.split()) for spelling in spellings}:
                if len(words) <= _LONGEST_NAME:
                    self._add_for_misspellings(words, area)
        self._names = list(self._joined)
        self._look = WordMemory(self._look_up, REMEMBERED_WORDS)
        self._parts = WordMemory(self._parted, REMEMBERED_WORDS)
        # One complaint's text is looked at for the features, for routing and for similar cases.
        self._mentions = lru_cache(maxsize=RECENT_TEXTS)(lambda *asked: tuple(self._find_mentions(*asked)))

    def _add_for_misspellings(self, words: tuple[str, ...], area: Area) -> None:
        name = "".join(words)
        known = self._joined.setdefault(name, [])
        if area not in known:
            known.append(area)
        if len(name) >= _LEAST_BARE_LETTERS:
            for end in (name[:_END_LETTERS], "-" + name[-_END_LETTERS:]):
                self._by_end.setdefault(end, set()).add(name)
            if len(words) > 1:
                self._by_last_word.setdefault(words[-1], set()).add(words)

    def find(self, complaint: Complaint) -> list[Mention]:
        """Every area that may be meant, strongest first and each once."""
        texts = ((complaint.location, True), (complaint.title, False), (complaint.text, False))
        best: dict[str, Mention] = {}
        for mention in chain.from_iterable(self._mentions(*asked) for asked in texts if asked[0]):
            known = best.get(mention.area.code)
            if known is None or mention.strength > known.strength:
                best[mention.area.code] = mention
        if not best:
            return []
        # A street in a kecamatan that is named, with the name of one of its villages, lies in that village as a rule.
        named = {mention.area.code for mention in best.values() if mention.manner and mention.area.is_district}
        sure = [
            replace(mention, manner=Manner.LIKELY) if not mention.manner and mention.area.parent in named else mention
            for mention in best.values()
        ]
        return sorted(sure, key=lambda mention: -mention.strength)

    def finds_any(self, *texts: str) -> bool:
        """Whether one of some texts names an area."""
        return any(self._mentions(text, False) for text in texts if text)

    def candidates(self, mentions: list[Mention], sector: str) -> list[Area]:
        """The areas that may be meant: kecamatan for their office, villages for theirs, else the most exact ones named.

        What the location field names goes before what the text names, and what is weakly named counts if nothing else
        is. Several candidates are a doubt; one is the answer, unless it is weakly named (`choose`).
        """
        return self._meant(_firm(mentions), sector) or self._meant(mentions, sector)

    def choose(self, mentions: list[Mention], sector: str) -> Area | None:
        """The one area meant; None if no area is firmly named, or several could be meant."""
        found = self._meant(_firm(mentions), sector) if mentions else []
        return found[0] if len(found) == 1 else None

    def _meant(self, mentions: list[Mention], sector: str) -> list[Area]:
        located = [mention for mention in mentions if mention.in_location]
        of_places = [located, mentions] if located else [mentions]
        found: list[Area] = []
        if sector != DISTRICT_OFFICE:
            for of_place in of_places:
                found = found or self._villages(of_place, mentions, bare=sector == VILLAGE_OFFICE)
        if sector != VILLAGE_OFFICE:
            for of_place in of_places:
                found = found or self._districts(of_place)
        return found

    def _districts(self, mentions: list[Mention]) -> list[Area]:
        """The kecamatan named, or those in which the named villages lie if these are more surely named.

        "Saya orang Legok, soal desa Klebet" means the kecamatan of Klebet; "desa Talagasari, Cikupa" the one of two.
        """
        districts = [mention for mention in mentions if mention.area.is_district]
        villages = _strongest([mention for mention in mentions if not mention.area.is_district])
        parents = list(dict.fromkeys(self.region.areas_by_code[village.area.parent] for village in villages))
        named = _strongest(districts)
        if not named or (villages and villages[0].strength > named[0].strength):
            return [area for area in parents if area in [mention.area for mention in districts]] or parents
        return [mention.area for mention in named]

    def _villages(self, mentions: list[Mention], context: list[Mention], *, bare: bool = False) -> list[Area]:
        """The villages named; a kecamatan in the context tells villages of one name apart.

        A kecamatan's own name is often a village's too: without a cue, "Curug" means the kecamatan, unless `bare` says
        that a village must be meant and no other is named.
        """
        named = [mention for mention in mentions if not mention.area.is_district]
        districts = {mention.area.name: mention.area.code for mention in context if mention.area.is_district}
        plain = [mention for mention in named if mention.announced or mention.area.name not in districts]
        chosen = plain or (named if bare else [])
        inside = [mention for mention in chosen if mention.area.parent in districts.values()]
        return [mention.area for mention in _strongest(inside or chosen)]

    def _find_mentions(self, text: str, in_location: bool) -> Iterator[Mention]:
        words = list(chain.from_iterable(map(self._parts.__getitem__, fold_name(text).split())))
        looks = list(map(self._look.__getitem__, words))
        lookups = 0
        done = 0
        for place, (before, look) in enumerate(zip(["", *words], looks, strict=False)):
            # Most words are no name and follow no cue.
            if (look is None and before not in _CUES and not in_location) or place < done or before in _GOVERNMENTS:
                continue
            cued = before in _CUES and words[place] not in _CUES
            if look is None and not cued and not in_location:
                continue
            kinds = _announced_kinds(words, place) if cued else ()
            areas, length = self._named_at(words, place, look)
            fitting = [area for area in areas if area.kind in kinds]
            manner = None
            if fitting and look is not None:
                # "Kel. Ngagel Rjeo" is not Ngagel.
                longer = [area for area in self._nearly_named(words, place, look) if area.kind in kinds]
                areas, manner = longer or fitting, Manner.ANNOUNCED
            elif (cued or (in_location and not areas and before not in _STREET_WORDS)) and lookups < _FUZZY_LOOKUPS:
                lookups += 1
                near, more = self._misspelt(words, place, kinds, length)
                if near:
                    areas, length, manner = near, more, Manner.ANNOUNCED if cued else Manner.LIKELY
            if manner is None and areas:
                manner = self._manner(words, place, length, in_location=in_location)
            elif manner is None and look is not None:
                areas, manner = self._nearly_named(words, place, look), Manner.WEAK
            if manner is not None:
                yield from (Mention(area, manner, in_location) for area in areas)
            done = place + length

    def _parted(self, word: str) -> tuple[str, ...]:
        """A folded word, with a cue parted from what is glued to it: "kecamatancurug", "01desa"."""
        if word[0] <= "9" and (cue := word.lstrip("0123456789")) in _CUES:
            return (cue,)
        if word not in _CUES and word not in self._by_first_word:
            for cue in _GLUED:
                rest = word.removeprefix(cue)
                if rest != word and (rest in self._by_first_word or (cue in _LONG_CUES and len(rest) > 4)):
                    return cue, rest
        return (word,)

    def _named_at(self, words: list[str], place: int, look: Look | None) -> tuple[list[Area], int]:
        """The areas whose name starts at `place`, those with the longest name only, and how many words it has.

        A kecamatan inside a name ("Jatisari Kec. Kutawaringin") is left for a mention of its own.
        """
        named: list[Area] = []
        longest: tuple[str, ...] = ()
        for name, area in look.exact if look else ():
            if len(name) >= len(longest) and tuple(words[place : place + len(name)]) == name:
                named = [*named, area] if name == longest else [area]
                longest = name
        return named, next((n for n, word in enumerate(longest) if word in _CUES), len(longest))

    def _manner(self, words: list[str], place: int, length: int, *, in_location: bool) -> Manner | None:
        """How a name that no cue announces is meant; None if it is an ordinary word."""
        if not in_location and " ".join(words[place : place + length]) in read_lines("place_names_that_are_words"):
            return None
        after = words[place + length] if place + length < len(words) else ""
        if after in _GANG_WORDS:
            return Manner.BARE
        of_street = (place and words[place - 1] in _STREET_WORDS) or after in _ESTATE_WORDS
        return Manner.WEAK if of_street else Manner.BARE

    def _misspelt(
        self, words: list[str], place: int, kinds: tuple[str, ...], longer_than: int
    ) -> tuple[list[Area], int]:
        """The areas whose names come nearest to the words from `place` on, and how many words those are.

        Areas of `kinds` only, if any are given. None is found in `longer_than` words or fewer; then that is the length.
        Distance is optimal string alignment: letters added, left out, changed or swapped with the next one.
        """
        best, areas, length = 2, list[Area](), longer_than
        for end in range(place + longer_than + 1, min(place + _LONGEST_NAME, len(words)) + 1):
            window = words[place:end]
            typed = "".join(window)
            if window[-1] in _CUES or len(typed) > _LONGEST_WORD:
                break
            if len(window) == 1 and _is_listed(typed):
                continue
            near = [
                (distance, area)
                for name, distance, _ in extract(typed, self._names, scorer=OSA.distance, score_cutoff=best, limit=None)
                for area in (self._joined[name] if distance <= _edits_allowed(typed, name) else ())
                if not kinds or area.kind in kinds
            ]
            if near:
                best, length = min(distance for distance, _ in near), end - place
                areas = [area for distance, area in near if distance == best]
        return areas, length

    def _look_up(self, word: str) -> Look | None:
        if len(word) > _LONGEST_WORD:
            return None
        exact = tuple(self._by_first_word.get(word, ()))
        as_first = tuple({name for name, _ in exact if 1 < len(name) <= _LONGEST_NAME})
        as_last = tuple(self._by_last_word.get(word, ()))
        near: tuple[str, ...] = ()
        if not exact and len(word) >= _END_LETTERS:
            ends = self._by_end.get(word[:_END_LETTERS], set()) | self._by_end.get("-" + word[-_END_LETTERS:], set())
            near = tuple(name for name in ends if OSA.distance(word, name, score_cutoff=1) <= 1)
        if near and _is_ordinary(word):
            near = ()
        return Look(exact, near, as_first, as_last) if exact or near or as_last else None

    def _nearly_named(self, words: list[str], place: int, look: Look) -> list[Area]:
        """The areas whose long name is one edit away from the bare words that begin or end at `place`."""
        windows = [(words[place : place + len(name)], name) for name in look.as_first]
        windows += [(words[max(place - len(name) + 1, 0) : place + 1], name) for name in look.as_last]
        names = set(look.near)
        for window, name in windows:
            joined = "".join(name)
            if len(joined) >= _LEAST_BARE_LETTERS and OSA.distance("".join(window), joined, score_cutoff=1) <= 1:
                wrong = [word for word in window if word not in name]
                if not all(map(_is_ordinary, wrong)):
                    names.add(joined)
        return [area for name in sorted(names) for area in self._joined[name]]


def _firm(mentions: list[Mention]) -> list[Mention]:
    return [mention for mention in mentions if mention.manner]


def _strongest(mentions: list[Mention]) -> list[Mention]:
    strongest = max((mention.strength for mention in mentions), default=0)
    return [mention for mention in mentions if mention.strength == strongest]


def _announced_kinds(words: list[str], place: int) -> tuple[str, ...]:
    """The kinds of place that the one or two cues right before `place` announce: both of "desa/kel."."""
    kinds = _CUES[words[place - 1]]
    return kinds + _CUES.get(words[place - 2], ()) if place > 1 else kinds


def _edits_allowed(typed: str, name: str) -> int:
    """One edit in a name of five letters or more, two in one of nine or more whose first letter is right."""
    if len(name) >= 9 and typed[0] == name[0]:
        return 2
    return 1 if len(name) >= 5 else 0


def _is_listed(word: str) -> bool:
    """Whether a word is in the list of roots or a word table, so that it is no misspelt name."""
    return word in read_lines("not_names") or any(word in read_table(table) for table in TABLES) or is_root(word)


def _is_ordinary(word: str) -> bool:
    """Whether a word is listed or an affixed form of one. The stemmer finds some in names too: "kutsari" has "tsar"."""
    return _is_listed(word) or is_root(stem(word))


def finder_of(region: Region) -> AreaFinder:
    """The region's own finder: what it remembers of words serves all who look for areas there."""
    finder = _finders.get(region.code)
    if finder is None or finder.region is not region:
        finder = _finders[region.code] = AreaFinder(region)
    return finder


_finders: dict[str, AreaFinder] = {}


def names_area(complaint: Complaint) -> bool:
    """Whether title or text names an area of the complaint's region; False for a region without a file."""
    if complaint.region not in known_regions():
        return False
    return finder_of(load_region(complaint.region)).finds_any(complaint.title, complaint.text)
