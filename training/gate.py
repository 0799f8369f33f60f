"""The gate: whether a challenger is worse than the champion in any guarded figure, beyond what chance explains.

Both answer the same rows. If neither were better, it would be chance which of the two gave which of two answers: so
groups of near-copies have the two sides' answers swapped at random, a thousand times, and a figure counts as worse
where its fall is larger than the largest fall of *any* guarded figure in all but a twentieth of the swaps (the maximum
statistic of a permutation test: Westfall and Young 1993, single step). So all figures together raise a false alarm as
often as one would, however many they are; and as figures that move together share their falls, less is lost than by
Holm's rule, which takes them for unrelated. Swapping is exact for few rows too, where a bootstrap's interval is too
narrow; the intervals that are shown are the bootstrap's (Efron 1979), over groups, both sides drawn together.

Two trainings on other rows of the same kind differ in truth too, beyond what chance in the compared rows explains: so a
figure is refused only if it also falls by more than its tolerance, which is what another draw of rows may bring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.features import Floats
from training.splitting import Bools, Ints

SWAPS = 1_000
LEVEL = 0.05
# A sector or slice of fewer different rows tells nothing by itself; overall figures count its rows.
FEWEST_ROWS = 20
ACCURACY, MACRO_F1, COVERAGE, PRECISION = "accuracy", "macro-F1", "coverage at the promise", "precision"
ALONE = "routed alone"
RECALL = "recall: "
SLICE = "slice: "
# What another draw of rows to learn from may bring (docs/decisions/0023). A figure of tolerance 1 is shown, not
# guarded: whether a promise can be made at all hangs on a handful of labels among the surest rows.
TOLERANCES = {ACCURACY: 0.0, MACRO_F1: 0.02, COVERAGE: 0.10, ALONE: 1.0, PRECISION: 0.02}
# Of a part of the rows it is so much over the square root of its rows: a sector of a hundred may lose 20 points.
PART_TOLERANCES = {RECALL: 2.0, SLICE: 1.0}
# Steps of the surest rows at which coverage is looked at.
_STEPS = 25
_SEED = 20231107
_SMALLEST = 1e-12

Score = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Guard:
    """A figure that must not fall, larger is better.

    It is a `score` (r, c) -> (r,) of c sums over rows; `champion` and `challenger` (n, c) are what each row adds to
    them by either's answer. `rows`: those it rests on. `tolerance`: the fall that is no harm yet. `is_counted`: each
    row matters by itself, so any fall is refused, whether or not chance explains it. `is_part`: of a part of the rows,
    whose tolerance could be more than all it has: beyond chance it may lose no more than half.
    """

    name: str
    champion: Floats
    challenger: Floats
    score: Score
    rows: int
    tolerance: float = 0.0
    is_counted: bool = False
    is_part: bool = False


@dataclass(frozen=True)
class Panel:
    """Figures of the same rows, whose groups of near-copies are `groups` (n,)."""

    guards: Sequence[Guard]
    groups: Ints


@dataclass(frozen=True)
class Verdict:
    """One figure of both sides, their difference with its 95 % interval, and whether the challenger is refused for it.

    `chance` is how often swapping alone makes some guarded figure fall so far; `rows` those that the figure rests on.
    """

    name: str
    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    rows: int
    chance: float
    refused: bool

    @property
    def is_lower(self) -> bool:
        """Whether it fell beyond chance, be it within its tolerance."""
        return self.difference < 0 and self.chance <= LEVEL

    def __str__(self) -> str:
        shown = f"{self.name}: {self.champion:.3f} -> {self.challenger:.3f}"
        return f"{shown} ({self.difference:+.3f}, 95 % interval {self.low:+.3f} to {self.high:+.3f}, n={self.rows})"


def judge(panels: Sequence[Panel], *, level: float = LEVEL, swaps: int = SWAPS, seed: int = _SEED) -> list[Verdict]:
    """The verdict on every guarded figure of all panels, in their order."""
    random = np.random.default_rng(seed)
    observed, chances, drawn = [], [], []
    guards: list[Guard] = []
    for panel in panels:
        of_group, sums = _by_group(panel)
        observed.append(_differences(panel.guards, sums.sum(axis=0, keepdims=True))[0])
        flips = random.integers(0, 2, (swaps, len(sums))).astype(np.float64)
        chances.append(_swapped(panel.guards, sums, flips))
        draws = np.array(
            [np.bincount(random.integers(0, of_group, of_group), minlength=of_group) for _ in range(swaps)]
        )
        drawn.append(_differences(panel.guards, _weighed(draws.astype(np.float64), sums)))
        guards += panel.guards
    if not guards:
        return []
    difference, by_chance, resampled = np.concatenate(observed), np.hstack(chances), np.hstack(drawn)
    scale = np.maximum(np.sqrt(np.nanmean(by_chance**2, axis=0)), _SMALLEST)
    guarded = np.array([guard.tolerance < 1.0 for guard in guards])
    largest = np.nanmax((-by_chance / scale)[:, guarded], axis=1)
    fall = -difference / scale
    chance = [float(((largest >= each - 1e-9).sum() + 1) / (swaps + 1)) for each in fall]
    low, high = np.nanquantile(resampled, (0.025, 0.975), axis=0)
    values = [_values(guard) for guard in guards]
    return [
        Verdict(
            guard.name,
            *values[i],
            float(difference[i]),
            float(low[i]),
            float(high[i]),
            guard.rows,
            chance[i],
            _is_refused(guard, float(difference[i]), values[i][0], chance[i] <= level),
        )
        for i, guard in enumerate(guards)
    ]


def _is_refused(guard: Guard, difference: float, champion: float, is_beyond_chance: bool) -> bool:
    """Whether a fall is harm: every one of what is counted; else beyond chance and its tolerance, or by half."""
    if guard.is_counted:
        return difference < 0
    is_lost = guard.is_part and -difference > champion / 2
    return is_beyond_chance and (-difference > guard.tolerance or is_lost)


def sector_guards(
    labels: Sequence[str],
    found: tuple[Sequence[str], Sequence[str]],
    auto: tuple[Bools, Bools],
    sure: tuple[Floats, Floats],
    groups: Ints,
    promised: tuple[float, float],
    slices: Mapping[str, Bools],
) -> list[Guard]:
    """The guards of sectors, of champion and challenger: accuracy, macro-F1, routing alone, each sector, each slice.

    `labels` (n,), what either `found`, what it routes alone (`auto`) and how `sure` it was are of the same rows.
    `promised` is the precision that either promises of what it routes alone: more than that is no better. `slices` are
    masks (n,) by name.
    """
    truth = np.array(labels, dtype=object)
    answers = [np.array(each, dtype=object) for each in found]
    right = [(each == truth).astype(np.float64) for each in answers]
    ones = np.ones(len(truth))
    guards = [
        share_guard(ACCURACY, right, ones, TOLERANCES[ACCURACY]),
        _macro_f1_guard(truth, answers),
        _coverage_guard(right, sure, max(promised)),
        share_guard(ALONE, [each.astype(np.float64) for each in auto], ones, TOLERANCES[ALONE]),
    ]
    if auto[0].any() or auto[1].any():
        guards.append(_precision_guard(right, auto, promised))
    for kind, masks in (
        (RECALL, {str(sector): truth == sector for sector in sorted(set(truth))}),
        (SLICE, slices),
    ):
        guards += [
            part_guard(f"{kind}{name}", right, mask, PART_TOLERANCES[kind])
            for name, mask in masks.items()
            if len(np.unique(groups[mask])) >= FEWEST_ROWS
        ]
    return guards


def share_guard(name: str, hits: Sequence[Floats], of: Floats, tolerance: float = 0.0) -> Guard:
    """The share of the rows `of` (n,) that are `hits` (n,) of champion and challenger."""
    champion, challenger = (np.column_stack([each, of]) for each in hits)
    return Guard(name, champion, challenger, _ratio, int(of.sum()), tolerance)


def part_guard(name: str, hits: Sequence[Floats], mask: Bools, tolerance: float) -> Guard:
    """The share of the rows of a part (`mask`, n) that are `hits` (n,); its tolerance is over the root of its rows."""
    own = mask.astype(np.float64)
    guard = share_guard(name, [each * own for each in hits], own, tolerance / float(own.sum()) ** 0.5)
    return replace(guard, is_part=True)


def _coverage_guard(right: Sequence[Floats], sure: tuple[Floats, Floats], target: float) -> Guard:
    """The largest share of the surest rows of which `target` are right: what could be routed alone, were it known.

    Both sides' rows are in steps of their own order, so another scale of sureness changes nothing.
    """
    sides, steps = [], np.arange(_STEPS)
    for hit, confidence in zip(right, sure, strict=True):
        place = np.argsort(np.argsort(-confidence, kind="stable"), kind="stable") * _STEPS // len(hit)
        in_step = (place[:, None] == steps[None, :]).astype(np.float64)
        sides.append(np.hstack([in_step, in_step * hit[:, None]]))

    def covered(sums: Floats) -> Floats:
        counts, hits = (np.cumsum(half, axis=1) for half in np.split(sums, 2, axis=1))
        shares: Floats = np.where(hits >= target * counts, counts, 0.0).max(axis=1) / counts[:, -1]
        return shares

    return Guard(COVERAGE, sides[0], sides[1], covered, len(right[0]), TOLERANCES[COVERAGE])


def _precision_guard(right: Sequence[Floats], auto: tuple[Bools, Bools], promised: tuple[float, float]) -> Guard:
    """How often what is routed alone is right, as far as it was promised; routing nothing alone breaks no promise."""
    target = min(promised)
    sides = [np.column_stack([hit * alone, alone]).astype(np.float64) for hit, alone in zip(right, auto, strict=True)]

    def kept(sums: Floats) -> Floats:
        shares: Floats = np.minimum(
            np.divide(sums[:, 0], sums[:, 1], out=np.ones(len(sums)), where=sums[:, 1] > 0), target
        )
        return shares

    return Guard(PRECISION, sides[0], sides[1], kept, int(auto[1].sum()), TOLERANCES[PRECISION])


def _macro_f1_guard(truth: Floats, answers: Sequence[Floats]) -> Guard:
    """Macro-F1 over the labels that the rows have."""
    names = np.unique(truth)
    of_label = truth[:, None] == names[None, :]
    sides = []
    for each in answers:
        of_answer = each[:, None] == names[None, :]
        sides.append(np.hstack([of_label & of_answer, of_label, of_answer]).astype(np.float64))

    def score(sums: Floats) -> Floats:
        hits, labelled, answered = np.split(sums, 3, axis=1)
        either = labelled + answered
        f1 = np.divide(2 * hits, either, out=np.full(hits.shape, np.nan), where=either > 0)
        means: Floats = np.nanmean(f1, axis=1)
        return means

    return Guard(MACRO_F1, sides[0], sides[1], score, len(truth), TOLERANCES[MACRO_F1])


def _ratio(sums: Floats) -> Floats:
    shares: Floats = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)
    return shares


def _values(guard: Guard) -> tuple[float, float]:
    champion, challenger = (
        guard.score(side.sum(axis=0, keepdims=True))[0] for side in (guard.champion, guard.challenger)
    )
    return float(champion), float(challenger)


def _by_group(panel: Panel) -> tuple[int, Floats]:
    """How many groups there are, and their sums (groups, columns): of each guard the champion's, then the other's."""
    numbers, inverse = np.unique(panel.groups, return_inverse=True)
    columns = np.hstack([side for guard in panel.guards for side in (guard.champion, guard.challenger)])
    sums = np.zeros((len(numbers), columns.shape[1]))
    np.add.at(sums, inverse, columns)
    return len(numbers), sums


def _weighed(weights: Floats, sums: Floats) -> Floats:
    weighed: Floats = weights @ sums
    return weighed


def _swapped(guards: Sequence[Guard], sums: Floats, flips: Floats) -> Floats:
    """The differences (swaps, guards) once the groups of `flips` (swaps, groups) have their sides swapped."""
    other = np.empty_like(sums)
    start = 0
    for guard in guards:
        width = guard.champion.shape[1]
        middle, end = start + width, start + 2 * width
        other[:, start:middle], other[:, middle:end] = sums[:, middle:end], sums[:, start:middle]
        start = end
    return _differences(guards, sums.sum(axis=0, keepdims=True) + flips @ (other - sums))


def _differences(guards: Sequence[Guard], sums: Floats) -> Floats:
    """The challenger's scores less the champion's (r, guards), of sums (r, all columns)."""
    found, start = [], 0
    for guard in guards:
        width = guard.champion.shape[1]
        champion, challenger = sums[:, start : start + width], sums[:, start + width : start + 2 * width]
        found.append(guard.score(challenger) - guard.score(champion))
        start += 2 * width
    return np.column_stack(found)
