"""Incidents: many similar cases of one place within hours, kept as one with a parent case, and told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from data.complaint import Complaint, Confidentiality
from data.region import known_regions, load_region
from model.areas import finder_of
from model.bundle import Bundle
from model.bursts import Burst, Sighting, find_bursts, similarity
from model.drift import Trace, trace_of
from model.similar import SimilarCases, Traits
from serving.case import OPEN, Clock, new_id
from serving.events import incident_event
from serving.store import Store, insert_events
from serving.tables import answers, cases, incident_members, incidents


@dataclass(frozen=True)
class Incident:
    """Many similar cases of one place; `place` is an area's name or empty, `parent` the first case's id."""

    id: str
    region: str
    place: str
    sector: str
    parent: str
    started_at: datetime
    last_at: datetime
    count: int


class Seen:
    """A case as watching sees it: its row and what the bundle reads in it; no traits where words are gone or secret."""

    def __init__(self, row: RowMapping, bundle: Bundle, index: SimilarCases) -> None:
        self.row = row
        self.complaint = Complaint(row["text"], row["title"], row["location"], row["region"])
        self.trace = Trace(row["sector"], row["probability"])
        self.traits: Traits | None = None
        if row["emptied_at"] is None and row["text"]:
            reading = bundle.read(self.complaint)
            self.trace = trace_of(self.complaint, reading, row["sector"], row["probability"])
            if row["confidentiality"] != Confidentiality.RAHASIA.value:
                self.traits = index.describe(self.complaint, reading)


def keep_incidents(store: Store, region: str, recent: Sequence[Seen], clock: Clock) -> None:
    """Make the bursts among a region's newest cases incidents; those that are known grow."""
    readable = {each.row["id"]: each for each in recent if each.traits is not None}
    sightings = [
        Sighting(each.row["id"], each.row["received_at"].timestamp() / 3600, each.traits)
        for each in recent
        if each.traits is not None
    ]
    for burst in find_bursts(sightings):
        with store.writing() as connection:
            _keep_incident(connection, region, burst, readable, clock())


def read_incidents(connection: Connection, region: str, since: datetime) -> tuple[Incident, ...]:
    """A region's incidents that something was added to since then, the newest first."""
    count = func.count(incident_members.c.case_id).label("count")
    query = (
        select(incidents, count)
        .join(incident_members, incident_members.c.incident_id == incidents.c.id)
        .where(incidents.c.region == region, incidents.c.last_at >= since)
        .group_by(*incidents.c)
        .order_by(incidents.c.last_at.desc(), incidents.c.id)
    )
    return tuple(Incident(**row) for row in connection.execute(query).mappings())


def _keep_incident(
    connection: Connection, region: str, burst: Burst, readable: Mapping[str, Seen], at: datetime
) -> None:
    """Make a burst an incident, or add its new cases to the one that it already is."""
    query = select(incident_members).where(incident_members.c.case_id.in_(burst.members))
    known = {row.case_id: row.incident_id for row in connection.execute(query)}
    fresh = [member for member in burst.members if member not in known]
    if not fresh:
        return
    times = [readable[member].row["received_at"] for member in burst.members]
    if known:
        incident_id = next(known[member] for member in burst.members if member in known)
        parent = connection.execute(select(incidents.c.parent).where(incidents.c.id == incident_id)).scalar_one()
        connection.execute(update(incidents).where(incidents.c.id == incident_id).values(last_at=max(times)))
    else:
        incident_id, parent = new_id(), burst.members[0]
        sectors = Counter(readable[member].row["sector"] for member in burst.members)
        line: dict[str, Any] = {
            "region": region,
            "place": _place_of(region, [readable[member].complaint for member in burst.members]),
            "sector": sectors.most_common(1)[0][0],
            "parent": parent,
            "started_at": min(times),
            "last_at": max(times),
        }
        connection.execute(insert(incidents), {"id": incident_id, **line})
        told = {"incident": incident_id, "place": line["place"], "sector": line["sector"], "cases": len(fresh)}
        insert_events(connection, [incident_event(region, parent, at, told)])
    connection.execute(insert(incident_members), [{"case_id": each, "incident_id": incident_id} for each in fresh])
    for member in fresh:
        if member != parent:
            _suggest_merge(connection, readable[member], parent, readable.get(parent))


def _place_of(region: str, complaints: Sequence[Complaint]) -> str:
    """The kecamatan that most of the complaints name, by the region's file; what people typed isn't kept."""
    if region not in known_regions():
        return ""
    finder = finder_of(load_region(region))
    names: Counter[str] = Counter()
    for complaint in complaints:
        area = finder.choose(finder.find(complaint), sector="")
        if area is not None:
            parent = load_region(region).areas_by_code.get(area.parent) if area.parent else None
            names[(parent or area).name] += 1
    return names.most_common(1)[0][0] if names else ""


def _suggest_merge(connection: Connection, member: Seen, parent: str, parent_seen: Seen | None) -> None:
    """Put the parent first among an open member's similar cases, which is where the desk takes its suggestion from."""
    of_member = answers.c.case_id == member.row["id"]
    # As it is now: since it was read, its words may have been removed.
    query = select(answers.c.detail).join(cases, cases.c.id == answers.c.case_id).where(of_member)
    is_open = cases.c.status.in_([status.value for status in OPEN])
    detail = connection.execute(query.where(is_open, cases.c.emptied_at.is_(None))).scalar()
    if detail is None:
        return
    alike, apart = 0.0, 0.0
    if parent_seen is not None and parent_seen.traits is not None and member.traits is not None:
        alike = round(similarity(parent_seen.traits, member.traits), 6)
        apart = (member.row["received_at"] - parent_seen.row["received_at"]).total_seconds() / 86_400
    first = {"case_id": parent, "similarity": alike, "is_duplicate": True, "days_apart": apart, "same_place": True}
    others = [found for found in detail.get("similar", []) if found["case_id"] != parent]
    connection.execute(update(answers).where(of_member).values(detail=detail | {"similar": [first, *others]}))
