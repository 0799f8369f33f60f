"""What the API's description shows of each answer and error: examples, which tests hold against the real ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

PROBLEM_TYPE = "application/problem+json"
# FastAPI leaves every null out of what it writes, also out of examples: they are put in afterwards.
_MARK = "example:"
_ANSWERS: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "expected"],
                "properties": {
                    "field": {"type": "string"},
                    "expected": {"type": "string"},
                    "value": {"type": "string"},
                },
            },
        },
    },
}
# When an operation answers so, and what it then says.
_PROBLEMS: dict[int, tuple[str, str]] = {
    400: ("The body can't be read as JSON, names a field twice or holds NaN.",
          "The body can't be read as JSON. Nothing was kept; send one JSON object, in UTF-8."),
    401: ("No key, or one that isn't known or was revoked.",
          "A key is needed: Authorization: Bearer dsp_... Ask the operator for one."),
    403: ("The key may not do this, or not in this region.",
          "This key may not do that: it needs the scope intake."),
    404: ("There is none of that id in the key's region.", "There is no case '0b6d'."),
    408: ("The body stopped coming.", "The rest of the body didn't come within 20 seconds. Nothing was kept."),
    409: ("It doesn't fit what has happened meanwhile.", "Case '0b6d' is decided already."),
    413: ("The body is larger than the limit.",
          "The body is larger than 4194304 bytes. Send fewer or shorter texts."),
    422: ("Fields that are missing, unknown or not as expected; all of them at once.",
          "The request has 1 problem; nothing was kept. Mend what `errors` names."),
    429: ("More requests than the key may send in a minute.",
          "This key may send 6000 requests a minute. Send it again later."),
    503: ("The database can't be reached, or there is too much to do; nothing was kept.",
          "The database can't be reached. Nothing was kept; send it again later."),
}  # fmt: skip
_ERRORS = [{"field": "text", "expected": "this field, which is missing"}]
# Answers that say when to come again.
_COME_AGAIN = (429, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem documents that an operation can answer with, for its description."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    description, detail = _PROBLEMS[status]
    example: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    example |= {"detail": detail} | ({"errors": _ERRORS} if status == 422 else {})
    told: dict[str, Any] = {"description": description}
    told["content"] = {PROBLEM_TYPE: {"schema": _SCHEMA, "example": example}}
    if status in _COME_AGAIN:
        told["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return told


def success(
    status: int, name: str, description: str, also: Mapping[int, str] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The answer of an operation with its example; `also` are other statuses with the same answer."""
    told = {status: description, **(also or {})}
    return {
        each: {"description": text, "content": {"application/json": {"example": f"{_MARK}{name}"}}}
        for each, text in told.items()
    }


def with_examples(part: Any) -> Any:
    """A part of the description with the examples that it names."""
    if isinstance(part, dict):
        return {name: with_examples(value) for name, value in part.items()}
    if isinstance(part, list):
        return [with_examples(value) for value in part]
    return _ANSWERS[part.removeprefix(_MARK)] if isinstance(part, str) and part.startswith(_MARK) else part
