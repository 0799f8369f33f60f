"""Log lines on standard error that never hold a citizen's words, and an id for each request to find them by.

Programs put what they work on into exceptions, paths and messages. So of an exception a line has the class and where it
was raised; of a request its route's template; of another library's message what stands in its code, without what it
fills in. What cannot be mended here: a library that pastes a text into the message itself. None we use does so at
the levels that are let through.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from random import getrandbits
from time import perf_counter
from traceback import walk_tb
from typing import Any, Literal, TextIO

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, merge_contextvars, reset_contextvars
from structlog.stdlib import BoundLogger, LoggerFactory, ProcessorFormatter, filter_by_level

LOGGER = "disposisi"
OTHER = "other"
UNANSWERED = 499  # nginx's number for a caller who left before the answer: not the service's fault
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ID_HEADER = b"x-request-id"
_VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_MOST_FRAMES = 20
_MOST_EXCEPTIONS = 8
# asyncio writes the failed call, its arguments and the exception into the message.
_FIXED_EVENTS = {"asyncio": "an error that nobody awaited"}
_FIRST = ("time", "level", "logger", "event", "request_id")
_log: BoundLogger = structlog.stdlib.get_logger(f"{LOGGER}.requests")
_requests = logging.getLogger(f"{LOGGER}.requests")


def configure_logs(form: Literal["json", "text"], level: int = logging.INFO, *, stream: TextIO | None = None) -> None:
    """Send every log line of the process to `stream` (standard error), as JSON or as `key=value` text.

    `level` is for our own loggers ("disposisi" and below it); of other libraries only warnings and errors are told.
    Uvicorn must be given `log_config=None`, or it adds lines of its own. Exceptions that nobody catches, in threads
    too, are told the same way. To be called once, before anything is logged.
    """
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(bool_as_flag=False)
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[merge_contextvars, _to_line, renderer], use_get_message=False, pass_foreign_args=True
        )
    )
    logging.root.handlers = [handler]
    # Warnings only, for SQLAlchemy tells statements with their parameters below that, httpx addresses.
    logging.root.setLevel(logging.WARNING)
    logging.getLogger(LOGGER).setLevel(level)
    logging.raiseExceptions = False  # a line that can't be written would be told with all its arguments
    structlog.configure(
        processors=[filter_by_level, ProcessorFormatter.wrap_for_formatter],
        logger_factory=LoggerFactory(),
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    sys.excepthook = lambda _kind, error, _traceback: _tell_uncaught(error)
    threading.excepthook = lambda caught: _tell_uncaught(caught.exc_value)
    sys.unraisablehook = lambda caught: _tell_uncaught(caught.exc_value)


def _tell_uncaught(error: BaseException | None) -> None:
    if not isinstance(error, SystemExit):
        _log.critical("an error that nobody caught", exc_info=error)


def _to_line(_logger: Any, _method: str, given: structlog.types.EventDict) -> structlog.types.EventDict:
    """What a line holds, in its order: time, level, logger, event, request_id, then fields and exceptions."""
    record: logging.LogRecord = given.pop("_record")
    ours = given.pop("_from_structlog") or record.name.partition(".")[0] == LOGGER
    event, arguments = given.pop("event"), given.pop("positional_args", ())
    if not ours:
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        event = _FIXED_EVENTS.get(record.name, template.strip().partition("\n")[0])
    elif arguments:
        event = str(event) % (tuple(map(_plain, arguments)) if isinstance(arguments, tuple) else arguments)
    given.pop("stack_info", None)
    error = _exception_of(given.pop("exc_info", None))
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event,
    }
    if "request_id" in given:
        line["request_id"] = given["request_id"]
    line.update((name, _plain(value)) for name, value in given.items() if name not in _FIRST)
    if error is not None:
        line["exceptions"] = [_where(each) for each in _chain(error)]
    return line


def _plain(value: object) -> object:
    """A value fit for a line; of anything that could hold more than it seems to, an exception first, only its class."""
    return value if value is None or isinstance(value, str | int | float) else type(value).__name__


def _exception_of(exc_info: Any) -> BaseException | None:
    """The exception that the forms of `exc_info` mean: True, the exception itself, or Python's triple."""
    if isinstance(exc_info, BaseException):
        return exc_info
    triple = exc_info if isinstance(exc_info, tuple) else sys.exc_info() if exc_info else (None, None, None)
    found = triple[1]
    return found if isinstance(found, BaseException) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, those it holds, and what it came from; the first eight."""
    waiting, seen = [error], 0
    while waiting and seen < _MOST_EXCEPTIONS:
        each = waiting.pop(0)
        seen += 1
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(each.exceptions)
        before = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        if before is not None:
            waiting.append(before)


def _where(error: BaseException) -> str:
    """Class and the innermost twenty frames, outermost first: "ValueError at api.py:7:create > triage.py:9:receive"."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    frames = [
        f"{_short(frame.f_code.co_filename)}:{number}:{frame.f_code.co_name}"
        for frame, number in walk_tb(error.__traceback__)
    ]
    return f"{name} at {' > '.join(frames[-_MOST_FRAMES:])}" if frames else name


def _short(path: str) -> str:
    """A source file as the folder and file name, which is enough to find it."""
    return "/".join(path.rsplit("/", 2)[-2:])


def route_template(scope: Scope) -> str:
    """The template of the route that answered, such as "/v1/cases/{case_id}"; a mounted folder's path; or "other".

    To be asked once the request is answered: the router writes its choice into the scope. Paths that no route has
    are "other", so what callers make up never becomes a label or a log line. A prefix given to `include_router` is
    not in it.
    """
    path = getattr(scope.get("route"), "path", None)
    # A mount shows only as what it took off the path; that is literal as long as it has no parameters.
    if path is None and "app_root_path" in scope and not scope.get("path_params"):
        path = scope["root_path"].removeprefix(scope["app_root_path"])
    return path or OTHER


def known_method(scope: Scope) -> str:
    """The request's method, or "other" for one that a caller made up."""
    method: str = scope["method"]
    return method if method in METHODS else OTHER


class RequestLog:
    """Gives each request an id, and tells those that failed with 5xx in one line each (others at debug level).

    The id is the caller's `X-Request-Id` if that is 1 to 64 of A-Z a-z 0-9 . _ -, else a new one. It goes back in the
    same header and stands in every line that is logged on the way, in worker threads too.

    Belongs around the whole application, outside of Starlette's own error page: `RequestLog(app)`. There it also ends
    an exception that was answered with a 500, after telling it, so that Uvicorn doesn't tell it a second time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _caller_id(scope) or b"%016x" % getrandbits(64)
        status, answered = UNANSWERED, False

        async def with_id(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_ID_HEADER, request_id)]
            elif message["type"] == "http.response.body":
                answered = not message.get("more_body", False)
            await send(message)

        tokens = bind_contextvars(request_id=request_id.decode())
        started = perf_counter()
        try:
            await self._app(scope, receive, with_id)
            if status >= 500 or _requests.isEnabledFor(logging.DEBUG):
                _tell(scope, status, started)
        except Exception as error:
            _tell(scope, 500, started, error)
            if not answered:
                raise
        finally:
            reset_contextvars(**tokens)


def _caller_id(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == _ID_HEADER:
            return value if _VALID_ID.fullmatch(value) else None
    return None


def _tell(scope: Scope, status: int, started: float, error: Exception | None = None) -> None:
    (_log.error if status >= 500 else _log.debug)(
        "request failed" if status >= 500 else "request",
        route=route_template(scope),
        method=known_method(scope),
        status=status,
        milliseconds=round((perf_counter() - started) * 1000, 1),
        **({"exc_info": error} if error else {}),
    )
