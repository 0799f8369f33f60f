"""What each text step is worth: sector and urgency accuracy with it and without: python -m benchmarks.ablation

Each optional step is taken out of the whole chain, and added to the required steps alone. Three figures: sector and
urgency by three folds in turn on real rows, near-copies in one fold; and sector for a cold start, trained on the sample
corpus alone and tried on the real rows, which is what a region without labelled rows gets. A difference comes with its
95 % interval (bootstrap over groups of near-copies, the same rows under both chains), so it counts only if the interval
leaves out zero. The test rows of the random and the time split of `benchmarks.accuracy` aren't touched: steps are
chosen on the rest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import SAMPLES, SHARED, SOURCES, splits
from data.complaint import LabelledRow
from data.rows import read_rows
from model.text import ALL_STEPS, REQUIRED_STEPS, PreparedText, TextChain
from training.features import make_features
from training.figures import Figure, mean_figure
from training.fitting import fit_head
from training.recipe import RECIPES
from training.splitting import near_copy_groups

OPTIONAL = [name for name in ALL_STEPS if name not in REQUIRED_STEPS]


@dataclass(frozen=True)
class Rights:
    """Which rows a chain gets right: sector (n,), cold start (n,), urgency where it is known (m,)."""

    sector: NDArray[np.float64]
    cold: NDArray[np.float64]
    urgency: NDArray[np.float64]


def main() -> None:
    """Print both tables as Markdown."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if not SHARED.is_dir():
        print("Skipped: the real complaints (../shared/datasets beside the checkout) are not here.")
        return
    files = [SHARED / name for name in SOURCES.values()]
    rows = [row for row in read_rows(files, "kab-tangerang", annotations=SHARED / "annotations.csv").rows if row.sector]
    chain = TextChain(ALL_STEPS)
    groups = near_copy_groups([chain.prepare(row.complaint) for row in rows])
    random_split, time_split = splits(rows, groups)
    kept = np.flatnonzero(~(random_split | time_split))
    trial = _Trial([rows[i] for i in kept], groups[kept], read_rows([SAMPLES], "kab-tangerang").rows)
    print(f"{len(kept)} rows, {len(trial.urgent)} of them with an urgency; 95 % intervals in brackets\n")
    whole, required = trial.rights(ALL_STEPS), trial.rights(REQUIRED_STEPS)
    default = trial.rights(RECIPES["default"].text_steps)
    print("| chain | sector right | sector, cold start | urgency right |\n|---|---|---|---|")
    for title, rights in (("whole", whole), ("default recipe's", default), ("required steps alone", required)):
        cells = (trial.mean(rights.sector), trial.mean(rights.cold), trial.mean_urgency(rights.urgency))
        print(f"| {title} | {' | '.join(map(str, cells))} |")
    print(
        "\nPoints of a hundred. *kept*: the whole chain minus the chain without the step; *added*: the required steps"
    )
    print("with it minus without.\n")
    print("| step | sector: kept | added | cold start: kept | added | urgency: kept | added |")
    print("|---|---|---|---|---|---|---|")
    for name in [*OPTIONAL, "mask_personal_data"]:
        without = trial.rights([step for step in ALL_STEPS if step != name])
        added = trial.rights([*REQUIRED_STEPS, name]) if name in OPTIONAL else None
        cells = [
            _points(trial.mean(whole.sector - without.sector)),
            _points(trial.mean(added.sector - required.sector)) if added else "-",
            _points(trial.mean(whole.cold - without.cold)),
            _points(trial.mean(added.cold - required.cold)) if added else "-",
            _points(trial.mean_urgency(whole.urgency - without.urgency)),
            _points(trial.mean_urgency(added.urgency - required.urgency)) if added else "-",
        ]
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)


class _Trial:
    """The rows that every chain is tried on."""

    def __init__(self, rows: Sequence[LabelledRow], groups: NDArray[np.int64], samples: Sequence[LabelledRow]) -> None:
        self.rows, self.groups, self.samples = rows, groups, samples
        self.urgent = np.array([i for i, row in enumerate(rows) if row.urgency is not None], dtype=np.int64)
        self.recipe = replace(RECIPES["default"], name="ablation", folds=3)

    def rights(self, steps: Sequence[str] | dict[str, object]) -> Rights:
        chain = TextChain(steps)
        print(f"... {len(chain.names)} steps", file=sys.stderr, flush=True)
        texts = [chain.prepare(row.complaint) for row in self.rows]
        features = make_features(self.recipe, texts).fit_transform(texts).tocsr()
        sectors = np.array([row.sector for row in self.rows], dtype=object)
        urgencies = np.array([str(self.rows[i].urgency) for i in self.urgent], dtype=object)
        return Rights(
            self._right(features, sectors, self.groups),
            self._right_after_samples(chain, texts),
            self._right(features[self.urgent], urgencies, self._own),
        )

    def _right(self, features: object, names: NDArray[np.object_], groups: NDArray[np.int64]) -> NDArray[np.float64]:
        fitted = fit_head(features, names, groups, self.recipe, np.ones(len(names), dtype=np.bool_))
        return (fitted.scores.argmax(axis=1) == fitted.labels).astype(np.float64)

    def _right_after_samples(self, chain: TextChain, texts: Sequence[PreparedText]) -> NDArray[np.float64]:
        # No region feature: all samples are of one.
        prepared = [chain.prepare(row.complaint) for row in self.samples]
        union = make_features(replace(self.recipe, region_weight=0.0), prepared)
        features = union.fit_transform(prepared).tocsr()
        names = np.array([row.sector for row in self.samples], dtype=object)
        recipe = replace(self.recipe, folds=2)
        fitted = fit_head(features, names, np.arange(len(names)), recipe, np.ones(len(names), dtype=np.bool_))
        found = fitted.classifier.decision_function(union.transform(texts).tocsr()).argmax(axis=1)
        right = [fitted.names[i] == row.sector for i, row in zip(found, self.rows, strict=True)]
        return np.array(right, dtype=np.float64)

    @property
    def _own(self) -> NDArray[np.int64]:
        return self.groups[self.urgent]

    def mean(self, values: NDArray[np.float64]) -> Figure | None:
        return mean_figure(values, self.groups)

    def mean_urgency(self, values: NDArray[np.float64]) -> Figure | None:
        return mean_figure(values, self._own)


def _points(figure: Figure | None) -> str:
    """A difference in points of a hundred."""
    if figure is None:
        return "-"
    return f"{100 * figure.value:+.2f} ({100 * figure.low:+.2f} to {100 * figure.high:+.2f})"


if __name__ == "__main__":
    main()
