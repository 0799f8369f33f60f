"""Shadow: a challenger's answers are kept and compared, change no case, and never come before an answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import func, select

from data.complaint import Complaint
from model.bundle import SECTOR, Bundle, load_bundle
from serving import shadow
from serving.case import Verdict
from serving.checks import CheckShares
from serving.shadow import MOST_A_ROUND, Compared, Shadow, compare_challengers
from serving.store import Store
from serving.tables import shadow_answers
from serving.triage import Intake, Triage
from tests.serving.conftest import REGION

ROAD = "jalan rusak berlubang dan aspal mengelupas"
WASTE = "sampah menumpuk di pinggir jalan dan bau"


@pytest.fixture(scope="module")
def challenger(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that answers everything by its second sector."""
    folder = tmp_path_factory.mktemp("challenger") / "bundle"
    head = bundle.heads[SECTOR]
    bias = head.bias.copy()
    bias[head.labels.index("social")] += 50
    replace(bundle, heads=bundle.heads | {SECTOR: replace(head, bias=bias)}).save(folder)
    return folder


@pytest.fixture
def checked(bundle: Bundle, any_store: Store) -> Triage:
    return Triage(bundle, REGION, any_store, checks=CheckShares(1.0, 1.0))


def kept(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(shadow_answers)).scalar_one()


def test_a_challenger_answers_what_comes_in_and_changes_no_case(checked: Triage, challenger: Path) -> None:
    before = checked.receive(Intake(Complaint(ROAD)))
    watching = Shadow(checked, challenger)
    assert watching.once() == 0
    cases = [checked.receive(Intake(Complaint(text))) for text in (ROAD, WASTE)]
    assert watching.once() == 2
    assert watching.once() == 0
    assert [checked.store.get(case.id) for case in cases] == cases
    with checked.store.reading() as connection:
        rows = connection.execute(select(shadow_answers)).all()
    assert {row.case_id for row in rows} == {case.id for case in cases} != {before.id}
    assert {row.sector for row in rows} == {"social"}
    assert {row.model_version for row in rows} == {load_bundle(challenger).version} != {checked.bundle.version}


def test_both_are_compared_on_the_same_blind_checks(checked: Triage, challenger: Path) -> None:
    watching = Shadow(checked, challenger)
    watching.once()
    for text, keeps in ((ROAD, True), (ROAD, True), (WASTE, False)):
        case = checked.receive(Intake(Complaint(text)))
        agency = case.answer.agency if keeps else "dinsos"
        checked.claim(case.id, by="budi")
        checked.decide(case.id, Verdict(case.answer.sector, agency or "", 1), by="budi", claimed=True)
    checked.receive(Intake(Complaint(ROAD)))
    assert watching.once() == 4
    version = load_bundle(challenger).version
    assert compare_challengers(checked.store, REGION) == [
        Compared(version, count=4, same=0, checked=3, right=2, challenger_right=1)
    ]
    assert compare_challengers(checked.store, "kab-bandung") == []


def test_what_comes_faster_than_it_can_be_answered_is_passed_over(
    checked: Triage, challenger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "MOST_A_ROUND", 3)
    watching = Shadow(checked, challenger)
    watching.once()
    cases = [checked.receive(Intake(Complaint(f"{ROAD} {i}"))) for i in range(8)]
    assert (watching.once(), watching.once()) == (3, 0)
    with checked.store.reading() as connection:
        answered = set(connection.scalars(select(shadow_answers.c.case_id)))
    assert answered == {case.id for case in cases[-3:]}
    assert MOST_A_ROUND > 3


def test_the_model_at_work_is_no_challenger_of_itself(bundle_folder: Path, any_store: Store) -> None:
    triage = Triage(load_bundle(bundle_folder), REGION, any_store)
    watching = Shadow(triage, bundle_folder)
    watching.once()
    triage.receive(Intake(Complaint(ROAD)))
    assert (watching.once(), kept(any_store)) == (0, 0)


def test_a_challenger_that_cannot_be_used_disturbs_nobody(checked: Triage, tmp_path: Path, challenger: Path) -> None:
    watching = Shadow(checked, tmp_path / "none")
    watching.once()
    checked.receive(Intake(Complaint(ROAD)))
    assert watching.once() == 0
    challenger_now = tmp_path / "none"
    challenger_now.symlink_to(challenger)
    checked.receive(Intake(Complaint(ROAD)))
    assert watching.once() == 1


def test_it_works_in_a_thread_and_stops_when_told(
    checked: Triage, challenger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "EVERY_SECONDS", 0.01)
    with running(Shadow(checked, challenger)) as watching:
        for _ in range(1_000):
            checked.receive(Intake(Complaint(ROAD)))
            if kept(checked.store):
                break
            sleep(0.02)
    assert kept(checked.store)
    assert not watching._thread.is_alive()


@contextmanager
def running(watching: Shadow) -> Iterator[Shadow]:
    watching.start()
    try:
        yield watching
    finally:
        watching.close()
