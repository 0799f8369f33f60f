"""Accuracy on real complaints of our recipes and their peers, in one run: python -m benchmarks.accuracy

Reads the real complaints in place (`../shared/datasets` beside the checkout) and says what it skips where they are
absent. Near-copies stay on one side of each split; brackets hold 95 % intervals (bootstrap over groups of near-copies).

A  Sector. Group folds, so that each row is answered once by a model that saw neither it nor a near-copy; and the time
   split, the newest fifth of each dated source. Differences are paired: the same rows, drawn together.
B  Cold start. Kabupaten Bandung by what learned from no row of it, and each source by the written corpus alone.
C  Urgency, completeness and jurisdiction of the annotated rows in group folds, as bundles answer that learned from the
   other annotated rows and the corpus: without the rows that only have a sector, which would take ten times longer.
D  Time and memory of a training on all real rows and the corpus, in a process of its own.
E  The whole default bundle on the time split: calibration, what is routed without a person, and the heads of C.

A and B train the sector head without the calibration that a bundle has: it changes no ranking. fastText joins after
pip install --no-deps -r benchmarks/requirements-peers.txt (into a folder of PYTHONPATH, if you like).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from benchmarks.peers import (
    ENCODER,
    PROCESSES,
    Answer,
    Contender,
    Learned,
    Names,
    RememberedEncoder,
    answers_of_bundle,
    ours,
    peers,
    prepare_texts,
)
from data.complaint import Jurisdiction, LabelledRow, Urgency
from data.corpus import SAMPLES as SAMPLES
from data.corpus import corpus_beside
from data.region import load_region
from data.rows import read_rows
from model.bundle import COMPLETE, INCOMPLETE
from model.masking import mask_personal_data
from model.text import ALL_STEPS, PreparedText, TextChain, full_text
from training.evaluation import evaluate
from training.figures import (
    Figure,
    caught_figure,
    f1_figure,
    kappa_figure,
    macro_f1_figure,
    mean_figure,
    paired_difference,
    paired_macro_f1_difference,
)
from training.fitting import WRITTEN, fit
from training.recipe import RECIPES
from training.splitting import Bools, Ints, assign_folds, near_copy_groups, newest_share

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "datasets"
SOURCES = {
    "kota-surabaya": "surabaya_wargaku.csv",
    "kab-bandung": "bandung_lapor.csv",
    "nasional": "nasional_lapor_2017.csv",
}
# Which region file answers for a source's rows; the national rows are of no region, any will do for their sectors.
ANSWERING = {"nasional": "kab-tangerang"}
# The threshold for routing alone is chosen for one region; its column is filled for that region's rows.
THRESHOLD_REGION = "kota-surabaya"
COLD = "kab-bandung"
_SEED = 17
_READ_FIRST = 0.3
_LOOK_SECONDS = 0.2

MEASURES = ("accuracy", "top-3", "macro-F1")
# What a row of a table is compared with: ours from the same rows as the peers', and ours as `disposisi train` makes it.
SAME_ROWS, AS_TRAINED = "default", "default and corpus"


@dataclass
class Trial:
    """The real rows and the corpus's, with near-copy groups over both, and their texts by each contender's steps."""

    rows: list[LabelledRow]
    samples: list[LabelledRow]
    embeddings: Path
    groups: Ints = field(init=False)
    _texts: dict[tuple[tuple[str, ...], str], list[PreparedText]] = field(init=False, default_factory=dict)

    def prepare(self, contenders: Sequence[Contender]) -> None:
        """Run all text steps once, and the encoder for texts that it hasn't seen."""
        complaints = [row.complaint for row in self.all_rows]
        chains = sorted({tuple(ALL_STEPS), *(contender.steps for contender in contenders if not contender.encoder)})
        _tell(f"text steps of {len(complaints)} rows, {len(chains)} chains")
        found = Parallel(PROCESSES)(delayed(prepare_texts)(steps, complaints) for steps in chains)
        self._texts = {(steps, ""): texts for steps, texts in zip(chains, found, strict=True)}
        for steps in {contender.steps for contender in contenders if contender.encoder}:
            encoder = RememberedEncoder(self.embeddings)
            encoder.remember([mask_personal_data(full_text(complaint)) for complaint in complaints], _tell)
            chain = TextChain(steps, encoder=encoder)
            self._texts[steps, ENCODER] = [chain.prepare(complaint) for complaint in complaints]
        self.groups = near_copy_groups(self._texts[tuple(ALL_STEPS), ""])

    @property
    def all_rows(self) -> list[LabelledRow]:
        return [*self.rows, *self.samples]

    def mask(self, wanted: Callable[[LabelledRow], bool]) -> Bools:
        """The real rows (n,) that are wanted."""
        return np.array([wanted(row) for row in self.rows], dtype=np.bool_)

    def of_source(self, source: str) -> Bools:
        return self.mask(lambda row: row.sector is not None and row.complaint.region == source)

    def folds(self, folds: int, seed: int) -> list[Bools]:
        numbers = assign_folds(self.groups, folds, seed)[: len(self.rows)]
        return [numbers == number for number in range(folds)]

    def newest(self) -> Bools:
        """The newest fifth of each source, with all near-copies of its rows."""
        groups = self.groups[: len(self.rows)]
        mask: Bools = np.isin(groups, groups[newest_of_each_source(self.rows)])
        return mask

    def shown(self, contender: Contender, aside: Bools) -> Bools:
        """Which of all rows a contender learns from if real rows `aside` (n,) and their near-copies are kept aside."""
        is_real = np.arange(len(self.groups)) < len(self.rows)
        may = np.where(is_real, contender.real, contender.corpus)
        mask: Bools = may & ~np.isin(self.groups, self.groups[: len(self.rows)][aside])
        return mask

    def learned(self, contender: Contender, shown: Bools, labels: Names) -> Learned:
        """The shown rows of all, as a contender reads them, with their labels out of those of all rows."""
        texts = self._texts[contender.steps, contender.encoder]
        real = np.array([row.label_source != WRITTEN for row in self.all_rows], dtype=np.bool_)
        return Learned(texts, labels, self.groups, real).only(shown)

    def texts(self, contender: Contender, mask: Bools) -> list[PreparedText]:
        return [self._texts[contender.steps, contender.encoder][i] for i in np.flatnonzero(mask)]

    def answers(self, contenders: Sequence[Contender], parts: Sequence[Bools]) -> dict[str, Names]:
        """The sectors (n, 3) that each contender names for real rows of each part by learning from all others."""
        labels = np.array([row.sector for row in self.all_rows], dtype=object)
        known = np.array([label is not None for label in labels], dtype=np.bool_)
        parts = [part & known[: len(self.rows)] for part in parts]
        jobs = [(contender, part) for contender in contenders for part in parts if part.any()]
        tasks = (
            delayed(contender.answer)(
                self.learned(contender, self.shown(contender, part) & known, labels), self.texts(contender, part)
            )
            for contender, part in jobs
        )
        found = {contender.name: np.full((len(self.rows), 3), "", dtype=object) for contender in contenders}
        for (contender, part), named in zip(jobs, Parallel(PROCESSES, return_as="generator")(tasks), strict=True):
            found[contender.name][part, : named.shape[1]] = named
            _tell(f"{contender.name}: {int(part.sum())} rows answered")
        return found


def main() -> None:
    """Print Markdown tables, part by part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=[*_PARTS], help="one part only")
    parser.add_argument("--folds", type=int, default=5, help="group folds of parts A and C")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="the peers in part A")
    parser.add_argument("--encoder", action="store_true", help="the encoder recipe too: half an hour for new texts")
    parser.add_argument(
        "--embeddings", type=Path, default=ROOT / "var" / "embeddings.npy", help="what the encoder found, by text hash"
    )
    parser.add_argument("--rows", type=int, help="try out with so many real rows, drawn at random")
    parser.add_argument("--seed", type=int, default=_SEED, help="of folds and draws")
    parser.add_argument("--train-only", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not SHARED.is_dir():
        print("Skipped: the real complaints (../shared/datasets beside the checkout) are not here.")
        return
    rows = read_real(given.rows, given.seed)
    samples = corpus_beside(rows)
    if given.train_only:
        train_only(rows, samples)
        return
    trial = Trial(rows, samples, given.embeddings)
    names = ["default", "plain", *(["encoder"] if given.encoder else [])]
    trying = [ours(name, real=real, corpus=corpus) for name in names for real, corpus in _LEARNING[name]]
    trying += peers(given.encoder) if given.peers else []
    for contender in trying:
        if contender.missing:
            print(f"Skipped: {contender.name}, as {contender.missing}.")
    trying = [contender for contender in trying if not contender.missing]
    trial.prepare(trying)
    groups = len(set(trial.groups[: len(rows)].tolist()))
    print(f"{len(rows)} real rows in {groups} groups of near-copies; {len(samples)} rows of the corpus. {_load()}\n")
    for part in [given.part] if given.part else _PARTS:
        started = time.perf_counter()
        _PARTS[part](trial, trying, given)
        print(f"Part {part} took {time.perf_counter() - started:.0f} s. {_load()}\n", flush=True)


# What our recipes learn from: (real rows, corpus).
_LEARNING = {
    "default": ((True, True), (True, False), (False, True)),
    "plain": ((True, False), (False, True)),
    "encoder": ((True, True), (True, False), (False, True)),
}


def read_real(count: int | None, seed: int) -> list[LabelledRow]:
    """The real rows that have a sector or an annotation, or so many of them."""
    files = [SHARED / name for name in SOURCES.values()]
    read = read_rows(files, "kab-tangerang", annotations=SHARED / "annotations.csv").rows
    rows = [row for row in read if row.sector is not None or row.urgency is not None]
    if count is None or count >= len(rows):
        return rows
    return [rows[i] for i in np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])]


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


def sectors(trial: Trial, trying: Sequence[Contender], given: argparse.Namespace) -> None:
    """Part A."""
    contenders = [contender for contender in trying if contender.real]
    newest = trial.newest()
    for title, parts in (
        (f"{given.folds} group folds", trial.folds(given.folds, given.seed)),
        ("Time split", [newest]),
    ):
        answers = trial.answers(contenders, parts)
        for source in SOURCES:
            mask = trial.of_source(source) & np.logical_or.reduce(parts)
            _print_sectors(f"A. {title}: {source}", trial, answers, mask, (SAME_ROWS, AS_TRAINED), MEASURES[::2])


def cold_start(trial: Trial, trying: Sequence[Contender], _: argparse.Namespace) -> None:
    """Part B."""
    own = [contender for contender in trying if contender.recipe]
    bandung = trial.of_source(COLD)
    answers = trial.answers([contender for contender in own if contender.real], [bandung])
    _print_sectors(f"B. {COLD}, by no row of it", trial, answers, bandung, (SAME_ROWS, AS_TRAINED), MEASURES[:2])
    everything = np.ones(len(trial.rows), dtype=np.bool_)
    answers = trial.answers([contender for contender in own if not contender.real], [everything])
    for source in SOURCES:
        mask = trial.of_source(source)
        _print_sectors(f"B. {source}, by the corpus", trial, answers, mask, ("default, corpus alone",), MEASURES[:2])


def _print_sectors(
    title: str, trial: Trial, answers: dict[str, Names], mask: Bools, against: Sequence[str], compared: Sequence[str]
) -> None:
    """A line for each contender on the masked rows: its figures, and what ours (`against`) have over it."""
    rows, groups = np.flatnonzero(mask), trial.groups[: len(trial.rows)][mask]
    if not len(rows):
        return
    labels = [trial.rows[i].sector or "" for i in rows]
    print(f"### {title} (n={len(rows):,})\n")
    differences = [f"{name} minus it: {measure}" for name in against for measure in compared]
    _print_line("trained by", *MEASURES, *differences)
    _print_line(*["---"] * (1 + len(MEASURES) + len(differences)))
    for name, named in answers.items():
        figures = [_shown(_figure(measure, labels, named[mask], groups)) for measure in MEASURES]
        over = [
            "" if other == name else _compared(_difference(measure, labels, answers[other][mask], named[mask], groups))
            for other in against
            for measure in compared
        ]
        _print_line(name, *figures, *over)
    print(flush=True)


def _figure(measure: str, labels: Sequence[str], named: Names, groups: Ints) -> Figure | None:
    if measure == "macro-F1":
        return macro_f1_figure(labels, named[:, 0].tolist(), groups)
    return mean_figure(_right(measure, labels, named), groups)


def _difference(measure: str, labels: Sequence[str], a: Names, b: Names, groups: Ints) -> Figure:
    if measure == "macro-F1":
        return paired_macro_f1_difference(labels, a[:, 0].tolist(), b[:, 0].tolist(), groups)
    return paired_difference(_right(measure, labels, a), _right(measure, labels, b), groups)


def _right(measure: str, labels: Sequence[str], named: Names) -> Any:
    """1 where the label is the first of the named sectors (n, 3), or among them, else 0."""
    first = 1 if measure == "accuracy" else named.shape[1]
    return (named[:, :first] == np.array(labels, dtype=object)[:, None]).any(axis=1).astype(np.float64)


def other_heads(trial: Trial, _: Sequence[Contender], given: argparse.Namespace) -> None:
    """Part C, by whole bundles, heads and rules, that learned from the annotated rows and the corpus only."""
    annotated = trial.mask(lambda row: None not in (row.urgency, row.complete, row.jurisdiction))
    own = [ours("default", corpus=True), ours("default"), ours("plain")]
    learnable = np.concatenate([annotated, np.ones(len(trial.samples), dtype=np.bool_)])
    jobs = [(contender, part & annotated) for contender in own for part in trial.folds(given.folds, given.seed)]

    def task(contender: Contender, part: Bools) -> Any:
        shown = [trial.all_rows[i] for i in np.flatnonzero(trial.shown(contender, part) & learnable)]
        asked = [trial.rows[i].complaint for i in np.flatnonzero(part)]
        return delayed(answers_of_bundle)(contender.recipe, shown, THRESHOLD_REGION, asked)

    usual = Answer(str(int(Urgency.SEDANG)), 0.0, Jurisdiction.LOCAL.value, COMPLETE)
    found = {
        name: [usual] * len(trial.rows) for name in (*(contender.name for contender in own), "always the commonest")
    }
    results = Parallel(PROCESSES, return_as="generator")(task(contender, part) for contender, part in jobs)
    for (contender, part), answers in zip(jobs, results, strict=True):
        for i, answer in zip(np.flatnonzero(part), answers, strict=True):
            found[contender.name][i] = answer
        _tell(f"{contender.name}: {int(part.sum())} annotated rows answered")
    print(f"### C. Annotated rows, {given.folds} group folds (n={int(annotated.sum()):,})\n")
    of_urgency = (
        "urgency: accuracy",
        "macro-F1",
        "quadratic kappa",
        "levels 2 and 3 in the most urgent 30 %",
        "level 3 found",
    )
    header = ("trained by", *of_urgency, "incomplete: F1", "jurisdiction: accuracy", "macro-F1")
    _print_line(*header)
    _print_line(*["---"] * len(header))
    kept = np.flatnonzero(annotated)
    for name, answers in found.items():
        _print_line(name, *_head_figures([trial.rows[i] for i in kept], [answers[i] for i in kept], trial.groups[kept]))
    print(flush=True)


def _head_figures(rows: Sequence[LabelledRow], found: Sequence[Answer], groups: Ints) -> list[str]:
    levels = [str(int(level)) for level in Urgency]
    urgency, urgencies = [str(row.urgency) for row in rows], [answer.urgency for answer in found]
    wanted = np.array([int(level) >= Urgency.TINGGI for level in urgency], dtype=np.bool_)
    emergencies = np.flatnonzero([level == str(int(Urgency.DARURAT)) for level in urgency])
    pressing = np.array([answer.pressing for answer in found])
    incomplete = np.array([not row.complete for row in rows], dtype=np.bool_)
    called = np.array([answer.completeness == INCOMPLETE for answer in found], dtype=np.bool_)
    levels_of, level_answers = [str(row.jurisdiction) for row in rows], [answer.jurisdiction for answer in found]
    figures = (
        _accuracy(urgency, urgencies, groups),
        macro_f1_figure(urgency, urgencies, groups),
        kappa_figure(urgency, urgencies, groups, levels),
        caught_figure(pressing, wanted, groups, _READ_FIRST),
        _accuracy([urgency[i] for i in emergencies], [urgencies[i] for i in emergencies], groups[emergencies]),
        f1_figure(incomplete, called, groups),
        _accuracy(levels_of, level_answers, groups),
        macro_f1_figure(levels_of, level_answers, groups),
    )
    return [_shown(figure) for figure in figures]


def _accuracy(labels: Sequence[str], found: Sequence[str], groups: Ints) -> Figure | None:
    return mean_figure(np.array([a == b for a, b in zip(labels, found, strict=True)], dtype=np.float64), groups)


def training_cost(trial: Trial, _: Sequence[Contender], given: argparse.Namespace) -> None:
    """Part D."""
    command = [sys.executable, "-m", "benchmarks.accuracy", "--train-only", "--rows", str(len(trial.rows))]
    print("### D. A training by the default recipe on all real rows and the corpus\n", flush=True)
    child = subprocess.Popen([*command, "--seed", str(given.seed)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    together = 0
    while child.poll() is None:
        together = max(together, _resident(child.pid))
        time.sleep(_LOOK_SECONDS)
    told = json.loads(child.communicate()[0])
    print(
        f"{told['rows']:,} rows: {told['seconds']:.0f} s; at most {told['megabytes']:.0f} MB in the process itself "
        f"(getrusage), {together / 1e6:.0f} MB with its workers (PSS: a shared page counts once). {_load()}\n"
    )


def train_only(rows: Sequence[LabelledRow], samples: Sequence[LabelledRow]) -> None:
    """Train as `disposisi train` does, and print what it took as JSON."""
    started = time.perf_counter()
    fit([*rows, *samples], RECIPES["default"], THRESHOLD_REGION)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    seconds = time.perf_counter() - started
    print(json.dumps({"rows": len(rows) + len(samples), "seconds": seconds, "megabytes": peak}))


def whole_bundle(trial: Trial, _: Sequence[Contender], __: argparse.Namespace) -> None:
    """Part E."""
    newest = trial.newest()
    shown = trial.shown(ours("default", corpus=True), newest)
    bundle = fit([trial.all_rows[i] for i in np.flatnonzero(shown)], RECIPES["default"], THRESHOLD_REGION).bundle
    kept = [trial.rows[i] for i in np.flatnonzero(newest)]
    print("### E. The default bundle on the time split\n")
    header = ("rows of", "calibration error", "routed alone", "of those right")
    _print_line(*header)
    _print_line(*["---"] * len(header))
    for source in SOURCES:
        rows = [row for row in kept if row.complaint.region == source and row.sector is not None]
        if rows:
            told = evaluate(bundle, rows, load_region(ANSWERING.get(source, source)))
            error = "-" if told.calibration_error is None else f"{told.calibration_error:.3f}".lstrip("0")
            _print_line(f"{source} (n={len(rows):,})", error, _shown(told.auto_share), _shown(told.auto_precision))
    if annotated := [row for row in kept if row.urgency is not None]:
        told = evaluate(bundle, annotated, load_region(THRESHOLD_REGION))
        print(f"\nIts other heads on the {len(annotated)} annotated rows of the time split:\n")
        for name in ("urgency_accuracy", "urgency_macro_f1", "urgency_kappa", "urgency_caught_at_30"):
            print(f"- {name.replace('_', ' ')}: {_shown(getattr(told, name))}")
        for name in ("incomplete_f1", "jurisdiction_accuracy", "jurisdiction_macro_f1"):
            print(f"- {name.replace('_', ' ')}: {_shown(getattr(told, name))}")
    print(flush=True)


_PARTS = {"A": sectors, "B": cold_start, "C": other_heads, "D": training_cost, "E": whole_bundle}


def _print_line(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def _shown(figure: Figure | None) -> str:
    return "-" if figure is None else figure.without_rows().replace("0.", ".")


def _compared(figure: Figure) -> str:
    """A difference, and in a word what its interval says: better or worse where it leaves out zero."""
    verdict = "better" if figure.low > 0 else "worse" if figure.high < 0 else "unclear"
    value, low, high = (f"{number:+.3f}".replace("0.", ".") for number in (figure.value, figure.low, figure.high))
    return f"{value} ({low} to {high}) {verdict}"


def _resident(process: int) -> int:
    """Bytes of memory that a process and all below it hold now, a page that several share counted once (PSS)."""
    try:
        [held] = re.findall(r"^Pss: +(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.M)
        below = [
            int(child)
            for file in Path(f"/proc/{process}/task").glob("*/children")
            for child in file.read_text().split()
        ]
    except (OSError, ValueError):
        return 0
    return int(held) * 1024 + sum(map(_resident, below))


def _load() -> str:
    return f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."


def _tell(what: str) -> None:
    print(f"... {time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
