"""The report of an evaluation: a page for people, its numbers as JSON, and a model card, in a folder of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from markupsafe import Markup

from data.region import known_regions, load_region
from data.sectors import all_sectors
from data.writing import whole_folder
from model.bundle import COMPLETENESS, JURISDICTION, SECTOR, URGENCY, Bundle
from training.answers import Answers
from training.card import card_text
from training.charts import both, curve_chart, learning_chart, reliability_chart
from training.evaluation import NO_CHANNEL, NO_MONTH, Evaluation, slice_names
from training.figures import Figure, Slice, slices_of
from training.learning import LearningCurve
from training.pages import page_of
from training.quality import (
    Confusion,
    Costs,
    Curve,
    SectorQuality,
    UrgencyQuality,
    agency_confusions,
    costs_of,
    curve_of,
    sector_confusions,
    sector_qualities,
    share_of,
    urgency_quality,
)
from training.reliability import Reliability, SliceReliability, reliability_of, slice_reliabilities

PAGE, NUMBERS, CARD = "index.html", "report.json", "card.md"
# Fewer rows than these prove a promise neither kept nor broken, and no interval of theirs is told.
_FEW_ROWS = 30
# Of fewer, a diagram shows no course.
_FEWEST_BINS_DRAWN = 4
_AnySlice = TypeVar("_AnySlice", Slice, SliceReliability)
HEADS = {
    SECTOR: ("Sektor", "Sector"),
    URGENCY: ("Urgensi", "Urgency"),
    COMPLETENESS: ("Tidak lengkap", "Incomplete"),
    JURISDICTION: ("Kewenangan", "Jurisdiction"),
}
_KINDS = {
    "region": ("Daerah", "Region"),
    "language": ("Bahasa", "Language"),
    "text length": ("Panjang teks", "Text length"),
    "month": ("Bulan masuk", "Month received"),
    "title": ("Judul", "Title"),
    "location": ("Lokasi", "Location"),
    "channel": ("Saluran masuk", "Channel"),
}
_PARTS = {
    "indonesian": "bahasa Indonesia",
    "javanese": "campur bahasa Jawa",
    "sundanese": "campur bahasa Sunda",
    "betawi": "campur bahasa Betawi",
    "minangkabau": "campur bahasa Minangkabau",
    "balinese": "campur bahasa Bali",
    "under 15 words": "di bawah 15 kata",
    "15 to 59 words": "15 sampai 59 kata",
    "60 words or more": "60 kata atau lebih",
    "with a title": "dengan judul",
    "without a title": "tanpa judul",
    "with a location": "dengan lokasi",
    "without a location": "tanpa lokasi",
    "no region": "tanpa daerah",
    NO_CHANNEL: "saluran tidak disebut",
    NO_MONTH: "tanpa bulan",
}


@dataclass(frozen=True)
class BundleFacts:
    """What a bundle says of itself."""

    version: str
    region: str
    created_at: str
    recipe: str
    encoder: str
    rows: int
    rows_by_region: dict[str, int]
    labels: dict[str, int]
    versions: dict[str, str]


@dataclass(frozen=True)
class Headline:
    """How many complaints would go alone, how often rightly, and whether the promise is kept.

    `promise` is "kept" or "broken" where the 95 % interval of `right` lies on one side of it, "unsure" where it
    doesn't or rows are few, "none" where nothing goes alone. `right` has a score interval, near-copies counted once.
    """

    rows: int
    alone: Figure
    right: Figure | None
    promised: float
    promise: str


@dataclass(frozen=True)
class Report:
    """Every number of the page; a part is None, or empty, where no row can tell it. No citizen's text is in it."""

    made_on: str
    region: str
    region_name: str
    bundle: BundleFacts
    rows: int
    left_out_as_seen: int
    left_out_unreadable: int
    received: tuple[str, str]
    headline: Headline | None
    figures: Evaluation
    curve: Curve | None
    reliability: tuple[Reliability, ...]
    sector_confusions: tuple[Confusion, ...]
    agency_confusions: tuple[Confusion, ...]
    sectors: tuple[SectorQuality, ...]
    learning: LearningCurve | None
    slices: tuple[Slice, ...]
    slice_reliability: tuple[SliceReliability, ...]
    urgency: UrgencyQuality | None
    costs: Costs | None


def make_report(
    answers: Answers,
    evaluation: Evaluation,
    *,
    made_on: str,
    complaints_a_month: int = 100,
    minutes_each: float = 5.0,
    left_out_unreadable: int = 0,
    learning: LearningCurve | None = None,
) -> Report:
    """Work out every number of a report from the answers and their figures; `made_on` is the date the page tells."""
    told, curve = answers.of_head(SECTOR), curve_of(answers)
    reliability = [reliability_of(answers, head) for head in HEADS]
    alone, precision = evaluation.auto_share, share_of(told, answers.is_auto(told.index))
    names = slice_names(answers, told)
    months = slices_of("month", names["month"], told.right, told.among(3), told.groups, sorted(set(names["month"])))
    dates = sorted(row.received_at[:10] for row in answers.rows if row.received_at)
    return Report(
        made_on=made_on,
        region=answers.region.code,
        region_name=answers.region.name,
        bundle=_facts(answers.bundle),
        rows=len(answers.rows),
        left_out_as_seen=answers.left_out_as_seen,
        left_out_unreadable=left_out_unreadable,
        received=(dates[0], dates[-1]) if dates else ("", ""),
        headline=_headline(alone, precision, curve) if alone else None,
        figures=evaluation,
        curve=curve,
        reliability=tuple(each for each in reliability if each is not None),
        sector_confusions=sector_confusions(told),
        agency_confusions=agency_confusions(answers),
        sectors=sector_qualities(told),
        learning=learning,
        slices=_in_order([*evaluation.slices, *months]),
        slice_reliability=slice_reliabilities(answers, told, names),
        urgency=urgency_quality(answers),
        costs=costs_of(alone, precision, complaints_a_month, minutes_each) if alone else None,
    )


def write_report(report: Report, folder: Path) -> None:
    """Write page, numbers and card to a new folder, whole or not at all. Raises `OutputExists`, `CannotWrite`."""
    page, card = page_html(report), card_text(report)
    numbers = json.dumps(asdict(report), ensure_ascii=False, indent=1, allow_nan=False)
    with whole_folder(folder) as aside:
        for name, text in ((PAGE, page), (NUMBERS, numbers), (CARD, card)):
            (aside / name).write_text(text + "\n", encoding="utf-8")


def page_html(report: Report) -> str:
    """The page, whole in itself: style, charts and both languages are in it, and nothing is fetched."""
    charts = {
        "curve": curve_chart(report.curve) if report.curve else "",
        "learning": learning_chart(report.learning) if report.learning else "",
        "reliability": {e.head: reliability_chart(e.head, e.bins, both(*HEADS[e.head])) for e in report.reliability},
        "slices": [
            (each, reliability_chart(f"slice-{number}", each.bins, both(*_part(each))))
            for number, each in enumerate(_in_order(report.slice_reliability))
            if len(each.bins) >= _FEWEST_BINS_DRAWN
        ],
    }
    filters: dict[str, Callable[..., str]] = {"percent": _percent, "interval": _interval, "count": _count}
    filters |= {"decimal": _decimal, "sector": _sector}
    return page_of(
        "report.html",
        filters,
        report=report,
        charts=charts,
        heads=HEADS,
        kinds=_KINDS,
        told={(each.kind, each.name): each for each in report.slice_reliability},
        part=_part,
        few=_FEW_ROWS,
        levels=(("rendah", "low"), ("sedang", "medium"), ("tinggi", "high"), ("darurat", "emergency")),
    )


def _headline(alone: Figure, right: Figure | None, curve: Curve | None) -> Headline:
    promised = curve.target if curve else 0.95
    promise = "unsure"
    if right is None:
        promise = "none"
    elif right.rows >= _FEW_ROWS and right.low >= promised:
        promise = "kept"
    elif right.rows >= _FEW_ROWS and right.high < promised:
        promise = "broken"
    return Headline(alone.rows, alone, right, promised, promise)


def _facts(bundle: Bundle) -> BundleFacts:
    about: dict[str, Any] = bundle.about
    return BundleFacts(
        version=bundle.version,
        region=about.get("region", ""),
        created_at=about.get("created_at", ""),
        recipe=about.get("recipe", {}).get("name", ""),
        encoder=bundle.encoder,
        rows=int(about.get("rows", {}).get("count", 0)),
        rows_by_region=dict(about.get("rows", {}).get("by_region", {})),
        labels={name: len(head.labels) for name, head in bundle.heads.items()},
        versions=dict(about.get("versions", {})),
    )


def _in_order(slices: Sequence[_AnySlice]) -> tuple[_AnySlice, ...]:
    order = list(_KINDS)
    return tuple(sorted(slices, key=lambda part: order.index(part.kind)))


def _part(part: Slice | SliceReliability) -> tuple[str, str]:
    """The name of a slice in both languages."""
    if part.kind == "region" and part.name in known_regions():
        name = load_region(part.name).name
        return name, name
    return _PARTS.get(part.name, part.name), part.name


def _sector(code: str) -> Markup:
    """A sector's name; the English one is its code."""
    sector = all_sectors().get(code)
    return _spans(sector.name if sector else code, code)


def _percent(share: float) -> Markup:
    """A share in per cent; with a decimal where rounding would make it all or nothing."""
    return Markup("{}\u00a0%").format(_decimal(100 * share, _digits(share)))


def _interval(figure: Figure) -> Markup:
    """From low to high, in per cent."""
    low = _decimal(100 * figure.low, _digits(figure.low))
    return Markup("{}\u2013{}").format(low, _percent(figure.high))


def _digits(share: float) -> int:
    return int(0.0005 <= share < 0.005 or 0.995 <= share < 0.9995)


def _count(number: float) -> Markup:
    return _decimal(number, 0)


def _decimal(number: float, digits: int) -> Markup:
    """A number with so many decimals, as each language writes it."""
    english = f"{number:,.{digits}f}"
    indonesian = english.translate(str.maketrans(",.", ".,"))
    return Markup("{}").format(english) if indonesian == english else _spans(indonesian, english)


def _spans(indonesian: str, english: str) -> Markup:
    return Markup('<span lang="id">{}</span><span lang="en">{}</span>').format(indonesian, english)
