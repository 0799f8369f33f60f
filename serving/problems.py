"""Errors over HTTP: one table from exceptions to problem documents (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from data.errors import BundleError, DisposisiError, UnknownName
from serving.caller import Forbidden, NotAuthorised, OtherRegion
from serving.examples import PROBLEM_TYPE
from serving.models import ReloadUnderway
from serving.pages import DESK_PATHS, error_page
from serving.schemas import MOST_PREDICTIONS
from serving.store import AlreadyDecided, NoSuchCase, OtherBody, Taken
from serving.wire import AMBIGUOUS
from serving.writer import TooBusy

# Fields whose value an error may repeat. Any other may hold a citizen's words, an unknown one too.
_SHOWN = {
    *("region", "received_at", "confidentiality", "explain", "agency", "sector", "urgency", "bundle"),
    *("status", "received_from", "received_to", "cursor", "limit", "after"),
}
_VALUE_SHOWN = 60
_NOT_JSON = "The body can't be read as JSON. Nothing was kept; send one JSON object, in UTF-8."
_EXPECTED = {
    "extra_forbidden": "no such field: leave it out",
    "missing": "this field, which is missing",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "one JSON object",
    "timezone_aware": "a time with its zone, such as 2026-11-24T08:15:00+07:00",
}
_log = logging.getLogger("disposisi")


class FieldProblem(DisposisiError):
    """A field that only the service's own knowledge shows to be wrong."""

    def __init__(self, field: str, expected: str, value: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.errors = [{"field": field, "expected": expected, "value": _short(value)}]


STATUS_OF: dict[type[Exception], HTTPStatus] = {
    NotAuthorised: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    OtherRegion: HTTPStatus.FORBIDDEN,
    NoSuchCase: HTTPStatus.NOT_FOUND,
    AlreadyDecided: HTTPStatus.CONFLICT,
    Taken: HTTPStatus.CONFLICT,
    OtherBody: HTTPStatus.CONFLICT,
    ReloadUnderway: HTTPStatus.CONFLICT,
    BundleError: HTTPStatus.UNPROCESSABLE_ENTITY,
    FieldProblem: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    UnknownName: HTTPStatus.UNPROCESSABLE_ENTITY,
    SQLAlchemyError: HTTPStatus.SERVICE_UNAVAILABLE,
}


_PERHAPS_KEPT = (
    "Whether it was kept isn't sure: send it again with the same intake_id or Idempotency-Key, which can't double it."
)
_HEADERS_OF: dict[type[Exception], dict[str, str]] = {
    NotAuthorised: {"WWW-Authenticate": "Bearer"},
    TooBusy: {"Retry-After": "1"},
}


def problem(
    status: int, detail: str, errors: Sequence[dict[str, Any]] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem document; `errors` lists every field's problem at once."""
    body: dict[str, Any] = {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, media_type=PROBLEM_TYPE, headers=headers)


def handle_problems(app: FastAPI) -> None:
    """Answer every error as a problem document; the desk's pages answer with a page."""

    async def known(request: Request, error: Exception) -> Response:
        status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
        if isinstance(error, SQLAlchemyError):
            _log.error("the database fails", exc_info=error)
        if request.url.path.startswith(DESK_PATHS):
            return error_page(status)
        if isinstance(error, SQLAlchemyError):
            # A connection that is lost during a commit leaves open whether that was done.
            lost = getattr(error, "connection_invalidated", False)
            detail = f"The database can't be reached. {_PERHAPS_KEPT if lost else 'Nothing was kept; send it later.'}"
            return problem(status, detail, headers={"Retry-After": "5"})
        headers = next((told for kind, told in _HEADERS_OF.items() if isinstance(error, kind)), None)
        return problem(status, str(error), getattr(error, "errors", ()), headers)

    async def invalid(request: Request, error: Exception) -> Response:
        if request.url.path.startswith(DESK_PATHS):
            return error_page(422)
        details = error.errors() if isinstance(error, RequestValidationError) else []
        if any(item["type"] == "json_invalid" for item in details):
            return problem(400, _not_json(details[0]))
        errors = [_field_problem(item) for item in details]
        count = f"{len(errors)} problem{'s' if len(errors) != 1 else ''}"
        return problem(422, f"The request has {count}; nothing was kept. Mend what `errors` names.", errors)

    async def http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if request.url.path.startswith(DESK_PATHS):
            return error_page(status)
        detail = error.detail if isinstance(error, HTTPException) else ""
        if status == 400:  # the framework's own word for a body that its parser gave up on
            detail = _NOT_JSON
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
        return problem(status, detail, headers=headers)

    async def unforeseen(request: Request, _error: Exception) -> Response:
        if request.url.path.startswith(DESK_PATHS):
            return error_page(500)
        return problem(500, f"Something went wrong here. {_PERHAPS_KEPT} Tell the operator this answer's X-Request-Id.")

    for kind in STATUS_OF:
        app.add_exception_handler(kind, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)


def _not_json(item: dict[str, Any]) -> str:
    """What is told of a body that isn't JSON; of JSON that could mean two things, why."""
    reason = item.get("ctx", {}).get("error", "")
    return f"{_NOT_JSON} It has {reason}." if reason in AMBIGUOUS else _NOT_JSON


def _field_problem(item: dict[str, Any]) -> dict[str, Any]:
    """One pydantic error in our words: the field, what was expected and, where that is safe, the value."""
    path = [str(part) for part in item["loc"] if part != "body"]
    entry: dict[str, Any] = {"field": _short(".".join(path)) or "body", "expected": _expected(item)}
    value = item.get("input")
    if path and path[-1] in _SHOWN and isinstance(value, str | int | float | None) and item["type"] != "missing":
        entry["value"] = _short(str(value))
    return entry


def _expected(item: dict[str, Any]) -> str:
    limits, kind = item.get("ctx", {}), item["type"]
    if kind == "model_attributes_type":
        return "one JSON object" if item["loc"][1:] else "one JSON object, sent as Content-Type: application/json"
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind in ("too_long", "string_too_long") and isinstance(item.get("input"), str):
        return f"at most {limits['max_length']} characters; this has {len(item['input'])}"
    if kind in ("too_short", "string_too_short") and isinstance(item.get("input"), str):
        return f"at least {limits['min_length']} character"
    if kind in ("too_long", "too_short"):
        return f"a list of 1 to {MOST_PREDICTIONS} items"
    return str(item["msg"]).removeprefix("Value error, ")


def _short(text: str) -> str:
    """Cut to what an error may repeat, with halves of characters, which no answer can hold, put as "?"."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= _VALUE_SHOWN else whole[:_VALUE_SHOWN] + "..."


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
