"""Sketches of training texts: a few bytes each, by which a copy or near-copy is known again and no word can be read.

MinHash (Broder 1997) over runs of three words, one byte kept of each least hash (b-bit minwise hashing, Li and König
2010): the share of bytes that two sketches have in common estimates how many of their runs two texts share (Jaccard).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import shake_256
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Sketches = NDArray[np.uint8]

SHINGLE_WORDS = 3
SKETCH_BYTES = 64
# An estimate is off by 0.06 either way. From 0.4 on, 86 % of Surabaya's pairs that share 0.5 to 0.6 of their runs are
# found and all that share more; what is taken for alike besides shares 0.33 at the least.
_BYTES_ALIKE = 26
# Drawn once for all: bundles keep sketches, and NumPy's own generators may give other numbers in another version.
_DRAWN = np.frombuffer(shake_256(b"disposisi sketch").digest(16 * SKETCH_BYTES), dtype="<u8").astype(np.uint64)
_FACTORS, _SHIFTS = _DRAWN[:SKETCH_BYTES] | np.uint64(1), _DRAWN[SKETCH_BYTES:]
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
