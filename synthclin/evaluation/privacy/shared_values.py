"""Exact numeric values that a row shares with a synthetic row, weighted by their rarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["shared_surprisal"]

_COMMON = 0.25
_MOST_ROWS = 400
_CELLS = 4_000_000  # pairs of a row and a synthetic row that are held at a time


def shared_surprisal(
    synthetic: NDArray[np.float64],
    rows: NDArray[np.float64],
    is_numeric: NDArray[np.bool_],
    *,
    own: NDArray[np.intp] | None = None,
) -> NDArray[np.float64]:
    """Return how surprising the exact numeric values are that a row shares with its most similar synthetic row.

    The surprisal of a value is -log of its share of the synthetic rows. That of a pair of rows is the sum over the
    columns in which they have equal values, whatever the other columns hold, so every small set of columns is searched
    at once. A value of more than a quarter of the synthetic rows, or of more than 400, counts as common.

    Arguments:
        synthetic: (rows, columns) as `Features.values`.
        rows: (rows, columns) the same columns.
        is_numeric: (columns,) mask of the columns with numbers or dates.
        own: (rows,) where `rows` are among the synthetic ones, the place of each, which is left out for it.

    Returns:
        (rows,) the largest sum, in nats; 0 where no rare value is shared.

    Example:
        >>> synthetic = np.array([[1.5, 20.0], [2.5, 30.0], *[[0.0, 0.0]] * 98])
        >>> rows = np.array([[1.5, 20.0], [1.5, 30.0], [0.0, 0.0]])
        >>> shared_surprisal(synthetic, rows, np.array([True, True])).round(3)
        array([9.21 , 4.605, 0.   ])
    """
    largest = np.zeros(len(rows))
    most = min(_MOST_ROWS, max(1, int(_COMMON * len(synthetic))))
    index = [_Index.of(synthetic[:, j], rows[:, j], most, own=own is not None) for j in np.flatnonzero(is_numeric)]
    batch = max(1, _CELLS // max(len(synthetic), 1))
    for start in range(0, len(rows), batch):
        size = min(batch, len(rows) - start)
        total = np.zeros((size, len(synthetic)), dtype=np.float32)
        for column in index:
            column.add_to(total, start)
        if own is not None:
            total[np.arange(size), own[start : start + size]] = 0
        largest[start : start + size] = total.max(axis=1)
    return largest


class _Index:
    """The synthetic rows that have each value of one column."""

    def __init__(
        self, order: NDArray[np.intp], first: NDArray[np.intp], count: NDArray[np.intp], surprisal: NDArray[np.float64]
    ) -> None:
        self.order, self.first, self.count, self.surprisal = order, first, count, surprisal

    @classmethod
    def of(cls, synthetic: NDArray[np.float64], cells: NDArray[np.float64], most: int, *, own: bool) -> _Index:
        order = np.argsort(synthetic, kind="stable")  # missing values are last, and no missing cell is searched
        known = synthetic[order]
        first = np.searchsorted(known, cells, "left")
        count = np.searchsorted(known, cells, "right") - first
        count = np.where(np.isnan(cells) | (count - own > most), 0, count)
        share = np.maximum(count - own, 1) / max(len(synthetic) - own, 1)
        return cls(order, first, count, -np.log(share))

    def add_to(self, total: NDArray[np.float32], start: int) -> None:
        """Add the surprisal of shared values to `total`, whose rows are the cells from `start` on."""
        part = slice(start, start + len(total))
        count = self.count[part]
        row = np.repeat(np.arange(len(total)), count)
        within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        total[row, self.order[self.first[part][row] + within]] += self.surprisal[part][row].astype(np.float32)
