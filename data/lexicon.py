"""Lexicons: the word tables in `data/lexicons`, read once; tests hold their rules, so nothing is checked here."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent / "lexicons"
LANGUAGES = ("sundanese", "javanese", "betawi", "minangkabau", "balinese")
# Domain first: where tables share a form, the earlier one has its way.
TABLES = ("abbreviations", "informal", *LANGUAGES)


@cache
def read_table(name: str) -> Mapping[str, str]:
    """A table of two columns, as form -> meaning."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        lines = csv.reader(handle)
        next(lines)
        return MappingProxyType({line[0]: line[1] for line in lines})


@cache
def read_lines(name: str) -> frozenset[str]:
    """A list of one word or name a line; lines that begin with # are comments."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def read_stems() -> Mapping[str, str]:
    """Words whose stem by the algorithm is wrong, with the right one."""
    return read_table("stems")


@cache
def lexicon_mark() -> str:
    """Twelve hex digits that change when a table changes, so that a manifest can tell which ones it was made with."""
    mark = sha256()
    for file in sorted([*FOLDER.glob("*.csv"), *FOLDER.glob("*.txt")]):
        mark.update(file.name.encode() + b"\0" + file.read_bytes())
    return mark.hexdigest()[:12]
