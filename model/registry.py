"""The registry: bundles in numbered versions, the aliases that say which one answers, and the record of who decided so.

registry.json     the format's number, by which a folder is known to be a registry
versions/N/       a bundle each, never changed
champion          the number of the version that answers; challenger: of the one that would like to
record.jsonl      a line for everything that was done, with both aliases as they are after it (`model.record`)
.lock             held while the registry is changed

A change is written into the record first, then carried out; the record's line is the moment it counts. What a crash
left half-way is carried out, or cleared away, by the next change: until then readers see the aliases of before, which
name a whole bundle too.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.errors import BundleError, CannotWrite
from data.writing import whole_file, whole_folder
from model.aliases import ALIASES, CHALLENGER, CHAMPION, AliasFile, sync_folder
from model.bundle import MANIFEST, load_bundle
from model.record import Action, Entry, Record, digest, lineage_of

FORMAT = 1
NOT_COMPARED = "it was not compared with the champion"
_MARK, _VERSIONS, _RECORD, _LOCK, _STAGED = "registry.json", "versions", "record.jsonl", ".lock", ".staged"
_FEWEST_OVERRIDE_WORDS = 4
_LONGEST_NAME, _LONGEST_REASON = 100, 2_000


class RegistryError(BundleError):
    """A registry that can't be used as it is, or isn't asked rightly."""


class RegistryBusy(RegistryError):
    """Somebody else is changing the registry now, or has changed it since it was looked at."""


class PromotionRefused(RegistryError):
    """The gate says no: the version wasn't compared with the champion, or a guarded figure is worse."""


@dataclass(frozen=True)
class Registry:
    """A registry's folder. Reading needs no lock: what it names is always whole."""

    folder: Path

    @property
    def record(self) -> Record:
        """All that was done so far."""
        return Record(self.folder / _RECORD)

    @property
    def versions(self) -> dict[int, Entry]:
        """The entry that registered each version, by its number."""
        return {entry.version: entry for entry in self.record.entries() if entry.action is Action.REGISTER}

    def alias(self, name: str) -> int | None:
        """The version that an alias names; None where it names none. Raises `BundleError` if it can't be read."""
        return AliasFile(self.folder / name).read()

    def number(self, which: str) -> int:
        """The version that an alias or a number in words names. Raises `RegistryError` if it isn't there."""
        if which in ALIASES:
            found = self.alias(which)
            if found is None:
                raise RegistryError(f"The registry {self.folder} has no {which} yet. See: disposisi models list")
            try:
                self._require_recorded(which, found, self.record.entries())
            except RegistryError:
                if self.alias(which) == found:
                    raise
                return self.number(which)  # it was changed between the two looks
        else:
            found = int(which) if which.isascii() and which.isdigit() else 0
        if not (self.folder / _VERSIONS / str(found) / MANIFEST).is_file():
            known = ", ".join(map(str, self.versions)) or "none"
            raise RegistryError(f"The registry {self.folder} has no version {which!r}. Known: {known}.")
        return found

    def bundle_folder(self, which: str) -> Path:
        """Where the bundle of an alias or number lies."""
        return self.folder / _VERSIONS / str(self.number(which))

    def register(self, bundle: Path, by: str, reason: str = "") -> int:
        """Copy a bundle in as the next version, which becomes the challenger; gives its number.

        Raises `BundleError` for one that can't be used, `RegistryBusy`, and `CannotWrite`: then all is as before.
        """
        _require_words(by, reason, needs_reason=False)
        loaded = load_bundle(bundle)
        self._found()
        with self._changing():
            number = max(self.versions, default=0) + 1
            facts = lineage_of(loaded) | {"parent": self.alias(CHAMPION), "manifest": digest(bundle / MANIFEST)}
            staged = self.folder / _VERSIONS / _STAGED
            with whole_folder(staged) as aside:
                # What a file manager or a person left beside them isn't the bundle's.
                for name in sorted(_files_of(bundle)):
                    shutil.copyfile(bundle / name, aside / name)
                    (aside / name).chmod(0o444)
            load_bundle(staged)  # what was copied, not what was there
            if digest(staged / MANIFEST) != facts["manifest"]:
                raise RegistryBusy(f"The bundle {bundle} was changed while it was copied. Register it again.")
            self._do(Action.REGISTER, number, by, reason, facts, champion=self.alias(CHAMPION), challenger=number)
        return number

    def note_comparison(self, champion: int, challenger: int, by: str, facts: Mapping[str, Any]) -> None:
        """Keep what a comparison found; `facts["refusals"]` lists the figures that are worse, empty if none is."""
        _require_words(by, "", needs_reason=False)
        with self._changing():
            told = {**facts, CHAMPION: champion}
            self._do(Action.COMPARE, challenger, by, "", told, self.alias(CHAMPION), self.alias(CHALLENGER))

    def promote(self, which: str, by: str, reason: str, override: str = "") -> int:
        """Make a version the champion; gives its number.

        The first needs only to be whole. Any other must have been compared with the present champion, and have no
        guarded figure that is worse in the comparison that counts (`standing`), or `override` says why not, in words
        that stay in the record. Raises `PromotionRefused`, `RegistryBusy`, and `RegistryError` for a version that isn't
        whole.
        """
        _require_words(by, reason, needs_reason=True)
        if override and len(override.split()) < _FEWEST_OVERRIDE_WORDS:
            raise RegistryError(f"Say in {_FEWEST_OVERRIDE_WORDS} words or more why the gate is overridden.")
        with self._changing():
            number, champion = self.number(which), self.alias(CHAMPION)
            if number == champion:
                raise RegistryError(f"Version {number} is the champion already.")
            self._require_whole(number)
            refusals = self._refusals(champion, number) if champion is not None else []
            if refusals and not override:
                raise PromotionRefused(
                    f"Version {number} is not promoted: {'; '.join(refusals)}. Compare it on enough rows, train it "
                    "better, or promote it all the same with --override and the reason in words, kept in the record."
                )
            challenger = self.alias(CHALLENGER)
            self._do(
                Action.PROMOTE,
                number,
                by,
                reason,
                {"instead_of": champion, "refusals": refusals, "override": override if refusals else ""},
                champion=number,
                challenger=None if challenger == number else challenger,
            )
        return number

    def rollback(self, by: str, reason: str, instead_of: str = "") -> int:
        """Let the champion of before answer again; gives its number. Once more goes back further.

        With `instead_of`, only while that version is the champion, so that two who act at once don't go back twice.
        Raises `RegistryBusy` where it isn't, `RegistryError` and `CannotWrite`.
        """
        _require_words(by, reason, needs_reason=True)
        with self._changing():
            champion = self.alias(CHAMPION)
            if instead_of and instead_of != str(champion):
                raise RegistryBusy(
                    f"The champion is {champion or 'none'} by now, not {instead_of}. Nothing was done; look with "
                    "disposisi models list."
                )
            past = self.record.champions()
            if len(past) < 2:
                raise RegistryError("There is no earlier champion to go back to.")
            number = past[-2]
            self._require_whole(number)
            facts = {"instead_of": past[-1]}
            self._do(Action.ROLLBACK, number, by, reason, facts, champion=number, challenger=self.alias(CHALLENGER))
        return number

    def problems_of(self, number: int) -> list[str]:
        """What is wrong with a version's files."""
        folder, entry = self.folder / _VERSIONS / str(number), self.versions.get(number)
        if entry is None:
            return [f"version {number} is not in the record"]
        if not folder.is_dir():
            return [f"version {number} is missing"]
        try:
            listed = _files_of(folder)
            strange = sorted(path.name for path in folder.iterdir() if path.name not in listed)
            problems = [f"version {number} holds a file that isn't its own: {name}" for name in strange]
            load_bundle(folder)
        except BundleError as error:
            return [f"version {number}: {error}"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return [f"version {number}: its {MANIFEST} can't be read"]
        if digest(folder / MANIFEST) != entry.facts.get("manifest"):
            problems.append(f"version {number} is another bundle than the one that was registered")
        return problems

    def standing(self, champion: int, number: int) -> Entry | None:
        """The comparison of two versions that counts; None where they weren't compared.

        It is the last one, but a refusal is lifted only by one of the same region on at least as many rows; and what
        was found before a version was rolled back speaks for it no more.
        """
        found: Entry | None = None
        for entry in self.record.entries():
            if entry.action is Action.ROLLBACK and entry.facts.get("instead_of") == number:
                found = None
            elif entry.is_comparison_of(champion, number) and (found is None or _outweighs(entry, found)):
                found = entry
        return found

    def _refusals(self, champion: int, number: int) -> list[str]:
        compared = self.standing(champion, number)
        if compared is None:
            return [f"{NOT_COMPARED} {champion} (disposisi models compare champion {number} ROWS --region CODE)"]
        return [str(each) for each in compared.facts.get("refusals", [])]

    def _require_whole(self, number: int) -> None:
        if problems := self.problems_of(number):
            raise RegistryError(f"Version {number} can't answer: {'; '.join(problems)}.")

    def _do(
        self,
        action: Action,
        number: int,
        by: str,
        reason: str,
        facts: Mapping[str, Any],
        champion: int | None,
        challenger: int | None,
    ) -> None:
        """Write what is to be done into the record, then do it; what that needs of the disk is taken before."""
        for name, wanted in ((CHAMPION, champion), (CHALLENGER, challenger)):
            if wanted is not None and wanted != self.alias(name):
                AliasFile(self.folder / name).prepare(wanted)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.record.append(action, number, by, reason, at, dict(facts), champion, challenger)
        self._settle()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The registry to oneself, with what a crash left half-way settled. Raises `RegistryBusy`."""
        if not is_registry(self.folder):
            raise RegistryError(f"{self.folder} is no registry. Make one with: disposisi models register BUNDLE")
        try:
            handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise CannotWrite(f"Can't write in {self.folder} ({error.strerror}).") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RegistryBusy(
                    f"Somebody else is changing the registry {self.folder} at this moment. Nothing was done; look with "
                    "disposisi models list, then try again."
                ) from None
            try:
                self.record.cut_torn_end()
                if broken := self.record.broken_links():
                    raise RegistryError(
                        f"Line {broken[0]} of {self.record.path} doesn't follow the line before it: somebody changed "
                        "the record by hand. Put it back from a backup; disposisi models verify tells all differences."
                    )
                self._settle()
                yield
            except BaseException as error:
                with suppress(OSError):
                    self._clear()
                if isinstance(error, OSError):
                    raise CannotWrite(f"Can't write in {self.folder} ({error.strerror}).") from error
                raise
        finally:
            os.close(handle)

    def _settle(self) -> None:
        """Carry out the record's last line as far as it isn't yet, and clear away what never got into the record.

        Raises `RegistryError` where an alias is neither as before that line nor as after it: somebody wrote it by hand.
        """
        entries, shelf = self.record.entries(), self.folder / _VERSIONS
        last = entries[-1] if entries else None
        if pending := self.pending():
            (shelf / _STAGED).rename(shelf / str(pending))
            sync_folder(shelf)
        for name in ALIASES:
            found, wanted = self.alias(name), last.alias(name) if last else None
            if found == wanted:
                continue
            self._require_recorded(name, found, entries)
            AliasFile(self.folder / name).put(wanted)
        self._clear()

    def _require_recorded(self, name: str, found: int | None, entries: Sequence[Entry]) -> None:
        """Raise `RegistryError` for an alias that is neither as after the record's last line nor as before it."""
        said = [entry.alias(name) for entry in entries[-2:]] + ([None] if len(entries) < 2 else [])
        if found not in said:
            wanted = entries[-1].alias(name) if entries else None
            way_out = f"write {wanted} into {self.folder / name}" if wanted else f"remove {self.folder / name}"
            raise RegistryError(
                f"The alias {name} says {found or 'nothing'}, the record {wanted or 'nothing'}: somebody changed it by "
                f"hand. Put back what the record says ({way_out}); disposisi models verify tells all differences."
            )

    def _clear(self) -> None:
        for left in self.leftovers():
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def pending(self) -> int | None:
        """The version that is in the record but whose bundle a crash left beside its place; None if there is none."""
        entries, shelf = self.record.entries(), self.folder / _VERSIONS
        if not entries or entries[-1].action is not Action.REGISTER or not (shelf / _STAGED).is_dir():
            return None
        number = entries[-1].version
        return None if (shelf / str(number)).exists() else number

    def leftovers(self) -> list[Path]:
        """What commands that were cut short left lying about; none of it counts."""
        asides = [f".{name}.*" for name in (*ALIASES, _MARK)]
        found = [path for pattern in asides for path in self.folder.glob(pattern)]
        shelf, kept = self.folder / _VERSIONS, {_STAGED} if self.pending() else set()
        return found + [path for path in shelf.glob(".*") if _STAGED in path.name and path.name not in kept]

    def _found(self) -> None:
        """Make the folder a registry, unless it is one; one that holds other things is left alone."""
        if is_registry(self.folder):
            return
        try:
            own = {_VERSIONS, _LOCK}
            if self.folder.exists() and any(
                path.name not in own and not path.name.startswith(f".{_MARK}.") for path in self.folder.iterdir()
            ):
                raise RegistryError(
                    f"{self.folder} holds other things, so it can't become a registry. Name a new folder."
                )
            (self.folder / _VERSIONS).mkdir(parents=True, exist_ok=True)
            with whole_file(self.folder / _MARK) as handle:
                os.fchmod(handle.fileno(), 0o644)
                handle.write(json.dumps({"format": FORMAT}) + "\n")
        except OSError as error:
            raise CannotWrite(f"Can't write {self.folder} ({error.strerror}).") from error


def open_registry(folder: Path) -> Registry:
    """The registry at a folder. Raises `RegistryError` if there is none, or one of another format."""
    if not is_registry(folder):
        raise RegistryError(f"{folder} is no registry. Make one with: disposisi models register BUNDLE")
    try:
        found = json.loads((folder / _MARK).read_text(encoding="utf-8"))["format"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        found = None
    if found != FORMAT:
        raise RegistryError(
            f"{folder / _MARK} says format {found!r}; this program reads format {FORMAT}. Put the file back from a "
            "backup."
        )
    return Registry(folder)


def is_registry(folder: Path) -> bool:
    """Whether a folder says that it is a registry."""
    return (folder / _MARK).is_file()


def find_bundle(place: Path) -> Path:
    """The folder of the bundle that a place names: a bundle's own, a registry's champion, or `registry@alias`.

    Raises `RegistryError` where a registry doesn't have it.
    """
    registry = registry_of(place)
    if registry is None:
        return place
    return open_registry(registry).bundle_folder(CHAMPION if registry == place else place.name.rpartition("@")[2])


def registry_of(place: Path) -> Path | None:
    """The registry in which a place, as `find_bundle` takes it, lies; None where it is a bundle's own folder."""
    if is_registry(place):
        return place
    name, at, _ = place.name.rpartition("@")
    return place.with_name(name) if name and at and not place.exists() and is_registry(place.with_name(name)) else None


def _outweighs(new: Entry, old: Entry) -> bool:
    """Whether a comparison takes the place of an earlier one of the same two versions."""
    if new.facts.get("refusals") or not old.facts.get("refusals"):
        return True
    is_as_large = int(new.facts.get("rows", 0)) >= int(old.facts.get("rows", 0))
    return is_as_large and new.facts.get("region") == old.facts.get("region")


def _files_of(bundle: Path) -> set[str]:
    """The names of the files that a bundle's manifest lists, and its own."""
    return {*json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))["files"], MANIFEST}


def _require_words(by: str, reason: str, *, needs_reason: bool) -> None:
    problems: list[str] = []
    if not by.strip() or len(by) > _LONGEST_NAME or not by.isprintable():
        problems.append("--by must name who decides, on one line")
    if (needs_reason and not reason.strip()) or len(reason) > _LONGEST_REASON:
        problems.append(f"--reason must say why, in at most {_LONGEST_REASON} letters")
    if problems:
        raise RegistryError(f"{'; '.join(problems)}.")
