"""Whatever is sent, the service answers with a case or with a problem document, and never tells a citizen's words."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from data.region import known_regions
from model.characters import repair
from serving.schemas import LONGEST_TEXT
from serving.settings import Settings
from tests.serving.problems import errors_in, fields_in, problem_in
from tests.serving.processes import Server

_LARGEST = Settings().largest_body_bytes
JSON = {"content-type": "application/json"}
MARKER = "kecapung7491"
NOT_JSON = "The body can't be read as JSON. Nothing was kept; send one JSON object, in UTF-8."


def send(server: Server, body: Any, path: str = "/v1/complaints") -> httpx.Response:
    """Post a body as JSON, halves of characters and NaN included, which httpx itself would refuse."""
    return send_bytes(server, json.dumps(body).encode(), path)


def send_bytes(
    server: Server, body: bytes, path: str = "/v1/complaints", headers: dict[str, str] = JSON
) -> httpx.Response:
    return server.post(path, content=body, headers=headers, timeout=30)


def accepted(server: Server, text: str) -> dict[str, Any]:
    """The case that a text became, which must read back with that text, its characters put right."""
    answer = send(server, {"text": text})
    assert answer.status_code == 201, answer.text[:500]
    case: dict[str, Any] = server.get(answer.headers["location"]).json()
    assert case == answer.json()
    assert case["text"] == repair(text)
    return case


@pytest.mark.parametrize("text", ["", " ", "\n\t \r\n", "\u00a0\u2003"])
def test_an_empty_or_blank_text_is_refused(server: Server, text: str) -> None:
    [error] = errors_in(send(server, {"text": text}))
    assert set(error) == {"field", "expected"}
    assert error["field"] == "text"


def test_a_missing_text_is_refused(server: Server) -> None:
    assert fields_in(send(server, {"title": "Jalan"})) == ["text"]


def test_one_character_waits_for_a_person(server: Server) -> None:
    case = accepted(server, "p")
    assert (case["status"], case["prediction"]["outcome"]) == ("waiting", "review")


@pytest.mark.parametrize("text", ["a" * LONGEST_TEXT, "got mampet " * (LONGEST_TEXT // 11), "😀" * LONGEST_TEXT])
def test_the_longest_text_is_taken_in_whole(server: Server, text: str) -> None:
    accepted(server, text)


def test_a_text_over_the_longest_is_refused(server: Server) -> None:
    [error] = errors_in(send(server, {"text": "a" * (LONGEST_TEXT + 1)}))
    assert set(error) == {"field", "expected"}
    assert error["field"] == "text"
    assert str(LONGEST_TEXT) in error["expected"]


@pytest.mark.parametrize("code", [0x00, 0x01, 0x07, 0x08, 0x0E, 0x1B, 0x1F, 0x7F, 0xD800, 0xDFFF])
@pytest.mark.parametrize("field", ["text", "title", "location"])
def test_what_is_not_text_is_refused_by_its_place(server: Server, code: int, field: str) -> None:
    body = {"text": "got mampet", field: f"got{chr(code)}mampet"}
    [error] = errors_in(send(server, body))
    assert error["field"] == field
    assert f"character 4 is U+{code:04X}" in error["expected"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"channel": "\ud800"}, "channel"),
        ({"region": "\ud800"}, "region"),
        ({"confidentiality": "\udfff"}, "confidentiality"),
        ({"received_at": "\ud800"}, "received_at"),
    ],
)
def test_half_a_character_in_any_field_is_refused(server: Server, body: dict[str, str], field: str) -> None:
    assert fields_in(send(server, {"text": "got mampet", **body})) == [field]


def test_half_a_character_in_a_name_of_a_field_is_refused(server: Server) -> None:
    assert len(errors_in(send(server, {"text": "got mampet", "\ud800": 1}))) == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "got \xff\xfe mampet"}',
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b'{"text": ',
        b"teks biasa",
        b'{"text": "got"} lagi',
        b"[" * 10_000 + b"]" * 10_000,
        b'{"text": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"text": ' + b"9" * 5_000 + b"}",
    ],
    ids=["not-utf8", "picture", "cut-off", "not-json", "more-than-json", "deep-list", "deep-text", "huge-number"],
)
def test_a_body_that_cannot_be_read_as_json_is_a_400(server: Server, body: bytes) -> None:
    problem = problem_in(send_bytes(server, body), 400)
    assert "errors" not in problem
    assert problem["detail"] == NOT_JSON


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"text": NaN}', "NaN or Infinity"),
        (b'{"text": "got", "channel": Infinity}', "NaN or Infinity"),
        (b'{"text": "got", "received_at": -Infinity}', "NaN or Infinity"),
        (b"NaN", "NaN or Infinity"),
        (b'{"text": "got", "text": "mampet"}', "a name twice in one object"),
    ],
)
def test_a_body_that_could_mean_two_things_is_a_400_that_says_so(server: Server, body: bytes, reason: str) -> None:
    assert problem_in(send_bytes(server, body), 400)["detail"] == f"{NOT_JSON} It has {reason}."


def test_a_body_nested_as_deep_as_can_be_read_is_refused_by_its_field(server: Server) -> None:
    body = b'{"text": ' + b"[" * 500 + b"]" * 500 + b"}"
    assert fields_in(send_bytes(server, body)) == ["text"]


def test_emoji_alone_are_a_case_that_nobody_but_a_person_can_read(server: Server) -> None:
    case = accepted(server, "😡😡🔥")
    assert (case["status"], case["prediction"]["outcome"]) == ("waiting", "review")
    assert "unreadable" in [reason["code"] for reason in case["prediction"]["reasons"]]


@pytest.mark.parametrize(
    "text",
    [
        "The street lamp at our corner has been broken for two weeks, please mend it",
        "المصباح في شارعنا لا يعمل منذ أسبوعين",
        "路灯坏了两个星期",
        "ꦗꦭꦤ꧀ꦫꦸꦱꦏ꧀",
        "<script>alert(1)</script>",
        "'; DROP TABLE cases; --",
        "{{ 7 * 7 }} ${7*7} %s %n",
        "e\u0301\u200b\u202eterbalik\u202c",
        "=1+1",
    ],
)
def test_a_text_in_another_tongue_or_meant_to_harm_is_a_case(server: Server, text: str) -> None:
    case = accepted(server, text)
    assert case["prediction"]["outcome"] in ("auto", "review")


def test_arabic_waits_for_a_person_because_nothing_in_it_is_known(server: Server) -> None:
    case = accepted(server, "المصباح في شارعنا لا يعمل منذ أسبوعين")
    assert case["status"] == "waiting"
    assert "unreadable" in [reason["code"] for reason in case["prediction"]["reasons"]]


def test_an_unknown_region_is_refused_with_the_known_ones(server: Server) -> None:
    [error] = errors_in(send(server, {"text": "got mampet", "region": "bogor"}))
    assert (error["field"], error["value"]) == ("region", "bogor")
    assert all(code in error["expected"] for code in known_regions())


def test_each_bad_complaint_of_a_batch_is_named_by_its_place(server: Server) -> None:
    complaints = [{"text": "got mampet"}, {"text": ""}, {"text": "got", "region": "bogor"}, {"teks": "got"}]
    answer = send(server, {"complaints": complaints}, "/v1/predictions")
    assert fields_in(answer) == ["complaints.1.text", "complaints.2.region", "complaints.3.teks", "complaints.3.text"]


def test_an_unknown_field_is_refused_by_its_name(server: Server) -> None:
    [error] = errors_in(send(server, {"text": "got mampet", "prioritas": 3}))
    assert (error["field"], error["expected"]) == ("prioritas", "no such field: leave it out")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": 12}, "text"),
        ({"text": None}, "text"),
        ({"text": ["got", "mampet"]}, "text"),
        ({"text": {"isi": "got"}}, "text"),
        ({"text": True}, "text"),
        ({"text": "got", "title": 5}, "title"),
        ({"text": "got", "location": None}, "location"),
        ({"text": "got", "region": 3603}, "region"),
        ({"text": "got", "confidentiality": "umum"}, "confidentiality"),
        ({"text": "got", "confidentiality": 1}, "confidentiality"),
        ({"text": "got", "received_at": 1_700_000_000}, "received_at"),
        ({"text": "got", "received_at": "kemarin"}, "received_at"),
        ({"text": "got", "channel": "x" * 65}, "channel"),
        ({"text": "got", "title": "x" * 501}, "title"),
        ([], "body"),
        ([{"text": "got"}], "body"),
        ("got mampet", "body"),
        (None, "body"),
        (17, "body"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_its_field(server: Server, body: Any, field: str) -> None:
    assert fields_in(send(server, body)) == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"complaints": "got mampet"}, "complaints"),
        ({"complaints": {"text": "got"}}, "complaints"),
        ({"complaints": ["got mampet"]}, "complaints.0"),
        ({"complaints": [{"text": "got"}], "explain": "ya"}, "explain"),
        ({"complaints": [{"text": "got"}], "explain": 1}, "explain"),
        ({"complaints": [{"text": "got", "channel": "WhatsApp"}]}, "complaints.0.channel"),
    ],
)
def test_a_batch_of_the_wrong_shape_is_refused_by_its_field(server: Server, body: Any, field: str) -> None:
    assert fields_in(send(server, body, "/v1/predictions")) == [field]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/v1/complaints", {"text": "got", "prioritas": 3}, "no such field: leave it out"),
        ("/v1/complaints", {"title": "got"}, "this field, which is missing"),
        ("/v1/complaints", {"text": 12}, "text in quotes"),
        ("/v1/complaints", {"text": None}, "text in quotes"),
        ("/v1/complaints", {"text": ""}, "at least 1 character"),
        ("/v1/complaints", {"text": "got", "channel": "x" * 65}, "at most 64 characters; this has 65"),
        ("/v1/complaints", [], "one JSON object, sent as Content-Type: application/json"),
        (
            "/v1/complaints",
            {"text": "got", "received_at": "2026-02-03T09:30:00"},
            "a time with its zone, such as 2026-11-24T08:15:00+07:00",
        ),
        ("/v1/complaints", {"text": "got", "received_at": 17}, "a time such as 2026-11-24T08:15:00+07:00"),
        ("/v1/predictions", {"complaints": "got"}, "a list"),
        ("/v1/predictions", {"complaints": []}, "a list of 1 to 1000 items"),
        ("/v1/predictions", {"complaints": [{"text": "got"}] * 1001}, "a list of 1 to 1000 items"),
        ("/v1/predictions", {"complaints": [{"text": "got"}], "explain": "ya"}, "true or false"),
    ],
)
def test_what_was_expected_is_told_in_plain_words(server: Server, path: str, body: Any, expected: str) -> None:
    [error] = errors_in(send(server, body, path))
    assert error["expected"] == expected


def test_an_empty_body_is_refused(server: Server) -> None:
    assert fields_in(send_bytes(server, b"")) == ["body"]


def test_all_problems_of_a_complaint_are_told_at_once(server: Server) -> None:
    body = {"text": " ", "title": 7, "region": "bogor", "prioritas": 1, "received_at": "besok", "channel": "x" * 65}
    assert fields_in(send(server, body)) == sorted(body)


def test_a_time_without_a_zone_is_refused_and_one_with_a_zone_is_not(server: Server) -> None:
    assert fields_in(send(server, {"text": "got", "received_at": "2026-02-03T09:30:00"})) == ["received_at"]
    assert send(server, {"text": "got", "received_at": "2026-02-03T09:30:00+07:00"}).status_code == 201


@pytest.mark.parametrize("headers", [{"content-type": "text/plain"}, {"content-type": "application/x-json"}, {}])
def test_a_body_that_does_not_call_itself_json_is_refused(server: Server, headers: dict[str, str]) -> None:
    assert fields_in(send_bytes(server, b'{"text": "got mampet"}', headers=headers)) == ["body"]


def test_a_body_that_announces_more_than_the_limit_is_refused_unread(server: Server) -> None:
    address = urlsplit(server.url)
    head = (
        f"POST /v1/complaints HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {server.key}\r\nContent-Type: application/json\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {_LARGEST + 1}\r\n\r\n".encode())
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"content-type: application/problem+json" in answer.lower()


def test_a_body_that_grows_over_the_limit_without_announcing_it_is_refused(server: Server) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(4):
            yield b" " * (_LARGEST // 4)
        yield b" "

    answer = server.post("/v1/complaints", content=chunks(), headers=JSON, timeout=30)
    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert str(_LARGEST) in problem_in(answer, 413)["detail"]


def test_a_body_of_just_the_limit_is_read(server: Server) -> None:
    body = b'{"text": "got mampet"}'
    assert send_bytes(server, body.rjust(_LARGEST)).status_code == 201


BAD_BODIES = {
    "control": {"text": f"{MARKER}\x00"},
    "half": {"text": f"{MARKER}\ud800"},
    "long": {"text": MARKER * 2_000},
    "title": {"text": "got", "title": MARKER * 50},
    "location": {"text": "got", "location": f"{MARKER}\x07"},
    "list": {"text": [MARKER]},
    "other-language": {"isi": MARKER},
    "capital": {"Text": MARKER},
    "both": {"text": "got", "isi_laporan": MARKER},
    "nested": {"laporan": {"text": MARKER}},
    "bare": MARKER,
    "bare-list": [MARKER],
}
BAD_BATCHES = {
    "batch-bare": MARKER,
    "batch-text": {"complaints": MARKER},
    "batch-of-texts": {"complaints": [MARKER]},
    "batch-unknown": {"complaints": [{"isi": MARKER}]},
    "batch-beside": {"complaints": [{"text": "got"}], "text": MARKER},
}
REFUSALS = [("/v1/complaints", body) for body in BAD_BODIES.values()] + [
    ("/v1/predictions", body) for body in BAD_BATCHES.values()
]


@pytest.mark.parametrize(("path", "body"), REFUSALS, ids=[*BAD_BODIES, *BAD_BATCHES])
def test_a_problem_document_never_repeats_what_a_citizen_wrote(server: Server, path: str, body: Any) -> None:
    answer = send(server, body, path)
    assert errors_in(answer)
    assert MARKER not in answer.text


@pytest.mark.parametrize("body", [f'{{"text": "{MARKER}', f"{MARKER}", f'{{"text": "{MARKER}"}}'])
def test_a_problem_document_never_repeats_a_body_that_it_cannot_read(server: Server, body: str) -> None:
    headers = {"content-type": "text/plain"} if body.endswith("}") else JSON
    answer = send_bytes(server, body.encode(), headers=headers)
    assert answer.status_code in (400, 422)
    assert MARKER not in answer.text


def test_the_server_prints_nothing_of_what_citizens_and_moderators_wrote(bundle_folder: Path, tmp_path: Path) -> None:
    with Server(bundle_folder, tmp_path / "cases.db") as server:
        created = send(server, {"text": f"Got mampet {MARKER}", "title": MARKER, "location": MARKER})
        assert created.status_code == 201
        for path, body in REFUSALS:
            send(server, body, path)
        send(server, {"text": MARKER, "\ud800": MARKER})
        send_bytes(server, f'{{"text": "{MARKER}'.encode())
        send_bytes(server, MARKER.encode(), headers={"content-type": "text/plain"})
        page, cookie = f"/kasus/{created.json()['id']}", server.sign_in()
        csrf = re.findall(r'name="csrf" value="([^"]+)"', server.get(page, cookies=cookie).text)[0]
        sent = {"pilihan": MARKER, "catatan": MARKER, "csrf": csrf}
        server.post(f"{page}/putusan", data=sent, cookies=cookie)
        sent |= {"pilihan": "dbmsda/public-works", "urgensi": "1"}
        assert server.post(f"{page}/putusan", data=sent, cookies=cookie).status_code == 303
    assert "Listening on" in server.output
    assert MARKER not in server.output
    assert "Traceback" not in server.output
