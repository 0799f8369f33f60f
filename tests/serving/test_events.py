"""Events have the shape of CloudEvents 1.0, and tell what was decided without a citizen's or a moderator's words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from data.complaint import Complaint, Confidentiality
from serving.case import Answer, Case, LabelSource, Return, Review, Status, Verdict
from serving.events import (
    Event,
    EventType,
    alarm_event,
    autonomy_event,
    cloud_event,
    decided_event,
    incident_event,
    returned_event,
    review_requested_event,
    routed_event,
)

AT = datetime(2026, 2, 3, 12, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=7)))
LATER = AT + timedelta(days=1)
WORDS = "gorong-gorong ambrol"
CASE = Case(
    id="kasus-1",
    status=Status.WAITING,
    complaint=Complaint(WORDS, WORDS, WORDS, "kab-tangerang"),
    channel=WORDS,
    confidentiality=Confidentiality.TERBUKA,
    received_at=AT - timedelta(hours=1),
    created_at=AT,
    answer=Answer("0123456789ab", "public-works", 0.75, "dbmsda", WORDS, "review", 2, 0.5, {"words": [WORDS]}),
    agency="dbmsda",
    urgency=2,
    intake_id="LPR-77",
    reporter=WORDS,
    returned=Return("dlhk", WORDS, AT, "key:ab12"),
)
REVIEW = Review(Verdict("environment", "dlhk", 3, WORDS), LabelSource.HUMAN_CORRECTED, LATER, "budi")
ALL = [
    routed_event(CASE),
    review_requested_event(CASE),
    decided_event(CASE, REVIEW),
    returned_event(replace(CASE, review=REVIEW), "dlhk", LATER),
]


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.type.value)
def test_a_cloud_event_has_all_required_attributes_and_survives_json(event: Event) -> None:
    told = json.loads(json.dumps(cloud_event(event), allow_nan=False))
    assert set(told) == {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert (told["specversion"], told["datacontenttype"]) == ("1.0", "application/json")
    assert (told["source"], told["subject"]) == ("/disposisi/kab-tangerang", "kasus-1")
    assert (told["id"], told["type"]) == (event.id, event.type.value)
    assert told["time"].endswith("Z")
    assert datetime.fromisoformat(told["time"]) == event.happened_at


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.type.value)
def test_no_event_holds_words_of_a_citizen_moderator_or_agency(event: Event) -> None:
    assert WORDS not in json.dumps(cloud_event(event))


def test_the_time_is_told_in_utc() -> None:
    assert cloud_event(routed_event(CASE))["time"] == "2026-02-03T05:00:00.123456Z"
    assert cloud_event(routed_event(replace(CASE, created_at=datetime(2026, 1, 1, tzinfo=UTC))))["time"] == (
        "2026-01-01T00:00:00Z"
    )


def test_each_event_has_an_id_of_its_own_and_no_number_before_it_is_stored() -> None:
    assert len({event.id for event in [*ALL, routed_event(CASE), routed_event(CASE)]}) == len(ALL) + 2
    assert {event.number for event in ALL} == {0}


def test_a_routed_case_tells_where_it_went_and_how_sure_the_program_was() -> None:
    event = routed_event(replace(CASE, status=Status.ROUTED))
    assert (event.type, event.happened_at) == (EventType.ROUTED, AT)
    assert event.data == {
        "agency": "dbmsda",
        "sector": "public-works",
        "urgency": 2,
        "status": "routed",
        "probability": 0.75,
        "intake_id": "LPR-77",
        "model_version": "0123456789ab",
    }


def test_a_case_that_waits_tells_the_suggestion_even_where_no_agency_is_known() -> None:
    event = review_requested_event(replace(CASE, agency=None, urgency=None, intake_id=""))
    assert event.type is EventType.REVIEW_REQUESTED
    assert (event.data["status"], event.data["agency"], event.data["urgency"]) == ("waiting", None, None)
    assert event.data["intake_id"] is None


@pytest.mark.parametrize("case", [CASE, replace(CASE, status=Status.DECIDED, review=REVIEW)], ids=["before", "after"])
def test_a_verdict_tells_what_was_decided_and_by_whom(case: Case) -> None:
    event = decided_event(case, REVIEW)
    assert (event.type, event.happened_at) == (EventType.REVIEW_DECIDED, LATER)
    assert event.data == {
        "agency": "dlhk",
        "sector": "environment",
        "urgency": 3,
        "status": "decided",
        "decided_by": "budi",
        "kind": "dispose",
        "parts": [],
        "merged_into": None,
        "intake_id": "LPR-77",
        "model_version": "0123456789ab",
    }


def test_a_return_tells_the_agency_and_not_its_reason() -> None:
    event = returned_event(replace(CASE, review=REVIEW), "dlhk", LATER)
    assert (event.type, event.happened_at) == (EventType.RETURNED, LATER)
    assert event.data == {
        "agency": "dlhk",
        "sector": "environment",
        "urgency": 2,
        "status": "returned",
        "intake_id": "LPR-77",
        "model_version": "0123456789ab",
    }


def test_an_event_of_a_region_has_no_subject_and_one_of_an_incident_its_first_case() -> None:
    alarm = alarm_event("kab-tangerang", AT, {"signal": "length"}, raised=True)
    switched = autonomy_event("kab-tangerang", AT, {"agency": "dishub", "routes_alone": False})
    for event, kind in ((alarm, EventType.ALARM_RAISED), (switched, EventType.AUTONOMY_CHANGED)):
        told = cloud_event(event)
        assert "subject" not in told
        assert (told["type"], told["source"], told["data"]) == (kind.value, "/disposisi/kab-tangerang", event.data)
    assert alarm_event("x", AT, {}, raised=False).type is EventType.ALARM_CLEARED
    assert cloud_event(incident_event("kab-tangerang", "kasus-1", AT, {"cases": 9}))["subject"] == "kasus-1"
