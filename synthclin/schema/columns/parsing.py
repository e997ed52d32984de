"""Parsing of cells of any dtype as numbers, datetimes, labels or levels. An ambiguous cell is left unread.

Every function takes a series and returns plain arrays of its length; none changes its input.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = [
    "MISSING",
    "UNREAD",
    "YEARS",
    "datetimes",
    "digits_or_text",
    "distinct",
    "form_pattern",
    "identity",
    "infer_levels",
    "labels",
    "match",
    "numbers",
    "shortest",
    "stamps",
]

MISSING, UNREAD = -1, -2
YEARS = range(1678, 2262)  # the full years of datetime64[ns]

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_IN_NUMBERS = re.compile(r"[^0-9+\-.eE]")
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")  # no leading zeros: 007 is a code, not a 7
_SINGLE = (np.dtype(np.float32), np.dtype(np.float16), pd.Float32Dtype())
_HASHABLE = (str, Real, Decimal, np.bool_, dt.date)
_FIELDS = {"%Y": "[0-9]{4}", "%b": "[A-Za-z]{3}"} | dict.fromkeys(("%m", "%d", "%H", "%M", "%S"), "[0-9]{1,2}")
_DATETIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?")


def numbers(series: pd.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read numbers, and text that is written as one with a decimal point and nothing around it.

    Returns:
        values: (rows,) float64, NaN where missing or unread; may be infinite.
        unread: (rows,) bool.

    Example:
        >>> values, unread = numbers(pd.Series(["1.5", "1,5", " 2", None, 3]))
        >>> values.tolist(), unread.tolist()
        ([1.5, nan, nan, nan, 3.0], [False, True, True, False, False])
    """
    if _holds_numbers(series):
        none = np.zeros(len(series), dtype=bool)
        if series.dtype in _SINGLE:
            return shortest(series.to_numpy(na_value=np.nan)), none
        return series.to_numpy(dtype=np.float64, na_value=np.nan, copy=True), none
    missing = series.isna().to_numpy(dtype=bool)
    cells = series.to_numpy(dtype=object)
    values = np.full(len(cells), np.nan)
    text = ~missing
    if pd.api.types.infer_dtype(series, skipna=True) != "string":
        text &= np.fromiter((isinstance(cell, str) for cell in cells), dtype=bool, count=len(cells))
        number = np.fromiter(map(_is_number, cells), dtype=bool, count=len(cells)) & ~missing
        values[number] = [_as_float(cell) for cell in cells[number]]
    values[text] = _numbers_in(cells[text])
    return values, np.isnan(values) & ~missing


def shortest(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return single-precision numbers as float64 by their shortest decimal text: 4.2, not 4.199999809265137.

    Example:
        >>> shortest(np.array([4.2, np.nan], dtype=np.float32)).tolist()
        [4.2, nan]
    """
    single = values.astype(np.float32)
    found, places = np.unique(single, return_inverse=True)
    return found.astype(str).astype(np.float64)[places]


def datetimes(series: pd.Series[Any], form: str | None = None) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """Read dates and datetimes without a time zone, also as ISO 8601 text or written by `form`; see `stamps`.

    Returns:
        values: (rows,) datetime64[ns], NaT where missing or unread.
        unread: (rows,) bool: also what lies outside the years 1678 to 2261.
    """
    values = stamps(series, form)
    years = values.astype("datetime64[Y]").astype(np.int64) + 1970
    inside = ~np.isnat(values) & (years >= YEARS[0]) & (years <= YEARS[-1])
    values = np.where(inside, values, np.datetime64("NaT")).astype("datetime64[ns]")
    return values, ~inside & ~series.isna().to_numpy(dtype=bool)


def stamps(series: pd.Series[Any], form: str | None = None) -> NDArray[np.datetime64]:
    """Return (rows,) datetime64[us] of dates and datetimes of any year to 9999, NaT where missing or unread.

    Arguments:
        series: dates, datetimes, ISO 8601 text, and with `form` text and whole numbers written by it.
        form: a strptime format of `%Y %m %d %b %H %M %S`, such as ``%Y%m%d``.

    Example:
        >>> stamps(pd.Series([20210228, 20210230, "2021-03-01"], dtype=object), "%Y%m%d").astype(str).tolist()
        ['2021-02-28T00:00:00.000000', 'NaT', '2021-03-01T00:00:00.000000']
    """
    if isinstance(series.dtype, np.dtype) and series.dtype.kind == "M":
        return series.to_numpy(dtype="datetime64[us]")
    codes, cells = distinct(series)
    read = _datetimes_in(cells)
    if form is not None and len(cells):
        read = np.where(np.isnat(read), _formatted(cells, form), read)
    read = np.append(read, np.datetime64("NaT", "us"))
    return read[codes]  # a missing cell has code -1, the NaT at the end


def labels(series: pd.Series[Any], write: Callable[[Any], str | None]) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """Read text through `write`, which returns the text of a cell, or None where there is none.

    Returns:
        values: (rows,) str, None where missing or unread.
        unread: (rows,) bool.
    """
    codes, cells = distinct(series)
    written = np.array([*map(write, cells), None], dtype=object)
    values = written[codes]
    return values, (codes >= 0) & pd.isna(values)


def match(series: pd.Series[Any], levels: Sequence[Any]) -> NDArray[np.intp]:
    """Return (rows,) the position of each cell's level, MISSING, or UNREAD where it is none of them.

    The level 1 matches 1, 1.0 and the text "1" or "1.0". The level True also matches the text "true" in any case. A
    text level matches the identical text only.

    Example:
        >>> match(pd.Series(["1", 2.0, None, "01", True], dtype=object), [1, 2]).tolist()
        [0, 1, -1, -2, -2]
    """
    places = {_key(level): place for place, level in enumerate(levels)}
    codes, cells = distinct(series)
    found = [places.get(_key(cell), UNREAD) for cell in cells]
    for index, cell in enumerate(cells):
        if found[index] == UNREAD and isinstance(cell, str):
            found[index] = places.get(_key(_meant(cell)), UNREAD)
    return np.array([*found, MISSING], dtype=np.intp)[codes]


def infer_levels(series: pd.Series[Any]) -> list[Any]:
    """Return the sorted distinct cells of the most frequent type (text, number, boolean).

    Blank text is no level; whole numbers are levels as int, also in a column of floats.

    Example:
        >>> infer_levels(pd.Series([2.0, None, 1.0])), infer_levels(pd.Series(["b", "a", " ", "b"]))
        ([1, 2], ['a', 'b'])
    """
    codes, cells = distinct(series)
    counts = np.bincount(codes[codes >= 0], minlength=len(cells))
    tally: dict[str, int] = {}
    values: dict[str, set[Any]] = {}
    for cell, count in zip(cells, counts.tolist(), strict=True):
        key = None if isinstance(cell, str) and not cell.strip() else _key(cell)
        if key and count:
            tally[key[0]] = tally.get(key[0], 0) + count
            values.setdefault(key[0], set()).add(key[1])
    if not tally:
        return []
    levels = sorted(values[max(tally, key=tally.__getitem__)])
    whole = all(isinstance(level, int | float) and float(level).is_integer() for level in levels)
    return [int(level) if whole and not isinstance(level, bool) else level for level in levels]


def digits_or_text(cell: object) -> str | None:
    """Return nonblank text unchanged, a whole number as its digits, else None."""
    if isinstance(cell, str):
        return str(cell) if cell.strip() else None
    return str(int(cell)) if isinstance(cell, Integral) and not isinstance(cell, bool | np.bool_) else None


def identity(level: object) -> object:
    """Return a key under which levels that read the same are equal: 1, 1.0, "1", True and "true"."""
    return _meant(level) if isinstance(level, str) else level


def distinct(series: pd.Series[Any]) -> tuple[NDArray[np.intp], list[Any]]:
    """Return (rows,) a code per cell, -1 where missing, and the distinct cells; 1, 1.0, True and "1" stay apart."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return np.asarray(series.cat.codes, dtype=np.intp), series.cat.categories.tolist()
    if series.dtype == object and pd.api.types.infer_dtype(series, skipna=True).startswith("mixed"):
        # factorize takes equal cells of unlike types for one, and cannot take lists at all
        first: dict[Any, tuple[int, Any]] = {}
        pairs = [(type(cell), cell if isinstance(cell, _HASHABLE) else id(cell)) for cell in series]
        found = [first.setdefault(pair, (len(first), cell))[0] for pair, cell in zip(pairs, series, strict=True)]
        return np.where(series.isna(), MISSING, found).astype(np.intp), [cell for _, cell in first.values()]
    codes, cells = pd.factorize(series)
    return codes.astype(np.intp), cells.tolist()


def _key(cell: object) -> tuple[str, Any] | None:
    """Return type and value of a cell that can be a level, else None."""
    if isinstance(cell, str):
        return "text", str(cell)
    if isinstance(cell, bool | np.bool_):
        return "truth", bool(cell)
    if isinstance(cell, Integral):
        return "number", int(cell)
    if isinstance(cell, Real | Decimal) and math.isfinite(cell):
        return "number", float(cell)
    return None


def _meant(text: str) -> float | bool | str:
    """Return the number or boolean that a text spells, else the text."""
    if _PLAIN_NUMBER.fullmatch(text):
        return float(text)
    return {"true": True, "false": False}.get(text.casefold(), text)


def _holds_numbers(series: pd.Series[Any]) -> bool:
    is_other = pd.api.types.is_bool_dtype(series) or pd.api.types.is_complex_dtype(series)
    return pd.api.types.is_numeric_dtype(series) and not is_other


def _is_number(cell: object) -> bool:
    return isinstance(cell, Real | Decimal) and not isinstance(cell, bool | np.bool_)


def _as_float(cell: Real | Decimal) -> float:
    try:
        return float(cell)
    except OverflowError:  # an int of more than 308 digits
        return math.inf


def _as_datetime(cell: object) -> dt.datetime | None:
    """Return a datetime to the microsecond; pandas' nanoseconds are dropped."""
    if isinstance(cell, str) and _DATETIME.fullmatch(cell):
        try:
            cell = dt.datetime.fromisoformat(cell)
        except ValueError:
            return None
    elif isinstance(cell, pd.Timestamp):
        cell = cell.to_pydatetime(warn=False)
    elif isinstance(cell, dt.date) and not isinstance(cell, dt.datetime):
        cell = dt.datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 (a day has no time zone)
    return cell if isinstance(cell, dt.datetime) and cell.year == cell.year and cell.tzinfo is None else None  # no NaT


def _numbers_in(text: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return (cells,) float64, NaN where a text is no number."""
    if not _NOT_IN_NUMBERS.search("".join(text)):
        try:  # rounds correctly, which pandas.to_numeric does not
            return text.astype(np.float64)
        except ValueError:
            pass
    return np.array([float(cell) if _NUMBER.fullmatch(cell) else np.nan for cell in text], dtype=np.float64)


def _datetimes_in(cells: list[Any]) -> NDArray[np.datetime64]:
    """Return (cells,) datetime64[us], NaT where a cell is no datetime."""
    if _all_iso(cells):
        try:  # fifty times as fast as cell by cell
            return np.array(cells, dtype="datetime64[us]")
        except ValueError:
            pass
    return np.array([_as_datetime(cell) for cell in cells], dtype="datetime64[us]")


def _formatted(cells: list[Any], form: str) -> NDArray[np.datetime64]:
    """Return (cells,) datetime64[us], NaT where a text or whole number is not written by a strptime format."""
    written = form_pattern(form)
    read: list[dt.datetime | None] = []
    for cell in cells:
        text = digits_or_text(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)
        stamp = None
        if text is not None and written.fullmatch(text):
            try:
                stamp = dt.datetime.strptime(text, form)  # noqa: DTZ007 (datetimes in tables have no time zone)
            except ValueError:
                stamp = None
        read.append(stamp)
    return np.array(read, dtype="datetime64[us]")


@lru_cache
def form_pattern(form: str) -> re.Pattern[str]:
    """Return the pattern of texts written by a strptime format; fields without a sign between them have all digits.

    Raises:
        ValueError: the format has another directive, or lacks the day, the month or the year.

    Example:
        >>> [bool(form_pattern("%Y%m%d").fullmatch(text)) for text in ("20210405", "2021045")]
        [True, False]
    """
    parts = re.findall(r"%.|[^%]+", form)
    fields = [part for part in parts if part.startswith("%")]
    if not set(fields) >= {"%Y", "%d"} or not set(fields) & {"%m", "%b"} or len(set(fields)) < len(fields):
        raise ValueError("needs year, month and day. Write it like %Y%m%d, %d.%m.%Y or %d-%b-%Y.")
    whole = ""
    for place, part in enumerate(parts):
        if not part.startswith("%"):
            whole += re.escape(part)
        elif part not in _FIELDS:
            raise ValueError(f"has the unknown field {part}. Use %Y, %m, %b, %d, %H, %M and %S.")
        else:
            joined = [*parts[max(place - 1, 0) : place], *parts[place + 1 : place + 2]]
            whole += (
                _FIELDS[part] if not any(one.startswith("%") for one in joined) else _FIELDS[part].replace("1,", "")
            )
    return re.compile(whole)


def _all_iso(cells: list[Any]) -> bool:
    """Whether all cells are text of one ISO format: a date, or a datetime to the minute or second."""
    if not cells or not all(isinstance(cell, str) and len(cell) == len(cells[0]) for cell in cells):
        return False
    shape = np.array(["0000-00-00T00:00:00"]).view(np.uint32)[: len(cells[0])]
    if len(cells[0]) not in {10, 16, 19}:
        return False
    points = np.array(cells, dtype=str).view(np.uint32).reshape(len(cells), -1)
    digit, separator = (points >= ord("0")) & (points <= ord("9")), points == shape
    separator[:, 10:11] |= points[:, 10:11] == ord(" ")
    return bool(np.where(shape == ord("0"), digit, separator).all())
