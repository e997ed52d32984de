"""Cells as sets of values: a given cell is a single value, a cell that is not known any value of its column."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.expressions.value_sets import LevelSets, ValueInterval, Values, intervals_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]

__all__ = ["any_value", "as_column", "points_of"]


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
