"""Inference of date and datetime columns."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.inference.guesses import Guess, Refusal, count, patients_per
from synthclin.inference.number_columns import outward
from synthclin.schema.columns import Date, Datetime, parsing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["datetime_column", "guess_datetimes"]

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?")
_ZONED = re.compile(_ISO.pattern + r" ?(Z|[+-][0-9]{2}:?[0-9]{2})")
_OTHER = re.compile(
    r"[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{2,4}( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?|[0-9]{4}([./])[0-9]{2}\4[0-9]{2}"
)
_LAST = dt.datetime(2261, 12, 31, 23, 59, 59)  # noqa: DTZ001 (datetimes in tables have no time zone)


def guess_datetimes(
    texts: NDArray[np.object_], values: Sequence[str], patient: NDArray[np.int64] | None = None
) -> Guess | Refusal | None:
    """Guess that texts are dates or datetimes; None if they are not.

    Arguments:
        texts: (cells,) str.
        values: the distinct texts.
        patient: (cells,) the number of each cell's patient; None where each row is a patient of its own.
    """
    if all(_ISO.fullmatch(value) for value in values):
        return datetime_column(pd.Series(texts, dtype=object), patient)
    if all(_ZONED.fullmatch(value) for value in values):
        return Refusal("its datetimes have a time zone", "Write them in local time without it.")
    if all(_OTHER.fullmatch(value) for value in values):
        return Refusal("its cells are dates in another format than ISO 8601", "Write them as YYYY-MM-DD.")
    return None


def datetime_column(cells: pd.Series, patient: NDArray[np.int64] | None = None) -> Guess | Refusal:
    """Return the guess of a date or datetime column, with a range of whole years.

    Arguments:
        cells: (cells,) dates, datetimes or ISO text; at least one.
        patient: (cells,) the number of each cell's patient; None where each row is a patient of its own.
    """
    typed, unread = Datetime().coerce(cells)
    if unread.any():
        what, remedy = Datetime().unreadable
        return Refusal(f"{count(int(unread.sum()), len(cells))} hold {what}", remedy)
    first, last = _years(typed, patient)
    evidence = ["range: the extremes, rounded outward to whole years"]
    if (typed == typed.dt.normalize()).all():
        days = (dt.date(first, 1, 1), dt.date(last, 12, 31))
        return Guess(Date(range=days), [f"{count(len(cells), len(cells))} are calendar days", *evidence])
    end = min(dt.datetime(last + 1, 1, 1), _LAST)  # noqa: DTZ001 (datetimes in tables have no time zone)
    datetimes = (dt.datetime(first, 1, 1), end)  # noqa: DTZ001 (datetimes in tables have no time zone)
    return Guess(Datetime(range=datetimes), [f"{count(len(cells), len(cells))} are datetimes", *evidence])


def _years(stamps: pd.Series, patient: NDArray[np.int64] | None) -> tuple[int, int]:
    """Return a first and a last year around all dates that disclose no extreme patient.

    A year of many patients is a bound. Any other is rounded outward to a grid of five years, or of 1, 2 or 5 times a
    power of ten for a long span, and then moved by one step; see `outward`.
    """
    years, places = np.unique(stamps.dt.year.to_numpy(), return_inverse=True)
    low, high = outward(years.astype(np.float64), patients_per(places, patient, len(years)), 1.0)
    return max(int(low), parsing.YEARS[0]), min(int(high), parsing.YEARS[-1])
