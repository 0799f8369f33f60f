"""Intervals of a share of rows, and how many rows make them narrow."""

from __future__ import annotations

from math import ceil, sqrt

# A sector's recall is known well enough once its 95 % interval is this far to each side.
WANTED_HALF_WIDTH = 0.10
_Z = 1.959964


def share_interval(share: float, rows: int) -> tuple[float, float]:
    """The 95 % score interval of a share of so many rows (Wilson 1927)."""
    middle = (share + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
    half = _half_width(share, rows)
    # Rounding may leave the share itself a hair outside.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def rows_for_interval(share: float, half_width: float = WANTED_HALF_WIDTH) -> int:
    """The fewest rows at which the score interval of such a share is `half_width` to each side."""
    most = ceil((_Z / (2 * half_width)) ** 2)
    return next((rows for rows in range(1, most + 1) if _half_width(share, rows) <= half_width), most)


def _half_width(share: float, rows: int) -> float:
    return _Z / (1 + _Z**2 / rows) * sqrt(share * (1 - share) / rows + _Z**2 / (4 * rows**2))
