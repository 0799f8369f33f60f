"""Accuracy on real complaints of two recipes and of the sample corpus alone: python -m benchmarks.accuracy

Reads the real complaints in place (`../shared/datasets` beside the checkout) and says what it skips where they are
absent. Near-copies stay on one side of each split. The random split keeps a fifth of the groups aside; the time split
the newest fifth of each source (the national rows give no date, so all of them are trained on).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.complaint import LabelledRow
from data.region import load_region
from data.rows import read_rows
from model.text import prepare
from training.evaluation import Evaluation, evaluate
from training.fitting import fit
from training.recipe import RECIPES
from training.splitting import Bools, Ints, assign_folds, near_copy_groups, newest_share

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "datasets"
SAMPLES = ROOT / "data" / "samples" / "kab-tangerang.csv"
SOURCES = {
    "kota-surabaya": "surabaya_wargaku.csv",
    "kab-bandung": "bandung_lapor.csv",
    "nasional": "nasional_lapor_2017.csv",
}
# Which region file answers for a source's rows; the national rows are of no region, any will do for their sectors.
ANSWERING = {"nasional": "kab-tangerang"}
# The threshold for routing alone is chosen for one region; its column is filled for that region's rows.
THRESHOLD_REGION = "kota-surabaya"
_SEED = 17


def main() -> None:
    """Print a Markdown table for each split."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=_SEED, help="of the random split")
    seed = arguments.parse_args().seed
    if not SHARED.is_dir():
        print("Skipped: the real complaints (../shared/datasets beside the checkout) are not here.")
        return
    files = [SHARED / name for name in SOURCES.values()]
    real = [row for row in read_rows(files, "kab-tangerang", annotations=SHARED / "annotations.csv").rows if row.sector]
    samples = read_rows([SAMPLES], "kab-tangerang").rows
    groups = near_copy_groups([prepare(row.complaint) for row in real])
    random_split, time_split = splits(real, groups, seed)
    print(f"{len(real)} real rows in {len(set(groups.tolist()))} groups of near-copies; {len(samples)} sample rows\n")
    for name, split in (("Random split", random_split), ("Time split (newest fifth)", time_split)):
        _print_split(name, real, samples, split)
    print("## The sample corpus alone, on all real rows\n")
    _print_header()
    training = fit(samples, RECIPES["default"], "kab-tangerang")
    for source in SOURCES:
        rows = [row for row in real if row.complaint.region == source]
        _print_line(source, "samples only", evaluate(training.bundle, rows, load_region(ANSWERING.get(source, source))))


def splits(rows: Sequence[LabelledRow], groups: Ints, seed: int = _SEED) -> tuple[Bools, Bools]:
    """The rows kept aside: a random fifth of the groups, and the newest fifth with all near-copies of its rows."""
    return assign_folds(groups, 5, seed) == 0, np.isin(groups, groups[newest_of_each_source(rows)])


def newest_of_each_source(rows: Sequence[LabelledRow]) -> Bools:
    """A mask (n,) of the newest fifth of each source's rows."""
    mask = np.zeros(len(rows), dtype=np.bool_)
    for source in SOURCES:
        own = np.flatnonzero([row.complaint.region == source for row in rows])
        mask[own[newest_share([rows[i] for i in own], 0.2)]] = True
    return mask


def _print_split(name: str, real: Sequence[LabelledRow], samples: Sequence[LabelledRow], split: Bools) -> None:
    print(f"## {name}: {int((~split).sum())} rows to train on, {int(split.sum())} kept aside\n")
    _print_header()
    kept = [row for row, aside in zip(real, split, strict=True) if aside]
    shown = [row for row, aside in zip(real, split, strict=True) if not aside]
    for label, recipe, extra in (
        ("plain recipe", "plain", ()),
        ("default recipe", "default", ()),
        ("default recipe and samples", "default", samples),
    ):
        started = time.perf_counter()
        training = fit([*shown, *extra], RECIPES[recipe], THRESHOLD_REGION)
        seconds = time.perf_counter() - started
        for source in SOURCES:
            rows = [row for row in kept if row.complaint.region == source]
            if rows:
                region = load_region(ANSWERING.get(source, source))
                _print_line(source, label, evaluate(training.bundle, rows, region))
        _print_urgency(label, evaluate(training.bundle, kept, load_region(THRESHOLD_REGION)))
        print(f"| | {label}: trained in {seconds:.0f} s | | | | | | |", flush=True)
    print()


def _print_header() -> None:
    print("| rows of | trained by | accuracy | top-3 | macro-F1 | ECE | routed alone | of those right |")
    print("|---|---|---|---|---|---|---|---|", flush=True)


def _print_line(source: str, label: str, found: Evaluation) -> None:
    alone = source == THRESHOLD_REGION
    cells = (
        source,
        label,
        found.sector_accuracy,
        found.sector_top3,
        found.sector_macro_f1,
        f"{found.calibration_error:.3f}",
        found.auto_share if alone else "",
        (found.auto_precision or "-") if alone else "",
    )
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def _print_urgency(label: str, found: Evaluation) -> None:
    accuracy, kappa, f1 = found.urgency_accuracy, found.urgency_kappa, found.urgency_macro_f1
    print(f"| urgency | {label} | {accuracy} | kappa {kappa} | {f1} | | | |", flush=True)


if __name__ == "__main__":
    main()
