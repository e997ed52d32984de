"""Inference of date and datetime columns."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.inference.guesses import Cells, Guess, Refusal, count, is_missing_token, patients_per
from synthclin.inference.numeric_ranges import outward
from synthclin.schema.columns import Date, Datetime, parsing
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.schema.columns.column import MissingCode

__all__ = ["datetime_column", "guess_compact_dates", "guess_datetimes"]

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?")
_ZONED = re.compile(_ISO.pattern + r" ?(Z|[+-][0-9]{2}:?[0-9]{2})")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{2}( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?")
_DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d-%b-%Y",
         "%d %b %Y", "%d%b%Y")  # fmt: skip
_FORMATS = tuple(day + clock for clock in ("", " %H:%M", " %H:%M:%S", ":%H:%M:%S") for day in _DAYS)
_LAST = dt.datetime(2261, 12, 31, 23, 59, 59)  # noqa: DTZ001 (datetimes in tables have no time zone)
_COMPACT = range(1850, 2101)  # years of whole numbers that are read as YYYYMMDD
MOST_STRAY = 0.05  # the largest share of cells that are no dates, in a column of dates
LEAST_DAYS = 10  # distinct days of a column of whole numbers


def guess_datetimes(texts: NDArray[np.object_], values: Sequence[str], cells: Cells) -> Guess | Refusal | None:
    """Guess that texts are dates or datetimes; None if they are not.

    Arguments:
        texts: (cells,) str.
        values: the distinct texts.
        cells: where they are.
    """
    series = pd.Series(texts, dtype=object)
    if _share(_ZONED, values) >= 1 - MOST_STRAY:
        return Refusal("its datetimes have a time zone", "Write them in local time without it.")
    if _share(_ISO, values) >= 1 - MOST_STRAY:
        return datetime_column(series, cells)
    if _share(_SHORT_YEAR, values) >= 1 - MOST_STRAY:
        remedy = "Write the year with four digits and declare `type: date` with `format`, such as `%d.%m.%Y`."
        return Refusal("its cells are dates with a year of two digits, whose century is unknown", remedy)
    found = [form for form in _FORMATS if _share(parsing.form_pattern(form), values) >= 1 - MOST_STRAY]
    read = {form: int(np.isnat(parsing.stamps(series, form)).sum()) for form in found}
    fitting = [form for form in found if read[form] <= MOST_STRAY * len(texts)]
    if not fitting:
        return None
    least = min(read[form] for form in fitting)
    best = [form for form in fitting if read[form] == least]
    if len(best) > 1:
        either = " or ".join(f"`{form}`" for form in best)
        what = "its cells are dates in which day and month cannot be told apart"
        return Refusal(what, f"Declare `type: date` with `format`: {either}.")
    return datetime_column(series, cells, best[0])


def guess_compact_dates(numbers: NDArray[np.float64], cells: Cells) -> Guess | Refusal | None:
    """Guess that whole numbers are days written YYYYMMDD, such as 20210405; None if they are not.

    Arguments:
        numbers: (cells,) float64, whole.
        cells: where they are.
    """
    values = np.unique(numbers)
    inside = (values >= _COMPACT[0] * 10_000) & (values < (_COMPACT[-1] + 1) * 10_000)
    if len(values) < LEAST_DAYS or np.mean(inside) < 1 - MOST_STRAY:
        return None
    series = pd.Series(numbers)
    stamps = parsing.stamps(series, "%Y%m%d")
    return datetime_column(series, cells, "%Y%m%d") if np.mean(np.isnat(stamps)) <= MOST_STRAY else None


def datetime_column(series: pd.Series, cells: Cells, form: str | None = None) -> Guess | Refusal:
    """Return the guess of a date or datetime column, with a range of whole years.

    A cell that is no date, or lies outside the years of a table, is a missing code where many patients have it, and is
    read as missing otherwise, with its row in the evidence.

    Arguments:
        series: (cells,) dates, datetimes or text; at least one.
        cells: where they are.
        form: the format of text and whole numbers, if it is not ISO 8601.
    """
    stamps, total = parsing.stamps(series, form), len(series)
    typed, unread = parsing.datetimes(series, form)
    codes = _codes(series, stamps, unread, cells)
    stray = unread & ~np.isin(np.arange(total), [place for places in codes.values() for place in places])
    if stray.sum() > MOST_STRAY * total or unread.all():
        what, remedy = Datetime().unreadable
        return Refusal(f"{count(int(stray.sum()), total)} hold {what}", remedy)
    days = pd.Series(typed)
    known = days.notna().to_numpy() & ~_far(typed, unread, cells)
    stray |= ~unread & ~known
    first, last = _years(days[known], cells.patient[known] if cells.patient is not None else None)
    evidence = ["range: the extremes, rounded outward to whole years"]
    changes: dict[str, object] = {} if form is None else {"format": form}
    if codes:
        names = [*codes]
        changes["missing_codes"] = {code: "unknown" if len(names) == 1 else f"code {code}" for code in names}
        coded = sum(map(len, codes.values()))
        evidence.append(f"no dates, or far outside all dates, and taken for missing-value codes: {count(coded, total)}")
    if stray.any():
        changes |= {"other": "missing", "missing": "allowed"}
        evidence.append(
            f"no dates, or far outside the rest, and read as missing: {count(int(stray.sum()), total)} "
            f"({cells.named(stray)}); correct them, or widen `range`"
        )
    written = "" if form is None else f", written as {form}"
    if (days[known] == days[known].dt.normalize()).all():
        changes["range"] = (dt.date(first, 1, 1), dt.date(last, 12, 31))
        held = count(int(known.sum()), total)
        return Guess(Date.model_validate(changes), [f"{held} are calendar days{written}", *evidence])
    end = min(dt.datetime(last + 1, 1, 1), _LAST)  # noqa: DTZ001 (datetimes in tables have no time zone)
    changes["range"] = (dt.datetime(first, 1, 1), end)  # noqa: DTZ001 (datetimes in tables have no time zone)
    return Guess(
        Datetime.model_validate(changes), [f"{count(int(known.sum()), total)} are datetimes{written}", *evidence]
    )


def _share(pattern: re.Pattern[str], values: Sequence[str]) -> float:
    """Return the share of texts that match a pattern, without known missing codes."""
    known = [value for value in values if not is_missing_token(value)]
    return sum(pattern.fullmatch(value) is not None for value in known) / max(1, len(known))


def _codes(
    series: pd.Series, stamps: NDArray[np.datetime64], unread: NDArray[np.bool_], cells: Cells
) -> dict[MissingCode, NDArray[np.intp]]:
    """Return the missing-value codes among unread cells, each with its (cells,) places: of many patients alone."""
    codes: dict[MissingCode, NDArray[np.intp]] = {}
    for cell in pd.unique(series[unread]):
        places = np.flatnonzero(unread & (series == cell).to_numpy())
        stamp = stamps[places[0]]
        token = isinstance(cell, str) and is_missing_token(cell)

        if cells.patients_at(places) < MIN_PATIENTS or (np.isnat(stamp) and not token):
            continue
        if isinstance(cell, str):
            codes[cell] = places
        elif isinstance(cell, float | int | np.number):
            codes[int(cell)] = places
        else:
            codes[str(stamp.astype("datetime64[D]"))] = places
    return codes


def _far(typed: NDArray[np.datetime64], unread: NDArray[np.bool_], cells: Cells) -> NDArray[np.bool_]:
    """Return the (cells,) dates of few patients that lie further from the rest than the rest is wide."""
    years = typed.astype("datetime64[Y]").astype(np.int64) + 1970
    far = np.zeros(len(typed), dtype=np.bool_)
    known = years[~unread]
    low, high = np.quantile(known, [0.05, 0.95])
    reach = max(high - low, 20)
    odd = ~unread & ((years < low - 2 * reach) | (years > high + 2 * reach))
    if 0 < odd.sum() <= MOST_STRAY * len(typed) and cells.patients_at(np.flatnonzero(odd)) < MIN_PATIENTS:
        far |= odd
    return far


def _years(stamps: pd.Series, patient: NDArray[np.int64] | None) -> tuple[int, int]:
    """Return a first and a last year around all dates that disclose no extreme patient.

    A year of many patients is a bound. Any other is rounded outward to a grid of five years, or of 1, 2 or 5 times a
    power of ten for a long span, and then moved by one step; see `outward`.
    """
    years, places = np.unique(stamps.dt.year.to_numpy(), return_inverse=True)
    low, high = outward(years.astype(np.float64), patients_per(places, patient, len(years)), 1.0)
    return max(int(low), parsing.YEARS[0]), min(int(high), parsing.YEARS[-1])
