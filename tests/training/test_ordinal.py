"""Ordered labels: the steps of a scale as one head's weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from model.heads import softmax
from training.ordinal import fit_ordinal


def rows(seed: int = 0, count: int = 200) -> tuple[csr_matrix, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    levels = random.integers(0, 4, count)
    features = np.abs(random.normal(size=(count, 6))) * 0.1
    for step in range(1, 4):
        features[:, step] += levels >= step
    return csr_matrix(features), levels, np.arange(count)


def test_the_weights_give_the_level_that_the_features_say() -> None:
    features, levels, groups = rows()
    found = fit_ordinal(features, levels, groups, np.ones(len(levels), dtype=bool))
    logits = features @ found.weights + found.bias
    assert found.levels == (0, 1, 2, 3)
    assert (logits.argmax(axis=1) == levels).mean() > 0.95
    assert (found.logits.argmax(axis=1) == levels).mean() > 0.95


def test_probabilities_of_rows_kept_aside_are_as_high_as_they_are_right() -> None:
    features, levels, groups = rows()
    found = fit_ordinal(features, levels, groups, np.ones(len(levels), dtype=bool))
    assert softmax(found.logits).mean(axis=0) == pytest.approx(np.bincount(levels) / len(levels), abs=0.05)


def test_levels_that_no_row_has_are_left_out() -> None:
    features, levels, groups = rows()
    kept = levels != 2
    found = fit_ordinal(features[kept], levels[kept], groups[kept], np.ones(kept.sum(), dtype=bool))
    assert found.levels == (0, 1, 3)
    assert found.weights.shape == (6, 3)


def test_a_level_that_a_single_row_has_can_be_fitted_all_the_same() -> None:
    features, levels, groups = rows()
    levels = np.minimum(levels, 2)
    levels[0] = 3
    found = fit_ordinal(features, levels, groups, np.ones(len(levels), dtype=bool))
    assert np.isfinite(found.logits).all()
    assert found.levels == (0, 1, 2, 3)


def test_one_level_alone_is_no_scale() -> None:
    features, levels, groups = rows()
    with pytest.raises(ValueError, match="two levels"):
        fit_ordinal(features, np.zeros_like(levels), groups, np.ones(len(levels), dtype=bool))
