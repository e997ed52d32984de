"""The encoded table: a code and an offset per cell, and the meaning of each column's codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ColumnLayout", "Encoded", "Layout"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded table; every model family is fitted to this pair and samples it.

    Arguments:
        codes: (rows, columns) int64: which level, bin, spike or *missing*.
        offsets: (rows, columns) float32 in [0, 1): where inside the bin; 0 where a code holds a single value.
    """

    codes: Tensor
    offsets: Tensor

    def __len__(self) -> int:
        return int(self.codes.shape[0])

    def __getitem__(self, rows: Tensor | slice) -> Encoded:
        return Encoded(self.codes[rows], self.offsets[rows])


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The codes 0 .. cardinality-1 of one column.

    Codes of an ordered column rise with the value, *missing* (if any) is always the last code.

    Arguments:
        name: the column.
        cardinality: how many codes it has, missing included.
        kind: ``ordered`` (bins and point masses of numbers or dates, levels of an ordinal) or ``levels`` (no order).
        missing: the code of a missing cell, or None.
        point_masses: (cardinality,) bool: the code has one single value (a spike or a level), not a bin.
        never: (cardinality,) bool: the code occurs in training rows but is never sampled (pooled rare levels).
    """

    name: str
    cardinality: int
    kind: Literal["ordered", "levels"]
    missing: int | None
    point_masses: NDArray[np.bool_]
    never: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of an `Encoded`, in its order.

    Arguments:
        columns: what the codes of each are.
        order: the indices of all columns in sampling order; by default small cardinality first.
    """

    columns: tuple[ColumnLayout, ...]
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.order:
            by_codes = sorted(range(len(self.columns)), key=lambda j: self.columns[j].cardinality)
            object.__setattr__(self, "order", tuple(by_codes))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """How many codes each column has."""
        return tuple(column.cardinality for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(column.name for column in self.columns)

    def __len__(self) -> int:
        return len(self.columns)
