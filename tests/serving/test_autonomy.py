"""Autonomy: the program turns an agency off once checks prove it wrong too often, tells, and turns it on again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from data.complaint import Complaint
from model.bundle import Bundle
from model.promise import lower_bound, upper_bound
from model.routing import Outcome
from serving.autonomy import keep_earned
from serving.case import Verdict
from serving.checks import CheckShares
from serving.events import EventType
from serving.outbox import Outbox
from serving.policy import PROGRAM, audits_of, changes, set_target, switch_agency
from serving.store import Store
from serving.tables import audit
from serving.triage import Intake, Triage
from serving.upkeep import Upkeep
from tests.serving.conftest import REGION

ROAD = "jalan rusak berlubang dan aspal mengelupas"
ROADS, OTHER_OFFICE = "dbmsda", "dishub"
BY = "moderator:kepala"
TARGET = 0.9
FEWEST, MOST = 12, 40


class Time:
    """A clock that goes on by a minute each time it is asked."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture(autouse=True)
def soon_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer checks than the service asks for, which is quicker."""
    monkeypatch.setattr("serving.autonomy.FEWEST_CHECKS", FEWEST)
    monkeypatch.setattr("serving.autonomy.MOST_CHECKS", MOST)


@pytest.fixture
def checked(bold_bundle: Bundle, any_store: Store) -> Triage:
    """A triage that routes alone and has every case checked blind, under a target of nine tenths."""
    made = Triage(bold_bundle, REGION, any_store, Time(), CheckShares(1.0, 1.0))
    made.at_work.policies = {}
    return made


def check(triage: Triage, right: int, wrong: int) -> Outcome:
    """Let so many cases be taken in and decided blind, as they were answered or otherwise."""
    for i in range(right + wrong):
        case = triage.receive(Intake(Complaint(f"{ROAD} {i}")))
        assert case.agency == ROADS
        agency = ROADS if i < right else OTHER_OFFICE
        triage.claim(case.id, by="budi")
        triage.decide(case.id, Verdict(case.answer.sector, agency, case.urgency or 0), by="budi", claimed=True)
    return Outcome(case.answer.outcome)


def earn(triage: Triage) -> list[tuple[str, bool]]:
    found = keep_earned(triage.store, triage.at_work, REGION, triage.now)
    triage.follow_policies()
    return [(each.agency, each.routes_alone) for each in found]


@pytest.fixture
def promised(monkeypatch: pytest.MonkeyPatch) -> float:
    """What the region is promised, whatever the sample bundle has proven."""
    monkeypatch.setattr("serving.autonomy.promised", lambda routers, region: TARGET)
    return TARGET


def test_an_agency_proven_wrong_too_often_is_turned_off_and_told(checked: Triage, promised: float) -> None:
    assert check(checked, 24, 12) is Outcome.AUTO
    assert upper_bound(24, 36, 0.95) < promised
    assert earn(checked) == [(ROADS, False)]
    last = changes(checked.store, REGION, 1)[0]
    assert (last.agency, last.routes_alone, last.changed_by) == (ROADS, False, PROGRAM)
    assert "24 dari 36 benar" in last.reason
    told = [each for each in Outbox(checked.store).after(0, 10_000) if each.type is EventType.AUTONOMY_CHANGED]
    assert [(each.case_id, each.data["agency"], each.data["routes_alone"]) for each in told] == [(None, ROADS, False)]
    assert told[0].data["by_program"] is True
    with checked.store.reading() as connection:
        actors = connection.scalars(select(audit.c.actor).where(audit.c.action == "change")).all()
    assert actors == [PROGRAM]
    assert checked.receive(Intake(Complaint(ROAD))).answer.outcome == Outcome.REVIEW


def test_what_is_not_proven_stays_as_it_is(checked: Triage, promised: float) -> None:
    check(checked, 33, 3)
    assert upper_bound(33, 36, 0.95) >= promised > 0.9 - 0.01 > lower_bound(33, 36, 0.95)
    assert earn(checked) == []
    assert changes(checked.store, REGION, 1) == []


def test_few_checks_turn_nothing_off_however_wrong(checked: Triage, promised: float) -> None:
    check(checked, 0, FEWEST - 1)
    assert earn(checked) == []
    check(checked, 0, 1)
    assert earn(checked) == [(ROADS, False)]


def test_looking_again_switches_nothing_more(checked: Triage, promised: float) -> None:
    check(checked, 20, 16)
    assert len(earn(checked)) == 1
    assert earn(checked) == []
    assert len(changes(checked.store, REGION, 10)) == 1


def test_two_processes_that_find_the_same_at_once_switch_once(checked: Triage) -> None:
    for _ in range(2):
        switch_agency(checked.store, REGION, ROADS, routes_alone=False, by=PROGRAM, reason="uji", clock=checked.now)
    assert len(changes(checked.store, REGION, 10)) == 1


def test_the_program_turns_on_again_what_it_turned_off_once_checks_prove_it(checked: Triage, promised: float) -> None:
    check(checked, 20, 16)
    earn(checked)
    assert check(checked, 20, 0) is Outcome.REVIEW
    assert lower_bound(20, 20, 0.95) < promised
    assert earn(checked) == []
    check(checked, 10, 0)
    assert lower_bound(30, 30, 0.95) > promised
    assert earn(checked) == [(ROADS, True)]
    assert checked.receive(Intake(Complaint(ROAD))).answer.outcome == Outcome.AUTO
    assert earn(checked) == []


def test_what_a_person_turned_off_only_a_person_turns_on(checked: Triage, promised: float) -> None:
    switch_agency(checked.store, REGION, ROADS, routes_alone=False, by=BY, reason="pindah", clock=checked.now)
    checked.follow_policies()
    check(checked, 35, 0)
    assert earn(checked) == []


def test_a_person_who_turns_it_on_gives_it_a_new_start(checked: Triage, promised: float) -> None:
    check(checked, 20, 16)
    earn(checked)
    switch_agency(checked.store, REGION, ROADS, routes_alone=True, by=BY, reason="aturan baru", clock=checked.now)
    checked.follow_policies()
    assert earn(checked) == []
    check(checked, 20, 16)
    assert earn(checked) == [(ROADS, False)]


def test_checks_that_were_taken_back_count_for_nothing(checked: Triage, promised: float) -> None:
    check(checked, 0, FEWEST - 1)
    case = checked.receive(Intake(Complaint(ROAD)))
    # The clock goes on by a minute each time it is asked; here it stands still for the half minute of grace.
    at = checked.now()
    checked.now = lambda: at
    checked.claim(case.id, by="budi")
    checked.decide(case.id, Verdict(case.answer.sector, OTHER_OFFICE, 1), by="budi", claimed=True)
    checked.undo(case.id, by="budi")
    assert earn(checked) == []


def test_nothing_is_switched_where_nothing_was_promised(checked: Triage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.autonomy.promised", lambda routers, region: None)
    check(checked, 0, FEWEST)
    assert earn(checked) == []


def test_the_desks_own_target_counts(checked: Triage) -> None:
    check(checked, 24, 16)
    set_target(checked.store, REGION, 0.5, by=BY, reason="uji", clock=checked.now)
    checked.follow_policies()
    assert earn(checked) == []
    set_target(checked.store, REGION, 0.9, by=BY, reason="uji", clock=checked.now)
    checked.follow_policies()
    assert earn(checked) == [(ROADS, False)]


def test_a_target_set_by_a_person_is_told(checked: Triage) -> None:
    set_target(checked.store, REGION, 0.5, by=BY, reason="uji", clock=checked.now)
    told = [each for each in Outbox(checked.store).after(0, 100) if each.type is EventType.AUTONOMY_CHANGED]
    assert [(each.data["agency"], each.data["target"], each.data["by_program"]) for each in told] == [
        (None, 0.5, False)
    ]


def test_checks_count_whichever_bundle_answered_and_only_the_newest(checked: Triage, promised: float) -> None:
    check(checked, 3, 5)
    checked.renew(replace(checked.bundle, version="another"))
    check(checked, 0, FEWEST - 9)
    assert earn(checked) == []
    check(checked, 0, 1)
    assert earn(checked) == [(ROADS, False)]


def test_what_an_agency_did_long_ago_is_forgotten(checked: Triage, promised: float) -> None:
    check(checked, 0, FEWEST - 1)
    check(checked, MOST, 0)
    assert earn(checked) == []


def test_a_case_that_was_sent_back_counts_once(checked: Triage, promised: float) -> None:
    check(checked, 0, FEWEST - 1)
    case = checked.receive(Intake(Complaint(ROAD)))
    for agency in (ROADS, OTHER_OFFICE):
        checked.claim(case.id, by="budi")
        checked.decide(case.id, Verdict(case.answer.sector, agency, case.urgency or 0), by="budi", claimed=True)
        if agency == ROADS:
            checked.give_back(case.id, ROADS, "bukan urusan kami", by="budi")
    audited = audits_of(checked.store, REGION)[ROADS]
    assert (audited.checked, audited.right) == (FEWEST, 0)
    assert earn(checked) == [(ROADS, False)]


def test_upkeep_looks_once_an_hour(checked: Triage, promised: float) -> None:
    upkeep = Upkeep(checked, keep_retention=False)
    upkeep.once()
    check(checked, 20, 16)
    at = upkeep._watched_at
    checked.now = lambda: at + timedelta(minutes=59)
    upkeep.once()
    assert changes(checked.store, REGION, 10) == []
    checked.now = lambda: at + timedelta(minutes=61)
    upkeep.once()
    assert [each.changed_by for each in changes(checked.store, REGION, 10)] == [PROGRAM]


def test_what_an_agency_has_lost_is_seen_though_looking_at_the_cases_fails(
    checked: Triage, promised: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(checked, 20, 16)

    def fail(*_: object) -> None:
        raise ValueError("spoilt")

    monkeypatch.setattr("serving.upkeep.Watch.look", fail)
    Upkeep(checked, keep_retention=False).once()
    assert [each.changed_by for each in changes(checked.store, REGION, 10)] == [PROGRAM]
