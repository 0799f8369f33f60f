"""Log lines: what they hold, and that a citizen's words are in none, whichever way they go wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from serving.logs import RequestLog, configure_logs

SECRET = "anakkudipukulgurunya"
ROOT = Path(__file__).parents[2]
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def _untouched() -> Iterator[None]:
    """Logging is the process's own; put back what `configure_logs` changes."""
    handlers, level, ours = logging.root.handlers, logging.root.level, logging.getLogger("disposisi")
    our_level, raises = ours.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    logging.root.handlers, logging.raiseExceptions = handlers, raises
    logging.root.setLevel(level)
    ours.setLevel(our_level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.reset_defaults()


@pytest.fixture
def stream() -> StringIO:
    return StringIO()


@pytest.fixture
def lines(_untouched: None, stream: StringIO) -> Lines:
    """Logs are set up as JSON, even of details; gives the lines told since it was last asked."""
    configure_logs("json", logging.DEBUG, stream=stream)

    def told() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in stream.getvalue().splitlines()]
        stream.truncate(0)
        stream.seek(0)
        return found

    return told


class Complaint(BaseModel):
    text: str
    urgency: int


def failing_app() -> FastAPI:
    """An application in which everything that can go wrong does so over the text it was sent."""
    app, routes = FastAPI(), APIRouter()

    @routes.get("/v1/cases/{case_id}")
    def read_case(case_id: str) -> str:
        structlog.stdlib.get_logger("disposisi.test").warning("looked at", cases=1)
        return "ok"

    @routes.get("/fails/{case_id}")
    def fails(case_id: str, request: Request) -> str:
        try:
            raise LookupError(case_id)
        except LookupError as error:
            raise ValueError(f"{case_id} {request.query_params}") from error

    @routes.get("/group/{case_id}")
    async def group(case_id: str) -> str:
        raise ExceptionGroup(case_id, [KeyError(case_id), OSError(case_id)])

    @routes.post("/complaints")
    def create(new: Complaint) -> str:
        return "ok"

    @routes.post("/wrong", response_model=Complaint)
    async def wrong(request: Request) -> Any:
        return {"text": "x", "urgency": (await request.body()).decode()}

    @routes.get("/refuses/{case_id}")
    def refuses(case_id: str) -> JSONResponse:
        return JSONResponse({"detail": case_id}, 503)

    app.include_router(routes)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent), name="static")
    return app


@pytest.fixture
def client() -> TestClient:
    return TestClient(RequestLog(failing_app()), "http://127.0.0.1", raise_server_exceptions=False)


def push_the_secret_everywhere(client: TestClient) -> list[int]:
    headers = {"X-Api-Key": SECRET, "Cookie": f"sesi={SECRET}", "X-Request-Id": f"{SECRET} !"}
    answers = [
        client.get(f"/fails/{SECRET}?text={SECRET}", headers=headers),
        client.get(f"/group/{SECRET}", headers=headers),
        client.post("/complaints", json={"text": SECRET, "urgency": SECRET, SECRET: SECRET}, headers=headers),
        client.post("/complaints", content=SECRET, headers=headers),
        client.post("/wrong", content=SECRET, headers=headers),
        client.get(f"/refuses/{SECRET}", headers=headers),
        client.get(f"/{SECRET}?{SECRET}", headers=headers),
        client.get(f"/static/{SECRET}", headers=headers),
        client.request(SECRET.upper(), f"/v1/cases/{SECRET}", headers=headers),
    ]
    return [answer.status_code for answer in answers]


@pytest.mark.usefixtures("_untouched")
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_secret_sentence_is_in_no_line_whichever_way_a_request_goes_wrong(
    form: Literal["json", "text"], client: TestClient, stream: StringIO
) -> None:
    configure_logs(form, logging.DEBUG, stream=stream)
    assert push_the_secret_everywhere(client) == [500, 500, 422, 422, 500, 503, 404, 404, 405]
    told = stream.getvalue()
    assert SECRET not in told.lower()
    assert len(told.splitlines()) == 9
    assert "/fails/{case_id}" in told
    assert "ValueError at " in told


def test_a_request_that_failed_is_one_line_with_its_route_and_where_it_went_wrong(
    client: TestClient, lines: Lines
) -> None:
    answer = client.get("/fails/7")
    (line,) = lines()
    assert list(line) == [
        "time", "level", "logger", "event", "request_id", "route", "method", "status", "milliseconds", "exceptions",
    ]  # fmt: skip
    assert line["time"].endswith("Z")
    assert (line["level"], line["event"], line["status"]) == ("error", "request failed", 500)
    assert (line["route"], line["method"]) == ("/fails/{case_id}", "GET")
    assert line["request_id"] == answer.headers["X-Request-Id"]
    failed, came_from = line["exceptions"]
    assert failed.startswith("ValueError at ")
    assert failed.rpartition(" > ")[2].startswith("serving/test_logs.py:")
    assert failed.endswith(":fails")
    assert came_from.startswith("LookupError at serving/test_logs.py:")


def test_each_exception_of_a_group_is_told(client: TestClient, lines: Lines) -> None:
    client.get("/group/7")
    (line,) = lines()
    assert [each.partition(" at ")[0] for each in line["exceptions"]] == ["ExceptionGroup", "KeyError", "OSError"]


def test_an_answer_of_5xx_without_an_exception_is_told_too(client: TestClient, lines: Lines) -> None:
    client.get("/refuses/7")
    (line,) = lines()
    assert (line["status"], line["route"]) == (503, "/refuses/{case_id}")
    assert "exceptions" not in line


def test_other_requests_are_told_only_at_debug_level(client: TestClient, lines: Lines, stream: StringIO) -> None:
    client.get("/nowhere")
    (line,) = lines()
    assert (line["level"], line["event"], line["route"], line["status"]) == ("debug", "request", "other", 404)
    configure_logs("json", stream=stream)
    client.get("/nowhere")
    assert lines() == []


def test_the_callers_request_id_is_kept_and_stands_in_what_is_logged_on_the_way(
    client: TestClient, lines: Lines
) -> None:
    answer = client.get("/v1/cases/7", headers={"X-Request-Id": "lapor-2026_11.28"})
    assert answer.headers.get_list("X-Request-Id") == ["lapor-2026_11.28"]
    on_the_way, request = lines()
    assert (on_the_way["event"], on_the_way["cases"]) == ("looked at", 1)
    assert on_the_way["request_id"] == request["request_id"] == "lapor-2026_11.28"
    logging.getLogger("disposisi").warning("later")
    assert "request_id" not in lines()[0]


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "a;b", "../a\\b", "ä".encode().decode("latin-1")])
def test_a_request_id_that_will_not_do_is_replaced_by_a_new_one(given: str, client: TestClient) -> None:
    ids = [
        client.get("/v1/cases/7", headers={"X-Request-Id": given.encode("latin-1")}).headers["X-Request-Id"]
        for _ in range(2)
    ]
    assert len(set(ids)) == 2
    assert all(len(each) == 16 and each != given for each in ids)


def test_an_answer_that_breaks_off_is_told_and_raised_so_that_the_connection_ends(lines: Lines) -> None:
    async def breaks_off(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError(SECRET)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    with pytest.raises(ValueError, match=SECRET):
        asyncio.run(RequestLog(breaks_off)({"type": "http", "method": "GET", "headers": []}, receive, send))
    (line,) = lines()
    assert (line["status"], line["route"]) == (500, "other")


def test_our_own_loggers_fill_in_their_messages_but_never_an_exception(lines: Lines) -> None:
    logging.getLogger("disposisi").error("%s of %d", "two", 3)
    structlog.stdlib.get_logger("disposisi.test").error("refused", error=ValueError(SECRET), cases=[SECRET])
    logging.getLogger("disposisi").error("refused: %s", ValueError(SECRET))
    filled, refused, refused_again = lines()
    assert filled["event"] == "two of 3"
    assert (refused["error"], refused["cases"]) == ("ValueError", "list")
    assert refused_again["event"] == "refused: ValueError"


def test_of_other_libraries_messages_only_what_stands_in_their_code_is_told(lines: Lines) -> None:
    logging.getLogger("psycopg").warning("error ignored in %s: %s", "rollback", SECRET)
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=ValueError(SECRET))
    logging.getLogger("somewhere").error(ValueError(SECRET))
    logging.getLogger("somewhere").info("a detail: %s", SECRET)
    told = lines()
    assert [line["event"] for line in told] == [
        "error ignored in %s: %s",
        "Exception in ASGI application",
        "ValueError",
    ]
    assert told[1]["exceptions"] == ["ValueError"]
    assert SECRET not in json.dumps(told)


def test_a_line_that_cannot_be_made_is_lost_without_its_arguments(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("disposisi").error("%d cases", SECRET)
    assert lines() == []
    assert capsys.readouterr() == ("", "")


def test_the_event_loops_own_errors_are_told_without_what_it_was_called_with(lines: Lines) -> None:
    def fails(words: str) -> None:
        raise ValueError(words)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(fails, SECRET)
        await asyncio.sleep(0)

    asyncio.run(main())
    told = [line for line in lines() if line["level"] == "error"]
    assert [line["event"] for line in told] == ["an error that nobody awaited"]
    assert told[0]["exceptions"][0].startswith("ValueError at ")
    assert SECRET not in json.dumps(told)


def test_statements_and_their_parameters_are_not_told_even_at_debug_level(lines: Lines) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(text("select :words"), {"words": SECRET})
    engine.dispose()
    assert lines() == []


def test_an_error_that_nobody_catches_is_told_the_same_way_in_threads_too() -> None:
    program = f"""
import threading
from serving.logs import configure_logs
configure_logs("json")
def fails():
    raise ValueError({SECRET!r})
class Gone:
    def __del__(self):
        fails()
thread = threading.Thread(target=fails)
thread.start()
thread.join()
Gone()
fails()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in told] == ["critical"] * 3
    assert all(line["exceptions"][0].startswith("ValueError at ") for line in told)
    assert SECRET not in done.stdout + done.stderr
    assert done.returncode == 1
