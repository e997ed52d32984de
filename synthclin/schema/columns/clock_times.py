"""Clock times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import model_validator

from synthclin.schema.columns import parsing
from synthclin.schema.columns.column import Column, DType, Problem

__all__ = ["Time"]

_COLON = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.0*)?)?")
_DIGITS = re.compile(r"[0-9]{1,6}")


class Time(Column):
    """A time of day; in a table the whole number HHMM, or HHMMSS where `format` has seconds: 830 is 08:30.

    Steps between times are modelled, so that no synthetic cell is 10:75. `format` is the notation in files: ``%H:%M``,
    ``%H:%M:%S``, ``%H%M`` and ``%H%M%S`` with leading zeros, or ``%-H%M`` and ``%-H%M%S`` for whole numbers without.
    `range` has two such whole numbers.
    """

    type: Literal["time"] = "time"
    format: Literal["%H:%M", "%H:%M:%S", "%H%M", "%H%M%S", "%-H%M", "%-H%M%S"] = "%H:%M"
    range: tuple[int, int] | None = None

    @model_validator(mode="after")
    def _range_has_times(self) -> Self:
        if self.range is not None:
            if any(self._time(end) < 0 for end in self.range):
                raise ValueError("range: an end is no time of day. Write whole numbers, such as [800, 1730].")
            if self.range[0] > self.range[1]:
                raise ValueError(f"range: low {self.range[0]} exceeds high {self.range[1]}. Swap them.")
        return self

    @property
    def has_seconds(self) -> bool:
        """Whether cells have seconds."""
        return self.format.endswith("%S")

    @property
    def is_numeric(self) -> bool:
        """True: times have an order and distances."""
        return True

    @property
    def is_integer(self) -> bool:
        """True."""
        return True

    @property
    def is_discrete(self) -> bool:
        """True."""
        return True

    @property
    def is_written_as_text(self) -> bool:
        """True: of 0830 the zero is kept."""
        return True

    @property
    def decimal_places(self) -> int:
        """0."""
        return 0

    @property
    def bounds(self) -> tuple[int, int]:
        """The declared `range`, else the first and the last time of a day."""
        return self.range or (0, 235_959 if self.has_seconds else 2_359)

    @property
    def dtype(self) -> DType:
        """Int64."""
        return pd.Int64Dtype()

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is no time, and the remedy."""
        written = "HH:MM:SS" if self.has_seconds else "HH:MM"
        return (
            f"something that is not a time of day as {written}",
            f"Write it as {written}, declare its `format`, or recode it as missing.",
        )

    def notation(self, typed: pd.Series[Any]) -> NDArray[np.object_]:
        """Return (rows,) the times written by `format`, None where missing."""
        codes, times = pd.factorize(typed)
        texts: list[str | None] = [self._written(int(time)) for time in times]
        return np.array([*texts, None], dtype=np.object_)[codes]

    def _written(self, time: int) -> str:
        if self.format.startswith("%-H"):
            return str(time)
        digits = f"{time:06d}" if self.has_seconds else f"{time:04d}"
        mark = ":" if ":" in self.format else ""
        return mark.join(digits[place : place + 2] for place in range(0, len(digits), 2))

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read times with colons, and digits without.

        Example:
            >>> typed, unread = Time().coerce(pd.Series(["08:30", "830", 1430, "10:75", "24:00"], dtype=object))
            >>> typed.tolist(), unread.tolist()
            ([830, 830, 1430, <NA>, <NA>], [False, False, False, True, True])
        """
        codes, cells = parsing.distinct(series)
        times = np.array([*(self._time(cell) for cell in cells), -1], dtype=np.int64)[codes]
        unread = (times < 0) & (codes >= 0)
        typed = pd.Series(pd.arrays.IntegerArray(np.maximum(times, 0), times < 0), index=series.index)
        return typed, pd.Series(unread & series.notna().to_numpy(), index=series.index)

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:
        """Yield cells outside the range."""
        low, high = self.bounds
        outside = ((typed < low) | (typed > high)).fillna(value=False)
        yield Problem(outside, "a value outside its `range`", "Widen `range`, correct it, or recode it as missing.")

    def _time(self, cell: object) -> int:
        """Return a cell as HHMM or HHMMSS, -1 where it is no time."""
        whole = isinstance(cell, float | np.floating) and float(cell).is_integer()
        text = parsing.digits_or_text(int(cell) if whole else cell)  # type: ignore[call-overload]
        if text is None:
            return -1
        if match := _COLON.fullmatch(text):
            hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
        elif _DIGITS.fullmatch(text):
            number = int(text) if self.has_seconds else int(text) * 100
            hour, minute, second = number // 10_000, number // 100 % 100, number % 100
        else:
            return -1
        if hour > 23 or minute > 59 or second > 59 or (second and not self.has_seconds):
            return -1
        return hour * 10_000 + minute * 100 + second if self.has_seconds else hour * 100 + minute
