"""Progress: how long work says how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

# What is being done, and the share of all the work that is behind (0 to 1).
Progress = Callable[[str, float], None]


def silent(_what: str, _share: float) -> None:
    """For callers that don't want to know."""
