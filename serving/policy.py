"""Policies: what the head of each region's desk lets the program do alone, and what each agency has earned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import Connection, and_, case, func, insert, select

from data.complaint import Confidentiality
from model.bundle import SECTOR, Bundle
from model.masking import mask_for_storage
from model.promise import lower_bound, make_promise, upper_bound
from model.routing import Outcome, Policy, Routers, switch_of
from serving.case import JUDGING, Clock, now
from serving.checks import Check
from serving.events import autonomy_event
from serving.privacy import Action, record
from serving.selection import JUDGED_FAIRLY, STANDS, last_verdict
from serving.store import Store, insert_events
from serving.tables import answers, cases, policies, reviews

LONGEST_REASON = 255
# Blind checks of an agency are judged with this certainty.
AUDIT_CERTAINTY = 0.95
LOOKS_EVERY_SECONDS = 5.0
# How long a complaint waits for a look at the store; a healthy one takes a hundredth of it.
_PATIENCE_SECONDS = 1.0
_ALL_AGENCIES = ""
# Who has changed what nobody but the program itself did.
PROGRAM = "program"
_log = structlog.get_logger("disposisi.policy")


@dataclass(frozen=True)
class Rules:
    """What a region's desk has decided: its target (None: the bundle's own), and where nothing goes alone.

    `off` holds names as `model.routing.switch_of` gives them.
    """

    target: float | None = None
    off: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """One decision about routing alone, of a region's target (then `agency` is empty) or of an agency."""

    agency: str
    target: float | None
    routes_alone: bool
    reason: str
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True)
class Audits:
    """An agency's cases that were routed alone, those of them that were checked blind, and those found right."""

    routed: int = 0
    checked: int = 0
    right: int = 0

    @property
    def least(self) -> float:
        """The share that is right at least, by the one-sided Clopper-Pearson bound; 0 where nothing was checked."""
        return lower_bound(self.right, self.checked, AUDIT_CERTAINTY)

    @property
    def most(self) -> float:
        """The share that is right at most, by the one-sided Clopper-Pearson bound; 1 where nothing was checked."""
        return upper_bound(self.right, self.checked, AUDIT_CERTAINTY)


class Policies:
    """The policies in the store as this process knows them. Any thread may ask.

    Reads them when made, and raises if that fails: routing without knowing them could do what was forbidden.
    """

    def __init__(self, store: Store, *, timer: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._timer = timer
        self._known = read_rules(store)
        self._looked_at = timer()
        self._underway: Future[None] | None = None
        self._looking = Lock()
        # Its thread starts with the first look, so after a fork, and ends with the object.
        self._thread = ThreadPoolExecutor(1, "policy")

    def look(self, routers: Routers) -> None:
        """Let routers go by what the store says, which is asked at most every `LOOKS_EVERY_SECONDS`.

        Fit for the event loop: a store that doesn't answer within a second is asked beside it, and until it does what
        was known goes on.
        """
        with self._looking:
            is_busy = self._underway is not None and not self._underway.done()
            if is_busy or self._timer() - self._looked_at < LOOKS_EVERY_SECONDS:
                return
            self._looked_at = self._timer()
            underway = self._underway = self._thread.submit(self._look, routers)
        wait([underway], _PATIENCE_SECONDS)

    def refresh(self, routers: Routers) -> None:
        """Let routers go by what the store says now."""
        self._known = read_rules(self._store)
        self.apply(routers)

    def apply(self, routers: Routers) -> None:
        """Let routers go by what was known last; thresholds are chosen on their own bundle's evidence."""
        rules, present = self._known, routers.policies
        if rules != {region: Rules(policy.target, policy.off) for region, policy in present.items()}:
            routers.policies = {
                region: _policy(routers.bundle, region, own, present.get(region)) for region, own in rules.items()
            }

    def _look(self, routers: Routers) -> None:
        try:
            self.refresh(routers)
        except Exception as error:
            # Whatever it was, complaints are routed by what was known.
            _log.warning("policies not read, those known go on", reason=type(error).__name__)


def read_rules(store: Store) -> Mapping[str, Rules]:
    """What counts now, by region; a region that has never decided anything isn't in it."""
    latest = select(func.max(policies.c.id)).group_by(policies.c.region, policies.c.agency)
    with store.reading() as connection:
        rows = connection.execute(select(policies).where(policies.c.id.in_(latest))).all()
    targets = {row.region: row.target for row in rows if row.agency == _ALL_AGENCIES}
    off = defaultdict(set)
    for row in rows:
        if row.agency != _ALL_AGENCIES and not row.routes_alone:
            off[row.region].add(row.agency)
    return {region: Rules(targets.get(region), frozenset(off[region])) for region in {row.region for row in rows}}


def set_target(store: Store, region: str, target: float, *, by: str, reason: str, clock: Clock = now) -> None:
    """Decide what share of a region's complaints that are routed alone must be right at least."""
    _decide(store, region, _ALL_AGENCIES, {"target": target, "routes_alone": True}, by=by, reason=reason, clock=clock)


def switch_agency(
    store: Store,
    region: str,
    agency: str,
    *,
    routes_alone: bool,
    by: str,
    reason: str,
    clock: Clock = now,
) -> None:
    """Decide whether complaints may go to an agency alone; `agency` as `model.routing.switch_of` gives it."""
    _decide(store, region, agency, {"target": None, "routes_alone": routes_alone}, by=by, reason=reason, clock=clock)


def last_changes(store: Store, region: str) -> dict[str, Change]:
    """What was decided last of each agency of a region, by `model.routing.switch_of`."""
    latest = select(func.max(policies.c.id)).where(policies.c.region == region).group_by(policies.c.agency)
    columns = [policies.c[name] for name in Change.__annotations__]
    query = select(*columns).where(policies.c.id.in_(latest), policies.c.agency != _ALL_AGENCIES)
    with store.reading() as connection:
        return {row.agency: Change(*row) for row in connection.execute(query)}


def changes(store: Store, region: str, limit: int) -> list[Change]:
    """A region's latest decisions, the newest first."""
    columns = [policies.c[name] for name in Change.__annotations__]
    query = select(*columns).where(policies.c.region == region).order_by(policies.c.id.desc()).limit(limit)
    with store.reading() as connection:
        return [Change(*row) for row in connection.execute(query)]


def audits_of(store: Store, region: str) -> dict[str, Audits]:
    """The evidence that each agency has earned, by `model.routing.switch_of`; an agency that got nothing isn't in it.

    A check counts if its verdict tells whether that was right, the last one where an agency sent the case back: once.
    """
    checks = and_(
        reviews.c.case_id == cases.c.id,
        cases.c.check == Check.AUDIT.value,
        JUDGED_FAIRLY,
        STANDS,
        reviews.c.id == last_verdict(JUDGING),
    )
    is_right = func.sum(case((reviews.c.agency == answers.c.agency, 1), else_=0))
    query = (
        select(answers.c.agency, func.count(cases.c.id.distinct()), func.count(reviews.c.id), is_right)
        .select_from(cases.join(answers, answers.c.case_id == cases.c.id).outerjoin(reviews, checks))
        .where(cases.c.region == region, answers.c.outcome == Outcome.AUTO.value, answers.c.agency.is_not(None))
        .group_by(answers.c.agency)
    )
    found: dict[str, Audits] = {}
    with store.reading() as connection:
        for agency, routed, checked, right in connection.execute(query):
            before = found.get(switch_of(agency), Audits())
            found[switch_of(agency)] = Audits(before.routed + routed, before.checked + checked, before.right + right)
    return found


def _decide(
    store: Store, region: str, agency: str, what: dict[str, Any], *, by: str, reason: str, clock: Clock
) -> None:
    row = {"region": region, "agency": agency, **what, "changed_at": clock(), "changed_by": by}
    # Who explains a decision may well name whose complaint it was.
    row["reason"] = mask_for_storage(reason, Confidentiality.TERBUKA)[:LONGEST_REASON]
    with store.writing() as connection:
        if by == PROGRAM and _is_so(connection, row):
            return  # another process was as quick
        connection.execute(insert(policies), row)
        told = {"of": "policy", "region": region, "agency": agency, **what}
        record(connection, by, Action.CHANGE, None, told, clock=clock)
        event = {"agency": agency or None, **what, "by_program": by == PROGRAM}
        insert_events(connection, [autonomy_event(region, row["changed_at"], event)])


def _is_so(connection: Connection, row: dict[str, Any]) -> bool:
    """Whether the latest decision on the same thing is the same already."""
    same = (policies.c.region == row["region"], policies.c.agency == row["agency"])
    query = select(policies.c.routes_alone).where(*same).order_by(policies.c.id.desc()).limit(1)
    found = connection.execute(query).scalar()
    return found is not None and found == row["routes_alone"]


def _policy(bundle: Bundle, region: str, rules: Rules, present: Policy | None) -> Policy:
    head = bundle.heads[SECTOR]
    if rules.target is None:
        return Policy(head, None, rules.off)
    if present is not None and present.target == rules.target:
        return replace(present, off=rules.off)
    own = bundle.evidence[bundle.evidence["region"] == region.encode()]
    promise = make_promise(own, head.labels, rules.target)
    head = replace(head, thresholds=promise.thresholds, label_thresholds=promise.label_thresholds)
    return Policy(head, rules.target, rules.off)
