"""What the service counts about itself, for Prometheus to fetch: requests, outcomes, queues, never a text or an id."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from time import perf_counter

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from data.sectors import OTHER, all_sectors
from model.bundle import FORMAT, Bundle
from model.routing import Outcome
from serving.logs import LOGGER, UNANSWERED, known_method, route_template

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_TENTHS = tuple(tenth / 10 for tenth in range(1, 11))
_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"{LOGGER}.metrics")

# When each series began, which would double their number; Prometheus does without.
disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class GaugeValues:
    """What is asked only when somebody looks; the field names are the names of the metrics, ages are in seconds.

    All but `writer_queue` come from the database and are the same in every worker.
    """

    queue_cases: int
    queue_oldest_seconds: float
    writer_queue: int
    outbox_undelivered: int
    outbox_dead: int
    outbox_lag_seconds: float


_GAUGES = {
    "queue_cases": "Cases that wait for a moderator.",
    "queue_oldest_seconds": "Age of the case that has waited longest.",
    "writer_queue": "Cases of this process that wait to be written.",
    "outbox_undelivered": "Events that wait to be delivered.",
    "outbox_dead": "Events that were given up.",
    "outbox_lag_seconds": "Age of the oldest event that waits to be delivered.",
}


class Metrics:
    """One process's metrics, in a registry of its own. Every series carries the label `worker`.

    Each worker process counts for itself. Behind one port, Prometheus reaches whichever worker takes its connection:
    each series then is one worker's truth, with gaps, since not every fetch meets every worker. Sum rates over
    `worker` for a good estimate; take the maximum of what comes from the database. Who needs exact sums runs one
    worker for each port.
    """

    def __init__(self, worker: str = "0") -> None:
        self._worker = worker
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "disposisi_requests",
            "Requests answered, by class of status.",
            ("worker", "method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "disposisi_request_seconds",
            "Time from a request's head to the end of its answer.",
            ("worker", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._bound: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        outcomes = Counter(
            "disposisi_outcomes",
            "Complaints answered, by outcome and first sector.",
            ("worker", "outcome", "sector"),
            registry=self.registry,
        )
        self._outcomes = {
            (outcome.value, sector): outcomes.labels(worker, outcome.value, sector)
            for outcome in Outcome
            for sector in all_sectors()
        }
        self._confidence = Histogram(
            "disposisi_confidence",
            "How sure the first sector of a complaint was.",
            ("worker",),
            buckets=_TENTHS,
            registry=self.registry,
        ).labels(worker)
        self._gauges = {
            name: Gauge(f"disposisi_{name}", text, ("worker",), registry=self.registry).labels(worker)
            for name, text in _GAUGES.items()
        }
        self._model = Info("disposisi_model", "The bundle that answers.", ("worker",), registry=self.registry)
        self.reloads = self._counter("reloads", "Times that another bundle was put in place.")
        self.rate_limited = self._counter("rate_limited", "Requests refused with 429: over their key's limit.")
        self.overloaded = self._counter("overloaded", "Requests refused with 503: too many under way.")
        self.sign_in_failures = self._counter("sign_in_failures", "Sign-ins that failed.")

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"disposisi_{name}", text, ("worker",), registry=self.registry).labels(self._worker)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. `method` and `route` must come from closed lists; each combination makes a series."""
        key = (method, route, status // 100)
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = (
                self._requests.labels(self._worker, method, route, f"{status // 100}xx"),
                self._seconds.labels(self._worker, route),
            )
        bound[0].inc()
        bound[1].observe(seconds)

    def answered(self, outcome: Outcome, sector: str, confidence: float) -> None:
        """Count an answer: its outcome, its first sector (one that isn't known counts as "other"), how sure it was."""
        key = (outcome.value, sector)
        (self._outcomes.get(key) or self._outcomes[outcome.value, OTHER]).inc()
        self._confidence.observe(confidence)

    def changed(self, bundle: Bundle) -> None:
        """Another bundle has taken over."""
        self.reloads.inc()
        self.set_model(bundle.version, FORMAT)

    def set_model(self, version: str, form: int) -> None:
        """Say which bundle answers; the one before is forgotten."""
        self._model.labels(self._worker).info({"version": version, "format": str(form)})

    def render(self, gauges: Callable[[], GaugeValues]) -> bytes:
        """Everything in Prometheus's text form (`MEDIA_TYPE`). `gauges` may ask the database, so call this in a thread.

        If it raises, its values are told as not known (NaN), for that is when the other ones are needed.
        """
        try:
            values = astuple(gauges())
        except Exception as error:
            _log.warning("the gauges are not known", exc_info=error)
            values = (math.nan,) * len(self._gauges)
        for field, value in zip(fields(GaugeValues), values, strict=True):
            self._gauges[field.name].set(value)
        return generate_latest(self.registry)


class Measured:
    """Counts every HTTP request by its route's template, and how long it took."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = UNANSWERED

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = perf_counter()
        try:
            await self._app(scope, receive, watched)
        except Exception:
            status = 500
            raise
        finally:
            self._metrics.request(known_method(scope), route_template(scope), status, perf_counter() - started)
