"""How often the gate refuses harmful challengers, and harmless ones: python -m benchmarks.gate

Reads the real complaints of Surabaya and Bandung in place (`../shared/datasets` beside the checkout) and says so where
they are absent. The newest rows are what champion and challenger are compared on; both learn from older ones,
near-copies of the compared rows left out. For each trial a champion learns from rows drawn at random, and two
challengers are compared with it by `training.gate`: one harmful, one harmless. Of what `disposisi models compare`
guards these are the figures of sectors; agencies, emergencies, written sentences, speed and size are not tried. The
sector head alone is fitted, on the default recipe's stems and pairs of stems (its characters would take ten times as
long), calibrated and given a threshold for the promise on other rows drawn from the older ones.

Harmful: a share of 15 to 30 % of the labels swapped; a frequent sector missing from the rows; a column that gives the
answer away while learning and is empty later; a text step that is broken. Harmless: other rows of the same number, a
resample with a tenth more rows, and the same rows with a tenth of new ones. Tolerances were chosen with `--develop`, on
other seeds. Shares come with their 95 % score interval.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import csr_matrix, hstack
from sklearn.pipeline import FeatureUnion
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from data.complaint import LabelledRow
from data.rows import read_rows
from model.features import Floats
from model.heads import softmax
from model.language import majority_language
from model.promise import PROMISED_PRECISION, choose_threshold
from model.text import PreparedText, TextChain
from training.calibration import fit_inverse_temperature
from training.features import make_features
from training.gate import Panel, Verdict, judge, sector_guards
from training.recipe import RECIPES
from training.shares import share_interval
from training.splitting import Bools, Ints, near_copy_groups

SHARED = Path(__file__).parent.parent.parent / "shared" / "datasets"
SOURCES = {"kota-surabaya": "surabaya_wargaku.csv", "kab-bandung": "bandung_lapor.csv"}
LEARNED, CALIBRATED, COMPARED = 3_000, 3_000, 2_500
# The seeds of the trials that are reported, and of those to develop with.
REPORTED_FROM, DEVELOPED_FROM = 20_000, 500
_FREQUENT = 8
_CUT_WORDS, _LONG_WORD = 6, 5
Change = Callable[[PreparedText], PreparedText]


@dataclass(frozen=True)
class World:
    """The rows as numbers: of the older ones (n, features), of the compared ones (m, features), by way of reading."""

    older: dict[str, csr_matrix]
    compared: dict[str, csr_matrix]
    labels: Ints
    truth: Ints
    names: tuple[str, ...]
    groups: Ints
    slices: dict[str, Bools]


@dataclass(frozen=True)
class Answered:
    """What a model answers to the compared rows: sectors, which would be routed alone, and how sure it is, (m,)."""

    found: list[str]
    auto: Bools
    sure: Floats


@dataclass(frozen=True)
class Trial:
    """One comparison: what was done to the challenger, and the figures that it is refused for."""

    kind: str
    refused: tuple[str, ...]


def main() -> None:
    """Print a table in Markdown."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--trials", type=int, default=200, help="harmful and harmless challengers each")
    arguments.add_argument("--develop", action="store_true", help="use the seeds that are not reported")
    arguments.add_argument("--processes", type=int, default=2)
    chosen = arguments.parse_args()
    if not SHARED.is_dir():
        print("Skipped: the real complaints (../shared/datasets beside the checkout) are not here.")
        return
    started = time.process_time()
    world = read_world()
    print(f"... rows read, {time.process_time() - started:.0f} s", file=sys.stderr, flush=True)
    first = DEVELOPED_FROM if chosen.develop else REPORTED_FROM
    found = Parallel(chosen.processes)(delayed(run_trial)(world, first + i) for i in range(chosen.trials))
    sizes = f"{len(world.labels)} older rows, {len(world.truth)} compared"
    print(f"{sizes}; {LEARNED} to learn from, {CALIBRATED} to calibrate on; {chosen.trials} trials of each\n")
    print("| challenger | trials | refused | share | 95 % interval | most often for |\n|---|---|---|---|---|---|")
    for number, title in enumerate(("**harmful**", "**harmless**")):
        trials = [pair[number] for pair in found]
        print(table_line(title, trials))
        for kind in sorted({trial.kind for trial in trials}):
            print(table_line(kind, [trial for trial in trials if trial.kind == kind]))


def table_line(title: str, trials: Sequence[Trial]) -> str:
    """A line of the table."""
    refused = sum(bool(trial.refused) for trial in trials)
    low, high = share_interval(refused / len(trials), len(trials))
    reasons = Counter(name.partition(":")[0] for trial in trials for name in set(trial.refused)).most_common(3)
    told = ", ".join(f"{name} {count}" for name, count in reasons)
    return f"| {title} | {len(trials)} | {refused} | {refused / len(trials):.3f} | {low:.3f}-{high:.3f} | {told} |"


def read_world() -> World:
    """Read the rows, split them by time, and turn them into features, once for each way of reading."""
    rows = [
        row
        for region, name in SOURCES.items()
        for row in read_rows([SHARED / name], region).rows
        if row.sector and len(row.received_at) >= 10
    ]
    recipe = replace(
        RECIPES["default"], min_rows_per_term=4, region_weight=0.0, title_weight=0.0, slot_weight=0.0, sign_weight=0.0
    )
    chain = TextChain(recipe.text_steps)
    texts = [chain.prepare(row.complaint) for row in rows]
    groups = near_copy_groups(texts)
    order = np.argsort([row.received_at for row in rows], kind="stable")
    later = np.sort(order[-COMPARED:])
    older = np.setdiff1d(np.flatnonzero(~np.isin(groups, groups[later])), later)
    names, labels = np.unique([row.sector for row in rows], return_inverse=True)
    read = {name: [change(text) for text in texts] for name, change in READINGS.items()}
    union = FeatureUnion([view for view in make_features(recipe, texts).transformer_list if view[0] == "words"])
    union.fit([texts[i] for i in older])
    features = {name: union.transform(found).tocsr() for name, found in read.items()}
    return World(
        older={name: each[older] for name, each in features.items()},
        compared={name: each[later] for name, each in features.items()},
        labels=labels[older],
        truth=labels[later],
        names=tuple(names.tolist()),
        groups=groups[later],
        slices=slices_of([rows[i] for i in later]),
    )


def slices_of(rows: Sequence[LabelledRow]) -> dict[str, Bools]:
    """Masks (m,) of the regions and languages."""
    told = {"region": [row.complaint.region for row in rows]}
    told["language"] = [row.language or majority_language(row.complaint.text) for row in rows]
    return {f"{kind} {name}": np.array(values) == name for kind, values in told.items() for name in sorted(set(values))}


def _first_words(text: PreparedText) -> PreparedText:
    return replace(text, words=_few(text.words), stems=_few(text.stems))


def _few(words: str) -> str:
    return " ".join(words.split()[:_CUT_WORDS])


def _without_long_words(text: PreparedText) -> PreparedText:
    """As if masking took every longer word for a name."""
    pairs = [pair for pair in zip(text.words.split(), text.stems.split(), strict=True) if len(pair[0]) < _LONG_WORD]
    return replace(text, words=" ".join(w for w, _ in pairs), stems=" ".join(s for _, s in pairs))


def _mangled(text: PreparedText) -> PreparedText:
    """As if a step ate every second word's vowels."""
    table = str.maketrans("", "", "aiueo")
    words = [word.translate(table) or word for word in text.words.split()]
    stems = [stem.translate(table) or stem for stem in text.stems.split()]
    return replace(text, words=" ".join(words), stems=" ".join(stems))


READINGS: dict[str, Change] = {
    "as ever": lambda text: text,
    "first words": _first_words,
    "long words masked": _without_long_words,
    "vowels eaten": _mangled,
}


def run_trial(world: World, seed: int) -> tuple[Trial, Trial]:
    """A champion with a harmful and with a harmless challenger."""
    with threadpool_limits(1):
        random = np.random.default_rng(seed)
        count = len(world.labels)
        drawn = random.permutation(count)
        own, calibration = drawn[:LEARNED], drawn[LEARNED : LEARNED + CALIBRATED]
        champion = answers(world, own, calibration, world.labels)
        harm = list(HARMS)[seed % len(HARMS)]
        harmful = HARMS[harm](world, own, calibration, random)
        ease = list(EASES)[seed % len(EASES)]
        harmless = EASES[ease](world, own, calibration, random)
        return tuple(  # type: ignore[return-value]
            Trial(kind, tuple(verdict.name for verdict in compared(world, champion, challenger) if verdict.refused))
            for kind, challenger in ((harm, harmful), (ease, harmless))
        )


def compared(world: World, champion: Answered, challenger: Answered) -> list[Verdict]:
    """The gate's verdicts."""
    labels = [world.names[i] for i in world.truth]
    guards = sector_guards(
        labels,
        (champion.found, challenger.found),
        (champion.auto, challenger.auto),
        (champion.sure, challenger.sure),
        world.groups,
        (PROMISED_PRECISION, PROMISED_PRECISION),
        world.slices,
    )
    return judge([Panel(guards, world.groups)])


def answers(
    world: World,
    own: Ints,
    calibration: Ints,
    labels: Ints,
    *,
    learned: csr_matrix | None = None,
    told: csr_matrix | None = None,
) -> Answered:
    """Learn from `own` rows, calibrate on `calibration` ones, and answer the compared ones."""
    learned = world.older["as ever"] if learned is None else learned
    told = world.compared["as ever"] if told is None else told
    model = fit_svm(learned[own], labels[own])
    scores = scores_of(model, learned[calibration], len(world.names))
    temperature = fit_inverse_temperature(scores, labels[calibration])
    probabilities = softmax(temperature * scores)
    threshold = choose_threshold(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels[calibration])
    probabilities = softmax(temperature * scores_of(model, told, len(world.names)))
    sure = probabilities.max(axis=1)
    auto = sure >= (2.0 if threshold is None else threshold)
    return Answered([world.names[i] for i in probabilities.argmax(axis=1)], auto, sure)


def fit_svm(features: csr_matrix, labels: Ints) -> LinearSVC:
    """A bundle's sector head, without what only calibrates it."""
    recipe = RECIPES["default"]
    present, amounts = np.unique(labels, return_counts=True)
    weights = dict(zip(present.tolist(), (len(labels) / (len(present) * amounts)) ** 0.5, strict=True))
    return LinearSVC(C=recipe.regularisation, class_weight=weights, tol=0.1, random_state=1).fit(features, labels)


def scores_of(model: LinearSVC, features: csr_matrix, count: int) -> Floats:
    """Scores (n, count); sectors it never saw rank last."""
    found = model.decision_function(features)
    scores = np.repeat(found.min(axis=1, keepdims=True), count, axis=1)
    scores[:, model.classes_] = found
    return scores


def _with_noise(world: World, own: Ints, calibration: Ints, random: np.random.Generator) -> Answered:
    """Labels swapped for those of other rows, of the rows to learn from and to calibrate on alike."""
    labels = world.labels.copy()
    swapped = np.flatnonzero(random.random(len(labels)) < random.uniform(0.15, 0.30))
    while len(swapped):
        labels[swapped] = random.choice(world.labels, len(swapped))
        swapped = swapped[labels[swapped] == world.labels[swapped]]
    return answers(world, own, calibration, labels)


def _without_class(world: World, own: Ints, calibration: Ints, random: np.random.Generator) -> Answered:
    """No row of one of the most frequent sectors, as if an export had lost them."""
    lost = random.choice(np.argsort(-np.bincount(world.labels))[:_FREQUENT])
    own, calibration = (rows[world.labels[rows] != lost] for rows in (own, calibration))
    return answers(world, own, calibration, world.labels)


def _with_leak(world: World, own: Ints, calibration: Ints, random: np.random.Generator) -> Answered:
    """A column of the answer, as from a category filled in after routing; it is empty on the compared rows."""
    strength = random.uniform(0.5, 2.0)
    leak = csr_matrix(strength * np.eye(len(world.names))[world.labels])
    none = csr_matrix((len(world.truth), len(world.names)))
    learned, told = hstack([world.older["as ever"], leak]).tocsr(), hstack([world.compared["as ever"], none]).tocsr()
    return answers(world, own, calibration, world.labels, learned=learned, told=told)


def _with_broken_step(world: World, own: Ints, calibration: Ints, random: np.random.Generator) -> Answered:
    """A step broken while learning and answering alike, or while answering only."""
    broken = str(random.choice([name for name in READINGS if name != "as ever"]))
    learned = world.older[broken] if random.random() < 0.5 else world.older["as ever"]
    return answers(world, own, calibration, world.labels, learned=learned, told=world.compared[broken])


def _other_rows(world: World, _own: Ints, _calibration: Ints, random: np.random.Generator) -> Answered:
    drawn = random.permutation(len(world.labels))
    return answers(world, drawn[:LEARNED], drawn[LEARNED : LEARNED + CALIBRATED], world.labels)


def _other_rows_and_more(world: World, _own: Ints, _calibration: Ints, random: np.random.Generator) -> Answered:
    drawn, end = random.permutation(len(world.labels)), LEARNED + LEARNED // 10
    return answers(world, drawn[:end], drawn[end : end + CALIBRATED], world.labels)


def _some_more_rows(world: World, own: Ints, calibration: Ints, random: np.random.Generator) -> Answered:
    left = np.setdiff1d(np.arange(len(world.labels)), np.concatenate([own, calibration]))
    more = random.choice(left, LEARNED // 10, replace=False)
    return answers(world, np.concatenate([own, more]), calibration, world.labels)


HARMS = {
    "labels swapped, 15-30 %": _with_noise,
    "a sector dropped": _without_class,
    "a leaked column": _with_leak,
    "a broken text step": _with_broken_step,
}
EASES = {
    "other rows": _other_rows,
    "other rows, a tenth more": _other_rows_and_more,
    "the same rows and a tenth more": _some_more_rows,
}

if __name__ == "__main__":
    main()
