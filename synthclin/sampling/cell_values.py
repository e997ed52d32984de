"""Cells as sets of values: a given cell is a single value, a cell that is not known any value of its column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.encoding.level_codec import LevelsCodec
from synthclin.expressions.value_sets import LevelSets, ValueInterval, Values, intervals_of
from synthclin.sampling.masks import values_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder
    from synthclin.encoding.layout import ColumnLayout

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["CodecCells", "any_value", "as_column", "distinct_values", "flat", "points_of", "rows_of"]


def points_of(cells: pd.Series, like: Values | None = None) -> Values:
    """Return the (rows,) values of typed cells, each a single one or missing.

    Arguments:
        cells: in canonical type.
        like: values of the same column, for its type; None if the type of the cells tells it.
    """
    if isinstance(like, LevelSets) and not isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype(pd.CategoricalDtype([*like.levels, *cells[~cells.isin(like.levels)].dropna().unique()]))
    if isinstance(cells.dtype, pd.CategoricalDtype):
        levels = tuple(cells.dtype.categories)
        possible = np.vstack([np.eye(len(levels), dtype=np.bool_), np.zeros((1, len(levels)), dtype=np.bool_)])
        at = np.array(cells.cat.codes, dtype=np.int64)
        return LevelSets(
            levels,
            possible,
            np.arange(len(levels) + 1) == len(levels),
            at % (len(levels) + 1),
            bool(cells.dtype.ordered),
        )
    if not pd.api.types.is_datetime64_any_dtype(cells.dtype):
        cells = cells.astype("Float64").astype(float)
    found = intervals_of(cells, cells, cells.isna().to_numpy())
    return found if like is None else replace(found, dated=like.dated)  # type: ignore[union-attr]


def any_value(like: Values, missing: Bools) -> Values:
    """Return (rows,) sets of all values of a column, and of a missing cell where `missing` is true."""
    if isinstance(like, LevelSets):
        possible = np.ones((2, len(like.levels)), dtype=np.bool_)
        return replace(like, possible=possible, missing=np.array([False, True]), at=missing.astype(np.int64))
    far = np.full(len(missing), np.inf)
    return ValueInterval(-far, far, np.ones_like(missing), missing, like.dated)


def as_column(values: Values) -> Values:
    """Return (rows,) values as (rows, 1)."""
    return values.take(np.arange(len(values))[:, None])


_OFFSETS = 100
"""Places inside an outermost bin, at equal probabilities: its values lie between the first and the last of them."""


@dataclass(frozen=True, slots=True)
class CodecCells:
    """Values of the cells of one codec: levels that share a code are told apart, bins are not cut.

    Arguments:
        values: of the (cells,).
        code: (cells,) of each.
        cardinality: the number of codes.
    """

    values: Values
    code: Ints
    cardinality: int

    @classmethod
    def of(cls, encoder: TableEncoder, column: ColumnLayout) -> CodecCells:
        """Return the cells of the codec of a modelled column."""
        codec = encoder.codecs[column.name]
        if not isinstance(codec, LevelsCodec):
            values = _within_reach(values_of(encoder, column), encoder, column)
            return cls(values, np.arange(column.cardinality), column.cardinality)
        code = codec.cells.code
        values = points_of(codec.decode(code, codec.cells.centre))
        return cls(values, code, column.cardinality)

    def by_code(self, mask: Bools) -> Bools:
        """Return the (rows, codes) of which some cell is in a (rows, cells) mask."""
        if len(self.code) == self.cardinality:
            return mask.copy()
        found = np.zeros((self.cardinality, len(mask)), dtype=np.bool_)
        np.logical_or.at(found, self.code, mask.T)
        return found.T


def _within_reach(values: Values, encoder: TableEncoder, column: ColumnLayout) -> Values:
    """Return values without the far ends of the tails, which sampling hardly ever reaches."""
    if not isinstance(values, ValueInterval) or column.name in encoder.anchors or not values.present.any():
        return values
    low, high = values.low.copy(), values.high.copy()
    first = int(np.where(values.present, low, np.inf).argmin())
    last = int(np.where(values.present, high, -np.inf).argmax())
    offsets = (np.arange(_OFFSETS) + 0.5) / _OFFSETS
    codec = encoder.codecs[column.name]
    bottom, top = (points_of(codec.decode(np.full(_OFFSETS, code), offsets)) for code in (first, last))
    if isinstance(bottom, ValueInterval) and isinstance(top, ValueInterval):
        low[first], high[last] = bottom.low.min(), top.high.max()
    return replace(values, low=low, high=high)


def rows_of(values: Values, rows: Ints) -> Values:
    """Return some rows of (rows, 1) values."""
    if isinstance(values, LevelSets):
        return replace(values, at=values.at[rows])  # noqa: PD008 - no table
    return values.take(rows)


def flat(values: Values) -> Values:
    """Return (rows, 1) values as (rows,)."""
    if isinstance(values, LevelSets):
        return replace(values, at=values.at[:, 0])  # noqa: PD008 - no table
    return ValueInterval(values.low[:, 0], values.high[:, 0], values.present[:, 0], values.missing[:, 0], values.dated)


def distinct_values(values: Values) -> tuple[Values, Ints]:
    """Return the distinct ones of (rows,) values, and the (rows,) index of each row's."""
    if isinstance(values, LevelSets):
        sets = np.column_stack([values.possible, values.missing])[values.at]
        key = np.packbits(sets, axis=1)
    else:
        key = np.column_stack([values.low, values.high, values.present, values.missing])
    _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return values.take(first), which.ravel()
