"""What a case tells beside its agency, which earlier cases it resembles, and what stays out of the database."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from data.complaint import Complaint, Confidentiality
from model.bundle import URGENCY, Bundle
from serving.case import Kind, LabelSource, Part, Status, Verdict
from serving.checks import Check, CheckShares
from serving.privacy import forget
from serving.store import BadMerge, Store
from serving.triage import Intake, Triage
from tests.serving.clients import client_of
from tests.serving.conftest import EARLIER, REGION
from tests.serving.processes import PATIENCE, Server

NOON = datetime(2026, 3, 2, 5, tzinfo=UTC)
FIRE = "Tolong, rumah warga di Desa Klebet kebakaran, api besar menjalar ke gudang"
POWER = "Listrik PLN di Desa Klebet padam sejak kemarin, petugas PLN belum datang"
RUBBISH = "ada sampah menumpuk"
ROAD_AND_CLINIC = (
    "Jalan di Desa Klebet berlubang besar dan aspalnya mengelupas. Selain itu obat di puskesmas Curug habis dan "
    "petugas loketnya kurang ramah"
)
CANAL = "Saluran irigasi kecapung di Desa Klebet jebol, air sawah meluap sampai ke teras rumah kami"
CANAL_AGAIN = f"Min, {CANAL.lower()}, mohon dicek"
OTHER = Verdict("health", "dinkes", 2)
NEW_KEYS = ("urgency_reasons", "jurisdiction", "completeness", "split", "similar")


@pytest.fixture
def bold_client(bold_bundle: Bundle, store: Store) -> Iterator[TestClient]:
    with client_of(Triage(bold_bundle, REGION, store)) as opened:
        yield opened


def take_in(client: TestClient, text: str, **more: Any) -> dict[str, Any]:
    created = client.post("/v1/complaints", json={"text": text, **more})
    assert created.status_code == 201, created.text
    case: dict[str, Any] = created.json()
    assert client.get(f"/v1/cases/{case['id']}").json() == case
    return case


def receive(
    triage: Triage, text: str, days: float = 0, confidentiality: Confidentiality = Confidentiality.TERBUKA
) -> str:
    received_at = NOON + timedelta(days=days)
    return triage.receive(Intake(Complaint(text), received_at, confidentiality=confidentiality)).id


def similar_to(triage: Triage, case_id: str) -> dict[str, bool]:
    """Ids of the cases that a case was found to resemble, and whether it seems to be the same complaint."""
    return {found["case_id"]: found["is_duplicate"] for found in triage.store.get(case_id).answer.detail["similar"]}


def codes(prediction: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in prediction["reasons"]]


@pytest.mark.parametrize("text", [FIRE, POWER, RUBBISH, ROAD_AND_CLINIC, "🙏"])
def test_a_prediction_and_a_case_say_the_same_of_one_text(client: TestClient, text: str) -> None:
    case = take_in(client, text)
    body = {"complaints": [{"text": text}], "explain": True}
    [prediction] = client.post("/v1/predictions", json=body).json()["predictions"]
    assert case["prediction"] == prediction
    assert {slot["name"] for slot in prediction["completeness"]["slots"]} == {"place", "object", "problem"}
    assert prediction["jurisdiction"]["level"] in {"local", "province", "central", "private", "unclear"}


def test_danger_in_a_text_raises_the_urgency_and_is_told_in_indonesian(bundle: Bundle, store: Store) -> None:
    head = bundle.heads[URGENCY]
    calm = replace(head, bias=head.bias + [100.0 * (label == "0") for label in head.labels])
    triage = Triage(replace(bundle, heads=bundle.heads | {URGENCY: calm}), REGION, store)
    with client_of(triage) as client:
        urgency = take_in(client, FIRE)["prediction"]["urgency"]
        ordinary = take_in(client, RUBBISH)["prediction"]["urgency"]
    assert (urgency["level"], urgency["name"]) == (3, "darurat")
    assert urgency["probability"] < 0.01
    assert "kebakaran" in urgency["reasons"]
    assert (ordinary["level"], ordinary["reasons"]) == (0, [])


def test_another_governments_matter_waits_with_a_draft_that_names_who_answers(bold_client: TestClient) -> None:
    case = take_in(bold_client, POWER)
    prediction, jurisdiction = case["prediction"], case["prediction"]["jurisdiction"]
    assert (case["status"], codes(prediction)) == ("waiting", ["other-government"])
    assert (jurisdiction["level"], jurisdiction["is_ours"]) == ("central", False)
    assert jurisdiction["responsible"] in jurisdiction["referral"]
    assert "pln" in jurisdiction["cues"]
    assert jurisdiction["referral"].startswith("Terima kasih atas laporan Anda.")


def test_an_incomplete_complaint_is_asked_about_and_not_held_back_for_that(bold_client: TestClient) -> None:
    case = take_in(bold_client, RUBBISH)
    completeness = case["prediction"]["completeness"]
    assert case["status"] == "routed"
    assert not completeness["is_complete"]
    assert "Di mana" in completeness["question"]
    states = {slot["name"]: slot["state"] for slot in completeness["slots"]}
    assert states == {"place": "missing", "object": "found", "problem": "found"}


def test_two_matters_for_two_agencies_wait_for_a_person(bold_client: TestClient) -> None:
    case = take_in(bold_client, ROAD_AND_CLINIC)
    split = case["prediction"]["split"]
    assert (case["status"], codes(case["prediction"])) == ("waiting", ["two-matters"])
    assert [choice["agency"]["code"] for choice in split["choices"]] == ["dbmsda", "dinkes"]
    assert take_in(bold_client, RUBBISH)["prediction"]["split"] is None


def test_a_copy_of_an_earlier_complaint_is_told_as_a_duplicate_of_it(client: TestClient) -> None:
    first = take_in(client, CANAL, received_at="2026-03-02T12:00:00+07:00")
    assert first["similar"] == []
    take_in(client, POWER, received_at="2026-03-03T12:00:00+07:00")
    [found] = [
        found
        for found in take_in(client, CANAL_AGAIN, received_at="2026-03-04T12:00:00+07:00")["similar"]
        if found["is_duplicate"]
    ]
    assert found["case_id"] == first["id"]
    assert found["similarity"] > 0.75
    assert (found["days_apart"], found["same_place"]) == (2, True)


def test_a_secret_complaint_is_neither_compared_nor_found(triage: Triage) -> None:
    opened = receive(triage, CANAL)
    secret = receive(triage, CANAL, 1, Confidentiality.RAHASIA)
    anonymous = receive(triage, CANAL, 2, Confidentiality.ANONIM)
    assert similar_to(triage, secret) == {}
    assert similar_to(triage, anonymous) == {opened: True}
    assert similar_to(triage, receive(triage, CANAL, 3)) == {opened: True, anonymous: True}


@pytest.mark.parametrize("text", [CANAL, FIRE, POWER, ROAD_AND_CLINIC])
def test_of_a_secret_complaint_no_found_words_are_kept_beside_its_text(
    triage: Triage, database: Path, text: str
) -> None:
    case_id = receive(triage, text, confidentiality=Confidentiality.RAHASIA)
    detail = triage.store.get(case_id).answer.detail
    assert detail["jurisdiction"]["cues"] == []
    assert [slot["found"] for slot in detail["completeness"]["slots"]] == [[], [], []]
    assert detail["explanation"]["words"] == []
    with closing(sqlite3.connect(database)) as connection:
        [kept] = connection.execute("SELECT detail FROM answers").fetchone()
    assert not [word for word in ("klebet", "kecapung", "curug", "gudang", "petugas") if word in kept.lower()]


# Blind checks


def as_suggested(triage: Triage, case_id: str) -> Verdict:
    answer = triage.store.get(case_id).answer
    return Verdict(answer.sector, answer.agency or "", answer.urgency or 0)


def source_at_the_desk(triage: Triage, case_id: str, verdict: Verdict) -> LabelSource:
    triage.claim(case_id, by="siti")
    return triage.decide(case_id, verdict, by="siti", claimed=True).label_source


@pytest.mark.parametrize("is_right", [True, False])
def test_a_verdict_at_the_desk_on_a_case_that_is_checked_is_blind_whatever_it_says(
    bundle: Bundle, bold_bundle: Bundle, store: Store, is_right: bool
) -> None:
    for some, check, status in ((bundle, Check.BLIND, Status.WAITING), (bold_bundle, Check.AUDIT, Status.ROUTED)):
        triage = Triage(some, REGION, store, checks=CheckShares(1.0, 1.0))
        case_id = receive(triage, RUBBISH)
        case = store.get(case_id)
        assert (case.check, case.status, case.is_blind) == (check, status, True)
        verdict = as_suggested(triage, case_id) if is_right else OTHER
        assert source_at_the_desk(triage, case_id, verdict) is LabelSource.HUMAN_BLIND
        assert not store.get(case_id).is_blind


def test_a_verdict_over_the_api_saw_the_suggestion(bundle: Bundle, store: Store) -> None:
    triage = Triage(bundle, REGION, store, checks=CheckShares(1.0, 1.0))
    first, second = receive(triage, RUBBISH), receive(triage, RUBBISH)
    assert triage.decide(first, as_suggested(triage, first)).label_source is LabelSource.HUMAN_ACCEPTED
    assert triage.decide(second, OTHER).label_source is LabelSource.HUMAN_CORRECTED


def test_a_second_verdict_after_a_return_is_not_blind(bundle: Bundle, store: Store) -> None:
    triage = Triage(bundle, REGION, store, checks=CheckShares(1.0, 1.0))
    case_id = receive(triage, RUBBISH)
    assert source_at_the_desk(triage, case_id, OTHER) is LabelSource.HUMAN_BLIND
    triage.give_back(case_id, "", "bukan kami", by="key:1")
    assert source_at_the_desk(triage, case_id, as_suggested(triage, case_id)) is LabelSource.HUMAN_ACCEPTED


def test_a_verdict_that_adds_a_matter_or_names_no_agency_does_not_take_the_suggestion(triage: Triage) -> None:
    first, second = receive(triage, RUBBISH), receive(triage, RUBBISH)
    split = replace(as_suggested(triage, first), parts=(Part("health", "dinkes", 1),))
    assert triage.decide(first, split).label_source is LabelSource.HUMAN_CORRECTED
    asked = Verdict("", "", 1, kind=Kind.ASK, reply="Di mana?")
    assert triage.decide(second, asked).label_source is LabelSource.HUMAN_CORRECTED


# Merging


def merge(triage: Triage, case_id: str, original: str) -> None:
    triage.decide(case_id, Verdict("", "", 1, kind=Kind.MERGE, merged_into=original), by="siti")


def test_a_case_is_merged_into_one_that_waits_or_was_decided(triage: Triage) -> None:
    waiting, decided, *copies = (receive(triage, CANAL) for _ in range(4))
    triage.decide(decided, OTHER)
    for copy, original in zip(copies, (waiting, decided), strict=True):
        merge(triage, copy, original)
        review = triage.store.get(copy).review
        assert review is not None
        assert review.verdict.merged_into == original


def test_a_case_is_not_merged_into_what_is_no_original_and_then_stays_as_it_was(triage: Triage) -> None:
    case_id, copy, original, gone = (receive(triage, CANAL) for _ in range(4))
    away = triage.receive(Intake(Complaint(CANAL, region="kota-surabaya"))).id
    merge(triage, copy, original)
    forget(triage.store, gone, by="budi", reason="diminta")
    before = triage.store.get(case_id)
    for target in (case_id, copy, gone, away, "kasus-yang-tidak-ada", "", "a\x00b"):
        with pytest.raises(BadMerge):
            merge(triage, case_id, target)
    assert triage.store.get(case_id) == before


def test_into_a_case_whose_own_merging_was_taken_back_another_is_merged(triage: Triage) -> None:
    case_id, copy, original = (receive(triage, CANAL) for _ in range(3))
    merge(triage, copy, original)
    triage.undo(copy, by="siti")
    merge(triage, case_id, copy)
    assert triage.store.get(case_id).status is Status.DECIDED


def test_after_a_restart_earlier_cases_are_found_again_but_secret_ones(
    triage: Triage, bundle: Bundle, store: Store
) -> None:
    opened = receive(triage, CANAL)
    secret = receive(triage, CANAL, 1, Confidentiality.RAHASIA)
    before = similar_to(triage, receive(triage, CANAL_AGAIN, 2))
    again = Triage(bundle, REGION, store)
    again.recall()
    after = similar_to(again, receive(again, CANAL_AGAIN, 2))
    assert before == {opened: True}
    assert after.keys() > before.keys()
    assert secret not in after


def test_a_case_whose_text_was_emptied_is_not_recalled(
    triage: Triage, bundle: Bundle, store: Store, database: Path
) -> None:
    receive(triage, CANAL)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE cases SET text = ''")
    again = Triage(bundle, REGION, store)
    again.recall()
    assert similar_to(again, receive(again, CANAL, 1)) == {}


def test_recalling_twice_or_beside_new_cases_finds_each_case_once(triage: Triage) -> None:
    first = receive(triage, CANAL)
    triage.recall()
    triage.recall()
    assert similar_to(triage, receive(triage, CANAL, 1)) == {first: True}


def test_a_server_that_starts_anew_finds_the_cases_of_before(server: Server) -> None:
    similar: list[dict[str, Any]] = []
    deadline, received_at = time.monotonic() + PATIENCE, NOON
    # Earlier cases are read beside the first answers. Each post is told to be older than the one before, which is
    # therefore no earlier case to it.
    while not similar and time.monotonic() < deadline:
        received_at -= timedelta(minutes=1)
        body = {"text": EARLIER, "received_at": received_at.isoformat()}
        similar = server.post("/v1/complaints", json=body).json()["similar"]
    assert similar[0]["is_duplicate"]
    assert similar[0]["days_apart"] > 365


def test_a_case_of_an_earlier_version_still_opens(client: TestClient, triage: Triage, database: Path) -> None:
    case_id = receive(triage, CANAL)
    detail = triage.store.get(case_id).answer.detail
    assert detail.keys() > set(NEW_KEYS)
    old = {key: value for key, value in detail.items() if key not in NEW_KEYS}
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE answers SET detail = ?", [json.dumps(old)])
    case = client.get(f"/v1/cases/{case_id}").json()
    said = case["prediction"]
    assert (said["jurisdiction"], said["completeness"], said["split"], case["similar"]) == (None, None, None, [])
    assert said["urgency"]["reasons"] == []
    for page in ("/antrean", f"/kasus/{case_id}"):
        assert client.get(page).status_code == 200
    triage.recall()
    assert similar_to(triage, receive(triage, CANAL, 1)) == {case_id: True}
