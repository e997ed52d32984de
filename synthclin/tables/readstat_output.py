"""Files of SAS, SPSS and Stata out, written by ReadStat, with variable labels, value labels and missing codes."""

from __future__ import annotations

import importlib
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synthclin.errors import ConfigError, DataError
from synthclin.io.source_date import source_date
from synthclin.schema.columns import Column
from synthclin.schema.dtypes import retyped
from synthclin.tables.arrow_columns import is_text
from synthclin.tables.csv_format import cell_texts
from synthclin.tables.parquet_format import written_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthclin.schema import Schema

__all__ = ["WRITING", "refuse_unwritable", "require_readstat", "to_readstat", "to_transport"]

WRITING = {".sav": "write_sav", ".dta": "write_dta", ".xpt": "write_xport"}
"""The writing function of pyreadstat by file suffix."""

_EXACT = 2**53  # whole numbers beyond are not exact in a float64
_SHORT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_NAMES = {".sav": re.compile(r"[A-Za-z@#][A-Za-z0-9_.@#$]{0,63}(?<![._])"), ".dta": _SHORT, ".xpt": _SHORT}
_RESERVED = {
    ".sav": re.compile("all|and|by|eq|ge|gt|le|lt|ne|not|or|to|with", re.IGNORECASE),
    ".dta": re.compile(
        "_all|_b|_coef|_cons|_n|_N|_pi|_pred|_rc|_skip|byte|double|float|if|in|int|long|str[0-9]+|strL|using|with"
    ),
}
_LABEL = {".sav": 255, ".dta": 80, ".xpt": 255}  # bytes of a variable label
_VALUE_LABEL = 120  # bytes
_PADDED = {".sav", ".xpt"}  # formats that fill texts up with blanks
_LARGEST, _SMALLEST = 7.2e75, 6e-79  # of the floating-point numbers of IBM
_MOST_LABELLED = 2**31 - 28  # the largest whole number of Stata; the next ones stand for missing cells
_MISSING = 3  # missing codes that a variable of SPSS can declare
# The time of writing, which would make the bytes of equal tables differ: in a header, by suffix.
_TIME: dict[str, tuple[re.Pattern[bytes], str]] = {
    ".sav": (re.compile(rb"(?<=.{84})\d\d \w{3} \d\d\d\d:\d\d:\d\d", re.DOTALL), "%d %b %y00:00:00"),
    ".dta": (re.compile(rb"\d\d \w{3} \d{4} \d\d:\d\d"), "%d %b %Y 00:00"),
    ".xpt": (re.compile(rb"\d\d\w{3}\d\d:\d\d:\d\d:\d\d"), "%d%b%y:00:00:00"),
}
_HEADER = 2_000  # bytes that hold the times
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_readstat(table: pd.DataFrame, schema: Schema, *, suffix: str) -> bytes:
    """Return a typed table as a file of SAS (``.xpt``), SPSS (``.sav``) or Stata (``.dta``).

    Cells are codes, as in the other formats: `labels` of the schema become value labels, `label` the variable label. A
    missing code stays a cell with its reason as value label (SAS files have none); SPSS also declares up to three codes
    missing. The date in the file is that of SOURCE_DATE_EPOCH, by default the first day of 1970, so that equal tables
    give equal bytes.

    Arguments:
        table: the table.
        schema: what its columns mean.
        suffix: one of `WRITING`.

    Raises:
        ConfigError: pyreadstat is not installed.
        DataError: a name, a number or a text cannot be written in this format.
    """
    write = require_readstat(suffix)
    arrow = written_columns(table, schema)
    _refuse_names(arrow.column_names, suffix)
    columns = {name: schema.columns.get(name) for name in arrow.column_names}
    frame = pd.DataFrame({name: _cells(arrow[name], name, columns[name], table) for name in arrow.column_names})
    for name in arrow.column_names:
        _refuse_cells(frame[name], name, suffix)
    keys: dict[str, Any] = {
        "column_labels": {
            name: _cut(column.label, _LABEL[suffix]) for name, column in columns.items() if column and column.label
        }
    }
    if suffix != ".xpt":
        keys["variable_value_labels"] = _value_labels(columns, frame, whole=suffix == ".dta")
    if suffix == ".sav":
        keys["missing_ranges"] = _missing(columns, frame)
    return _written(write, frame, suffix, keys)


def refuse_unwritable(schema: Schema, suffix: str, table: pd.DataFrame | None = None) -> None:
    """Refuse a schema whose tables cannot be written in a format: by names, levels, and numbers beyond 2^53.

    Arguments:
        schema: what the columns mean.
        suffix: one of `WRITING`.
        table: a typed table, whose levels are those that the schema does not declare.

    Raises:
        ConfigError: pyreadstat is not installed.
        DataError: naming the column.
    """
    names = [name for name, column in schema.columns.items() if column.reason_for is None]
    none = retyped(pd.DataFrame({name: pd.Series([None], dtype=object) for name in names}), schema)
    for name in names:
        column = schema.columns[name]
        typed = None if table is None or name not in table else table[name].dtype
        found = typed.categories if isinstance(typed, pd.CategoricalDtype) else column.levels or ()
        texts = [level for level in found if isinstance(level, str)]
        _refuse_cells(pd.Series(texts, dtype=object), name, suffix)
        if column.is_integer and column.bounds is not None and max(map(abs, column.bounds)) > _EXACT:
            raise _too_large(name)
    to_readstat(none, schema, suffix=suffix)


def to_transport(frame: pd.DataFrame, labels: Mapping[str, str], *, name: str, label: str) -> bytes:
    """Return a SAS transport file of version 5, the form of data sets that are submitted to an authority.

    Arguments:
        frame: columns of float64, or of object holding str, date, datetime and None; names of at most 8 characters.
        labels: of the columns, at most 40 bytes each.
        name: of the data set, at most 8 characters.
        label: of the data set, at most 40 bytes.

    Raises:
        ConfigError: pyreadstat is not installed.
        DataError: a cell cannot be written.
    """
    keys = {"column_labels": dict(labels), "table_name": name, "file_label": label, "file_format_version": 5}
    return _written(require_readstat(".xpt"), frame, ".xpt", keys)


def _written(write: Callable[..., None], frame: pd.DataFrame, suffix: str, keys: Mapping[str, Any]) -> bytes:
    """Return the bytes that a function of pyreadstat writes."""
    try:
        with tempfile.TemporaryDirectory(prefix="synthclin-") as folder:
            path = Path(folder) / f"table{suffix}"
            write(frame, path, **keys)
            content = path.read_bytes()
    except Exception:  # noqa: BLE001 (ReadStat raises errors of many kinds, which may quote cells)
        what, remedy = f"cannot be written as a {suffix} file", "Shorten names and texts, or write CSV or Parquet."
        raise DataError("table", what, remedy) from None
    return _undated(content, suffix)


def require_readstat(suffix: str, where: str = "write_table") -> Callable[..., None]:
    """Return the function of pyreadstat that writes files with this suffix.

    Raises:
        ConfigError: pyreadstat is not installed.
    """
    try:
        found: Callable[..., None] = getattr(importlib.import_module("pyreadstat"), WRITING[suffix])
    except ImportError:
        remedy = 'Install it: pip install -c constraints.txt ".[readstat]"'
        what = f"files ending in '{suffix}' are written by pyreadstat, which is absent"
        raise ConfigError(where, what, remedy) from None
    return found


def _refuse_names(names: list[str], suffix: str) -> None:
    """Refuse column names that the format does not have."""
    seen: set[str] = set()
    for name in names:
        if not _NAMES[suffix].fullmatch(name):
            what = f"files ending in '{suffix}' have no such names of columns"
            remedy = "Use at most 32 letters, digits and _, a letter first, or write CSV or Parquet."
            raise DataError(f"column {name!r}", what, remedy)
        if suffix in _RESERVED and _RESERVED[suffix].fullmatch(name):
            what = f"files ending in '{suffix}' have no column of this name, which is a word of the language"
            raise DataError(f"column {name!r}", what, "Rename the column, or write CSV or Parquet.")
        if name.lower() in seen and suffix != ".dta":
            what = f"files ending in '{suffix}' do not tell small letters from capital ones in names"
            raise DataError(f"column {name!r}", what, "Rename one of the two columns.")
        seen.add(name.lower())


def _cells(array: pa.ChunkedArray, name: str, column: Column | None, table: pd.DataFrame) -> pd.Series:
    """Return a column as float64, dates, or object holding str and None, which ReadStat writes."""
    kind = array.type
    if pa.types.is_boolean(kind):
        return pd.Series(cell_texts(table[name], column), dtype=object)
    if pa.types.is_integer(kind):
        if array.null_count < len(array) and pc.max(pc.abs(array)).as_py() > _EXACT:
            raise _too_large(name)
        return pd.Series(array.cast(pa.float64()).to_numpy())
    if is_text(kind) and column is not None and column.levels and all(map(_is_number, _codes(column))):
        return pd.Series([None if text is None else float(text) for text in array.to_pylist()], dtype=float)
    if pa.types.is_null(kind) or is_text(kind) or pa.types.is_date(kind):
        return pd.Series(array.to_pylist(), dtype=object)
    return pd.Series(array.to_numpy())


def _too_large(name: str) -> DataError:
    what = "holds whole numbers beyond 2^53, which this format does not hold exactly"
    return DataError(f"column {name!r}", what, "Declare it `type: text`, or write CSV or Parquet.")


def _codes(column: Column) -> list[object]:
    """Return the levels and missing codes of a column."""
    return [*(column.levels or ()), *column.missing_codes]


def _cut(text: str | None, most: int) -> str:
    """Return a label of at most so many bytes."""
    return (text or "").encode()[:most].decode(errors="ignore")


def _refuse_cells(cells: pd.Series, name: str, suffix: str) -> None:
    """Refuse cells that a format would change: texts of its padding, and numbers beyond its range."""
    where = f"column {name!r}"
    if cells.dtype == object:
        texts = [text for text in cells.unique() if isinstance(text, str)]
        if any(not text.strip() or "\0" in text for text in texts):
            what = f"holds blank texts or zero bytes, which files ending in '{suffix}' do not have"
            raise DataError(where, what, "Recode them, or write Parquet.")
        if suffix in _PADDED and any(text.endswith(" ") for text in texts):
            what = f"holds texts that end in a blank, which files ending in '{suffix}' drop"
            raise DataError(where, what, "Remove the blank, or write CSV or Parquet.")
    elif suffix == ".xpt" and pd.api.types.is_float_dtype(cells.dtype):
        sizes = cells.abs()
        if ((sizes > _LARGEST) | ((sizes > 0) & (sizes < _SMALLEST))).any():
            what = "holds numbers above 7e75 or between 0 and 6e-79, which files ending in '.xpt' do not have"
            raise DataError(where, what, "Declare `decimals` or a `range`, or write CSV or Parquet.")


def _value_labels(
    columns: Mapping[str, Column | None], frame: pd.DataFrame, *, whole: bool
) -> dict[str, dict[Any, str]]:
    """Return by column the meaning of its codes, those of missing values included; with `whole` of whole numbers."""
    found = {}
    for name, column in columns.items():
        if column is not None:
            numeric = pd.api.types.is_numeric_dtype(frame[name].dtype)
            labels = {
                code: _cut(text, _VALUE_LABEL)
                for code, text in _labelled(column)
                if _is_number(code) == numeric and not (whole and not _is_labelled_in_stata(code))
            }
            if labels and (numeric or frame[name].dtype == object):
                found[name] = labels
    return found


def _labelled(column: Column) -> list[tuple[Any, str]]:
    return [*column.value_labels.items(), *column.missing_codes.items()]


def _is_labelled_in_stata(code: object) -> bool:
    """Return whether Stata can label a code: a whole number of 32 bits."""
    return isinstance(code, int | float) and code == int(code) and abs(code) <= _MOST_LABELLED


def _is_number(code: object) -> bool:
    return isinstance(code, int | float) and not isinstance(code, bool)


def _missing(columns: Mapping[str, Column | None], frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Return by column up to three codes that SPSS takes as missing."""
    found = {}
    for name, column in columns.items():
        numeric = pd.api.types.is_numeric_dtype(frame[name].dtype)
        codes = [code for code in (column.missing_codes if column else ()) if _is_number(code) == numeric]
        if codes and (numeric or all(len(str(code).encode()) <= 8 for code in codes)):
            found[name] = codes[:_MISSING]
    return found


def _undated(content: bytes, suffix: str) -> bytes:
    """Return a file with another date instead of the time of writing."""
    pattern, form = _TIME[suffix]
    day = source_date()
    year, month, number = (1970, 1, 1) if day is None else (day.year, day.month, day.day)
    # strftime names the month in the language of the machine.
    text = form.replace("%d", f"{number:02}").replace("%b", _MONTHS[month - 1])
    text = text.replace("%Y", str(year)).replace("%y", f"{year % 100:02}")
    stamp = text.upper().encode() if suffix == ".xpt" else text.encode()
    return pattern.sub(stamp, content[:_HEADER]) + content[_HEADER:]
