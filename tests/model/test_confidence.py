"""Confidence: one answer's probability is that of the formula over its signals."""

from __future__ import annotations

import numpy as np
import pytest

from model.confidence import Confidence, signals


@pytest.mark.parametrize("labels", [1, 2, 3, 43])
def test_a_single_answer_gets_what_the_formula_over_the_signals_gives(labels: int) -> None:
    rng = np.random.default_rng(labels)
    confidence = Confidence(np.array([0.4, 0.2, -0.1, -0.3]), 0.1, rng.normal(size=labels), {"kab-tangerang": 0.7})
    for probabilities in (*rng.dirichlet(np.ones(labels) * 0.3, 50), np.eye(labels)[0]):
        score = float(signals(probabilities[None, :])[0] @ confidence.weights) + confidence.bias
        score += float(confidence.labels[probabilities.argmax()])
        for region, offset in (("kab-tangerang", 0.7), ("", 0.0)):
            expected = 1.0 / (1.0 + np.exp(-np.clip(score + offset, -30.0, 30.0)))
            assert confidence.of(probabilities, region) == pytest.approx(expected, abs=1e-12)
