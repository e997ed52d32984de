"""Equivalence classes: rows that are equal in all or some columns, and closeness of sensitive values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.features import Features

__all__ = ["counted", "numbered", "similar", "stepped"]

_MOST_VALUES = 100
_BINS = 20
_MARGIN = 0.05


def numbered(*tables: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Return the (rows,) class number of each row of each table; equal rows share it, and missing equals missing.

    Example:
        >>> numbered(np.array([[1.0, np.nan], [2.0, 0.0]]), np.array([[1.0, np.nan]]))
        [array([1, 0]), array([1])]
    """
    rows = np.vstack(tables)
    same = np.ascontiguousarray(np.where(np.isnan(rows), np.inf, rows))  # no cell is infinite
    whole = same.view(np.dtype((np.void, same.dtype.itemsize * same.shape[1]))).ravel()
    numbers = np.unique(whole, return_inverse=True)[1].astype(np.int64)
    return np.split(numbers, np.cumsum([len(table) for table in tables])[:-1])


def counted(numbers: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """(rows,) the size of each row's class in the other table."""
    counts = np.bincount(among, minlength=int(max(numbers.max(initial=0), among.max(initial=0))) + 1)
    return counts[numbers]


def stepped(
    features: Features, columns: Sequence[int], real: NDArray[np.float64], *tables: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Return some columns of tables; numbers of more than 100 values in `real` in 20 quantile bins."""
    parts = [table[:, list(columns)].copy() for table in tables]
    for place, j in enumerate(columns):
        seen = np.unique(real[~np.isnan(real[:, j]), j])
        if features.columns[j].kind == "line" and len(seen) > _MOST_VALUES:
            edges = np.unique(np.quantile(real[~np.isnan(real[:, j]), j], np.arange(1, _BINS) / _BINS))
            for part in parts:
                cells = part[:, place]
                part[:, place] = np.where(np.isnan(cells), np.nan, np.searchsorted(edges, cells))
    return parts


def similar(
    features: Features, column: int, real: NDArray[np.float64], truth: NDArray[np.float64], guess: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return where a guess discloses a sensitive value; `truth` and `guess` broadcast; missing discloses nothing.

    A level must be equal. A number must be within 5 % of itself or one unit of its last decimal, a date within 5 % of
    the interquartile range of `real`.
    """
    feature = features.columns[column]
    if feature.kind != "line":
        equal: NDArray[np.bool_] = truth == guess
        return equal
    if feature.column.is_temporal:
        seen = real[~np.isnan(real[:, column]), column]
        margin = np.asarray(_MARGIN * np.subtract(*np.quantile(seen, [0.75, 0.25])) if len(seen) else 0.0)
    else:
        decimals = None if feature.column.is_integer else feature.column.decimal_places
        unit = 0.0 if decimals is None else 10.0**-decimals
        margin = np.maximum(_MARGIN * np.abs(truth), unit)
    close: NDArray[np.bool_] = np.abs(truth - guess) <= margin * (1 + 1e-9)
    return close
