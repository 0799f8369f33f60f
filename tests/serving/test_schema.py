"""The API's description: complete, true to itself, and kept to by a real server whatever is sent to it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from serving.api import Service, api_routes
from serving.examples import PROBLEM_TYPE, with_examples
from tests.serving.problems import fields_in, problem_in
from tests.serving.processes import PATIENCE, Server

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
Operation = dict[str, Any]


@pytest.fixture
def operations(app: FastAPI) -> dict[str, Operation]:
    """The description's operations by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def _described(operations: dict[str, Operation]) -> list[tuple[str, int, dict[str, Any]]]:
    """Every answer that every operation tells of: operation, status, answer."""
    return [
        (name, int(status), answer)
        for name, operation in operations.items()
        for status, answer in operation["responses"].items()
    ]


def test_every_operation_says_in_a_line_and_at_length_what_it_does(operations: dict[str, Operation]) -> None:
    assert operations
    lacking = [name for name, each in operations.items() if not (each.get("summary") and each.get("description"))]
    assert lacking == []
    summaries = [each["summary"] for each in operations.values()]
    assert len(set(summaries)) == len(summaries)


def test_every_success_that_has_a_body_shows_an_example(operations: dict[str, Operation]) -> None:
    successes = [each for each in _described(operations) if each[1] < 300 and each[1] != HTTPStatus.NO_CONTENT]
    assert successes
    lacking = [
        (name, status) for name, status, answer in successes if "example" not in answer["content"]["application/json"]
    ]
    assert lacking == []


def test_every_problem_shows_an_example_that_is_a_whole_problem_document(operations: dict[str, Operation]) -> None:
    problems = [each for each in _described(operations) if each[1] >= 400]
    assert problems
    for name, status, answer in problems:
        assert set(answer["content"]) == {PROBLEM_TYPE}, (name, status)
        example = answer["content"][PROBLEM_TYPE]["example"]
        assert set(example) - {"errors"} == {"type", "title", "status", "detail"}, (name, status)
        assert (example["status"], example["title"]) == (status, HTTPStatus(status).phrase), (name, status)
        assert ("errors" in example) == (status == HTTPStatus.UNPROCESSABLE_ENTITY), (name, status)


def test_every_operation_that_needs_a_key_tells_what_happens_without_one(operations: dict[str, Operation]) -> None:
    needing = {name: each for name, each in operations.items() if " /v1/" in name}
    assert needing
    for name, each in needing.items():
        assert each["security"] == [{"key": []}], name
        assert {"401", "403", "429"} <= set(each["responses"]), name


def test_the_examples_are_answers_that_the_operations_could_give(service: Service) -> None:
    tried = 0
    for route in _api_routes(service):
        for status, answer in route.responses.items():
            if int(status) < 300:
                example = with_examples(answer["content"]["application/json"]["example"])
                TypeAdapter(route.response_model).validate_json(json.dumps(example))
                tried += 1
    assert tried >= 15


def test_the_requests_that_the_description_shows_are_good_ones(
    service: Service, operations: dict[str, Operation]
) -> None:
    tried = 0
    for route in _api_routes(service):
        if route.body_field is not None:
            body = TypeAdapter(route.body_field.field_info.annotation)
            for example in body.json_schema()["examples"]:
                body.validate_json(json.dumps(example))
                tried += 1
    assert tried == sum("requestBody" in each for each in operations.values())


@pytest.mark.parametrize("value", ["1700000000", "0.5", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_is_a_date_of_our_time_and_never_a_bare_number(client: TestClient, value: str) -> None:
    both = {"received_from": value, "received_to": value}
    listed = client.get("/v1/cases", params=both)
    assert fields_in(listed) == ["query.received_from", "query.received_to"]
    taken = client.post("/v1/complaints", json={"text": "jalan rusak", "received_at": value})
    assert fields_in(taken) == ["received_at"]


@pytest.mark.parametrize("path", ["cases/a%00b", "cases?agency=a%00b", f"cases/{'a' * 129}", "regions/a%00b"])
def test_what_no_database_could_look_for_is_refused_before_it_is_asked(client: TestClient, path: str) -> None:
    assert len(fields_in(client.get(f"/v1/{path}"))) == 1


@pytest.mark.parametrize("values", [[-(10**30), 0.5, "2026-11-24T01:15:00+00:00", "a"],
                                    [-1, 0.5, "0001-01-01T00:00:00+14:00", "a"],
                                    [-1, 0.5, "2026-11-24T01:15:00+00:00", "\x00"]])  # fmt: skip
def test_a_made_up_cursor_is_no_place_that_a_database_could_fail_at(client: TestClient, values: list[Any]) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode()
    document = problem_in(client.get("/v1/reviews", params={"cursor": cursor}), 422)
    assert [error["field"] for error in document["errors"]] == ["cursor"]


def test_a_real_server_keeps_to_its_description_whatever_is_sent_to_it(server: Server, tmp_path: Path) -> None:
    """The short run; `benchmarks.fuzz` is the long one."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "--no-color"]
    sent = ["run", f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {server.key}", "--checks", "all"]
    how = "--phases examples,fuzzing,stateful --max-examples 6 --seed 1 --generation-database none --request-timeout 60"
    ran = subprocess.run(
        [*command, *sent, *how.split()], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]


def _api_routes(service: Service) -> list[APIRoute]:
    return [each for each in api_routes(service).routes if isinstance(each, APIRoute)]
