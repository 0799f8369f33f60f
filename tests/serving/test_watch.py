"""Watching: alarms are told once, incidents are linked to their first case and are no drift, and nothing is guessed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, create_engine, func, insert, select
from typer.testing import CliRunner

import disposisi
import serving
from data.complaint import Complaint, Confidentiality
from data.corpus import SAMPLES
from data.errors import UnknownName
from data.rows import read_rows
from model.bundle import Bundle, load_bundle
from model.drift import REFERENCE_CASES, WINDOW_CASES, Signal
from serving import watch
from serving.case import Kind, Verdict
from serving.database import open_store
from serving.events import EventType, alarm_event
from serving.outbox import Outbox
from serving.store import Store, insert_events
from serving.tables import drift_references, incident_members
from serving.triage import Intake, Triage
from serving.watch import State, Watch, regions_of
from serving.watch_page import watched_views
from tests.serving.conftest import REGION

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
# Small windows, so that a test takes seconds.
FEW = 40


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small windows and references."""
    monkeypatch.setattr("model.drift.FEWEST_CASES", FEW)
    for name, value in (("REFERENCE_CASES", 2 * FEW), ("WINDOW_CASES", FEW), ("RECENT_CASES", 2 * FEW)):
        monkeypatch.setattr(watch, name, value)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Texts of the sample corpus, spread over all its sectors."""
    return [row.complaint.text for row in read_rows([SAMPLES], REGION).rows][::11]


def send(triage: Triage, time: Time, texts: list[str], count: int, apart: timedelta = timedelta(hours=5)) -> None:
    for text in islice(cycle(texts), count):
        time.now += apart
        triage.receive(Intake(Complaint(text), received_at=time.now))


def told(store: Store) -> list[EventType]:
    """The events that concern no case alone."""
    kinds = (EventType.ALARM_RAISED, EventType.ALARM_CLEARED, EventType.INCIDENT_OPENED, EventType.AUTONOMY_CHANGED)
    return [event.type for event in Outbox(store).after(0, 10_000) if event.type in kinds]


def on(state: State) -> set[Signal]:
    return {each.signal for each in state.signals if each.is_on}


@pytest.fixture
def used_to(bundle: Bundle, store: Store, time: Time, texts: list[str]) -> Triage:
    """A triage whose bundle has answered as many usual cases as it takes to know what it is used to."""
    triage = Triage(bundle, REGION, store, time)
    send(triage, time, texts, 3 * FEW)
    return triage


def test_usual_complaints_raise_no_alarm(used_to: Triage, bundle: Bundle, time: Time) -> None:
    state = Watch(used_to.store, bundle, time).look(REGION)
    assert (state.is_answering, state.window, state.has_alarm) == (True, FEW, False)
    assert {each.signal for each in state.signals} == set(Signal) - {Signal.ACCURACY}
    assert state.estimate is not None
    assert state.estimate.low < state.estimate.value < state.estimate.high
    assert told(used_to.store) == []


def test_an_export_bug_is_told_once_when_it_comes_and_once_when_it_is_gone(
    used_to: Triage, bundle: Bundle, time: Time, texts: list[str]
) -> None:
    watching = Watch(used_to.store, bundle, time)
    assert not watching.look(REGION).has_alarm
    misread = [text.replace("a", "\N{REPLACEMENT CHARACTER}") for text in texts]
    send(used_to, time, misread, FEW)
    state = watching.look(REGION)
    assert Signal.BROKEN in on(state)
    raised = told(used_to.store)
    assert set(raised) == {EventType.ALARM_RAISED}
    assert len(raised) == len(on(state))
    time.now += timedelta(hours=1)
    assert on(watching.look(REGION)) == on(state)
    assert told(used_to.store) == raised
    assert {each.since for each in watching.look(REGION).signals if each.is_on} == {time.now - timedelta(hours=1)}
    send(used_to, time, texts, 2 * FEW)
    assert not watching.look(REGION).has_alarm
    assert sorted(told(used_to.store)) == sorted(raised + [EventType.ALARM_CLEARED] * len(raised))


def test_what_a_bundle_is_used_to_is_kept_when_the_texts_are_gone(used_to: Triage, bundle: Bundle, time: Time) -> None:
    Watch(used_to.store, bundle, time).look(REGION)
    with used_to.store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(drift_references)).scalar_one() == 1


def test_too_few_cases_say_nothing(bundle: Bundle, store: Store, time: Time, texts: list[str]) -> None:
    triage = Triage(bundle, REGION, store, time)
    watching = Watch(store, bundle, time)
    assert (regions_of(store), watching.look(REGION).is_answering) == ([], False)
    send(triage, time, texts, FEW)
    state = watching.look(REGION)
    assert (state.is_answering, state.learned, state.signals) == (True, FEW, ())


def test_another_bundles_alarm_stays_until_the_present_one_is_compared_by_the_texts_before_it(
    used_to: Triage, bundle: Bundle, time: Time, texts: list[str]
) -> None:
    watching = Watch(used_to.store, bundle, time)
    watching.look(REGION)
    send(used_to, time, [text[:12] for text in texts], FEW)
    raised = on(watching.look(REGION))
    assert Signal.LENGTH in raised
    other = replace(bundle, version="another")
    assert not Watch(used_to.store, other, time).look(REGION).is_answering
    assert Signal.LENGTH in on(Watch(used_to.store, other, time).look(REGION))
    send(used_to, time, texts, 2 * FEW)
    used_to.renew(other)
    send(used_to, time, texts, FEW)
    state = Watch(used_to.store, other, time).look(REGION)
    assert (state.is_answering, state.learned) == (True, FEW)
    # What only the other bundle's own cases can tell isn't compared yet, so it isn't called mended.
    assert on(state) == raised - {Signal.LENGTH, Signal.LANGUAGE, Signal.BROKEN}
    assert told(used_to.store).count(EventType.ALARM_CLEARED) == len(raised) - len(on(state)) > 0


FLOOD = [
    "Banjir setinggi lutut di Kecamatan Curug, air masuk rumah warga, mohon perahu",
    "Banjir di Kecamatan Curug sejak subuh, air masuk rumah kami sampai lutut",
    "Mohon bantuan perahu, Kecamatan Curug banjir, rumah warga terendam air",
    "Air banjir masuk rumah di Kecamatan Curug, warga perlu perahu dan bantuan",
]


def test_a_flood_is_one_incident_told_once_and_no_drift(used_to: Triage, bundle: Bundle, time: Time) -> None:
    watching = Watch(used_to.store, bundle, time)
    watching.look(REGION)
    send(used_to, time, FLOOD, 12, timedelta(minutes=5))
    state = watching.look(REGION)
    assert [(each.place, each.count) for each in state.incidents] == [("Curug", 12)]
    assert not state.has_alarm
    send(used_to, time, FLOOD, 8, timedelta(minutes=5))
    assert [each.count for each in watching.look(REGION).incidents] == [20]
    assert told(used_to.store) == [EventType.INCIDENT_OPENED]
    event = next(each for each in Outbox(used_to.store).after(0, 10_000) if each.type is EventType.INCIDENT_OPENED)
    assert event.case_id == state.incidents[0].parent
    assert event.data["cases"] == 12


def test_the_desk_is_offered_to_merge_an_incidents_cases_into_the_first(
    used_to: Triage, bundle: Bundle, time: Time
) -> None:
    send(used_to, time, FLOOD, 12, timedelta(minutes=5))
    incident = Watch(used_to.store, bundle, time).look(REGION).incidents[0]
    with used_to.store.reading() as connection:
        members = connection.scalars(select(incident_members.c.case_id)).all()
    for member in set(members) - {incident.parent}:
        first = used_to.store.get(member).answer.detail["similar"][0]
        assert (first["case_id"], first["is_duplicate"]) == (incident.parent, True)
    other = next(member for member in members if member != incident.parent)
    used_to.decide(other, Verdict("", "", 1, kind=Kind.MERGE, merged_into=incident.parent), by="budi")


def test_secret_cases_are_in_no_incident(bundle: Bundle, store: Store, time: Time) -> None:
    triage = Triage(bundle, REGION, store, time)
    for text in islice(cycle(FLOOD), 12):
        time.now += timedelta(minutes=5)
        triage.receive(Intake(Complaint(text), time.now, confidentiality=Confidentiality.RAHASIA))
    assert Watch(store, bundle, time).look(REGION).incidents == ()


def test_an_old_incident_is_shown_no_more(used_to: Triage, bundle: Bundle, time: Time, texts: list[str]) -> None:
    send(used_to, time, FLOOD, 12, timedelta(minutes=5))
    watching = Watch(used_to.store, bundle, time)
    assert watching.look(REGION).incidents
    send(used_to, time, texts, 1, watch.INCIDENT_SHOWN + timedelta(hours=1))
    assert watching.look(REGION).incidents == ()


def test_the_figures_of_the_program_are_whole() -> None:
    assert WINDOW_CASES < REFERENCE_CASES


def watched(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(disposisi.app, ["watch", *words])
    return found.exit_code, found.output


def test_the_command_tells_each_signal_and_ends_with_1_while_there_is_an_alarm(
    triage_on_disk: Triage, bundle_folder: Path, database: Path, time: Time, texts: list[str]
) -> None:
    where = ("--bundle", str(bundle_folder), "--database", str(database))
    send(triage_on_disk, time, texts, 3 * FEW)
    code, told = watched(*where)
    assert (code, "ALARM" in told) == (0, False)
    assert all(signal.value in told for signal in set(Signal) - {Signal.ACCURACY})
    send(triage_on_disk, time, [text[:12] for text in texts], FEW)
    code, told = watched(*where, "--region", REGION)
    assert code == 1
    assert "ALARM since" in told


def test_the_command_says_when_there_is_nothing_to_look_at(
    store: Store, bundle_folder: Path, database: Path, tmp_path: Path
) -> None:
    where = ("--bundle", str(bundle_folder), "--database")
    assert watched(*where, str(database)) == (0, "There are no cases yet.\n")
    found = CliRunner().invoke(disposisi.app, ["watch", *where, str(database), "--region", "kab-mana"])
    assert isinstance(found.exception, UnknownName)
    found = CliRunner().invoke(disposisi.app, ["watch", *where, str(tmp_path / "none.db")])
    assert "There is no database" in str(found.exception)


@pytest.fixture
def triage_on_disk(bundle_folder: Path, store: Store, time: Time) -> Triage:
    """A triage with the very bundle that the command reads."""
    return Triage(load_bundle(bundle_folder), REGION, store, time)


def test_the_board_shows_alarms_incidents_and_a_note_without_citizens_words(
    used_to: Triage, bundle: Bundle, time: Time, texts: list[str]
) -> None:
    send(used_to, time, [text[:12] for text in texts], FEW)
    send(used_to, time, FLOOD, 12, timedelta(minutes=5))
    Watch(used_to.store, bundle, time).look(REGION)
    view = watched_views(used_to.store, [REGION], time.now)[0]
    assert [each.name for each in view.signals if each.is_alarm and each.what_to_do]
    assert (view.incidents[0].name, view.incidents[0].count) == ("Kecamatan Curug", "12")
    note = view.incidents[0].note
    assert note.startswith("Yth. ")
    assert "12 laporan serupa di Kecamatan Curug" in note
    assert not any(word in note for word in ("lutut", "perahu", "subuh"))


def test_either_database_keeps_alarms_incidents_and_their_events(
    bundle: Bundle, any_store: Store, time: Time, texts: list[str]
) -> None:
    triage, watching = Triage(bundle, REGION, any_store, time), Watch(any_store, bundle, time)
    send(triage, time, texts, 3 * FEW)
    assert not watching.look(REGION).has_alarm
    send(triage, time, [text[:12] for text in texts], FEW)
    send(triage, time, FLOOD, 12, timedelta(minutes=5))
    state = watching.look(REGION)
    assert Signal.LENGTH in on(state)
    assert [each.count for each in state.incidents] == [12]
    assert watching.look(REGION).signals == state.signals
    assert set(told(any_store)) == {EventType.ALARM_RAISED, EventType.INCIDENT_OPENED}


def test_a_database_of_the_version_before_keeps_its_events(any_database: str) -> None:
    engine = create_engine(any_database if "://" in any_database else f"sqlite:///{any_database}")
    config = Config()
    config.set_main_option("script_location", str(Path(serving.__file__).with_name("migrations")))
    at = START.replace(tzinfo=None)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        old = MetaData()
        old.reflect(connection, only=("cases", "events"))
        connection.execute(insert(old.tables["cases"]), {
            "id": "a", "status": "waiting", "region": REGION, "title": "", "text": "got mampet", "location": "",
            "channel": "", "confidentiality": "terbuka", "received_at": at, "created_at": at, "queued": True,
            "turn": 0.0, "reason": "", "due_at": at, "check": "",
        })  # fmt: skip
        connection.execute(insert(old.tables["events"]), {
            "id": "e", "type": "disposisi.review.requested", "case_id": "a", "region": REGION,
            "happened_at": at, "data": {"agency": None}, "attempts": 3, "last_error": "503",
        })  # fmt: skip
    engine.dispose()
    with closing(open_store(any_database)) as opened:
        with opened.writing() as connection:
            insert_events(connection, [alarm_event(REGION, START, {}, raised=True)])
        kept = Outbox(opened).after(0, 10)
        assert [(each.id == "e", each.case_id, each.happened_at) for each in kept] == [
            (True, "a", START),
            (False, None, START),
        ]
        assert Outbox(opened).counts().undelivered == 2
