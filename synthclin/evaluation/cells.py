"""Counts of few patients are never told: what fewer than eleven real rows share is merged or left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["merged", "share_told", "small", "told"]


def small(count: int) -> bool:
    """Whether a count is that of so few patients that it is not told; none is no secret."""
    return 0 < count < MIN_PATIENTS


def told(count: int) -> int | None:
    """Return the count, or None where it is too small to tell."""
    return None if small(count) else int(count)


def share_told(share: float, n: int) -> float | None:
    """Return a share of `n` real rows, or None where so few have it that their number is not told."""
    return None if small(round(share * n)) else float(share)


def merged(counts: Sequence[int]) -> list[slice]:
    """Return runs of neighbouring cells such that no run holds a small count, unless all cells together do.

    Example:
        >>> merged([20, 3, 0, 40])
        [slice(0, 1, None), slice(1, 4, None)]
    """
    runs = [[start, start + 1, int(count)] for start, count in enumerate(counts)]
    while len(runs) > 1 and any(small(run[2]) for run in runs):
        here = next(i for i, run in enumerate(runs) if small(run[2]))
        left = min(here, len(runs) - 2)
        (start, _, a), (_, stop, b) = runs[left : left + 2]
        runs[left : left + 2] = [[start, stop, a + b]]
    return [slice(run[0], run[1]) for run in runs]
