"""Limits on what comes in, before anything else looks at it: how much at once, how large, and how slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.pages import DESK_PATHS, error_page
from serving.problems import problem

# For the whole of a body, once it has begun.
SECONDS_FOR_BODY = 20.0
HEALTH_PATHS = frozenset({"/livez", "/readyz", "/metrics"})


def refusal(scope: Scope, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A problem document, or for a moderator a page."""
    if scope["path"].startswith(DESK_PATHS):
        return error_page(status)
    return problem(status, detail, headers=headers)


class InFlight:
    """Answers 503 at once to what comes beyond so many requests under way, rather than being slow for all.

    Health and metrics are answered all the same: an overloaded service must be seen to live.
    """

    def __init__(self, app: ASGIApp, most: int, on_refusal: Callable[[], None] = lambda: None) -> None:
        self._app = app
        self._most = most
        self._on_refusal = on_refusal
        # Forms and the API are counted apart: strangers may send half a form, but no request without a key goes on.
        self._under_way = {True: 0, False: 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        kind = scope["path"].startswith("/v1/")
        if self._under_way[kind] >= self._most:
            self._on_refusal()
            detail = "The service has more to do than it can soon. Nothing was kept; send it again later."
            await refusal(scope, 503, detail, {"Retry-After": "1"})(scope, receive, send)
            return
        self._under_way[kind] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way[kind] -= 1


class BodyLimit:
    """Answers 413 to a body over the limit, by its announced length or, if it lies or says none, as it comes.

    A body that stops coming is answered 408, so that nobody holds a place with half a request.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        too_large = f"The body is larger than {self._limit} bytes. Send fewer or shorter texts."
        if announced.isdigit() and int(announced) > self._limit:
            await refusal(scope, 413, too_large, {"Connection": "close"})(scope, receive, send)
            return
        # Reading ahead costs no more than the parser would, and lets the answer be a plain 413.
        started = asyncio.get_running_loop().time()
        messages = [await _first(receive)]
        try:
            async with asyncio.timeout_at(started + SECONDS_FOR_BODY if messages[0].get("more_body") else None):
                size = len(messages[0].get("body", b""))
                while messages[-1].get("more_body") and size <= self._limit:
                    messages.append(await receive())
                    size += len(messages[-1].get("body", b""))
        except TimeoutError:
            detail = f"The rest of the body didn't come within {SECONDS_FOR_BODY:.0f} seconds. Nothing was kept."
            await refusal(scope, 408, detail, {"Connection": "close"})(scope, receive, send)
            return
        if size > self._limit:
            await refusal(scope, 413, too_large, {"Connection": "close"})(scope, receive, send)
            return
        if messages[-1]["type"] == "http.disconnect":
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)


async def _first(receive: Receive) -> Message:
    """The first piece; most bodies are one and there already, so that no timer need be made."""
    waiting = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    if waiting.done():
        return waiting.result()
    try:
        return await asyncio.wait_for(waiting, SECONDS_FOR_BODY)
    except TimeoutError:
        return {"type": "http.request", "body": b"", "more_body": True}
