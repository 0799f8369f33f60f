"""Blind checks: cases that a moderator decides without seeing the suggestion, which shows how often it is right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import random


class Check(StrEnum):
    """Why a case is decided without its suggestion.

    `BLIND` waits for a moderator anyway: set against those with a suggestion, it shows how much moderators lean on it.
    `AUDIT` was routed by the program already: these show how often that was right.
    """

    NONE = ""
    BLIND = "blind"
    AUDIT = "audit"


@dataclass(frozen=True)
class CheckShares:
    """Of the cases that wait and of those routed alone: the share picked by chance for a check, 0 to 1."""

    blind: float = 0.0
    audit: float = 0.0

    def pick(self, *, routed: bool) -> Check:
        """Whether the next case is checked."""
        if random() >= (self.audit if routed else self.blind):  # noqa: S311  (a sample, not a secret)
            return Check.NONE
        return Check.AUDIT if routed else Check.BLIND
