"""Drift is told by how far a window has moved: chance raises nothing, a change does, and alarms don't flutter."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from data.complaint import Complaint
from model.bundle import EVIDENCE, Bundle, load_bundle
from model.drift import (
    ACCURACY_CERTAINTY,
    DEAD_BAND,
    FEWEST_CASES,
    FEWEST_CHECKS,
    FEWEST_EVIDENCE,
    LIMITS,
    REFERENCE_CASES,
    WINDOW_CASES,
    Effect,
    Reference,
    Signal,
    Trace,
    accuracy_effect,
    compare,
    estimate_accuracy,
    make_reference,
    reference_of_evidence,
    trace_of,
)

SECTORS = ("public-works", "social", "transport", "health")


def drawn(count: int, seed: int, **changed: float) -> list[Trace]:
    """Traces of a stream; what is changed is added to every one."""
    chance = np.random.default_rng(seed)
    return [
        Trace(
            sector=SECTORS[int(chance.choice(4, p=[0.4, 0.3, 0.2, 0.1]))],
            confidence=float(chance.beta(8, 2)) + changed.get("confidence", 0.0),
            unknown=float(chance.beta(1, 19)) + changed.get("unknown", 0.0),
            length=float(chance.normal(3, 0.6)) + changed.get("length", 0.0),
            language=float(chance.random() < 0.1 + changed.get("language", 0.0)),
            broken=float(chance.random() < changed.get("broken", 0.0)),
        )
        for _ in range(count)
    ]


def alarms(reference: Reference, window: list[Trace]) -> set[Signal]:
    return {each.signal for each in compare(reference, window) if each.is_alarm(was_on=False)}


@pytest.fixture(scope="module")
def reference() -> Reference:
    return make_reference(drawn(REFERENCE_CASES, 0))


def test_windows_of_the_same_stream_raise_nothing(reference: Reference) -> None:
    assert [alarms(reference, drawn(WINDOW_CASES, seed)) for seed in range(1, 60)] == [set()] * 59


@pytest.mark.parametrize(
    ("signal", "change"),
    [
        (Signal.CONFIDENCE, -0.1),
        (Signal.UNKNOWN, 0.06),
        (Signal.LENGTH, -0.5),
        (Signal.LANGUAGE, 0.3),
        (Signal.BROKEN, 0.2),
    ],
)
def test_a_change_of_one_signal_raises_its_alarm_alone(reference: Reference, signal: Signal, change: float) -> None:
    assert alarms(reference, drawn(WINDOW_CASES, 7, **{signal.value: change})) == {signal}


def test_another_mix_of_sectors_raises_its_alarm_and_tells_which_have_moved(reference: Reference) -> None:
    usual = drawn(WINDOW_CASES, 7)
    window = [replace(each, sector="disaster") if i % 4 == 0 else each for i, each in enumerate(usual)]
    effect = next(each for each in compare(reference, window) if each.signal is Signal.SECTORS)
    assert effect.is_alarm(was_on=False)
    assert next(iter(effect.detail)) == "disaster"
    assert effect.detail["disaster"] == pytest.approx(0.25)
    assert alarms(reference, window) == {Signal.SECTORS}


def test_what_chance_moves_between_sectors_counts_for_nothing_on_average() -> None:
    effects = []
    for seed in range(60):
        reference = make_reference(drawn(REFERENCE_CASES, 1000 + seed))
        effect = next(each for each in compare(reference, drawn(WINDOW_CASES, seed)) if each.signal is Signal.SECTORS)
        effects.append((effect.now, effect.usual))
    moved, chance = np.mean(effects, axis=0)
    assert moved == pytest.approx(chance, rel=0.15)


def test_the_effect_of_a_difference_does_not_grow_with_the_window(reference: Reference) -> None:
    sizes = [
        next(each.size for each in compare(reference, drawn(count, 5, length=-0.3)) if each.signal is Signal.LENGTH)
        for count in (WINDOW_CASES, 20 * WINDOW_CASES)
    ]
    assert sizes[1] == pytest.approx(sizes[0], abs=3 / sqrt(WINDOW_CASES))
    assert sizes[1] == pytest.approx(-0.5, abs=0.1)


def test_a_small_window_needs_a_larger_effect(reference: Reference) -> None:
    small, whole = (compare(reference, drawn(count, 5)) for count in (FEWEST_CASES, WINDOW_CASES))
    assert all(few.limit > many.limit for few, many in zip(small, whole, strict=True))
    assert {each.signal: each.limit for each in whole} == {
        signal: limit for signal, limit in LIMITS.items() if signal is not Signal.ACCURACY
    }


def test_too_few_cases_say_nothing(reference: Reference) -> None:
    assert compare(reference, drawn(FEWEST_CASES - 1, 1)) == []


def test_cases_without_their_texts_are_compared_in_the_rest(reference: Reference) -> None:
    bare = [Trace(each.sector, each.confidence) for each in drawn(WINDOW_CASES, 1)]
    assert {each.signal for each in compare(reference, bare)} == {Signal.CONFIDENCE, Signal.SECTORS}


def test_an_alarm_goes_off_only_well_under_its_limit() -> None:
    limit = LIMITS[Signal.LENGTH]
    between = Effect(Signal.LENGTH, limit * (DEAD_BAND + 1) / 2, limit, 0, 0)
    assert (between.is_alarm(was_on=False), between.is_alarm(was_on=True)) == (False, True)
    below = replace(between, size=-limit * DEAD_BAND * 0.99)
    assert not below.is_alarm(was_on=True)
    assert replace(between, size=-limit).is_alarm(was_on=False)


def test_a_signal_that_never_varied_makes_no_change_infinite() -> None:
    still = [Trace("social", 0.9, 0.0, 3.0, 0.0, 0.0)] * REFERENCE_CASES
    effects = compare(make_reference(still), [replace(still[0], confidence=0.899)] * WINDOW_CASES)
    assert not any(each.is_alarm(was_on=False) for each in effects)


def test_a_reference_survives_json(reference: Reference) -> None:
    import json

    assert Reference.from_dict(json.loads(json.dumps(reference.as_dict(), allow_nan=False))) == reference


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_the_estimated_accuracy_lies_in_its_interval(confidences: list[float]) -> None:
    found = estimate_accuracy(confidences)
    assert found is not None
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_the_estimates_interval_holds_the_true_share_as_often_as_it_says() -> None:
    chance, held = np.random.default_rng(3), 0
    for _ in range(400):
        confidences = chance.beta(6, 2, size=WINDOW_CASES)
        found = estimate_accuracy(confidences.tolist())
        assert found is not None
        held += found.low <= (chance.random(WINDOW_CASES) < confidences).mean() <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_nothing_is_estimated_of_nothing() -> None:
    assert estimate_accuracy([]) is None


def test_blind_checks_alarm_only_where_they_prove_less_than_was_promised() -> None:
    promised = [0.9] * 100
    assert accuracy_effect(promised[: FEWEST_CHECKS - 1], [False] * (FEWEST_CHECKS - 1)) is None
    as_promised = accuracy_effect(promised, [True] * 88 + [False] * 12)
    worse = accuracy_effect(promised, [True] * 65 + [False] * 35)
    better = accuracy_effect([0.5] * 100, [True] * 100)
    assert as_promised is not None
    assert worse is not None
    assert better is not None
    assert (as_promised.size, better.size) == (0.0, 0.0)
    assert worse.size == pytest.approx(float(beta.ppf(ACCURACY_CERTAINTY, 66, 35)) - 0.9)
    assert worse.is_alarm(was_on=False)


@pytest.fixture(scope="module")
def bundle(bundle_folder: object) -> Bundle:
    return load_bundle(bundle_folder)  # type: ignore[arg-type]


def test_a_trace_tells_words_length_language_and_broken_letters(bundle: Bundle) -> None:
    def read(text: str) -> Trace:
        complaint = Complaint(text, region="kab-tangerang")
        return trace_of(complaint, bundle.read(complaint), "social", 0.5)

    plain = read("jalan rusak dan berlubang")
    assert (plain.unknown, plain.language, plain.broken) == (0.0, 0.0, 0.0)
    assert read("jalan zzqxv rusak wwkkjj").unknown == pytest.approx(0.5)
    assert read("").unknown == 1.0
    assert (read("jalan \N{REPLACEMENT CHARACTER}usak").broken, read("jalanâ€™an rusak").broken) == (1.0, 1.0)
    assert read("Rp50.000 – “segera” 😀 café").broken == 0.0
    assert read("dalane rusak kabeh, tulung didandani ojo suwe-suwe, aku wis kesel").language == 1.0
    assert plain.length is not None
    assert read("jalan rusak " * 40).length > plain.length  # type: ignore[operator]


def test_evidence_of_a_region_stands_in_for_what_isnt_known_yet(bundle: Bundle) -> None:
    evidence = np.zeros(FEWEST_EVIDENCE, EVIDENCE)
    evidence["region"], evidence["confidence"], evidence["found"] = b"kab-tangerang", 0.75, 1
    known = replace(bundle, evidence=evidence)
    found = reference_of_evidence(known, "kab-tangerang")
    assert found is not None
    assert found.means == {Signal.CONFIDENCE: (pytest.approx(0.75), pytest.approx(0.0))}
    assert list(found.sectors.values()) == [1.0]
    assert reference_of_evidence(known, "kab-bandung") is None
    assert reference_of_evidence(replace(bundle, evidence=evidence[1:]), "kab-tangerang") is None
