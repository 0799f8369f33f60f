"""Who may do what, operation by operation; what others wrote stays inert, and no error repeats a citizen's words."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.testclient import TestClient

from data.complaint import Complaint, Confidentiality
from data.region import load_region
from model.bundle import Bundle
from model.masking import mask_for_storage
from serving.access import Access, Scope
from serving.app import create_app
from serving.case import Status
from serving.database import open_store
from serving.settings import Settings
from serving.store import Store
from serving.triage import Intake, Triage
from tests.serving.clients import quick_access, service_of, sign_in
from tests.serving.conftest import REGION
from tests.serving.problems import Answered, problem_in
from tests.serving.processes import Server

ELSEWHERE = "kota-surabaya"
MARKER = "kecapung5520"
VERDICT = {"agency": "dbmsda", "sector": "public-works", "urgency": 2}
READERS = {Scope.INTAKE, Scope.REVIEW, Scope.DATA}
# Every operation with the scopes that may do it, beside admin, and a body that it takes. None: it is open to all.
OPERATIONS: dict[tuple[str, str], tuple[set[Scope] | None, Any]] = {
    ("post", "/v1/complaints"): ({Scope.INTAKE}, {"text": "got mampet"}),
    ("get", "/v1/cases"): (READERS, None),
    ("get", "/v1/cases/{case_id}"): (READERS, None),
    ("post", "/v1/cases/{case_id}/returns"): ({Scope.INTAKE}, {"reason": "bukan wewenang kami"}),
    ("get", "/v1/reviews"): ({Scope.REVIEW}, None),
    ("post", "/v1/reviews/{case_id}/claim"): ({Scope.REVIEW}, None),
    ("post", "/v1/reviews/{case_id}/release"): ({Scope.REVIEW}, None),
    ("post", "/v1/reviews/{case_id}/decide"): ({Scope.REVIEW}, VERDICT),
    ("post", "/v1/predictions"): ({Scope.INTAKE}, {"complaints": [{"text": "got mampet"}]}),
    ("get", "/v1/events"): ({Scope.INTAKE}, None),
    ("get", "/v1/regions"): (READERS, None),
    ("get", "/v1/regions/{code}"): (READERS, None),
    ("get", "/v1/models/current"): (READERS, None),
    ("post", "/v1/models/reload"): (set(), {}),
    ("get", "/livez"): (None, None),
    ("get", "/readyz"): (None, None),
}
GUARDED = [operation for operation, (scopes, _) in OPERATIONS.items() if scopes is not None]
OF_ONE_CASE = [operation for operation in OPERATIONS if "{case_id}" in operation[1]]


@dataclass(frozen=True)
class House:
    """The service in-process for everybody, with keys of all kinds."""

    client: TestClient
    access: Access
    triage: Triage
    store: Store

    def key(self, *scopes: Scope, region: str = "") -> str:
        return self.access.create_key("uji", [scope.value for scope in scopes or tuple(Scope)], region)[1]

    def case(self, text: str = "got mampet", region: str = REGION, **more: Any) -> str:
        return self.triage.receive(Intake(Complaint(text, region=region), **more)).id

    def do(self, operation: tuple[str, str], key: str = "", case_id: str = "", **headers: str) -> Answered:
        """An operation with a body that it takes, on a case of the first region unless another is named."""
        method, path = operation
        if "{case_id}" in path:
            path = path.replace("{case_id}", case_id or self.case())
        body = OPERATIONS[operation][1]
        sent = headers or ({"Authorization": f"Bearer {key}"} if key else {})
        content = {} if body is None else {"json": body}
        return self.client.request(method, path.replace("{code}", REGION), headers=sent, **content)

    def send(self, path: str, body: Any, key: str, **headers: str) -> Answered:
        return self.client.post(path, json=body, headers={"Authorization": f"Bearer {key}", **headers})

    def get(self, path: str, key: str, **query: Any) -> Answered:
        return self.client.get(path, params=query, headers={"Authorization": f"Bearer {key}"})

    def count(self) -> int:
        return sum(self.store.count(status) for status in (Status.WAITING, Status.ROUTED, Status.DECIDED))


@pytest.fixture(scope="module")
def house(bundle: Bundle, bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with closing(open_store(str(tmp_path_factory.mktemp("roles") / "cases.db"))) as store:
        triage = Triage(bundle, REGION, store)
        access = quick_access(store)
        app = create_app(service_of(triage, bundle_folder), access, Settings(requests_per_minute=100_000))
        with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False) as client:
            yield House(client, access, triage, store)


@pytest.fixture(scope="module")
def everything(house: House) -> str:
    """The token of a key that may do everything everywhere."""
    return house.key()


@pytest.fixture(scope="module")
def scoped(house: House) -> dict[Scope, str]:
    """A token of each scope alone."""
    return {scope: house.key(scope) for scope in Scope}


def test_every_operation_of_the_description_is_in_the_table(house: House) -> None:
    described = house.client.get("/openapi.json").json()["paths"]
    assert {(method, path) for path, item in described.items() for method in item} == set(OPERATIONS)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each not in GUARDED])
def test_health_is_told_to_everybody(house: House, operation: tuple[str, str]) -> None:
    assert house.do(operation).status_code == 200


@pytest.mark.parametrize("operation", GUARDED)
def test_without_a_key_nothing_is_answered_and_nothing_changes(house: House, operation: tuple[str, str]) -> None:
    case_id = house.case()
    before = house.count(), house.store.get(case_id)
    answer = house.do(operation, case_id=case_id)
    problem_in(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (house.count(), house.store.get(case_id)) == before


@pytest.mark.parametrize("operation", GUARDED)
def test_a_key_that_was_revoked_is_refused(house: House, operation: tuple[str, str]) -> None:
    record, token = house.access.create_key("uji", [Scope.ADMIN.value])
    assert house.do(operation, token).status_code < 400 or operation[1].endswith("/returns")
    house.access.revoke_key(record.id)
    problem_in(house.do(operation, token), 401)


@pytest.mark.parametrize("operation", GUARDED)
def test_a_key_that_nobody_made_is_refused(house: House, operation: tuple[str, str]) -> None:
    problem_in(house.do(operation, f"dsp_0a1b2c3d_{'A' * 43}"), 401)


def test_whatever_is_no_key_is_refused(house: House, everything: str) -> None:
    read = ("get", "/v1/cases")
    wrong = [
        everything,  # without its scheme
        f"Basic {everything}",
        f"Bearer{everything}",
        f"Bearer {everything[:-1]}",
        f"Bearer {everything}x",
        f"Bearer {everything.upper()}",
        f"Bearer {everything[:13]}{'A' * 43}",
        "Bearer ",
        "Bearer " + "a" * 20_000,
        "Bearer dsp_' OR 1=1 --",
        f"Bearer {everything}, Bearer {everything}",
    ]
    assert [house.do(read, Authorization=each).status_code for each in wrong] == [401] * len(wrong)
    twice = [("Authorization", f"Bearer {everything}")] * 2
    assert house.client.get("/v1/cases", headers=twice).status_code == 401
    assert house.client.get(f"/v1/cases?key={everything}&access_token={everything}").status_code == 401
    assert house.client.get("/v1/cases", headers={"Cookie": f"disposisi={everything}"}).status_code == 401
    assert house.do(read, Authorization=f"bearer  {everything}").status_code == 200


def test_a_guarded_path_is_guarded_however_it_is_written(house: House) -> None:
    paths = ["/v1/cases", "/v1//cases", "/v1/cases/", "//v1/cases", "/%76%31/cases", "/V1/cases", "/v1/./cases"]
    assert {house.client.get(path).status_code for path in paths} <= {401, 404, 307}


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("operation", GUARDED)
def test_each_scope_opens_its_own_operations_and_no_other(
    house: House, scoped: dict[Scope, str], operation: tuple[str, str], scope: Scope
) -> None:
    scopes = OPERATIONS[operation][0] or set()
    case_id = house.case()
    before = house.count(), house.store.get(case_id)
    answer = house.do(operation, scoped[scope], case_id)
    if scope is Scope.ADMIN or scope in scopes:
        # A case that waits can't be sent back.
        assert answer.status_code == 409 if operation[1].endswith("/returns") else answer.status_code < 300
    else:
        detail = problem_in(answer, 403)["detail"]
        assert all(each.value in detail for each in scopes or {Scope.ADMIN})
        assert (house.count(), house.store.get(case_id)) == before


@pytest.mark.parametrize("operation", OF_ONE_CASE)
def test_a_case_of_another_region_is_not_there(house: House, operation: tuple[str, str]) -> None:
    theirs = house.key(region=ELSEWHERE)
    case_id = house.case()
    before = house.store.get(case_id)
    unknown = "00000000-0000-4000-8000-000000000000"
    refused, missing = (problem_in(house.do(operation, theirs, each), 404) for each in (case_id, unknown))
    assert refused["detail"].replace(case_id, unknown) == missing["detail"]
    assert house.store.get(case_id) == before
    assert house.store.claims_of([case_id], house.triage.now()) == {}
    assert house.do(operation, house.key(region=REGION), case_id).status_code in (200, 201, 204, 409)


def test_lists_hold_the_keys_own_region_only(house: House) -> None:
    ours, theirs = house.case(), house.case(region=ELSEWHERE)
    key = house.key(region=ELSEWHERE)
    cases = house.get("/v1/cases", key, limit=200).json()["cases"]
    reviews = [each["case"] for each in house.get("/v1/reviews", key, limit=200).json()["reviews"]]
    events = house.get("/v1/events", key, limit=200).json()["events"]
    assert {case["region"] for case in cases} == {case["region"] for case in reviews} == {ELSEWHERE}
    assert {event["source"] for event in events} == {f"/disposisi/{ELSEWHERE}"}
    for ids in ({case["id"] for case in cases}, {case["id"] for case in reviews}, {e["subject"] for e in events}):
        assert theirs in ids
        assert ours not in ids


def test_a_key_of_one_region_cannot_ask_for_another(house: House) -> None:
    key, before = house.key(region=ELSEWHERE), house.count()
    problem_in(house.get("/v1/cases", key, region=REGION), 403)
    problem_in(house.send("/v1/complaints", {"text": "got mampet", "region": REGION}, key), 403)
    problem_in(house.send("/v1/complaints", {"text": "got mampet", "region": REGION.upper()}, key), 403)
    complaints = [{"text": "got mampet"}, {"text": "got mampet", "region": REGION}]
    problem_in(house.send("/v1/predictions", {"complaints": complaints}, key), 403)
    assert house.count() == before


def test_a_complaint_that_names_no_region_goes_to_the_keys_own(house: House) -> None:
    created = house.send("/v1/complaints", {"text": "got mampet"}, house.key(region=ELSEWHERE))
    assert created.json()["region"] == ELSEWHERE
    assert house.send("/v1/complaints", {"text": "got mampet"}, house.key()).json()["region"] == REGION


def test_a_prediction_that_names_no_region_is_made_for_the_keys_own(house: House) -> None:
    complaint, key = {"text": "lubang besar di jalan raya, banyak pengendara jatuh"}, house.key(region=ELSEWHERE)
    silent, named = (
        house.send("/v1/predictions", {"complaints": [complaint | more]}, key) for more in ({}, {"region": ELSEWHERE})
    )
    assert (silent.status_code, named.status_code) == (200, 200)
    assert silent.json() == named.json()


def test_an_agency_of_another_region_is_none_of_this_ones(house: House, everything: str) -> None:
    foreign = next(code for code in load_region(ELSEWHERE).all_agencies if code not in load_region(REGION).all_agencies)
    verdict = VERDICT | {"agency": foreign}
    answer = house.send(f"/v1/reviews/{house.case()}/decide", verdict, everything)
    assert problem_in(answer, 422)["errors"][0]["field"] == "agency"
    answer = house.send(f"/v1/reviews/{house.case()}/decide", VERDICT | {"sector": "health"}, everything)
    assert problem_in(answer, 422)["errors"][0]["field"] == "sector"


HOSTILE = [
    "'; DROP TABLE cases; --",
    "' OR '1'='1",
    '" UNION SELECT secret_hash FROM keys --',
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea><svg/onload=alert(1)>",
    "{{ 7919 * 7907 }} {% raw %} ${7919*7907} #{7} %(x)s %s {0}",
    '\\"},{\\"text\\":1} \\u0000 \\n',
    "=HYPERLINK(A1) +1 -1 @x",
    "\u202eterbalik\u202c \u2028 \u2029 \ufeff",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_meant_to_harm_comes_back_as_it_was_sent(house: House, everything: str, hostile: str) -> None:
    kept = mask_for_storage(hostile, Confidentiality.TERBUKA)
    told = dict.fromkeys(("text", "title", "location", "channel", "reporter", "intake_id"), hostile)
    created = house.send("/v1/complaints", told, everything)
    if created.status_code == 422:  # what masking would change is no opaque reference
        told |= {"reporter": "", "intake_id": ""}
        created = house.send("/v1/complaints", told, everything)
    assert created.status_code == 201, created.text
    assert created.headers["content-type"] == "application/json"
    assert created.headers["x-content-type-options"] == "nosniff"
    case = created.json()
    assert {name: case[name] for name in ("text", "title", "location")} == dict.fromkeys(
        ("text", "title", "location"), kept
    )
    decided = house.send(f"/v1/reviews/{case['id']}/decide", VERDICT | {"note": hostile}, everything)
    assert decided.json()["review"]["note"] == kept
    returned = house.send(f"/v1/cases/{case['id']}/returns", {"reason": hostile}, everything)
    assert returned.json()["returned"]["reason"] == kept
    assert house.get(f"/v1/cases/{case['id']}", everything).json() == returned.json()
    assert json.loads(returned.text) == returned.json()


@pytest.mark.parametrize("hostile", [each for each in HOSTILE if each.isascii()])
def test_what_is_meant_to_harm_finds_nothing_and_breaks_nothing(house: House, everything: str, hostile: str) -> None:
    before = house.count()
    assert house.get("/v1/cases", everything, agency=hostile).json() == {"cases": [], "next": None}
    assert house.get("/v1/cases", everything, region=hostile).status_code == 422
    assert house.get("/v1/cases", everything, cursor=hostile).status_code == 422
    assert house.get("/v1/reviews", everything, cursor=hostile).status_code == 422
    assert house.get("/v1/events", everything, after=hostile).status_code == 422
    assert house.get("/v1/cases", everything, status=hostile).status_code == 422
    assert house.get(f"/v1/cases/{quote(hostile, safe='')}", everything).status_code in (404, 422)
    key = {"Idempotency-Key": hostile}
    first, again = (house.send("/v1/complaints", {"text": "got mampet"}, everything, **key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert house.count() == before + 1


@pytest.fixture(scope="module")
def at_the_desk(house: House) -> str:
    """The cookie of a moderator of every region."""
    return sign_in(house.access)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_meant_to_harm_is_only_text_on_the_desk(
    house: House, everything: str, at_the_desk: str, hostile: str
) -> None:
    told = dict.fromkeys(("text", "title", "location", "channel"), hostile)
    case_id = house.send("/v1/complaints", told, everything).json()["id"]
    house.send(f"/v1/reviews/{case_id}/decide", VERDICT | {"note": hostile}, everything)
    house.send(f"/v1/cases/{case_id}/returns", {"reason": hostile}, everything)
    cookie = {"Cookie": f"disposisi={at_the_desk}"}
    pages = [house.client.get(path, headers=cookie) for path in (f"/kasus/{case_id}", "/antrean")]
    assert [page.status_code for page in pages] == [200, 200]
    for page in pages:
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        own = page.text.replace('<script src="/static/desk.js" defer></script>', "")
        for tag in ("<script", "<img", "<svg", "</textarea><"):
            assert tag not in own
        assert str(7919 * 7907) not in page.text
    first_word = mask_for_storage(hostile, Confidentiality.TERBUKA).split()[0]
    assert html.escape(first_word) in pages[0].text.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


# Codes and times, no free text: an error may repeat these, since nobody can mend what isn't named.
NAMED_BACK = {"region", "received_at", "confidentiality", "agency", "sector", "bundle", "urgency", "explain"}
WRONG = [MARKER * 3_000, f"{MARKER}\x00", [MARKER], {"text": [{"isi": MARKER}]}]


def bad_bodies(document: dict[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Of every operation: its path, a body with one field wrong in one way, and whether the field may be named back."""
    for path, item in document["paths"].items():
        for operation in item.values():
            if "requestBody" not in operation:
                continue
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            schema = document["components"]["schemas"][name]
            good = OPERATIONS[("post", path)][1]
            for field in (*schema["properties"], "tidak_dikenal"):
                yield from ((path, good | {field: wrong}, field in NAMED_BACK) for wrong in WRONG)
            yield from ((path, wrong, False) for wrong in (MARKER, [MARKER], {"laporan": good | {"text": MARKER}}))


def test_no_error_repeats_a_citizens_words_and_the_server_prints_none(server: Server) -> None:
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=30) as client:
        case_id = client.post("/v1/complaints", json={"text": f"got mampet {MARKER}", "title": MARKER}).json()["id"]
        tried = 0
        for path, body, may_be_named in bad_bodies(client.get("/openapi.json").json()):
            url = path.replace("{case_id}", case_id)
            answer = client.post(url, content=json.dumps(body), headers={"Content-Type": "application/json"})
            tried += 1
            assert answer.status_code == 422, (url, str(body)[:80], answer.text[:200])
            assert may_be_named or MARKER not in answer.text, (url, str(body)[:80])
        assert tried > 100
        for key in (MARKER * 50, f"{MARKER}\xe9"):
            answer = client.post(
                "/v1/complaints", json={"text": 1}, headers=[(b"Idempotency-Key", key.encode("latin-1"))]
            )
            assert answer.status_code == 422
            assert MARKER not in answer.text
        again = client.post("/v1/complaints", json={"text": MARKER}, headers={"Idempotency-Key": "satu"})
        other = client.post("/v1/complaints", json={"text": f"{MARKER}!"}, headers={"Idempotency-Key": "satu"})
        assert (again.status_code, problem_in(other, 409)["status"]) == (201, 409)
        assert MARKER not in other.text
        for query in ({"agency": MARKER * 99}, {"received_from": MARKER}, {"status": MARKER}, {"urgency": MARKER}):
            assert client.get("/v1/cases", params=query).status_code == 422
        for body in (MARKER, f'{{"text": "{MARKER}', f'{{"text": "{MARKER}", "text": "{MARKER}"}}'):
            answer = client.post("/v1/complaints", content=body, headers={"Content-Type": "application/json"})
            assert MARKER not in problem_in(answer, 400)["detail"]
        client.get(f"/v1/cases/{MARKER}")
        client.request(MARKER.upper(), f"/{MARKER}")
    time.sleep(0.3)
    assert MARKER not in server.output
    assert "Traceback" not in server.output
