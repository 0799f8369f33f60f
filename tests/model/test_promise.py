"""Bounds of shares: the same as SciPy's, which a server does without, and a test of one that agrees with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from model.bundle import EVIDENCE
from model.promise import FEWEST_ROWS, beta_distribution, is_shown, lower_bound, make_promise, upper_bound

LABELS = ("energy", "health")
CERTAINTIES = st.sampled_from([0.5, 0.9, 0.95, 0.9667, 0.999])
# Hits, and rows: from one to as many as the largest region will ever have.
SHARES = st.integers(1, 2_000_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count)))


@settings(deadline=None)
@given(SHARES, CERTAINTIES)
def test_bounds_are_those_of_scipy(share: tuple[int, int], certainty: float) -> None:
    hits, count = share
    least = beta.ppf(1 - certainty, hits, count - hits + 1) if hits else 0.0
    most = beta.ppf(certainty, hits + 1, count - hits) if hits < count else 1.0
    assert lower_bound(hits, count, certainty) == pytest.approx(least, abs=1e-9)
    assert upper_bound(hits, count, certainty) == pytest.approx(most, abs=1e-9)


@settings(deadline=None)
@given(st.floats(0, 1), st.integers(1, 100_000), st.integers(1, 100_000))
def test_the_beta_distribution_is_that_of_scipy(x: float, a: int, b: int) -> None:
    assert beta_distribution(x, a, b) == pytest.approx(beta.cdf(x, a, b), abs=1e-9)


@settings(deadline=None)
@given(SHARES, st.floats(0.01, 0.99), CERTAINTIES)
def test_a_target_is_shown_exactly_where_the_lower_bound_reaches_it(
    share: tuple[int, int], target: float, certainty: float
) -> None:
    least = lower_bound(*share, certainty)
    if abs(least - target) > 1e-9:
        assert is_shown(*share, target, certainty) == (least >= target)


@settings(max_examples=30, deadline=None)
@given(st.integers(FEWEST_ROWS, 600), st.integers(0, 2**32 - 1))
def test_a_stricter_target_never_lets_more_go_alone(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    evidence = np.zeros(count, EVIDENCE)
    evidence["region"], evidence["found"] = b"kab-tangerang", np.arange(count) % 2
    evidence["confidence"] = random.uniform(0.5, 1.0, count)
    is_right = random.random(count) < evidence["confidence"]
    evidence["label"] = np.where(is_right, evidence["found"], 1 - evidence["found"])
    thresholds = [
        make_promise(evidence, LABELS, target).thresholds.get("kab-tangerang", 1.0) for target in (0.8, 0.9, 0.95)
    ]
    assert thresholds == sorted(thresholds)
