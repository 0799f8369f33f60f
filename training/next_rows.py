"""What to label next: rows that would teach the most, none like another, and a random share for honest estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from data.region import Region
from data.sectors import all_sectors
from model.bundle import SECTOR, Bundle
from model.features import Floats
from model.heads import Head
from model.promise import FEWEST_ROWS, PROMISE_CONFIDENCE, PROMISED_PRECISION, rows_needed
from training.splitting import Ints

RANDOM_SHARE = 0.2
# How many times more, or less, a row counts for its label's rarity.
_MOST_RARITY, _LEAST_RARITY = 3.0, 0.5
# So many of the most useful rows for each that is asked are compared with each other; a fit on all pairs of half a
# million rows would take a day and choose the same.
_POOL, _SMALLEST_POOL = 10, 2_000
# More than so many times the rows at hand is a guess: the same rows drawn again would give another number.
_GUESSED_FROM = 3


def choose_next(
    probabilities: Floats,
    features: csr_matrix,
    groups: Ints,
    counts: Ints,
    count: int,
    *,
    random_share: float = RANDOM_SHARE,
    seed: int,
) -> Ints:
    """Numbers (at most `count`,) of the rows to label next, the random ones first: `random_count` says how many.

    `probabilities` (n, k) of the labels, `features` (n, d) that tell what is alike, `groups` (n,) of near-copies,
    `counts` (k,) of the rows each label has already. The random ones are drawn from one row of each group before
    anything else is looked at, so that what is measured on them holds for all. The others are taken one by one, each
    the most useful (see `usefulness`) times how unlike (cosine) the nearest row taken is. Never two of one group,
    so fewer than `count` where there are fewer groups. Raises ValueError for shapes that don't fit.
    """
    _check(probabilities, features, groups, counts, count, random_share)
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(groups))
    single = order[np.unique(groups[order], return_index=True)[1]]
    by_chance = chance.permutation(single)[: random_count(len(single), count, random_share)]
    rest = np.flatnonzero(~np.isin(groups, groups[by_chance]))
    useful = usefulness(probabilities, counts)
    rest = rest[np.argsort(-useful[rest], kind="stable")]
    rest = rest[np.sort(np.unique(groups[rest], return_index=True)[1])]  # of each group the most useful
    wanted = min(count, len(single)) - len(by_chance)
    pool = rest[: max(_POOL * wanted, _SMALLEST_POOL)]
    chosen = _unlike(_unit(features[pool]), useful[pool], _unit(features[by_chance]), wanted)
    return np.concatenate([by_chance, pool[chosen]]).astype(np.int64)


def random_count(rows: int, count: int, random_share: float) -> int:
    """How many of the rows that `choose_next` gives, from `rows` different ones, are random."""
    return min(rows, count, round(random_share * min(count, rows)))


def usefulness(probabilities: Floats, counts: Ints) -> Floats:
    """How much each row (n,) would teach: how unsure the model is, times how rare its labels are expected to be.

    Unsure: 1 less the margin between the two likeliest labels (Scheffer, Decomain and Wrobel 2001). Rare: the mean over
    the row's probabilities of each label's square root of (mean count + 1) / (its count + 1), between 0.5 and 3.
    """
    best = np.sort(probabilities, axis=1)[:, ::-1]
    unsure = 1.0 - (best[:, 0] - best[:, 1] if best.shape[1] > 1 else 0.0)
    rarity = np.clip(np.sqrt((counts.mean() + 1.0) / (counts + 1.0)), _LEAST_RARITY, _MOST_RARITY)
    useful: Floats = unsure * (probabilities @ rarity)
    return useful


@dataclass(frozen=True)
class Need:
    """What an agency (or, for offices of areas, their sector) still needs to be routed to without a person.

    `rows`: real complaints of its sectors that the bundle has as evidence, near-copies once. `needed`: about how many
    more labelled complaints that the program answers with it; `at_least` where the rows are too few to tell, or are
    not right often enough however many there were.
    """

    name: str
    sectors: tuple[str, ...]
    rows: int
    needed: int
    at_least: bool

    @property
    def told(self) -> str:
        """The need in words, no more exact than it is known: a guess from far fewer rows is told as one."""
        if self.needed == 0 or self.at_least:
            return f"at least {self.needed}" if self.needed else "none"
        sure = "about" if self.needed <= _GUESSED_FROM * self.rows else "as a rough guess"
        return f"{sure} {float(f'{self.needed:.2g}'):.0f}"


def needs_of(bundle: Bundle, region: Region) -> list[Need]:
    """What each agency and area family of a region needs, by the bundle's own evidence there; most first."""
    labels = np.array(bundle.heads[SECTOR].labels)
    own = bundle.evidence[bundle.evidence["region"] == region.code.encode()]
    head, metrics = bundle.heads[SECTOR], bundle.about.get("metrics", {}).get(SECTOR, {})
    target = float(metrics.get("promised_precision", PROMISED_PRECISION))
    certainty = float(metrics.get("promise_confidence", PROMISE_CONFIDENCE))
    right, given = own["label"] == own["found"], labels[own["label"]]
    answered, confidence = labels[own["found"]], own["confidence"].astype(np.float64)
    offices = [(agency.name, agency.sectors) for agency in region.agencies if agency.sectors]
    offices += [(all_sectors()[family.sector].name, (family.sector,)) for family in region.families]
    needs = []
    for name, sectors in offices:
        is_its = np.isin(answered, sectors)
        # The region's own threshold holds for all its agencies but those that break the promise.
        if all(_goes_alone(head, region.code, sector) for sector in sectors):
            needed, at_least = 0, False
        else:
            told = rows_needed(confidence[is_its], right[is_its], target, certainty)
            least = max(FEWEST_ROWS - int(is_its.sum()), 1)
            needed, at_least = (least, True) if told is None else (told, False)
        needs.append(Need(name, sectors, int(np.isin(given, sectors).sum()), needed, at_least))
    return sorted(needs, key=lambda need: (-need.needed, need.name))


def _goes_alone(head: Head, region: str, sector: str) -> bool:
    """Whether some complaints of a sector are routed there without a person."""
    least = head.threshold(region, sector) if sector in head.labels else None
    return least is not None and least < 1.0


def _unlike(features: csr_matrix, useful: Floats, taken: csr_matrix, wanted: int) -> Ints:
    """Numbers of `wanted` rows of `features` (n, d) of unit length, each useful and unlike those before and `taken`."""
    nearest = np.zeros(features.shape[0])
    if taken.shape[0] and features.shape[0]:
        nearest = (features @ taken.T).max(axis=1).toarray().ravel()
    is_free = np.ones(len(useful), dtype=np.bool_)
    chosen: list[int] = []
    for _ in range(min(wanted, len(useful))):
        best = int(np.argmax(np.where(is_free, useful * (1.0 - nearest), -np.inf)))
        chosen.append(best)
        is_free[best] = False
        nearest = np.maximum(nearest, features @ features[best].toarray().ravel())
    return np.array(chosen, dtype=np.int64)


def _unit(features: csr_matrix) -> csr_matrix:
    """The rows scaled to length 1, so that products are cosines; empty ones stay empty."""
    lengths = np.sqrt(np.asarray(features.multiply(features).sum(axis=1)).ravel())
    scaled: csr_matrix = diags_array(1.0 / np.maximum(lengths, 1e-12)) @ features
    return scaled.tocsr()


def _check(
    probabilities: Floats, features: csr_matrix, groups: Ints, counts: Ints, count: int, random_share: float
) -> None:
    if not len(probabilities) == features.shape[0] == len(groups):
        rows = f"{len(probabilities)} probabilities, {features.shape[0]} features and {len(groups)} groups"
        raise ValueError(f"There are {rows}; each row needs one of each.")
    if probabilities.shape[1] != len(counts):
        raise ValueError(f"There are {len(counts)} counts for {probabilities.shape[1]} labels.")
    if count < 1 or not 0.0 <= random_share <= 1.0:
        raise ValueError(f"{count} rows, {random_share} of them random, can't be chosen.")
