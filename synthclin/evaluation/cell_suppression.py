"""Small-cell suppression: counts of 1 to 10 real rows are merged with a neighbour or left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["is_small", "merged_cells", "suppressed_count", "suppressed_share"]


def is_small(count: int) -> bool:
    """Return whether a count is below the smallest cell size; 0 is not, because it describes nobody."""
    return 0 < count < MIN_PATIENTS


def suppressed_count(count: int) -> int | None:
    """Return the count, or None where it is a small cell."""
    return None if is_small(count) else int(count)


def suppressed_share(share: float, n: int) -> float | None:
    """Return a share of `n` real rows, or None where its count is a small cell."""
    return None if is_small(round(share * n)) else float(share)


def merged_cells(counts: Sequence[int]) -> list[slice]:
    """Return runs of neighbouring cells; no run has a small count, unless all cells together have one.

    Example:
        >>> merged_cells([20, 3, 0, 40])
        [slice(0, 1, None), slice(1, 4, None)]
    """
    runs = [[start, start + 1, int(count)] for start, count in enumerate(counts)]
    while len(runs) > 1 and any(is_small(run[2]) for run in runs):
        here = next(i for i, run in enumerate(runs) if is_small(run[2]))
        left = min(here, len(runs) - 2)
        (start, _, a), (_, stop, b) = runs[left : left + 2]
        runs[left : left + 2] = [[start, stop, a + b]]
    return [slice(run[0], run[1]) for run in runs]
