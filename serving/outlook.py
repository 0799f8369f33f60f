"""Outlook: what routing alone would be like in a region at each target on offer, in words and as a curve."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.bundle import SECTOR, Bundle
from model.promise import PROMISE_CONFIDENCE, make_promise
from serving.wording import NO_BREAK, number

# The targets on offer: whole per cents, and from 95 % on, where it matters most, halves.
TARGETS: tuple[float, ...] = tuple(mille / 1000 for mille in (*range(800, 950, 10), *range(950, 996, 5)))
_CURVE_POINTS = 60
_TABLE_POINTS = 10
# Of fewer of the surest rows than these a share says nothing.
_FEWEST_ON_CURVE = 30
# The drawing, in its own units: its size, and what is left free for the axes' words.
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 480, 280, 56, 12, 24, 46


@dataclass(frozen=True)
class Offer:
    """A target, and what routing alone would be like: the share routed (0: it can't be promised), and rows lacking."""

    target: float
    coverage: float
    needed: int | None


@dataclass(frozen=True)
class Outlook:
    """What a bundle's evidence from one region tells: how many rows, each target's offer, and the curve.

    `coverage` and `precision` (points,): of that share of the rows, the surest, this share is right.
    """

    rows: int
    offers: tuple[Offer, ...]
    coverage: tuple[float, ...]
    precision: tuple[float, ...]


@dataclass(frozen=True)
class OfferView:
    """A target in words; `x`, `y` and `line` place it in the drawing (`x` and `y` empty where it can't be promised)."""

    value: str
    name: str
    words: str
    alone: str
    reviewed: str
    x: str
    y: str
    line: str


@dataclass(frozen=True)
class Mark:
    """A number at an axis: where, and what it says."""

    at: str
    name: str


@dataclass(frozen=True)
class CurveView:
    """The drawing of precision by coverage, and the same as rows of a table: share routed, share right."""

    line: str
    across: list[Mark]
    up: list[Mark]
    table: list[tuple[str, str]]


@dataclass
class Outlooks:
    """Outlooks by region, worked out once for each bundle: one takes up to a second."""

    bundle: Bundle
    found: dict[str, Outlook] = field(default_factory=dict)

    def of(self, bundle: Bundle, region: str) -> Outlook:
        """The outlook of a region."""
        if bundle is not self.bundle:
            self.bundle, self.found = bundle, {}
        found = self.found
        if region not in found:
            found[region] = outlook_of(bundle, region)
        return found[region]


def outlook_of(bundle: Bundle, region: str) -> Outlook:
    """What a bundle's evidence from a region tells of each of the `TARGETS`; of no rows nothing."""
    own, labels = bundle.evidence[bundle.evidence["region"] == region.encode()], bundle.heads[SECTOR].labels
    nothing = {"coverage": 0.0, "needed": None}
    offers = []
    for target in TARGETS:
        told = make_promise(own, labels, target).evidence.get(region, nothing)
        offers.append(Offer(target, told["coverage"], told["needed"]))
    coverage, precision = _curve(own)
    return Outlook(len(own), tuple(offers), coverage, precision)


def offer_view(offer: Offer, outlook: Outlook) -> OfferView:
    """A target with its promise restated, or that it can't be made and what it lacks."""
    left, top = _across(offer.coverage), _up(offer.target, _lowest(outlook))
    routed = round(offer.coverage * 100)
    can = offer.coverage > 0
    seen = float(np.interp(offer.coverage, outlook.coverage, outlook.precision)) if can and outlook.coverage else 0.0
    return OfferView(
        value=_plain(offer.target),
        name=per_cent(offer.target),
        words=_promise(offer.target, routed) if can else _no_promise(offer, outlook.rows),
        alone=f"{routed} dari 100" if can else "tidak ada",
        reviewed=f"{100 - routed} dari 100" if can else "semua",
        x=f"{left:.1f}" if can else "",
        y=f"{_up(seen, _lowest(outlook)):.1f}" if can else "",
        line=f"{top:.1f}",
    )


def curve_view(outlook: Outlook) -> CurveView:
    """The drawing: to the right the share routed alone, upwards the share of that which is right."""
    lowest = _lowest(outlook)
    points = zip(outlook.coverage, outlook.precision, strict=True)
    line = " ".join(f"{_across(share):.1f},{_up(right, lowest):.1f}" for share, right in points)
    steps = np.linspace(1 / _TABLE_POINTS, 1.0, _TABLE_POINTS)
    table = [(share, float(np.interp(share, outlook.coverage, outlook.precision))) for share in steps.tolist()]
    levels = [level / 10 for level in range(round(lowest * 10), 11)]
    return CurveView(
        line=line,
        across=[Mark(f"{_across(share):.1f}", number(share * 100)) for share in (0, 0.25, 0.5, 0.75, 1.0)],
        up=[Mark(f"{_up(level, lowest):.1f}", number(level * 100)) for level in levels],
        table=[(per_cent(share), per_cent(right)) for share, right in table],
    )


def per_cent(share: float) -> str:
    """A share as it was set or counted, with one decimal where there is one: "95 %", "99,5 %"."""
    whole = abs(share * 100 - round(share * 100)) < 0.05
    return f"{number(share * 100, 0 if whole else 1)}{NO_BREAK}%"


def rests_on(rows: int) -> str:
    if not rows:
        return "Model yang dipakai tidak membawa laporan berlabel dari wilayah ini sebagai bukti."
    sure = per_cent(PROMISE_CONFIDENCE)
    return f"Dihitung dari {number(rows)} laporan berlabel wilayah ini yang disisihkan, dengan keyakinan {sure}."


def _curve(own: NDArray[np.void]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of shares of the evidence, the surest first: how much of each is right. Nothing where rows are too few."""
    if len(own) < _FEWEST_ON_CURVE:
        return (), ()
    order = np.argsort(-own["confidence"], kind="stable")
    hits = np.cumsum((own["label"] == own["found"])[order])
    counts = np.unique(np.linspace(max(_FEWEST_ON_CURVE, len(own) // 50), len(own), _CURVE_POINTS).astype(int))
    return tuple((counts / len(own)).tolist()), tuple((hits[counts - 1] / counts).tolist())


def _promise(target: float, routed: int) -> str:
    base = 100 if abs(target * 100 - round(target * 100)) < 1e-6 else 1_000
    right = number(round(target * base))
    told = f"Dari {number(base)} laporan yang diteruskan tanpa moderator, sedikitnya {right} benar bidang urusannya"
    return f"{told}; sekitar {routed} dari 100 laporan diteruskan sendiri, {100 - routed} ditinjau."


def _no_promise(offer: Offer, rows: int) -> str:
    told = f"{per_cent(offer.target)} belum dapat dijanjikan di wilayah ini, jadi semua laporan akan ditinjau."
    if offer.needed:
        # More than two digits would pretend to know it.
        digits = len(str(offer.needed)) - 2
        return f"{told} Kira-kira {number(round(offer.needed, -digits))} laporan berlabel lagi dibutuhkan untuk itu."
    if rows:
        return f"{told} Berapa laporan berlabel lagi yang dibutuhkan belum dapat diperkirakan."
    return f"{told} Model ini belum pernah diuji dengan laporan berlabel dari sini."


def _plain(target: float) -> str:
    """A target in per cent, as forms send it."""
    return f"{target * 100:.1f}".removesuffix(".0")


def _lowest(outlook: Outlook) -> float:
    """Where the drawing's upward axis starts: a tenth below all that it shows."""
    return min(int(min((*outlook.precision, TARGETS[0])) * 10) / 10, TARGETS[0])


def _across(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _up(share: float, lowest: float) -> float:
    return _TOP + (1.0 - share) / (1.0 - lowest) * (_HEIGHT - _TOP - _BOTTOM)
