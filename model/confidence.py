"""Confidence: how probable it is that a head's first answer is right, told from all its probabilities.

The first probability alone ranks answers worse: whether the second is far behind, how spread the rest is and which
label was answered tell more. Rescaling the first probability changes no order; this does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log
from operator import mul
from typing import Any

import numpy as np

from model.features import Floats

SIGNALS = ("log-odds of the first", "first over second", "second over third", "entropy")
_SMALLEST = 1e-9
_LARGEST = 1e6


@dataclass(frozen=True)
class Confidence:
    """A logistic model over `signals` with an offset for each label answered and for each region.

    `weights` (signals,), `labels` (k,) offsets in the order of the head's labels, `regions` offsets by code; a region
    that isn't in it has none.
    """

    weights: Floats
    bias: float
    labels: Floats
    regions: Mapping[str, float] = field(default_factory=dict)

    def of(self, probabilities: Floats, region: str) -> float:
        """The probability that the likeliest of `probabilities` (k,) is right."""
        # As `signals` has it, which takes longer for a single one.
        logs = np.log(np.maximum(probabilities, _SMALLEST))
        entropy = -float(probabilities @ logs)
        first, second, third = (
            log(max(given, _SMALLEST)) for given in [*sorted(probabilities.tolist())[:-4:-1], 0, 0][:3]
        )
        rest = log(max(1.0 - float(probabilities.max()), _SMALLEST))
        given = (first - rest, first - second, second - third, entropy)
        score = sum(map(mul, given, self.weights.tolist())) + self.bias
        score += float(self.labels[int(probabilities.argmax())]) + self.regions.get(region, 0.0)
        return 1.0 / (1.0 + exp(-max(-30.0, min(score, 30.0))))

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, fit for JSON."""
        return {
            "weights": self.weights.tolist(),
            "bias": self.bias,
            "labels": self.labels.tolist(),
            "regions": dict(self.regions),
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any], count: int) -> Confidence:
        """As `as_dict` gave it, for a head of `count` labels. ValueError or KeyError if it can't be."""
        weights, labels = (np.array(plain[name], dtype=np.float64) for name in ("weights", "labels"))
        bias, regions = float(plain["bias"]), {str(code): float(value) for code, value in plain["regions"].items()}
        numbers = [*weights, *labels, bias, *regions.values()]
        if weights.shape != (len(SIGNALS),) or labels.shape != (count,) or not (np.abs(numbers) <= _LARGEST).all():
            raise ValueError(f"a confidence needs {len(SIGNALS)} weights and {count} offsets, all finite and not huge")
        return cls(weights, bias, labels, regions)


def signals(probabilities: Floats) -> Floats:
    """What `SIGNALS` names (n, signals) of probabilities (n, k), all finite, also of probabilities of 0 and 1."""
    ranked = -np.sort(-probabilities, axis=1)
    if ranked.shape[1] < 3:
        ranked = np.pad(ranked, ((0, 0), (0, 3 - ranked.shape[1])))
    logs = np.log(np.maximum(ranked, _SMALLEST))
    rest = np.log(np.maximum(1.0 - ranked[:, 0], _SMALLEST))
    found = np.empty((len(ranked), len(SIGNALS)))
    found[:, 0] = logs[:, 0] - rest
    found[:, 1:3] = logs[:, 0:2] - logs[:, 1:3]
    found[:, 3] = -(ranked * logs).sum(axis=1)
    return found
