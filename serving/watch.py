"""Watching: whether a region's complaints are still those that the model is used to, and what of them is one incident.

Once an hour, and when somebody asks, the newest cases are looked at. What many people of one place tell within hours is
an incident: its cases are linked to the first of them and leave the window. The rest is compared with what the bundle
is used to; what has moved far is an alarm, told once when it goes on and once when it goes off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select

from model.bundle import Bundle
from model.drift import (
    REFERENCE_CASES,
    WINDOW_CASES,
    Effect,
    Estimate,
    Reference,
    Signal,
    accuracy_effect,
    compare,
    estimate_accuracy,
    make_reference,
    reference_of_evidence,
    with_texts_of,
)
from model.similar import SimilarCases
from serving.case import LABELLING, Clock, LabelSource, now
from serving.events import alarm_event
from serving.incidents import Incident, Seen, keep_incidents, read_incidents
from serving.store import Store, insert_events
from serving.tables import alarms, answers, cases, drift_references, incident_members, reviews

# The newest cases that are looked at; a window is the newest of them that are in no incident.
RECENT_CASES = 2 * WINDOW_CASES
# An incident that nothing was added to for so long is over, and shown no more.
INCIDENT_SHOWN = timedelta(days=7)


@dataclass(frozen=True)
class Alarm:
    """A signal as it was last looked at; `since` is when it last went on or off.

    From a size of `threshold` on it is an alarm; the other figures are `model.drift.Effect`'s.
    """

    region: str
    signal: Signal
    model_version: str
    is_on: bool
    since: datetime
    looked_at: datetime
    size: float
    threshold: float
    usual: float
    now: float
    detail: Mapping[str, float]


@dataclass(frozen=True)
class State:
    """A region as it was looked at now.

    `window` counts the cases that were compared. `learned` counts those that the bundle has answered, up to what it
    takes to know what it is used to; below that, training rows kept aside stand in for confidence and sectors, and the
    cases before its first for what texts are like, if there are enough. `is_answering` is False for one that did not
    answer the newest case: then nothing was compared.
    """

    region: str
    model_version: str
    is_answering: bool
    window: int
    learned: int
    signals: tuple[Alarm, ...]
    incidents: tuple[Incident, ...]
    estimate: Estimate | None
    checked: Effect | None

    @property
    def has_alarm(self) -> bool:
        return any(each.is_on for each in self.signals)


class Watch:
    """Looks at the cases of a store with the bundle that answers them."""

    def __init__(self, store: Store, bundle: Bundle, clock: Clock = now) -> None:
        self._store = store
        self._bundle = bundle
        self._now = clock

    def look(self, region: str) -> State:
        """Look at a region's newest cases, and keep what was found with the events that tell of it.

        Looking twice, or from several processes at once, changes and tells nothing more.
        """
        recent = self._recent(region)
        version = self._bundle.version
        if not recent or recent[-1].row["model_version"] != version:
            return self._state(region, 0, 0, is_answering=False)
        keep_incidents(self._store, region, recent, self._now)
        known = self._members([each.row["id"] for each in recent])
        own = [each for each in recent if each.row["id"] not in known and each.row["model_version"] == version]
        window = own[-WINDOW_CASES:]
        reference, learned = self._reference(region)
        effects = compare(reference, [each.trace for each in window]) if reference else []
        checked = self._checked(region)
        self._keep_alarms(region, [*effects, *([checked] if checked else [])])
        estimate = estimate_accuracy([each.trace.confidence for each in window])
        return replace(self._state(region, len(window), learned, is_answering=True), estimate=estimate, checked=checked)

    def _state(self, region: str, window: int, learned: int, *, is_answering: bool) -> State:
        with self._store.reading() as connection:
            signals = read_alarms(connection, region)
            shown = read_incidents(connection, region, self._now() - INCIDENT_SHOWN)
        version = self._bundle.version
        return State(region, version, is_answering, window, learned, signals, shown, None, None)

    def _recent(self, region: str) -> list[Seen]:
        """The newest cases in the order they came, read by the bundle."""
        newest = _watched(region).order_by(cases.c.created_at.desc(), cases.c.id.desc()).limit(RECENT_CASES)
        with self._store.reading() as connection:
            rows = connection.execute(newest).mappings().all()
        return [Seen(row, self._bundle, self._index) for row in reversed(rows)]

    @cached_property
    def _index(self) -> SimilarCases:
        """Describes texts; nothing is kept in it."""
        return SimilarCases(self._bundle)

    def _members(self, ids: Sequence[str]) -> set[str]:
        """Those of some cases that are in an incident."""
        with self._store.reading() as connection:
            query = select(incident_members.c.case_id).where(incident_members.c.case_id.in_(ids))
            return set(connection.scalars(query))

    def _reference(self, region: str) -> tuple[Reference | None, int]:
        """What the bundle is used to in a region, and of how many cases it has learned that."""
        version = self._bundle.version
        of_this = (drift_references.c.region == region, drift_references.c.model_version == version)
        with self._store.reading() as connection:
            kept = connection.execute(select(drift_references.c.content).where(*of_this)).scalar()
            if kept is not None:
                return Reference.from_dict(kept), REFERENCE_CASES
            apart = select(incident_members.c.case_id)
            first = _watched(region).where(answers.c.model_version == version, cases.c.id.not_in(apart))
            counted = select(func.count()).select_from(first.limit(REFERENCE_CASES).subquery())
            count: int = connection.execute(counted).scalar_one()
            if count < REFERENCE_CASES:
                evidence = reference_of_evidence(self._bundle, region)
                return with_texts_of(evidence, self._texts_before(region)), count
            query = first.order_by(cases.c.created_at, cases.c.id).limit(REFERENCE_CASES)
            rows = connection.execute(query).mappings().all()
        return self._keep_reference(region, version, rows), REFERENCE_CASES

    def _texts_before(self, region: str) -> Reference | None:
        """What the texts were like just before the bundle answered its first; None where these are too few."""
        name = f"{self._bundle.version}:before"
        of_this = (drift_references.c.region == region, drift_references.c.model_version == name)
        own = _watched(region).where(answers.c.model_version == self._bundle.version)
        with self._store.reading() as connection:
            kept = connection.execute(select(drift_references.c.content).where(*of_this)).scalar()
            if kept is not None:
                return Reference.from_dict(kept)
            first = own.order_by(cases.c.created_at, cases.c.id).limit(1)
            since = connection.execute(first.with_only_columns(cases.c.created_at)).scalar()
            apart = select(incident_members.c.case_id)
            before = _watched(region).where(cases.c.created_at < since, cases.c.id.not_in(apart))
            query = before.order_by(cases.c.created_at.desc(), cases.c.id.desc()).limit(REFERENCE_CASES)
            rows = connection.execute(query).mappings().all()
        return self._keep_reference(region, name, rows) if len(rows) == REFERENCE_CASES else None

    def _keep_reference(self, region: str, name: str, rows: Sequence[RowMapping]) -> Reference:
        """What these cases are like, kept under a name, so that it is worked out once."""
        made = make_reference([Seen(row, self._bundle, self._index).trace for row in rows])
        of_this = (drift_references.c.region == region, drift_references.c.model_version == name)
        line = {"region": region, "model_version": name, "made_at": self._now(), "content": made.as_dict()}
        with self._store.writing() as connection:
            # Another process may have been as quick; the cases are the same.
            connection.execute(delete(drift_references).where(*of_this))
            connection.execute(insert(drift_references), line)
        return made

    def _checked(self, region: str) -> Effect | None:
        """What the bundle's newest blind checks say, beside what its confidences promised of the same cases."""
        query = (
            select(answers.c.probability, answers.c.sector, reviews.c.sector.label("decided"))
            .join(reviews, reviews.c.case_id == answers.c.case_id)
            .join(cases, cases.c.id == answers.c.case_id)
            .where(
                cases.c.region == region,
                answers.c.model_version == self._bundle.version,
                reviews.c.label_source == LabelSource.HUMAN_BLIND.value,
                reviews.c.kind.in_([kind.value for kind in LABELLING]),
                reviews.c.undone_at.is_(None),
            )
            .order_by(reviews.c.id.desc())
            .limit(WINDOW_CASES)
        )
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        return accuracy_effect([row.probability for row in rows], [row.sector == row.decided for row in rows])

    def _keep_alarms(self, region: str, effects: Sequence[Effect]) -> None:
        """Keep each signal's state, and tell what has changed.

        What a former bundle raised stays until the present one was compared in that signal: changing the bundle mends
        nothing by itself.
        """
        at, version = self._now(), self._bundle.version
        with self._store.writing() as connection:
            before = {each.signal: each for each in read_alarms(connection, region)}
            told = []
            for effect in effects:
                old = before.get(effect.signal)
                of_this = old is not None and old.model_version == version
                was_on = old is not None and old.is_on
                is_on = effect.is_alarm(was_on=was_on and of_this)
                since = old.since if old is not None and was_on == is_on else at
                figures = (effect.size, effect.limit, effect.usual, effect.now, effect.detail)
                alarm = Alarm(region, effect.signal, version, is_on, since, at, *figures)
                if is_on != was_on:
                    told.append(alarm_event(region, at, alarm_detail(alarm), raised=is_on))
                _replace_alarm(connection, alarm)
            insert_events(connection, told)


def regions_of(store: Store) -> list[str]:
    """The regions that cases came from, by their codes."""
    with store.reading() as connection:
        return list(connection.scalars(select(cases.c.region).distinct().order_by(cases.c.region)))


def _watched(region: str) -> Any:
    """What is looked at of a region's cases."""
    own = ("id", "region", "status", "title", "text", "location", "confidentiality", "received_at", "emptied_at")
    said = ("model_version", "sector", "probability", "detail")
    columns = [*(cases.c[name] for name in own), *(answers.c[name] for name in said)]
    return select(*columns).join(answers, answers.c.case_id == cases.c.id).where(cases.c.region == region)


def read_alarms(connection: Connection, region: str) -> tuple[Alarm, ...]:
    """A region's signals as they were last looked at, in the order of `Signal`."""
    rows = connection.execute(select(alarms).where(alarms.c.region == region)).mappings()
    found = [Alarm(**{**row, "signal": Signal(row["signal"])}) for row in rows]
    return tuple(sorted(found, key=lambda each: list(Signal).index(each.signal)))


def alarm_detail(alarm: Alarm) -> dict[str, Any]:
    """An alarm as its event tells it, as plain JSON."""
    figures = {name: round(getattr(alarm, name), 4) for name in ("size", "threshold", "usual", "now")}
    return {"signal": alarm.signal.value, "model_version": alarm.model_version, **figures}


def _replace_alarm(connection: Connection, alarm: Alarm) -> None:
    connection.execute(delete(alarms).where(alarms.c.region == alarm.region, alarms.c.signal == alarm.signal.value))
    connection.execute(insert(alarms), {**vars(alarm), "signal": alarm.signal.value, "detail": dict(alarm.detail)})
