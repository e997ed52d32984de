"""Figures of single columns: their type among the details, and the cells behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.details import ColumnValue, Details
from synthclin.evaluation.disclosure import Published, round_to, rounding_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ColumnsDetails", "observed", "worst_first"]

_LEAST_STEP = 0.05


class ColumnsDetails(Details):
    """Distance of each column from the real one."""

    columns: list[ColumnValue]
    """The columns, furthest from real first."""

    def shared(self, published: Published) -> ColumnsDetails:
        """Return rounded distances, without references."""
        size = max(rounding_step(published.train), _LEAST_STEP)
        return ColumnsDetails(
            columns=[
                ColumnValue(
                    column=one.column, value=None if one.value is None else round_to(one.value, size), reference=None
                )
                for one in self.columns
            ]
        )


def observed(rows: NDArray[np.float64], j: int | np.intp) -> NDArray[np.float64]:
    """(observed,) the observed values of a column."""
    column = rows[:, j]
    return column[~np.isnan(column)]


def worst_first(columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the columns with a value, the largest first."""
    return sorted((row for row in columns if not np.isnan(row["value"])), key=lambda row: -row["value"])
