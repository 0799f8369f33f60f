"""The API takes complaints in, reads cases back and predicts, as its own description says."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from model.bundle import FORMAT, Bundle
from serving.case import Status
from serving.store import Store
from serving.triage import Triage
from tests.serving.clients import client_of
from tests.serving.conftest import REGION
from tests.serving.problems import fields_in, problem_in

POTHOLE = "Jalan depan pasar berlubang besar, kemarin dua motor jatuh"
RUBBISH = "Sampah di samping jembatan sudah tiga minggu tidak diangkut, baunya sampai ke rumah warga"
NURSE = (
    "Saya antre di puskesmas dari pagi sampai siang, loket pendaftaran hanya dibuka satu, petugasnya sering masuk ke "
    "belakang, obat untuk anak saya juga habis dan kami disuruh membeli sendiri di apotek seberang jalan"
)
NAMED = "Saya Budi dan Bapak Joko melihat sampah dibakar di pinggir kali. Nama: Wagiyem, hp 0812-3456-7890"
METHODS = ("get", "post", "put", "patch", "delete")


def description(client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def examples(document: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    media = operation["requestBody"]["content"]["application/json"]
    schema = media["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return [*schema.get("examples", []), *(entry["value"] for entry in media.get("examples", {}).values())]


def test_a_complaint_becomes_a_case_that_reads_back_as_it_was_answered(client: TestClient) -> None:
    created = client.post("/v1/complaints", json={"text": POTHOLE, "title": "Jalan", "location": "Kecamatan Cikupa"})
    assert created.status_code == 201
    case = created.json()
    assert created.headers["location"] == f"/v1/cases/{case['id']}"
    read = client.get(created.headers["location"])
    assert read.status_code == 200
    assert read.json() == case
    assert (case["text"], case["title"], case["location"]) == (POTHOLE, "Jalan", "Kecamatan Cikupa")
    assert (case["region"], case["status"], case["review"]) == (REGION, "waiting", None)


def test_two_complaints_of_one_text_are_two_cases(client: TestClient) -> None:
    first, second = (client.post("/v1/complaints", json={"text": POTHOLE}).json() for _ in range(2))
    assert first["id"] != second["id"]


def test_what_the_intake_system_says_of_a_complaint_is_kept(client: TestClient) -> None:
    told = {
        "text": POTHOLE,
        "channel": "WhatsApp",
        "confidentiality": "rahasia",
        "received_at": "2026-02-03T09:30:00+07:00",
        "region": "kota-surabaya",
    }
    created = client.post("/v1/complaints", json=told)
    assert created.status_code == 201, created.text
    case = created.json()
    assert (case["channel"], case["confidentiality"], case["region"]) == ("WhatsApp", "rahasia", "kota-surabaya")
    assert case["received_at"] == "2026-02-03T02:30:00Z"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+07:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-07:00"])
def test_a_time_at_the_end_of_the_calendar_breaks_neither_the_intake_nor_the_desk(
    client: TestClient, moment: str
) -> None:
    created = client.post("/v1/complaints", json={"text": POTHOLE, "received_at": moment})
    assert created.status_code in (201, 422), created.text
    assert client.get("/antrean").status_code == 200


def dump_of(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return "\n".join(connection.iterdump())


def test_personal_data_is_masked_before_a_case_is_kept(client: TestClient, database: Path) -> None:
    secrets = ("0812-3456-7890", "3603121506780001", "warga.curug@contoh.example", "https://contoh.example/foto")
    created = client.post(
        "/v1/complaints", json={"text": f"Hubungi {' atau '.join(secrets)}", "title": secrets[0], "channel": secrets[0]}
    )
    case = created.json()
    assert case["text"] == "Hubungi [TELEPON] atau [NIK] atau [EMAIL] atau [URL]"
    assert (case["title"], case["channel"]) == ("[TELEPON]", "[TELEPON]")
    kept = dump_of(database)
    assert not [secret for secret in secrets if secret in kept]


def post_named(client: TestClient, confidentiality: str) -> dict[str, Any]:
    """A case whose every free field names its reporter, after being posted."""
    told = {"text": NAMED, "title": "Saya Budi", "location": "Rumah Bapak Joko", "confidentiality": confidentiality}
    created = client.post("/v1/complaints", json=told)
    assert created.status_code == 201, created.text
    case: dict[str, Any] = created.json()
    assert client.get(created.headers["location"]).json() == case
    return case


def test_of_an_open_case_only_announced_names_are_masked(client: TestClient) -> None:
    case = post_named(client, "terbuka")
    assert case["text"] == (
        "Saya Budi dan Bapak Joko melihat sampah dibakar di pinggir kali. Nama: [NAMA], hp [TELEPON]"
    )
    assert (case["title"], case["location"]) == ("Saya Budi", "Rumah Bapak Joko")


@pytest.mark.parametrize("confidentiality", ["anonim", "rahasia"])
def test_of_an_anonymous_or_secret_case_no_name_that_tells_who_reports_is_kept(
    client: TestClient, database: Path, confidentiality: str
) -> None:
    case = post_named(client, confidentiality)
    assert case["text"] == (
        "Saya [NAMA] dan Bapak [NAMA] melihat sampah dibakar di pinggir kali. Nama: [NAMA], hp [TELEPON]"
    )
    assert (case["title"], case["location"]) == ("Saya [NAMA]", "Rumah Bapak [NAMA]")
    kept = dump_of(database).lower()
    assert "sampah dibakar" in kept
    assert not [name for name in ("budi", "joko", "wagiyem", "3456-7890") if name in kept]


@pytest.mark.parametrize("confidentiality", ["terbuka", "anonim"])
def test_the_words_that_decided_are_kept_of_a_case_that_is_not_secret(
    client: TestClient, database: Path, confidentiality: str
) -> None:
    why = post_named(client, confidentiality)["prediction"]["explanation"]
    assert "sampah" in {word["word"] for word in why["words"]}
    assert '"word": "sampah"' in dump_of(database)


def test_of_a_secret_case_no_word_that_decided_is_kept_only_their_sum(client: TestClient, database: Path) -> None:
    why = post_named(client, "rahasia")["prediction"]["explanation"]
    assert why["words"] == []
    assert math.isclose(why["base"] + why["others"], why["score"], rel_tol=1e-9, abs_tol=1e-9)
    assert why["others"] != 0
    assert '"word"' not in dump_of(database)


@pytest.mark.parametrize("confidentiality", ["terbuka", "anonim", "rahasia"])
def test_who_reports_does_not_change_where_a_case_goes(client: TestClient, confidentiality: str) -> None:
    told = {"text": RUBBISH, "confidentiality": confidentiality}
    prediction = client.post("/v1/complaints", json=told).json()["prediction"]
    [predicted] = client.post("/v1/predictions", json={"complaints": [{"text": RUBBISH}]}).json()["predictions"]
    assert prediction["sector"] == predicted["sector"]
    assert prediction["probability"] == predicted["probability"]


def test_an_unsure_model_lets_every_case_wait_and_says_why(client: TestClient) -> None:
    prediction = client.post("/v1/complaints", json={"text": POTHOLE}).json()["prediction"]
    assert prediction["outcome"] == "review"
    assert prediction["reasons"][0]["code"] == "no-threshold"
    assert all(reason["text"].endswith(".") for reason in prediction["reasons"])


def test_a_sure_model_routes_a_local_matter_without_a_person(bold_bundle: Bundle, store: Store) -> None:
    with client_of(Triage(bold_bundle, REGION, store)) as client:
        case = client.post("/v1/complaints", json={"text": RUBBISH}).json()
    assert (case["status"], case["prediction"]["outcome"]) == ("routed", "auto")
    assert case["prediction"]["agency"]["level"] == "local"
    assert [reason["code"] for reason in case["prediction"]["reasons"]] == ["confident"]


def test_a_region_that_has_proven_nothing_routes_nothing_alone(bold_bundle: Bundle, store: Store) -> None:
    with client_of(Triage(bold_bundle, REGION, store)) as client:
        case = client.post("/v1/complaints", json={"text": RUBBISH, "region": "kota-surabaya"}).json()
    assert (case["status"], case["prediction"]["outcome"]) == ("waiting", "review")
    assert "no-threshold" in [reason["code"] for reason in case["prediction"]["reasons"]]


@pytest.mark.parametrize("code", ["kota-surabaya", "Kota-Surabaya", "KOTA-SURABAYA"])
def test_a_region_is_known_however_it_is_capitalised(client: TestClient, code: str) -> None:
    created = client.post("/v1/complaints", json={"text": POTHOLE, "region": code})
    assert created.status_code == 201, created.text
    assert created.json()["region"] == "kota-surabaya"
    prediction = {"complaints": [{"text": POTHOLE, "region": code}]}
    assert client.post("/v1/predictions", json=prediction).status_code == 200


def test_one_complaint_gets_one_prediction(client: TestClient) -> None:
    answer = client.post("/v1/predictions", json={"complaints": [{"text": RUBBISH}]})
    assert answer.status_code == 200
    [prediction] = answer.json()["predictions"]
    assert prediction["explanation"] is None
    assert 0 < prediction["probability"] <= 1
    assert len(prediction["alternatives"]) == 3
    probabilities = [prediction["probability"], *(other["probability"] for other in prediction["alternatives"])]
    assert probabilities == sorted(probabilities, reverse=True)


def test_a_thousand_complaints_are_predicted_in_their_order(client: TestClient) -> None:
    kinds = [POTHOLE, RUBBISH, NURSE]
    alone = [
        client.post("/v1/predictions", json={"complaints": [{"text": text}]}).json()["predictions"][0] for text in kinds
    ]
    answer = client.post("/v1/predictions", json={"complaints": [{"text": kinds[n % 3]} for n in range(1000)]})
    assert answer.status_code == 200
    assert answer.json()["predictions"] == [alone[n % 3] for n in range(1000)]


@pytest.mark.parametrize("count", [0, 1001])
def test_none_and_more_than_a_thousand_complaints_are_refused(client: TestClient, count: int) -> None:
    answer = client.post("/v1/predictions", json={"complaints": [{"text": POTHOLE}] * count})
    assert fields_in(answer) == ["complaints"]


def test_a_prediction_keeps_nothing(client: TestClient, triage: Triage) -> None:
    client.post("/v1/predictions", json={"complaints": [{"text": POTHOLE}]})
    assert triage.store.count(Status.WAITING) == 0


@pytest.mark.parametrize("text", [POTHOLE, RUBBISH, NURSE, "😀😀", "x", "asdf qwer zxcv"])
def test_an_explanation_adds_up_to_the_score(client: TestClient, text: str) -> None:
    answer = client.post("/v1/predictions", json={"complaints": [{"text": text}], "explain": True})
    why = answer.json()["predictions"][0]["explanation"]
    total = why["base"] + sum(word["contribution"] for word in why["words"]) + why["others"]
    assert math.isclose(total, why["score"], rel_tol=1e-9, abs_tol=1e-9)
    case = client.post("/v1/complaints", json={"text": text}).json()
    assert case["prediction"]["explanation"] == why


def test_a_long_text_is_explained_by_its_twelve_strongest_words_and_the_sum_of_the_others(client: TestClient) -> None:
    answer = client.post("/v1/predictions", json={"complaints": [{"text": NURSE}], "explain": True})
    why = answer.json()["predictions"][0]["explanation"]
    strengths = [abs(word["contribution"]) for word in why["words"]]
    assert len(strengths) == 12
    assert strengths == sorted(strengths, reverse=True)
    assert why["others"] != 0
    assert {word["word"] for word in why["words"]} <= set(NURSE.lower().replace(",", "").split())


OPERATIONS = {
    ("/v1/complaints", "post"),
    ("/v1/cases", "get"),
    ("/v1/cases/{case_id}", "get"),
    ("/v1/reviews", "get"),
    ("/v1/reviews/{case_id}/claim", "post"),
    ("/v1/reviews/{case_id}/release", "post"),
    ("/v1/reviews/{case_id}/decide", "post"),
    ("/v1/cases/{case_id}/returns", "post"),
    ("/v1/predictions", "post"),
    ("/v1/events", "get"),
    ("/v1/regions", "get"),
    ("/v1/regions/{code}", "get"),
    ("/v1/models/current", "get"),
    ("/v1/models/reload", "post"),
    ("/livez", "get"),
    ("/readyz", "get"),
}
# A case must be decided before it can be sent back.
IN_ORDER = ("claim", "release", "decide", "returns")


def test_every_operation_accepts_its_own_example(client: TestClient) -> None:
    document = description(client)
    case_id = client.post("/v1/complaints", json={"text": POTHOLE}).json()["id"]
    tried = 0
    last = {word: place for place, word in enumerate(IN_ORDER, 1)}
    told = sorted(operations(document), key=lambda each: last.get(each[0].rpartition("/")[2], 0))
    for path, method, operation in told:
        bodies = examples(document, operation) if "requestBody" in operation else [None]
        assert bodies, f"{method} {path} has no example"
        for body in bodies:
            answer = client.request(method, path.format(case_id=case_id, code=REGION), json=body)
            if path == "/v1/models/reload":
                assert body["bundle"] in problem_in(answer, 422)["detail"]
                continue
            assert answer.is_success, f"{method} {path}: {answer.text}"
            assert str(answer.status_code) in operation["responses"]
            tried += 1
    assert tried >= len(OPERATIONS) - 1


def test_every_operation_says_what_it_is_for(client: TestClient) -> None:
    told = list(operations(description(client)))
    assert {(path, method) for path, method, _ in told} == OPERATIONS
    assert all(operation["summary"] and operation["description"] for _, _, operation in told)


def test_a_live_service_says_so(client: TestClient) -> None:
    answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_ready_service_tells_which_model_it_runs(client: TestClient, triage: Triage) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "model_version": triage.bundle.version,
        "region": REGION,
        "format": FORMAT,
        "encoder": None,
    }


def test_an_unknown_path_is_a_problem_document(client: TestClient) -> None:
    problem_in(client.get("/v1/keluhan"), 404)


def test_a_wrong_method_is_a_problem_document_that_names_the_right_one(client: TestClient) -> None:
    answer = client.get("/v1/complaints")
    problem_in(answer, 405)
    assert answer.headers["allow"] == "POST"


def test_an_unknown_case_is_a_problem_document_that_names_it(client: TestClient) -> None:
    assert "'tidak-ada'" in problem_in(client.get("/v1/cases/tidak-ada"), 404)["detail"]


def test_a_database_that_fails_half_way_keeps_nothing_and_says_so(
    client: TestClient, triage: Triage, database: Path
) -> None:
    def run(statement: str) -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute(statement)

    run("ALTER TABLE answers RENAME TO answers_away")
    answer = client.post("/v1/complaints", json={"text": POTHOLE})
    problem_in(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    run("ALTER TABLE answers_away RENAME TO answers")
    assert triage.store.count(Status.WAITING) == 0


@pytest.mark.parametrize("path", ["/livez", "/antrean", "/openapi.json", "/tidak-ada", "/static/desk.css"])
def test_every_answer_tells_browsers_to_run_and_keep_nothing(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    # Scripts and styles are our own files, and none stands within a page.
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
