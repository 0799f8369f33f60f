"""The caller: who asks, what they may do, in which region, and the errors of those who may not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from data.errors import DisposisiError, UnknownName
from data.region import known_regions


class Scope(StrEnum):
    """What a caller may do: send complaints in, decide on cases, read data out; an admin may do everything."""

    INTAKE = "intake"
    REVIEW = "review"
    DATA = "data"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """Who asks: `key:ab12cd34` or `moderator:budi`. An empty region is every region."""

    name: str
    scopes: frozenset[Scope]
    region: str

    def may(self, scope: Scope) -> bool:
        """Whether the caller may do what needs this scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, region: str) -> bool:
        """Whether cases of a region are the caller's business."""
        return self.region in ("", region)


class NotAuthorised(DisposisiError):
    """No key, or one that isn't known."""


class Forbidden(DisposisiError):
    """A caller who is known, but may not do this."""


class OtherRegion(Forbidden):
    """A caller of one region who asked for another."""


class WrongPassword(DisposisiError):
    """A name and password that don't belong together; a name nobody has is no different."""


class SlowDown(DisposisiError):
    """Too many wrong passwords: `seconds` to wait before the next."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"Too many failed attempts: wait {seconds} s.")


class BadAccess(DisposisiError):
    """A key or moderator that can't be made as asked."""


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Scopes by name; `UnknownName`, or `BadAccess` if there are none."""
    scopes = set()
    for name in names:
        if name not in set(Scope):
            raise UnknownName("scope", name, list(Scope))
        scopes.add(Scope(name))
    if not scopes:
        raise BadAccess(f"At least one scope is needed: {', '.join(Scope)}.")
    return frozenset(scopes)


def parse_region(code: str) -> str:
    """A region's code, or "" for every region; `UnknownName`."""
    if code and code not in known_regions():
        raise UnknownName("region", code, known_regions())
    return code
