"""Columns of visits as numbers: ranks, and an indicator of each level without an order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.visits.pool import PatientPool

__all__ = ["FEW_VISITS", "VisitTerms", "mean_by"]

FEW_VISITS = 2 * MIN_PATIENTS
"""Training visits below which a column, or a part of one, is not compared."""

_MOST_LEVELS = 5


@dataclass(frozen=True, slots=True)
class VisitTerms:
    """The columns of visits as numbers.

    A number, a date and an ordered level is its mid-rank among training visits, from 0 to 1, so that no unit and no
    extreme value decides. Of two levels without an order the first is 0 and the second 1. More levels without an order
    have an indicator of each of the 5 most frequent ones.

    Arguments:
        names: the columns.
        column: (terms,) the place of a term's column in `names`.
        x: (visits, terms); NaN where missing.
    """

    names: tuple[str, ...]
    column: NDArray[np.intp]
    x: NDArray[np.float64]

    @classmethod
    def of(cls, pool: PatientPool) -> VisitTerms:
        """Return the terms of the columns that vary between training visits, fitted to these."""
        names: list[str] = []
        column: list[int] = []
        found: list[NDArray[np.float64]] = []
        for j in pool.columns:
            cells = pool.visits.values[:, j]
            seen = cells[pool.is_training(known=~np.isnan(cells))]
            if len(seen) < FEW_VISITS or np.ptp(seen) == 0:
                continue
            feature = pool.c.features.columns[j]
            if feature.kind == "levels" and len(feature.levels) == 2:
                terms = [_indicator(cells, 1)]
            elif feature.kind == "levels":
                counts = np.bincount(seen.astype(int), minlength=len(feature.levels))
                frequent = np.argsort(-counts, kind="stable")[:_MOST_LEVELS]
                terms = [_indicator(cells, k) for k in frequent if counts[k] >= FEW_VISITS]
            else:
                terms = [_ranks(np.sort(seen), cells)]
            if terms:
                column += [len(names)] * len(terms)
                names.append(feature.name)
                found += terms
        x = np.column_stack(found) if found else np.empty((len(pool.visits.patient), 0))
        return cls(tuple(names), np.array(column, dtype=np.intp), x)


def _indicator(cells: NDArray[np.float64], level: int) -> NDArray[np.float64]:
    """(cells,) 1 where a cell has the level, else 0; NaN stays."""
    return np.where(np.isnan(cells), np.nan, cells == level)


def _ranks(ordered: NDArray[np.float64], cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """(cells,) the mid-rank of each cell among sorted ones, 0 to 1; NaN stays."""
    middle = (np.searchsorted(ordered, cells, "left") + np.searchsorted(ordered, cells, "right")) / (2 * len(ordered))
    return np.where(np.isnan(cells), np.nan, middle)


def mean_by(column: NDArray[np.intp], columns: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(columns,) the mean of the terms of each column, NaN left out.

    Example:
        >>> mean_by(np.array([0, 0, 1]), 2, np.array([1.0, 3.0, np.nan]))
        array([ 2., nan])
    """
    known = ~np.isnan(values)
    total = np.bincount(column[known], weights=values[known], minlength=columns)
    counts = np.bincount(column[known], minlength=columns)
    found: NDArray[np.float64] = np.divide(total, counts, out=np.full(columns, np.nan), where=counts > 0)
    return found
