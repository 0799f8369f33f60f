"""Autonomy: what the running model may do alone in each region, and what that rests on, as the board tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.bundle import SECTOR, Bundle
from model.heads import Head
from model.routing import Routers
from serving.case_list import office_name, place_name
from serving.figures import Summary
from serving.wording import NO_BREAK, number, sector_name

NOTHING = "belum ada"


@dataclass(frozen=True)
class AloneView:
    """What may be routed alone in a region, and what that rests on."""

    region: str
    target: str
    least: str
    barred: str
    rows: str
    coverage: str
    needed: str


def share_text(value: float | None, decimals: int = 0) -> str:
    """A share that was counted, in per cent; that of nothing is told as such."""
    return NOTHING if value is None else f"{number(100 * value, decimals)}{NO_BREAK}%"


def regions_shown(summary: Summary) -> list[str]:
    """The region itself; of all, those that cases came from."""
    if summary.span.region:
        return [summary.span.region]
    return sorted({office.region for office in summary.by_agency})


def promised(routers: Routers, region: str) -> float | None:
    """The share that is promised to be right: the desk's own, or the one that the bundle was made for."""
    policy = routers.policies.get(region)
    if policy is not None and policy.target is not None:
        return policy.target
    target: float | None = routers.bundle.about.get("metrics", {}).get(SECTOR, {}).get("promised_precision")
    return target


def alone_in(routers: Routers, region: str) -> AloneView:
    """What the running model may do alone in a region: by the desk's policy, if it has one."""
    policy, bundle = routers.policies.get(region), routers.bundle
    head = policy.head if policy is not None else bundle.heads[SECTOR]
    threshold = head.thresholds.get(region)
    # An own threshold of 1 bars a sector: nothing is as sure.
    barred = [sector for sector, least in head.label_thresholds.get(region, {}).items() if least >= 1.0]
    told = [sector_name(sector) for sector in barred]
    told += [_switched_off(region, agency) for agency in sorted(policy.off)] if policy is not None else []
    known: Mapping[str, Any] = bundle.about.get("metrics", {}).get(SECTOR, {}).get("evidence", {}).get(region, {})
    # How many more rows are needed was worked out for the bundle's own target alone.
    needed = known.get("needed") if policy is None or policy.target is None else None
    rows = int((bundle.evidence["region"] == region.encode()).sum())
    return AloneView(
        region=place_name(region),
        target=share_text(promised(routers, region), 1),
        least="tidak ada" if threshold is None else f"mulai peluang {share_text(threshold, 1)}",
        barred=", ".join(told) if told and threshold is not None else "",
        rows=number(rows),
        coverage=share_text(_coverage(bundle, head, region)),
        needed="" if threshold is not None else f"kira-kira {number(needed)}" if needed else "belum dapat dihitung",
    )


def _coverage(bundle: Bundle, head: Head, region: str) -> float | None:
    """The share of a region's rows kept aside whose answer is sure enough to go alone; None without rows or promise."""
    own = bundle.evidence[bundle.evidence["region"] == region.encode()]
    if not len(own) or region not in head.thresholds:
        return None
    thresholds = [head.threshold(region, label) for label in head.labels]
    least = np.array([np.inf if threshold is None else threshold for threshold in thresholds])
    return float((own["confidence"] >= least[own["found"]]).mean())


def _switched_off(region: str, agency: str) -> str:
    """What the desk has switched off: an agency, or all offices of an area family, which go by their sector."""
    name = office_name(region, agency)
    return sector_name(agency) if name == agency else name
