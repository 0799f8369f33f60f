"""The gate: harm is refused and named, chance is not, and many figures together raise no more alarms than one."""

from __future__ import annotations

import numpy as np
import pytest

from training.gate import (
    ALONE,
    COVERAGE,
    LEVEL,
    MACRO_F1,
    PRECISION,
    Guard,
    Panel,
    Verdict,
    judge,
    sector_guards,
    share_guard,
)

SECTORS = ("environment", "health", "public-works", "social")
ROWS = 600


def answers_of(labels: np.ndarray, right: float, random: np.random.Generator) -> np.ndarray:
    """Answers that are right so often, else any sector."""
    return np.where(random.random(len(labels)) < right, labels, random.choice(SECTORS, len(labels)))


def verdicts(
    labels: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    auto: tuple[np.ndarray, np.ndarray] | None = None,
    groups: np.ndarray | None = None,
) -> dict[str, Verdict]:
    groups = np.arange(len(labels)) if groups is None else groups
    auto = auto or (np.zeros(len(labels), dtype=bool), np.zeros(len(labels), dtype=bool))
    sure = tuple(np.random.default_rng(0).random(len(labels)) + each for each in auto)
    guards = sector_guards(
        labels.tolist(),
        (champion.tolist(), challenger.tolist()),
        auto,
        sure,
        groups,
        (0.95, 0.95),
        {"first": labels == "social"},
    )
    return {each.name: each for each in judge([Panel(guards, groups)])}


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def labels(random: np.random.Generator) -> np.ndarray:
    return random.choice(SECTORS, ROWS, p=(0.4, 0.1, 0.4, 0.1))


def test_a_challenger_that_is_the_champion_passes_with_no_difference(
    labels: np.ndarray, random: np.random.Generator
) -> None:
    own = answers_of(labels, 0.7, random)
    found = verdicts(labels, own, own)
    assert {each.difference for each in found.values()} == {0.0}
    assert not any(each.refused for each in found.values())


def test_a_clearly_worse_challenger_is_refused_and_the_figures_are_named(
    labels: np.ndarray, random: np.random.Generator
) -> None:
    found = verdicts(labels, answers_of(labels, 0.8, random), answers_of(labels, 0.5, random))
    assert found["accuracy"].refused
    assert found[MACRO_F1].refused
    assert found["accuracy"].high < 0
    assert "accuracy: 0." in str(found["accuracy"])


def test_a_better_challenger_passes(labels: np.ndarray, random: np.random.Generator) -> None:
    found = verdicts(labels, answers_of(labels, 0.5, random), answers_of(labels, 0.8, random))
    assert not any(each.refused for each in found.values())


def test_a_sector_that_is_lost_is_named_though_the_rest_is_better(
    labels: np.ndarray, random: np.random.Generator
) -> None:
    champion = answers_of(labels, 0.8, random)
    challenger = np.where(labels == "health", "social", labels)
    found = verdicts(labels, champion, challenger)
    assert {name for name, each in found.items() if each.refused} == {"recall: health", MACRO_F1}
    assert found["accuracy"].difference > 0


def test_a_sector_of_few_rows_is_not_judged_by_itself(labels: np.ndarray) -> None:
    labels[labels == "health"] = "social"
    labels[:19] = "health"
    assert "recall: health" not in verdicts(labels, labels, labels)
    labels[19] = "health"
    assert "recall: health" in verdicts(labels, labels, labels)


def test_copies_of_one_complaint_are_one_piece_of_evidence() -> None:
    """Sixty copies of a complaint that one side gets wrong say as little as one."""
    labels = np.array(["social"] * 200)
    challenger = labels.copy()
    challenger[:60] = "health"
    single = verdicts(labels, labels, challenger)["accuracy"]
    copies = np.concatenate([np.zeros(60, dtype=np.int64), np.arange(1, 141)])
    together = verdicts(labels, labels, challenger, groups=copies)["accuracy"]
    assert single.refused
    assert not together.refused
    assert single.difference == together.difference


def test_less_that_could_be_routed_alone_is_refused_and_more_of_it_wrongly_too(
    labels: np.ndarray, random: np.random.Generator
) -> None:
    own = answers_of(labels, 0.8, random)
    right = own == labels
    half, none, all_of_it = right & (random.random(ROWS) < 0.6), np.zeros(ROWS, dtype=bool), np.ones(ROWS, dtype=bool)
    timid = verdicts(labels, own, own, (half, none))
    assert timid[COVERAGE].refused
    assert timid[ALONE].difference < -0.3
    assert not timid[ALONE].refused
    reckless = verdicts(labels, own, own, (half, all_of_it))
    assert reckless[PRECISION].refused


def test_precision_above_the_promise_is_no_better(labels: np.ndarray, random: np.random.Generator) -> None:
    own = labels.copy()
    own[:15] = "nothing"
    surest, most = np.arange(ROWS) >= 15, np.ones(ROWS, dtype=bool)
    found = verdicts(labels, own, own, (surest, most))[PRECISION]
    assert (found.champion, found.challenger) == (0.95, 0.95)


def test_a_fall_within_its_tolerance_is_shown_but_not_refused(random: np.random.Generator) -> None:
    champion, challenger, ones = np.ones(ROWS), (np.arange(ROWS) > 30) * 1.0, np.ones(ROWS)
    strict, mild = (
        judge([Panel([share_guard("share", (champion, challenger), ones, tolerance)], np.arange(ROWS))])[0]
        for tolerance in (0.0, 0.1)
    )
    assert strict.refused
    assert not mild.refused
    assert strict.difference == mild.difference < 0


def test_many_figures_of_two_equals_raise_few_false_alarms(random: np.random.Generator) -> None:
    """Forty unrelated figures without a difference: by the level of each alone, nine in ten comparisons would alarm."""
    alarms = 0
    for trial in range(60):
        draw = np.random.default_rng(trial)
        groups, ones = np.arange(150), np.ones(150)
        guards: list[Guard] = []
        for name in range(40):
            sides = (draw.random(150) < 0.7) * 1.0, (draw.random(150) < 0.7) * 1.0
            guards.append(share_guard(str(name), sides, ones))
        alarms += any(each.refused for each in judge([Panel(guards, groups)], swaps=400))
    # A twentieth of 60 is 3; more than 9 would happen once in 2,000 runs.
    assert alarms <= 9
    assert LEVEL == 0.05


def test_the_same_answers_get_the_same_verdict_again(labels: np.ndarray, random: np.random.Generator) -> None:
    champion, challenger = answers_of(labels, 0.7, random), answers_of(labels, 0.7, random)
    assert verdicts(labels, champion, challenger) == verdicts(labels, champion, challenger)


def test_nothing_guarded_is_nothing_judged() -> None:
    assert judge([]) == []
