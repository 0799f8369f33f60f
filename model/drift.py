"""Drift: how far a window of complaints lies from those the model is used to, as effect sizes that don't grow with n.

Numbers only. A window has a fixed size, and what is compared is how far it has moved (in standard deviations, or as a
share that has moved to other sectors), never how surely it moved at all: with enough cases the smallest difference is
"significant", and an alarm for each would soon be switched off.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import asin, log1p, pi, sqrt
from typing import Any

from data.complaint import Complaint
from model.bundle import SECTOR, Bundle, Reading
from model.language import INDONESIAN, majority_language
from model.promise import lower_bound, upper_bound
from model.text import full_text

# A window of the newest cases, and the cases that a bundle answers first, which say what it is used to.
WINDOW_CASES = 300
REFERENCE_CASES = 500
# With less of it in a window a signal says nothing.
FEWEST_CASES = 100
FEWEST_EVIDENCE = 300
# Between what Cohen calls small (0.2) and medium (0.5). In 120,000 cases of unchanged streams of real complaints, which
# aren't those of `benchmarks.drift`, the largest effect of a mean or share was 0.32, and of the sectors 0.10.
MOVED_FROM = 0.33
# The share of a window that has moved to other sectors, beyond what chance moves.
MOVED_SHARE = 0.12
# An alarm that is on goes off only under this part of its limit, so that it doesn't flutter.
DEAD_BAND = 0.6
# Blind checks speak against the estimated accuracy by this much at least, and with this certainty.
ACCURACY_GAP = 0.05
ACCURACY_CERTAINTY = 0.99
FEWEST_CHECKS = 30
# A signal that never varied in the reference would make any change infinite.
_LEAST_DEVIATION = {"unknown": 0.02, "confidence": 0.02, "length": 0.1}
_NORMAL_95 = 1.959964
# What is left where a file was read in another encoding than it was written in.
_BROKEN = re.compile(
    r"[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f\u3400-\u9fff]|[\u00c2\u00c3](?![A-Za-z])|\u00e2\u20ac"
)


class Signal(StrEnum):
    """What is watched."""

    UNKNOWN = "unknown"  # share of a text's words that aren't in the bundle's vocabulary
    CONFIDENCE = "confidence"  # the probability that the answer is right
    SECTORS = "sectors"  # which sectors are answered
    LENGTH = "length"  # log of the number of words
    LANGUAGE = "language"  # texts in a regional language
    BROKEN = "broken"  # texts with characters of a wrong encoding
    ACCURACY = "accuracy"  # measured by blind checks, against what the probabilities promise


MEANS = (Signal.UNKNOWN, Signal.CONFIDENCE, Signal.LENGTH)
SHARES = (Signal.LANGUAGE, Signal.BROKEN)
OF_TEXTS = (Signal.LENGTH, *SHARES)
LIMITS: Mapping[Signal, float] = {
    **dict.fromkeys(MEANS + SHARES, MOVED_FROM),
    Signal.SECTORS: MOVED_SHARE,
    Signal.ACCURACY: ACCURACY_GAP,
}


@dataclass(frozen=True)
class Trace:
    """What is watched of one case: no words, only numbers. None where its text isn't kept any more.

    `unknown` is a share, `length` log(1 + words), `language` and `broken` 1.0 or 0.0.
    """

    sector: str
    confidence: float
    unknown: float | None = None
    length: float | None = None
    language: float | None = None
    broken: float | None = None


def trace_of(complaint: Complaint, reading: Reading, sector: str, confidence: float) -> Trace:
    """What is watched of a complaint, as a bundle has read it and answered."""
    stems = reading.text.stems.split()
    known = sum(map(reading.bundle.extractor.knows, stems))
    text = full_text(complaint)
    return Trace(
        sector=sector,
        confidence=confidence,
        unknown=1.0 - known / len(stems) if stems else 1.0,
        length=log1p(len(stems)),
        language=float(majority_language(text) != INDONESIAN),
        broken=float(_BROKEN.search(text) is not None),
    )


@dataclass(frozen=True)
class Reference:
    """What a model is used to: mean and standard deviation of each signal, and each sector's share, of `cases` cases.

    A signal that nothing is known of isn't in `means`; `sectors` is empty where nothing is known of them.
    """

    cases: int
    means: Mapping[Signal, tuple[float, float]]
    sectors: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, fit for JSON."""
        return {
            "cases": self.cases,
            "means": {signal.value: list(pair) for signal, pair in self.means.items()},
            "sectors": dict(self.sectors),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Reference:
        """As `as_dict` gave it."""
        means = {Signal(name): (float(mean), float(deviation)) for name, (mean, deviation) in plain["means"].items()}
        return cls(int(plain["cases"]), means, {str(code): float(share) for code, share in plain["sectors"].items()})


@dataclass(frozen=True)
class Effect:
    """How far a window has moved from the reference in one signal.

    `size` is signed, `limit` above 0 and larger for windows smaller than `WINDOW_CASES`. `usual` and `now` are what is
    told to people: means, or the share that moved.
    """

    signal: Signal
    size: float
    limit: float
    usual: float
    now: float
    detail: Mapping[str, float] = field(default_factory=dict)

    def is_alarm(self, *, was_on: bool) -> bool:
        """Whether it is an alarm: from the limit on, and until it is well under it again."""
        return abs(self.size) >= self.limit * (DEAD_BAND if was_on else 1.0)


def make_reference(traces: Sequence[Trace]) -> Reference:
    """What these cases are like; at least one."""
    means = {}
    for signal in MEANS + SHARES:
        values = _values(traces, signal)
        if len(values) >= FEWEST_CASES:
            means[signal] = _mean_and_deviation(values)
    return Reference(len(traces), means, _shares(traces))


def reference_of_evidence(bundle: Bundle, region: str) -> Reference | None:
    """What a bundle was found to be like on a region's training rows kept aside: confidence and sectors, no texts.

    None where these are fewer than `FEWEST_EVIDENCE`.
    """
    own = bundle.evidence[bundle.evidence["region"] == region.encode()]
    if len(own) < FEWEST_EVIDENCE:
        return None
    labels = bundle.heads[SECTOR].labels
    pairs = zip(own["found"].tolist(), own["confidence"].tolist(), strict=True)
    return make_reference([Trace(labels[found], confidence) for found, confidence in pairs])


def with_texts_of(answers: Reference | None, texts: Reference | None) -> Reference | None:
    """What a bundle is used to where it hasn't answered enough itself: its answers as one tells, texts as the other.

    Length, language and broken characters are the texts' own, whichever bundle answered them.
    """
    if texts is None:
        return answers
    own = {signal: pair for signal, pair in texts.means.items() if signal in OF_TEXTS}
    if answers is None:
        return Reference(texts.cases, own, {})
    return Reference(min(texts.cases, answers.cases), {**answers.means, **own}, answers.sectors)


def compare(reference: Reference, window: Sequence[Trace]) -> list[Effect]:
    """How far a window has moved in each signal of which both say enough; nothing for too short a window."""
    if len(window) < FEWEST_CASES:
        return []
    # What chance does in a smaller window, it may do without an alarm.
    by_chance = sqrt((1 / len(window) + 1 / reference.cases) / (1 / WINDOW_CASES + 1 / REFERENCE_CASES))
    found = []
    for signal in MEANS + SHARES:
        values = _values(window, signal)
        if signal not in reference.means or len(values) < FEWEST_CASES:
            continue
        usual, deviation = reference.means[signal]
        now = sum(values) / len(values)
        if signal in SHARES:
            size = _angle(now) - _angle(usual)
        else:
            size = (now - usual) / max(deviation, _LEAST_DEVIATION[signal.value])
        found.append(Effect(signal, size, LIMITS[signal] * max(1.0, by_chance), usual, now))
    if reference.sectors:
        found.append(_moved(reference, window, LIMITS[Signal.SECTORS] * max(1.0, by_chance)))
    return found


def _moved(reference: Reference, window: Sequence[Trace], limit: float) -> Effect:
    """The share that has moved to other sectors (total variation), less what chance moves between two such samples.

    Chance: half the sum over sectors of the mean absolute deviation of a difference of two shares, sqrt(2 / pi) of
    its standard deviation by the normal approximation. With some thirty sectors and 200 cases that is a tenth already.
    """
    now = _shares(window)
    moved = {code: now.get(code, 0.0) - reference.sectors.get(code, 0.0) for code in {*now, *reference.sectors}}
    total = sum(map(abs, moved.values())) / 2
    chance = 0.0
    for code in moved:
        # The share under no change, of both samples together.
        both = (now.get(code, 0.0) * len(window) + reference.sectors.get(code, 0.0) * reference.cases) / (
            len(window) + reference.cases
        )
        chance += sqrt(2 / pi * both * (1 - both) * (1 / len(window) + 1 / reference.cases)) / 2
    most = dict(sorted(moved.items(), key=lambda each: -abs(each[1]))[:3])
    return Effect(Signal.SECTORS, max(0.0, total - chance), limit, chance, total, most)


@dataclass(frozen=True)
class Estimate:
    """A share of right answers told from probabilities alone, and where the true one lies (95 %), of `cases`."""

    value: float
    low: float
    high: float
    cases: int


def estimate_accuracy(confidences: Sequence[float]) -> Estimate | None:
    """The accuracy without labels: the mean of calibrated confidences; None of nothing.

    Its interval is that of a sum of independent draws with these probabilities (Poisson binomial, normal
    approximation). It holds as long as the confidences are calibrated, so where texts change, not where the right
    answers change; blind checks tell of that (confidence-based performance estimation, NannyML).
    """
    count = len(confidences)
    if not count:
        return None
    mean = sum(confidences) / count
    half = _NORMAL_95 * sqrt(sum(each * (1 - each) for each in confidences)) / count
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half), count)


def accuracy_effect(confidences: Sequence[float], right: Sequence[bool]) -> Effect | None:
    """How far blind checks lie under what their own confidences promise; None of fewer than `FEWEST_CHECKS`.

    `size` is measured less promised, cut to what is certain: the measured one's Clopper-Pearson bound on the side of
    the promise (one-sided, 99 %), or 0 if the promise lies within.
    """
    count = len(right)
    if count < FEWEST_CHECKS:
        return None
    promised, hits = sum(confidences) / count, sum(right)
    high, low = upper_bound(hits, count, ACCURACY_CERTAINTY), lower_bound(hits, count, ACCURACY_CERTAINTY)
    size = min(0.0, high - promised) + max(0.0, low - promised)
    # Better than promised is no reason for an alarm.
    return Effect(Signal.ACCURACY, min(0.0, size), LIMITS[Signal.ACCURACY], promised, hits / count, {"checks": count})


def _values(traces: Sequence[Trace], signal: Signal) -> list[float]:
    found = (getattr(trace, signal.value) for trace in traces)
    return [value for value in found if value is not None]


def _shares(traces: Sequence[Trace]) -> dict[str, float]:
    return {code: count / len(traces) for code, count in Counter(trace.sector for trace in traces).items()}


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, sqrt(sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1))


def _angle(share: float) -> float:
    """Cohen's h is the difference of these: 2 arcsin of the root of a share."""
    return 2 * asin(sqrt(min(1.0, max(0.0, share))))
