"""Areas: which kecamatan, kelurahan or desa of a region a complaint names, in its text or location field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from data.complaint import Complaint
from data.lexicon import read_lines
from data.region import Area, Region, fold_name
from data.sectors import DISTRICT_OFFICE, VILLAGE_OFFICE

# The words people put before a place's name, and the kinds of place that each announces.
_DISTRICT, _VILLAGE = ("kecamatan",), ("kelurahan", "desa")
_CUES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("kecamatan", "kec", "kcmtn", "camat"), _DISTRICT),
    **dict.fromkeys(("kelurahan", "kel", "lurah", "desa", "ds", "dsa", "kades"), _VILLAGE),
}


@dataclass(frozen=True)
class Mention:
    """An area that the complaint may mean, whether a word like "kecamatan" announces it, and where it stands."""

    area: Area
    announced: bool
    in_location: bool

    @property
    def strength(self) -> int:
        """The location field says more than a cue in the text, and a cue more than a bare name."""
        return 2 * self.in_location + self.announced


@dataclass
class AreaFinder:
    """Finds a region's areas by name. Build one for a region and keep it; finding changes nothing in it."""

    region: Region
    _by_first_word: dict[str, list[tuple[tuple[str, ...], Area]]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for area in self.region.areas:
            for spelling in {fold_name(name) for name in (area.name, *area.aliases)} | {_joined(area.name)}:
                words = tuple(spelling.split())
                self._by_first_word.setdefault(words[0], []).append((words, area))

    def find(self, complaint: Complaint) -> list[Mention]:
        """Every area that may be meant, strongest first and each once."""
        best: dict[str, Mention] = {}
        for text, in_location in ((complaint.location, True), (complaint.title, False), (complaint.text, False)):
            for mention in self._mentions(text, in_location=in_location):
                known = best.get(mention.area.code)
                if known is None or mention.strength > known.strength:
                    best[mention.area.code] = mention
        return sorted(best.values(), key=lambda mention: -mention.strength)

    def candidates(self, mentions: list[Mention], sector: str) -> list[Area]:
        """The areas that may be meant: kecamatan for their office, villages for theirs, else the most exact ones named.

        What the location field names goes before what the text names. One candidate is an answer, several are a doubt.
        """
        located = [mention for mention in mentions if mention.in_location]
        if sector == DISTRICT_OFFICE:
            return self._districts(located) or self._districts(mentions)
        if sector == VILLAGE_OFFICE:
            return self._villages(located, mentions, bare=True) or self._villages(mentions, mentions, bare=True)
        return (
            self._villages(located, mentions)
            or self._villages(mentions, mentions)
            or self._districts(located)
            or self._districts(mentions)
        )

    def choose(self, mentions: list[Mention], sector: str) -> Area | None:
        """The one area meant; None if no area is named, or several could be meant."""
        found = self.candidates(mentions, sector)
        return found[0] if len(found) == 1 else None

    def _districts(self, mentions: list[Mention]) -> list[Area]:
        """The kecamatan named, or those in which the named villages lie."""
        named = [mention for mention in mentions if mention.area.is_district]
        if named:
            return _strongest(named)
        parents = {m.area.parent: replace(m, area=self.region.areas_by_code[m.area.parent]) for m in reversed(mentions)}
        return _strongest(list(parents.values()))

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
        return _strongest(inside or chosen)

    def _mentions(self, text: str, *, in_location: bool) -> Iterator[Mention]:
        words = fold_name(text).split()
        place = 0
        while place < len(words):
            found = self._longest_at(words, place)
            if not found:
                place += 1
                continue
            name, areas = " ".join(found[0][0]), [area for _, area in found]
            cued = [area for area in areas if place and area.kind in _CUES.get(words[place - 1], ())]
            if cued or in_location or name not in read_lines("place_names_that_are_words"):
                yield from (Mention(area, bool(cued), in_location) for area in cued or areas)
            place += len(found[0][0])

    def _longest_at(self, words: list[str], place: int) -> list[tuple[tuple[str, ...], Area]]:
        """The areas whose name starts at `place`, those with the longest name only."""
        found = [
            (name, area)
            for name, area in self._by_first_word.get(words[place], ())
            if tuple(words[place : place + len(name)]) == name
        ]
        longest = max((len(name) for name, _ in found), default=0)
        return [(name, area) for name, area in found if len(name) == longest]


def _strongest(mentions: list[Mention]) -> list[Area]:
    """The areas of the strongest mentions."""
    strongest = max((mention.strength for mention in mentions), default=0)
    return [mention.area for mention in mentions if mention.strength == strongest]


def _joined(name: str) -> str:
    """ "Sindang Jaya" as people also type it: "sindangjaya"."""
    return fold_name(name).replace(" ", "")
