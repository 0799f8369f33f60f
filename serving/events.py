"""Events: what other systems are told of a case, in the shape of CloudEvents 1.0, and never a citizen's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from serving.case import Case, Kind, Review, Status, new_id


class EventType(StrEnum):
    """What has happened to a case, or to a region's desk as a whole."""

    ROUTED = "disposisi.case.routed"
    REVIEW_REQUESTED = "disposisi.review.requested"
    REVIEW_DECIDED = "disposisi.review.decided"
    RETURNED = "disposisi.case.returned"
    INCIDENT_OPENED = "disposisi.incident.opened"
    ALARM_RAISED = "disposisi.alarm.raised"
    ALARM_CLEARED = "disposisi.alarm.cleared"
    AUTONOMY_CHANGED = "disposisi.autonomy.changed"


@dataclass(frozen=True)
class Event:
    """One thing that happened. `number` is its place in the outbox, 0 before it is stored.

    `case_id` is None for what concerns a region and no case. `happened_at` is aware. `data` is plain JSON: codes,
    levels, figures and ids, but no text, title, location or note.
    """

    number: int
    id: str
    type: EventType
    case_id: str | None
    region: str
    happened_at: datetime
    data: dict[str, Any]


def routed_event(case: Case) -> Event:
    """The program has routed a case by itself."""
    return _event(EventType.ROUTED, case, case.created_at, _answered(case))


def review_requested_event(case: Case, at: datetime | None = None) -> Event:
    """A case waits for a moderator; agency, sector and urgency are what the program suggests.

    With `at`, it waits again from then on, because a verdict was taken back.
    """
    return _event(EventType.REVIEW_REQUESTED, case, at or case.created_at, _answered(case))


def decided_event(case: Case, review: Review) -> Event:
    """A moderator has decided. `case` may be as it was before the review; its note is not told."""
    verdict = review.verdict
    told = {"agency": verdict.agency, "sector": verdict.sector, "urgency": verdict.urgency}
    status = Status.ASKED if verdict.kind is Kind.ASK else Status.DECIDED
    told |= {"status": status.value, "decided_by": review.reviewer, "kind": verdict.kind.value}
    told |= {"parts": [vars(part) for part in verdict.parts], "merged_into": verdict.merged_into or None}
    return _event(EventType.REVIEW_DECIDED, case, review.decided_at, told)


def returned_event(case: Case, agency: str, at: datetime) -> Event:
    """An agency has sent the case back. `case` may be as it was before; the agency's reason is not told."""
    told = {"agency": agency, "sector": _sector(case), "urgency": case.urgency, "status": Status.RETURNED.value}
    return _event(EventType.RETURNED, case, at, told)


def incident_event(region: str, parent: str, at: datetime, told: dict[str, Any]) -> Event:
    """Many similar complaints of one place have become an incident; its parent case is the first of them."""
    return Event(0, new_id(), EventType.INCIDENT_OPENED, parent, region, at, told)


def alarm_event(region: str, at: datetime, told: dict[str, Any], *, raised: bool) -> Event:
    """A region's complaints have moved away from what the model is used to, or are back."""
    kind = EventType.ALARM_RAISED if raised else EventType.ALARM_CLEARED
    return Event(0, new_id(), kind, None, region, at, told)


def autonomy_event(region: str, at: datetime, told: dict[str, Any]) -> Event:
    """What may be routed alone in a region was decided anew, by a person or by the program itself."""
    return Event(0, new_id(), EventType.AUTONOMY_CHANGED, None, region, at, told)


def cloud_event(event: Event) -> dict[str, Any]:
    """The event as a CloudEvent 1.0, ready to be written as JSON (structured mode); its subject is the case, if any."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/disposisi/{event.region}",
        "type": event.type.value,
        **({} if event.case_id is None else {"subject": event.case_id}),
        "time": event.happened_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": event.data,
    }


def _answered(case: Case) -> dict[str, Any]:
    told = {"agency": case.agency, "sector": _sector(case), "urgency": case.urgency, "status": case.status.value}
    return told | {"probability": case.answer.probability}


def _sector(case: Case) -> str:
    return case.review.verdict.sector if case.review else case.answer.sector


def _event(kind: EventType, case: Case, at: datetime, told: dict[str, Any]) -> Event:
    data = told | {"intake_id": case.intake_id or None, "model_version": case.answer.model_version}
    return Event(0, new_id(), kind, case.id, case.complaint.region, at, data)
