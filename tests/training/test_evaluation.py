"""Evaluation: every figure against scikit-learn's or one worked out by hand, with intervals that hold it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score

from data.complaint import Complaint, LabelledRow
from data.errors import TooFewRows
from data.region import load_region
from model.bundle import Bundle, fingerprint
from model.features import Vocabulary
from model.heads import Head
from model.text import ALL_STEPS, REQUIRED_STEPS
from tests.conftest import ROOT
from training.evaluation import (
    Evaluation,
    Figure,
    calibration_error,
    evaluate,
    macro_f1,
    mean_figure,
    quadratic_kappa,
)
from training.fitting import fit
from training.recipe import find_recipe

SECTOR_WORDS = {"obat": "health", "listrik": "energy", "sampah": "environment", "camat": "district-office"}
URGENCY_WORDS = {"nol": "0", "satu": "1", "dua": "2", "tiga": "3"}
REGION = load_region("kab-tangerang")


def make_bundle(*, threshold: float | None = 0.9, seen: Sequence[int] = ()) -> Bundle:
    """A bundle that answers what a text's words say: a word for each sector, a word for each urgency."""
    words = (*SECTOR_WORDS, *URGENCY_WORDS)

    def head(name: str, answers: dict[str, str], limit: float | None) -> Head:
        labels = tuple(answers.values())
        weights = np.zeros((len(words), len(labels)), dtype=np.float32)
        for word, label in answers.items():
            weights[words.index(word), labels.index(label)] = 8.0
        return Head(name, labels, weights, np.zeros(len(labels)), 1.0, {} if limit is None else {REGION.code: limit})

    return Bundle(
        vocabulary=Vocabulary(words, (), ()),
        idf=np.ones(len(words)),
        heads={"sector": head("sector", SECTOR_WORDS, threshold), "urgency": head("urgency", URGENCY_WORDS, None)},
        seen=np.array(sorted(seen), dtype=np.uint64),
        text_steps=tuple(ALL_STEPS),
        version="handmade",
    )


def make_row(text: str, **labels: object) -> LabelledRow:
    return replace(LabelledRow("x", Complaint(text)), **labels)  # type: ignore[arg-type]


def numbered(rows: Sequence[LabelledRow]) -> list[LabelledRow]:
    """The same rows with an id and a word of their own each, so that none is a near-copy."""
    return [
        replace(row, id=str(n), complaint=replace(row.complaint, text=f"{row.complaint.text} k{n} l{n} m{n}"))
        for n, row in enumerate(rows)
    ]


def holds(figure: Figure | None) -> Figure:
    assert figure is not None
    assert figure.low <= figure.value <= figure.high
    return figure


# The scores


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_is_scikit_learns_over_the_labels_that_occur(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, found = random.choice([0, 1, 2, 4], 80), random.choice([0, 1, 3, 4], 80)
    confusion = confusion_matrix(labels, found, labels=range(5)).astype(float)
    expected = f1_score(labels, found, labels=np.unique(labels), average="macro", zero_division=0)
    assert macro_f1(confusion) == pytest.approx(expected)


def test_macro_f1_counts_a_label_that_is_only_answered_where_it_is_told_to() -> None:
    confusion = np.array([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert macro_f1(confusion) == pytest.approx(6 / 7)
    assert macro_f1(confusion, np.array([True, True, False])) == pytest.approx(6 / 7 / 2)
    assert macro_f1(confusion, np.array([True, False, True])) == pytest.approx(6 / 7), "the third neither is nor errs"
    assert macro_f1(confusion, np.array([True, True, True])) == pytest.approx(6 / 7 / 2)


def test_the_interval_of_macro_f1_is_no_better_for_resamples_without_the_rare_label() -> None:
    """Where the rare label's one row isn't drawn but other rows are still taken for it, it counts as wrong."""
    rows = numbered(
        [make_row("listrik", sector="energy")]
        + [make_row("listrik", sector="health")] * 4
        + [make_row("obat", sector="health")] * 15
    )
    figure = holds(evaluate(make_bundle(), rows, REGION).sector_macro_f1)
    assert figure.value == pytest.approx((2 / 6 + 30 / 34) / 2)
    # Where only the labels drawn count, the resamples without energy are health's F1 alone: 0.50 to 0.97.
    assert figure.low < 0.45
    assert figure.high < 0.92


@pytest.mark.parametrize("seed", range(5))
def test_quadratic_kappa_is_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.choice(4, 90, p=[0.5, 0.3, 0.15, 0.05])
    found = np.clip(labels + random.choice([-1, 0, 0, 1, 2], 90), 0, 3)
    confusion = confusion_matrix(labels, found, labels=range(4)).astype(float)
    assert quadratic_kappa(confusion) == pytest.approx(cohen_kappa_score(labels, found, weights="quadratic"))


def test_quadratic_kappa_of_one_label_alone_is_nothing() -> None:
    assert quadratic_kappa(np.array([[7.0]])) == 0.0


def test_calibration_error_worked_out_by_hand() -> None:
    confidence = np.array([0.95, 0.97, 0.99, 1.0, 0.5, 0.5])
    right = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    # The bin from 14/15 on: mean 0.9775, 3 of 4 right; the bin of 0.5: mean 0.5, 1 of 2 right.
    assert calibration_error(confidence, right) == pytest.approx(4 / 6 * abs(0.9775 - 0.75) + 2 / 6 * 0.0)


def test_calibration_error_is_small_for_honest_and_large_for_boastful_confidence() -> None:
    random = np.random.default_rng(1)
    confidence = random.uniform(0.2, 1.0, 50_000)
    right = (random.random(50_000) < confidence).astype(float)
    assert calibration_error(confidence, right) < 0.02
    assert calibration_error(np.full(50_000, 0.99), right) == pytest.approx(0.99 - right.mean())


def test_calibration_error_of_certainty_is_none() -> None:
    assert calibration_error(np.ones(5), np.ones(5)) == 0.0
    assert calibration_error(np.zeros(5), np.zeros(5)) == 0.0


# The intervals


@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("count", [1, 2, 30, 400])
def test_an_interval_holds_its_value(share: float, count: int) -> None:
    values = (np.arange(count) < share * count).astype(float)
    figure = holds(mean_figure(values, np.arange(count)))
    assert figure.value == values.mean()
    assert figure.rows == count
    assert 0 <= figure.low <= figure.high <= 1


def test_an_interval_is_as_wide_as_the_binomials() -> None:
    figure = mean_figure((np.arange(400) % 2).astype(float), np.arange(400))
    assert figure is not None
    assert figure.high - figure.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 400), rel=0.1)


def test_near_copies_widen_the_interval() -> None:
    values = np.repeat((np.arange(20) % 2).astype(float), 20)
    apart, together = mean_figure(values, np.arange(400)), mean_figure(values, np.repeat(np.arange(20), 20))
    assert apart is not None
    assert together is not None
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_no_values_have_no_figure() -> None:
    assert mean_figure(np.zeros(0), np.zeros(0, dtype=np.int64)) is None


# An evaluation


def test_figures_worked_out_by_hand() -> None:
    rows = numbered(
        [
            *[make_row("obat", sector="health", agency="dinkes", urgency=0)] * 6,
            *[make_row("obat nol", sector="energy", agency="pln", urgency=0)] * 2,
            *[make_row("listrik", sector="energy", agency="pln")] * 2,
            *[make_row("sampah tiga", urgency=3)] * 4,
        ]
    )
    result = evaluate(make_bundle(), rows, REGION)
    assert result.rows == 14
    assert holds(result.sector_accuracy).value == pytest.approx(8 / 10)
    assert holds(result.sector_accuracy).rows == 10
    assert holds(result.sector_top3).value == pytest.approx(1.0)
    assert holds(result.sector_macro_f1).value == pytest.approx((12 / 14 + 4 / 6) / 2)
    assert holds(result.agency_accuracy).value == pytest.approx(8 / 10)
    # Energy is another government's, so only what is taken for health goes alone: six rows rightly, two wrongly.
    assert holds(result.auto_share).value == pytest.approx(8 / 10)
    assert holds(result.auto_precision).value == pytest.approx(6 / 8)
    assert holds(result.urgency_accuracy).rows == 12
    assert result.area_accuracy is None
    lines = {line.sector: line for line in result.sectors}
    assert [line.sector for line in result.sectors] == ["health", "energy"]
    assert (lines["health"].rows, lines["health"].recall, lines["health"].precision) == (6, 1.0, 6 / 8)
    assert (lines["energy"].rows, lines["energy"].recall, lines["energy"].precision) == (4, 0.5, 1.0)


def urgency_rows(pairs: Sequence[tuple[str, int]]) -> list[LabelledRow]:
    return numbered([make_row(word, urgency=label) for word, label in pairs])


def test_urgency_figures_are_scikit_learns() -> None:
    pairs = (
        [("nol", 0)] * 9 + [("satu", 0)] * 3 + [("satu", 1)] * 6 + [("dua", 2)] * 4 + [("nol", 3)] + [("tiga", 3)] * 2
    )
    result = evaluate(make_bundle(), urgency_rows(pairs), REGION)
    labels, found = [label for _, label in pairs], [int(URGENCY_WORDS[word]) for word, _ in pairs]
    assert holds(result.urgency_accuracy).value == pytest.approx(np.mean(np.array(labels) == found))
    assert holds(result.urgency_macro_f1).value == pytest.approx(f1_score(labels, found, average="macro"))
    assert holds(result.urgency_kappa).value == pytest.approx(cohen_kappa_score(labels, found, weights="quadratic"))


def test_a_level_of_urgency_that_no_row_has_still_counts_as_a_step() -> None:
    pairs = [("nol", 0)] * 9 + [("satu", 1)] * 6 + [("satu", 0)] * 4 + [("tiga", 3)] * 3 + [("satu", 3)] * 3
    result = evaluate(make_bundle(), urgency_rows(pairs), REGION)
    labels, found = [label for _, label in pairs], [int(URGENCY_WORDS[word]) for word, _ in pairs]
    expected = cohen_kappa_score(labels, found, weights="quadratic", labels=[0, 1, 2, 3])
    assert holds(result.urgency_kappa).value == pytest.approx(expected)


def test_areas_are_measured_where_they_are_named_and_for_the_rows_own_sector() -> None:
    rows = numbered(
        [
            make_row("camat di kecamatan Curug", sector="district-office", area="Curug"),
            make_row("obat di kecamatan Legok", sector="district-office", area="Legok"),
            make_row("camat kecamatan Legok, saya warga kecamatan Curug", sector="district-office", area="Curug"),
            make_row("camat kami", sector="district-office", area="Curug"),
            make_row("obat di kecamatan Curug", sector="health", area="Curug"),
        ]
    )
    area = holds(evaluate(make_bundle(), rows, REGION).area_accuracy)
    assert area.rows == 3
    assert area.value == pytest.approx(2 / 3)


JAVANESE, SUNDANESE, INDONESIAN = "obat kulo dalan", "obat teu aya cai", "obat di puskesmas habis"


def language_of(text: str, **labels: object) -> str:
    """The language of the one line that a row of this text alone has."""
    [line] = evaluate(make_bundle(), [make_row(text, sector="health", **labels)], REGION).languages
    assert line.rows == line.sector_accuracy.rows == line.sector_top3.rows == 1
    return line.language


def test_the_language_of_a_row_is_told_by_its_text() -> None:
    expected = {JAVANESE: "javanese", SUNDANESE: "sundanese", INDONESIAN: "indonesian", "obat kulo": "indonesian"}
    assert {text: language_of(text) for text in expected} == expected


@pytest.mark.parametrize("given", ["madurese", "indonesian", "Jawa Timuran"])
def test_the_language_that_a_row_is_given_goes_before_what_its_text_tells(given: str) -> None:
    for text in (JAVANESE, SUNDANESE, INDONESIAN):
        assert language_of(text, language=given) == given


def test_figures_by_language_worked_out_by_hand() -> None:
    rows = numbered(
        [
            *[make_row(INDONESIAN, sector="health")] * 6,
            *[make_row(INDONESIAN, sector="energy")] * 2,
            *[make_row(JAVANESE, sector="energy")] * 3,
            make_row(JAVANESE, sector="health"),
            # A sector that the bundle doesn't know, and so never among its first three.
            make_row(INDONESIAN, sector="transport", language="javanese"),
            *[make_row(JAVANESE, sector="health", language="madurese")] * 2,
            *[make_row(SUNDANESE, urgency=1)] * 3,
        ]
    )
    result = evaluate(make_bundle(), rows, REGION)
    assert [(line.language, line.rows) for line in result.languages] == [
        ("indonesian", 8),
        ("javanese", 5),
        ("madurese", 2),
    ]
    for line, right, among in zip(result.languages, (6 / 8, 1 / 5, 1.0), (1.0, 4 / 5, 1.0), strict=True):
        assert holds(line.sector_accuracy).value == pytest.approx(right)
        assert holds(line.sector_top3).value == pytest.approx(among)
        assert line.sector_accuracy.rows == line.sector_top3.rows == line.rows
    assert sum(line.rows for line in result.languages) == holds(result.sector_accuracy).rows


def test_languages_stand_on_lines_of_the_text_and_in_the_json() -> None:
    rows = numbered([make_row(JAVANESE, sector="health")] * 3 + [make_row(INDONESIAN, sector="energy")] * 2)
    result = evaluate(make_bundle(), rows, REGION)
    [javanese, indonesian] = result.languages
    lines = [line.split() for line in result.as_text().splitlines()]
    start = next(place for place, words in enumerate(lines) if words[:2] == ["language", "rows"])
    assert lines[start + 1 :] == [
        ["javanese", "3", *f"{javanese.sector_accuracy}, {javanese.sector_top3}".split()],
        ["indonesian", "2", *f"{indonesian.sector_accuracy}, {indonesian.sector_top3}".split()],
    ]
    as_json = json.loads(json.dumps(result.as_dict()))["languages"]
    assert [line["language"] for line in as_json] == ["javanese", "indonesian"]
    for line, figures in zip(result.languages, as_json, strict=True):
        assert figures.keys() == {"language", "rows", "sector_accuracy", "sector_top3"}
        assert figures["rows"] == line.rows
        for name in ("sector_accuracy", "sector_top3"):
            figure = getattr(line, name)
            expected = {"value": figure.value, "low": figure.low, "high": figure.high, "rows": figure.rows}
            assert figures[name] == expected


def test_rows_without_a_sector_have_no_language_line() -> None:
    result = evaluate(make_bundle(), numbered([make_row(JAVANESE, urgency=1)] * 3), REGION)
    assert result.languages == ()
    assert result.as_dict()["languages"] == ()


def test_the_language_of_a_text_is_the_same_in_every_process() -> None:
    program = "from model.language import majority_language; print(majority_language('kulo dalan teu cai'))"
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(6)
    }
    assert len(told) == 1


def test_rows_are_read_by_the_bundles_own_steps() -> None:
    """ "listrikkk" is "listrik" only where stretched letters are mended."""
    rows = numbered([make_row("listrikkk", sector="energy")] * 3)
    mending = make_bundle()
    plain = replace(mending, text_steps=REQUIRED_STEPS)
    assert holds(evaluate(mending, rows, REGION).sector_accuracy).value == 1.0
    assert holds(evaluate(plain, rows, REGION).sector_accuracy).value == 0.0


def test_seen_rows_are_left_out_and_counted(sample_rows: Sequence[LabelledRow]) -> None:
    bundle = fit(sample_rows[:200], find_recipe("default"), "kab-tangerang").bundle
    rows = sample_rows[100:400]
    unseen = [row for row in rows if not bundle.has_seen(row.complaint)]
    result = evaluate(bundle, rows, REGION)
    assert 0 < len(unseen) <= 200
    assert (result.rows, result.left_out_as_seen) == (len(unseen), 300 - len(unseen))
    alone = evaluate(bundle, unseen, REGION)
    assert replace(result, left_out_as_seen=0) == alone


def test_rows_that_were_all_seen_are_refused(sample_rows: Sequence[LabelledRow]) -> None:
    bundle = fit(sample_rows[:100], find_recipe("default"), "kab-tangerang").bundle
    with pytest.raises(TooFewRows, match="All 50 rows"):
        evaluate(bundle, sample_rows[:50], REGION)


def test_rows_none_of_which_has_a_label_are_refused() -> None:
    with pytest.raises(TooFewRows, match="None of the 3 rows"):
        evaluate(make_bundle(), numbered([make_row("obat")] * 3), REGION)


def test_labelled_rows_that_were_seen_do_not_make_up_for_unlabelled_ones() -> None:
    rows = numbered([make_row("obat", sector="health"), *[make_row("obat")] * 3])
    bundle = make_bundle(seen=[fingerprint(make_bundle().chain.prepare(rows[0].complaint))])
    with pytest.raises(TooFewRows, match="None of the 3 rows"):
        evaluate(bundle, rows, REGION)


@pytest.mark.parametrize("label", [{"sector": "health"}, {"agency": "dinkes"}, {"urgency": 0}])
def test_one_label_of_any_kind_is_enough_to_measure(label: dict[str, object]) -> None:
    rows = numbered([make_row("obat nol", **label), *[make_row("obat")] * 2])
    result = evaluate(make_bundle(), rows, REGION)
    figures = [holds(value) for value in vars(result).values() if isinstance(value, Figure)]
    assert result.rows == 3
    assert figures
    assert all(figure.rows == 1 for figure in figures)


def test_rows_whose_labels_the_bundle_has_no_head_for_have_no_figures() -> None:
    bundle = make_bundle()
    bundle = replace(bundle, heads={"sector": bundle.heads["sector"]})
    result = evaluate(bundle, numbered([make_row("obat", urgency=1)] * 3), REGION)
    assert result.rows == 3
    assert result.sectors == ()
    assert result.languages == ()
    figures = {name: value for name, value in result.as_dict().items() if isinstance(value, (dict, float))}
    assert figures == {}
    assert "sector right" in result.as_text()


def test_a_bundle_without_urgency_has_no_urgency_figures() -> None:
    bundle = make_bundle()
    bundle = replace(bundle, heads={"sector": bundle.heads["sector"]})
    result = evaluate(bundle, numbered([make_row("obat", sector="health", urgency=1)] * 3), REGION)
    assert result.urgency_accuracy is result.urgency_kappa is result.urgency_macro_f1 is None
    assert holds(result.sector_accuracy).value == 1.0


def test_without_a_threshold_nothing_goes_alone() -> None:
    result = evaluate(make_bundle(threshold=None), numbered([make_row("obat", sector="health")] * 4), REGION)
    assert holds(result.auto_share).value == 0.0
    assert result.auto_precision is None


def test_all_figures_of_a_real_bundle_hold_and_can_be_written(sample_rows: Sequence[LabelledRow]) -> None:
    bundle = fit(sample_rows[:500], find_recipe("default"), "kab-tangerang").bundle
    rows = sample_rows[500:800]
    result: Evaluation = evaluate(bundle, rows, REGION)
    figures = [getattr(result, name) for name, kind in Evaluation.__annotations__.items() if "Figure" in str(kind)]
    for figure in figures:
        if figure is not None:
            holds(figure)
            assert str(figure) in result.as_text()
    assert sum(figure is not None for figure in figures) >= 8
    assert json.loads(json.dumps(result.as_dict()))["rows"] == result.rows
    assert sum(line.rows for line in result.languages) == result.rows
    assert evaluate(bundle, rows, REGION) == result
