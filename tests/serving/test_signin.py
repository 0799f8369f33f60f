"""Signing in and out: cookies, tokens of forms, own pages only, and nothing lost that a moderator typed."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser
from starlette.testclient import TestClient

from data.complaint import Complaint
from serving import signin
from serving.access import Access, Session
from serving.api import Service
from serving.app import create_app
from serving.case import Case, Status, now
from serving.database import open_store
from serving.settings import Settings
from serving.signin import own_path
from serving.triage import Intake, Triage
from tests.serving.clients import PASSWORD
from tests.serving.desk_pages import (
    HEALTH,
    RUBBISH,
    Page,
    checked_page,
    opened_form,
    other_agency,
    suggestion,
    token_of,
)
from tests.serving.processes import Server

MODERATOR = "budi"
NOTE = "Sudah ditelepon;\nwarga menunggu </textarea> kabar."


@pytest.fixture
def first_password(access: Access) -> str:
    """The one-time password of a moderator who has never signed in."""
    return access.create_moderator(MODERATOR, ["review"])


@pytest.fixture
def password(access: Access, first_password: str) -> str:
    """The password of a moderator who has one of their own."""
    access.change_password(MODERATOR, first_password, PASSWORD)
    return PASSWORD


@pytest.fixture
def client(anonymous_client: TestClient, access: Access, password: str) -> TestClient:
    """The client of that moderator, signed in."""
    anonymous_client.cookies.set("disposisi", access.sign_in(MODERATOR, password))
    return anonymous_client


@pytest.fixture
def case(triage: Triage) -> Case:
    return triage.receive(Intake(Complaint(RUBBISH)))


def sign_in(client: TestClient, password: str, name: str = MODERATOR, **more: str) -> httpx2.Response:
    return client.post("/masuk", data={"nama": name, "sandi": password} | more)


def session_of(client: TestClient, access: Access) -> Session | None:
    return access.session(client.cookies.get("disposisi") or "")


def end_session(client: TestClient, access: Access) -> None:
    """As if the session had run out: the cookie stays."""
    access.sign_out(client.cookies["disposisi"])


@pytest.mark.parametrize("path", ["/", "/antrean", "/antrean?urgensi=2&halaman=2", "/kasus/tidak-ada", "/sandi"])
def test_who_is_not_signed_in_is_sent_to_sign_in_and_back_to_the_page_asked_for(
    anonymous_client: TestClient, password: str, path: str
) -> None:
    answer = anonymous_client.get(path)
    assert answer.status_code == 303
    way = answer.headers["location"]
    assert way.startswith("/masuk?lanjut=/")
    [back] = checked_page(anonymous_client.get(way)).hidden("lanjut")
    assert back == path
    answer = sign_in(anonymous_client, password, lanjut=back)
    assert (answer.status_code, answer.headers["location"]) == (303, path)


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("", "https://contoh.example", "//contoh.example", "/\\contoh.example", "\\\\contoh.example", "antrean"),
        *("javascript:alert(1)", "/antrean\r\nSet-Cookie: x=1", "/\t/contoh.example", "/ //x", "/" * 600, "/é"),
    ],
)
def test_after_signing_in_one_is_never_led_elsewhere(
    anonymous_client: TestClient, password: str, elsewhere: str
) -> None:
    assert own_path(elsewhere) == "/antrean"
    assert sign_in(anonymous_client, password, lanjut=elsewhere).headers["location"] == "/antrean"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    anonymous_client: TestClient, access: Access, password: str
) -> None:
    cookie = sign_in(anonymous_client, password).headers["set-cookie"]
    name, *rest = cookie.split("; ")
    assert {part.lower() for part in rest} == {"httponly", "path=/", "samesite=lax"}
    assert name.startswith("disposisi=")
    assert session_of(anonymous_client, access) is not None


def test_behind_tls_the_cookie_is_for_this_host_alone_and_the_desk_knows_it(
    service: Service, access: Access, password: str
) -> None:
    app = create_app(service, access, Settings(secure_cookies=True))
    with TestClient(app, "https://127.0.0.1", follow_redirects=False) as client:
        name, *rest = sign_in(client, password).headers["set-cookie"].split("; ")
        assert name.startswith("__Host-disposisi=")
        assert {part.lower() for part in rest} == {"httponly", "path=/", "samesite=lax", "secure"}
        checked_page(client.get("/antrean"))
        checked_page(client.get("/sandi"))
        token = client.cookies["__Host-disposisi"]
        client.cookies.clear()
        client.cookies.set("disposisi", token)
        assert client.get("/sandi").status_code == client.get("/antrean").status_code == 303


@pytest.mark.parametrize(("name", "sent"), [(MODERATOR, "bukan ini"), ("siapa", PASSWORD), ("", ""), (MODERATOR, "")])
def test_a_wrong_name_or_password_is_told_without_saying_which(
    anonymous_client: TestClient, password: str, name: str, sent: str
) -> None:
    answer = sign_in(anonymous_client, sent, name)
    page = checked_page(answer, 403)
    assert "Nama atau sandi salah." in page.text
    assert "set-cookie" not in answer.headers
    assert not sent or sent not in answer.text


@pytest.fixture
def stopped_clock(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits don't run out while a slow machine tests them."""
    at = now()
    monkeypatch.setattr(access, "_clock", lambda: at)


@pytest.mark.usefixtures("stopped_clock")
def test_too_many_wrong_passwords_make_wait(anonymous_client: TestClient, password: str) -> None:
    for _ in range(3):
        sign_in(anonymous_client, "bukan ini")
    answer = sign_in(anonymous_client, password)
    assert "Tunggu 2 detik" in checked_page(answer, 429).text
    assert answer.headers["retry-after"] == "2"


def test_markup_in_a_name_is_shown_and_never_run(anonymous_client: TestClient) -> None:
    name = '"><script>alert(1)</script>'
    page = checked_page(sign_in(anonymous_client, "bukan ini", name, lanjut=name), 403)
    assert name in [box.get("value") for box in page.every("input")]


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://contoh.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
@pytest.mark.parametrize("path", ["/masuk", "/keluar", "/sandi"])
def test_a_form_sent_from_another_site_is_refused(client: TestClient, path: str, headers: dict[str, str]) -> None:
    form = token_of(client) | {"nama": MODERATOR, "sandi": PASSWORD, "sandi_baru": "x" * 12, "sandi_ulang": "x" * 12}
    page = checked_page(client.post(path, data=form, headers=headers), 403)
    assert "Ditolak" in page.text
    checked_page(client.get("/antrean"))


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x", "text/plain", ""])
@pytest.mark.parametrize("path", ["/masuk", "/keluar", "/sandi"])
def test_a_form_that_can_not_be_read_is_answered_with_a_page(client: TestClient, path: str, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.post(path, content=b"\xff\x00&&=%", headers=headers)
    checked_page(answer, answer.status_code)
    assert answer.status_code in (400, 403)


def test_who_is_signed_in_already_goes_on(client: TestClient) -> None:
    assert client.get("/masuk?lanjut=/kasus/x").headers["location"] == "/kasus/x"


def test_signing_in_anew_ends_the_session_of_before(client: TestClient, access: Access) -> None:
    before = client.cookies["disposisi"]
    assert sign_in(client, PASSWORD).status_code == 303
    assert access.session(before) is None


def test_signing_out_ends_the_session_and_its_cookie(client: TestClient, access: Access) -> None:
    token = client.cookies["disposisi"]
    answer = client.post("/keluar", data=token_of(client))
    assert (answer.status_code, answer.headers["location"]) == (303, "/masuk")
    assert "disposisi=" in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert access.session(token) is None
    client.cookies.set("disposisi", token)
    assert client.get("/antrean").status_code == 303


def test_a_verdict_with_the_token_of_another_or_an_old_session_is_refused_and_its_note_kept(
    client: TestClient, triage: Triage, access: Access, case: Case
) -> None:
    old, other = token_of(client), access.session(access.sign_in(MODERATOR, PASSWORD))
    assert other is not None
    sign_in(client, PASSWORD)
    path = f"/kasus/{case.id}/putusan"
    for token in (old, {"csrf": other.csrf}, {"csrf": ""}, {}, {"csrf": "é"}):
        page = checked_page(client.post(path, data=suggestion(case) | {"catatan": NOTE} | token), 403)
        assert "Halaman ini sudah usang, muat ulang" in page.text
        assert f"/kasus/{case.id}" in [link["href"] for link in page.every("a")]
        assert " ".join(NOTE.split()) in page.text
    assert triage.store.get(case.id) == case
    assert client.post(path, data=opened_form(client, case)).status_code == 303


def test_forms_to_sign_out_and_to_change_the_password_need_the_token_too(client: TestClient) -> None:
    for path in ("/keluar", "/sandi"):
        assert "usang" in checked_page(client.post(path, data={"csrf": "x" * 43}), 403).text
    checked_page(client.get("/antrean"))


def test_a_verdict_typed_while_the_session_ran_out_is_shown_again_after_signing_in(
    client: TestClient, access: Access, triage: Triage, case: Case
) -> None:
    form = opened_form(client, case) | other_agency() | {"catatan": NOTE}
    end_session(client, access)
    page = checked_page(client.post(f"/kasus/{case.id}/putusan", data=form), 401)
    assert " ".join(NOTE.split()) in page.text
    page = checked_page(sign_in(client, "bukan ini", **hidden_fields(page, NOTE)), 403)
    page = checked_page(sign_in(client, PASSWORD, **hidden_fields(page, NOTE)))
    [way] = [action for action in page.forms if action.endswith("/putusan")]
    page = checked_page(client.post(way, data=hidden_fields(page, NOTE)))
    assert page.checked("pilihan") == ["lain"]
    assert page.forms[way]["instansi_lain"] == HEALTH
    assert " ".join(NOTE.split()) in page.text
    assert triage.store.get(case.id) == case
    assert client.post(way, data=form | token_of(client)).status_code == 303
    assert triage.store.get(case.id).status is Status.DECIDED


def test_a_verdict_is_no_way_to_send_a_form_elsewhere(anonymous_client: TestClient, password: str) -> None:
    answer = sign_in(anonymous_client, password, kirim="https://contoh.example/", **{"isi-catatan": "x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/antrean")


def test_passwords_are_never_kept_for_after_signing_in(client: TestClient, access: Access) -> None:
    form = token_of(client) | {"sandi": PASSWORD, "sandi_baru": "rahasia-sekali", "sandi_ulang": "rahasia-sekali"}
    end_session(client, access)
    answer = client.post("/sandi", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/masuk")


def test_a_session_that_was_idle_too_long_is_sent_to_sign_in(
    client: TestClient, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_clock", lambda: now() + timedelta(hours=8, minutes=1))
    assert client.get("/antrean").headers["location"] == "/masuk?lanjut=/antrean"


def test_who_has_a_one_time_password_changes_it_before_anything_else(
    anonymous_client: TestClient, first_password: str, access: Access, triage: Triage, case: Case
) -> None:
    client = anonymous_client
    assert sign_in(client, first_password, lanjut=f"/kasus/{case.id}").status_code == 303
    way = client.get(f"/kasus/{case.id}").headers["location"]
    assert way == f"/sandi?lanjut=/kasus/{case.id}"
    page = checked_page(client.get(way))
    assert "sandi sementara" in page.text
    refused = client.post(f"/kasus/{case.id}/putusan", data=suggestion(case) | token_of(client) | {"catatan": NOTE})
    assert " ".join(NOTE.split()) in checked_page(refused, 403).text
    assert triage.store.get(case.id) == case
    form = {"sandi": first_password, "sandi_baru": PASSWORD, "sandi_ulang": PASSWORD}
    answer = client.post("/sandi", data=hidden_fields(page) | form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/kasus/{case.id}")
    checked_page(client.get(f"/kasus/{case.id}"))


def test_all_that_is_wrong_with_a_new_password_is_told_at_once(client: TestClient, access: Access) -> None:
    form = token_of(client) | {"sandi": "budi", "sandi_baru": "budi", "sandi_ulang": "badu"}
    page = checked_page(client.post("/sandi", data=form), 422)
    for problem in ("paling sedikit 10", "nama pengguna", "berbeda dari sandi sekarang", "Kedua sandi baru tidak sama"):
        assert problem in page.text
    assert "budi" not in [box.get("value") for box in page.every("input") if box.get("type") == "password"]


def test_a_changed_password_keeps_this_browser_in_and_puts_others_out(client: TestClient, access: Access) -> None:
    elsewhere = access.sign_in(MODERATOR, PASSWORD)
    new = {"sandi_baru": "kuda laut menari", "sandi_ulang": "kuda laut menari"}
    wrong = client.post("/sandi", data=token_of(client) | new | {"sandi": "bukan ini"})
    assert "Sandi sekarang salah." in checked_page(wrong, 403).text
    answer = client.post("/sandi", data=token_of(client) | new | {"sandi": PASSWORD})
    assert "Sandi Anda sudah diganti." in checked_page(client.get(answer.headers["location"])).text
    assert access.session(elsewhere) is None
    assert access.sign_in(MODERATOR, "kuda laut menari")


@pytest.mark.usefixtures("stopped_clock")
def test_guessing_the_present_password_makes_wait(client: TestClient) -> None:
    new = {"sandi_baru": "kuda laut menari", "sandi_ulang": "kuda laut menari"}
    answers = [client.post("/sandi", data=token_of(client) | new | {"sandi": f"tebakan {n}"}) for n in range(4)]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 429]
    assert "Tunggu" in checked_page(answers[-1], 429).text


def test_who_may_not_review_sees_no_cases(anonymous_client: TestClient, access: Access, case: Case) -> None:
    access.change_password("rina", access.create_moderator("rina", ["data"]), PASSWORD)
    sign_in(anonymous_client, PASSWORD, "rina")
    assert anonymous_client.get("/antrean").headers["location"] == "/model"
    for path in ("/antrean/jumlah", f"/kasus/{case.id}"):
        page = checked_page(anonymous_client.get(path), 403)
        assert "tidak berhak" in page.text
        assert RUBBISH not in page.text
    assert "Masuk sebagai rina" in checked_page(anonymous_client.get("/sandi")).text


def test_an_admin_may_review(anonymous_client: TestClient, access: Access) -> None:
    access.change_password("rina", access.create_moderator("rina", ["admin"]), PASSWORD)
    sign_in(anonymous_client, PASSWORD, "rina")
    checked_page(anonymous_client.get("/antrean"))


def test_a_moderators_session_is_no_key_to_the_api(client: TestClient) -> None:
    assert client.get("/v1/cases").status_code == 401


def test_a_crowd_of_sign_ins_is_turned_away_beyond_a_short_line(
    anonymous_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "_MOST_IN_LINE", 0)
    answer = sign_in(anonymous_client, PASSWORD)
    assert "Tunggu 10 detik" in checked_page(answer, 429).text


def test_failed_sign_ins_are_counted(access: Access, password: str) -> None:
    failures: list[int] = []
    app = FastAPI()
    app.include_router(signin.signin_routes(access, False, lambda: failures.append(1)))
    with TestClient(app, follow_redirects=False) as client:
        sign_in(client, "bukan ini")
        sign_in(client, password)
    assert len(failures) == 1


@pytest.mark.browser
def test_a_moderator_signs_in_decides_and_signs_out_in_a_browser(browser: Browser, server: Server) -> None:
    """Without scripts, on a phone."""
    with closing(open_store(server._database)) as store:
        first = Access(store).create_moderator("peramban", ["review"])
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()

    def press(what: str) -> None:
        with page.expect_navigation():
            page.click(what)

    page.goto(f"{server.url}/antrean")
    page.fill("#nama", "peramban")
    page.fill("#sandi", first)
    press("main button")
    assert page.url.endswith("/sandi?lanjut=/antrean")
    page.fill("#sandi", first)
    for field in ("#sandi_baru", "#sandi_ulang"):
        page.fill(field, PASSWORD)
    press("main button")
    assert page.inner_text("h1") == "Antrean"
    # Another test's moderator may hold the first case, whose page then has no form.
    for number in range(page.locator(".opening").count()):
        press(f".opening >> nth={number}")
        if page.locator("main form").count() == 1:
            break
        page.goto(f"{server.url}/antrean")
    assert page.locator("main form").count() == 1
    context.clear_cookies()
    page.fill("#catatan", "Sudah ditelepon")
    press("main button")
    assert page.inner_text("h1") == "Masuk"
    assert page.input_value("#catatan") == "Sudah ditelepon"
    page.fill("#nama", "peramban")
    page.fill("#sandi", PASSWORD)
    press("main button")
    press("main button")
    assert page.input_value("#catatan") == "Sudah ditelepon"
    press("main button")
    assert "tersimpan" in page.inner_text(".notice")
    press("header button")
    assert page.url.endswith("/masuk")
    page.go_back()
    assert page.inner_text("h1") in ("Masuk", "Antrean")
    page.goto(f"{server.url}/antrean")
    assert page.inner_text("h1") == "Masuk"
    context.close()


def hidden_fields(page: Page, note: str = "") -> dict[str, str]:
    """The hidden fields of a page's own form, and the note as its visible field sends it."""
    fields = {box["name"]: box["value"] for box in page.every("input") if box.get("type") == "hidden"}
    names = [area["name"] for area in page.every("textarea") if "name" in area]
    return fields | dict.fromkeys(names, note)
