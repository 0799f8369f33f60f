"""Events reach a webhook at least once and in order for each case, whatever the receiver, the net or a crash does."""

from __future__ import annotations

import base64
import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError
from standardwebhooks import Webhook

from data.complaint import Complaint, Confidentiality
from serving import delivery
from serving.case import Answer, Case, Status, now
from serving.delivery import WAITS, Deliverer
from serving.events import Event, EventType, cloud_event, review_requested_event
from serving.outbox import Counts, NoSuchEvent, Outbox
from serving.store import Addition, Store
from serving.tables import events

ROOT = Path(__file__).parent.parent.parent
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CASE = Case(
    id="",
    status=Status.WAITING,
    complaint=Complaint("jalan ambles", region="kab-tangerang"),
    channel="",
    confidentiality=Confidentiality.TERBUKA,
    received_at=datetime(2026, 2, 3, tzinfo=UTC),
    created_at=datetime(2026, 2, 3, tzinfo=UTC),
    answer=Answer("0123456789ab", "public-works", 0.5, "dbmsda", None, "review", 1, 0.5, {}),
)


@dataclass(frozen=True)
class Post:
    """What a receiver was sent."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def about(self) -> tuple[str, int]:
        """The case and its event's place in it."""
        return self.event["subject"], self.event["data"]["step"]


# What a receiver does with a post: a status, with headers, or something of its own that answers nothing.
Answering = Callable[[Post, BaseHTTPRequestHandler], int | tuple[int, dict[str, str]] | None]


class Receiver:
    """A real HTTP server on a free port, which can be stopped and started again on the same port."""

    def __init__(self, answering: Answering = lambda *_: 204) -> None:
        self.answering = answering
        self.posts: list[Post] = []
        self.port = 0
        self.free = threading.Event()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def about(self) -> list[tuple[str, int]]:
        return [post.about for post in list(self.posts)]

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                body = self.rfile.read(size)
                if len(body) < size:  # the sender was killed
                    return
                post = Post(self.path, {key.lower(): value for key, value in self.headers.items()}, body)
                receiver.posts.append(post)
                answer = receiver.answering(post, self)
                if answer is not None:
                    status, headers = answer if isinstance(answer, tuple) else (answer, {})
                    with suppress(OSError):
                        self.send_response(status)
                        for name, value in ({"Content-Length": "0"} | headers).items():
                            self.send_header(name, value)
                        self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.free.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def hang(self) -> None:
        """Answer nothing until the receiver stops."""
        self.free.wait(30)


class Hands:
    """A clock that stands still until its hands are moved on."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    with suppress(OSError):
        started.stop()


@pytest.fixture
def clock() -> Hands:
    return Hands()


@contextmanager
def delivering(store: Store, url: str, clock: Hands | None = None) -> Iterator[Deliverer]:
    deliverer = Deliverer(store, url, SECRET, clock=clock or now)
    deliverer.start()
    try:
        yield deliverer
    finally:
        deliverer.close()


def until(claim: Callable[[], bool], seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < ends, "it has not come to pass"
        time.sleep(0.01)


def add(store: Store, case_ids: Sequence[str], steps: int = 1) -> list[Event]:
    """Keep cases with so many events each, which are written turn by turn; the events as they were stored."""
    for case_id in case_ids:
        store.add(Addition(replace(CASE, id=case_id), ())).result()
    made = [review_requested_event(replace(CASE, id=case_id)) for _ in range(steps) for case_id in case_ids]
    rows = [
        {**vars(event), "type": event.type.value, "data": event.data | {"step": place // len(case_ids)}}
        for place, event in enumerate(made)
    ]
    with store.writing() as connection:
        connection.execute(insert(events), [{key: row[key] for key in row if key != "number"} for row in rows])
    return Outbox(store).after(0, 100_000)[-len(made) :]


def row_of(store: Store, number: int) -> Any:
    with store.reading() as connection:
        return connection.execute(select(events).where(events.c.number == number)).one()


def all_delivered(store: Store) -> Callable[[], bool]:
    return lambda: Outbox(store).counts().undelivered == 0


# Reading


def test_events_are_read_after_a_number_in_order_and_by_region(any_store: Store) -> None:
    first, second, third = add(any_store, ["a", "b", "c"])
    read = Outbox(any_store)
    assert [event.number for event in read.after(0, 10)] == sorted([first.number, second.number, third.number])
    assert read.after(0, 1) == [first]
    assert read.after(first.number, 10) == [second, third]
    assert read.after(third.number, 10) == []
    assert read.after(0, 10, "kab-tangerang") == [first, second, third]
    assert read.after(0, 10, "kab-sleman") == []
    assert (first.type, first.happened_at, first.case_id) == (EventType.REVIEW_REQUESTED, CASE.created_at, "a")


def test_lag_is_the_age_of_the_oldest_that_waits(any_store: Store) -> None:
    read = Outbox(any_store, clock=lambda: CASE.created_at + timedelta(minutes=2))
    assert read.undelivered_lag() == 0.0
    assert read.counts() == Counts(0, 0)
    add(any_store, ["a", "b"])
    assert read.undelivered_lag() == 120.0
    assert read.counts() == Counts(2, 0)


def test_retrying_a_number_that_is_not_there_or_was_delivered_says_so(store: Store, receiver: Receiver) -> None:
    (event,) = add(store, ["a"])
    with delivering(store, receiver.url):
        until(all_delivered(store))
    for number in (event.number, 999):
        with pytest.raises(NoSuchEvent, match=f"number {number}"):
            Outbox(store).retry(number)
    assert Outbox(store).retry() == 0


# Delivering


def test_each_event_is_delivered_signed_as_standard_webhooks_says(any_store: Store, receiver: Receiver) -> None:
    stored = add(any_store, [f"case-{number}" for number in range(20)], steps=3)
    with delivering(any_store, receiver.url):
        until(all_delivered(any_store))
    assert Counter(post.headers["webhook-id"] for post in receiver.posts) == Counter(event.id for event in stored)
    told = {event.id: cloud_event(event) for event in stored}
    for post in receiver.posts:
        assert post.headers["content-type"] == "application/cloudevents+json; charset=UTF-8"
        assert Webhook(SECRET).verify(post.body, post.headers) == told[post.headers["webhook-id"]]
    row = row_of(any_store, stored[0].number)
    assert (row.attempts, row.last_error, row.next_attempt_at, row.given_up_at) == (1, "", None, None)
    assert abs(row.delivered_at - now()) < timedelta(minutes=1)


def test_an_event_waits_for_the_earlier_ones_of_its_case_and_others_go_on(
    any_store: Store, receiver: Receiver, clock: Hands
) -> None:
    receiver.answering = lambda post, _: 500 if post.about == ("stuck", 0) else 200
    add(any_store, ["stuck", "other"], steps=3)
    with delivering(any_store, receiver.url, clock) as deliverer:
        until(lambda: Outbox(any_store).counts().undelivered == 3)
        assert {step for case, step in receiver.about if case == "stuck"} == {0}
        receiver.answering = lambda *_: 200
        clock.advance(6)
        deliverer.wake()
        until(all_delivered(any_store))
    assert [about for about in receiver.about if about[0] == "other"] == [("other", step) for step in range(3)]
    assert [step for case, step in receiver.about if case == "stuck"] == [0, 0, 1, 2]


def test_attempts_back_off_for_three_days_then_the_event_is_given_up_and_can_be_retried(
    any_store: Store, receiver: Receiver, clock: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answering = lambda post, _: 500 if post.about == ("a", 0) else 200
    first, _ = add(any_store, ["a"], steps=2)
    waits = []
    with delivering(any_store, receiver.url, clock) as deliverer:
        for tried in range(1, len(WAITS) + 2):
            until(lambda tried=tried: row_of(any_store, first.number).attempts == tried)  # type: ignore[misc]
            row = row_of(any_store, first.number)
            if row.next_attempt_at is not None:
                waits.append((row.next_attempt_at - clock()).total_seconds())
                clock.advance(waits[-1] + 0.1)
                deliverer.wake()
        until(lambda: receiver.about[-1] == ("a", 1))
        until(all_delivered(any_store))
        (dead,) = Outbox(any_store).given_up(10)
        assert (dead.number, dead.type, dead.case_id) == (first.number, first.type, "a")
        assert (dead.attempts, dead.last_error) == (len(WAITS) + 1, "status 500")
        assert dead.given_up_at == clock()
        assert Outbox(any_store).counts() == Counts(0, 1)
        assert f"number {first.number} given up after {len(WAITS) + 1} attempts: status 500" in caplog.text
        receiver.answering = lambda *_: 200
        assert Outbox(any_store).retry(first.number) == 1
        deliverer.wake()
        until(lambda: receiver.about[-1] == ("a", 0))
        until(all_delivered(any_store))
    assert Outbox(any_store).counts() == Counts(0, 0)
    assert len(waits) == len(WAITS)
    assert all(0.9 * wait <= waited <= 1.1 * wait for waited, wait in zip(waits, WAITS, strict=True))
    assert timedelta(days=2.9) < timedelta(seconds=sum(WAITS)) < timedelta(days=3)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 408, 410, 422, 429, 500, 503])
def test_any_answer_but_2xx_is_tried_again_and_no_redirect_is_followed(
    store: Store, receiver: Receiver, clock: Hands, status: int
) -> None:
    receiver.answering = lambda *_: (status, {"Location": f"{receiver.url}-elsewhere"})
    (event,) = add(store, ["a"])
    with delivering(store, receiver.url, clock) as deliverer:
        until(lambda: row_of(store, event.number).attempts == 1)
        assert row_of(store, event.number).last_error == f"status {status}"
        receiver.answering = lambda *_: 202
        clock.advance(6)
        deliverer.wake()
        until(all_delivered(store))
    assert {post.path for post in receiver.posts} == {"/hook"}
    assert len(receiver.posts) == 2


def test_retrying_all_makes_what_backs_off_due_at_once(store: Store, receiver: Receiver) -> None:
    receiver.answering = lambda *_: 404
    add(store, ["a", "b"])
    with delivering(store, receiver.url) as deliverer:
        until(lambda: len(receiver.posts) == 2 and all(row_of(store, n).attempts == 1 for n in (1, 2)))
        receiver.answering = lambda *_: 200
        assert Outbox(store).retry() == 2
        deliverer.wake()
        until(all_delivered(store), 4)


def test_a_receiver_that_asks_for_time_gets_it_from_every_event(store: Store, receiver: Receiver, clock: Hands) -> None:
    receiver.answering = lambda *_: (429, {"Retry-After": "120"})
    add(store, ["a"])
    with delivering(store, receiver.url, clock) as deliverer:
        until(lambda: row_of(store, 1).attempts == 1)
        receiver.answering = lambda *_: 200
        add(store, ["b"])
        clock.advance(100)
        deliverer.wake()
        time.sleep(0.3)
        assert len(receiver.posts) == 1
        clock.advance(25)
        deliverer.wake()
        until(all_delivered(store))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("7", 7),
        (" 7 ", 7),
        ("99999999999999999999", 3600),
        ("86400", 3600),
        ("-5", 0),
        ("soon", 0),
        ("²", 0),
        (format_datetime(CASE.created_at + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(CASE.created_at - timedelta(days=1), usegmt=True), 0),
        (format_datetime(CASE.created_at + timedelta(days=1), usegmt=True), 3600),
        ("Wed, 04 Feb 2026 00:00:00 -0000", 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_is_bounded(header: str, seconds: float) -> None:
    assert delivery._retry_after(header, CASE.created_at).total_seconds() == seconds


def test_a_receiver_that_hangs_or_dribbles_holds_up_only_its_event(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_ANSWER_WITHIN", 0.5)

    def answering(post: Post, handler: BaseHTTPRequestHandler) -> int | None:
        if post.about[0] == "hangs":
            receiver.hang()
            return None
        if post.about[0] == "dribbles":
            with suppress(OSError):
                for _ in range(200):
                    handler.wfile.write(b"H")
                    time.sleep(0.05)
            return None
        return 200

    receiver.answering = answering
    add(store, ["hangs", "dribbles", "goes"])
    with delivering(store, receiver.url):
        until(lambda: row_of(store, 3).delivered_at is not None)
        until(lambda: row_of(store, 1).attempts == row_of(store, 2).attempts == 1)
        assert row_of(store, 1).last_error == "TimeoutError"
        assert row_of(store, 2).delivered_at is None


def test_a_2xx_whose_body_never_ends_is_delivered(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_ANSWER_WITHIN", 0.5)

    def answering(_: Post, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while not receiver.free.wait(0.001):
                handler.wfile.write(b"x" * 1_000)

    receiver.answering = answering
    add(store, ["a"])
    with delivering(store, receiver.url):
        until(all_delivered(store))


def test_a_receiver_that_dies_gets_everything_when_it_comes_back(
    any_store: Store, receiver: Receiver, clock: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    stored = add(any_store, ["a", "b"], steps=2)
    receiver.stop()
    with delivering(any_store, receiver.url, clock) as deliverer:
        until(lambda: all(row_of(any_store, event.number).attempts == 1 for event in stored[:2]))
        assert row_of(any_store, stored[0].number).last_error == "ConnectError"
        receiver.start()
        clock.advance(6)
        deliverer.wake()
        until(all_delivered(any_store))
    for case_id in ("a", "b"):
        assert [step for case, step in receiver.about if case == case_id] == [0, 1]
    assert "the webhook fails: ConnectError" in caplog.text
    assert "takes all again" in caplog.text


def test_waking_delivers_at_once(store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_POLL", 60.0)
    add(store, ["a"])
    with delivering(store, receiver.url) as deliverer:
        until(all_delivered(store))
        add(store, ["b"])
        deliverer.wake()
        until(all_delivered(store))


def test_events_are_found_without_waking(store: Store, receiver: Receiver) -> None:
    with delivering(store, receiver.url):
        add(store, ["a"])
        until(all_delivered(store), 10)


# Several processes, stops and crashes


def test_of_two_deliverers_one_works_and_the_other_takes_over(any_store: Store, receiver: Receiver) -> None:
    with delivering(any_store, receiver.url) as first:
        until(lambda: first._leads)
        with delivering(any_store, receiver.url) as second:
            add(any_store, [f"case-{number}" for number in range(30)], steps=2)
            until(all_delivered(any_store))
            assert not second._leads
            assert len(receiver.posts) == 60
            first.close()
            add(any_store, ["late"])
            until(all_delivered(any_store))
            assert second._leads
    assert len(receiver.posts) == 61


def test_stopping_is_prompt_and_what_was_under_way_is_delivered_later(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_GRACE", 0.2)

    def answering(post: Post, _: BaseHTTPRequestHandler) -> int | None:
        if post.about[0] == "hangs":
            receiver.hang()
            return None
        return 200

    receiver.answering = answering
    add(store, ["goes", "hangs"])
    deliverer = Deliverer(store, receiver.url, SECRET)
    deliverer.wake()
    deliverer.start()
    until(lambda: len(receiver.posts) == 2)
    began = time.monotonic()
    deliverer.close()
    deliverer.close()
    deliverer.wake()
    assert time.monotonic() - began < 5
    assert (row_of(store, 1).attempts, row_of(store, 2).attempts) == (1, 0)
    receiver.free.set()
    receiver.answering = lambda *_: 200
    with delivering(store, receiver.url):
        until(all_delivered(store))


def test_a_deliverer_that_never_started_can_be_closed(store: Store) -> None:
    Deliverer(store, "http://127.0.0.1:9/hook", SECRET).close()


def test_a_mark_that_could_not_be_written_is_written_later_and_nothing_is_sent_twice(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writing, failures = store.writing, [1, 2]

    @contextmanager
    def failing() -> Iterator[Any]:
        if failures:
            failures.pop()
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        with writing() as connection:
            yield connection

    add(store, ["a", "b"])
    monkeypatch.setattr(store, "writing", failing)
    with delivering(store, receiver.url):
        until(all_delivered(store))
    assert sorted(receiver.about) == [("a", 0), ("b", 0)]
    assert "OperationalError: database is locked" in caplog.text


def test_losing_the_connection_that_holds_the_lease_stops_nothing(
    any_store: Store, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with any_store.reading() as connection:
        if connection.dialect.name != "postgresql":
            pytest.skip("only PostgreSQL has such a connection")
    add(any_store, ["a"])
    ending = text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    with delivering(any_store, receiver.url):
        until(all_delivered(any_store))
        with any_store.reading() as connection:
            assert list(connection.execute(ending).scalars()) == [True]
        add(any_store, ["b"])
        until(all_delivered(any_store))
    assert len(receiver.posts) == 2
    assert "trying again" in caplog.text


PROCESS = """
import sys, time
from serving.database import open_store
from serving.delivery import Deliverer
deliverer = Deliverer(open_store(sys.argv[1]), sys.argv[2], sys.argv[3])
deliverer.start()
time.sleep(600)
"""


@contextmanager
def process(store: Store, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that delivers from the store's database; leaving the block kills it (-9)."""
    with store.reading() as connection:
        database = connection.engine.url.render_as_string(hide_password=False)
    running = subprocess.Popen([sys.executable, "-c", PROCESS, database, url, SECRET], cwd=ROOT)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL


def test_after_kills_in_the_middle_every_event_has_arrived_and_in_order_for_each_case(
    any_store: Store, receiver: Receiver
) -> None:
    def answering(*_: Any) -> int:
        time.sleep(0.02)
        return 200

    receiver.answering = answering
    stored = add(any_store, [f"case-{number}" for number in range(40)], steps=4)
    for stop_at in (30, 90):
        with process(any_store, receiver.url):
            until(lambda stop_at=stop_at: len(receiver.posts) >= stop_at)  # type: ignore[misc]
        assert Outbox(any_store).counts().undelivered > 0
    with process(any_store, receiver.url):
        until(all_delivered(any_store), 60)
    assert {post.headers["webhook-id"] for post in receiver.posts} == {event.id for event in stored}
    for case_id in {event.case_id for event in stored}:
        steps = [step for case, step in receiver.about if case == case_id]
        assert set(steps) == {0, 1, 2, 3}
        assert all(step in (before, before + 1) for before, step in pairwise(steps))


# What must not be told


def test_neither_the_urls_query_nor_the_secret_nor_data_is_logged_or_kept(
    store: Store, receiver: Receiver, clock: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answering = lambda post, _: 500 if post.about[0] == "a" else 200
    add(store, ["a", "b"])
    url = f"{receiver.url}?token=rahasia-sekali"
    with delivering(store, url, clock) as deliverer:
        until(lambda: len(receiver.posts) == 2 and row_of(store, 1).attempts == 1)
        receiver.stop()
        clock.advance(6)
        deliverer.wake()
        until(lambda: row_of(store, 1).attempts == 2)
    assert receiver.posts[0].path == "/hook?token=rahasia-sekali"
    kept = row_of(store, 1).last_error
    assert kept == "ConnectError"
    told = caplog.text + kept
    assert "the webhook fails" in told
    for word in ("rahasia-sekali", "token", SECRET, SECRET[6:], "public-works", "dbmsda", "v1,"):
        assert word not in told
