"""What every problem document must look like, and what it must not hold."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Protocol


class Answered(Protocol):
    """An HTTP answer, from httpx or from the test client."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Any: ...
    @property
    def text(self) -> str: ...
    def json(self) -> Any: ...


def problem_in(answer: Answered, status: int) -> dict[str, Any]:
    """The problem document of an answer, checked for its media type, its status and its members."""
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert set(document) - {"errors"} == {"type", "title", "status", "detail"}
    assert (document["type"], document["status"]) == ("about:blank", status)
    assert document["title"] == HTTPStatus(status).phrase
    assert document["detail"]
    for error in document.get("errors", []):
        assert {"field", "expected"} <= set(error) <= {"field", "expected", "value"}
        assert error["field"]
        assert error["expected"]
    return document


def errors_in(answer: Answered) -> list[dict[str, str]]:
    """The fields' problems of a 422, as many as its detail announces."""
    document = problem_in(answer, 422)
    errors: list[dict[str, str]] = document["errors"]
    assert f"{len(errors)} problem" in document["detail"]
    return errors


def fields_in(answer: Answered) -> list[str]:
    """The names of the fields that a 422 finds fault with, sorted."""
    return sorted(error["field"] for error in errors_in(answer))
