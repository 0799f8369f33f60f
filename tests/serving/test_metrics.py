"""Metrics: what is counted, under which labels, and that no label can be made up from outside."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from data.sectors import all_sectors
from model.routing import Outcome
from serving.metrics import GaugeValues, Measured, Metrics

VALUES = GaugeValues(
    queue_cases=12,
    queue_oldest_seconds=3600.5,
    writer_queue=3,
    outbox_undelivered=4,
    outbox_dead=1,
    outbox_lag_seconds=7.25,
)
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(metrics: Metrics, values: GaugeValues = VALUES) -> Series:
    """Every sample by its name and labels (without the worker), as Prometheus would read it."""
    return {
        (
            sample.name,
            frozenset((name, value) for name, value in sample.labels.items() if name != "worker"),
        ): sample.value
        for family in text_string_to_metric_families(metrics.render(lambda: values).decode())
        for sample in family.samples
    }


def one(series: Series, sample: str, **labels: str) -> float:
    return series[sample, frozenset(labels.items())]


def routes_of(series: Series) -> set[str]:
    return {dict(labels)["route"] for name, labels in series if name == "disposisi_requests_total"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def client(metrics: Metrics) -> TestClient:
    app, routes = FastAPI(), APIRouter()

    @routes.get("/v1/cases/{case_id}")
    def read_case(case_id: str) -> str:
        return case_id

    @routes.post("/v1/complaints")
    async def create() -> str:
        raise ValueError("no")

    app.include_router(routes)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent), name="static")
    app.add_middleware(Measured, metrics=metrics)
    return TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)


def test_requests_are_counted_by_the_template_of_their_route(client: TestClient, metrics: Metrics) -> None:
    for case_id in ("1", "2", "3"):
        client.get(f"/v1/cases/{case_id}?text=x")
    series = read(metrics)
    assert one(series, "disposisi_requests_total", method="GET", route="/v1/cases/{case_id}", status="2xx") == 3
    assert one(series, "disposisi_request_seconds_count", route="/v1/cases/{case_id}") == 3
    assert one(series, "disposisi_request_seconds_bucket", route="/v1/cases/{case_id}", le="10.0") == 3
    assert 0 < one(series, "disposisi_request_seconds_sum", route="/v1/cases/{case_id}") < 30


def test_an_exception_counts_as_an_answer_of_5xx(client: TestClient, metrics: Metrics) -> None:
    client.post("/v1/complaints")
    assert one(read(metrics), "disposisi_requests_total", method="POST", route="/v1/complaints", status="5xx") == 1


def test_a_caller_who_leaves_before_the_answer_is_no_fault_of_the_service(metrics: Metrics) -> None:
    async def nobody_waits(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        raise AssertionError

    asyncio.run(Measured(nobody_waits, metrics)({"type": "http", "method": "POST"}, receive, send))
    assert one(read(metrics), "disposisi_requests_total", method="POST", route="other", status="4xx") == 1


def test_paths_and_methods_that_callers_make_up_make_no_series_of_their_own(
    client: TestClient, metrics: Metrics
) -> None:
    for word in ("satu", "dua", "tiga"):
        client.get(f"/{word}")
        client.get(f"/static/{word}.css")
        client.get(f"/v1/cases/{word}/{word}")
        client.request(word.upper(), f"/v1/cases/{word}")
    series = read(metrics)
    assert routes_of(series) == {"other", "/static", "/v1/cases/{case_id}"}
    assert one(series, "disposisi_requests_total", method="other", route="/v1/cases/{case_id}", status="4xx") == 3
    assert one(series, "disposisi_requests_total", method="GET", route="other", status="4xx") == 6


def test_answers_are_counted_by_outcome_and_known_sector(metrics: Metrics) -> None:
    metrics.answered(Outcome.AUTO, "environment", 0.97)
    metrics.answered(Outcome.REVIEW, "environment", 0.31)
    metrics.answered(Outcome.REVIEW, "Jalan rusak di depan rumah saya", 0.3)
    series = read(metrics)
    assert one(series, "disposisi_outcomes_total", outcome="auto", sector="environment") == 1
    assert one(series, "disposisi_outcomes_total", outcome="review", sector="environment") == 1
    assert one(series, "disposisi_outcomes_total", outcome="review", sector="other") == 1
    assert {dict(labels)["sector"] for name, labels in series if name == "disposisi_outcomes_total"} == set(
        all_sectors()
    )


def test_confidence_is_counted_in_tenths(metrics: Metrics) -> None:
    for confidence in (0.0, 0.3, 0.31, 0.97, 1.0):
        metrics.answered(Outcome.REVIEW, "environment", confidence)
    series = read(metrics)
    buckets = {le: one(series, "disposisi_confidence_bucket", le=le) for le in ("0.1", "0.3", "0.4", "0.9", "1.0")}
    assert buckets == {"0.1": 1, "0.3": 2, "0.4": 3, "0.9": 3, "1.0": 5}


def test_gauges_are_asked_for_at_each_fetch(metrics: Metrics) -> None:
    series = read(metrics)
    assert one(series, "disposisi_queue_cases") == 12
    assert one(series, "disposisi_queue_oldest_seconds") == 3600.5
    assert one(series, "disposisi_writer_queue") == 3
    assert one(series, "disposisi_outbox_undelivered") == 4
    assert one(series, "disposisi_outbox_dead") == 1
    assert one(series, "disposisi_outbox_lag_seconds") == 7.25
    assert one(read(metrics, GaugeValues(0, 0.0, 0, 0, 0, 0.0)), "disposisi_queue_cases") == 0


def test_when_the_database_does_not_answer_the_other_metrics_still_do(metrics: Metrics) -> None:
    def fails() -> GaugeValues:
        raise OSError

    metrics.overloaded.inc()
    rendered = metrics.render(fails).decode()
    samples = {s.name: s.value for family in text_string_to_metric_families(rendered) for s in family.samples}
    assert math.isnan(samples["disposisi_queue_cases"])
    assert samples["disposisi_overloaded_total"] == 1


def test_what_happens_to_the_service_is_counted(metrics: Metrics) -> None:
    metrics.reloads.inc()
    metrics.rate_limited.inc(2)
    metrics.sign_in_failures.inc()
    series = read(metrics)
    assert one(series, "disposisi_reloads_total") == 1
    assert one(series, "disposisi_rate_limited_total") == 2
    assert one(series, "disposisi_overloaded_total") == 0
    assert one(series, "disposisi_sign_in_failures_total") == 1


def test_only_the_bundle_that_answers_now_is_named(metrics: Metrics) -> None:
    metrics.set_model("lama", 4)
    metrics.set_model("baru", 4)
    named = [dict(labels) for name, labels in read(metrics) if name == "disposisi_model_info"]
    assert named == [{"version": "baru", "format": "4"}]


def test_every_series_says_which_worker_it_is_of_and_none_when_it_began(client: TestClient) -> None:
    metrics = Metrics(worker="3")
    metrics.request("GET", "/livez", 200, 0.001)
    metrics.set_model("baru", 4)
    rendered = metrics.render(lambda: VALUES).decode()
    samples = [sample for family in text_string_to_metric_families(rendered) for sample in family.samples]
    assert {sample.labels.get("worker") for sample in samples} == {"3"}
    assert not [sample.name for sample in samples if sample.name.endswith("_created")]


def test_two_sets_of_metrics_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.reloads.inc()
    assert one(read(second), "disposisi_reloads_total") == 0
