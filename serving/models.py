"""Changing the model while the service runs: a new bundle is verified and warmed before it takes over."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread

from data.errors import BundleError, DisposisiError
from model.aliases import CHAMPION
from model.bundle import Bundle, load_bundle
from model.registry import find_bundle, registry_of
from serving.triage import Triage

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class ReloadUnderway(DisposisiError):
    """A reload while another one is at work."""


class Models:
    """The bundle at work, the `source` it was asked for by, and the `folder` that this led to.

    The source is a bundle's folder, a registry (its champion) or `registry@alias`: a reload looks anew where it leads.
    `tell` lets the other processes of a service know of another source. `on_change` is told of every bundle that takes
    over.
    """

    def __init__(
        self,
        triage: Triage,
        source: Path,
        tell: Callable[[Path], None] = lambda _: None,
        on_change: Callable[[Bundle], None] = lambda _: None,
    ) -> None:
        self.source = self.folder = source
        with suppress(BundleError):  # a registry that was spoilt since the bundle was loaded stops no worker
            self.folder = find_bundle(source)
        self._triage = triage
        self._on_change = on_change
        self._tell = tell
        self._busy = Lock()

    @property
    def bundle(self) -> Bundle:
        """The bundle that answers now."""
        return self._triage.bundle

    def reload(self, name: str = "") -> Bundle:
        """Answer with the bundle of that name beside the present one, or with the present source read anew.

        Of a registry only its champion answers: another version has to be promoted, past the gate and on the record.

        Raises `BundleError` for one that can't be used, after which all is as it was, and `ReloadUnderway`.
        """
        if not self._busy.acquire(blocking=False):
            raise ReloadUnderway("A bundle is being loaded already. Wait until it answers, then ask again.")
        try:
            bundle = self._load(self._beside(name) if name else self.source)
        finally:
            self._busy.release()
        self._tell(self.source)
        return bundle

    def follow(self, chosen: Callable[[], Path]) -> Bundle:
        """Answer with the bundle of the source that was chosen elsewhere; asked for once what is being loaded is."""
        with self._busy:
            return self._load(chosen())

    def _load(self, source: Path) -> Bundle:
        folder = find_bundle(source)
        bundle = load_bundle(folder)
        self._triage.renew(bundle)
        self.source, self.folder = source, folder
        self._on_change(bundle)
        # Beside the answers: the cases of before are only looked at for similar ones.
        Thread(target=self._triage.recall, name="recall", daemon=True).start()
        return bundle

    def _beside(self, name: str) -> Path:
        """The source of that name beside the present one; never one elsewhere, nor a link that leads there."""
        registry = registry_of(self.source)
        if registry is not None:
            if name != CHAMPION:
                raise BundleError(
                    f"{name!r} can't be asked for: of a registry the champion answers. Promote the version, or roll "
                    "back (disposisi models promote, rollback), and ask for {} or the champion."
                )
            return registry
        around = self.folder.resolve().parent
        found = (around / name).resolve()
        if not _NAME.fullmatch(name) or found.parent != around:
            raise BundleError(f"{name!r} is no bundle's name: give that of a folder beside the present bundle.")
        return found
