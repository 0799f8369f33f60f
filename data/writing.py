"""Writing files and folders that appear whole or not at all: aside, synced, then renamed."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
            # The file keeps the mode 0600 it was made with: rows are personal data.
            aside.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


@contextmanager
def whole_folder(path: Path, *, replaceable: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """A new folder that becomes `path` only if the block ends without an error.

    An empty folder at `path` is used, and one that `replaceable` agrees to is replaced; anything else there raises
    `OutputExists`. Raises `CannotWrite` where the place can't be written to.
    """
    check_free(path, replaceable=replaceable)
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
            check_free(path, replaceable=replaceable)
            _put_in_place(aside, path)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise


def check_free(path: Path, *, replaceable: Callable[[Path], bool] | None = None, way_out: str = "") -> None:
    """Raise `OutputExists` or `CannotWrite` unless `whole_folder` may write to `path`; ask before long work."""
    above = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    if above != path.absolute() and not above.is_dir():
        raise CannotWrite(f"Can't write {path}: {above} is a file. Choose a place in a folder.")
    if path.is_file():
        raise OutputExists(f"{path} is a file. Choose another name.")
    if not path.exists() or not any(path.iterdir()):
        return
    if replaceable is None:
        raise OutputExists(f"{path} is there already. Choose another name{way_out}.")
    if not replaceable(path):
        raise OutputExists(f"{path} holds something else than a bundle, so it isn't replaced. Choose another name.")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows under a header (RFC 4180), whole or not at all; None becomes an empty cell.

    An older CSV of the name is replaced; any other file with content raises `OutputExists`.
    """
    if path.is_file() and path.suffix.lower() != ".csv" and path.stat().st_size:
        raise OutputExists(f"{path} is there already and is no CSV file. Choose another name.")
    with whole_file(path) as handle:
        writer = csv.DictWriter(handle, columns)
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
    path = path.resolve()
    old = aside.with_name(f"{aside.name}.old")
    try:
        if path.is_dir() and any(path.iterdir()):
            path.rename(old)
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
