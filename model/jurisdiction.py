"""Jurisdiction: which government may act on a complaint, who that is where it isn't ours, and what to tell the citizen.

Three witnesses are weighed: the learned head, the usual level of the likely sectors, and written cues such as "jalan
nasional" (`data/lexicons/jurisdiction_cues.csv`). Their weights were fitted on rows with a known level.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import exp, log

from data.complaint import Complaint, Jurisdiction
from data.lexicon import FOLDER
from data.region import Region
from data.sectors import OTHER, all_sectors
from model.prediction import Prediction, Ranked
from model.text import PreparedText, TextChain

NOT_OURS = frozenset({Jurisdiction.PROVINCE, Jurisdiction.CENTRAL, Jurisdiction.PRIVATE})
# From this probability of another's jurisdiction on, a case is called "bukan wewenang".
NOT_OURS_FROM = 0.35
# Fitted by likelihood on rows with a known level; a cue of ours says less than one of another's, since ours are common.
_HEAD_WEIGHT, _SECTOR_WEIGHT, _CUE_WEIGHT, _LOCAL_CUE_WEIGHT = 0.6, 0.8, 2.25, 0.8
_STRONGEST = 2
# Nearly all rows to learn from are local, so the head's tiny probabilities of other levels mean little.
_LEAST_LEARNED = 0.04
# No sector is private or unclear by its nature, and one of the region's may yet be the province's.
_SURPRISE = 0.02
_RANKS_LOOKED_AT = 5
_RANKS_FOR_CUES = 3

# "Dekat kantor PLN", "di depan SMA": what stands there is a place, not the matter.
_BESIDE = frozenset(
    (
        "depan dekat samping sebelah seberang belakang sekitar sebelum sesudah setelah area kawasan arah menuju "
        "perempatan pertigaan simpang didepan didekat disamping disebelah diseberang dibelakang disekitar dpn deket"
    ).split()
)
_BUILDINGS = frozenset(
    "kantor gedung gerbang pintu pagar kampus halaman pos komplek kompleks asrama sekolah rumah".split()
)
_FARTHEST_BESIDE = 3
# "Yth. Dinas X" says whom the writer chose, and the form's last line whom its form chose; neither is the matter.
_ADDRESSED = frozenset({"yth", "terhormat"})
_LONGEST_ADDRESS = 7
_LONGEST_ROUTING_LINE = 10

_GOVERNMENTS = {Jurisdiction.PROVINCE: "pemerintah provinsi", Jurisdiction.CENTRAL: "pemerintah pusat"}
_PROVINCE, _PROVINCE_SCHOOLS = "pemprov", "disdik-prov"


@dataclass(frozen=True)
class Cue:
    """Words that tell a level: the office of the region file (`office`) or the body that answers, and for what.

    With `sectors`, it tells something only where one of them is among the likeliest. `strength` 2: the words name the
    owner outright, as "jalan provinsi" does; 1: they speak of something that is usually theirs.
    """

    phrase: str
    level: Jurisdiction
    office: str
    body: str
    matter: str
    sectors: frozenset[str]
    strength: int


@dataclass(frozen=True)
class JurisdictionAnswer:
    """The likeliest level with its probability, whether the region itself may act, and if not who and what to reply.

    `responsible` is None where nobody in particular is known, or no government may act; `referral` is "" if it's ours.
    """

    level: Jurisdiction
    probability: float
    is_ours: bool
    responsible: str | None
    cues: tuple[str, ...]
    referral: str
    levels: tuple[Ranked, ...] = ()


@cache
def jurisdiction_cues() -> tuple[Cue, ...]:
    """The table of cues."""
    with (FOLDER / "jurisdiction_cues.csv").open(encoding="utf-8", newline="") as handle:
        return tuple(
            Cue(
                row["phrase"],
                Jurisdiction(row["level"]),
                row["office"],
                row["body"],
                row["matter"],
                frozenset(row["sectors"].split()),
                int(row["strength"]),
            )
            for row in csv.DictReader(handle)
        )


@dataclass
class JurisdictionJudge:
    """Answers for one region. Keep it: building it sends every cue through the bundle's text steps."""

    region: Region
    chain: TextChain
    _by_first_word: dict[str, list[tuple[tuple[str, ...], Cue]]] = field(init=False, repr=False, default_factory=dict)
    _telling: frozenset[str] = field(init=False, repr=False)
    _level_of_sector: dict[str, Jurisdiction] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for cue in jurisdiction_cues():
            for spelling in {cue.phrase, self.chain.prepare(Complaint(cue.phrase)).words}:
                words = tuple(spelling.split())
                self._by_first_word.setdefault(words[0], []).append((words, cue))
        self._telling = _ADDRESSED | frozenset(self._by_first_word)
        for found in self._by_first_word.values():
            found.sort(key=lambda pair: -len(pair[0]))
        for sector in all_sectors().values():
            agency = self.region.agency_of_sector.get(sector.code)
            self._level_of_sector[sector.code] = agency.level if agency else sector.level

    def answer(self, text: PreparedText, prediction: Prediction) -> JurisdictionAnswer:
        """Weigh head, sectors and cues. Without a head (an empty `prediction.jurisdiction`) the other two decide."""
        cues = self.find_cues(text, [ranked.label for ranked in prediction.sectors[:_RANKS_FOR_CUES]])
        levels = _weigh(prediction.jurisdiction, self._levels_of_sectors(prediction.sectors), cues)
        others = sum(ranked.probability for ranked in levels if ranked.label in NOT_OURS)
        is_ours = others < NOT_OURS_FROM
        likeliest = next(ranked for ranked in levels if (ranked.label not in NOT_OURS) == is_ours)
        if not cues and is_ours and (unclear := _unclear(prediction)):
            likeliest = unclear
        level = Jurisdiction(likeliest.label)
        telling = [cue for cue in cues if cue.level is level]
        responsible = None if is_ours else self._responsible(level, telling, prediction.sectors)
        return JurisdictionAnswer(
            level=level,
            probability=likeliest.probability,
            is_ours=is_ours,
            responsible=responsible,
            cues=tuple(dict.fromkeys(cue.phrase for cue in telling)),
            referral=self._referral(level, responsible, telling),
            levels=levels,
        )

    def find_cues(self, text: PreparedText, sectors: Sequence[str]) -> list[Cue]:
        """The cues of a text, given its likeliest sectors, in order; not those that name a place or an addressee."""
        words = text.words.split()
        end, done, found, addressed = _without_routing_line(words), 0, [], -1
        for place in [place for place, word in enumerate(words[:end]) if word in self._telling]:
            if place < done:
                continue
            if words[place] in _ADDRESSED:
                addressed = place + _LONGEST_ADDRESS
            match = self._longest_at(words, place, end)
            if match is None:
                continue
            length, cue = match
            fits = not cue.sectors or not cue.sectors.isdisjoint(sectors)
            if fits and place > addressed and not _stands_as_place(words, place):
                found.append(cue)
            done = place + length
        return found

    def _longest_at(self, words: Sequence[str], place: int, end: int) -> tuple[int, Cue] | None:
        for phrase, cue in self._by_first_word.get(words[place], ()):
            if place + len(phrase) <= end and tuple(words[place : place + len(phrase)]) == phrase:
                return len(phrase), cue
        return None

    def _levels_of_sectors(self, sectors: Sequence[Ranked]) -> dict[Jurisdiction, float]:
        """How likely each level is by the likely sectors' usual one."""
        shares = dict.fromkeys(Jurisdiction, _SURPRISE)
        for ranked in sectors[:_RANKS_LOOKED_AT]:
            # What is of no sector is nobody's by its nature: its office in the region file is a place to send it.
            if ranked.label == OTHER:
                continue
            shares[self._level_of_sector[ranked.label]] += ranked.probability
        return shares

    def _responsible(self, level: Jurisdiction, cues: Sequence[Cue], sectors: Sequence[Ranked]) -> str | None:
        """Who answers: what most cues name, else the region file's agency of that level for the likely sectors."""
        offices = {agency.code: agency.name for agency in self.region.agencies}
        named = Counter(name for cue in cues if (name := offices.get(cue.office, "") or cue.body))
        if named:
            return named.most_common(1)[0][0]
        if level is Jurisdiction.PROVINCE:
            is_school = bool(sectors) and sectors[0].label == "education"
            return offices.get(_PROVINCE_SCHOOLS if is_school else _PROVINCE)
        if level is Jurisdiction.CENTRAL:
            for ranked in sectors[:_RANKS_LOOKED_AT]:
                agency = self.region.agency_of_sector.get(ranked.label)
                if agency is not None and agency.level is level and ranked.label != OTHER:
                    return agency.name
        return None

    def _referral(self, level: Jurisdiction, responsible: str | None, cues: Sequence[Cue]) -> str:
        """What to tell the citizen; "" where nothing need be told."""
        matter = next((cue.matter for cue in cues if cue.matter), "")
        if level is Jurisdiction.UNCLEAR:
            return (
                "Terima kasih atas laporan Anda. Kami belum dapat memastikan instansi mana yang berwenang. Mohon "
                "jelaskan apa yang terjadi, di mana, dan kantor atau layanan mana yang Anda maksud."
            )
        if level is Jurisdiction.PRIVATE:
            about = f" mengenai {matter}" if matter else ""
            way = (
                f"Bila Anda dirugikan sebagai konsumen, sengketanya dapat diajukan ke {responsible}."
                if responsible
                else "Kami menyarankan musyawarah dengan pihak tersebut atau bertanya kepada lembaga bantuan hukum."
            )
            return (
                f"Terima kasih atas laporan Anda. Perkara{about} ini terjadi antara Anda dan pihak swasta atau "
                f"perorangan, sehingga tidak ada instansi pemerintah yang berwenang memutuskannya. {way}"
            )
        if level not in NOT_OURS:
            return ""
        about = f"menyangkut {matter}, yang menjadi" if matter else "tampaknya menjadi"
        office = responsible or f"instansi {_GOVERNMENTS[level]} yang berwenang"
        return (
            f"Terima kasih atas laporan Anda. Perkara ini {about} kewenangan {_GOVERNMENTS[level]}, bukan Pemerintah "
            f"{self.region.name}. Agar ditangani pihak yang tepat, laporan dapat diteruskan melalui SP4N-LAPOR! ke "
            f"{office}; Anda juga dapat mendatangi kantornya langsung."
        )


def _weigh(head: Sequence[Ranked], sectors: dict[Jurisdiction, float], cues: Sequence[Cue]) -> tuple[Ranked, ...]:
    """Probabilities of the levels, likeliest first: a log-linear pool of the three witnesses."""
    learned = {ranked.label: ranked.probability for ranked in head}
    counts: Counter[Jurisdiction] = Counter()
    for cue in cues:
        counts[cue.level] += cue.strength
    total = sum(sectors.values())
    scores = {
        level: _HEAD_WEIGHT * log(max(learned.get(level, 0.0), _LEAST_LEARNED))
        + _SECTOR_WEIGHT * log(sectors[level] / total)
        + (_LOCAL_CUE_WEIGHT if level is Jurisdiction.LOCAL else _CUE_WEIGHT) * min(counts[level], _STRONGEST)
        for level in Jurisdiction
    }
    highest = max(scores.values())
    powers = {level: exp(score - highest) for level, score in scores.items()}
    whole = sum(powers.values())
    return tuple(
        sorted(
            (Ranked(level.value, power / whole) for level, power in powers.items()),
            key=lambda ranked: -ranked.probability,
        )
    )


def _unclear(prediction: Prediction) -> Ranked | None:
    """That nobody can tell, where the head says so or knows no word; no sector and no cue ever speaks for it."""
    if not prediction.known_words:
        return Ranked(Jurisdiction.UNCLEAR.value, 1.0)
    first = prediction.jurisdiction[0] if prediction.jurisdiction else None
    return first if first and first.label == Jurisdiction.UNCLEAR else None


def _without_routing_line(words: Sequence[str]) -> int:
    """Where the citizen's words end: before a "Kewenangan Pemerintah ..." that closes the text."""
    for place in range(max(0, len(words) - _LONGEST_ROUTING_LINE), len(words) - 1):
        if words[place].endswith("kewenangan") and words[place + 1].startswith(
            ("pemerintah", "pemda", "pemkab", "pem")
        ):
            return place
    return len(words)


def _before(words: Sequence[str], place: int) -> Iterator[str]:
    yield from reversed(words[max(0, place - _FARTHEST_BESIDE) : place])


def _stands_as_place(words: Sequence[str], place: int) -> bool:
    """Whether a word like "depan" goes before, with nothing but names of buildings between."""
    for word in _before(words, place):
        if word in _BESIDE:
            return True
        if word not in _BUILDINGS:
            return False
    return False
