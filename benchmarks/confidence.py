"""Confidence: how much can be routed alone at 95 % right, ours beside others: python -m benchmarks.confidence

Reads the real complaints in place (`../shared/datasets` beside the checkout) and says so where they are absent. In each
of five group folds a recipe learns from the other folds and the corpus, sets rows aside in turn (five folds again) to
calibrate and to choose a threshold on, and answers the fold's rows, which had no part in either. Figures are of the
Surabaya rows of all folds. With --time: the newest fifth of each dated source instead of folds.

Ours: the default recipe with the confidence of `training.calibration`. Beside it, for the plain recipe (what most
would build) and for ours: the softmax of raw scores, temperature, isotonic regression, Platt's sigmoid and Venn-ABERS,
each of the first answer; and one constant 0.41 on the temperature-scaled probability, as Signalen is set. The sets
stand beside those of MAPIE and crepes. venn-abers, MAPIE and crepes are peers that join where they are installed
(`benchmarks/requirements-peers.txt`); their absence is told.

`precision` and `coverage` are of what is routed alone by a threshold chosen on the rows set aside (95 % right with 90 %
certainty). `at .95`: the largest part that is 95 % right, in hindsight. AURC: the mean error of the surest part over
all parts (Geifman and El-Yaniv 2017), lower is better. Sets: how often they hold the right sector, and their sizes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from benchmarks.accuracy import ROOT, SHARED, THRESHOLD_REGION, Trial, read_real
from benchmarks.peers import ours
from data.corpus import corpus_beside
from model.bundle import SECTOR
from model.features import Floats
from model.heads import set_probabilities, softmax
from model.promise import choose_set_level, choose_threshold
from training.calibration import cross_fitted_confidence, cross_fitted_sets, fit_confidence, fit_set_weights
from training.features import hide_views, make_features, regions_with_rows, vocabulary_of
from training.figures import calibration_error
from training.fitting import CONFIDENCE_FOLDS, SET_FOLDS
from training.heads import fit_head
from training.recipe import RECIPES
from training.splitting import Bools, Ints, assign_folds

_SEED = 17
_SIGNALEN = 0.41
_TARGET = 0.95


@dataclass(frozen=True)
class Scored:
    """Scores (n, labels) of rows with the labels' numbers (n,), near-copy groups (n,) and regions (n,)."""

    scores: Floats
    labels: Ints
    groups: Ints
    regions: list[str]

    def only(self, mask: Bools) -> Scored:
        regions = [region for region, kept in zip(self.regions, mask, strict=True) if kept]
        return Scored(self.scores[mask], self.labels[mask], self.groups[mask], regions)

    @property
    def right(self) -> Bools:
        found: Bools = self.scores.argmax(axis=1) == self.labels
        return found

    @property
    def here(self) -> Bools:
        """The rows that figures are of (n,)."""
        return np.array([region == THRESHOLD_REGION for region in self.regions], dtype=np.bool_)

    @property
    def evidence(self) -> Ints:
        """One of those rows of each group of near-copies."""
        own = np.flatnonzero(self.here)
        return own[np.unique(self.groups[own], return_index=True)[1]]


@dataclass(frozen=True)
class Split:
    """Of one recipe: the rows set aside in turn while it learned, those that it was kept from, and its factor."""

    aside: Scored
    kept: Scored
    inverse_temperature: float


# Each gives the confidence of rows set aside and of rows kept.
Method = Callable[[Split], tuple[Floats, Floats]]


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=5, help="outer folds")
    parser.add_argument("--time", action="store_true", help="the time split instead of folds")
    parser.add_argument("--seed", type=int, default=_SEED)
    given = parser.parse_args()
    if not SHARED.is_dir():
        print("Skipped: the real complaints (../shared/datasets beside the checkout) are not here.")
        return
    for peer in ("crepes", "mapie", "venn_abers"):
        if not find_spec(peer):
            print(f"Skipped: {peer} is not installed.")
    started = time.perf_counter()
    rows = read_real(None, given.seed)
    trial = Trial(rows, corpus_beside(rows), ROOT / "var" / "embeddings.npy")
    contenders = [ours("plain"), ours("default", corpus=True)]
    trial.prepare(contenders)
    parts = [trial.newest()] if given.time else trial.folds(given.folds, given.seed)
    title = "Time split" if given.time else f"{given.folds} group folds"
    print(f"### {title}: {THRESHOLD_REGION}\n")
    print(
        "| recipe | confidence | accuracy | routed alone: precision | coverage | coverage at .95 | AURC | ECE | Brier |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    sets = []
    for contender in contenders:
        splits = [_split(trial, contender.recipe, contender.corpus, part) for part in parts]
        for name, method in METHODS.items():
            print(_line(contender.recipe, name, splits, method), flush=True)
        print(_line(contender.recipe, "constant 0.41", splits, _temperature, constant=_SIGNALEN), flush=True)
        for by in SETS:
            sets.append(_sets(contender.recipe, "temperature", splits, _temperature_sets, by))
            sets.append(_sets(contender.recipe, "set weights (ours)", splits, _our_sets, by))
    print("\n| recipe | probabilities | sets by | hold the right sector | mean size | of one sector | most |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(sets))
    print(f"\nTook {time.perf_counter() - started:.0f} s.")


def _split(trial: Trial, recipe_name: str, corpus: bool, aside: Bools) -> Split:
    recipe = RECIPES[recipe_name]
    contender = ours(recipe_name, corpus=corpus)
    labels = np.array([row.sector for row in trial.all_rows], dtype=object)
    known = np.array([label is not None for label in labels], dtype=np.bool_)
    part = aside & known[: len(trial.rows)]
    shown = trial.shown(contender, part) & known
    learned = trial.learned(contender, shown, labels)
    different = [learned.texts[i] for i in np.unique(learned.groups, return_index=True)[1]]
    regions = [text.region for text in learned.texts]
    union = make_features(recipe, different, regions_with_rows(regions, learned.real)).fit(different)
    head = recipe.of_head(SECTOR)
    features = hide_views(union.transform(learned.texts).tocsr(), union, head.views)
    dimensions = vocabulary_of(union).dimensions
    fitted = fit_head(features, learned.labels, learned.groups, recipe, learned.real, head, dimensions)
    kept = hide_views(union.transform(trial.texts(contender, part)).tocsr(), union, head.views)
    scores = fitted.classifier.decision_function(kept)
    number = {name: i for i, name in enumerate(fitted.names)}
    rows = [trial.rows[i] for i in np.flatnonzero(part)]
    # A sector that no row shown has is never right.
    truth = np.array([number.get(row.sector or "", -1) for row in rows], dtype=np.int64)
    return Split(
        Scored(fitted.scores, fitted.labels, learned.groups, regions).only(learned.real),
        Scored(scores, truth, trial.groups[: len(trial.rows)][part], [row.complaint.region for row in rows]),
        fitted.inverse_temperature,
    )


def _first(scored: Scored, factor: float) -> Floats:
    first: Floats = softmax(factor * scored.scores).max(axis=1)
    return first


def _raw(split: Split) -> tuple[Floats, Floats]:
    return _first(split.aside, 1.0), _first(split.kept, 1.0)


def _temperature(split: Split) -> tuple[Floats, Floats]:
    return _first(split.aside, split.inverse_temperature), _first(split.kept, split.inverse_temperature)


def _isotonic(split: Split) -> tuple[Floats, Floats]:
    aside, kept = _temperature(split)
    own = split.aside.here
    fitted = IsotonicRegression(out_of_bounds="clip").fit(aside[own], split.aside.right[own])
    return fitted.predict(aside), fitted.predict(kept)


def _platt(split: Split) -> tuple[Floats, Floats]:
    aside, kept = (split.aside.scores.max(axis=1)[:, None], split.kept.scores.max(axis=1)[:, None])
    own = split.aside.here
    fitted = LogisticRegression(C=1e3).fit(aside[own], split.aside.right[own])
    return fitted.predict_proba(aside)[:, 1], fitted.predict_proba(kept)[:, 1]


def _venn_abers(split: Split) -> tuple[Floats, Floats]:
    """Inductive Venn-ABERS (Vovk and Petej 2014) of the first probability, by the package of that name."""
    from venn_abers import VennAbers

    aside, kept = ((np.column_stack((1 - first, first))) for first in _temperature(split))
    own = split.aside.here
    fitted = VennAbers()
    fitted.fit(aside[own], split.aside.right[own].astype(np.int64))
    return fitted.predict_proba(aside)[0][:, 1], fitted.predict_proba(kept)[0][:, 1]


def _ours(split: Split) -> tuple[Floats, Floats]:
    aside, kept = (softmax(split.inverse_temperature * part.scores) for part in (split.aside, split.kept))
    folds = assign_folds(split.aside.groups, CONFIDENCE_FOLDS, _SEED)
    fitted = fit_confidence(aside, split.aside.labels, split.aside.regions)
    found = np.array([fitted.of(row, region) for row, region in zip(kept, split.kept.regions, strict=True)])
    return cross_fitted_confidence(aside, split.aside.labels, split.aside.regions, folds), found


METHODS: dict[str, Method] = {
    "raw softmax": _raw,
    "temperature": _temperature,
    "isotonic": _isotonic,
    "Platt": _platt,
    **({"Venn-ABERS": _venn_abers} if find_spec("venn_abers") else {}),
    "confidence (ours)": _ours,
}


def _line(recipe: str, name: str, splits: list[Split], method: Method, constant: float | None = None) -> str:
    confidence, right, routed = [], [], []
    for split in splits:
        aside, kept = method(split)
        telling = split.aside.evidence
        threshold = constant
        if constant is None:
            threshold = choose_threshold(aside[telling], split.aside.right[telling])
        here = split.kept.here
        confidence.append(kept[here])
        right.append(split.kept.right[here])
        routed.append(kept[here] >= (threshold if threshold is not None else np.inf))
    sure, hit, alone = (np.concatenate(part) for part in (confidence, right, routed))
    told = hit.astype(np.float64)
    precision = f"{told[alone].mean():.3f}" if alone.any() else "-"
    figures = (
        f"{told.mean():.3f}",
        precision,
        f"{alone.mean():.3f}",
        f"{largest_part(sure, hit):.3f}",
        f"{area_under_risk(sure, hit):.4f}",
        f"{calibration_error(np.clip(sure, 0, 1), told):.3f}",
        f"{((sure - told) ** 2).mean():.4f}",
    )
    return f"| {recipe} | {name} | {' | '.join(figures)} |"


def area_under_risk(confidence: Floats, right: Bools) -> float:
    """The mean, over all parts of the surest rows, of the share of them that is wrong."""
    ordered = right[np.argsort(-confidence, kind="stable")]
    return float((1 - np.cumsum(ordered) / np.arange(1, len(ordered) + 1)).mean())


def largest_part(confidence: Floats, right: Bools) -> float:
    """The largest share of the surest rows that is right as often as the target."""
    ordered = right[np.argsort(-confidence, kind="stable")]
    enough = np.flatnonzero(np.cumsum(ordered) / np.arange(1, len(ordered) + 1) >= _TARGET)
    return float(enough[-1] + 1) / len(ordered) if len(enough) else 0.0


def _temperature_sets(split: Split) -> tuple[Floats, Floats]:
    aside, kept = (softmax(split.inverse_temperature * part.scores) for part in (split.aside, split.kept))
    return aside, kept


def _our_sets(split: Split) -> tuple[Floats, Floats]:
    aside, kept = _temperature_sets(split)
    folds = assign_folds(split.aside.groups, SET_FOLDS, _SEED)
    weights = fit_set_weights(aside, split.aside.labels)
    return cross_fitted_sets(aside, split.aside.labels, folds), set_probabilities(kept, weights)


def _least_ambiguous(aside: Floats, labels: Ints, kept: Floats) -> Bools:
    """The project's own sets: of the probabilities (n, k) of rows kept, those that reach the level chosen aside."""
    members: Bools = kept >= choose_set_level(aside[np.arange(len(labels)), labels])
    members[np.arange(len(kept)), kept.argmax(axis=1)] = True
    return members


def _mapie(aside: Floats, labels: Ints, kept: Floats) -> Bools:
    """MAPIE's split conformal sets of the least ambiguous kind, over probabilities that are already there."""
    from mapie.classification import SplitConformalClassifier

    told = _Told(aside.shape[1]).fit()
    conformal = SplitConformalClassifier(told, confidence_level=_TARGET, conformity_score="lac", prefit=True)
    members: Bools = conformal.conformalize(aside, labels).predict_set(kept)[1][:, :, 0]
    return members


def _crepes(aside: Floats, labels: Ints, kept: Floats) -> Bools:
    """The sets of crepes' conformal classifier, by the hinge of the probabilities."""
    from crepes import ConformalClassifier
    from crepes.extras import hinge

    conformal = ConformalClassifier().fit(hinge(aside, np.arange(aside.shape[1]), labels))
    members: Bools = conformal.predict_set(hinge(kept), confidence=_TARGET, smoothing=False).astype(np.bool_)
    return members


class _Told(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose features are its probabilities, for libraries that want one."""

    def __init__(self, classes: int = 0) -> None:
        self.classes = classes

    def fit(self, X: object = None, y: object = None) -> _Told:  # noqa: N803  (scikit-learn's names)
        self.classes_ = np.arange(self.classes)
        return self

    def predict(self, X: Floats) -> Ints:  # noqa: N803
        found: Ints = X.argmax(axis=1)
        return found

    def predict_proba(self, X: Floats) -> Floats:  # noqa: N803
        return X


# Each takes probabilities (n, k) and labels (n,) of rows set aside and probabilities (m, k); gives members (m, k).
SETS: dict[str, Callable[[Floats, Ints, Floats], Bools]] = {"ours": _least_ambiguous}
SETS |= {name: by for name, by in {"MAPIE": _mapie, "crepes": _crepes}.items() if find_spec(name.casefold())}


def _sets(recipe: str, name: str, splits: list[Split], method: Method, by: str) -> str:
    sizes, held = [], []
    for split in splits:
        aside, kept = method(split)
        own = split.aside.evidence
        here = np.flatnonzero(split.kept.here)
        members = SETS[by](aside[own], split.aside.labels[own], kept[here])
        sizes.append(members.sum(axis=1))
        labels = split.kept.labels[here]
        held.append(np.where(labels >= 0, members[np.arange(len(here)), np.maximum(labels, 0)], False))
    size, holds = np.concatenate(sizes), np.concatenate(held)
    figures = f"{holds.mean():.3f} | {size.mean():.2f} | {(size == 1).mean():.2f} | {size.max()}"
    return f"| {recipe} | {name} | {by} | {figures} |"


if __name__ == "__main__":
    main()
