"""Writing files and folders that appear whole or not at all: aside, synced, then renamed."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from data.errors import CannotWrite, OutputExists


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A UTF-8 text handle whose content becomes `path` only if the block ends without an error.

    Raises `CannotWrite` where the place can't be written to.
    """
    with _as_cannot_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        aside = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            aside.chmod(0o666 & ~_umask())
            aside.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


@contextmanager
def whole_folder(path: Path, *, replacing: str | None = None) -> Iterator[Path]:
    """A new folder that becomes `path` only if the block ends without an error.

    An empty folder at `path` is used, and with `replacing` one that holds a file of that name is replaced; anything
    else there raises `OutputExists`. Raises `CannotWrite` where the place can't be written to.
    """
    check_free(path, replacing=replacing)
    with _as_cannot_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield aside
            for file in aside.iterdir():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
            aside.chmod(0o777 & ~_umask())
            _sync_folder(aside)
            # The work may have taken minutes: somebody may have put something there meanwhile.
            check_free(path, replacing=replacing)
            _put_in_place(aside, path)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise


def check_free(path: Path, *, replacing: str | None = None) -> None:
    """Raise `OutputExists` or `CannotWrite` unless `whole_folder` may write to `path`; ask before long work."""
    above = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    if above != path.absolute() and not above.is_dir():
        raise CannotWrite(f"Can't write {path}: {above} is a file. Choose a place in a folder.")
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if path.is_file():
        raise OutputExists(f"{path} is a file. Choose another name.")
    if replacing is None:
        raise OutputExists(f"{path} is there already. Choose another name, or replace an old bundle with --replace.")
    if not (path / replacing).is_file():
        raise OutputExists(f"{path} holds no {replacing}, so it isn't replaced. Choose another name.")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows under a header, whole or not at all; None becomes an empty cell."""
    with whole_file(path) as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@contextmanager
def _as_cannot_write(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotWrite(f"Can't write {path}: {reason}. Nothing was left there; choose another place.") from error


def _put_in_place(aside: Path, path: Path) -> None:
    """Rename `aside` to `path`; what stood there is put back if the rename fails."""
    old = aside.with_name(f"{aside.name}.old")
    if path.is_dir() and any(path.iterdir()):
        path.rename(old)
    try:
        aside.rename(path)
    except BaseException:
        if old.exists():
            old.rename(path)
        raise
    _sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
