"""Promises: kept in nine of ten resamplings, told honestly where they can't be made, and chosen anew from evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.complaint import Complaint, LabelledRow
from data.errors import BadTarget
from model.bundle import EVIDENCE, load_bundle
from model.confidence import Confidence
from model.heads import softmax
from model.promise import choose_set_level, choose_threshold, make_promise, rows_needed
from training.calibration import cross_fitted_confidence, cross_fitted_sets, fit_confidence, fit_set_weights
from training.fitting import Training, fit
from training.promise import promise_in_words, with_target
from training.recipe import find_recipe

RESAMPLINGS = 1_000
LABELS = ("energy", "health", "transport")


def draw(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and answers that are right as often as the confidence says."""
    confidence = random.beta(9, 1.1, count)
    return confidence, random.random(count) < confidence


def evidence_of(
    random: np.random.Generator, count: int, precision: Sequence[float], region: str = "kab-tangerang"
) -> np.ndarray:
    """Evidence whose answers of each label are right as often as `precision` says, however sure."""
    evidence = np.zeros(count, EVIDENCE)
    evidence["region"] = region.encode()
    evidence["found"] = np.arange(count) % len(precision)
    right = random.random(count) < np.array(precision)[evidence["found"]]
    evidence["label"] = np.where(right, evidence["found"], (evidence["found"] + 1) % len(LABELS))
    evidence["confidence"] = random.uniform(0.5, 1.0, count)
    evidence["given"] = random.random(count)
    return evidence


@pytest.mark.parametrize("rows", [400, 2_000])
def test_the_promise_is_kept_in_nine_of_ten_of_a_thousand_resamplings(rows: int) -> None:
    random = np.random.default_rng(11)
    population = np.sort(draw(random, 400_000)[0])[::-1]
    precision_from = population.cumsum() / np.arange(1, len(population) + 1)
    kept, chosen = 0, 0
    for _ in range(RESAMPLINGS):
        threshold = choose_threshold(*draw(random, rows))
        if threshold is None:
            kept += 1
            continue
        chosen += 1
        routed = int((population >= threshold).sum())
        kept += bool(routed and precision_from[routed - 1] >= 0.95)
    assert kept >= 0.9 * RESAMPLINGS
    assert chosen >= 0.3 * RESAMPLINGS, "a threshold that is never chosen promises nothing"


def test_one_wrong_label_among_the_surest_does_not_end_the_search() -> None:
    confidence = np.linspace(1.0, 0.5, 4_000)
    right = np.ones(4_000, dtype=bool)
    right[:150:10] = False
    threshold = choose_threshold(confidence, right)
    assert threshold is not None
    assert threshold < 0.6


def test_rows_needed_are_about_enough() -> None:
    """Where more rows are said to be needed, that many give a threshold more often than not."""
    random = np.random.default_rng(12)
    told = []
    for _ in range(60):
        confidence, right = draw(random, 170)
        needed = rows_needed(confidence, right)
        if needed:
            told.append(choose_threshold(*draw(random, 170 + needed)) is not None)
    assert len(told) >= 15
    assert np.mean(told) >= 0.5


def test_no_number_of_rows_is_said_to_help_where_the_surest_are_wrong_too_often() -> None:
    random = np.random.default_rng(13)
    assert rows_needed(random.random(800), random.random(800) < 0.8) is None
    assert rows_needed(np.linspace(0.5, 1, 600), np.ones(600, dtype=bool)) == 0


@pytest.mark.parametrize("target", [0.0, 1.0, -0.5, 1.7, float("nan")])
def test_a_target_that_nothing_can_promise_is_refused_by_name(target: float, training: Training) -> None:
    with pytest.raises(BadTarget, match="between 0 and 1"):
        with_target(training.bundle, target)
    with pytest.raises(BadTarget, match=str(target)):
        choose_threshold(np.linspace(0, 1, 200), np.ones(200, dtype=bool), target=target)


@pytest.mark.parametrize("value", [float("nan"), -0.1, 1.5, float("inf")])
def test_confidences_that_are_no_probabilities_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        choose_threshold(np.array([0.5] * 200 + [value]), np.ones(201, dtype=bool))


def test_a_label_that_breaks_the_promise_gets_a_stricter_threshold_of_its_own() -> None:
    evidence = evidence_of(np.random.default_rng(14), 3_000, (1.0, 1.0, 0.9))
    promise = make_promise(evidence, LABELS)
    assert promise.thresholds.keys() == {"kab-tangerang"}
    assert promise.label_thresholds == {"kab-tangerang": {"transport": 1.0}}
    assert promise.evidence["kab-tangerang"]["coverage"] == pytest.approx(2 / 3, abs=0.01)


def test_labels_that_keep_the_promise_have_no_threshold_of_their_own() -> None:
    promise = make_promise(evidence_of(np.random.default_rng(15), 3_000, (0.99, 0.99, 0.97)), LABELS)
    assert promise.label_thresholds == {}


def test_each_region_is_chosen_by_its_own_rows() -> None:
    random = np.random.default_rng(16)
    good = evidence_of(random, 900, (1.0, 1.0, 1.0))
    bad = evidence_of(random, 900, (0.6, 0.6, 0.6), "kota-surabaya")
    promise = make_promise(np.concatenate([good, bad]), LABELS)
    assert promise.thresholds.keys() == {"kab-tangerang"}
    assert promise.evidence["kota-surabaya"]["needed"] is None


def test_no_evidence_promises_nothing_anywhere() -> None:
    promise = make_promise(np.zeros(0, EVIDENCE), LABELS)
    assert (promise.thresholds, promise.set_levels, promise.evidence) == ({}, {}, {})


def test_sets_hold_the_right_label_as_often_as_promised() -> None:
    random = np.random.default_rng(17)
    sizes, held = [], []
    for _ in range(40):
        scores = random.normal(size=(1_200, 8)) * 2
        chances = softmax(scores)
        labels = (chances.cumsum(axis=1) > random.random((1_200, 1))).argmax(axis=1)
        level = choose_set_level(chances[:600][np.arange(600), labels[:600]])
        sets = chances[600:] >= level
        sizes.append(sets.sum(axis=1).mean())
        held.append(sets[np.arange(600), labels[600:]].mean())
    assert np.mean(held) == pytest.approx(0.95, abs=0.01)
    assert np.mean(sizes) < 6


def test_a_set_of_too_few_rows_is_every_label() -> None:
    assert choose_set_level(np.array([0.9] * 18)) == 0.0
    assert choose_set_level(np.array([0.9] * 19)) == 0.9


def test_confidence_learns_which_label_is_less_to_be_trusted() -> None:
    random = np.random.default_rng(18)
    probabilities = softmax(random.normal(size=(4_000, 3)) * 2)
    first = probabilities.argmax(axis=1)
    right = random.random(4_000) < np.where(first == 0, 0.5, 0.95)
    labels = np.where(right, first, (first + 1) % 3)
    fitted = fit_confidence(probabilities, labels, ["kab-tangerang"] * 4_000)
    told = np.array([fitted.of(row, "kab-tangerang") for row in probabilities])
    assert told[first == 0].mean() == pytest.approx(0.5, abs=0.05)
    assert told[first != 0].mean() == pytest.approx(0.95, abs=0.03)


def test_confidence_of_probabilities_of_nothing_and_all_is_finite() -> None:
    sure = np.eye(3)[np.arange(60) % 3]
    for labels in (np.arange(60) % 3, (np.arange(60) + 1) % 3):
        fitted = fit_confidence(sure, labels, [""] * 60)
        told = fitted.of(sure[0], "")
        assert 0 < told < 1
        assert Confidence.from_dict(fitted.as_dict(), 3).of(sure[0], "") == told
        assert np.isfinite(fit_set_weights(sure, labels)).all()


def test_contradictory_labels_give_a_low_confidence_not_an_error() -> None:
    probabilities = np.tile([0.9, 0.1], (200, 1))
    labels = np.arange(200) % 2
    folds = np.arange(200) % 5
    told = cross_fitted_confidence(probabilities, labels, ["kab-tangerang"] * 200, folds)
    assert told == pytest.approx(np.full(200, 0.5), abs=0.1)
    assert np.isfinite(cross_fitted_sets(probabilities, labels, folds)).all()


@pytest.mark.parametrize(
    "plain",
    [
        {"weights": [1.0], "bias": 0.0, "labels": [0.0] * 3, "regions": {}},
        {"weights": [0.0] * 4, "bias": float("nan"), "labels": [0.0] * 3, "regions": {}},
        {"weights": [0.0] * 4, "bias": 0.0, "labels": [0.0] * 2, "regions": {}},
    ],
)
def test_a_confidence_that_cannot_be_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="all finite"):
        Confidence.from_dict(plain, 3)


@pytest.fixture(scope="module")
def proven() -> Training:
    """A training on real rows of one region that are easy to tell apart, so that it can promise."""
    words = {"energy": "lampu jalan mati gelap", "health": "puskesmas obat antre lama"}
    mark = "abcdefghijklmnopqrstuvwxyz"
    rows = [
        LabelledRow(
            str(number),
            Complaint(
                " ".join([*(mark[number % 26] + mark[number // 26] + last for last in "vwxyz"), words[sector]]),
                region="kab-tangerang",
            ),
            sector=sector,
        )
        for number, sector in enumerate(["energy", "health"] * 150)
    ]
    return fit(rows, replace(find_recipe("default"), folds=2), "kab-tangerang")


def test_another_target_is_chosen_from_the_bundle_alone(proven: Training, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    proven.bundle.save(folder)
    loaded = load_bundle(folder)
    assert loaded.heads["sector"].thresholds.keys() == {"kab-tangerang"}
    assert "with a promise of 95% right" in promise_in_words(loaded, "kab-tangerang")
    stricter = with_target(loaded, 0.9999)
    assert stricter.heads["sector"].thresholds == {}
    assert "can't promise" in promise_in_words(stricter, "kab-tangerang")
    again = with_target(stricter, 0.95)
    assert again.heads["sector"].thresholds == loaded.heads["sector"].thresholds
    assert stricter.save(folder, replace_old=True).version != loaded.version
    assert load_bundle(folder).heads["sector"].thresholds == {}
