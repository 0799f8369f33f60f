"""Sketches of training texts: a few bytes each, by which a copy or near-copy is known again and no word can be read.

MinHash (Broder 1997) over runs of three words, one byte kept of each least hash (b-bit minwise hashing, Li and König
2010): the share of bytes that two sketches have in common estimates how many of their runs two texts share (Jaccard).
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Sketches = NDArray[np.uint8]

SHINGLE_WORDS = 3
SKETCH_BYTES = 64
# An estimate is off by 0.06 either way: from 0.4 on, nearly all that share half of their runs are found. Two different
# complaints share next to none.
_BYTES_ALIKE = 26
_chance = np.random.default_rng(20_260_101)  # must stay: sketches are kept in bundles
_FACTORS = _chance.integers(0, 2**63, SKETCH_BYTES, dtype=np.uint64) * 2 + 1
_SHIFTS = _chance.integers(0, 2**63, SKETCH_BYTES, dtype=np.uint64)
_KEPT_BITS = np.uint64(24)


def runs_of(text: str) -> list[str]:
    """A text's runs of three words, padded in front so that a text of one or two words has some too."""
    words = ["", "", *text.split()]
    return [" ".join(words[i : i + SHINGLE_WORDS]) for i in range(len(words) - SHINGLE_WORDS + 1)]


def sketches_of(texts: Sequence[str]) -> Sketches:
    """The sketches (n, `SKETCH_BYTES`) of texts, equal ones once, in an order of their own; none of wordless ones."""
    found = [_sketch(text) for text in texts if text.split()]
    sketches: Sketches = np.unique(np.array(found, dtype=np.uint8).reshape(-1, SKETCH_BYTES), axis=0)
    return sketches


def is_alike(text: str, sketches: Sketches) -> bool:
    """Whether any of the sketched texts shares about half of its runs of words with this one, or more."""
    if not text.split():
        return False
    return bool((np.count_nonzero(sketches == _sketch(text), axis=1) >= _BYTES_ALIKE).any())


def _sketch(text: str) -> Sketches:
    hashes = np.array([crc32(run.encode("utf-8", "replace")) for run in runs_of(text)], dtype=np.uint64)
    # Multiplication wraps at 64 bits, which is what spreads the hashes.
    least: NDArray[np.uint64] = (hashes[:, None] * _FACTORS + _SHIFTS).min(axis=0)
    return (least >> _KEPT_BITS).astype(np.uint8)
