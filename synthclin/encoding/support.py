"""Supports: the values of a lattice that a column uses, numbered 0, 1, 2 in order."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.codec_states import Monthly, Periodic

    Floats = NDArray[np.float64]

__all__ = ["index_of", "position_of"]


def index_of(support: Periodic | Monthly, positions: Floats) -> Floats:
    """Return the (rows,) number of each position among those of the support; NaN stays NaN.

    A position between two of them has a number between theirs, in proportion.

    Example:
        >>> from synthclin.encoding.codec_states import Periodic
        >>> index_of(Periodic(blocks=5, kept=(0,)), np.array([0.0, 10.0, 12.0])).tolist()
        [0.0, 2.0, 2.4]
    """
    known = np.isfinite(positions)
    where = np.where(known, positions, 0.0)
    below = _floor_index(support, where)
    low, high = position_of(support, below), position_of(support, below + 1)
    share = np.divide(where - low, high - low, out=np.zeros(len(where)), where=high > low)
    return np.where(known, below + share, np.nan)


def position_of(support: Periodic | Monthly, index: Floats) -> Floats:
    """Return the position of each (rows,) number; the inverse of `index_of`.

    Example:
        >>> from synthclin.encoding.codec_states import Monthly
        >>> first = Monthly(days=(1,), months=tuple(range(1, 13)))
        >>> position_of(first, np.array([1970 * 12, 1970 * 12 + 1.0])).tolist()
        [0.0, 31.0]
    """
    known = np.isfinite(index)
    where = np.where(known, index, 0.0)
    below = np.floor(where)
    low = _position(support, below)
    between = where > below
    if between.any():
        high = _position(support, below[between] + 1)
        low[between] = np.rint(low[between] + (where - below)[between] * (high - low[between]))
    return np.where(known, low, np.nan)


@lru_cache(maxsize=64)
def _slots(support: Periodic) -> Floats:
    """Return the (slots,) positions of a periodic support inside one period."""
    starts = np.array(support.kept, dtype=np.float64)[:, None] * support.unit
    return (starts + np.arange(support.unit)).ravel()


@lru_cache(maxsize=64)
def _days(support: Monthly) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return month and day of the (slots,) dates of a monthly support inside one year."""
    months, days = (np.array(part, dtype=np.int64) for part in (support.months, support.days))
    return np.repeat(months, len(days)), np.tile(days, len(months))


def _floor_index(support: Periodic | Monthly, positions: Floats) -> Floats:
    """Return the number of the last position of the support at or below each position."""
    if support.kind == "periodic":
        period, slots = float(support.blocks) * support.unit, _slots(support)
        cycle = np.floor(positions / period)
        phase = positions - cycle * period
        return np.asarray(cycle * len(slots) + np.searchsorted(slots, phase, side="right") - 1, dtype=np.float64)
    months, days = _days(support)
    month = np.floor(positions).astype("datetime64[D]").astype("datetime64[M]")
    start, end = (part.astype("datetime64[D]").astype(np.int64) for part in (month, month + 1))
    number = month.astype(np.int64) + 1970 * 12
    day = np.floor(positions) - (start - 1 if days[-1] > 0 else end - 1)
    # Days are between -30 and 31.
    rank = np.searchsorted(months * 100 + days, (number % 12 + 1) * 100 + day, side="right")
    return (number // 12 * len(months) + rank - 1).astype(np.float64)


def _position(support: Periodic | Monthly, index: Floats) -> Floats:
    """Return the position of each whole number."""
    if support.kind == "periodic":
        slots = _slots(support)
        cycle = np.floor(index / len(slots))
        found: Floats = cycle * (float(support.blocks) * support.unit) + slots[(index - cycle * len(slots)).astype(int)]
        return found
    months, days = _days(support)
    whole = index.astype(np.int64)
    year, slot = whole // len(months), whole % len(months)
    month = (year - 1970) * 12 + months[slot] - 1
    base = month if days[-1] > 0 else month + 1
    start = base.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return (start + days[slot] - 1).astype(np.float64)
