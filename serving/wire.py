"""HTTP on the wire: JSON that means one thing only, and connections that may not dawdle."""

from __future__ import annotations

import json
import re
from asyncio import TimerHandle
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# A request's line and headers: how long they may take to come, and how large they may be.
SECONDS_FOR_HEADERS = 10.0
LARGEST_HEADERS = 32 * 1024


_TWICE, _NOT_A_NUMBER = "a name twice in one object", "NaN or Infinity"
# Why a body is refused that other readers would take, each in its own way.
AMBIGUOUS = frozenset({_TWICE, _NOT_A_NUMBER})


_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


class StrictRoute(APIRoute):
    """A route whose JSON bodies may not name a field twice, nor hold NaN or Infinity."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = json.loads(await self.body(), object_pairs_hook=_once, parse_constant=_refuse)
        return self._json


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different; of two equal ones, which was meant can't be told."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise json.JSONDecodeError(_TWICE, "", 0)
    return found


def _refuse(_constant: str) -> NoReturn:
    raise json.JSONDecodeError(_NOT_A_NUMBER, "", 0)


class PatientProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with a limit to how long a request's headers may take and how large they may be.

    Uvicorn itself only ends connections that are idle between requests.
    """

    _deadline: TimerHandle | None = None
    _head = 0
    _in_head = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin_head()

    def data_received(self, data: bytes) -> None:
        # Whatever isn't a body's content, which `BodyLimit` counts: headers, trailers, a chunk's extensions.
        self._head += len(data)
        if b"pgrade:" in data and (self.cycle is None or not self.cycle.more_body):
            # httptools reads no body after a wish for another protocol, which we may pass over (RFC 9110, 7.8).
            head, end, rest = data.partition(b"\r\n\r\n")
            data = _UPGRADE.sub(b"", head) + end + rest
        super().data_received(data)
        if self._head > LARGEST_HEADERS:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_body(self, body: bytes) -> None:
        self._head = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # An answer to what wasn't read to its end: whatever of it still comes may not come forever.
        if self.cycle.response_complete and self.cycle.more_body and self._deadline is None:
            self._deadline = self.loop.call_later(SECONDS_FOR_HEADERS, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        if self._answers_first():
            return
        super().send_400_response(msg)

    def _answers_first(self) -> bool:
        """Whether earlier requests still are to be answered; then they are, and the connection ends with the last."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            return False
        self._stop_clock()
        self.cycle.keep_alive = False
        self.transport.pause_reading()
        return True

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def _begin_head(self) -> None:
        self._end_head()
        self._in_head = True
        self._deadline = self.loop.call_later(SECONDS_FOR_HEADERS, self._refuse, b"408 Request Timeout")

    def _end_head(self) -> None:
        self._in_head = False
        self._head = 0
        self._stop_clock()

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes) -> None:
        self._stop_clock()
        if self.transport.is_closing() or self._answers_first():
            return
        if self._head:
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.transport.close()
