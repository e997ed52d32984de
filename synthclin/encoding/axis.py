"""The numeric axis of a column: cells to positions and back, on a lattice where there is one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from synthclin.encoding.support import index_of, position_of
from synthclin.schema.columns import Date, Datetime, Duration, Integer, Number, Time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.codec_states import Support

__all__ = ["CALENDAR", "Axis", "OnALine"]

OnALine = Number | Integer | Duration | Date | Datetime | Time

# Whole numbers beyond are not exact in a float64.
_EXACT = 2.0**53
# The range of a 64-bit nanosecond timestamp, in seconds, less a day.
CALENDAR = (-106_750 * 86_400.0, 106_750 * 86_400.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """How the cells of one column become positions on a line.

    On a lattice, positions are whole numbers: tenths for a number of one decimal, days for a date. A support numbers
    only the values that are used: multiples of 5 are positions 0, 1, 2; a value between them lies between positions.

    Arguments:
        kind: the type of the cells.
        lattice: whether positions are whole numbers.
        per_unit: positions per unit of the column (10 ** decimals); 1 otherwise.
        step: seconds per position of a datetime or time; 1 otherwise.
        low: lowest valid position, or -inf.
        high: highest valid position, or inf.
        declared: whether the schema gives these two; else they are what the type can hold.
        cycle: the period of digit preference in positions: 10 for digits, 7 for weekdays; None for none.
        support: the values that are used, if not all are.

    Example:
        >>> axis = Axis.of(Number(range=(0, 7), decimals=1))
        >>> axis.positions(pd.Series([2.3, None])).tolist()
        [23.0, nan]
        >>> axis.cells(np.array([23.0])).tolist()
        [2.3]
    """

    kind: Literal["number", "integer", "date", "datetime", "time"]
    lattice: bool
    per_unit: float
    step: int
    low: float
    high: float
    declared: bool
    cycle: int | None
    support: Support | None = None

    @classmethod
    def of(cls, column: OnALine, step: int = 1, support: Support | None = None) -> Axis:
        """Return the axis of a column; `step` is the clock's step in seconds, for a datetime."""
        axis = cls._plain(column, step)
        if support is None:
            return axis
        if not axis.lattice or (support.kind == "monthly" and axis.kind != "date"):
            raise ValueError("a support that the column cannot have")
        low, high = np.array([axis.low, axis.high])
        ends = index_of(support, np.clip(np.array([low, high]), -_EXACT, _EXACT))
        cycle = axis.cycle
        if axis.kind == "date":
            weekly = support.kind == "periodic" and support.blocks == 7 and len(support.kept) > 1
            cycle = len(support.kept) if support.kind == "periodic" and weekly else None
        low = np.ceil(ends[0]) if np.isfinite(low) else low
        high = np.floor(ends[1]) if np.isfinite(high) else high
        return replace(axis, low=float(low), high=float(high), cycle=cycle, support=support)

    @classmethod
    def _plain(cls, column: OnALine, step: int) -> Axis:
        match column:
            case Date(range=bounds):
                calendar = (CALENDAR[0] / 86_400, CALENDAR[1] / 86_400)
                low, high = (_days(bounds[0]), _days(bounds[1])) if bounds else calendar
                return cls("date", True, 1.0, 1, max(low, calendar[0]), min(high, calendar[1]), bounds is not None, 7)
            case Datetime(range=bounds):
                low, high = (_seconds(bounds[0]), _seconds(bounds[1])) if bounds else CALENDAR
                low, high = np.ceil(max(low, CALENDAR[0]) / step), np.floor(min(high, CALENDAR[1]) / step)
                return cls("datetime", True, 1.0, step, float(low), float(high), bounds is not None, None)
            case Time():
                seconds = 1 if column.has_seconds else 60
                low, high = map(_clock_steps, column.bounds)
                return cls("time", True, 1.0, seconds, low, high, True, 10)
            case Integer(range=bounds):
                low, high = bounds or (-_EXACT, _EXACT)
                return cls("integer", True, 1.0, 1, float(low), float(high), bounds is not None, 10)
            case Number(range=bounds) | Duration(range=bounds):
                low, high = bounds or (-np.inf, np.inf)
                decimals = column.decimal_places
                if decimals is None:
                    return cls("number", False, 1.0, 1, float(low), float(high), bounds is not None, None)
                unit = 10.0**decimals
                # A bound such as 0.3 differs from 3 tenths by a rounding error.
                low, high = np.ceil(np.round(low * unit, 6)), np.floor(np.round(high * unit, 6))
                return cls("number", True, unit, 1, float(low), float(high), bounds is not None, 10)

    def positions(self, column: pd.Series) -> NDArray[np.float64]:
        """Return the (rows,) position of each cell; NaN where it is missing."""
        plain = self.plain_positions(column)
        return plain if self.support is None else index_of(self.support, plain)

    def plain_positions(self, column: pd.Series) -> NDArray[np.float64]:
        """Return `positions` as they are without a support."""
        if self.kind in ("date", "datetime"):
            whole = column.to_numpy(dtype="datetime64[s]")
            seconds = np.where(np.isnat(whole), np.nan, whole.astype(np.int64).astype(np.float64))
            divisor = 86_400 if self.kind == "date" else self.step
            return np.floor(seconds / divisor) if self.kind == "date" else np.rint(seconds / divisor)
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if self.kind == "time":
            return np.asarray(_clock_steps(values), dtype=np.float64)
        if not self.lattice:
            return values
        positions = np.rint(values * self.per_unit)
        if self.declared and self.support is None:
            # A cell of more decimals than the column keeps may round to the outside of its own range, by one position.
            for end in (self.low, self.high):
                positions = np.where(np.abs(positions - end) <= 1, np.clip(positions, self.low, self.high), positions)
        return np.asarray(positions, dtype=np.float64)

    def snapped(self, positions: NDArray[np.float64], kept: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (rows,) positions moved to the nearest value of the support, but for the `kept` positions."""
        return positions if self.support is None else np.where(np.isin(positions, kept), positions, np.rint(positions))

    def cells(self, positions: NDArray[np.float64]) -> pd.Series:
        """Return the column, in its canonical type, whose cells have these (rows,) positions; NaN is missing."""
        if self.support is not None:
            positions = position_of(self.support, positions)
        missing = np.isnan(positions)
        if self.kind == "number":
            # Dividing a whole number by a power of ten gives the very float that the decimal text reads as.
            return pd.Series(positions / self.per_unit, dtype=np.float64)
        whole = np.where(missing, 0, positions).astype(np.int64)
        if self.kind == "time":
            whole = whole % 60 + 100 * (whole // 60 % 60) + 10_000 * (whole // 3_600)
        if self.kind in ("integer", "time"):
            return pd.Series(pd.arrays.IntegerArray(whole, missing))
        seconds = whole * (86_400 if self.kind == "date" else self.step)
        stamps = seconds.astype("datetime64[s]").astype("datetime64[ns]")
        stamps[missing] = np.datetime64("NaT")
        return pd.Series(stamps)

    def phase(self, positions: NDArray[np.float64], cycle: int) -> NDArray[np.int64]:
        """Return the remainder of each position: its last digit for a cycle of 10, its weekday for 7 of a date."""
        return np.mod(positions if self.kind == "date" else np.abs(positions), cycle).astype(np.int64)


def _clock_steps(clock: Any) -> Any:  # noqa: ANN401 (a number, or an array of them)
    """Return the minutes of HHMM, or the seconds of HHMMSS: 60 for each hundred, and 3,600 for each ten thousand."""
    return 1.0 * (clock % 100 + 60 * (clock // 100 % 100) + 3_600 * (clock // 10_000))


def _days(day: dt.date) -> float:
    return float((day - dt.date(1970, 1, 1)).days)


def _seconds(moment: dt.datetime) -> float:
    return (moment.replace(tzinfo=None) - dt.datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001
