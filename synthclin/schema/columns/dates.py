"""Dates and datetimes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NaiveDatetime, field_validator, model_validator

from synthclin.schema.columns import parsing
from synthclin.schema.columns.column import Column, DType, Problem

__all__ = ["Date", "Datetime"]


def _iso(value: object) -> object:
    """Let ISO text and dates through; pydantic alone would take a number for seconds since 1970."""
    if isinstance(value, dt.date) or (isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        return value
    raise ValueError("not a date as YYYY-MM-DD")


IsoDate = Annotated[dt.date, BeforeValidator(_iso)]
IsoDatetime = Annotated[NaiveDatetime, BeforeValidator(_iso)]


class Shift(BaseModel):
    """The largest number of days by which the dates of a patient are shifted before the fit."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    days: Annotated[int, Field(ge=1, le=3_650)]


class _Temporal(Column):
    """A column on the calendar; datetime64[ns] in a table.

    `anchor` names another date of the same row: the distance from it is modelled, which preserves order and spacing; a
    cell is missing where its anchor is missing. `shift` moves all dates of a patient, and the dates anchored to them,
    by one random number of days before the fit (date shifting): intervals stay exact, and no model sees a true date.
    `format` is the strptime format of the cells in files, such as ``%Y%m%d`` (also of whole numbers) or ``%d.%m.%Y``.
    """

    format: str | None = None
    anchor: str | None = None
    shift: Shift | None = None

    @field_validator("format")
    @classmethod
    def _format_has_known_fields(cls, form: str | None) -> str | None:
        if form is not None:
            parsing.form_pattern(form)
        return form

    def notation(self, typed: pd.Series[Any]) -> NDArray[np.object_] | None:
        """Return (rows,) texts written by `format`, None where missing; None without a format."""
        if self.format is None:
            return None
        codes, days = pd.factorize(typed)
        texts: list[str | None] = [*pd.DatetimeIndex(days).strftime(self.format), None]
        return np.array(texts, dtype=np.object_)[codes]

    @property
    def is_temporal(self) -> bool:
        """True."""
        return True

    @property
    def is_written_as_text(self) -> bool:
        """True."""
        return True

    @property
    def anchor_name(self) -> str | None:
        """The declared `anchor`, or None."""
        return self.anchor

    @property
    def shift_days(self) -> int | None:
        """The `days` of the declared `shift`, or None."""
        return None if self.shift is None else self.shift.days

    @model_validator(mode="after")
    def _what_is_anchored_moves_along(self) -> Self:
        if self.anchor is not None and self.shift is not None:
            raise ValueError("shift: this column moves with its anchor. Declare `shift` there.")
        return self

    @model_validator(mode="after")
    def _range_is_ordered(self) -> Self:
        bounds = self.bounds
        if bounds is not None:
            low, high = bounds
            if low > high:
                raise ValueError(f"range: low {low} exceeds high {high}. Swap them.")
            if low.year not in parsing.YEARS or high.year not in parsing.YEARS:
                years = f"{parsing.YEARS[0]} to {parsing.YEARS[-1]}"
                raise ValueError(f"range: a bound lies outside the years {years}. Give a narrower range.")
        return self

    def _refuse_valid_codes(self) -> None:
        years = range(parsing.YEARS[0], parsing.YEARS[-1] + 1)
        datetimes = [stamp for stamp in self._code_datetimes().astype(object) if stamp is not None]
        bounds = self.bounds
        if bounds is None and any(stamp.year in years for stamp in datetimes):
            raise ValueError("missing_codes: a date needs a `range` that leaves it out. Declare `range`.")
        if bounds is not None and any(_start(bounds[0]) <= stamp <= _start(bounds[1]) for stamp in datetimes):
            raise ValueError("missing_codes: one of them lies inside `range`. Narrow `range`, so that none is a value.")

    def _code_datetimes(self) -> NDArray[np.datetime64]:
        """Return (codes,) each missing code as a datetime of any year, NaT where it is none."""
        return parsing.stamps(pd.Series([*self.missing_codes], dtype=object), self.format)

    def _code_positions(self, series: pd.Series[Any]) -> NDArray[np.intp]:
        """Return the positions of codes, including codes that are dates in any type of file."""
        places = super()._code_positions(series)
        read = parsing.stamps(series, self.format)
        for place, stamp in enumerate(self._code_datetimes()):
            places[read == stamp] = place
        return places

    @property
    def dtype(self) -> DType:
        """datetime64[ns]."""
        return np.dtype("datetime64[ns]")

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read dates, datetimes and ISO 8601 text without a time zone.

        Example:
            >>> typed, unread = Date().coerce(pd.Series(["2026-02-28", "2026-02-30", "28.02.2026"]))
            >>> unread.tolist()
            [False, True, True]
        """
        values, unread = parsing.datetimes(series, self.format)
        return pd.Series(values, index=series.index), pd.Series(unread, index=series.index)

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:
        """Yield cells outside the range."""
        bounds = self.bounds
        if bounds is not None:
            yield Problem(
                (typed < pd.Timestamp(bounds[0])) | (typed > pd.Timestamp(bounds[1])),
                "a value outside its `range`",
                "Widen `range`, correct it, or recode it as missing.",
            )


def _start(bound: dt.date) -> dt.datetime:
    """Return a day as its first moment, and a datetime unchanged."""
    return bound if isinstance(bound, dt.datetime) else dt.datetime(bound.year, bound.month, bound.day)  # noqa: DTZ001


class Date(_Temporal):
    """A calendar day; datetime64[ns] at midnight in a table, YYYY-MM-DD in a CSV file."""

    type: Literal["date"] = "date"
    range: tuple[IsoDate, IsoDate] | None = None

    @property
    def bounds(self) -> tuple[dt.date, dt.date] | None:
        """The declared `range`, or None."""
        return self.range

    @property
    def resolution(self) -> Literal["D"]:
        """A day."""
        return "D"

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is no date, and the remedy."""
        return (
            "something that is not a date from 1678 to 2261",
            "Write it as YYYY-MM-DD, declare its `format`, or recode it as missing.",
        )

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:
        """Yield cells with a time of day, and cells on a day outside the range."""
        days = typed.dt.normalize()
        yield Problem(
            (typed != days) & typed.notna(),
            "a time of day",
            "Declare `type: datetime`, or drop the time.",
        )
        yield from super().problems(days)


class Datetime(_Temporal):
    """A datetime without a time zone, to the second; datetime64[ns] in a table, ISO 8601 in a CSV file."""

    type: Literal["datetime"] = "datetime"
    range: tuple[IsoDatetime, IsoDatetime] | None = None

    @property
    def bounds(self) -> tuple[dt.datetime, dt.datetime] | None:
        """The declared `range`, or None."""
        return self.range

    @property
    def resolution(self) -> Literal["s"]:
        """A second."""
        return "s"

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is no datetime, and the remedy."""
        return (
            "something that is not a datetime without time zone from 1678 to 2261",
            "Write it as YYYY-MM-DD HH:MM:SS in local time without its zone, or recode it as missing.",
        )

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:
        """Yield cells outside the range, and a warning for fractions of a second."""
        yield from super().problems(typed)
        yield Problem(
            (typed != typed.dt.floor("s")) & typed.notna(),
            "fractions of a second",
            "They are not modelled; round them to whole seconds.",
            "warning",
        )
