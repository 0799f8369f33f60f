"""The desk in real browsers with its script: keys for everything, nobody's work lost or done twice, no barrier."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import delete, select, update

from serving.case import Status
from serving.database import open_store
from serving.tables import cases, claims, reviews
from tests.conftest import launch_browser
from tests.serving.clients import PASSWORD, quick_access
from tests.serving.processes import Server

pytestmark = pytest.mark.browser

TEXTS = (
    "Lampu jalan di RT {n} mati sudah dua minggu, gelap sekali",
    "Sampah di gang {n} belum diangkut sejak hari Senin",
    "Jalan depan rumah nomor {n} berlubang dan sering membuat motor jatuh",
    "KTP saya yang diurus di loket {n} belum jadi juga",
    "Air PDAM di blok {n} keruh dan berbau",
)
EMERGENCY = "Kebakaran di gudang Pasar Kemis, api membesar dan ada orang terjebak, tolong kirim damkar"
# 1280 px at a zoom of 200 % leaves a page 640.
WIDTHS = (1280, 640, 390, 320)
AXE_WIDTHS = (1280, 390)
# What reaches beyond the window, other than in a box that scrolls by itself.
OVER = """
    [...document.querySelectorAll('main *')]
        .filter(e => e.checkVisibility() && !e.closest('datalist, svg, .scroll, .wide'))
        .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map(e => e.outerHTML.slice(0, 120)).slice(0, 3)
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("desk") / "cases.db"
    for name in ("budi", "sari", "tono"):
        add_moderator(path, name)
    return path


@pytest.fixture(scope="module")
def running(bundle_folder: Path, database: Path) -> Iterator[Server]:
    with Server(bundle_folder, database) as server:
        yield server


@pytest.fixture
def server(running: Server, database: Path) -> Server:
    """The running server, with nothing in its queue."""
    with closing(open_store(str(database))) as store, store.writing() as connection:
        connection.execute(update(cases).values(queued=False, status=Status.DECIDED.value))
        connection.execute(delete(claims))
        connection.execute(delete(reviews))
    return running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="id-ID", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def take_in(server: Server, count: int) -> list[str]:
    with server.client() as client:
        answers = [
            client.post("/v1/complaints", json={"text": TEXTS[n % len(TEXTS)].format(n=n), "location": "Curug"})
            for n in range(count)
        ]
    assert {answer.status_code for answer in answers} == {201}
    return [answer.json()["id"] for answer in answers]


def add_moderator(database: Path, name: str, *scopes: str) -> None:
    with closing(open_store(str(database))) as store:
        access = quick_access(store)
        access.change_password(name, access.create_moderator(name, list(scopes or ["review"])), PASSWORD)


def sign_in(page: Page, server: Server, name: str) -> None:
    """As a person does it, without a mouse."""
    page.goto(f"{server.url}/masuk")
    page.locator("input[name=nama]").focus()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/antrean")


def press(page: Page, *keys: str) -> int:
    """Press keys that lead to another page; how many they are."""
    # The desk takes no key for what has only just come.
    page.wait_for_timeout(max(0, 420 - page.evaluate("performance.now()")))
    with page.expect_navigation():
        for key in keys:
            page.keyboard.press(key)
    return len(keys)


def reviewers(database: Path) -> list[tuple[str, str]]:
    """Case and reviewer of every review."""
    with closing(open_store(str(database))) as store, store.reading() as connection:
        return [(row.case_id, row.reviewer) for row in connection.execute(select(reviews))]


def held(database: Path) -> list[str]:
    """The cases that somebody is at work on."""
    with closing(open_store(str(database))) as store, store.reading() as connection:
        return list(connection.scalars(select(claims.c.case_id)))


@pytest.mark.parametrize("count", [20, 50])
def test_many_cases_are_decided_by_keyboard_alone(page: Page, server: Server, database: Path, count: int) -> None:
    wanted = set(take_in(server, count))
    sign_in(page, server, "budi")
    press(page, "m")
    presses = []
    for number in range(count):
        assert "/kasus/" in page.url
        # Most are confirmed; now and then the second choice is right, or more urgent, or it is another's business.
        keys = {7: ("2", "Enter"), 12: ("t", "z", "Enter"), 17: ("a", "x", "Enter")}.get(number, ("Enter",))
        presses.append(press(page, *keys))
        assert "tersimpan" in page.get_by_role("status").inner_text()
    assert median(presses) <= 3
    assert page.get_by_text("Tidak ada laporan yang menunggu putusan.").is_visible()
    done = reviewers(database)
    assert {case for case, _ in done} == wanted
    assert len(done) == count
    sources = Counter(server.get(f"/v1/cases/{case}").json()["review"]["kind"] for case in wanted)
    assert sources == {"dispose": count - 1, "archive": 1}


def work_through(url: str, database: Path, name: str, problems: list[str]) -> None:
    """Decide whatever comes until nothing is left, in a browser of one's own."""
    try:
        with sync_playwright() as playwright:
            browser = launch_browser(playwright)
            page = browser.new_page()
            page.set_default_timeout(30_000)
            server = Server.__new__(Server)
            server.url = url
            sign_in(page, server, name)
            press(page, "m")
            while "/kasus/" in page.url:
                press(page, "Enter")
            browser.close()
    except Exception as error:
        problems.append(f"{name}: {error!r}")


@pytest.mark.parametrize("count", [60, 200])
def test_two_browsers_on_one_queue_decide_every_case_once(server: Server, database: Path, count: int) -> None:
    wanted, names, problems = take_in(server, count), ("sari", "tono"), list[str]()
    threads = [Thread(target=work_through, args=(server.url, database, name, problems)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    done = reviewers(database)
    assert Counter(case for case, _ in done) == dict.fromkeys(wanted, 1)
    assert {who for _, who in done} == {"moderator:sari", "moderator:tono"}
    with closing(open_store(str(database))) as store:
        assert store.count(Status.WAITING) == 0
    assert held(database) == []


def test_a_verdict_is_undone_by_one_key(page: Page, server: Server, database: Path) -> None:
    take_in(server, 2)
    sign_in(page, server, "budi")
    press(page, "m")
    first = page.url
    press(page, "Enter")
    press(page, "u")
    assert page.url.partition("?")[0] == first.partition("?")[0]
    assert page.get_by_text("Putusan diurungkan.").is_visible()
    case_id = first.rpartition("/")[2].partition("?")[0]
    assert server.get(f"/v1/cases/{case_id}").json()["status"] == "waiting"


def test_a_case_is_held_while_it_is_open_and_let_go_when_it_is_left(
    page: Page, browser: Browser, server: Server, database: Path
) -> None:
    [case_id] = take_in(server, 1)
    sign_in(page, server, "budi")
    press(page, "m")
    assert held(database) == [case_id]
    other = browser.new_page()
    sign_in(other, server, "sari")
    assert other.get_by_text("sedang dikerjakan budi").is_visible()
    other.goto(f"{server.url}/kasus/{case_id}")
    assert other.get_by_text("Sedang dikerjakan budi sampai").is_visible()
    assert other.locator("#formulir").count() == 0
    press(page, "Escape")
    for _ in range(50):
        if not held(database):
            break
        time.sleep(0.1)
    other.reload()
    assert other.locator("#formulir").count() == 1
    other.close()


def test_letters_are_no_keys_while_one_types_or_has_turned_them_off(page: Page, server: Server, database: Path) -> None:
    take_in(server, 1)
    sign_in(page, server, "budi")
    press(page, "m")
    note = page.get_by_label("Catatan")
    page.keyboard.press("n")
    page.keyboard.type("warga dekat jalan raya")
    assert note.input_value() == "warga dekat jalan raya"
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    assert page.get_by_label("Instansi pemerintah lain").is_visible()
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.get_by_label("Pakai pintasan satu huruf").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    assert page.get_by_label("Instansi pemerintah lain").is_visible()
    assert note.input_value() == "warga dekat jalan raya"


def test_pressed_twice_a_verdict_is_sent_once_and_the_back_button_shows_what_became_of_it(
    page: Page, server: Server, database: Path
) -> None:
    [case_id] = take_in(server, 1)
    sign_in(page, server, "budi")
    press(page, "m")
    with page.expect_navigation():
        page.evaluate("for (let n = 0; n < 3; n++) document.getElementById('simpan').click()")
    assert len(reviewers(database)) == 1
    page.go_back()
    page.wait_for_load_state()
    assert page.get_by_text("Sudah diputuskan").first.is_visible()
    assert page.locator("#formulir").count() == 0
    assert case_id in page.url


def test_a_key_held_down_decides_one_case(page: Page, server: Server, database: Path) -> None:
    take_in(server, 4)
    sign_in(page, server, "budi")
    press(page, "m")
    page.wait_for_timeout(500)
    # Held down, a key repeats some thirty times a second.
    page.keyboard.down("Enter")
    for _ in range(30):
        page.wait_for_timeout(33)
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.wait_for_load_state()
    assert len(reviewers(database)) == 1


def test_a_page_that_is_loaded_anew_keeps_its_case(page: Page, server: Server, database: Path) -> None:
    [case_id] = take_in(server, 1)
    sign_in(page, server, "budi")
    press(page, "m")
    for _ in range(3):
        page.reload()
        page.wait_for_timeout(300)
        assert held(database) == [case_id]
    press(page, "Enter")
    assert [case for case, _ in reviewers(database)] == [case_id]


@pytest.fixture(scope="module")
def pages(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, list[str]]]:
    """A server with cases in every state, and the paths of all pages."""
    database = tmp_path_factory.mktemp("pages") / "cases.db"
    add_moderator(database, "kepala", "review", "admin")
    with Server(bundle_folder, database) as server:
        waiting, decided, taken, doubled, *_ = take_in(server, 12)
        emergency = server.post("/v1/complaints", json={"text": EMERGENCY}).json()["id"]
        wide = server.post(
            "/v1/complaints",
            json={"text": "panjang" * 60 + " 😡" * 90, "title": "TanpaSpasi" * 45, "channel": "W" * 60},
        ).json()["id"]
        again = server.post("/v1/complaints", json={"text": TEXTS[3].format(n=3), "location": "Curug"}).json()["id"]
        verdict = {"agency": "dlhk", "sector": "environment", "urgency": 3, "note": "catatan" * 50}
        assert server.post(f"/v1/reviews/{decided}/decide", json=verdict).status_code == 200
        assert server.post(f"/v1/cases/{decided}/returns", json={"reason": "Bukan" * 40}).status_code == 201
        assert server.post(f"/v1/reviews/{doubled}/decide", json=verdict).status_code == 200
        assert server.post(f"/v1/reviews/{taken}/claim").status_code == 200
        cases = [f"/kasus/{case}" for case in (waiting, decided, taken, doubled, emergency, wide, again)]
        lists = ["/antrean", "/antrean?urgensi=1", "/laporan", "/papan", "/papan?hari=365", "/pengaturan"]
        yield server, [*lists, *cases, "/bantuan", "/sandi", "/model", "/kasus/tidak-ada", "/cari?nomor=x"]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_has_a_barrier_or_is_wider_than_the_window(
    browser: Browser, pages: tuple[Server, list[str]], width: int
) -> None:
    server, paths = pages
    context = browser.new_context(viewport={"width": width, "height": 900}, locale="id-ID")
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url.partition("://")[2].partition("/")[0]))
    axe = Axe() if width in AXE_WIDTHS else None
    found, sizes = dict[str, object](), dict[str, int]()
    page.goto(f"{server.url}/masuk")
    check(page, axe, "/masuk", found)
    sign_in(page, server, "kepala")
    for path in paths:
        answer = page.goto(server.url + path)
        assert answer is not None
        sizes[path] = len(answer.body())
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        check(page, axe, path, found)
    page.goto(server.url + paths[6])
    page.keyboard.press("w")
    check(page, axe, "refused", found)
    page.keyboard.press("?")
    check(page, axe, "shortcuts", found)
    context.close()
    assert found == {}
    assert {path: size for path, size in sizes.items() if size >= 60_000} == {}
    assert asked == {server.url.partition("://")[2]}
    assert [error for error in errors if "404" not in error] == []


def check(page: Page, axe: Axe | None, name: str, found: dict[str, object]) -> None:
    """Add to what was found: barriers (with `axe`), and how far the page is wider than the window."""
    for violation in axe.run(page).response["violations"] if axe else []:
        found[f"{name} {violation['id']}"] = [node["html"][:160] for node in violation["nodes"][:3]]
    over = page.evaluate(OVER)
    if over or page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found[f"{name} too wide"] = over
