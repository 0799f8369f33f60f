"""Pengaturan in a real browser: the slider says what the table says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from model.bundle import Bundle, load_bundle
from serving.database import open_store
from serving.policy import Rules, read_rules
from tests.serving.clients import PASSWORD, quick_access
from tests.serving.conftest import REGION
from tests.serving.processes import Server
from tests.serving.test_policy import with_evidence

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "cases.db"
    with closing(open_store(str(path))) as store:
        access = quick_access(store)
        access.change_password("kepala", access.create_moderator("kepala", ["admin"]), PASSWORD)
    return path


@pytest.fixture(scope="module")
def server(bundle_folder: Path, database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    proven: Bundle = with_evidence(load_bundle(bundle_folder), 2_000, 0.99)
    folder = tmp_path_factory.mktemp("proven") / "bundle"
    proven.save(folder)
    with Server(folder, database) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(locale="id-ID", viewport={"width": 1280, "height": 900}, base_url=server.url)
    context.set_default_timeout(15_000)
    opened = context.new_page()
    opened.goto("/masuk")
    opened.fill("#nama", "kepala")
    opened.fill("#sandi", PASSWORD)
    opened.press("#sandi", "Enter")
    opened.wait_for_url("**/antrean*")
    yield opened
    context.close()


def test_the_slider_says_of_each_target_what_the_table_says(page: Page) -> None:
    page.goto("/pengaturan")
    rows = page.locator("#semua-target tbody tr")
    slider = page.locator("#geser-target")
    slider.focus()
    page.keyboard.press("Home")
    for place in range(rows.count()):
        name, _, _, words = rows.nth(place).locator("th, td").all_text_contents()
        assert page.locator("#janji").text_content() == words
        assert (slider.get_attribute("aria-valuetext"), page.locator("#nama-target").text_content()) == (name, name)
        assert page.locator("#target-dipakai").input_value() == rows.nth(place).get_attribute("data-target")
        page.keyboard.press("ArrowRight")


def test_the_target_that_the_slider_shows_is_the_one_that_is_taken(page: Page, database: Path) -> None:
    page.goto("/pengaturan")
    page.locator("#geser-target").focus()
    page.keyboard.press("End")
    page.fill("#alasan-target", "Sampai data tahun ini diperiksa")
    page.press("#alasan-target", "Enter")
    page.wait_for_url("**tersimpan=target")
    assert "99,5" in (page.locator(".history").text_content() or "")
    with closing(open_store(str(database))) as store:
        assert read_rules(store) == {REGION: Rules(0.995)}
