"""What many tests need: the sample corpus, a bundle trained on it, and the real complaints where they are at hand."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from data.complaint import LabelledRow
from data.rows import read_rows
from training.fitting import Training, fit
from training.recipe import find_recipe

BROWSER_OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "data" / "samples" / "kab-tangerang.csv"
SHARED = ROOT.parent / "shared"


# What takes long and seldom finds what the rest doesn't: `make thorough` runs it, `make test` leaves it out.
_THOROUGH = (
    "test_fitting.py::test_the_same_rows_give_the_same_arrays[encoder]",
    "test_bundle.py::test_the_samples_get_scikit_learns_probabilities",
    "test_areas.py::test_nine_in_ten_real_complaints",
    "test_stemming.py::test_every_token_of_the_real_complaints",
    "test_features.py::test_every_sample_has_scikit_learns_features",
    "test_command.py::test_evaluate",
    "test_command.py::test_threshold",
    "test_command.py::test_train_names_pysastrawi_where_its_roots_are_missing[no package]",
    "test_command.py::test_train_names_pysastrawi_where_its_roots_are_missing[another package]",
    "test_command.py::test_train_names_pysastrawi_where_its_roots_are_missing[empty roots]",
    "test_evaluation.py::",
    "test_report.py::",
    "test_loop.py::test_six_corrections",
    "test_desk_by_keyboard.py::test_many_cases_are_decided_by_keyboard_alone[50]",
    "test_desk_by_keyboard.py::test_two_browsers_on_one_queue_decide_every_case_once[200]",
    "test_encoder.py::",
    "test_fitting.py::test_a_recipes_text_steps_are_the_bundles[encoder]",
    "test_bundle.py::test_hundreds_of_real_complaints",
    "test_bundle.py::test_a_recipe_without_some_steps_gets_scikit_learns_probabilities",
    "test_text.py::test_hostile_text",
    "test_server.py::test_a_bundle_that_is_not_as_it_was_made_stops_the_start[set_format",
    "test_server.py::test_a_bundle_that_is_not_as_it_was_made_stops_the_start[make_",
    "test_server.py::test_a_bundle_that_is_not_as_it_was_made_stops_the_start[drop_checksum",
    "test_server.py::test_a_bundle_that_is_not_as_it_was_made_stops_the_start[cut_manifest",
    "test_server.py::test_the_address_it_prints_is_one_that_answers[::1]",
    "test_outbox.py::test_attempts_back_off_for_three_days_then_the_event_is_given_up_and_can_be_retried[postgresql]",
    "test_settings_in_a_browser.py::test_the_slider_says_of_each_target_what_the_table_says",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is thorough."""
    for item in items:
        if any(name in item.nodeid for name in _THOROUGH):
            item.add_marker(pytest.mark.thorough)


@pytest.fixture(scope="session")
def shared_datasets() -> Path:
    """The folder of real complaints, which never is part of the repository."""
    folder = SHARED / "datasets"
    if not folder.is_dir():
        pytest.skip("the real complaints (shared/datasets beside the checkout) are not here")
    return folder


@pytest.fixture(scope="session")
def sample_rows() -> Sequence[LabelledRow]:
    """The sample corpus."""
    return read_rows([SAMPLES], "kab-tangerang").rows


@pytest.fixture(scope="session")
def training(sample_rows: Sequence[LabelledRow]) -> Training:
    """A training on the whole sample corpus, in two folds, which take half as long as five."""
    return fit(sample_rows, replace(find_recipe("default"), folds=2), "kab-tangerang")


@pytest.fixture(scope="session")
def bundle_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That training's bundle on disk, one for all processes of a run. Copy it before changing anything in it."""
    own = tmp_path_factory.getbasetemp()
    place = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = place / "bundles" / "samples"
    folder.parent.mkdir(exist_ok=True)
    with (place / "bundles.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            training: Training = request.getfixturevalue("training")
            training.bundle.save(folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium. Where it is missing the tests are skipped, but on CI they fail."""
    with sync_playwright() as playwright:
        opened = launch_browser(playwright)
        yield opened
        opened.close()


def launch_browser(playwright: Playwright) -> Browser:
    """A browser of one's own."""
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "chromium is not installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return playwright.chromium.launch(executable_path=chromium, args=BROWSER_OPTIONS)
