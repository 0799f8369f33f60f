"""What learning from the desk gives, and that the model doesn't agree with itself: python -m benchmarks.learning_loop

Reads the real complaints of Surabaya and Kabupaten Bandung in place (`../shared/datasets` beside the checkout) and says
so where they are absent. To be cheap, only the sector head is fitted, and without the in-word character n-grams. The
vocabulary is made once, from all texts without their labels, as from a town hall's archive; the written corpus stays
out, so that the reviews alone count. A fifth of the groups of near-copies is kept aside in each seed; accuracy is of
those rows, by the labels that the files give, wrong ones among them. Intervals (95 %) are from drawing groups again,
over the seeds together.

A: 5,000 reviews, 500 at a time; the first 500 by chance. A simulated moderator gives the file's label, but one in 20
slips to another label (as frequent as labels are). Ours (`training.next_rows.choose_next`) beside random choice: the
same slips on the same rows.

B: a desk that retrains ten times. It starts from imported labels; in each round complaints come in, the model routes
alone what the promise allows (`model.promise`), and the rest is reviewed: a part blind, the others with the suggestion
in sight, which is taken although wrong in `LEANING` of the cases. A part of what went alone is audited blind. With
provenance (`training.provenance`): weights, evidence and no machine labels, as `disposisi train` has them. Without:
every row counts like any other, the program's own answers too. `alone` is the share of complaints that are routed
alone, `right` how many of those are. Three times: with what the moderators decide; where only what went alone
(with its audits) comes back; and where besides only the newest 2,000 rows are learned from, as a desk does that wants
to keep up with its time. With provenance these are the newest that people labelled.

--develop runs on other seeds, with several weights of accepted labels: what the weight was chosen on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.accuracy import SHARED, SOURCES
from data.complaint import Complaint, LabelledRow, Provenance
from data.rows import read_rows
from model.bundle import SECTOR
from model.confidence import Confidence
from model.promise import choose_threshold
from model.text import TextChain, prepare
from training.calibration import cross_fitted_confidence, fit_confidence
from training.features import hide_views, make_features
from training.figures import mean_figure, paired_difference
from training.fitting import CONFIDENCE_FOLDS
from training.heads import FittedHead, Trust, fit_head, telling_rows
from training.next_rows import RANDOM_SHARE, choose_next
from training.provenance import ACCEPTED_WEIGHT, is_independent, weights_of
from training.recipe import RECIPES
from training.splitting import Bools, Ints, assign_folds, near_copy_groups

REGIONS = ("kota-surabaya", "kab-bandung")
SEEDS, LOOP_SEEDS, DEVELOPMENT_SEEDS = (0, 1, 2), (0, 1), (100,)
REVIEWS, STEP = 5_000, 500
SLIPS = 0.05
ROUNDS, IMPORTED, ARRIVING = 10, 2_000, 600
LEANING, BLIND, AUDITED = 0.5, 0.1, 0.05
_SHOWN = (0, 1, 2, 5, ROUNDS)
# Whether moderators' decisions come back, and how many of the newest rows are learned from (0: all).
LOOPS = ((True, 0), (False, 0), (False, 2_000))
_PROCESSES = 2
_RECIPE = RECIPES["default"]
_HEAD = _RECIPE.of_head(SECTOR)
_NO_COMPLAINT = Complaint("")


@dataclass(frozen=True)
class Rows:
    """The real rows: features (n, d), numbers of their sectors (n,), near-copy groups (n,), regions (n,)."""

    features: csr_matrix
    labels: Ints
    groups: Ints
    regions: NDArray[np.str_]
    names: tuple[str, ...]

    def split(self, seed: int) -> tuple[Ints, Ints]:
        """The numbers of rows to learn from, in a random order, and of those kept aside."""
        aside = assign_folds(self.groups, 5, seed) == 0
        return np.random.default_rng(seed).permutation(np.flatnonzero(~aside)), np.flatnonzero(aside)

    def slipped(self, seed: int) -> Ints:
        """What the moderator says of each row (n,): its label, but for the slips."""
        chance = np.random.default_rng(1_000 + seed)
        slips = chance.random(len(self.labels)) < SLIPS
        others = self.labels[chance.integers(len(self.labels), size=len(self.labels))]
        return np.where(slips, others, self.labels)


def read_real_rows() -> Rows:
    """The rows of both regions that have a sector, with the default recipe's features of the sector head."""
    files = [SHARED / SOURCES[region] for region in REGIONS]
    rows = [row for row in read_rows(files, REGIONS[0]).rows if row.sector is not None]
    complaints = [row.complaint for row in rows]
    parts = Parallel(_PROCESSES)(
        delayed(_prepared)([complaints[i] for i in part]) for part in np.array_split(range(len(rows)), _PROCESSES)
    )
    texts = [text for part in parts for text in part]
    groups = near_copy_groups([prepare(complaint) for complaint in complaints])
    different = [texts[i] for i in np.unique(groups, return_index=True)[1]]
    union = make_features(_RECIPE, different, REGIONS)
    union.transformer_list = [view for view in union.transformer_list if view[0] != "chars"]
    union.fit(different)
    features = hide_views(union.transform(texts).tocsr(), union, _HEAD.views)
    names, labels = np.unique([row.sector for row in rows], return_inverse=True)
    regions = np.array([complaint.region for complaint in complaints])
    return Rows(features, labels.astype(np.int64), groups, regions, tuple(map(str, names)))


def _prepared(complaints: Sequence[object]) -> list[object]:
    chain = TextChain(_RECIPE.text_steps)
    return [chain.prepare(complaint) for complaint in complaints]  # type: ignore[arg-type]


# ---- A: what to label -------------------------------------------------------------------------------------------


def reviewed_by(choice: str, rows: Rows, seed: int) -> list[Bools]:
    """Whether the rows kept aside (m,) are answered right, after each `STEP` reviews, chosen by "ours" or "random"."""
    pool, aside = rows.split(seed)
    said = rows.slipped(seed)
    taken, left = pool[:STEP], pool[STEP:]
    factor = _fitted(rows, taken, said[taken], folds=5).inverse_temperature
    right = []
    while True:
        fitted = _fitted(rows, taken, said[taken], folds=1)
        fitted.classifier.inverse_temperature = factor
        right.append(_answers(fitted, rows, aside) == rows.labels[aside])
        if len(taken) >= REVIEWS:
            return right
        chosen = np.arange(STEP)
        if choice == "ours":
            features = rows.features[left]
            probabilities = fitted.classifier.predict_proba(features)
            counts = np.bincount(np.searchsorted(_known(fitted), said[taken]), minlength=len(fitted.names))
            groups = rows.groups[left]
            chosen = choose_next(
                probabilities, features, groups, counts, STEP, random_share=RANDOM_SHARE, seed=seed + len(taken)
            )
        taken = np.concatenate([taken, left[chosen]])
        left = np.delete(left, chosen)


def _fitted(rows: Rows, which: Ints, labels: Ints, folds: int, trust: Trust | None = None) -> FittedHead:
    trust = trust or Trust.of_real(np.ones(len(which), dtype=np.bool_))
    # Numbers as text of one width, so that labels sort as numbers do.
    names = np.array([f"{label:03d}" for label in labels], dtype=object)
    recipe = replace(_RECIPE, folds=folds)
    return fit_head(rows.features[which], names, rows.groups[which], recipe, trust, _HEAD)


def _known(fitted: FittedHead) -> Ints:
    """The numbers of the labels that a head knows, in its order."""
    return np.array([int(name) for name in fitted.names], dtype=np.int64)


def _answers(fitted: FittedHead, rows: Rows, which: Ints) -> Ints:
    found: Ints = _known(fitted)[fitted.classifier.decision_function(rows.features[which]).argmax(axis=1)]
    return found


def tell_reviews(rows: Rows, seeds: Sequence[int]) -> None:
    """Part A's table: accuracy after each 500 reviews, and the share of labels that ours needs."""
    runs = [(choice, seed) for seed in seeds for choice in ("ours", "random")]
    curves = Parallel(_PROCESSES)(delayed(reviewed_by)(choice, rows, seed) for choice, seed in runs)
    found = dict(zip(runs, curves, strict=True))
    groups = np.concatenate([rows.groups[rows.split(seed)[1]] for seed in seeds])
    print("| reviews | ours | random | ours less random | ours less random at the end |\n|---|---|---|---|---|")
    end = np.concatenate([found["random", seed][-1] for seed in seeds]).astype(np.float64)
    for step in range(REVIEWS // STEP):
        ours, random = (
            np.concatenate([found[choice, seed][step] for seed in seeds]).astype(np.float64)
            for choice in ("ours", "random")
        )
        figures = [mean_figure(ours, groups), mean_figure(random, groups)]
        figures += [paired_difference(ours, random, groups), paired_difference(ours, end, groups)]
        print(f"| {(step + 1) * STEP} | {' | '.join(f.without_rows() for f in figures if f)} |")
    needed = [labels_needed(found["ours", seed], found["random", seed]) for seed in seeds]
    shares = ", ".join("never" if share is None else f"{share / REVIEWS:.2f}" for share in needed)
    print(f"\nLabels that ours needs for the accuracy of {REVIEWS} random ones, as a share of them, by seed: {shares}.")


def labels_needed(ours: Sequence[Bools], random: Sequence[Bools]) -> float | None:
    """After how many reviews ours is as accurate as random choice at the end, on the line between two steps."""
    curve, goal = [float(right.mean()) for right in ours], float(random[-1].mean())
    for step, accuracy in enumerate(curve):
        if accuracy >= goal:
            if step == 0:
                return float(STEP)
            before = curve[step - 1]
            return STEP * (step + (goal - before) / (accuracy - before))
    return None


# ---- B: a model that learns from its own output -------------------------------------------------------------------


@dataclass(frozen=True)
class Round:
    """After a retraining: what the head answers to the rows kept aside (m,), and which it would route alone (m,)."""

    answers: Ints
    alone: Bools


def retrained(rows: Rows, seed: int, accepted_weight: float | None, reviewed: bool, newest: int) -> list[Round]:
    """The start and ten retrainings; `accepted_weight` None: without provenance.

    `reviewed`: what waits is decided by moderators; else only what was routed alone comes back. `newest`: so many of
    the newest rows are kept, 0 for all.
    """
    pool, aside = rows.split(seed)
    chance = np.random.default_rng(2_000 + seed)
    which, labels, sources = pool[:IMPORTED], rows.labels[pool[:IMPORTED]], [""] * IMPORTED
    rounds = []
    for number in range(ROUNDS + 1):
        desk = _Desk.trained(rows, which, labels, sources, accepted_weight)
        answers, alone = desk.route(rows, aside)
        rounds.append(Round(answers, alone))
        arrived = pool[IMPORTED + number * ARRIVING :][:ARRIVING]
        answers, alone = desk.route(rows, arrived)
        if not reviewed:
            arrived, answers, alone = arrived[alone], answers[alone], alone[alone]
        given, told = _judged(answers, alone, rows.labels[arrived], chance)
        which, labels, sources = np.concatenate([which, arrived]), np.concatenate([labels, given]), [*sources, *told]
        counts = [accepted_weight is None or source != Provenance.MACHINE.value for source in sources]
        kept = np.flatnonzero(counts)[-newest:]
        which, labels, sources = which[kept], labels[kept], [sources[i] for i in kept]
    return rounds


def _judged(answers: Ints, alone: Bools, truth: Ints, chance: np.random.Generator) -> tuple[Ints, list[str]]:
    """The label that each complaint ends up with (m,), and where it comes from."""
    blind = chance.random(len(answers)) < np.where(alone, AUDITED, BLIND)
    # Who sees a right suggestion takes it; a wrong one is taken by those who lean on it.
    takes = (answers == truth) | (chance.random(len(answers)) < LEANING)
    labels = np.where(~blind & (alone | takes), answers, truth)
    sources = np.where(takes & (labels == answers), Provenance.HUMAN_ACCEPTED.value, Provenance.HUMAN_CORRECTED.value)
    sources = np.where(alone, Provenance.MACHINE.value, sources)
    return labels, np.where(blind, Provenance.HUMAN_BLIND.value, sources).tolist()


@dataclass(frozen=True)
class _Desk:
    """A sector head with its confidence, and from which on it routes alone in each region."""

    fitted: FittedHead
    confidence: Confidence
    thresholds: dict[str, float]

    @classmethod
    def trained(
        cls, rows: Rows, which: Ints, labels: Ints, sources: Sequence[str], accepted_weight: float | None
    ) -> _Desk:
        told = [LabelledRow(str(i), _NO_COMPLAINT, label_source=source) for i, source in enumerate(sources)]
        trust = Trust.of_real(np.ones(len(which), dtype=np.bool_))
        if accepted_weight is not None:
            weights = weights_of(told)
            weights[[source == Provenance.HUMAN_ACCEPTED for source in sources]] = accepted_weight
            kept = np.flatnonzero(weights)
            trust = Trust(trust.real[kept], is_independent(told)[kept], weights[kept])
            which, labels = which[kept], labels[kept]
        # One process each is at work already.
        with parallel_config(backend="sequential"):
            fitted = _fitted(rows, which, labels, folds=2, trust=trust)
        telling = np.flatnonzero(telling_rows(trust))
        probabilities, truth = fitted.probabilities[telling], fitted.labels[telling]
        regions = rows.regions[which[telling]].tolist()
        folds = assign_folds(rows.groups[which[telling]], CONFIDENCE_FOLDS, 0)
        sure = cross_fitted_confidence(probabilities, truth, regions, folds)
        right = probabilities.argmax(axis=1) == truth
        single = np.zeros(len(telling), dtype=np.bool_)
        single[np.unique(rows.groups[which[telling]], return_index=True)[1]] = True
        thresholds = {}
        for region in REGIONS:
            own = single & trust.independent[telling] & (np.array(regions) == region)
            threshold = choose_threshold(sure[own], right[own])
            if threshold is not None:
                thresholds[region] = threshold
        return cls(fitted, fit_confidence(probabilities, truth, regions), thresholds)

    def route(self, rows: Rows, which: Ints) -> tuple[Ints, Bools]:
        """The answers (m,) to those rows, and which of them go without a person (m,)."""
        probabilities = self.fitted.classifier.predict_proba(rows.features[which])
        regions = rows.regions[which].tolist()
        sure = np.array([self.confidence.of(each, region) for each, region in zip(probabilities, regions, strict=True)])
        least = np.array([self.thresholds.get(region, np.inf) for region in regions])
        return _known(self.fitted)[probabilities.argmax(axis=1)], sure >= least


def tell_loop(rows: Rows, seeds: Sequence[int], weights: Sequence[float | None]) -> None:
    """Part B's table, some of the retrainings of each arm, and what ten of them changed."""
    arms = [(loop, weight) for loop in LOOPS for weight in weights]
    runs = [(seed, arm) for arm in arms for seed in seeds]
    loops = Parallel(_PROCESSES)(delayed(retrained)(rows, seed, weight, *loop) for seed, (loop, weight) in runs)
    found = dict(zip(runs, loops, strict=True))
    groups = np.concatenate([rows.groups[rows.split(seed)[1]] for seed in seeds])
    truth = np.concatenate([rows.labels[rows.split(seed)[1]] for seed in seeds])
    changes = []
    print("\n| comes back | labels | retraining | accuracy | alone | right |\n|---|---|---|---|---|---|")
    for arm in arms:
        (reviewed, newest), _ = arm
        comes_back = (
            "all" if reviewed else f"only what went alone{f', the newest {newest:,} rows kept' if newest else ''}"
        )
        by = "without provenance" if arm[1] is None else f"with provenance, accepted {arm[1]:g}"
        rights = []
        for number in _SHOWN:
            answers = np.concatenate([found[seed, arm][number].answers for seed in seeds])
            alone = np.concatenate([found[seed, arm][number].alone for seed in seeds])
            right = (answers == truth).astype(np.float64)
            rights.append(right)
            figures = [mean_figure(right, groups), mean_figure(alone * 1.0, groups)]
            figures.append(mean_figure(right[alone], groups[alone]))
            cells = ["-" if figure is None else figure.without_rows() for figure in figures]
            print(f"| {comes_back} | {by} | {number} | {' | '.join(cells)} |", flush=True)
        changes.append(f"{comes_back}, {by}: {paired_difference(rights[-1], rights[0], groups).without_rows()}")
    print("\nAccuracy after ten retrainings less before any:\n" + "\n".join(changes))


def main() -> None:
    """Both parts, on the seeds that count or on those for development."""
    asking = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.add_argument("--part", choices=("a", "b"), help="only this part")
    asking.add_argument("--develop", action="store_true", help="other seeds, and several weights of accepted labels")
    given = asking.parse_args()
    absent = [SOURCES[region] for region in REGIONS if not (SHARED / SOURCES[region]).exists()]
    if absent:
        print(f"Skipped: {', '.join(absent)} is not in {SHARED}.")
        return
    started = time.perf_counter()
    rows = read_real_rows()
    print(f"{len(rows.labels)} rows, {len(rows.names)} sectors, {rows.features.shape[1]} features.\n", flush=True)
    if given.part != "b":
        tell_reviews(rows, DEVELOPMENT_SEEDS if given.develop else SEEDS)
    if given.part != "a":
        weights = (1.0, 0.5, 0.25, None) if given.develop else (ACCEPTED_WEIGHT, None)
        tell_loop(rows, DEVELOPMENT_SEEDS if given.develop else LOOP_SEEDS, weights)
    print(f"\nTook {time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
