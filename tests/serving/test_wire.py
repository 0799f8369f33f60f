"""Bytes on a real socket: dawdling, lying, flooding and garbled requests end soon, and the server goes on answering."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from starlette.types import ASGIApp

from model.bundle import Bundle
from serving import limits, wire
from serving.access import Scope
from serving.app import create_app
from serving.case import Status
from serving.database import open_store
from serving.settings import Settings
from serving.store import Store
from serving.triage import Triage
from tests.serving.clients import quick_access, service_of
from tests.serving.conftest import REGION
from tests.serving.processes import Server

# What the constants of ten seconds are here, and how long a test waits for what must come.
SOON, PATIENCE = 0.7, 20.0
MOST_IN_FLIGHT = 4
BODY = b'{"text": "got mampet di depan pasar"}'
Address = tuple[str, int]


@dataclass(frozen=True)
class Answer:
    """One answer: status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """A connection on which bytes go out as they are and answers are read one by one."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection(address, timeout=PATIENCE)
        self._read = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def dribble(self, data: bytes, pause: float = SOON / 5) -> None:
        """A byte at a time, until all is sent or the other end has had enough."""
        with suppress(OSError):
            for place in range(len(data)):
                self._socket.sendall(data[place : place + 1])
                time.sleep(pause)

    def head(self) -> str:
        """The next answer's status line and headers; AssertionError if there is none."""
        while b"\r\n\r\n" not in self._read:
            self._read_more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def answer(self) -> Answer:
        """The next answer, with its body; AssertionError if there is none."""
        first, *lines = self.head().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._read) < length:
            self._read_more()
        body, self._read = self._read[:length], self._read[length:]
        return Answer(int(first.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Whether the other end closes, after what it still had to say, within the patience."""
        try:
            while self._socket.recv(65_536):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def _read_more(self) -> None:
        piece = self._socket.recv(65_536)
        assert piece, f"closed after {self._read[:200]!r}"
        self._read += piece


@dataclass(frozen=True)
class Wire:
    """The service on a real socket, with a key that may do everything."""

    address: Address
    key: str
    store: Store

    def head(self, method: str = "POST", path: str = "/v1/complaints", *lines: str, version: str = "1.1") -> bytes:
        """A request's line and headers, with their end."""
        own = ["Host: 127.0.0.1", f"Authorization: Bearer {self.key}", "Content-Type: application/json"]
        return "\r\n".join([f"{method} {path} HTTP/{version}", *own, *lines, "", ""]).encode("latin-1")

    def post(self, body: bytes = BODY, path: str = "/v1/complaints", *lines: str, version: str = "1.1") -> bytes:
        """A whole request with a body."""
        return self.head("POST", path, f"Content-Length: {len(body)}", *lines, version=version) + body

    def line(self) -> Line:
        return Line(self.address)

    def ask(self, request: bytes) -> Answer:
        """The first answer to what is sent on a connection of its own."""
        with self.line() as line:
            line.send(request)
            return line.answer()

    def kept(self) -> int:
        """How many cases there are."""
        return self.store.count(Status.WAITING)


@contextmanager
def listening(app: ASGIApp) -> Iterator[Address]:
    """An application behind the service's own protocol, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=wire.PatientProtocol, ws="none", loop="uvloop", log_config=None, access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


@pytest.fixture(scope="module")
def served(bundle: Bundle, bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with closing(open_store(str(tmp_path_factory.mktemp("wire") / "cases.db"))) as store:
        service, access = service_of(Triage(bundle, REGION, store), bundle_folder), quick_access(store)
        key = access.create_key("uji", [scope.value for scope in Scope])[1]
        settings = Settings(most_in_flight=MOST_IN_FLIGHT, largest_body_bytes=200_000, requests_per_minute=100_000)
        with listening(create_app(service, access, settings)) as address:
            yield Wire(address, key, store)


@pytest.fixture
def talk(served: Wire) -> Iterator[Wire]:
    """The service, which must answer all the same after whatever a test has done."""
    yield served
    before = served.kept()
    assert served.ask(served.post()).status == 201
    assert served.kept() == before + 1
    assert served.ask(served.head("GET", "/readyz")).status == 200


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers and bodies have less than a second."""
    monkeypatch.setattr(wire, "SECONDS_FOR_HEADERS", SOON)
    monkeypatch.setattr(limits, "SECONDS_FOR_BODY", SOON)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("keyed", [False, True], ids=["stranger", "key"])
def test_headers_that_dribble_are_ended_with_a_408(talk: Wire, keyed: bool) -> None:
    head = talk.head() if keyed else b"GET /livez HTTP/1.1\r\nX-Lambat: " + b"a" * 1_000
    with talk.line() as line:
        started = time.monotonic()
        line.dribble(head)
        assert line.answer().status == 408
        assert line.is_closed()
    assert time.monotonic() - started < 10 * SOON


@pytest.mark.usefixtures("impatient")
def test_a_connection_on_which_nothing_is_said_is_closed(talk: Wire) -> None:
    with talk.line() as line:
        assert line.is_closed()


@pytest.mark.usefixtures("impatient")
def test_headers_of_a_later_request_may_not_dribble_either(talk: Wire) -> None:
    with talk.line() as line:
        line.send(talk.post())
        assert line.answer().status == 201
        line.dribble(talk.head())
        assert line.is_closed()


@pytest.mark.usefixtures("impatient")
def test_many_connections_that_dribble_keep_nobody_waiting(talk: Wire) -> None:
    with ExitStack() as stack:
        lines = [stack.enter_context(talk.line()) for _ in range(50)]
        for line in lines:
            line.send(b"POST /v1/complaints HTTP/1.1\r\nX: ")
        assert talk.ask(talk.post()).status == 201
        assert all(line.is_closed() for line in lines)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (f"Content-Length: {len(BODY)}", BODY[:10]),
        (f"Content-Length: {len(BODY)}", b""),
        (f"Content-Length: {len(BODY) + 1}", BODY),
        ("Transfer-Encoding: chunked", b"5\r\n" + BODY[:5] + b"\r\n"),
        ("Transfer-Encoding: chunked", f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n"),
    ],
    ids=["half", "nothing", "length-too-long", "half-a-chunked", "chunked-without-end"],
)
def test_a_body_that_stops_coming_is_ended_with_a_408_and_nothing_is_kept(
    talk: Wire, headers: str, body: bytes
) -> None:
    before = talk.kept()
    with talk.line() as line:
        line.send(talk.head("POST", "/v1/complaints", headers) + body)
        answer = line.answer()
        assert answer.status == 408
        assert answer.headers["content-type"] == "application/problem+json"
        assert line.is_closed()
    assert talk.kept() == before


def test_a_client_that_leaves_within_its_body_leaves_nothing_and_holds_no_place(talk: Wire) -> None:
    before = talk.kept()
    for _ in range(2 * MOST_IN_FLIGHT):
        with talk.line() as line:
            line.send(talk.post()[:-5])
    assert talk.ask(talk.post()).status == 201
    assert talk.kept() == before + 1


def test_half_sent_forms_of_strangers_keep_no_complaint_waiting(talk: Wire) -> None:
    with ExitStack() as stack:
        stack.callback(time.sleep, 0.2)  # until the server has seen them go
        for line in [stack.enter_context(talk.line()) for _ in range(MOST_IN_FLIGHT)]:
            line.send(b"POST /masuk HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nnama=")
        time.sleep(0.2)
        assert talk.ask(talk.post()).status == 201


def test_a_length_too_short_is_a_400_that_ends_the_connection(talk: Wire) -> None:
    before = talk.kept()
    with talk.line() as line:
        line.send(talk.head("POST", "/v1/complaints", "Content-Length: 10") + BODY)
        assert line.answer().status == 400
        assert line.is_closed()
    assert talk.kept() == before


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (("Transfer-Encoding: chunked",), b"zz\r\nabc\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"5\r\nabcdefgh\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"-5\r\nabcde\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"fffffffffffffffff\r\nabcde"),
        (("Transfer-Encoding: gzip",), BODY),
        (("Transfer-Encoding: chunked, identity",), BODY),
        (("Transfer-Encoding: chunked", f"Content-Length: {len(BODY)}"), b"0\r\n\r\n"),
        ((f"Content-Length: {len(BODY)}", "Content-Length: 5"), BODY),
        (("Content-Length: -5",), BODY),
        (("Content-Length: lima",), BODY),
        (("Content-Length: 0x10",), BODY),
        ((f"Content-Length: {10**30}",), BODY),
        (("Content-Length : 5",), BODY),
        (("Nama Kepala: 5",), BODY),
        (("X: 1", " lanjutan"), BODY),
        (("X: \0",), BODY),
    ],
)
def test_framing_that_can_mean_two_things_or_nothing_is_a_400_that_ends_the_connection(
    talk: Wire, headers: tuple[str, ...], body: bytes
) -> None:
    before = talk.kept()
    with talk.line() as line:
        line.send(talk.head("POST", "/v1/complaints", *headers) + body)
        assert line.answer().status == 400
        assert line.is_closed()
    assert talk.kept() == before


def test_garbage_in_a_later_chunk_is_a_400_and_nothing_is_kept(talk: Wire) -> None:
    before = talk.kept()
    with talk.line() as line:
        line.send(talk.head("POST", "/v1/complaints", "Transfer-Encoding: chunked") + b"5\r\n" + BODY[:5] + b"\r\n")
        time.sleep(0.05)
        line.send(b"sampah\r\n")
        assert line.answer().status == 400
        assert line.is_closed()
    assert talk.kept() == before


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"text": ' + b'[{"a":' * 5_000 + b"1" + b"}]" * 5_000 + b"}",
        b"[" * 10_000,
    ],
    ids=["lists", "objects", "both-in-the-text", "only-opened"],
)
def test_json_nested_ten_thousand_deep_is_a_400(talk: Wire, body: bytes) -> None:
    assert talk.ask(talk.post(body)).status == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/complaints", b'{"text": "got mampet", "text": "jalan rusak"}'),
        ("/v1/complaints", b'{"text": "got mampet", "text": "got mampet"}'),
        ("/v1/complaints", b'{"text": "got mampet", "t\\u0065xt": "jalan rusak"}'),
        ("/v1/complaints", b'{"text": "got mampet", "lain": {"a": [{"b": 1, "b": 2}]}}'),
        ("/v1/predictions", b'{"complaints": [{"text": "got"}, {"text": "got", "text": "jalan"}]}'),
        ("/v1/predictions", b'{"explain": true, "complaints": [{"text": "got"}], "explain": false}'),
        ("/v1/models/reload", b'{"bundle": "", "bundle": "lain"}'),
        ("/v1/cases/x/returns", b'{"reason": "a", "reason": "b"}'),
        ("/v1/reviews/x/decide", b'{"agency": "a", "agency": "b", "sector": "c", "urgency": 1}'),
    ],
)
def test_a_name_twice_in_one_object_is_a_400_at_any_depth(talk: Wire, path: str, body: bytes) -> None:
    before = talk.kept()
    assert talk.ask(talk.post(body, path)).status == 400
    assert talk.kept() == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/complaints", '{{"text": "got mampet", "title": {}}}'),
        ("/v1/complaints", '{{"text": "got mampet", "lain": {{"a": [1, {}]}}}}'),
        ("/v1/predictions", '{{"complaints": [{{"text": "got"}}], "explain": {}}}'),
        ("/v1/reviews/x/decide", '{{"agency": "a", "sector": "b", "urgency": {}}}'),
    ],
)
def test_numbers_that_json_does_not_have_are_a_400(talk: Wire, path: str, body: str, number: str) -> None:
    assert talk.ask(talk.post(body.format(number).encode(), path)).status == 400


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1.0", "1e0", "2" * 400])
def test_an_urgency_that_is_no_whole_number_of_four_is_a_422(talk: Wire, number: str) -> None:
    body = f'{{"agency": "a", "sector": "b", "urgency": {number}}}'.encode()
    assert talk.ask(talk.post(body, "/v1/reviews/x/decide")).status == 422


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(b"X-%d: a\r\n" % number for number in range(100_000)),
        b"X: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"a" * 2_000_000 + b": 1\r\n\r\n",
        b"Cookie: " + b"a=b; " * 400_000 + b"\r\n\r\n",
    ],
    ids=["many", "one-huge", "huge-name", "cookies"],
)
def test_a_flood_of_headers_is_a_431_or_ends_the_connection(talk: Wire, flood: bytes) -> None:
    with talk.line() as line:
        with suppress(OSError):
            line.send(talk.head()[:-2] + flood)
        with suppress(OSError, AssertionError):
            assert line.answer().status == 431
        assert line.is_closed()


def test_an_address_without_end_is_refused(talk: Wire) -> None:
    with talk.line() as line:
        with suppress(OSError):
            line.send(b"GET /v1/cases/" + b"a" * 2_000_000)
        with suppress(OSError, AssertionError):
            assert line.answer().status in (400, 431)
        assert line.is_closed()


FLOODS = {
    "header": b"POST /v1/complaints HTTP/1.1\r\nHost: x\r\nX: ",
    "address": b"GET /",
    "blank-lines": b"",
    "trailer": b"POST /v1/complaints HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    "trailers": b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    "chunk-extension": b"POST /v1/complaints HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    "body-of-a-stranger": b"POST /v1/complaints HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n",
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_stranger_cannot_fill_the_memory(server: Server, kind: str) -> None:
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    address = urlsplit(server.url)
    piece = {"trailers": b"X-Ekor: 0123456789\r\n" * 3_000, "blank-lines": b"\r\n" * 30_000}.get(kind, b"a" * 65_536)
    before = _resident(status)
    with Line((str(address.hostname), address.port or 0)) as line, suppress(OSError):
        line.send(FLOODS[kind])
        for _ in range(30 * 1024 * 1024 // len(piece)):
            line.send(piece)
            assert _resident(status) - before < 15, "megabytes more than before"
    with Line((str(address.hostname), address.port or 0)) as line:
        line.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.answer().status == 200


def _resident(status: Path) -> float:
    """Megabytes of memory that a process has now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    assert found
    return int(found[1]) / 1024


def test_requests_sent_at_once_are_answered_in_their_order(talk: Wire) -> None:
    before = talk.kept()
    with talk.line() as line:
        line.send(talk.post() + talk.head("GET", "/livez") + talk.head("GET", "/v1/cases/x") + talk.post(b"[]") * 2)
        assert [line.answer().status for _ in range(5)] == [201, 200, 404, 422, 422]
        for number in range(30):
            line.send(talk.post(b'{"text": "got mampet nomor %d"}' % number))
        assert [line.answer().json()["text"] for _ in range(30)] == [f"got mampet nomor {n}" for n in range(30)]
    assert talk.kept() == before + 31


@pytest.mark.parametrize(
    ("more", "status"),
    [
        pytest.param(
            b"GET /livez HTTP/1.1\r\nX: " + b"a" * 2_000_000,
            431,
        ),
        pytest.param(
            b"SAMPAH\r\n\r\n",
            400,
        ),
    ],
    ids=["flood", "garbage"],
)
def test_a_refusal_never_stands_in_the_place_of_an_earlier_answer(talk: Wire, more: bytes, status: int) -> None:
    """Else the intake thinks that its complaint was refused, which was kept, and sends it again."""
    assert talk.ask(talk.post()).status == 201
    before = talk.kept()
    with talk.line() as line:
        with suppress(OSError):
            line.send(talk.post() + more)
        first = line.answer().status
    time.sleep(0.3)
    assert (first, talk.kept() - before) in ((201, 1), (status, 0))
    assert first == 201


@pytest.mark.parametrize("more", [(), ("Expect: 100-continue",)], ids=["plain", "expecting"])
def test_an_upload_that_announces_ten_gigabytes_is_refused_at_once(talk: Wire, more: tuple[str, ...]) -> None:
    with talk.line() as line:
        started = time.monotonic()
        line.send(talk.head("POST", "/v1/complaints", f"Content-Length: {10 * 1024**3}", *more))
        assert line.answer().status == 413
        assert time.monotonic() - started < 5


def test_an_upload_that_is_refused_unread_ends_its_connection(talk: Wire) -> None:
    with talk.line() as line:
        line.send(talk.head("POST", "/v1/complaints", f"Content-Length: {10 * 1024**3}", "Expect: 100-continue"))
        assert line.answer().headers.get("connection") == "close"


@pytest.mark.parametrize(
    ("method", "statuses"),
    [
        ("PUT", {405}),
        ("DELETE", {405}),
        ("PATCH", {405}),
        ("OPTIONS", {405}),
        ("TRACE", {405}),
        ("HEAD", {405}),
        ("PROPFIND", {405}),
        ("CONNECT", {400, 405}),
        ("HAPUS", {400}),
        ("post", {400}),
        ("P" * 1_000, {400}),
    ],
)
def test_a_method_that_no_operation_has_is_refused(talk: Wire, method: str, statuses: set[int]) -> None:
    with talk.line() as line:
        line.send(talk.head(method, "/v1/complaints"))
        head = line.head()  # alone, for a HEAD's length is that of no body
    assert int(head.split()[1]) in statuses


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_http_of_both_versions_is_answered_and_the_old_one_closes(talk: Wire, version: str) -> None:
    with talk.line() as line:
        line.send(talk.post(version=version))
        answer = line.answer()
        assert answer.status == 201
        assert (answer.headers.get("connection") == "close") == (version == "1.0")
        assert version == "1.1" or line.is_closed()


@pytest.mark.parametrize(
    "opening",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez HTTP/3.0\r\n\r\n",
        b"GET /livez SIP/2.0\r\n\r\n",
        bytes.fromhex("16030100a5010000a10303") + b"x" * 50,
        b"\x00" * 100,
        b"GET\r\n\r\n",
        b"GET /livez HTTP/1.1\nHost: x\n\n",
        "GET /é HTTP/1.1\r\n\r\n".encode(),
        b"GET http://x HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_of_http_1_is_a_400_that_ends_the_connection(talk: Wire, opening: bytes) -> None:
    with talk.line() as line:
        line.send(opening)
        assert line.answer().status == 400
        assert line.is_closed()


def test_a_client_that_asks_first_is_told_to_go_on(talk: Wire) -> None:
    whole = talk.post(BODY, "/v1/complaints", "Expect: 100-continue")
    with talk.line() as line:
        line.send(whole[: -len(BODY)])
        assert line.answer().status == 100
        line.send(BODY)
        assert line.answer().status == 201


def test_a_stranger_who_asks_first_is_not_told_to_go_on(talk: Wire) -> None:
    head = f"POST /v1/complaints HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\nExpect: 100-continue\r\n\r\n"
    assert talk.ask(head.encode()).status == 401


def test_a_wish_for_a_websocket_is_answered_as_an_ordinary_request(talk: Wire) -> None:
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")
    assert talk.ask(talk.head("GET", "/livez", *upgrade)).status == 200


def test_a_complaint_with_a_wish_for_http_2_is_taken_in_by_http_1(talk: Wire) -> None:
    """Java's own client wishes so in each first request, unless it is told not to."""
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA")
    assert talk.ask(talk.post(BODY, "/v1/complaints", *upgrade)).status == 201
