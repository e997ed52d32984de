"""Quantities: measured numbers, whole numbers and lengths of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, field_serializer, model_validator

from synthclin.schema.columns import parsing
from synthclin.schema.columns.column import Column, DType, Problem

__all__ = ["LIMIT", "Duration", "Integer", "Number"]

LIMIT = 1e150  # squares of what lies beyond overflow a float64
EXACT = 2.0**53  # whole numbers from here on are not exact in a float64


class _Quantity(Column):
    """A numeric column, encoded in bins."""

    range: tuple[float, float] | None = None
    scale: Literal["linear", "log"] = "linear"
    spikes: tuple[float, ...] = ()

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

    def _refuse_valid_codes(self) -> None:
        read = map(parsing.identity, self.missing_codes)
        numbers = [float(code) for code in read if isinstance(code, int | float)]
        if numbers and self.range is None:
            raise ValueError("missing_codes: a number needs a `range` that leaves it out. Declare `range`.")
        if self.range is not None and any(self.range[0] <= code <= self.range[1] for code in numbers):
            raise ValueError("missing_codes: one of them lies inside `range`. Narrow `range`, so that none is a value.")

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
    def spike_values(self) -> tuple[float, ...]:
        """The declared `spikes`."""
        return self.spikes

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
            outside = ((values < self.range[0]) | (values > self.range[1])) & ~beyond
            yield Problem(
                pd.Series(outside, index=typed.index),
                "a value outside its `range`",
                "Widen `range`, correct it, or recode it as missing.",
            )


class _Real(_Quantity):
    """A quantity with a fixed number of decimals; float64 in a table."""

    decimals: Annotated[int, Field(ge=0, le=12)] | None = None

    @property
    def decimal_places(self) -> int | None:
        """The declared `decimals`, or None."""
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
            "Write it with a decimal point, without blanks, thousands separators or a unit, or recode it as missing.",
        )

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read numbers, also as text.

        Example:
            >>> typed, unread = Number().coerce(pd.Series(["7.25", "7,25"]))
            >>> typed.tolist(), unread.tolist()
            ([7.25, nan], [False, True])
        """
        values, unread = parsing.numbers(series)
        return pd.Series(values, index=series.index), pd.Series(unread, index=series.index)

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:
        """Yield the problems of every quantity, and a warning for cells with more decimals than declared."""
        yield from super().problems(typed)
        if self.decimals is not None:
            values = typed.to_numpy(dtype=np.float64)
            steps = np.where(np.abs(values) < EXACT / 10**self.decimals, values, 0.0) * 10.0**self.decimals
            finer = np.abs(steps - np.round(steps)) > 1e-6 * np.maximum(1.0, np.abs(steps))  # float32 origins pass
            yield Problem(
                pd.Series(finer, index=typed.index),
                "more decimals than declared",
                "Raise `decimals`, or round them.",
                "warning",
            )


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
        values, unread = parsing.numbers(series)
        with np.errstate(invalid="ignore"):
            whole = (np.abs(values) < EXACT) & (values == np.round(values))
        unread |= ~(whole | np.isnan(values))
        integers = np.where(whole, values, 0).astype(np.int64)
        typed = pd.Series(pd.arrays.IntegerArray(integers, ~whole), index=series.index)
        return typed, pd.Series(unread, index=series.index)
