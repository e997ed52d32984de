"""Quantities: measured numbers, whole numbers and lengths of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_serializer, model_validator

from synthclin.schema.columns import parsing
from synthclin.schema.columns.column import Column, DType, Problem
from synthclin.schema.columns.notation import Censored, Notation

__all__ = ["LIMIT", "Duration", "Integer", "Number"]

LIMIT = 1e150  # squares of what lies beyond overflow a float64
_SLACK = 1e-6  # of a last decimal
_COMPUTED = 6  # decimals from which on finer digits are those of a computation
EXACT = 2.0**53  # whole numbers from here on are not exact in a float64
_WHOLE = (pd.Int64Dtype(), np.dtype(np.int64))


class _Quantity(Column):
    """A numeric column, encoded in bins.

    Arguments:
        range: the lowest and the highest valid number.
        scale: ``log`` where ratios matter.
        spikes: values with a point mass.
        step: synthetic values are multiples of it, but for `spikes`.
        thousands: the separator of thousands in files.
        suffix: text after each number in files, such as ``%``.
        censored: limits of detection. The cells below one limit have a code of their own; in a table they are the
            number next to it, in a file the text ``<0.5``.
    """

    range: tuple[float, float] | None = None
    scale: Literal["linear", "log"] = "linear"
    spikes: tuple[float, ...] = ()
    thousands: Literal[",", ".", " ", "'"] | None = None
    suffix: Annotated[str, Field(pattern=r"^[^0-9<>,.+-]*[^0-9<>,.+\s-]$", max_length=20)] | None = None
    censored: Censored | None = None
    step: Annotated[float, Field(gt=0, le=1e12)] | None = None

    @model_validator(mode="after")
    def _limits_of_detection_fit(self) -> Self:
        if self.decimal_mark == (self.thousands or ""):
            raise ValueError("thousands: is the decimal mark too. Declare two different ones.")
        low, high = self.range or (-LIMIT, LIMIT)
        for stands in self._stand_ins:
            if not low <= stands <= high:
                what = f"censored: {stands:g} stands for the values beyond the limit, and `range` leaves it out"
                raise ValueError(f"{what}. Widen `range`.")
        return self

    @property
    def decimal_mark(self) -> str:
        """The decimal mark in files."""
        return "."

    @property
    def _stand_ins(self) -> tuple[float, ...]:
        """The numbers that stand for values below and above the limits of detection, next to these."""
        if self.censored is None:
            return ()
        limits = ((self.censored.below, -1), (self.censored.above, 1))
        return tuple(self._beyond(float(limit), side) for limit, side in limits if limit is not None)

    def _beyond(self, limit: float, side: int) -> float:
        """Return the number next to a limit: one last decimal beyond it."""
        decimals = self.decimal_places
        step = 1e-6 * max(1.0, abs(limit)) if decimals is None else 10.0**-decimals
        return limit + side * step if decimals is None else round(limit + side * step, decimals)

    @property
    def _written(self) -> Notation | None:
        """The notation in files, None for the usual one."""
        if self.decimal_mark == "." and self.thousands is None and self.suffix is None and self.censored is None:
            return None
        censored = self.censored
        low = self._beyond(float(censored.below), -1) if censored and censored.below is not None else 0.0
        high = self._beyond(float(censored.above), 1) if censored and censored.above is not None else 0.0
        return Notation(self.decimal_mark, self.thousands or "", self.suffix or "", censored, low, high)

    @property
    def is_written_as_text(self) -> bool:
        """Whether digits in a file may mean another number than they spell."""
        return self.decimal_mark != "." or self.thousands is not None

    def notation(self, typed: pd.Series[Any]) -> NDArray[np.object_] | None:
        """Return (rows,) the texts of numbers in the declared notation, None where missing; None for the usual one."""
        return None if self._written is None else self._written.write(typed, self.decimal_places)

    def _numbers(self, series: pd.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return (rows,) float64 numbers, and which cells are none; see `parsing.numbers`."""
        written = self._written
        if written is None:
            return parsing.numbers(series)
        values, unread = parsing.numbers(series if pd.api.types.is_numeric_dtype(series) else written.read(series))
        return written.limited(values), unread

    @model_validator(mode="after")
    def _range_and_spikes_agree(self) -> Self:
        low, high = self.range or (-LIMIT, LIMIT)
        if low > high:
            raise ValueError(f"range: low {low:g} exceeds high {high:g}. Swap them.")
        if low < -LIMIT or high > LIMIT:
            raise ValueError(f"range: a bound lies beyond {LIMIT:g}. Give a possible measurement.")
        if len(set(self.spikes)) < len(self.spikes):
            raise ValueError("spikes: a value is listed twice. Remove one.")
        if not all(low <= spike <= high for spike in self.spikes):
            raise ValueError("spikes: a value lies outside `range`. Widen `range`, or remove the spike.")
        return self

    @model_validator(mode="after")
    def _step_fits(self) -> Self:
        if self.step is None:
            return self
        finest = self.step * 10 ** (self.decimal_places or 0)
        if finest < 1 or abs(finest - round(finest)) > 1e-9 * finest:
            raise ValueError(f"step: {self.step:g} has more decimals than the column. Raise `decimals`.")
        low, high = self.range or (0.0, self.step)
        if np.floor(high / self.step + 1e-9) * self.step < low - 1e-9 * self.step:
            raise ValueError(f"step: no multiple of {self.step:g} lies in `range`. Correct one of them.")
        return self

    def _refuse_valid_codes(self) -> None:
        read = map(parsing.identity, self.missing_codes)
        numbers = [float(code) for code in read if isinstance(code, int | float)]
        if numbers and self.range is None:
            raise ValueError("missing_codes: a number needs a `range` that leaves it out. Declare `range`.")
        if self.range is not None and any(self.range[0] <= code <= self.range[1] for code in numbers):
            raise ValueError("missing_codes: one of them lies inside `range`. Narrow `range`, so that none is a value.")

    @field_serializer("step", when_used="json")
    def _whole_step(self, step: float | None) -> Any:  # noqa: ANN401 - a float would be written as 5.0
        return int(step) if step is not None and step == int(step) else step

    @field_serializer("range", "spikes", when_used="json")
    def _whole_without_point(self, numbers: tuple[float, ...] | None) -> list[Any] | None:
        return None if numbers is None else [int(x) if x == int(x) and abs(x) < EXACT else x for x in numbers]

    @property
    def is_numeric(self) -> bool:
        """True."""
        return True

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The declared `range`, or None."""
        return self.range

    @property
    def is_logarithmic(self) -> bool:
        """Whether `scale` is ``log``."""
        return self.scale == "log"

    @property
    def value_step(self) -> float | None:
        """The declared `step`, or None."""
        return self.step

    @property
    def spike_values(self) -> tuple[float, ...]:
        """The declared `spikes`, and the numbers that stand for values beyond a limit of detection."""
        return (*self.spikes, *(stands for stands in self._stand_ins if stands not in self.spikes))

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:
        """Yield cells beyond any measurement, and cells outside the range."""
        values = typed.to_numpy(dtype=np.float64, na_value=np.nan)
        beyond = np.abs(values) > LIMIT
        yield Problem(
            pd.Series(beyond, index=typed.index),
            f"a number that is infinite or beyond {LIMIT:g}",
            "Correct it, or recode it as missing.",
        )
        if self.role == "time" and (self.range is None or self.range[0] < 0):
            yield Problem(
                pd.Series((values < 0) & ~beyond, index=typed.index),
                "a negative time",
                "Correct it, or recode it as missing: the time to an event begins at 0.",
            )
        if self.range is not None:
            # A computed number may miss a bound by less than the column can tell, such as -2e-14 a bound of 0.
            slack = _SLACK * 10.0 ** -(_COMPUTED if self.decimal_places is None else self.decimal_places)
            outside = ((values < self.range[0] - slack) | (values > self.range[1] + slack)) & ~beyond
            yield Problem(
                pd.Series(outside, index=typed.index),
                "a value outside its `range`",
                "Widen `range`, correct it, or recode it as missing.",
            )
        if self.step is not None:
            counted = np.where(beyond, 0.0, values) / self.step
            between = np.abs(counted - np.round(counted)) > 1e-6 * np.maximum(1.0, np.abs(counted))
            yield Problem(
                pd.Series(between & ~np.isin(values, self.spikes), index=typed.index),
                "a value that is no multiple of its `step`",
                "Correct `step`, or remove it.",
                "warning",
            )


class _Real(_Quantity):
    """A quantity with a fixed number of decimals; float64 in a table."""

    decimals: Annotated[int, Field(ge=0, le=12)] | None = None
    decimal: Literal[",", "."] = "."

    @property
    def decimal_mark(self) -> str:
        """The declared `decimal`."""
        return self.decimal

    @property
    def decimal_places(self) -> int | None:
        """The declared `decimals`, else those of `step`, or None."""
        if self.decimals is None and self.step is not None:
            return next(places for places in range(13) if round(self.step, places) == self.step or places == 12)
        return self.decimals

    @property
    def dtype(self) -> DType:
        """float64."""
        return np.dtype(np.float64)

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is no number, and the remedy."""
        return (
            "something that is not a number",
            (
                "Write it with a decimal point, without blanks, thousands separators or a unit, recode it as missing, "
                "or declare `decimal`, `thousands`, `suffix` or `censored`."
            ),
        )

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read numbers, also as text.

        Example:
            >>> typed, unread = Number().coerce(pd.Series(["7.25", "7,25"]))
            >>> typed.tolist(), unread.tolist()
            ([7.25, nan], [False, True])
        """
        values, unread = self._numbers(series)
        if self.decimals is not None:
            values = _as_written(values, self.decimals)
        return pd.Series(values, index=series.index), pd.Series(unread, index=series.index)

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:
        """Yield the problems of every quantity, and a warning for more decimals than declared, if below 6."""
        yield from super().problems(typed)
        if self.decimals is not None and self.decimals < _COMPUTED:
            values = typed.to_numpy(dtype=np.float64)
            steps = np.where(np.abs(values) < EXACT / 10**self.decimals, values, 0.0) * 10.0**self.decimals
            finer = np.abs(steps - np.round(steps)) > 1e-6 * np.maximum(1.0, np.abs(steps))  # float32 origins pass
            yield Problem(
                pd.Series(finer, index=typed.index),
                "more decimals than declared",
                "Raise `decimals`, or round them.",
                "warning",
            )


def _as_written(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    """Return numbers that were held in single precision as they were written: 4.2 for 4.199999809265137."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
        held = (single == values) & (values != np.round(values, decimals))
    if not held.any():
        return values
    written = values.copy()
    written[held] = parsing.shortest(single[held])
    return np.where(written == np.round(written, decimals), written, values)


class Number(_Real):
    """A measured quantity; float64 in a table.

    `decimals` is the recorded precision, `scale: log` means that ratios matter, and `spikes` are values with a point
    mass, such as a detection limit.
    """

    type: Literal["number"] = "number"


class Duration(_Real):
    """A length of time in `unit` (a UCUM time unit: s, min, h, d, wk, mo, a); float64 in a table."""

    type: Literal["duration"] = "duration"
    unit: Literal["s", "min", "h", "d", "wk", "mo", "a"]


class Integer(_Quantity):
    """A whole number; Int64 in a table."""

    type: Literal["integer"] = "integer"
    range: tuple[int, int] | None = None
    spikes: tuple[int, ...] = ()
    step: Annotated[int, Field(ge=1, le=10**12)] | None = None

    @property
    def is_integer(self) -> bool:
        """True."""
        return True

    @property
    def is_discrete(self) -> bool:
        """True."""
        return True

    @property
    def decimal_places(self) -> int:
        """0."""
        return 0

    @property
    def dtype(self) -> DType:
        """Int64."""
        return pd.Int64Dtype()

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is no whole number, and the remedy."""
        return (
            "something that is not a whole number of at most 15 digits",
            "Correct it or recode it as missing; decimals need `type: number`, long numbers `type: id`.",
        )

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read whole numbers, also as floats or text.

        Example:
            >>> typed, unread = Integer().coerce(pd.Series(["7", "7.0", "7.5"]))
            >>> typed.tolist(), unread.tolist()
            ([7, 7, <NA>], [False, False, True])
        """
        if series.dtype in _WHOLE and self._written is None:
            # Typed cells are whole numbers already; reading them takes most of the time of a check of sampled rows.
            known, integers = series.notna().to_numpy(), series.to_numpy(dtype=np.int64, na_value=0)
            whole = known & (integers > -EXACT) & (integers < EXACT)
            typed = pd.Series(pd.arrays.IntegerArray(np.where(whole, integers, 0), ~whole), index=series.index)
            return typed, pd.Series(known & ~whole, index=series.index)
        values, unread = self._numbers(series)
        with np.errstate(invalid="ignore"):
            whole = (np.abs(values) < EXACT) & (values == np.round(values))
        unread |= ~(whole | np.isnan(values))
        integers = np.where(whole, values, 0).astype(np.int64)
        typed = pd.Series(pd.arrays.IntegerArray(integers, ~whole), index=series.index)
        return typed, pd.Series(unread, index=series.index)
