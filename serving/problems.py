"""Errors over HTTP: one table from exceptions to problem documents (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from data.errors import UnknownName
from serving.store import AlreadyDecided, NoSuchCase

MEDIA_TYPE = "application/problem+json"
# Fields that hold a citizen's words: an error names them but never repeats them.
_CITIZENS_WORDS = {"text", "title", "location", "catatan"}
_VALUE_SHOWN = 60

STATUS_OF: dict[type[Exception], HTTPStatus] = {
    NoSuchCase: HTTPStatus.NOT_FOUND,
    AlreadyDecided: HTTPStatus.CONFLICT,
    UnknownName: HTTPStatus.UNPROCESSABLE_ENTITY,
    SQLAlchemyError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def problem(
    status: int, detail: str, errors: Sequence[dict[str, Any]] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem document; `errors` lists every field's problem at once."""
    body: dict[str, Any] = {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, media_type=MEDIA_TYPE, headers=headers)


def handle_problems(app: FastAPI) -> None:
    """Answer every error as a problem document."""

    async def known(_request: Request, error: Exception) -> JSONResponse:
        status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
        if isinstance(error, SQLAlchemyError):
            return problem(status, "The database can't be reached. Nothing was kept; send it again later.",
                           headers={"Retry-After": "5"})  # fmt: skip
        return problem(status, str(error))

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        details = error.errors() if isinstance(error, RequestValidationError) else []
        errors = [_field_problem(item) for item in details]
        count = f"{len(errors)} problem{'s' if len(errors) != 1 else ''}"
        return problem(422, f"The request has {count}; nothing was kept. Mend what `errors` names.", errors)

    async def http(_request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        detail = error.detail if isinstance(error, HTTPException) else ""
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
        return problem(status, detail, headers=headers)

    async def unforeseen(_request: Request, _error: Exception) -> JSONResponse:
        return problem(500, "Something went wrong here. Nothing was kept; tell the operator the time of this request.")

    for kind in STATUS_OF:
        app.add_exception_handler(kind, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)


def _field_problem(item: dict[str, Any]) -> dict[str, Any]:
    """One pydantic error in our words: the field, what was expected and, unless it is a citizen's words, the value."""
    path = [str(part) for part in item["loc"] if part != "body"]
    expected = re.sub(r"^Value error, ", "", str(item["msg"]))
    if item["type"] == "extra_forbidden":
        expected = "no such field: leave it out"
    entry: dict[str, Any] = {"field": ".".join(path) or "body", "expected": expected}
    value = item.get("input")
    if item["type"] not in ("missing", "json_invalid") and not _CITIZENS_WORDS & set(path) and not _is_nested(value):
        shown = str(value)
        entry["value"] = shown if len(shown) <= _VALUE_SHOWN else shown[:_VALUE_SHOWN] + "..."
    return entry


def _is_nested(value: object) -> bool:
    return isinstance(value, dict | list | bytes)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
