"""Figures: every score against scikit-learn's or one worked out by hand, with intervals that hold it."""

from __future__ import annotations

from dataclasses import asdict
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score

from training.figures import (
    Figure,
    Slice,
    calibration_error,
    caught_figure,
    f1_figure,
    kappa_figure,
    macro_f1_figure,
    mean_figure,
    paired_difference,
    paired_macro_f1_difference,
    quadratic_kappa,
    sector_lines,
    slices_of,
)
from training.splitting import Ints

ONE_GROUP = np.zeros(6, dtype=np.int64)


def apart(rows: int) -> Ints:
    """Rows none of which is a near-copy."""
    return np.arange(rows, dtype=np.int64)


def holds(figure: Figure | None) -> Figure:
    assert figure is not None
    assert figure.low <= figure.value <= figure.high
    return figure


def ones(*places: int, of: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """A mask (of,) that is true at the places."""
    return np.isin(np.arange(of), places)


# How a figure is written


def test_a_share_is_written_with_its_interval_and_its_rows() -> None:
    assert str(Figure(0.5, 0.25, 0.75, 8)) == "0.500 (0.250-0.750, n=8)"
    assert Figure(0.5, 0.25, 0.75, 8).without_rows() == "0.500 (0.250-0.750)"


def test_a_difference_below_nothing_does_not_run_two_dashes_together() -> None:
    assert str(Figure(0.01, -0.02, 0.04, 8)) == "0.010 (-0.020 to 0.040, n=8)"


# The mean


@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("count", [1, 2, 30, 400])
def test_an_interval_holds_its_value(share: float, count: int) -> None:
    values = (np.arange(count) < share * count).astype(float)
    figure = holds(mean_figure(values, apart(count)))
    assert figure.value == values.mean()
    assert figure.rows == count
    assert 0 <= figure.low <= figure.high <= 1


def test_an_interval_is_as_wide_as_the_binomials() -> None:
    figure = holds(mean_figure((np.arange(400) % 2).astype(float), apart(400)))
    assert figure.high - figure.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 400), rel=0.1)


def test_near_copies_widen_the_interval() -> None:
    values = np.repeat((np.arange(20) % 2).astype(float), 20)
    alone, together = mean_figure(values, apart(400)), mean_figure(values, np.repeat(np.arange(20), 20))
    assert holds(together).high - holds(together).low > 3 * (holds(alone).high - holds(alone).low)


def test_groups_may_have_any_numbers_in_any_order() -> None:
    values = np.array([1.0, 0.0, 1.0, 1.0])
    assert mean_figure(values, np.array([7, 900, 7, 3])) == mean_figure(values, np.array([1, 2, 1, 0]))


def test_rows_of_one_group_have_an_interval_of_no_width() -> None:
    figure = holds(mean_figure(np.array([1.0, 0, 0, 1, 1, 1]), ONE_GROUP))
    assert figure.low == figure.value == figure.high == pytest.approx(4 / 6)


def test_no_rows_have_no_figure() -> None:
    none, nobody = np.zeros(0), np.zeros(0, dtype=np.bool_)
    assert mean_figure(none, apart(0)) is None
    assert macro_f1_figure([], [], apart(0)) is None
    assert kappa_figure([], [], apart(0), ["0", "1"]) is None
    assert f1_figure(nobody, nobody, apart(0)) is None
    assert caught_figure(none, nobody, apart(0), 0.3) is None
    assert slices_of("region", [], none, none, apart(0)) == []
    assert sector_lines([], []) == ()


# Macro-F1, F1 and kappa


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_is_scikit_learns_over_the_labels_that_occur(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, found = random.choice(list("abce"), 80), random.choice(list("abde"), 80)
    expected = f1_score(labels, found, labels=np.unique(labels), average="macro", zero_division=0)
    assert holds(macro_f1_figure(labels.tolist(), found.tolist(), apart(80))).value == pytest.approx(expected)


def test_macro_f1_worked_out_by_hand() -> None:
    # a: 2 of 3 found, 2 of 3 answers right; b: found once, answered twice; c is only answered and doesn't count.
    figure = holds(macro_f1_figure(list("aaab"), list("aabb"), apart(4)))
    assert figure.value == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert holds(macro_f1_figure(list("aaab"), list("aacb"), apart(4))).value == pytest.approx((4 / 5 + 1) / 2)


def test_macro_f1_of_one_label_alone_is_its_f1() -> None:
    figure = holds(macro_f1_figure(list("aaaa"), list("aaaa"), apart(4)))
    assert (figure.low, figure.value, figure.high) == (1.0, 1.0, 1.0)


def test_the_interval_of_macro_f1_is_no_better_for_resamples_without_the_rare_label() -> None:
    """Where the rare label's one row isn't drawn but other rows are still taken for it, it counts as wrong."""
    labels, found = ["rare"] + ["often"] * 19, ["rare"] * 5 + ["often"] * 15
    figure = holds(macro_f1_figure(labels, found, apart(20)))
    assert figure.value == pytest.approx((2 / 6 + 30 / 34) / 2)
    # Where only the labels drawn count, the resamples without the rare one are the other's F1 alone: 0.50 to 0.97.
    assert figure.low < 0.45
    assert figure.high < 0.92


def test_f1_of_one_label_worked_out_by_hand() -> None:
    # Of three rows two are found, and one other is taken for it.
    figure = holds(f1_figure(ones(0, 1, 2, of=10), ones(1, 2, 9, of=10), apart(10)))
    assert figure.value == pytest.approx(2 * 2 / (3 + 3))
    assert figure.rows == 10


def test_f1_is_nothing_where_the_label_is_never_answered_and_untold_where_no_row_has_it() -> None:
    assert holds(f1_figure(ones(0, 1, of=6), ones(of=6), apart(6))) == Figure(0.0, 0.0, 0.0, 6)
    assert f1_figure(ones(of=6), ones(3, of=6), apart(6)) is None


def test_f1_leaves_out_resamples_that_draw_neither_label_nor_answer() -> None:
    figure = holds(f1_figure(ones(0, of=50), ones(0, of=50), apart(50)))
    assert (figure.low, figure.value, figure.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_quadratic_kappa_is_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.choice(4, 90, p=[0.5, 0.3, 0.15, 0.05])
    found = np.clip(labels + random.choice([-1, 0, 0, 1, 2], 90), 0, 3)
    expected = cohen_kappa_score(labels, found, weights="quadratic")
    confusion = confusion_matrix(labels, found, labels=range(4)).astype(float)
    assert quadratic_kappa(confusion) == pytest.approx(expected)
    assert quadratic_kappa(np.stack([confusion, 2 * confusion])) == pytest.approx([expected, expected])
    figure = holds(kappa_figure([str(n) for n in labels], [str(n) for n in found], apart(90), list("0123")))
    assert figure.value == pytest.approx(expected)


def test_quadratic_kappa_of_one_label_alone_is_nothing() -> None:
    assert quadratic_kappa(np.array([[7.0]])) == 0.0
    assert kappa_figure(list("1111"), list("1111"), apart(4), list("0123")) == Figure(0.0, 0.0, 0.0, 4)


def test_a_step_that_no_row_has_widens_the_scale_of_kappa() -> None:
    labels, found = list("0003300"), list("0033030")
    expected = cohen_kappa_score(labels, found, weights="quadratic", labels=list("0123"))
    assert holds(kappa_figure(labels, found, apart(7), list("0123"))).value == pytest.approx(expected)


# Calibration error


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


# What is caught among the highest


def test_what_is_caught_worked_out_by_hand() -> None:
    scores = np.array([0.1, 2.0, 0.3, 1.5, 0.2, 1.0, 0.4, 0.0, 0.5, 0.6])
    # The three highest are rows 1, 3 and 5; of the four wanted, two are among them.
    figure = holds(caught_figure(scores, ones(1, 5, 7, 9, of=10), apart(10), 0.3))
    assert figure.value == pytest.approx(2 / 4)
    assert figure.rows == 4


def test_scores_that_are_all_the_same_catch_the_share_and_no_more() -> None:
    for wanted in (ones(0, 1, 2, of=10), ones(7, 8, 9, of=10)):
        assert holds(caught_figure(np.full(10, 0.7), wanted, apart(10), 0.3)).value == pytest.approx(0.3)


def test_rows_of_equal_score_at_the_cut_count_as_any_order_would_on_average() -> None:
    scores, wanted = [3.0, 1.0, 1.0, 1.0, 0.0], [False, True, False, True, True]
    told = []
    for order in permutations(range(5)):
        highest = sorted(order, key=lambda i: -scores[i])[:2]
        told.append(sum(wanted[i] for i in highest) / 3)
    figure = holds(caught_figure(np.array(scores), np.array(wanted), apart(5), 0.4))
    assert figure.value == pytest.approx(np.mean(told)) == pytest.approx(2 / 9)


def test_scores_that_differ_by_rounding_alone_are_equal() -> None:
    scores = np.array([0.1 + 0.2, 0.3, 0.3, 0.3])
    assert holds(caught_figure(scores, ones(0, of=4), apart(4), 0.25)).value == pytest.approx(1 / 4)


def test_a_cut_within_a_row_counts_the_part_of_it_that_fits() -> None:
    # 30 % of 5 rows are one and a half.
    assert holds(caught_figure(np.arange(5.0), ones(3, of=5), apart(5), 0.3)).value == pytest.approx(0.5)


def test_where_every_row_is_wanted_the_share_is_caught() -> None:
    figure = holds(caught_figure(np.arange(20.0), np.ones(20, dtype=np.bool_), apart(20), 0.3))
    assert (figure.low, figure.value, figure.high) == pytest.approx((0.3, 0.3, 0.3))


def test_one_wanted_row_is_caught_or_not_whatever_is_drawn_with_it() -> None:
    assert holds(caught_figure(-np.arange(50.0), ones(0, of=50), apart(50), 0.3)) == Figure(1.0, 1.0, 1.0, 1)
    assert holds(caught_figure(np.arange(50.0), ones(0, of=50), apart(50), 0.3)).value == 0.0


# Slices and sectors


def test_slices_worked_out_by_hand() -> None:
    names = ["village", "city", "city", "village", "city"]
    right, top3 = np.array([1.0, 0, 0, 0, 1]), np.array([1.0, 1, 0, 1, 1])
    [city, village] = slices_of("region", names, right, top3, apart(5))
    assert (city.kind, city.name, city.rows, village.name, village.rows) == ("region", "city", 3, "village", 2)
    assert holds(city.accuracy).value == pytest.approx(1 / 3)
    assert holds(city.top3).value == pytest.approx(2 / 3)
    assert holds(village.accuracy).value == pytest.approx(1 / 2)
    assert holds(village.top3).value == pytest.approx(1.0)
    assert city.accuracy.rows == city.top3.rows == 3
    assert asdict(city).keys() == {"kind", "name", "rows", "accuracy", "top3"}


def test_slices_keep_an_order_they_are_given_and_leave_out_names_without_rows() -> None:
    values = np.ones(3)
    found: list[Slice] = slices_of(
        "length", ["long", "long", "short"], values, values, apart(3), ["short", "mid", "long"]
    )
    assert [part.name for part in found] == ["short", "long"]


def test_sectors_worked_out_by_hand() -> None:
    [a, b, c] = sector_lines(list("aaabbc"), list("aabbda"))
    assert (a.sector, a.rows, a.recall, a.precision) == ("a", 3, 2 / 3, 2 / 3)
    assert (b.sector, b.rows, b.recall, b.precision) == ("b", 2, 1 / 2, 1 / 2)
    assert (c.sector, c.rows, c.recall, c.precision) == ("c", 1, 0.0, None)


# Two recipes on the same rows


def test_a_paired_difference_worked_out_by_hand() -> None:
    a, b = np.array([1.0, 1, 1, 0, 1, 0]), np.array([1.0, 0, 0, 1, 1, 0])
    figure = holds(paired_difference(a, b, apart(6)))
    assert figure.value == pytest.approx(4 / 6 - 3 / 6)
    assert figure.rows == 6
    back = holds(paired_difference(b, a, apart(6)))
    assert (back.value, back.low, back.high) == pytest.approx((-figure.value, -figure.high, -figure.low))


def test_a_recipe_does_not_differ_from_itself() -> None:
    values, labels, found = np.array([1.0, 0, 1, 1, 0, 0]), list("abcabc"), list("abbacc")
    assert paired_difference(values, values, apart(6)) == Figure(0.0, 0.0, 0.0, 6)
    assert paired_macro_f1_difference(labels, found, found, apart(6)) == Figure(0.0, 0.0, 0.0, 6)


def test_pairing_narrows_the_interval_where_both_find_the_same_rows_hard() -> None:
    random = np.random.default_rng(3)
    b = (random.random(500) < 0.6).astype(float)
    a = b.copy()
    a[np.flatnonzero(b == 0)[:15]] = 1.0
    paired = holds(paired_difference(a, b, apart(500)))
    assert paired.low > 0
    first, second = holds(mean_figure(a, apart(500))), holds(mean_figure(b, apart(500)))
    assert first.low < second.high, "apart, their intervals overlap"
    assert paired.high - paired.low < 0.5 * (first.high - first.low)


def test_a_gain_in_one_group_of_copies_proves_nothing() -> None:
    a, b = np.ones(40), np.concatenate([np.zeros(20), np.ones(20)])
    groups = np.concatenate([np.zeros(20, dtype=np.int64), np.arange(1, 21)])
    assert holds(paired_difference(a, b, apart(40))).low > 0
    assert holds(paired_difference(a, b, groups)).low == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_a_paired_difference_of_macro_f1_is_that_of_the_two_scores(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.choice(list("abcd"), 120, p=[0.5, 0.3, 0.15, 0.05])
    first = np.where(random.random(120) < 0.8, labels, random.choice(list("abce"), 120))
    second = np.where(random.random(120) < 0.5, labels, random.choice(list("abcf"), 120))
    figure = holds(paired_macro_f1_difference(labels.tolist(), first.tolist(), second.tolist(), apart(120)))
    scores = [f1_score(labels, found, labels=np.unique(labels), average="macro") for found in (first, second)]
    assert figure.value == pytest.approx(scores[0] - scores[1])
    assert figure.low > 0


def test_a_paired_difference_of_macro_f1_worked_out_by_hand() -> None:
    # a: both right; b: every row taken for x, whose F1 is then 4/6, and that of y 0.
    figure = holds(paired_macro_f1_difference(list("xxyy"), list("xxyy"), list("xxxx"), apart(4)))
    assert figure.value == pytest.approx(1 - (4 / 6 + 0) / 2)


def test_differences_within_one_group_have_no_width() -> None:
    figure = paired_macro_f1_difference(list("xxxyyy"), list("xxxyyy"), list("xxyyyy"), ONE_GROUP)
    assert figure.low == figure.value == figure.high > 0


def test_differences_of_rows_that_are_not_the_same_are_refused() -> None:
    with pytest.raises(ValueError, match="same rows"):
        paired_difference(np.ones(3), np.ones(2), apart(3))
    with pytest.raises(ValueError, match="same rows"):
        paired_difference(np.ones(3), np.ones(3), apart(4))
    with pytest.raises(ValueError, match="same rows"):
        paired_macro_f1_difference(list("ab"), list("ab"), list("abc"), apart(2))
    with pytest.raises(ValueError, match="one or more"):
        paired_difference(np.zeros(0), np.zeros(0), apart(0))


def test_figures_are_the_same_every_time() -> None:
    labels, found, groups = list("abcabcabca"), list("abbacaabcc"), np.arange(10) // 2
    assert macro_f1_figure(labels, found, groups) == macro_f1_figure(labels, found, groups)
