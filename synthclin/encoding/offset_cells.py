"""Partition of every code's unit interval into cells, which gives an offset its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LARGEST_OFFSET", "Intervals"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LARGEST_OFFSET = float(np.nextafter(np.float32(1), np.float32(0)))
# Wide enough for the float32 centre of a cell to lie inside the cell, anywhere in [0, 1).
_NARROWEST = 1e-6


@dataclass(frozen=True, slots=True)
class Intervals:
    """Cells that tile [0, 1) for each code, sorted by code and position.

    Arguments:
        code: (cells,) int64, rising: the code whose unit interval contains the cell.
        low: (cells,) where the cell begins.
        width: (cells,) its length, which is its share of the code's mass.

    Example:
        >>> cells = Intervals.from_weights([0, 1, 1], [5, 1, 3])
        >>> cells.find(np.array([1, 1, 0]), np.array([0.2, 0.3, 0.9])).tolist()
        [1, 2, 0]
        >>> cells.mass(np.array([True, False, True]), cardinality=2).tolist()
        [1.0, 0.75]
    """

    code: Ints
    low: Floats
    width: Floats

    @classmethod
    def from_weights(cls, code: ArrayLike, weight: ArrayLike) -> Self:
        """Give each cell its share of `weight` among the cells of its code; (cells,) each, `code` rising."""
        codes = np.asarray(code, dtype=np.int64)
        share = np.asarray(weight, dtype=np.float64)
        share = np.maximum(share / np.bincount(codes, share)[codes], _NARROWEST)
        share /= np.bincount(codes, share)[codes]
        below = np.cumsum(share) - share
        first = np.r_[True, codes[1:] != codes[:-1]][: len(codes)]
        low = below - below[first][np.cumsum(first) - 1]
        return cls(codes, np.where(first, 0.0, low), share)

    def find(self, codes: Ints, offsets: NDArray[np.floating]) -> Ints:
        """Return the (rows,) cell that each offset falls into; every code must have a cell."""
        return np.searchsorted(self.code + self.low, codes + offsets.astype(np.float64), side="right") - 1

    @property
    def centre(self) -> NDArray[np.float32]:
        """(cells,) the offset in the middle of each cell."""
        return (self.low + self.width / 2).astype(np.float32)

    def mass(self, chosen: NDArray[np.bool_], cardinality: int) -> Floats:
        """Return the (cardinality,) share of each code's mass that the `chosen` (cells,) hold, 0..1."""
        share = np.bincount(self.code, np.where(chosen, self.width, 0.0), cardinality)
        whole = np.bincount(self.code, ~chosen, cardinality) == 0
        occupied = np.bincount(self.code, minlength=cardinality) > 0
        return np.where(whole & occupied, 1.0, np.minimum(share, 1.0))

    def sample(self, codes: Ints, chosen: NDArray[np.bool_], generator: np.random.Generator) -> tuple[Ints, Floats]:
        """Sample a chosen cell for each row's code, by width, and a uniform offset in it.

        Returns:
            the cells (rows,), -1 where the code has no chosen cell, and the offsets (rows,), 0 there.
        """
        cells = np.flatnonzero(chosen)
        uniform = generator.random((2, len(codes)))
        found = np.full(len(codes), -1, dtype=np.int64)
        if len(cells):
            part = Intervals.from_weights(self.code[cells], self.width[cells])
            valid = np.isin(codes, part.code)
            found[valid] = cells[part.find(codes[valid], uniform[0, valid])]
        offsets = np.where(found >= 0, self.low[found] + self.width[found] * uniform[1], 0.0)
        return found, np.clip(offsets, 0.0, LARGEST_OFFSET)

    def cut(self, codes: Ints, places: Floats) -> Self:
        """Cut the cells of each of (cuts,) `codes` at a place of its unit interval.

        Example:
            >>> Intervals.from_weights([0, 1], [1, 1]).cut(np.array([1]), np.array([0.25])).width.tolist()
            [1.0, 0.25, 0.75]
        """
        code, low = np.concatenate([self.code, codes]), np.concatenate([self.low, places])
        order = np.lexsort((low, code))
        code, low = code[order], low[order]
        distinct = np.r_[True, (np.diff(code) > 0) | (np.diff(low) > 0)][: len(code)] & (low < 1)
        code, low = code[distinct], low[distinct]
        last = np.r_[code[1:] != code[:-1], True][: len(code)]
        return type(self)(code, low, np.where(last, 1.0, np.roll(low, -1)) - low)

    def split(self, cells: NDArray[np.bool_], pieces: int) -> Self:
        """Cut each of the marked (cells,) into `pieces` equal ones."""
        times = np.where(cells, pieces, 1)
        rank = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        width = np.repeat(self.width / times, times)
        return type(self)(np.repeat(self.code, times), np.repeat(self.low, times) + rank * width, width)
