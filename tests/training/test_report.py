"""The report of an evaluation: what page, numbers and card hold, what they must not, and how the page looks."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

import disposisi
from data.complaint import LabelledRow
from data.errors import OutputExists, TooFewRows
from data.region import load_region
from model.bundle import Bundle
from tests.conftest import ROOT
from tests.training.test_evaluation import make_bundle, make_row, numbered
from training import learning
from training.answers import answer_rows
from training.charts import both, curve_chart
from training.evaluation import measure
from training.fitting import Training
from training.learning import LearningCurve, LearningStep, learning_curve
from training.quality import confusions, costs_of, curve_of, sector_qualities
from training.reliability import FEWEST_IN_BIN, reliability_of, slice_reliabilities
from training.report import CARD, NUMBERS, PAGE, Report, make_report, page_html, write_report
from training.shares import rows_for_interval, share_interval

REGION = load_region("kab-tangerang")
SECTIONS = "summary coverage reliability confusions sectors learning slices urgency costs fine-print".split()
WIDTHS = (1280, 390)


def report_of(bundle: Bundle, rows: Sequence[LabelledRow], **options: Any) -> Report:
    answers = answer_rows(bundle, rows, REGION)
    return make_report(answers, measure(answers), made_on="2026-01-31", **options)


@pytest.fixture(scope="module")
def unseen(sample_rows: Sequence[LabelledRow]) -> list[LabelledRow]:
    """Sample rows with words added, so that the bundle has seen none of them."""
    return [
        replace(row, complaint=replace(row.complaint, text=f"{row.complaint.text} mohon ditanggapi nomor x{n}"))
        for n, row in enumerate(sample_rows[::12])
    ]


@pytest.fixture(scope="module")
def report(training: Training, unseen: list[LabelledRow]) -> Report:
    """A report on a bundle that routes alone, with a learning curve."""
    sector = replace(training.bundle.heads["sector"], thresholds={REGION.code: 0.6})
    bundle = replace(training.bundle, heads=training.bundle.heads | {"sector": sector}, version="abc123")
    figure = measure(answer_rows(bundle, unseen, REGION)).sector_accuracy
    assert figure is not None
    steps = tuple(LearningStep(rows, figure) for rows in (25, 50, 100, 200))
    return report_of(bundle, unseen, learning=LearningCurve(steps, 3))


@pytest.fixture(scope="module")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("reports") / "report"
    write_report(report, written)
    return written


def text_of(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    [found] = re.findall(
        rf'<section[^>]* id="{name}">.*?</section>|<section id="{name}">.*?</section>', page, re.DOTALL
    )
    return str(found)


# The page


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_holds_every_section_in_both_languages(folder: Path, name: str) -> None:
    found = section(text_of(folder, PAGE), name)
    assert 'lang="id"' in found
    assert 'lang="en"' in found
    assert len(found) > 400


def test_the_page_fetches_nothing_and_runs_nothing(folder: Path) -> None:
    page = text_of(folder, PAGE)
    assert not re.search(r"https?:|//[a-z]|<script|<link|<img|<iframe|\bsrc=|@import|javascript:", page)
    assert not re.findall(r'href="(?!#)', page)
    assert not re.findall(r"url\((?!#)", page)
    assert "default-src 'none'" in page


def test_no_two_elements_of_the_page_share_an_id(folder: Path) -> None:
    ids = re.findall(r'\bid="([^"]*)"', text_of(folder, PAGE))
    assert len(ids) == len(set(ids))


def test_every_chart_has_a_name_and_words_in_both_languages(folder: Path, report: Report) -> None:
    charts = re.findall(r"<svg.*?</svg>", text_of(folder, PAGE), re.DOTALL)
    # The curve, four heads, the learning curve, and the slices that have rows enough.
    drawn = [each for each in report.slice_reliability if len(each.bins) >= 4]
    assert drawn
    assert len(charts) == 6 + len(drawn)
    for chart in charts:
        assert 'role="img" aria-label="' in chart
        assert chart.count('lang="id"') == chart.count('lang="en"') > 0
        assert "‖" not in chart


def test_the_key_figures_of_the_page_are_in_the_numbers(folder: Path) -> None:
    page, numbers = text_of(folder, PAGE), json.loads(text_of(folder, NUMBERS))
    figures, headline = numbers["figures"], numbers["headline"]
    names = ("sector_accuracy", "sector_top3", "agency_accuracy", "area_accuracy", "urgency_accuracy")
    expected = [figures[name]["value"] for name in names if figures[name]]
    shown = re.findall(r"<li><b>(.*?)</b>", page)
    assert [plain(each) for each in shown] == [percent(value) for value in expected]
    told = [plain(each) for each in re.findall(r"<strong>(.*?)</strong>", section(page, "summary"))]
    assert told[:2] == [percent(headline["alone"]["value"]), percent(headline["right"]["value"])]
    assert headline["alone"] == figures["auto_share"]
    assert headline["right"]["value"] == pytest.approx(figures["auto_precision"]["value"])
    reliability = section(page, "reliability")
    for each in numbers["reliability"]:
        assert f"{each['brier']:.3f}" in reliability
        assert f"{each['log_loss']:.3f}" in reliability


def plain(html: str) -> str:
    """What an English reader sees of a number."""
    return re.sub(r'<span lang="id">[^<]*</span>|<[^>]*>', "", html)


def percent(share: float) -> str:
    digits = int(0.0005 <= share < 0.005 or 0.995 <= share < 0.9995)
    return f"{100 * share:.{digits}f}\u00a0%"


def test_the_same_answers_give_the_same_bytes(report: Report, folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write_report(report, again)
    for name in (PAGE, NUMBERS, CARD):
        assert (folder / name).read_bytes() == (again / name).read_bytes()
    assert sorted(path.name for path in again.iterdir()) == sorted((PAGE, NUMBERS, CARD))


def test_no_text_of_a_complaint_is_in_any_file(folder: Path, unseen: list[LabelledRow]) -> None:
    written = "\n".join(text_of(folder, name) for name in (PAGE, NUMBERS, CARD)).casefold()
    for row in unseen:
        words = row.complaint.text.casefold().split()
        assert not any(" ".join(words[i : i + 5]) in written for i in range(max(1, len(words) - 4)))
        assert not row.complaint.title or row.complaint.title.casefold() not in written


def test_a_folder_that_holds_something_is_refused(report: Report, folder: Path) -> None:
    before = text_of(folder, PAGE)
    with pytest.raises(OutputExists):
        write_report(report, folder)
    assert text_of(folder, PAGE) == before


def test_a_head_without_rows_says_so() -> None:
    report = report_of(make_bundle(), numbered([make_row("tiga", urgency=3), *[make_row("nol", urgency=0)] * 3]))
    page = page_html(report)
    assert report.headline is report.curve is report.costs is None
    for name in ("coverage", "sectors", "slices", "costs"):
        assert "Tidak ada baris dengan label sektor" in section(page, name)
    assert "Tidak ada baris dengan label kewenangan" in section(page, "reliability")
    assert "--learn-from" in section(page, "learning")
    only_sectors = page_html(report_of(make_bundle(), numbered([make_row("obat", sector="health")] * 4)))
    assert "Tidak ada baris dengan label urgensi" in section(only_sectors, "urgency")


def test_where_nothing_goes_alone_the_page_says_so_and_what_it_would_take() -> None:
    rows = numbered([*[make_row("obat", sector="health")] * 40, *[make_row("obat", sector="energy")] * 2])
    report = report_of(make_bundle(threshold=None), rows)
    assert report.headline is not None
    assert report.headline.promise == "none"
    assert "belum ada" in section(page_html(report), "summary")
    told = {"metrics": {"sector": {"evidence": {REGION.code: {"rows": 42, "coverage": 0.0, "needed": 1234}}}}}
    told_so = report_of(replace(make_bundle(threshold=None), about=told), rows)
    assert "1.234</span>" in section(page_html(told_so), "coverage")


@pytest.mark.parametrize(("wrong", "promise"), [(0, "kept"), (3, "unsure"), (40, "broken")])
def test_a_promise_is_kept_or_broken_only_where_its_interval_says_so(wrong: int, promise: str) -> None:
    rows = [*[make_row("obat", sector="health")] * (120 - wrong), *[make_row("obat", sector="energy")] * wrong]
    headline = report_of(make_bundle(), numbered(rows)).headline
    assert headline is not None
    assert headline.promise == promise


def test_a_row_id_that_looks_like_html_is_shown_as_text() -> None:
    rows = [replace(row, id="<b>x</b>") for row in numbered([make_row("nol", urgency=3)])]
    page = page_html(report_of(make_bundle(), [*rows, *numbered([make_row("satu", urgency=1)] * 2)]))
    assert "&lt;b&gt;x&lt;/b&gt;" in section(page, "urgency")


# The numbers


def test_missed_emergencies_are_listed_by_id_and_counted_by_level() -> None:
    rows = numbered([make_row("tiga", urgency=3)] * 2 + [make_row("nol", urgency=3)] + [make_row("dua", urgency=2)] * 3)
    urgency = report_of(make_bundle(), rows).urgency
    assert urgency is not None
    assert urgency.missed == ("2",)
    assert (urgency.rows, urgency.emergencies) == (6, 3)
    assert urgency.counts == ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 3, 0), (1, 0, 0, 2))


def test_confusions_stand_most_frequent_first_with_their_share() -> None:
    found = confusions([("a", "b")] * 2 + [("a", "a")] * 6 + [("b", "a")] * 3 + [("c", "c")])
    assert [(each.label, each.answer, each.rows, each.share) for each in found] == [
        ("b", "a", 3, 1.0),
        ("a", "b", 2, 0.25),
    ]


def test_a_months_costs_worked_out_by_hand() -> None:
    rows = [*[make_row("obat", sector="health")] * 9, make_row("obat", sector="energy")]
    report = report_of(make_bundle(), numbered([*rows, *[make_row("listrik", sector="energy")] * 10]))
    headline = report.headline
    assert headline is not None
    costs = costs_of(headline.alone, headline.right, 300, 4.0)
    assert (costs.alone, costs.reviewed) == pytest.approx((150.0, 150.0))
    assert (costs.hours_saved, costs.hours_left) == pytest.approx((10.0, 10.0))
    assert costs.wrong_alone == pytest.approx(15.0)


def test_the_curve_counts_near_copies_once_and_ends_at_all_rows() -> None:
    rows = numbered([*[make_row("obat", sector="health")] * 8, *[make_row("listrik", sector="health")] * 4])
    copies = [replace(rows[0], id=f"copy{n}") for n in range(30)]
    curve = curve_of(answer_rows(make_bundle(), [*rows, *copies], REGION))
    assert curve is not None
    assert curve.rows == 12
    assert curve.points[-1].coverage == 1.0
    assert curve.points[-1].precision == pytest.approx(8 / 12)
    assert [point.rows for point in curve.points] == sorted({point.rows for point in curve.points})
    assert curve.chosen is not None
    assert curve.threshold == 0.9


def test_the_bins_make_up_the_calibration_error_and_all_rows(report: Report) -> None:
    for each in report.reliability:
        assert sum(part.rows for part in each.bins) == each.rows
        gaps = sum(part.rows * abs(part.probability - part.share) for part in each.bins)
        assert gaps / each.rows == pytest.approx(each.calibration_error)
        assert all(part.low <= part.share <= part.high for part in each.bins)
        assert 0 <= each.brier <= 2


def test_the_reliability_of_every_slice_is_told_and_its_bins_hold_all_its_rows(report: Report) -> None:
    parts = {(part.kind, part.name): part for part in report.slices}
    assert {(each.kind, each.name) for each in report.slice_reliability} == parts.keys()
    drawn = 0
    for each in report.slice_reliability:
        assert 0 < each.told <= 1
        if parts[each.kind, each.name].rows < 2 * FEWEST_IN_BIN:
            assert (each.bins, each.calibration_error) == ((), None)
            continue
        drawn += 1
        assert sum(part.rows for part in each.bins) == parts[each.kind, each.name].rows
        assert min(part.rows for part in each.bins) >= FEWEST_IN_BIN
        assert [part.end <= after.start for part, after in pairwise(each.bins)].count(False) == 0
    assert drawn


def test_the_calibration_error_of_a_slice_worked_out_by_hand() -> None:
    right, wrong = make_row("obat", sector="health"), make_row("obat", sector="energy")
    rows = numbered([*[replace(right, channel="SMS")] * 60, *[replace(wrong, channel="SMS")] * 40])
    answers = answer_rows(make_bundle(), rows, REGION)
    told = answers.of_head("sector")
    [found] = slice_reliabilities(answers, told, {"channel": ["SMS"] * 100})
    confidence = answers.confidence(told.index)[0]
    assert found.told == pytest.approx(confidence)
    assert found.calibration_error is not None
    # Equal probabilities stand in the rows' order: fifty right ones, then ten with forty wrong ones.
    gaps = abs(confidence - 1.0) + abs(confidence - 0.2)
    assert found.calibration_error == pytest.approx(gaps / 2)


def test_brier_and_log_loss_worked_out_by_hand() -> None:
    rows = numbered([make_row("nol", urgency=0)] * 3 + [make_row("nol", urgency=2)])
    answers = answer_rows(make_bundle(), rows, REGION)
    found = reliability_of(answers, "urgency")
    assert found is not None
    [p] = {tuple(ranked.probability for ranked in routed.prediction.urgency) for routed in answers.routed}
    right = (1 - p[0]) ** 2 + 3 * p[1] ** 2
    wrong = p[0] ** 2 + (1 - p[1]) ** 2 + 2 * p[1] ** 2
    assert found.brier == pytest.approx((3 * right + wrong) / 4)
    assert found.log_loss == pytest.approx(-(3 * np.log(p[0]) + np.log(p[1])) / 4)


def test_a_sectors_interval_counts_near_copies_once() -> None:
    one = numbered([make_row("obat", sector="health"), *[make_row("obat", sector="energy")] * 2])
    rows = [one[0], *[replace(one[0], id=f"copy{n}") for n in range(9)], *one[1:]]
    lines = {line.sector: line for line in sector_qualities(answer_rows(make_bundle(), rows, REGION).of_head("sector"))}
    assert lines["health"].rows == 10
    assert (lines["health"].recall.low, lines["health"].recall.high) == share_interval(1.0, 1)
    assert lines["health"].more_needed == rows_for_interval(3 / 5) - 1
    assert lines["energy"].precision is None


def test_rows_for_an_interval_are_the_fewest_that_make_it() -> None:
    for share in (0.0, 0.3, 0.5, 0.9, 1.0):
        rows = rows_for_interval(share)
        wide = [share_interval(share, n) for n in (rows - 1, rows)]
        middles = [(high - low) / 2 for low, high in wide]
        if 0 < share < 1:
            assert middles[0] > 0.1 >= middles[1]
    assert rows_for_interval(0.5) == 93


def test_months_are_slices_in_their_order() -> None:
    dates = ("2024-03-01", "2023-12-31", "", "2024-03-30T10:00", "2024")
    rows = [
        replace(row, received_at=d)
        for row, d in zip(numbered([make_row("obat", sector="health")] * 5), dates, strict=True)
    ]
    report = report_of(make_bundle(), rows)
    months = [(part.name, part.rows) for part in report.slices if part.kind == "month"]
    assert months == [("2023-12", 1), ("2024-03", 2), ("no month", 2)]
    assert report.received == ("2023-12-31", "2024-03-30")


def test_a_learning_curve_learns_from_no_near_copy_of_a_measured_row(
    sample_rows: Sequence[LabelledRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "corpus_beside", lambda rows: sample_rows[3:2403:12])
    learn, measured = sample_rows[:600:4], [*sample_rows[1:600:12], sample_rows[0]]
    curve = learning_curve(learn, measured, REGION.code)
    sizes = [step.rows for step in curve.steps]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(learn) - curve.left_out < len(learn)
    assert all(step.accuracy.low <= step.accuracy.value <= step.accuracy.high for step in curve.steps)
    with pytest.raises(TooFewRows):
        learning_curve(measured, measured, REGION.code)


def test_a_chart_of_two_languages_says_each_once(report: Report) -> None:
    assert report.curve is not None
    chart = curve_chart(report.curve)
    assert both("a", "b") == "a‖b"
    assert chart.count("janji 95 %") == chart.count("promise 95 %") == 1
    assert "<style" not in chart


def test_one_module_knows_matplotlib_and_imports_it_only_to_draw() -> None:
    files = [path for package in ("data", "model", "training", "serving") for path in (ROOT / package).rglob("*.py")]
    imports = {
        str(path.relative_to(ROOT)): re.findall(
            r"^.*(?:from|import) matplotlib.*$", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        for path in files
    }
    assert [name for name, lines in imports.items() if lines] == ["training/charts.py"]
    assert all(line.startswith("    ") for line in imports["training/charts.py"])


# The card


def test_the_card_has_its_parts_and_front_matter(folder: Path, report: Report) -> None:
    card = text_of(folder, CARD)
    _, matter, body = card.split("---\n", 2)
    assert "pipeline_tag: text-classification" in matter
    assert 'name: "disposisi abc123"' in matter
    assert report.figures.sector_accuracy is not None
    assert f"value: {round(report.figures.sector_accuracy.value, 4)}" in matter
    for part in ("General information", "Responsible use", "Operations"):
        assert re.search(rf"^## .*\({part}\)$", body, re.MULTILINE)
    responsible = ("Goal and impact", "Considerations", "Human intervention", "Risk management", "Legal basis")
    for part in (*responsible, "Impact assessment", "Data", "Technical operation"):
        assert re.search(rf"^### .*\({part}\)$", body, re.MULTILINE), part
    for law in ("UU 25/2009", "Perpres 76/2013", "UU 27/2022"):
        assert law in body
    assert "&" not in card


def test_the_card_says_whether_anything_goes_without_a_person(folder: Path) -> None:
    assert "mencapai ambang daerah ini (0,600)" in text_of(folder, CARD)


# The command


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`disposisi evaluate`, in this process: its exit code and what it said."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["disposisi", "evaluate", *map(str, arguments), "--region", REGION.code])
        with pytest.raises(SystemExit) as ended:
            disposisi.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_the_command_writes_a_report_beside_its_figures(
    evaluate: Command, bundle_folder: Path, unseen: list[LabelledRow], tmp_path: Path
) -> None:
    rows, made = tmp_path / "rows.csv", tmp_path / "made"
    with rows.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "text", "sector", "received_at"])
        writer.writerows([row.id, row.complaint.text, row.sector, row.received_at] for row in unseen[:60])
    options = ("--report", made, "--complaints-per-month", 250, "--minutes-per-complaint", 2.5)
    code, out, err = evaluate(bundle_folder, rows, *options)
    assert code == 0, err
    assert "sector right" in out
    assert f"The report is in {made}" in err
    costs = json.loads(text_of(made, NUMBERS))["costs"]
    assert (costs["complaints_a_month"], costs["minutes_each"]) == (250, 2.5)


def test_a_folder_that_is_taken_is_told_before_anything_is_read(evaluate: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine", encoding="utf-8")
    code, out, err = evaluate(tmp_path / "no-bundle", tmp_path / "no-rows.csv", "--report", tmp_path / "taken")
    assert (code, out) == (2, "")
    assert "taken is there already" in err


def test_a_learning_curve_without_a_report_is_refused(evaluate: Command, tmp_path: Path) -> None:
    code, out, err = evaluate(tmp_path / "no-bundle", tmp_path / "no-rows.csv", "--learn-from", tmp_path / "rows.csv")
    assert (code, out) == (2, "")
    assert "--report DIR" in err


# In a browser


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_its_window_in_both_languages_and_prints(browser: Browser, folder: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.goto((folder / PAGE).as_uri())
    for label, shown, hidden in (("English", "en", "id"), ("Bahasa Indonesia", "id", "en")):
        page.get_by_text(label, exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(f"main h1 [lang={shown}]").is_visible()
        assert not page.locator(f"main h1 [lang={hidden}]").is_visible()
        assert page.locator(f"main svg [lang={hidden}]").first.is_hidden()
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert len(printed) > 20_000
    context.close()
    assert problems == []
