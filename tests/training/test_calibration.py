"""Calibration: the fitted factor is the true one, and a threshold's promise is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from model.heads import softmax
from model.promise import choose_threshold, lower_bound
from training.calibration import fit_inverse_temperature


@pytest.mark.parametrize("factor", [0.2, 1.0, 3.0, 12.0])
def test_the_factor_that_made_the_labels_is_found_again(factor: float) -> None:
    random = np.random.default_rng(1)
    scores = random.normal(size=(8_000, 5)) / factor * 2
    drawn = softmax(factor * scores)
    labels = (drawn.cumsum(axis=1) > random.random((len(scores), 1))).argmax(axis=1)
    assert fit_inverse_temperature(scores, labels) == pytest.approx(factor, rel=0.07)


def test_the_factor_stays_finite_where_scores_say_all_or_nothing() -> None:
    labels = np.arange(30) % 3
    sure = np.eye(3)[labels]
    assert 10 < fit_inverse_temperature(sure, labels) < 51
    assert 0.04 < fit_inverse_temperature(sure, (labels + 1) % 3) < 1
    assert np.isfinite(fit_inverse_temperature(np.zeros((30, 3)), labels))


def draw(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and answers that are right as often as the confidence says."""
    confidence = random.beta(12, 0.8, count)
    return confidence, random.random(count) < confidence


def test_where_confidence_tells_apart_well_most_is_routed() -> None:
    random = np.random.default_rng(3)
    confidence = np.concatenate([random.uniform(0.9, 1.0, 700), random.uniform(0.0, 0.5, 300)])
    right = np.concatenate([random.random(700) < 0.99, random.random(300) < 0.3])
    threshold = choose_threshold(confidence, right)
    assert threshold is not None
    assert 0.65 < (confidence >= threshold).mean() < 0.85


def test_where_all_is_right_all_is_routed() -> None:
    confidence = np.linspace(0.2, 1.0, 500)
    assert choose_threshold(confidence, np.ones(500, dtype=bool)) == pytest.approx(0.2)


@pytest.mark.parametrize(("count", "share"), [(0, 1.0), (1, 1.0), (44, 1.0), (1_000, 0.0), (1_000, 0.9), (1_000, 0.95)])
def test_there_is_no_threshold_where_none_can_promise(count: int, share: float) -> None:
    right = np.arange(count) % 20 < share * 20
    assert choose_threshold(np.linspace(0.5, 1.0, count), right) is None


def test_a_perfect_record_of_rows_enough_proves_the_promise_but_not_any_promise() -> None:
    confidence, right = np.linspace(0.5, 1.0, 200), np.ones(200, dtype=bool)
    assert choose_threshold(confidence, right) == pytest.approx(0.5)
    assert choose_threshold(confidence, right, target=0.999) is None


def test_a_stricter_promise_never_routes_more() -> None:
    confidence, right = draw(np.random.default_rng(4), 3_000)
    chosen = [choose_threshold(confidence, right, target=target) for target in (0.85, 0.9, 0.95)]
    assert chosen == sorted(chosen, key=lambda threshold: threshold or 2.0)
    more_certain = choose_threshold(confidence, right, certainty=0.999)
    assert more_certain is None or more_certain >= (chosen[-1] or 2.0)


@given(st.permutations(range(200)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rows_does_not_matter(order: list[int]) -> None:
    confidence, right = np.linspace(0.5, 1.0, 200), np.arange(200) > 20
    assert choose_threshold(confidence, right) is not None
    assert choose_threshold(confidence[order], right[order]) == choose_threshold(confidence, right)


@pytest.mark.parametrize("right_first", [True, False])
def test_rows_of_one_confidence_are_judged_together(right_first: bool) -> None:
    right = np.arange(1_000) < 500
    assert choose_threshold(np.full(1_000, 0.9), right if right_first else right[::-1]) is None


def test_rows_tied_with_the_threshold_count_against_it() -> None:
    confidence = np.concatenate([np.full(200, 0.99), np.full(600, 0.8)])
    right = np.concatenate([np.ones(200, dtype=bool), np.arange(600) < 300])
    assert choose_threshold(confidence, right) == 0.99


@pytest.mark.parametrize(("hits", "count", "certainty"), [(45, 45, 0.9), (97, 100, 0.9), (19, 20, 0.95), (1, 50, 0.9)])
def test_the_lower_bound_is_where_so_many_hits_become_unlikely(hits: int, count: int, certainty: float) -> None:
    bound = lower_bound(hits, count, certainty)
    assert 0 < bound < hits / count
    assert float(binom.sf(hits - 1, count, bound)) == pytest.approx(1 - certainty)


def test_the_lower_bound_of_no_hits_is_nothing() -> None:
    assert lower_bound(0, 10, 0.9) == 0.0
