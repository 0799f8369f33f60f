"""Aliases: small files that each name one version, changed in one step that no reader ever sees half of."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data.errors import BundleError

CHAMPION, CHALLENGER = "champion", "challenger"
ALIASES = (CHAMPION, CHALLENGER)


@dataclass(frozen=True)
class AliasFile:
    """The file of one alias, in the registry's folder."""

    path: Path

    def read(self) -> int | None:
        """The version it names; None where there is no file. Raises `BundleError` if it holds anything else."""
        try:
            text = self.path.read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            text = ""
        if not text.strip().isdigit():
            raise BundleError(f"The alias {self.path} holds no version's number. See: disposisi models verify")
        return int(text)

    def prepare(self, number: int) -> None:
        """Write what it shall say beside it, and on the disk: a full one is met before anything counts."""
        handle = os.open(self.aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(handle, f"{number}\n".encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def put(self, number: int | None) -> None:
        """Let it name that version, or none, by one rename."""
        if number is None:
            self.path.unlink(missing_ok=True)
        else:
            prepared = None
            with suppress(BundleError):
                prepared = AliasFile(self.aside).read()
            if prepared != number:
                self.prepare(number)
            self.aside.replace(self.path)
        sync_folder(self.path.parent)

    @property
    def aside(self) -> Path:
        """Where it is prepared."""
        return self.path.with_name(f".{self.path.name}.next")


def sync_folder(folder: Path) -> None:
    """Have the folder's names on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
