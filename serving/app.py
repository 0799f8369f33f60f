"""The application, assembled as a visible list."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api import api_routes
from serving.desk import desk_routes
from serving.limits import BodyLimit, LoopbackOnly
from serving.problems import handle_problems
from serving.triage import Triage

VERSION = "0.1.0"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app(triage: Triage) -> FastAPI:
    """The whole service over one triage."""
    app = FastAPI(
        title="Disposisi",
        version=VERSION,
        summary="Says which agency must answer a public complaint, how urgent it is and how sure it is.",
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(api_routes(triage))
    app.include_router(desk_routes(triage))
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")
    handle_problems(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SafeHeaders)
    app.add_middleware(LoopbackOnly)
    return app


class SafeHeaders:
    """Adds the headers that keep a browser from running or keeping what it shouldn't."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)
