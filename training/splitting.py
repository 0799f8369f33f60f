"""Splits that don't flatter: near-copies of one complaint stay on one side, and time is split as time passes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer

from data.complaint import LabelledRow
from model.text import PreparedText

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

SHINGLE_WORDS = 3
ALIKE_FROM = 0.5
_TOO_COMMON = 400
_AT_ONCE = 2_000


def near_copy_groups(texts: Sequence[PreparedText]) -> Ints:
    """A group number for each text (n,); texts that share half of their three-word runs (Jaccard) are in one group."""
    if not texts:
        return np.zeros(0, dtype=np.int64)
    different, which = np.unique(np.array([text.words for text in texts], dtype=object), return_inverse=True)
    hashing = HashingVectorizer(analyzer=_runs, norm=None, binary=True, alternate_sign=False, dtype=np.float32)
    runs = hashing.transform(different).tocsc()
    is_common = np.diff(runs.indptr) > _TOO_COMMON
    rare, common = runs[:, ~is_common].tocsr(), runs[:, is_common].tocsr()
    del runs
    frequent = _row_sums(common)
    sizes = _row_sums(rare) + frequent
    by_run = rare.T.tocsr()
    found = [_sharing(rare, by_run, start, sizes, frequent) for start in range(0, len(different), _AT_ONCE)]
    # All pairs of a run that hundreds share would be too many: there neighbours in the order of the texts are compared,
    # so that copies by the hundred form a chain, while a shared greeting alone makes none.
    chain = _neighbours(common.tocsc())
    one, other = chain
    in_common = _row_sums(rare[one].multiply(rare[other])) + _row_sums(common[one].multiply(common[other]))
    found.append(chain[:, _are_alike(chain, in_common, sizes)])
    left, right = np.concatenate(found, axis=1)
    pairs = coo_matrix((np.ones(len(left)), (left, right)), shape=(len(different), len(different)))
    groups: Ints = connected_components(pairs, directed=False)[1].astype(np.int64)[which]
    return groups


def _sharing(rare: csr_matrix, by_run: csr_matrix, start: int, sizes: Floats, frequent: Floats) -> Ints:
    """Pairs (2, n) of a text from `start` on and a later one that are alike; frequent runs count as if all were shared.

    A block of texts at a time: the pairs that share anything are too many for memory where texts are many.
    """
    shared = (rare[start : start + _AT_ONCE] @ by_run).tocoo()
    upper = shared.row + start < shared.col
    pairs = np.array([shared.row[upper] + start, shared.col[upper]], dtype=np.int64)
    common = shared.data[upper] + np.minimum(frequent[pairs[0]], frequent[pairs[1]])
    alike: Ints = pairs[:, _are_alike(pairs, common, sizes)]
    return alike


def _row_sums(runs: csr_matrix) -> Floats:
    return np.asarray(runs.sum(axis=1), dtype=np.float64).ravel()


def _are_alike(pairs: Ints, common: Floats, sizes: Floats) -> Bools:
    """Whether the runs that pairs (2, n) have in common (n,) are enough of all that they have; `sizes` are by text."""
    alike: Bools = common >= ALIKE_FROM * (sizes[pairs[0]] + sizes[pairs[1]] - common)
    return alike


def _neighbours(runs: csc_matrix) -> NDArray[np.int64]:
    """Pairs (2, n) of texts that stand next to each other among those that share a run."""
    pairs = [(column[:-1], column[1:]) for column in np.split(runs.indices, runs.indptr[1:-1])]
    if not pairs:
        return np.zeros((2, 0), dtype=np.int64)
    joined = np.sort(np.array([np.concatenate(side) for side in zip(*pairs, strict=True)], dtype=np.int64), axis=0)
    return np.unique(joined, axis=1)


def _runs(text: str) -> list[str]:
    """A text's runs of three words, padded in front so that a text of one or two words has some too."""
    words = ["", "", *text.split()]
    return [" ".join(words[i : i + SHINGLE_WORDS]) for i in range(len(words) - SHINGLE_WORDS + 1)]


def assign_folds(groups: Ints, folds: int, seed: int) -> Ints:
    """A fold number 0..folds-1 for each row (n,), whole groups together."""
    numbers = np.unique(groups)
    shuffled = np.random.default_rng(seed).permutation(len(numbers)) % folds
    assigned: Ints = shuffled[np.searchsorted(numbers, groups)].astype(np.int64)
    return assigned


def newest_share(rows: Sequence[LabelledRow], share: float) -> Bools:
    """A mask (n,) of the newest share of the rows by date; rows that give no full date are never in it."""
    dates = np.array([row.received_at if len(row.received_at) >= 10 else "" for row in rows])
    dated = np.flatnonzero(dates != "")
    mask = np.zeros(len(rows), dtype=np.bool_)
    newest = dated[np.argsort(dates[dated], kind="stable")][len(dated) - round(share * len(dated)) :]
    mask[newest] = True
    return mask
