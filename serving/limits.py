"""Limits on what comes in, before anything else looks at it: the name it was sent to, and a body's size."""

from __future__ import annotations

import ipaddress

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.desk import DESK_PATHS, error_page
from serving.problems import problem

LARGEST_BODY = 4 * 1024 * 1024


class LoopbackOnly:
    """Answers 400 to requests sent to any other name than this machine's own.

    Until sign-in exists this stops web pages elsewhere that rebind their own name to the loopback address.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
            if not is_loopback(host.removeprefix("[").partition("]")[0] if "]" in host else host.partition(":")[0]):
                refusal = problem(400, "This service answers only to 127.0.0.1, localhost or [::1].")
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Answers 413 to a body over the limit, by its announced length or, if it lies or says none, as it comes."""

    def __init__(self, app: ASGIApp, limit: int = LARGEST_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        on_desk = scope["path"].startswith(DESK_PATHS)
        too_large: Response = (
            error_page(413)
            if on_desk
            else problem(413, f"The body is larger than {self._limit} bytes. Send fewer or shorter texts.")
        )
        if announced.isdigit() and int(announced) > self._limit:
            await too_large(scope, receive, send)
            return
        # Reading ahead costs no more than the parser would, and lets the answer be a plain 413.
        messages: list[Message] = []
        size = 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self._limit:
                await too_large(scope, receive, send)
                return
            if message["type"] != "http.request" or not message.get("more_body"):
                break

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)


def is_loopback(name: str) -> bool:
    """Whether a host's name or address (without brackets or port) is this machine's own."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
