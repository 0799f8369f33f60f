"""Checking a registry: every difference between what lies in its folder and what its record says."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import BundleError
from model.aliases import ALIASES
from model.record import Entry
from model.registry import Registry

_OWN = {"registry.json", "versions", "record.jsonl", ".lock"}


def differences(registry: Registry) -> list[str]:
    """A sentence for each difference, those of the record first; empty if all is well."""
    found = [
        f"line {number} of the record doesn't follow the line before it: one of them was changed, or one is gone"
        for number in registry.record.broken_links()
    ]
    try:
        entries = registry.record.entries()
    except BundleError as error:
        return [*found, str(error)]
    for number in registry.versions:
        if number == registry.pending():
            found.append(f"version {number} is registered, but not yet in its place; the next change mends that")
        else:
            found += registry.problems_of(number)
    return [*found, *_aliases(registry, entries), *_strangers(registry)]


def _aliases(registry: Registry, entries: list[Entry]) -> Iterator[str]:
    last = entries[-1] if entries else None
    before = entries[-2] if len(entries) > 1 else None
    for name in ALIASES:
        wanted = last.alias(name) if last else None
        try:
            number = registry.alias(name)
        except BundleError as error:
            yield str(error)
            continue
        if number is not None and number not in registry.versions:
            yield f"the alias {name} names version {number}, which is not in the record"
        elif number != wanted and number == (before.alias(name) if before else None):
            yield f"the alias {name} is not yet as the record's last line says; the next change mends that"
        elif number != wanted:
            yield f"the alias {name} says {number or 'nothing'}, the record {wanted or 'nothing'}"


def _strangers(registry: Registry) -> Iterator[str]:
    left = registry.leftovers()
    for path in left:
        yield f"{path.relative_to(registry.folder)} was left by a command cut short; the next change clears it away"
    known = {str(number) for number in registry.versions} | ({".staged"} if registry.pending() else set())
    for path in sorted((registry.folder / "versions").iterdir()):
        if path.name not in known and path not in left:
            yield f"versions/{path.name} is not in the record"
    for path in sorted(registry.folder.iterdir()):
        if path.name not in {*_OWN, *ALIASES} and path not in left:
            yield f"{path.name} doesn't belong here"
