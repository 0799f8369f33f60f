"""Passwords: how one is made, what one must be, and how long wrong ones make wait."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Sequence
from datetime import timedelta

from data.errors import DisposisiError

SHORTEST, LONGEST = 10, 200
FREE_FAILURES = 2
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=15)
# No letters and digits that are taken for each other when read from paper.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class BadPassword(DisposisiError):
    """A new password that won't do; `problems` holds everything wrong with it, in Indonesian."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(self.problems))


def make_password() -> str:
    """A random password of 79 bits that can be read out: four groups of four."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def password_problems(name: str, new: str, current: str) -> list[str]:
    """All that is wrong with a moderator's new password."""
    problems = []
    if len(new) < SHORTEST:
        problems.append(f"Sandi baru paling sedikit {SHORTEST} karakter.")
    if len(new) > LONGEST:
        problems.append(f"Sandi baru paling banyak {LONGEST} karakter.")
    if new.strip().casefold() == name.casefold():
        problems.append("Sandi baru tidak boleh sama dengan nama pengguna.")
    if new == current:
        problems.append("Sandi baru harus berbeda dari sandi sekarang.")
    return problems


def password_bytes(password: str) -> bytes:
    """What is hashed: the same for every way to type the same characters (NFKC, as NIST SP 800-63B advises)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def wait_after(failures: int) -> timedelta:
    """How long the next try must wait: nothing after two failures, 2 s after the third, then doubled up to 15 min."""
    if failures <= FREE_FAILURES:
        return timedelta()
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - FREE_FAILURES - 1, 20))
