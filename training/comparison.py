"""Comparison: champion and challenger on the same rows, figure by figure, with the gate's verdict on each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from data.complaint import Complaint, LabelledRow, Urgency
from data.errors import TooFewRows
from data.progress import Progress, silent
from data.region import Region
from data.sentences import plain_sentences
from model.bundle import SECTOR, URGENCY, Bundle
from model.features import Floats
from model.promise import PROMISED_PRECISION
from model.routing import Routed, Routers
from training.answers import Answers, HeadAnswers, answer_rows, unseen_by
from training.evaluation import slice_names
from training.gate import (
    ACCURACY,
    FEWEST_ROWS,
    LEVEL,
    PART_TOLERANCES,
    RECALL,
    Guard,
    Panel,
    Verdict,
    judge,
    part_guard,
    sector_guards,
    share_guard,
)

EMERGENCIES, SENTENCES, URGENT_SENTENCES = "emergencies", "sentences: sector", "sentences: emergencies"
AGENCY = "agency: "
SLOWER, LARGER = 1.5, 2.0
# A bundle grows with its rows; one of all that three town halls gave has 50 MB.
LARGE_MB = 100.0
# The fall in accuracy that the rows must rule out.
LEAST_TOLD = 0.05
# The ways of being alike whose parts are guarded; others are in the evaluation's report.
_SLICED = ("region", "language")
_TIMED, _ROUNDS = 100, 4
_RESAMPLES = 500
_EMERGENCY = str(int(Urgency.DARURAT))


@dataclass(frozen=True)
class Cost:
    """What a complaint costs in milliseconds ("speed"), or the bundle in megabytes ("size"), of both sides.

    `low` and `high`: the 95 % interval of challenger / champion. More than `limit` times as much is refused, from
    `least` on: what is small may grow.
    """

    name: str
    champion: float
    challenger: float
    low: float
    high: float
    limit: float
    least: float = 0.0

    @property
    def refused(self) -> bool:
        return self.low > self.limit and self.challenger >= self.least

    def __str__(self) -> str:
        unit = "ms a complaint" if self.name == "speed" else "MB"
        times = self.challenger / self.champion
        return (
            f"{self.name}: {self.champion:.2f} -> {self.challenger:.2f} {unit} ({times:.2f} times, limit {self.limit})"
        )


@dataclass(frozen=True)
class Comparison:
    """Both sides' figures on rows that neither learned from, and what each says. `chance` is the gate's level.

    `unguarded`: the sectors and agencies that have too few rows to be looked at by themselves.
    """

    champion: str
    challenger: str
    region: str
    rows: int
    different: int
    left_out_as_seen: int
    are_near_copies_out: bool
    received: tuple[str, str]
    older_than_training: int
    rows_fingerprint: str
    chance: float
    verdicts: tuple[Verdict, ...]
    costs: tuple[Cost, ...]
    unguarded: tuple[str, ...] = ()

    @property
    def refusals(self) -> list[str]:
        """The figures that the challenger is refused for, in words; empty if it may be promoted."""
        told = [str(each) for each in self.verdicts if each.refused]
        told += [str(each) for each in self.costs if each.refused]
        if self.is_too_few:
            told.append(
                f"too few rows to tell: for all they say, accuracy may lie {self.possible_fall:.1%} lower "
                f"(at most {LEAST_TOLD:.0%} is asked; n={self.rows})"
            )
        return told

    @property
    def possible_fall(self) -> float:
        """How far accuracy may have fallen for all that the rows say: the interval's end, or what none of n rules out.

        Where both answer alike the bootstrap has no width; then 3 / n is the 95 % bound (the rule of three).
        """
        accuracy = next(each for each in self.verdicts if each.name == ACCURACY)
        return max(-accuracy.low, 3 / self.different - accuracy.difference)

    @property
    def is_too_few(self) -> bool:
        """Whether no figure is found worse, but the rows can't rule out a fall that nobody would want."""
        return not any(each.refused for each in self.verdicts) and self.possible_fall > LEAST_TOLD

    @property
    def has_emergencies(self) -> bool:
        return any(each.name == EMERGENCIES for each in self.verdicts)

    def as_dict(self) -> dict[str, object]:
        """Every number, fit for JSON."""
        return asdict(self) | {"refusals": self.refusals}

    def as_text(self) -> str:
        """A line for each figure, the verdict last."""
        lines = [
            f"Champion {self.champion}, challenger {self.challenger}, on {self.rows} rows for {self.region}",
            f"{self.different} different ones; received {self.received[0] or '?'} to {self.received[1] or '?'}.",
        ]
        if self.left_out_as_seen:
            like = ", or are near-copies of what was," if self.are_near_copies_out else ""
            lines.append(f"{self.left_out_as_seen} rows were in the training of one of them{like} and are left out.")
        if not self.are_near_copies_out:
            lines.append(
                "Note: near-copies of what they learned from are not left out; name those files with --learned."
            )
        if self.older_than_training:
            lines.append(
                f"Note: {self.older_than_training} rows are older than the newest that the challenger learned from. "
                "Rows like those it learned from flatter it: compare on later ones (--since)."
            )
        lines.append(f"\n{'figure':<34} {'champion':>9} {'challenger':>10} {'difference':>10}  95 % interval")
        for each in self.verdicts:
            mark = "  WORSE" if each.refused else "  lower, within tolerance" if each.is_lower else ""
            lines.append(
                f"{each.name:<34} {each.champion:>9.3f} {each.challenger:>10.3f} {each.difference:>+10.3f}  "
                f"{each.low:+.3f} to {each.high:+.3f}, n={each.rows}{mark}"
            )
        lines += [f"{each}{'  WORSE' if each.refused else ''}" for each in self.costs]
        if self.unguarded:
            few = f"{len(self.unguarded)} sectors and agencies have fewer than {FEWEST_ROWS} different rows"
            lines.append(f"Note: {few}; nothing guards them by themselves.")
        if not self.has_emergencies:
            lines.append(
                "Note: no row is an emergency, so only the written sentences guard them (--annotations adds urgency)."
            )
        return "\n".join([*lines, "", self._verdict()])

    def _verdict(self) -> str:
        if self.is_too_few and len(self.refusals) == 1:
            return f"The gate can't tell, so it refuses the challenger: {self.refusals[0]}. Compare on more rows."
        if not self.refusals:
            return "The gate lets the challenger pass: no guarded figure is worse than chance explains."
        return "\n".join(["The gate refuses the challenger. Worse:", *(f"  {each}" for each in self.refusals)])


def compare(
    champion: Bundle,
    challenger: Bundle,
    rows: Sequence[LabelledRow],
    region: Region,
    folders: tuple[Path, Path],
    progress: Progress = silent,
    learned: Sequence[LabelledRow] = (),
) -> Comparison:
    """Compare two bundles, which lie in `folders`, on the rows that neither learned from, and that are near-copies of
    none of `learned`.

    Raises `TooFewRows` if none is left that has a sector.
    """
    progress("leaving out what was learned from", 0.05)
    unseen = unseen_by([champion, challenger], rows, learned)
    if sum(row.sector is not None for row in unseen) < FEWEST_ROWS:
        raise TooFewRows(
            f"Of {len(rows)} rows {len(unseen)} are new to both bundles, and fewer than {FEWEST_ROWS} of those have a "
            "sector. Compare on later rows."
        )
    progress("the champion answers", 0.1)
    first = answer_rows(champion, unseen, region)
    progress("the challenger answers", 0.4)
    second = answer_rows(challenger, unseen, region)
    progress("written sentences", 0.7)
    panels = [_sectors(first, second), _emergencies(first, second), _sentences(champion, challenger, region)]
    progress("chance", 0.8)
    verdicts = judge([panel for panel in panels if panel.guards])
    progress("speed", 0.95)
    of_rows = {f"{RECALL}{row.sector}" for row in unseen if row.sector}
    of_rows |= {f"{AGENCY}{row.agency}" for row in unseen if row.sector and row.agency}
    costs = (_speed(champion, challenger, [row.complaint for row in unseen]), _size(*folders))
    dates = sorted(row.received_at[:10] for row in unseen if row.received_at)
    newest = _newest_learned(challenger)
    return Comparison(
        champion=champion.version,
        challenger=challenger.version,
        region=region.code,
        rows=len(unseen),
        different=len(np.unique(first.groups)),
        left_out_as_seen=len(rows) - len(unseen),
        are_near_copies_out=bool(learned),
        received=(dates[0], dates[-1]) if dates else ("", ""),
        older_than_training=sum(date < newest for date in dates),
        rows_fingerprint=sha256(repr(sorted((row.id, row.sector) for row in unseen)).encode()).hexdigest(),
        chance=LEVEL,
        verdicts=tuple(verdicts),
        costs=costs,
        unguarded=tuple(sorted(of_rows - {each.name for each in verdicts})),
    )


def _newest_learned(bundle: Bundle) -> str:
    """The day of the newest real row that a bundle learned from; where it isn't told, of its training."""
    received = bundle.about.get("rows", {}).get("received", [])
    return str(received[-1] if received else bundle.about.get("created_at", ""))[:10]


def _sectors(first: Answers, second: Answers) -> Panel:
    told: tuple[HeadAnswers, HeadAnswers] = first.of_head(SECTOR), second.of_head(SECTOR)
    index, groups = told[0].index, told[0].groups
    names = {kind: found for kind, found in slice_names(first, told[0]).items() if kind in _SLICED}
    slices = {
        f"{kind} {name}": np.array([each == name for each in found], dtype=np.bool_)
        for kind, found in names.items()
        if len(set(found)) > 1
        for name in sorted(set(found))
    }
    guards = sector_guards(
        told[0].labels,
        (told[0].found, told[1].found),
        (first.is_auto(index), second.is_auto(index)),
        (first.confidence(index), second.confidence(index)),
        groups,
        (_promised(first.bundle), _promised(second.bundle)),
        slices,
    )
    return Panel([*guards, *_agencies(first, second, told[0])], groups)


def _agencies(first: Answers, second: Answers, told: HeadAnswers) -> list[Guard]:
    """Each agency's share of its rows that reach it."""
    own = [first.rows[i].agency or "" for i in told.index]
    hits = [_hits(own, [answers.routed[i] for i in told.index], _agency) for answers in (first, second)]
    guards = []
    for code in sorted(set(own) - {""}):
        mask = np.array([each == code for each in own], dtype=np.bool_)
        if len(np.unique(told.groups[mask])) >= FEWEST_ROWS:
            guards.append(part_guard(f"{AGENCY}{code}", hits, mask, PART_TOLERANCES[RECALL]))
    return guards


def _emergencies(first: Answers, second: Answers) -> Panel:
    """Rows of the highest urgency that are found to be so: few, and each one that is missed may cost a life."""
    own = np.array([str(row.urgency) == _EMERGENCY for row in first.rows], dtype=np.float64)
    labels = [_EMERGENCY] * len(own)
    hits = [_hits(labels, answers.routed, _level) * own for answers in (first, second)]
    return Panel([_counted(share_guard(EMERGENCIES, hits, own))] if own.any() else [], first.groups)


def _sentences(champion: Bundle, challenger: Bundle, region: Region) -> Panel:
    """The written sentences that nobody could misread; those of an emergency are weighed apart."""
    written = [(SECTOR, *each) for each in plain_sentences(SECTOR)]
    written += [(URGENCY, *each) for each in plain_sentences(URGENCY)]
    complaints = [Complaint(text, region=region.code) for _, _, text in written]
    labels = [label for _, label, _ in written]
    is_sector = np.array([question == SECTOR for question, _, _ in written], dtype=np.float64)
    is_emergency = np.array([(q, label) == (URGENCY, _EMERGENCY) for q, label, _ in written], dtype=np.float64)
    routed = [
        [routers.route(each) for each in complaints]
        for routers in (Routers(champion, region), Routers(challenger, region))
    ]
    sectors = [_hits(labels, each, lambda one: one.prediction.sector.label) * is_sector for each in routed]
    urgent = [_hits(labels, each, _level) * is_emergency for each in routed]
    emergencies = _counted(share_guard(URGENT_SENTENCES, urgent, is_emergency))
    guards = [share_guard(SENTENCES, sectors, is_sector), emergencies]
    return Panel(guards, np.arange(len(written), dtype=np.int64))


def _counted(guard: Guard) -> Guard:
    """Missed emergencies are too few for chance to tell them apart, and one more is one too many."""
    return replace(guard, is_counted=True)


def _hits(labels: Sequence[str], routed: Sequence[Routed], told: Callable[[Routed], str]) -> Floats:
    """1 where what was told is the label (n,), else 0."""
    return np.array([told(one) == label for label, one in zip(labels, routed, strict=True)], dtype=np.float64)


def _agency(routed: Routed) -> str:
    agency = routed.disposition.choice.agency
    return agency.code if agency else ""


def _level(routed: Routed) -> str:
    return str(int(routed.urgency.level)) if routed.urgency else ""


def _promised(bundle: Bundle) -> float:
    return float(bundle.about.get("metrics", {}).get(SECTOR, {}).get("promised_precision", PROMISED_PRECISION))


def _speed(champion: Bundle, challenger: Bundle, complaints: Sequence[Complaint]) -> Cost:
    """How long an answer takes: both answer the same complaints in turn, each its best of some rounds."""
    asked = list(complaints[:_TIMED])
    taken = np.full((2, len(asked)), np.inf)
    bundles = (champion, challenger)
    for turn in range(_ROUNDS):
        for i, complaint in enumerate(asked):
            # Who comes second finds the words warm: they take turns.
            for side in (0, 1) if turn % 2 else (1, 0):
                start = time.perf_counter()
                bundles[side].predict([complaint])
                taken[side, i] = min(taken[side, i], time.perf_counter() - start)
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(asked), (_RESAMPLES, len(asked)))
    low, high = np.quantile(taken[1][drawn].sum(axis=1) / taken[0][drawn].sum(axis=1), (0.025, 0.975))
    means = 1000 * taken.mean(axis=1)
    return Cost("speed", float(means[0]), float(means[1]), float(low), float(high), SLOWER)


def _size(champion: Path, challenger: Path) -> Cost:
    """How much room the bundles take, on the disk and about as much in memory."""
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) / 1e6 for folder in (champion, challenger)]
    times = sizes[1] / sizes[0]
    return Cost("size", sizes[0], sizes[1], times, times, LARGER, LARGE_MB)
