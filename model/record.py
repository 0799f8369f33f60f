"""The registry's record: one line of JSON for each thing that was done, each bound to the line before it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from data.errors import BundleError
from model.aliases import CHAMPION, sync_folder
from model.bundle import Bundle


class Action(StrEnum):
    REGISTER = "register"
    COMPARE = "compare"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Entry:
    """What somebody did with a version, and both aliases as they are after it. `before` is the last line's SHA-256."""

    action: Action
    version: int
    by: str
    reason: str
    at: str
    facts: dict[str, Any]
    champion: int | None
    challenger: int | None
    before: str

    def alias(self, name: str) -> int | None:
        """The version that an alias names after this."""
        return self.champion if name == CHAMPION else self.challenger

    def is_comparison_of(self, champion: int, challenger: int) -> bool:
        """Whether it tells how these two compare."""
        return self.action is Action.COMPARE and (self.facts.get(CHAMPION), self.version) == (champion, challenger)


@dataclass(frozen=True)
class Record:
    """The file of the record. It is only ever added to."""

    path: Path

    def entries(self) -> list[Entry]:
        """Every entry, oldest first; a last line that was cut short never counted and isn't among them.

        Raises `BundleError` with the number of a line that can't be read.
        """
        return [_parse(line, number, self.path) for number, line in enumerate(self._lines(), 1)]

    def champions(self) -> list[int]:
        """The champions, oldest first, with those that were rolled back left out; the last is the present one."""
        past: list[int] = []
        for entry in self.entries():
            if entry.action is Action.PROMOTE:
                past.append(entry.version)
            elif entry.action is Action.ROLLBACK:
                past.pop()
        return past

    def broken_links(self) -> list[int]:
        """The numbers of the lines whose predecessor is not the one they were written after."""
        lines, broken, before = self._lines(), [], ""
        for number, line in enumerate(lines, 1):
            try:
                own = json.loads(line)["before"]
            except (ValueError, KeyError, TypeError, RecursionError):
                own = None
            if own != before:
                broken.append(number)
            before = hashlib.sha256(line).hexdigest()
        return broken

    def append(
        self,
        action: Action,
        version: int,
        by: str,
        reason: str,
        at: str,
        facts: dict[str, Any],
        champion: int | None,
        challenger: int | None,
    ) -> None:
        """Add an entry, on disk when this returns. Raises `OSError`, after which the record is as before."""
        lines = self._lines()
        before = hashlib.sha256(lines[-1]).hexdigest() if lines else ""
        told = {"action": action, "version": version, "by": by, "reason": reason, "at": at, "facts": facts}
        told |= {"champion": champion, "challenger": challenger, "before": before}
        line = json.dumps(told, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(handle).st_size
            try:
                if os.write(handle, line) < len(line):
                    raise OSError(28, "No space left on device")
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        sync_folder(self.path.parent)

    def cut_torn_end(self) -> None:
        """Take away a last line that a crash cut short."""
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self.path, whole)

    def _lines(self) -> Sequence[bytes]:
        try:
            return self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BundleError(f"The record {self.path} can't be read ({error.strerror}).") from None


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def lineage_of(bundle: Bundle) -> dict[str, Any]:
    """Where a bundle comes from."""
    about = bundle.about
    try:
        program = version("disposisi")
    except PackageNotFoundError:
        program = ""
    return {
        "bundle": bundle.version,
        "created_at": about.get("created_at", ""),
        "region": about.get("region", ""),
        "recipe": about.get("recipe", {}),
        "rows": about.get("rows", {}),
        "lexicons": about.get("lexicons", ""),
        "libraries": about.get("versions", {}),
        "program": program,
    }


def _parse(line: bytes, number: int, path: Path) -> Entry:
    try:
        told = json.loads(line)
        entry = Entry(**told | {"action": Action(told["action"])})
        numbers = [entry.version, *(n for n in (entry.champion, entry.challenger) if n is not None)]
        if not isinstance(entry.facts, dict) or not all(type(each) is int and each > 0 for each in numbers):
            raise ValueError(line)
        return entry
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BundleError(
            f"Line {number} of the record {path} can't be read: it was changed by hand. Put it back as it was, from a "
            "backup."
        ) from None
