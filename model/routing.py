"""Routing: from a prediction to a disposition, whether it may happen without a person, and what else to tell one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from data.complaint import Complaint, Jurisdiction
from data.region import Agency, Area, Region, known_regions, load_region
from data.sectors import OTHER
from model.areas import AreaFinder, Mention, finder_of
from model.bundle import COMPLETENESS, SECTOR, Bundle, Reading
from model.completeness import INCOMPLETE_FROM, CompletenessAnswer, CompletenessJudge
from model.heads import ANYWHERE, Head
from model.jurisdiction import JurisdictionAnswer, JurisdictionJudge
from model.matters import find_two_matters
from model.prediction import Prediction
from model.urgency import UrgencyAssessment, assess_urgency

# Beside the first, where nothing was promised of the set of sectors that holds the right one.
ALTERNATIVES = 3


class Outcome(StrEnum):
    """Routed by the program itself, or waiting for a person."""

    AUTO = "auto"
    REVIEW = "review"


class Reason(StrEnum):
    """Why a case was routed or is waiting; `REASON_TEXTS` says it to people."""

    CONFIDENT = "confident"
    NOT_CONFIDENT = "not-confident"
    NO_THRESHOLD = "no-threshold"
    UNREADABLE = "unreadable"
    AREA_UNKNOWN = "area-unknown"
    AREA_AMBIGUOUS = "area-ambiguous"
    OTHER_GOVERNMENT = "other-government"
    UNCLEAR_GOVERNMENT = "unclear-government"
    TWO_MATTERS = "two-matters"
    AGENCY_OFF = "agency-off"


REASON_TEXTS = {
    Reason.CONFIDENT: "Peluangnya mencapai batas untuk diteruskan otomatis.",
    Reason.NOT_CONFIDENT: "Peluangnya di bawah batas untuk diteruskan otomatis.",
    Reason.NO_THRESHOLD: "Model ini belum terbukti cukup sering benar di daerah ini, jadi semua laporan ditinjau.",
    Reason.UNREADABLE: "Tidak ada kata yang dikenal dalam laporan ini.",
    Reason.AREA_UNKNOWN: "Wilayah (kecamatan, kelurahan, atau desa) tidak disebut.",
    Reason.AREA_AMBIGUOUS: "Lebih dari satu wilayah mungkin dimaksud.",
    Reason.OTHER_GOVERNMENT: "Perkara ini tampaknya bukan wewenang pemerintah daerah ini.",
    Reason.UNCLEAR_GOVERNMENT: "Belum jelas pemerintah mana yang berwenang.",
    Reason.TWO_MATTERS: "Laporan ini tampaknya memuat dua perkara untuk dua instansi; pertimbangkan untuk memecahnya.",
    Reason.AGENCY_OFF: "Penerusan otomatis ke instansi ini dimatikan, jadi laporannya ditinjau dulu.",
}


@dataclass(frozen=True)
class Choice:
    """A sector, its probability, and the agency that answers for it here; None if that depends on an unknown area."""

    sector: str
    agency: Agency | None
    area: Area | None
    probability: float


@dataclass(frozen=True)
class Policy:
    """What the head of a region's desk lets the program do alone.

    `head` is the sector head with the thresholds that their `target` takes (None: the bundle's own). Nothing goes to
    the agencies in `off` alone; an area family's offices are there as one, by the family's sector.
    """

    head: Head
    target: float | None = None
    off: frozenset[str] = frozenset()


def switch_of(agency: str) -> str:
    """The name under which routing alone to an agency is turned on or off: its code, or its area family's sector."""
    return agency.partition(":")[0]


@dataclass(frozen=True)
class Disposition:
    """Where a complaint should go, whether a person must look first and why, and the next likeliest choices."""

    choice: Choice
    alternatives: tuple[Choice, ...]
    outcome: Outcome
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Split:
    """Two matters of one complaint, for two agencies, and the probability of both."""

    choices: tuple[Choice, Choice]
    probability: float


@dataclass(frozen=True)
class Routed:
    """One complaint's prediction and what follows from it in a region.

    `urgency` is None for a bundle without that head, `split` where the complaint seems to hold one matter.
    """

    prediction: Prediction
    disposition: Disposition
    urgency: UrgencyAssessment | None
    jurisdiction: JurisdictionAnswer
    completeness: CompletenessAnswer
    split: Split | None


class Router:
    """A bundle at work for one region. Keep it: building it reads the region's place names and the written cues."""

    def __init__(self, bundle: Bundle, region: Region) -> None:
        self.bundle = bundle
        self.region = region
        self.finder = finder_of(region)
        self._jurisdiction = JurisdictionJudge(region, bundle.chain)
        of_completeness = bundle.heads[COMPLETENESS].thresholds if COMPLETENESS in bundle.heads else {}
        self._completeness = CompletenessJudge(of_completeness.get(ANYWHERE, INCOMPLETE_FROM))

    def route(self, complaint: Complaint, reading: Reading | None = None, policy: Policy | None = None) -> Routed:
        """Predict and decide. A complaint that names no region is taken to be of this one.

        `reading` is the bundle's own of it, for who has one to explain and compare the complaint by as well. Without a
        `policy` the bundle's own thresholds say what may go alone.
        """
        known = complaint if complaint.region else replace(complaint, region=self.region.code)
        reading = reading or self.bundle.read(known)
        text, prediction = reading.text, self.bundle.predict_reading(reading)
        mentions = self.finder.find(known)
        jurisdiction = self._jurisdiction.answer(text, prediction)
        split = self._split(known, prediction)
        doubts = [Reason.OTHER_GOVERNMENT] * (not jurisdiction.is_ours) + [Reason.TWO_MATTERS] * (split is not None)
        doubts += [Reason.UNCLEAR_GOVERNMENT] * (jurisdiction.level is Jurisdiction.UNCLEAR)
        policy = policy or Policy(self.bundle.heads[SECTOR])
        threshold = policy.head.threshold(known.region, prediction.sector.label)
        return Routed(
            prediction=prediction,
            disposition=decide(prediction, mentions, self.finder, threshold, doubts, policy.off),
            urgency=assess_urgency(prediction.urgency, text) if prediction.urgency else None,
            jurisdiction=jurisdiction,
            completeness=self._completeness.answer(text, prediction, mentions),
            split=split,
        )

    def _split(self, complaint: Complaint, prediction: Prediction) -> Split | None:
        found = find_two_matters(complaint, prediction, self.bundle.find_surest)
        if found is None:
            return None
        halves = zip((found.first, found.second), found.texts, strict=True)
        first, second = (
            _choose(
                half.label, half.probability, self.finder.find(replace(complaint, title="", text=text)), self.finder
            )
            for half, text in halves
        )
        if first.agency == second.agency:
            return None
        return Split((first, second), found.probability)


class Routers:
    """A bundle at work for every region; complaints of a region without a file are answered by the default one."""

    def __init__(self, bundle: Bundle, default: Region) -> None:
        self.bundle = bundle
        self.default = default
        self._routers = {default.code: Router(bundle, default)}
        # By region; replaced as a whole, since any thread may be routing.
        self.policies: Mapping[str, Policy] = {}

    def of(self, code: str) -> Router:
        """The router of a region."""
        if code not in known_regions():
            code = self.default.code
        if code not in self._routers:
            self._routers[code] = Router(self.bundle, load_region(code))
        return self._routers[code]

    def route(self, complaint: Complaint, reading: Reading | None = None) -> Routed:
        """Predict and decide in the complaint's own region, by its policy."""
        router = self.of(complaint.region)
        return router.route(complaint, reading, self.policies.get(router.region.code))


def decide(
    prediction: Prediction,
    mentions: list[Mention],
    finder: AreaFinder,
    threshold: float | None,
    more_doubts: Sequence[Reason] = (),
    off: Collection[str] = (),
) -> Disposition:
    """Route the likeliest sector in the finder's region; a person looks first if anything speaks against it.

    Nothing goes alone to the agencies in `off`, named as `switch_of` does.
    """
    worth = frozenset(prediction.candidates or [ranked.label for ranked in prediction.sectors[: ALTERNATIVES + 1]])
    choices = [
        _choose(ranked.label, ranked.probability, mentions, finder)
        for ranked in prediction.sectors
        if ranked.label in worth
    ]
    first = choices[0]
    several = len(finder.candidates(mentions, first.sector)) > 1
    doubts = [*_doubts_of_model(prediction, threshold), *_doubts_of_place(first, several_areas=several), *more_doubts]
    # What waits anyway waits for its own reasons.
    if not doubts and first.agency and switch_of(first.agency.code) in off:
        doubts = [Reason.AGENCY_OFF]
    return Disposition(
        choice=first,
        alternatives=tuple(choices[1:]),
        outcome=Outcome.REVIEW if doubts else Outcome.AUTO,
        reasons=tuple(dict.fromkeys(doubts)) or (Reason.CONFIDENT,),
    )


def _choose(sector: str, probability: float, mentions: list[Mention], finder: AreaFinder) -> Choice:
    region, area = finder.region, finder.choose(mentions, sector)
    family = region.family_of_sector.get(sector)
    if family is None:
        return Choice(sector, region.agency_of_sector[sector], area, probability)
    return Choice(sector, region.area_agency(family, area) if area else None, area, probability)


def _doubts_of_model(prediction: Prediction, threshold: float | None) -> list[Reason]:
    if not prediction.known_words:
        return [Reason.UNREADABLE]
    if threshold is None:
        return [Reason.NO_THRESHOLD]
    return [] if prediction.sector.probability >= threshold else [Reason.NOT_CONFIDENT]


def _doubts_of_place(choice: Choice, *, several_areas: bool) -> list[Reason]:
    if choice.agency is None:
        return [Reason.AREA_AMBIGUOUS if several_areas else Reason.AREA_UNKNOWN]
    if choice.agency.level is not Jurisdiction.LOCAL:
        return [Reason.UNCLEAR_GOVERNMENT if choice.sector == OTHER else Reason.OTHER_GOVERNMENT]
    return []
