"""Cases over the API: once each, listed whole, one hand at a time, told in order, and never held up by the rest."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, select
from starlette.testclient import TestClient

from data.complaint import Complaint, Confidentiality
from model.bundle import Bundle, _checksum
from serving.access import Access, Scope
from serving.api import Service
from serving.app import create_app
from serving.case import Case, Kind, Part, Status, Verdict, now
from serving.database import open_store
from serving.review_order import turn
from serving.settings import Settings
from serving.store import Store
from serving.tables import answers, audit, cases, claims, events, requests, returns, reviews
from serving.triage import CLAIM_LASTS, Intake, Triage
from serving.working_time import due_after
from tests.serving.clients import client_of, quick_access, service_of
from tests.serving.conftest import REGION
from tests.serving.problems import Answered, problem_in
from tests.serving.processes import Server

ELSEWHERE = "kota-surabaya"
COMPLAINT = {"text": "got mampet di depan pasar"}
VERDICT = {"agency": "dbmsda", "sector": "public-works", "urgency": 2}


@dataclass(frozen=True)
class House:
    """One service for the whole file, since making one takes longer than most of these tests."""

    triage: Triage
    access: Access
    client: TestClient


@pytest.fixture(scope="module")
def house(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as stack:
        store = stack.enter_context(closing(open_store(str(tmp_path_factory.mktemp("house") / "cases.db"))))
        triage = Triage(bundle, REGION, store)
        yield House(triage, quick_access(store), stack.enter_context(client_of(triage)))


@pytest.fixture
def triage(house: House) -> Iterator[Triage]:
    """With an empty store, and with the real clock again afterwards."""
    with house.triage.store.writing() as connection:
        for table in (events, requests, claims, returns, reviews, answers, audit, cases):
            connection.execute(delete(table))
    yield house.triage
    house.triage.now = now


@pytest.fixture
def store(triage: Triage) -> Store:
    return triage.store


@pytest.fixture
def access(house: House, triage: Triage) -> Access:
    return house.access


@pytest.fixture
def client(house: House, triage: Triage) -> TestClient:
    """Of a moderator who has signed in, and who sends a key that may do everything."""
    return house.client


@pytest.fixture
def new_key(access: Access) -> Callable[..., dict[str, str]]:
    """Makes the headers of a key of its own."""

    def make(*scopes: Scope, region: str = "") -> dict[str, str]:
        token = access.create_key("uji", [scope.value for scope in scopes or tuple(Scope)], region)[1]
        return {"Authorization": f"Bearer {token}"}

    return make


NewKey = Callable[..., dict[str, str]]


def refused_fields(answer: Answered) -> list[str]:
    """The fields that a 422 finds fault with."""
    return [error["field"] for error in problem_in(answer, 422)["errors"]]


def at_once(server: Server, path: str, bodies: Sequence[Any], **headers: str) -> list[httpx.Response]:
    """What is answered to all of these sent together."""
    client = httpx.Client(base_url=server.url, headers=server.headers | headers, timeout=60)
    with client, ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(lambda body: client.post(path, json=body), bodies))


def create(client: TestClient, **more: Any) -> dict[str, Any]:
    created = client.post("/v1/complaints", json=COMPLAINT | more)
    assert created.status_code == 201, created.text
    case: dict[str, Any] = created.json()
    return case


def send(client: TestClient, body: Any, key: str = "", **headers: str) -> Answered:
    return client.post("/v1/complaints", json=body, headers=headers | ({"Idempotency-Key": key} if key else {}))


def everything(client: TestClient, path: str = "/v1/cases", limit: int = 3, **query: Any) -> list[dict[str, Any]]:
    """What all pages of a listing hold."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = client.get(path, params=query | {"limit": limit, "cursor": cursor}).json()
        found += page[path.rpartition("/")[2]]
        assert len(found) <= 1_000, "no end"
        if page["next"] is None:
            return found
        cursor = page["next"]


# The same once more


@pytest.mark.parametrize("by", ["key", "intake_id", "both"])
def test_the_same_request_again_is_answered_with_the_same_case(client: TestClient, store: Store, by: str) -> None:
    body = COMPLAINT | ({"intake_id": "L-17"} if by != "key" else {})
    key = "satu" if by != "intake_id" else ""
    first, again = send(client, body, key), send(client, body, key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert store.count(Status.WAITING) == 1
    assert len(client.get("/v1/events").json()["events"]) == 1


def test_the_same_request_again_tells_what_became_of_the_case(client: TestClient) -> None:
    case = send(client, COMPLAINT, "satu").json()
    client.post(f"/v1/reviews/{case['id']}/decide", json=VERDICT)
    again = send(client, COMPLAINT, "satu")
    assert (again.status_code, again.json()["status"]) == (200, "decided")


def test_the_same_body_may_be_spelt_otherwise(client: TestClient) -> None:
    first = send(client, {"text": "got é", "title": "", "region": REGION}, "satu")
    spelt = b'{"region": "kab-tangerang",\n "text": "got \\u00e9"}'
    headers = {"Idempotency-Key": "satu", "Content-Type": "application/json"}
    again = client.post("/v1/complaints", content=spelt, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]


@pytest.mark.parametrize("by", ["key", "intake_id"])
def test_another_body_under_the_same_name_is_a_409_and_nothing_is_kept(
    client: TestClient, store: Store, by: str
) -> None:
    body = COMPLAINT | ({"intake_id": "L-17"} if by == "intake_id" else {})
    key = "satu" if by == "key" else ""
    first = send(client, body, key).json()
    changes = [{"text": "jalan rusak"}, {"title": "Got"}, {"channel": "SMS"}, {"confidentiality": "rahasia"}]
    for change in changes:
        problem_in(send(client, body | change, key), 409)
    assert store.count(Status.WAITING) == 1
    assert send(client, body, key).json()["id"] == first["id"]


def test_a_key_and_an_intake_id_of_two_cases_are_a_409(client: TestClient, store: Store) -> None:
    send(client, COMPLAINT, "satu")
    send(client, COMPLAINT | {"intake_id": "L-17"})
    problem_in(send(client, COMPLAINT | {"intake_id": "L-17"}, "satu"), 409)
    assert store.count(Status.WAITING) == 2


def test_the_same_key_of_another_caller_is_another_key(client: TestClient, new_key: NewKey) -> None:
    first, second = send(client, COMPLAINT, "satu"), send(client, COMPLAINT, "satu", **new_key(Scope.INTAKE))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


def test_the_same_intake_id_is_the_same_for_every_key_of_a_region_and_another_in_another(
    client: TestClient, new_key: NewKey
) -> None:
    body = COMPLAINT | {"intake_id": "L-17"}
    first = send(client, body)
    assert send(client, body, **new_key(Scope.INTAKE)).json()["id"] == first.json()["id"]
    elsewhere = send(client, body, **new_key(Scope.INTAKE, region=ELSEWHERE))
    assert (elsewhere.status_code, elsewhere.json()["region"]) == (201, ELSEWHERE)


def test_a_request_that_was_refused_does_not_use_its_key_up(client: TestClient) -> None:
    assert send(client, {"text": ""}, "satu").status_code == 422
    assert send(client, COMPLAINT, "satu").status_code == 201


@pytest.mark.parametrize("word", ["k" * 255, "' OR 1=1", "a b", "-"])
def test_any_word_may_be_a_key(client: TestClient, word: str) -> None:
    assert [send(client, COMPLAINT, word).status_code for _ in range(2)] == [201, 200]


def test_a_key_that_is_too_long_is_refused_by_its_name(client: TestClient, store: Store) -> None:
    [field] = refused_fields(send(client, COMPLAINT, "k" * 256))
    assert "idempotency-key" in field
    assert store.count(Status.WAITING) == 0


@pytest.mark.parametrize("by", ["key", "intake_id"])
def test_twenty_at_once_of_the_same_request_are_one_case(server: Server, by: str) -> None:
    name = f"serentak-{by}"
    body = COMPLAINT | ({"intake_id": name} if by == "intake_id" else {})
    answers = at_once(server, "/v1/complaints", [body] * 20, **({"Idempotency-Key": name} if by == "key" else {}))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_of_twenty_bodies_at_once_under_one_key_one_is_kept(server: Server) -> None:
    bodies = [COMPLAINT | {"title": f"Got {number}"} for number in range(20)]
    answers = at_once(server, "/v1/complaints", bodies, **{"Idempotency-Key": "berlainan"})
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


# Listing


def test_a_listing_gives_every_case_once_in_their_order(client: TestClient) -> None:
    made = [create(client, title=f"Got {number}")["id"] for number in range(10)]
    for limit in (1, 3, 10, 200):
        assert [case["id"] for case in everything(client, limit=limit)] == made


def test_a_listing_stays_as_it_was_while_new_cases_come(client: TestClient) -> None:
    made = [create(client)["id"] for _ in range(6)]
    page = client.get("/v1/cases", params={"limit": 4}).json()
    late = [create(client)["id"] for _ in range(2)]
    rest = client.get("/v1/cases", params={"limit": 50, "cursor": page["next"]}).json()
    assert [case["id"] for case in (*page["cases"], *rest["cases"])] == [*made, *late]
    assert rest["next"] is None


def test_a_listing_misses_none_of_those_that_were_there_while_many_write(server: Server) -> None:
    """New ones may come at the end; what was there before the first page is on some page, once."""
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=30) as client:
        before = {client.post("/v1/complaints", json=COMPLAINT).json()["id"] for _ in range(10)}
        stop = Event()

        def write() -> None:
            while not stop.is_set():
                httpx.post(f"{server.url}/v1/complaints", json=COMPLAINT, headers=server.headers, timeout=30)

        writers = [Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        since = {"received_from": (datetime.now(UTC) - timedelta(minutes=30)).isoformat()}
        seen, cursor = [], ""
        for _ in range(200):
            page = client.get("/v1/cases", params={"limit": 5, "cursor": cursor, **since}).json()
            seen += [case["id"] for case in page["cases"]]
            cursor = page["next"] or ""
            if before <= set(seen) or not cursor:
                break
        stop.set()
        for writer in writers:
            writer.join(30)
    assert before <= set(seen)
    assert len(seen) == len(set(seen))


def test_cases_of_one_moment_are_each_listed_once(client: TestClient, triage: Triage) -> None:
    moment = datetime(2026, 3, 4, tzinfo=UTC)
    triage.now = lambda: moment
    made = {create(client)["id"] for _ in range(7)}
    listed = [case["id"] for case in everything(client, limit=2)]
    assert len(listed) == 7
    assert set(listed) == made


def test_a_listing_is_filtered_by_all_that_is_asked_for(client: TestClient) -> None:
    march = create(client, received_at="2026-03-04T05:06:07+07:00")
    april = create(client, received_at="2026-04-04T05:06:07+07:00", text="lampu jalan mati, gelap")
    away = create(client, region=ELSEWHERE, received_at="2026-05-04T05:06:07+07:00")
    client.post(f"/v1/reviews/{march['id']}/decide", json=VERDICT | {"urgency": 3})

    def ids(**query: Any) -> list[str]:
        return [case["id"] for case in everything(client, **query)]

    assert ids() == [march["id"], april["id"], away["id"]]
    assert ids(status="decided") == [march["id"]]
    assert ids(status=["decided", "waiting"]) == ids()
    assert ids(status="returned") == []
    assert ids(region=ELSEWHERE) == [away["id"]]
    assert ids(agency="dbmsda", status="decided") == [march["id"]]
    assert ids(agency="tidak-ada") == []
    assert ids(urgency=3) == [march["id"]]
    assert ids(received_from="2026-04-04T05:06:07+07:00") == [april["id"], away["id"]]
    assert ids(received_from="2026-04-03T22:06:07Z", received_to="2026-05-03T22:06:07Z") == [april["id"]]
    assert ids(received_to="2026-03-04T05:06:07+07:00") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "buka"}, "status"),
        ({"urgency": 4}, "urgency"),
        ({"urgency": "tinggi"}, "urgency"),
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"received_from": "kemarin"}, "received_from"),
        ({"received_from": "2026-01-01T00:00:00"}, "received_from"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "x" * 501}, "cursor"),
    ],
)
def test_a_listing_refuses_what_it_cannot_understand(client: TestClient, query: dict[str, Any], field: str) -> None:
    [refused] = refused_fields(client.get("/v1/cases", params=query))
    assert field in refused


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+07:00", "9999-12-31T23:59:59-07:00"])
def test_a_time_at_the_end_of_the_calendar_is_no_failure_of_the_database(client: TestClient, moment: str) -> None:
    for name in ("received_from", "received_to"):
        assert client.get("/v1/cases", params={name: moment}).status_code in (200, 422)
    cursor = forged(moment, "x")
    assert client.get("/v1/cases", params={"cursor": cursor}).status_code in (200, 422)


def forged(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


NOON = "2026-01-01T12:00:00+00:00"


@pytest.mark.parametrize(
    ("path", "cursor"),
    [
        ("/v1/cases", forged(NOON)),
        ("/v1/cases", forged(NOON, 5)),
        ("/v1/cases", forged("2026-01-01T12:00:00", "x")),
        ("/v1/cases", forged(1, 0.5, NOON, "x")),
        ("/v1/cases", forged({"a": NOON}, "x")),
        ("/v1/cases", base64.urlsafe_b64encode(b"[" * 300).decode()),
        ("/v1/cases", "\u00e9\u00e9"),
        ("/v1/reviews", forged(NOON, "x")),
        ("/v1/reviews", forged(True, 0.5, NOON, "x")),
        ("/v1/reviews", forged(1, "0.5", NOON, "x")),
        ("/v1/cases", forged(NOON, "\ud800")),
        ("/v1/reviews", forged(10**30, 0.5, NOON, "x")),
        ("/v1/reviews", forged(1, 10**30, NOON, "x")),
    ],
)
def test_a_cursor_that_no_answer_gave_is_refused(client: TestClient, path: str, cursor: str) -> None:
    assert refused_fields(client.get(path, params={"cursor": cursor})) == ["cursor"]


# Reviews


def test_reviews_are_listed_whole_in_the_order_of_expected_harm(client: TestClient) -> None:
    texts = ["pohon tumbang menimpa rumah, ada korban luka", "got mampet", "lampu jalan mati", "kabel listrik putus"]
    made = {create(client, text=text)["id"] for text in texts * 2}
    found = [review["case"] for review in everything(client, "/v1/reviews")]
    assert {case["id"] for case in found} == made
    assert len(found) == 8
    turns = [
        turn(case["prediction"]["probability"], case["urgency"], datetime.fromisoformat(case["created_at"]))
        for case in found
    ]
    assert turns == sorted(turns)
    is_emergency = [case["urgency"] == 3 for case in found]
    assert is_emergency == sorted(is_emergency, reverse=True)
    assert any(is_emergency)


def test_a_review_that_is_held_says_by_whom_and_until_when(client: TestClient, new_key: NewKey) -> None:
    case_id = create(client)["id"]
    assert client.get("/v1/reviews").json()["reviews"][0]["claim"] is None
    claim = client.post(f"/v1/reviews/{case_id}/claim").json()
    assert claim["holder"].startswith("key:")
    [review] = client.get("/v1/reviews", headers=new_key(Scope.REVIEW)).json()["reviews"]
    assert review["claim"] == claim


def test_of_two_holders_the_first_has_the_case_and_the_second_is_told_who(client: TestClient, new_key: NewKey) -> None:
    case_id, other = create(client)["id"], new_key(Scope.REVIEW)
    holder = client.post(f"/v1/reviews/{case_id}/claim").json()["holder"]
    for refused in (
        client.post(f"/v1/reviews/{case_id}/claim", headers=other),
        client.post(f"/v1/reviews/{case_id}/decide", json=VERDICT, headers=other),
    ):
        assert holder in problem_in(refused, 409)["detail"]
    assert client.post(f"/v1/reviews/{case_id}/release", headers=other).status_code == 204
    problem_in(client.post(f"/v1/reviews/{case_id}/claim", headers=other), 409)
    assert client.post(f"/v1/reviews/{case_id}/release").status_code == 204
    assert client.post(f"/v1/reviews/{case_id}/decide", json=VERDICT, headers=other).status_code == 200


def test_of_twenty_verdicts_at_once_one_is_kept(server: Server) -> None:
    [created] = at_once(server, "/v1/complaints", [COMPLAINT])
    answers = at_once(server, f"/v1/reviews/{created.json()['id']}/decide", [VERDICT] * 20)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19


def test_a_claim_that_ran_out_holds_nobody_up_and_a_renewed_one_goes_on(
    client: TestClient, triage: Triage, new_key: NewKey
) -> None:
    case_id, other = create(client)["id"], new_key(Scope.REVIEW)
    start = triage.now()
    first = client.post(f"/v1/reviews/{case_id}/claim").json()
    triage.now = lambda: start + CLAIM_LASTS / 2
    renewed = client.post(f"/v1/reviews/{case_id}/claim").json()
    assert renewed["until"] > first["until"]
    triage.now = lambda: start + CLAIM_LASTS + timedelta(seconds=1)
    problem_in(client.post(f"/v1/reviews/{case_id}/claim", headers=other), 409)
    triage.now = lambda: start + 2 * CLAIM_LASTS
    assert client.get("/v1/reviews").json()["reviews"][0]["claim"] is None
    taken = client.post(f"/v1/reviews/{case_id}/claim", headers=other)
    assert taken.status_code == 200
    assert taken.json()["holder"] != first["holder"]
    problem_in(client.post(f"/v1/reviews/{case_id}/decide", json=VERDICT), 409)


def test_a_verdict_is_kept_once_and_beside_what_was_suggested(client: TestClient) -> None:
    before = create(client)
    client.post(f"/v1/reviews/{before['id']}/claim")
    decided = client.post(f"/v1/reviews/{before['id']}/decide", json=VERDICT | {"urgency": 3, "note": "Sudah dicek."})
    assert decided.status_code == 200
    case = decided.json()
    assert (case["status"], case["agency"], case["urgency"]) == ("decided", "dbmsda", 3)
    assert (case["review"]["label_source"], case["review"]["note"]) == ("human-corrected", "Sudah dicek.")
    assert case["review"]["reviewer"].startswith("key:")
    assert case["prediction"] == before["prediction"]
    problem_in(client.post(f"/v1/reviews/{before['id']}/decide", json=VERDICT), 409)
    problem_in(client.post(f"/v1/reviews/{before['id']}/claim"), 409)
    assert client.get(f"/v1/cases/{before['id']}").json() == case
    assert client.get("/v1/reviews").json() == {"reviews": [], "next": None}


def test_a_case_that_was_asked_about_says_so_and_takes_a_verdict_later(client: TestClient, house: House) -> None:
    case_id = create(client)["id"]
    question = "Mohon sebutkan nama jalannya, atau telepon 081234567890."
    house.triage.decide(case_id, Verdict("", "", 1, kind=Kind.ASK, reply=question), by="siti")
    [case] = everything(client, status="asked")
    assert (case["id"], case["status"], case["agency"]) == (case_id, "asked", case["prediction"]["agency"]["code"])
    told = {name: case["review"][name] for name in ("kind", "agency", "sector", "parts", "reason", "merged_into")}
    assert told == {"kind": "ask", "agency": "", "sector": "", "parts": [], "reason": "", "merged_into": None}
    assert case["review"]["reply"].startswith("Mohon sebutkan nama jalannya")
    assert "081234567890" not in case["review"]["reply"]
    assert client.get("/v1/reviews").json() == {"reviews": [], "next": None}
    problem_in(client.post(f"/v1/cases/{case_id}/returns", json={"reason": "bukan kami"}), 409)
    decided = client.post(f"/v1/reviews/{case_id}/decide", json=VERDICT).json()
    assert (decided["status"], decided["review"]["kind"]) == ("decided", "dispose")


def test_a_split_and_a_merged_case_tell_their_parts_and_their_original(client: TestClient, house: House) -> None:
    split, copy = create(client)["id"], create(client)["id"]
    parts = (Part("health", "dinkes", 2), Part("environment", "dlhk", 0))
    verdict = Verdict("public-works", "dbmsda", 1, parts=parts, reason="other-matter")
    house.triage.decide(split, verdict, by="siti")
    house.triage.decide(copy, Verdict("", "", 1, kind=Kind.MERGE, merged_into=split), by="siti")
    review = client.get(f"/v1/cases/{split}").json()["review"]
    assert (review["kind"], review["reason"], review["label_source"]) == ("dispose", "other-matter", "human-corrected")
    assert review["parts"] == [vars(part) for part in parts]
    merged = client.get(f"/v1/cases/{copy}").json()
    assert (merged["status"], merged["review"]["kind"]) == ("decided", "merge")
    assert merged["review"]["merged_into"] == split


def test_a_case_tells_when_a_verdict_on_it_is_due(client: TestClient) -> None:
    case = create(client)
    assert datetime.fromisoformat(case["due_at"]) == due_after(datetime.fromisoformat(case["created_at"]))


@pytest.mark.parametrize("operation", ["claim", "release", "decide"])
def test_a_review_of_no_case_is_a_404(client: TestClient, operation: str) -> None:
    problem_in(client.post(f"/v1/reviews/tidak-ada/{operation}", json=VERDICT), 404)


# Returns and events


def test_a_case_that_an_agency_sends_back_waits_again_with_the_reason(client: TestClient) -> None:
    case_id = create(client)["id"]
    problem_in(client.post(f"/v1/cases/{case_id}/returns", json={"reason": "x"}), 409)
    client.post(f"/v1/reviews/{case_id}/decide", json=VERDICT)
    returned = client.post(
        f"/v1/cases/{case_id}/returns", json={"reason": "Ini jalan provinsi, hubungi 0812-3456-7890"}
    )
    assert returned.status_code == 201
    case = returned.json()
    assert (case["status"], case["closed_at"]) == ("returned", None)
    assert (case["returned"]["agency"], case["returned"]["reason"]) == (
        "dbmsda",
        "Ini jalan provinsi, hubungi [TELEPON]",
    )
    problem_in(client.post(f"/v1/cases/{case_id}/returns", json={"reason": "lagi"}), 409)
    assert [each["case"]["id"] for each in client.get("/v1/reviews").json()["reviews"]] == [case_id]
    again = client.post(f"/v1/reviews/{case_id}/decide", json=VERDICT | {"urgency": 0})
    assert (again.status_code, again.json()["urgency"]) == (200, 0)


def test_a_return_by_an_agency_that_the_region_does_not_have_is_refused(client: TestClient) -> None:
    case_id = create(client)["id"]
    client.post(f"/v1/reviews/{case_id}/decide", json=VERDICT)
    answer = client.post(f"/v1/cases/{case_id}/returns", json={"reason": "x", "agency": "dinas-sihir"})
    assert refused_fields(answer) == ["agency"]
    assert client.get(f"/v1/cases/{case_id}").json()["status"] == "decided"


def test_events_tell_in_order_what_has_happened_and_none_of_the_words(client: TestClient) -> None:
    first = create(client, text="got mampet kecapung", intake_id="L-1")["id"]
    second = create(client, region=ELSEWHERE)["id"]
    client.post(f"/v1/reviews/{first}/decide", json=VERDICT | {"note": "kecapung"})
    client.post(f"/v1/cases/{first}/returns", json={"reason": "kecapung"})
    answer = client.get("/v1/events")
    told = [(event["type"].removeprefix("disposisi."), event["subject"]) for event in answer.json()["events"]]
    assert told == [
        ("review.requested", first),
        ("review.requested", second),
        ("review.decided", first),
        ("case.returned", first),
    ]
    assert "kecapung" not in answer.text
    assert answer.json()["events"][0]["data"]["intake_id"] == "L-1"
    assert len({event["id"] for event in answer.json()["events"]}) == 4


def test_events_are_read_on_from_the_last_and_none_is_missed(client: TestClient, new_key: NewKey) -> None:
    made = [create(client, region=(REGION, ELSEWHERE)[number % 2])["id"] for number in range(9)]
    for headers, own in (({}, made), (new_key(Scope.INTAKE, region=ELSEWHERE), made[1::2])):
        seen, last = [], 0
        for _ in range(20):
            page = client.get("/v1/events", params={"after": last, "limit": 2}, headers=headers).json()
            if not page["events"]:
                break
            seen += [event["subject"] for event in page["events"]]
            assert page["last"] > last
            last = page["last"]
        assert seen == own
        assert page == {"events": [], "last": last}


@pytest.mark.parametrize("query", [{"after": -1}, {"after": 2**63}, {"after": "x"}, {"limit": 0}, {"limit": 1000}])
def test_events_refuse_a_place_that_is_none(client: TestClient, query: dict[str, Any]) -> None:
    assert len(refused_fields(client.get("/v1/events", params=query))) == 1


# Regions and models


def test_regions_are_listed_and_each_tells_its_agencies_with_their_sectors(client: TestClient) -> None:
    codes = [region["code"] for region in client.get("/v1/regions").json()["regions"]]
    assert {REGION, ELSEWHERE} <= set(codes)
    for code in codes:
        region = client.get(f"/v1/regions/{code}").json()
        assert region["code"] == code
        assert "health" in {sector for agency in region["agencies"] for sector in agency["sectors"]}
    assert REGION in problem_in(client.get("/v1/regions/bogor"), 404)["detail"]
    problem_in(client.get("/v1/regions/..%2f..%2fpyproject"), 404)


@pytest.fixture(scope="module")
def shelf(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles of its own: `sekarang` at work, `lain` beside it, `luar` outside."""
    folder = tmp_path_factory.mktemp("shelf") / "bundles"
    for copy in (folder / "sekarang", folder / "lain", folder.parent / "luar"):
        shutil.copytree(bundle_folder, copy)
    _resign(folder / "lain", created_at="2031-01-01T00:00:00+00:00")
    return folder


def _resign(folder: Path, **changes: Any) -> None:
    """Change a manifest and give it the checksum that it then needs."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8")) | changes
    manifest["checksum"] = _checksum(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture(scope="module")
def changing(bundle: Bundle, shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose bundle may be changed."""
    with closing(open_store(str(tmp_path_factory.mktemp("changing") / "cases.db"))) as store:
        yield service_of(Triage(bundle, REGION, store), shelf / "sekarang")


@pytest.fixture(scope="module")
def reloading(changing: Service) -> Iterator[TestClient]:
    """Its client, which tests share."""
    access = quick_access(changing.triage.store)
    app = create_app(changing, access, Settings())
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {access.create_key('uji', list(Scope))[1]}"
        yield client


def test_another_bundle_answers_after_a_reload(reloading: TestClient) -> None:
    before = reloading.get("/v1/models/current").json()
    after = reloading.post("/v1/models/reload", json={"bundle": "lain"})
    assert after.status_code == 200
    assert reloading.get("/v1/models/current").json() == after.json()
    assert after.json()["folder"] == "lain"
    assert after.json()["model_version"] != before["model_version"]
    assert create(reloading)["model_version"] == after.json()["model_version"]
    assert reloading.get("/readyz").json()["model_version"] == after.json()["model_version"]
    again = reloading.post("/v1/models/reload", json={}).json()
    assert again == after.json()


def _cut(folder: Path) -> None:
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text()[:200])


def _deep(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"a":' * 50_000)


def _a_list(folder: Path) -> None:
    (folder / "manifest.json").write_text("[]")


def _no_heads(folder: Path) -> None:
    _resign(folder, heads={})


def _odd_heads(folder: Path) -> None:
    _resign(folder, heads="kepala")


def _changed(folder: Path) -> None:
    (folder / "sector.weights.npy").write_bytes((folder / "sector.weights.npy").read_bytes()[:-1])


def _gone(folder: Path) -> None:
    (folder / "idf.npy").unlink()


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _outside(folder: Path) -> None:
    """A manifest that counts a file of another folder among its own, signed again."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = manifest["files"]
    files["../../luar/idf.npy"] = files["idf.npy"]
    _resign(folder, files=files)


def _absolute(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = manifest["files"]
    files[str((folder.parent.parent / "luar" / "idf.npy").resolve())] = files["idf.npy"]
    _resign(folder, files=files)


def _linked(folder: Path) -> None:
    """A file of the bundle that is a link to elsewhere, to something that is no array."""
    (folder / "idf.npy").unlink()
    (folder / "idf.npy").symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    "spoil",
    [_cut, _deep, _a_list, _no_heads, _odd_heads, _changed, _gone, _emptied, _outside, _absolute, _linked],
)
def test_a_bundle_that_will_not_do_changes_nothing(
    reloading: TestClient, shelf: Path, spoil: Callable[[Path], None]
) -> None:
    before = reloading.get("/v1/models/current").json()
    spoilt = shelf / f"rusak{spoil.__name__}"
    shutil.copytree(shelf / "sekarang", spoilt)
    spoil(spoilt)
    problem_in(reloading.post("/v1/models/reload", json={"bundle": spoilt.name}), 422)
    assert reloading.get("/v1/models/current").json() == before
    assert create(reloading)["model_version"] == before["model_version"]


def test_a_bundle_that_is_spoilt_where_it_lies_goes_on_answering(reloading: TestClient, shelf: Path) -> None:
    shutil.copytree(shelf / "sekarang", shelf / "kini")
    before = reloading.post("/v1/models/reload", json={"bundle": "kini"}).json()
    _cut(shelf / "kini")
    problem_in(reloading.post("/v1/models/reload", json={}), 422)
    assert reloading.get("/v1/models/current").json() == before
    assert create(reloading)["model_version"] == before["model_version"]
    assert reloading.post("/v1/models/reload", json={"bundle": "sekarang"}).json()["folder"] == "sekarang"


@pytest.mark.parametrize(
    "name",
    [
        *("../luar", "..", ".", "/etc", "lain/../../luar", "lain/", "./lain", "..\\luar", "%2e%2e", "~", "-rf", ".x"),
        *("x\x00", "a" * 129, "lain\n", "keluar", "tidak-ada"),
    ],
)
def test_a_name_that_leads_elsewhere_or_nowhere_is_refused(reloading: TestClient, shelf: Path, name: str) -> None:
    if not (shelf / "keluar").is_symlink():
        (shelf / "keluar").symlink_to(shelf.parent / "luar")
    before = reloading.get("/v1/models/current").json()
    problem_in(reloading.post("/v1/models/reload", json={"bundle": name}), 422)
    assert reloading.get("/v1/models/current").json() == before


def test_reloads_under_load_drop_no_request(shelf: Path, tmp_path: Path) -> None:
    with Server(shelf / "sekarang", tmp_path / "load.db") as server, ExitStack() as stack:
        stop, answers = Event(), []

        def ask() -> None:
            with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
                while not stop.is_set():
                    answers.append(client.post("/v1/complaints", json=COMPLAINT))

        askers = [Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
            stack.callback(asker.join, 60)
        stack.callback(stop.set)
        with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
            for name in ("lain", "sekarang", "lain"):
                assert client.post("/v1/models/reload", json={"bundle": name}).json()["folder"] == name
        stop.set()
        for asker in askers:
            asker.join(60)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["model_version"] for answer in answers}) == 2
        with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
            assert all(client.get(answer.headers["location"]).status_code == 200 for answer in answers[-20:])
            assert len({answer.json()["id"] for answer in answers}) == len(answers)


def test_of_two_reloads_at_once_one_is_told_to_wait(
    changing: Service, reloading: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on = Event(), Event()
    renew = changing.triage.renew

    def slowly(bundle: Bundle) -> None:
        started.set()
        assert go_on.wait(20)
        renew(bundle)

    monkeypatch.setattr(changing.triage, "renew", slowly)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(reloading.post, "/v1/models/reload", json={"bundle": "lain"})
        assert started.wait(20)
        problem_in(reloading.post("/v1/models/reload", json={}), 409)
        assert create(reloading)["model_version"] == reloading.get("/v1/models/current").json()["model_version"]
        go_on.set()
        assert first.result(20).status_code == 200


# Secret cases


def looks(store: Store, case_id: str) -> list[str]:
    """Who looked at a case, as the audit record says."""
    query = select(audit.c.actor).where(audit.c.case_id == case_id, audit.c.action == "look").order_by(audit.c.id)
    with store.reading() as connection:
        return list(connection.execute(query).scalars())


@pytest.fixture
def secret(triage: Triage) -> Case:
    return triage.receive(Intake(Complaint("petugas meminta uang di loket"), confidentiality=Confidentiality.RAHASIA))


def test_a_secret_case_is_in_no_listing_of_cases(client: TestClient, secret: Case) -> None:
    open_case = create(client)["id"]
    assert [case["id"] for case in everything(client)] == [open_case]
    assert [case["id"] for case in everything(client, status="waiting", region=REGION)] == [open_case]


def test_every_look_at_a_secret_case_is_on_record(
    client: TestClient, store: Store, secret: Case, new_key: NewKey
) -> None:
    open_case = create(client)["id"]
    for _ in range(2):
        assert client.get(f"/v1/cases/{secret.id}").json()["text"] == "petugas meminta uang di loket"
        client.get(f"/v1/cases/{open_case}")
    assert len(looks(store, secret.id)) == 2
    assert secret.id in {each["case"]["id"] for each in client.get("/v1/reviews").json()["reviews"]}
    assert client.get(f"/kasus/{secret.id}").status_code == 200
    seen = looks(store, secret.id)
    assert [actor.partition(":")[0] for actor in seen] == ["key", "key", "key", "moderator"]
    assert looks(store, open_case) == []
    client.get(f"/v1/cases/{secret.id}", headers=new_key(region=ELSEWHERE))
    assert looks(store, secret.id) == seen


@pytest.mark.parametrize("operation", ["decide", "return"])
def test_an_answer_that_holds_a_secret_cases_words_is_a_look(
    client: TestClient, store: Store, secret: Case, triage: Triage, operation: str
) -> None:
    answer = client.post(f"/v1/reviews/{secret.id}/decide", json=VERDICT)
    if operation == "return":
        before = len(looks(store, secret.id))
        answer = client.post(f"/v1/cases/{secret.id}/returns", json={"reason": "bukan kami"})
    else:
        before = 0
    assert answer.status_code < 300
    assert len(looks(store, secret.id)) == before + 1 or secret.complaint.text not in answer.text


# Limits


def test_beyond_the_most_under_way_the_answer_is_503_at_once_while_health_answers(
    service: Service, access: Access, store: Store, key: str
) -> None:
    app = create_app(service, access, Settings(most_in_flight=2))
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    async def drive() -> None:
        go_on = asyncio.Event()

        async def slow_body() -> Any:
            yield b'{"text": '
            await go_on.wait()
            yield b'"got mampet"}'

        async with _client_of_app(app) as client:
            slow = [
                asyncio.create_task(client.post("/v1/complaints", content=slow_body(), headers=headers))
                for _ in range(2)
            ]
            await asyncio.sleep(0.1)
            async with asyncio.timeout(5):
                refused = await client.post("/v1/complaints", json=COMPLAINT, headers=headers)
                problem_in(refused, 503)
                assert int(refused.headers["retry-after"]) >= 1
                for path in ("/livez", "/readyz", "/metrics"):
                    assert (await client.get(path)).status_code == 200
            go_on.set()
            assert [(await answer).status_code for answer in slow] == [201, 201]
            assert (await client.post("/v1/complaints", json=COMPLAINT, headers=headers)).status_code == 201

    asyncio.run(drive())
    assert store.count(Status.WAITING) == 3


def _client_of_app(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


def test_a_key_that_sends_too_much_is_told_when_to_come_again_and_others_are_not(
    service: Service, access: Access, store: Store, key: str, new_key: NewKey
) -> None:
    app = create_app(service, access, Settings(requests_per_minute=30))
    with TestClient(app, "http://127.0.0.1") as client:
        client.headers["Authorization"] = f"Bearer {key}"
        answers = [send(client, COMPLAINT) for _ in range(8)]
        assert [answer.status_code for answer in answers] == [201] * 5 + [429] * 3
        problem_in(answers[-1], 429)
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        assert store.count(Status.WAITING) == 5
        assert send(client, COMPLAINT, **new_key(Scope.INTAKE)).status_code == 201
        assert client.get("/livez").status_code == 200
        assert client.get("/v1/cases").status_code == 429


def test_an_autoroute_is_told_as_routed_and_may_still_be_corrected_and_sent_back(
    bold_bundle: Bundle, store: Store
) -> None:
    with client_of(Triage(bold_bundle, REGION, store)) as client:
        case = create(client, text="lubang besar di jalan raya Serang KM 18 Cikupa")
        assert (case["status"], case["prediction"]["outcome"]) == ("routed", "auto")
        assert client.get("/v1/reviews").json()["reviews"] == []
        assert client.get("/v1/events").json()["events"][0]["type"] == "disposisi.case.routed"
        returned = client.post(f"/v1/cases/{case['id']}/returns", json={"reason": "bukan wewenang kami"})
        assert returned.json()["returned"]["agency"] == case["agency"]
        assert client.post(f"/v1/reviews/{case['id']}/decide", json=VERDICT).status_code == 200
