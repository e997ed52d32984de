"""The table as a model sees it: a code and an offset per cell, and what the codes of each column are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ColumnLayout", "Encoded", "Layout"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A table as numbers; every model family learns and draws this pair.

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
    """What the codes 0 .. cardinality-1 of one column are.

    Codes of an ordered column rise with the value, *missing* (if any) is always the last code.

    Arguments:
        name: the column.
        cardinality: how many codes it has, missing included.
        kind: ``ordered`` (bins and point_masses of a line, levels of an ordinal) or ``levels`` (no order).
        missing: the code that stands for an empty cell, or None.
        point_masses: (cardinality,) bool: the code is one single value (a spike or a level), not a bin.
        never: (cardinality,) bool: the code is met in training but never drawn (pooled rare levels).
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
        order: the places of all columns in the order in which they are drawn; by default those with few codes first.
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
