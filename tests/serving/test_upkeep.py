"""Upkeep empties what is past its time, once a day, and lets emptied cases be found no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import sleep

import pytest

from data.complaint import Complaint
from model.bundle import Bundle
from serving.store import Store
from serving.triage import Intake, Triage
from serving.upkeep import Upkeep
from tests.serving.conftest import REGION

TEXT = "Saluran irigasi di Desa Klebet jebol, air sawah meluap sampai ke teras rumah kami"
START = datetime(2026, 3, 2, 5, tzinfo=UTC)


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def triage(bold_bundle: Bundle, store: Store, time: Time) -> Triage:
    """One that routes alone, since only what was routed or decided is emptied."""
    return Triage(bold_bundle, REGION, store, time)


def similar_now(triage: Triage) -> list[str]:
    """The cases that one more complaint of the same text is found to resemble."""
    case = triage.receive(Intake(Complaint(TEXT)))
    return [found["case_id"] for found in triage.store.get(case.id).answer.detail["similar"]]


def test_a_text_past_its_time_is_emptied_and_its_case_found_no_more(triage: Triage, time: Time) -> None:
    upkeep = Upkeep(triage, keep_retention=True)
    case = triage.receive(Intake(Complaint(TEXT)))
    upkeep.once()
    assert triage.store.get(case.id).complaint.text == TEXT
    time.now += timedelta(days=366)
    upkeep.once()
    assert triage.store.get(case.id).complaint.text == ""
    assert similar_now(triage) == []


def test_without_retention_every_text_stays(triage: Triage, time: Time) -> None:
    upkeep = Upkeep(triage, keep_retention=False)
    case = triage.receive(Intake(Complaint(TEXT)))
    time.now += timedelta(days=366)
    upkeep.once()
    assert triage.store.get(case.id).complaint.text == TEXT
    assert similar_now(triage) == [case.id]


def test_texts_are_looked_through_once_a_day(triage: Triage, time: Time) -> None:
    upkeep = Upkeep(triage, keep_retention=True)
    case = triage.receive(Intake(Complaint(TEXT)))
    time.now += timedelta(days=364, hours=23)
    upkeep.once()
    time.now += timedelta(hours=2)
    upkeep.once()
    assert triage.store.get(case.id).complaint.text == TEXT
    time.now += timedelta(days=1)
    upkeep.once()
    assert triage.store.get(case.id).complaint.text == ""


def test_it_works_in_a_thread_and_stops_when_told(triage: Triage, time: Time) -> None:
    case = triage.receive(Intake(Complaint(TEXT)))
    time.now += timedelta(days=366)
    upkeep = Upkeep(triage, keep_retention=True)
    upkeep.start()
    for _ in range(1_000):
        if triage.store.get(case.id).emptied_at is not None:
            break
        sleep(0.02)
    upkeep.close()
    assert triage.store.get(case.id).emptied_at == time.now
