"""Splits that don't flatter: near-copies of one complaint stay on one side, and time is split as time passes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
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
    # Padding gives texts of one or two words runs of their own.
    padded = [f"__ __ {text.words}" for text in texts]
    hashing = HashingVectorizer(
        token_pattern=r"\w+",  # noqa: S106
        ngram_range=(SHINGLE_WORDS, SHINGLE_WORDS),
        norm=None,
        binary=True,
        alternate_sign=False,
    )
    runs = hashing.transform(padded).tocsc()
    sizes = np.asarray(runs.sum(axis=1)).ravel()
    # Greetings shared by hundreds of texts make no near-copies, but would make the product below large.
    rare = runs[:, np.diff(runs.indptr) <= _TOO_COMMON].tocsr()
    frequent = sizes - np.asarray(rare.sum(axis=1)).ravel()
    shared = (rare @ rare.T).tocoo()
    upper = shared.row < shared.col
    left, right, common = shared.row[upper], shared.col[upper], shared.data[upper]
    common = common + np.minimum(frequent[left], frequent[right])
    alike = common >= ALIKE_FROM * (sizes[left] + sizes[right] - common)
    pairs = coo_matrix((np.ones(int(alike.sum())), (left[alike], right[alike])), shape=(len(texts), len(texts)))
    groups: Ints = connected_components(pairs, directed=False)[1].astype(np.int64)
    return groups


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
