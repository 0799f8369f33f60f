"""The application, assembled as a visible list."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access import Access
from serving.accounts_page import accounts_routes
from serving.api import Service, api_routes
from serving.board import board_routes
from serving.case import Status
from serving.desk import desk_routes
from serving.examples import with_examples
from serving.guard import Guard
from serving.limits import BodyLimit, InFlight
from serving.metrics import MEDIA_TYPE, GaugeValues, Measured
from serving.model_page import model_routes
from serving.problems import handle_problems
from serving.settings import Settings
from serving.settings_page import settings_routes
from serving.signin import signin_routes

VERSION = "0.1.0"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


def create_app(service: Service, access: Access, settings: Settings) -> FastAPI:
    """The whole service; `RequestLog` goes around it, so that it sees what even the error page doesn't."""
    app = FastAPI(
        title="Disposisi",
        version=VERSION,
        summary="Says which agency must answer a public complaint, how urgent it is and how sure it is.",
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(api_routes(service))
    app.include_router(board_routes(service.triage, access, settings.secure_cookies))
    app.include_router(desk_routes(service.triage, access, settings.secure_cookies))
    app.include_router(settings_routes(service.triage, access, settings.secure_cookies))
    app.include_router(accounts_routes(service.triage, access, settings.secure_cookies))
    app.include_router(model_routes(service.triage, service.models, access, settings.secure_cookies))
    app.include_router(signin_routes(access, settings.secure_cookies, service.metrics.sign_in_failures.inc))
    app.add_api_route("/metrics", lambda: _metrics(service), include_in_schema=False)
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")
    handle_problems(app)
    # Made when first asked for: it takes half as long as all the rest of a start.
    app.openapi = cache(lambda: with_examples(FastAPI.openapi(app)))  # type: ignore[method-assign]
    # The last added is the first to see a request.
    app.add_middleware(BodyLimit, limit=settings.largest_body_bytes)
    app.add_middleware(
        Guard,
        access=access,
        requests_per_minute=settings.requests_per_minute,
        on_limited=service.metrics.rate_limited.inc,
    )
    app.add_middleware(InFlight, most=settings.most_in_flight, on_refusal=service.metrics.overloaded.inc)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Measured, metrics=service.metrics)
    return app


class SafeHeaders:
    """Adds the headers that keep a browser from running or keeping what it shouldn't."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in _RAW_HEADERS if each[0] not in given)]
            await send(message)

        await self._app(scope, receive, with_headers)


def _metrics(service: Service) -> Response:
    return Response(service.metrics.render(lambda: _gauges(service)), media_type=MEDIA_TYPE)


def _gauges(service: Service) -> GaugeValues:
    """Without a webhook nothing waits to be delivered: who wants the events asks for them."""
    triage, outbox = service.triage, service.outbox
    store, counts = triage.store, outbox.counts()
    oldest = store.oldest_waiting()
    return GaugeValues(
        queue_cases=store.count(Status.WAITING),
        queue_oldest_seconds=(triage.now() - oldest).total_seconds() if oldest else 0.0,
        writer_queue=store.unwritten,
        outbox_undelivered=counts.undelivered if service.delivers else 0,
        outbox_dead=counts.given_up,
        outbox_lag_seconds=outbox.undelivered_lag() if service.delivers else 0.0,
    )
