"""Splits that don't flatter: near-copies of one complaint stay on one side, and time is split as time passes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer

from data.complaint import LabelledRow
from model.text import PreparedText

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SHINGLE_WORDS = 3
ALIKE_FROM = 0.5
_TOO_COMMON = 400


def near_copy_groups(texts: Sequence[PreparedText]) -> Ints:
    """A group number for each text (n,); texts that share half of their three-word runs (Jaccard) are in one group."""
    different, which = np.unique(np.array([text.words for text in texts], dtype=object), return_inverse=True)
    hashing = HashingVectorizer(analyzer=_runs, norm=None, binary=True, alternate_sign=False)
    runs = hashing.transform(different).tocsc()
    sizes = np.asarray(runs.sum(axis=1)).ravel()
    is_common = np.diff(runs.indptr) > _TOO_COMMON
    rare = runs[:, ~is_common].tocsr()
    frequent = sizes - np.asarray(rare.sum(axis=1)).ravel()
    shared = (rare @ rare.T).tocoo()
    upper = shared.row < shared.col
    left, right, common = shared.row[upper], shared.col[upper], shared.data[upper]
    common = common + np.minimum(frequent[left], frequent[right])
    # All pairs of a run that hundreds share would be too many: there neighbours in the order of the texts are compared,
    # so that copies by the hundred form a chain, while a shared greeting alone makes none.
    chain = _neighbours(runs[:, is_common].tocsc())
    rows = runs.tocsr()
    chain_common = np.asarray(rows[chain[0]].multiply(rows[chain[1]]).sum(axis=1)).ravel()
    left, right = np.concatenate([left, chain[0]]), np.concatenate([right, chain[1]])
    common = np.concatenate([common, chain_common])
    alike = common >= ALIKE_FROM * (sizes[left] + sizes[right] - common)
    shape = (len(different), len(different))
    pairs = coo_matrix((np.ones(int(alike.sum())), (left[alike], right[alike])), shape=shape)
    groups: Ints = connected_components(pairs, directed=False)[1].astype(np.int64)[which]
    return groups


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
