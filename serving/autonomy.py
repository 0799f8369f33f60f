"""Autonomy: what the running model may do alone in each region, what that rests on, and how an agency loses it.

Each agency earns routing alone by itself. The program turns it off once blind checks prove that less is right than was
promised: with at least `FEWEST_CHECKS` of its newest checks, the one-sided 95 % upper bound (Clopper-Pearson) lies
under the target. On again turns it a person; or the program what it had turned off itself, once the lower bound of
checks since then lies over the target. Those are blind checks of cases that waited for no other reason.

Checks count whichever bundle answered: a desk of some complaints a day, which trains each week, would else never have
enough of one bundle's. `MOST_CHECKS` of the newest count, so that what a bundle of before did is forgotten in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, and_, case, select

from model.bundle import SECTOR, Bundle
from model.heads import Head
from model.routing import Outcome, Reason, Routers, switch_of
from serving.case import JUDGING, Clock, now
from serving.checks import Check
from serving.figures import Summary
from serving.policy import PROGRAM, Audits, Change, last_changes, switch_agency
from serving.selection import JUDGED_FAIRLY, STANDS, last_verdict
from serving.store import Store
from serving.tables import answers, cases, reviews
from serving.wording import NO_BREAK, number, office_name, place_name, sector_name

NOTHING = "belum ada"
# Fewer prove nothing: one wrong of one would turn an agency off.
FEWEST_CHECKS = 30
MOST_CHECKS = 100


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


@dataclass(frozen=True)
class Switched:
    """An agency that the program has switched by itself, and the checks that this rests on."""

    region: str
    agency: str
    routes_alone: bool
    checks: Audits
    target: float


def keep_earned(store: Store, routers: Routers, region: str, clock: Clock = now) -> list[Switched]:
    """Switch a region's agencies by what their newest blind checks prove, and tell which were switched.

    Each switch is a policy of the program's own, with its line in the audit record and its event. Doing it again, or
    from two processes at once, changes nothing more. Nothing is switched where nothing was promised.
    """
    target = promised(routers, region)
    if target is None:
        return []
    last = last_changes(store, region)
    alone = _checks_of(store, region, last, _WENT_ALONE)
    would_have = _checks_of(store, region, last, _WOULD_HAVE_GONE)
    switched = []
    for agency in sorted({*alone, *would_have}):
        change = last.get(agency)
        is_on = change is None or change.routes_alone
        checks = (alone if is_on else would_have).get(agency, Audits())
        lost = is_on and checks.checked >= FEWEST_CHECKS and checks.most < target
        earned = change is not None and not is_on and change.changed_by == PROGRAM and checks.least > target
        if lost or earned:
            found = Switched(region, agency, earned, checks, target)
            reason = _why(found)
            switch_agency(store, region, agency, routes_alone=earned, by=PROGRAM, reason=reason, clock=clock)
            switched.append(found)
    return switched


_WENT_ALONE = and_(cases.c.check == Check.AUDIT.value, answers.c.outcome == Outcome.AUTO.value)
# Where an agency is off, a case that waits for that reason has no other.
_WOULD_HAVE_GONE = and_(
    cases.c.check == Check.BLIND.value, answers.c.detail["reasons"][0].as_string() == Reason.AGENCY_OFF
)


def _checks_of(store: Store, region: str, last: Mapping[str, Change], which: ColumnElement[bool]) -> dict[str, Audits]:
    """The newest blind checks, by agency, since it was last switched; routed counts them as well."""
    is_right = case((reviews.c.agency == answers.c.agency, 1), else_=0)
    query = (
        select(answers.c.agency, reviews.c.decided_at, is_right)
        .select_from(
            cases.join(answers, answers.c.case_id == cases.c.id).join(reviews, reviews.c.case_id == cases.c.id)
        )
        .where(
            cases.c.region == region,
            answers.c.agency.is_not(None),
            which,
            JUDGED_FAIRLY,
            STANDS,
            reviews.c.id == last_verdict(JUDGING),
        )
        .order_by(reviews.c.id.desc())
    )
    found: dict[str, Audits] = {}
    with store.reading() as connection:
        for agency, decided_at, right in connection.execute(query):
            name = switch_of(agency)
            before = found.get(name, Audits())
            if before.checked == MOST_CHECKS or (name in last and decided_at <= last[name].changed_at):
                continue
            found[name] = Audits(before.routed + 1, before.checked + 1, before.right + right)
    return found


def _why(switched: Switched) -> str:
    checks = switched.checks
    bound = f"paling tinggi {share_text(checks.most, 1)}"
    if switched.routes_alone:
        bound = f"paling rendah {share_text(checks.least, 1)}"
    told = f"Pemeriksaan acak: {number(checks.right)} dari {number(checks.checked)} benar, {bound}"
    return f"{told}; target {share_text(switched.target, 1)}."


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
