"""Shadow: a challenger answers new cases beside the model at work; kept to be compared, shown to nobody who decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Row, and_, bindparam, case, func, insert, select

from data.complaint import Complaint
from data.errors import DisposisiError
from data.region import load_region
from model.bundle import load_bundle
from model.registry import find_bundle
from model.routing import Routers
from serving.case import LABELLING, LabelSource
from serving.events import EventType
from serving.store import Store
from serving.tables import answers, cases, events, reviews, shadow_answers
from serving.triage import Triage

EVERY_SECONDS = 5.0
NEWEST = 5_000
# A case costs some milliseconds; what comes faster than this is passed over, the oldest first.
MOST_A_ROUND = 20
_COMES_IN = (EventType.ROUTED.value, EventType.REVIEW_REQUESTED.value)
_log = structlog.get_logger("disposisi.shadow")


class Shadow:
    """A thread that reads new cases from the store, behind the answers and never before one, and answers them too.

    `source` is a bundle's folder or `registry@alias`, looked at anew each round: another challenger takes over by
    itself, and one that can't be used, or is the model at work, answers nothing. It routes by its own thresholds, not
    by the desk's policies, which were decided on another model's evidence.
    """

    def __init__(self, triage: Triage, source: Path) -> None:
        self._triage = triage
        self._source = source
        self._folder: Path | None = None
        self._routers: Routers | None = None
        self._after: int | None = None
        self._complained = ""
        self._stop = Event()
        self._thread = Thread(target=self._work, name="shadow", daemon=True)

    def start(self) -> None:
        """Begin; after a fork, not before."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the case that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def once(self) -> int:
        """Answer the newest cases since the last round, at most `MOST_A_ROUND`, and tell how many."""
        store, after = self._triage.store, self._after
        with store.reading() as connection:
            self._after = connection.execute(select(func.max(events.c.number))).scalar() or 0
        # The first round only learns where to begin.
        if after is None or not (routers := self._challenger()):
            return 0
        version = routers.bundle.version
        # What another case's undoing tells again has its answer already.
        has_one = select(shadow_answers.c.case_id).where(shadow_answers.c.model_version == version)
        is_new = and_(events.c.number > after, events.c.number <= self._after, events.c.type.in_(_COMES_IN))
        query = (
            select(*(cases.c[name] for name in ("id", "text", "title", "location", "region")))
            .join(events, events.c.case_id == cases.c.id)
            .where(is_new, cases.c.emptied_at.is_(None), cases.c.id.not_in(has_one))
            .order_by(events.c.number.desc())
            .limit(MOST_A_ROUND)
        )
        with store.reading() as connection:
            rows = connection.execute(query).all()
        made = [self._answer(routers, row) for row in {row.id: row for row in rows}.values() if not self._stop.is_set()]
        if made:
            with store.writing() as connection:
                connection.execute(insert(shadow_answers), made)
        return len(made)

    def _answer(self, routers: Routers, row: Row[Any]) -> dict[str, Any]:
        routed = routers.route(Complaint(row.text, row.title, row.location, row.region))
        choice = routed.disposition.choice
        return {
            "case_id": row.id,
            "model_version": routers.bundle.version,
            "sector": choice.sector,
            "probability": choice.probability,
            "agency": choice.agency.code if choice.agency else None,
            "outcome": routed.disposition.outcome.value,
            "urgency": int(routed.urgency.level) if routed.urgency else None,
            "answered_at": self._triage.now(),
        }

    def _challenger(self) -> Routers | None:
        """The challenger at work; None if it can't be used, or is the model that answers anyway."""
        try:
            folder = find_bundle(self._source)
            if folder != self._folder:
                bundle = load_bundle(folder)
                self._routers, self._folder = Routers(bundle, load_region(self._triage.region)), folder
                self._complained = ""
                _log.info("challenger answers in shadow", version=bundle.version)
        except DisposisiError as error:
            # Told once: most registries have no challenger most of the time.
            if str(error) != self._complained:
                _log.warning("no challenger", reason=type(error).__name__)
            self._complained, self._routers, self._folder = str(error), None, None
        routers = self._routers
        return routers if routers and routers.bundle.version != self._triage.bundle.version else None

    def _work(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self.once()
            except Exception as error:
                # Whatever it was, the cases to come are answered again; no word of a case is told.
                _log.warning("shadow put off", reason=type(error).__name__)


@dataclass(frozen=True)
class Compared:
    """A challenger beside the answers that counted, in one region.

    Of `count` cases that both answered, `same` went to the same agency. Of those `checked` blind, so many did the model
    at work and the challenger get right.
    """

    version: str
    count: int
    same: int
    checked: int
    right: int
    challenger_right: int


def compare_challengers(store: Store, region: str) -> list[Compared]:
    """Every challenger that has answered in a region, the latest first, by the newest `NEWEST` answers of each."""
    # Bounded, and from the index: a board is looked at often, and a database may hold a hundred thousand of them.
    newest = (
        select(shadow_answers.c.case_id, shadow_answers.c.agency)
        .where(shadow_answers.c.model_version == bindparam("version"))
        .order_by(shadow_answers.c.answered_at.desc())
        .limit(NEWEST)
        .subquery()
    )
    is_blind = and_(
        reviews.c.case_id == cases.c.id,
        reviews.c.label_source == LabelSource.HUMAN_BLIND.value,
        reviews.c.kind.in_([kind.value for kind in LABELLING]),
        reviews.c.undone_at.is_(None),
    )

    def count_of(holds: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((holds, 1), else_=0)), 0)

    figures: Sequence[ColumnElement[int]] = (
        func.count(),
        count_of(newest.c.agency == answers.c.agency),
        count_of(reviews.c.id.is_not(None)),
        count_of(reviews.c.agency == answers.c.agency),
        count_of(reviews.c.agency == newest.c.agency),
    )
    query = (
        select(*figures)
        .select_from(newest)
        .join(cases, cases.c.id == newest.c.case_id)
        .join(answers, answers.c.case_id == cases.c.id)
        .outerjoin(reviews, is_blind)
        .where(cases.c.region == region)
    )
    by_time = func.max(shadow_answers.c.answered_at).desc()
    versions = select(shadow_answers.c.model_version).group_by(shadow_answers.c.model_version).order_by(by_time)
    with store.reading() as connection:
        counted: list[list[Any]] = [
            [version, *connection.execute(query, {"version": version}).one()]
            for version in connection.scalars(versions).all()
        ]
    found = [Compared(*row) for row in counted]
    return [each for each in found if each.count]
