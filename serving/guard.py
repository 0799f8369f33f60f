"""The guard before the API: a key for every request, so many requests a minute for every key, and who may do what."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from math import ceil
from time import monotonic

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from sqlalchemy.exc import SQLAlchemyError
from starlette import types
from starlette.responses import Response

from serving.access import Access, Caller, Forbidden, NotAuthorised, OtherRegion, Scope
from serving.problems import problem

GUARDED = "/v1/"
# A key may send what it has saved up in so many seconds at once.
BURST_SECONDS = 10
# Keys looked up at the same time: a flood of wrong ones leaves the other threads alone.
_LOOKUPS = 2
_NO_KEY = "This needs an API key. Send it as Authorization: Bearer dsp_..."
_log = logging.getLogger("disposisi")


class Guard:
    """Answers 401 without a good key and 429 beyond a key's limit; else the `Caller` is in the request's state.

    `on_limited` is told of every 429. Limits are each process's own.
    """

    def __init__(
        self,
        app: types.ASGIApp,
        access: Access,
        *,
        requests_per_minute: int,
        on_limited: Callable[[], object] = lambda: None,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        self._app = app
        self._access = access
        self._per_minute = requests_per_minute
        self._per_second = requests_per_minute / 60
        self._most = max(1.0, self._per_second * BURST_SECONDS)
        self._on_limited = on_limited
        self._timer = timer
        # Of each caller: how many requests are saved up, and when that was so. As many as there are keys.
        self._saved: dict[str, tuple[float, float]] = {}
        self._lookups = CapacityLimiter(_LOOKUPS)

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            await self._app(scope, receive, send)
            return
        token = _token(scope["headers"])
        caller = self._access.known_key(token)
        if caller is None:
            answer = await self._look_up(token)
            if isinstance(answer, Response):
                await answer(scope, receive, send)
                return
            caller = answer
        wait = self._take(caller.name)
        if wait:
            self._on_limited()
            await self._too_many(wait)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    async def _look_up(self, token: str) -> Caller | Response:
        try:
            if not token:
                raise NotAuthorised(_NO_KEY)
            return await to_thread.run_sync(self._access.check_key, token, limiter=self._lookups)
        except NotAuthorised as error:
            return problem(401, str(error), headers={"WWW-Authenticate": "Bearer"})
        except SQLAlchemyError as error:
            _log.error("database: %s while checking a key", type(error).__name__)
            detail = "The database can't be reached, so no key can be checked. Nothing was kept; send it later."
            return problem(503, detail, headers={"Retry-After": "5"})

    def _take(self, name: str) -> float:
        """Take one from what the caller has saved up; else how many seconds until there is one."""
        at = self._timer()
        saved, before = self._saved.get(name, (self._most, at))
        saved = min(self._most, saved + (at - before) * self._per_second)
        if saved < 1:
            self._saved[name] = (saved, at)
            return (1 - saved) / self._per_second
        self._saved[name] = (saved - 1, at)
        return 0.0

    def _too_many(self, wait: float) -> Response:
        seconds = ceil(wait)
        detail = (
            f"This key may send {self._per_minute} requests a minute, {int(self._most)} at once. Nothing was kept; "
            f"send it again in {seconds} s."
        )
        # The fields of the IETF's draft on rate limits (draft-ietf-httpapi-ratelimit-headers).
        headers = {
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"key";q={self._per_minute};w=60',
            "RateLimit": f'"key";r=0;t={seconds}',
        }
        return problem(429, detail, headers=headers)


class _Needs(SecurityBase):
    """The dependency itself; of this kind it also tells the API's description that a key is needed."""

    def __init__(self, scopes: tuple[Scope, ...]) -> None:
        self.model = HTTPBearerModel(description="A key made with `disposisi keys create`.")
        self.scheme_name = "key"
        self._scopes = scopes

    async def __call__(self, request: Request) -> Caller:
        caller = request.scope.get("state", {}).get("caller")
        if not isinstance(caller, Caller):
            raise NotAuthorised(_NO_KEY)
        if not any(caller.may(scope) for scope in self._scopes):
            needed, own = " or ".join(self._scopes), ", ".join(sorted(caller.scopes))
            raise Forbidden(f"This needs a key with the scope {needed}; yours has {own}.")
        return caller


def needs(*scopes: Scope) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that gives the caller if one of the scopes is theirs; it raises `Forbidden`, or `NotAuthorised`."""
    return _Needs(scopes)


def region_for(caller: Caller, asked: str) -> str:
    """The region that a caller means: the one asked for, else their own; "" is left to the service's own rule.

    Raises `OtherRegion` if they asked for one that isn't theirs.
    """
    if asked and not caller.sees(asked):
        raise OtherRegion(f"This key is for the region {caller.region}, not {asked}.")
    return asked or caller.region


def _token(headers: list[tuple[bytes, bytes]]) -> str:
    """The bearer's token; "" if there is none, or more than one, so that which was meant can't be told."""
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) != 1:
        return ""
    scheme, _, token = found[0].partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""
