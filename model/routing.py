"""Routing: from a prediction to a disposition, and whether it may happen without a person."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from data.complaint import Complaint, Jurisdiction
from data.region import Agency, Area, Region, known_regions, load_region
from model.areas import AreaFinder, Mention
from model.bundle import SECTOR, Bundle
from model.prediction import Prediction

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


REASON_TEXTS = {
    Reason.CONFIDENT: "Peluangnya mencapai batas untuk diteruskan otomatis.",
    Reason.NOT_CONFIDENT: "Peluangnya di bawah batas untuk diteruskan otomatis.",
    Reason.NO_THRESHOLD: "Model ini belum terbukti cukup sering benar di daerah ini, jadi semua laporan ditinjau.",
    Reason.UNREADABLE: "Tidak ada kata yang dikenal dalam laporan ini.",
    Reason.AREA_UNKNOWN: "Wilayah (kecamatan, kelurahan, atau desa) tidak disebut.",
    Reason.AREA_AMBIGUOUS: "Lebih dari satu wilayah mungkin dimaksud.",
    Reason.OTHER_GOVERNMENT: "Perkara ini tampaknya kewenangan pemerintah lain.",
}


@dataclass(frozen=True)
class Choice:
    """A sector, its probability, and the agency that answers for it here; None if that depends on an unknown area."""

    sector: str
    agency: Agency | None
    area: Area | None
    probability: float


@dataclass(frozen=True)
class Disposition:
    """Where a complaint should go, whether a person must look first and why, and the next likeliest choices."""

    choice: Choice
    alternatives: tuple[Choice, ...]
    outcome: Outcome
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Routed:
    """One complaint's prediction and what follows from it in a region."""

    prediction: Prediction
    disposition: Disposition


class Router:
    """A bundle at work for one region. Keep it: building it reads the region's place names."""

    def __init__(self, bundle: Bundle, region: Region) -> None:
        self.bundle = bundle
        self.region = region
        self.finder = AreaFinder(region)

    def route(self, complaint: Complaint) -> Routed:
        """Predict and decide. A complaint that names no region is taken to be of this one."""
        known = complaint if complaint.region else replace(complaint, region=self.region.code)
        [prediction] = self.bundle.predict([known])
        mentions = self.finder.find(known)
        return Routed(
            prediction,
            decide(prediction, mentions, self.finder, self.bundle.heads[SECTOR].thresholds.get(known.region)),
        )


class Routers:
    """A bundle at work for every region; complaints of a region without a file are answered by the default one."""

    def __init__(self, bundle: Bundle, default: Region) -> None:
        self.bundle = bundle
        self.default = default
        self._routers = {default.code: Router(bundle, default)}

    def of(self, code: str) -> Router:
        """The router of a region."""
        if code not in known_regions():
            code = self.default.code
        if code not in self._routers:
            self._routers[code] = Router(self.bundle, load_region(code))
        return self._routers[code]

    def route(self, complaint: Complaint) -> Routed:
        """Predict and decide in the complaint's own region."""
        return self.of(complaint.region).route(complaint)


def decide(prediction: Prediction, mentions: list[Mention], finder: AreaFinder, threshold: float | None) -> Disposition:
    """Route the likeliest sector in the finder's region; a person looks first if anything speaks against it."""
    choices = [
        _choose(ranked.label, ranked.probability, mentions, finder) for ranked in prediction.sectors[: ALTERNATIVES + 1]
    ]
    first = choices[0]
    several = len(finder.candidates(mentions, first.sector)) > 1
    doubts = [*_doubts_of_model(prediction, threshold), *_doubts_of_place(first, several_areas=several)]
    return Disposition(
        choice=first,
        alternatives=tuple(choices[1:]),
        outcome=Outcome.REVIEW if doubts else Outcome.AUTO,
        reasons=tuple(doubts) or (Reason.CONFIDENT,),
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
        return [Reason.OTHER_GOVERNMENT]
    return []
