"""Suspects: of labels swapped at random, how many stand are in the first tenth. python -m benchmarks.suspects"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.complaint import LabelledRow
from data.corpus import corpus_beside
from data.rows import read_rows
from training.recipe import find_recipe
from training.splitting import Ints
from training.suspects import Readings, Suspect, rank_labels, read_labelled

ROWS = Path(__file__).resolve().parent.parent.parent / "shared" / "datasets" / "surabaya_wargaku.csv"
REGION = "kota-surabaya"
SWAPPED, FIRST, WANTED = 0.05, 0.10, 0.60
_FOLDS = 3
_DRAWS = 2_000


def main() -> None:
    """Print the share found for each seed with its mean and interval, or the ids of the first suspects."""
    arguments = _arguments()
    if not ROWS.is_file():
        print(f"SKIPPED: the real complaints ({ROWS.name} in shared/datasets beside the checkout) are not here.")
        return
    rows = [row for row in read_rows([ROWS], REGION).rows if row.sector]
    if arguments.rows and arguments.rows < len(rows):
        chosen = np.sort(np.random.default_rng(0).choice(len(rows), arguments.rows, replace=False))
        rows = [rows[i] for i in chosen]
    started = time.perf_counter()
    together = [*rows, *corpus_beside(rows)]
    readings = read_labelled(together, replace(find_recipe("default"), folds=_FOLDS))
    names = np.array([row.sector for row in together], dtype=object)
    print(f"{len(rows)} real rows of {REGION}, {len(together) - len(rows)} of the corpus beside them; {_FOLDS} folds")
    if arguments.show:
        _show(rank_labels(readings, names, len(rows)), rows, arguments.show)
    else:
        _measure(readings, names, len(rows), arguments.seeds)
    print(f"{time.perf_counter() - started:.0f} s")


def swap_labels(names: NDArray[np.object_], judged: int, seed: int, how: str) -> tuple[NDArray[np.object_], Ints]:
    """The labels with a share of the first `judged` swapped, and the numbers of those rows.

    `how`: "uniform" gives any other label, each as likely; "frequent" one as often as it occurs, which looks more like
    a person's slip in a list of favourites.
    """
    chance = np.random.default_rng(seed)
    swapped = chance.choice(judged, round(SWAPPED * judged), replace=False).astype(np.int64)
    changed, own = names.copy(), names[:judged]
    pool = np.unique(own) if how == "uniform" else own
    for row in swapped.tolist():
        others = pool[pool != names[row]]
        changed[row] = others[chance.integers(len(others))]
    return changed, swapped


def _measure(readings: Readings, names: NDArray[np.object_], judged: int, seeds: int) -> None:
    for how in ("uniform", "frequent"):
        hits: list[NDArray[np.bool_]] = []
        named: list[float] = []
        for seed in range(seeds):
            changed, swapped = swap_labels(names, judged, seed, how)
            ranked = rank_labels(readings, changed, judged)
            first = {suspect.row for suspect in ranked[: round(FIRST * judged)]}
            hits.append(np.array([row in first for row in swapped.tolist()]))
            likely = {suspect.row: suspect.likely for suspect in ranked}
            named.append(float(np.mean([likely[row] == names[row] for row in swapped.tolist()])))
            print(f"  {how}, seed {seed}: {hits[-1].mean():.3f} of {len(swapped)} in the first {FIRST:.0%}", flush=True)
        share, (low, high) = float(np.concatenate(hits).mean()), _interval(hits)
        reached = "reached" if low >= WANTED else "NOT reached"
        print(f"{how}: {share:.3f} found in the first {FIRST:.0%} (95 % {low:.3f} to {high:.3f}); {WANTED} {reached}")
        print(f"{how}: the likely label is the one before the swap for {np.mean(named):.3f}")


def _interval(hits: Sequence[NDArray[np.bool_]]) -> tuple[float, float]:
    """A 95 % interval of the mean, by drawing seeds, and in them swapped rows, again."""
    chance = np.random.default_rng(0)
    means = [
        np.mean([chance.choice(hits[i], len(hits[i])).mean() for i in chance.integers(len(hits), size=len(hits))])
        for _ in range(_DRAWS)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _show(ranked: Sequence[Suspect], rows: Sequence[LabelledRow], count: int) -> None:
    """Ids and labels only: the texts are citizens' words, to be read where they stand."""
    for place, suspect in enumerate(ranked[:count], 1):
        print(f"{place:3} {rows[suspect.row].id} {suspect.given} -> {suspect.likely} ({suspect.reason})")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000, help="rows drawn at random; 0 for all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print ids of the first N of untouched rows")
    return parser.parse_args()


if __name__ == "__main__":
    main()
