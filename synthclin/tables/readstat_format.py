"""Files of SAS, SPSS and Stata, read by ReadStat: cells as codes, and the codebook that such a file holds."""

from __future__ import annotations

import importlib
import io
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError, DataError
from synthclin.schema.codebook import Code, Entry, with_codebook
from synthclin.schema.columns import parsing
from synthclin.tables.arrow_columns import refuse_wide
from synthclin.tables.csv_format import MAX_BYTES, MAX_RATIO
from synthclin.tables.readstat_ends import UNCOUNTED, is_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from synthclin.schema import Schema

__all__ = ["FUNCTIONS", "from_readstat"]

FUNCTIONS = {
    ".sav": "read_sav",
    ".zsav": "read_sav",
    ".por": "read_por",
    ".sas7bdat": "read_sas7bdat",
    ".xpt": "read_xport",
    ".dta": "read_dta",
}
"""The reading function of pyreadstat by file suffix."""

CODED = frozenset([".sav", ".zsav", ".sas7bdat", ".dta"])  # formats with several missing-value codes
_AT_ONCE = 500  # columns: ReadStat reserves memory for 100,000 rows of each where the file has no count of rows
EXACT = 2.0**53  # whole numbers from here on are not exact in a float64


def from_readstat(
    content: bytes,
    where: str,
    schema: Schema | None = None,  # noqa: ARG001 (a reader like the others)
    *,
    suffix: str,
) -> pd.DataFrame:
    """Read a file of SAS, SPSS or Stata; see `synthclin.tables.read_table`.

    Cells hold the codes that the file holds, not their labels, so that programs written for the real table run on a
    synthetic one. A value declared missing stays as its code if the file declares a reason; dates have no such code.

    Arguments:
        content: the bytes of the file.
        where: the file's name, for errors.
        schema: not used; the file has column types.
        suffix: the ending of its name, one of `FUNCTIONS`.

    Returns:
        columns of Int64, float64, datetime64[ns] or object, with the file's codebook (`synthclin.schema.codebook`).

    Raises:
        ConfigError: pyreadstat is not installed.
        DataError: the file is damaged or empty, or holds a date that no table holds.
    """
    read = partial(_function(suffix, where), **({"user_missing": True} if suffix in CODED else {}))
    try:
        about = read(io.BytesIO(content), metadataonly=True)[1]
        refuse_wide(len(about.column_names), where)
        widths = list(about.variable_storage_width.values())
        whole = is_whole(content, suffix, len(widths))
        # Limit against decompression bombs; a cell takes at least two bytes.
        most = (MAX_BYTES + MAX_RATIO * len(content)) // max(1, sum(max(2, width) for width in widths))
        if suffix in UNCOUNTED and len(widths) > _AT_ONCE:
            names = about.column_names
            groups = [names[first : first + _AT_ONCE] for first in range(0, len(names), _AT_ONCE)]
            raw = pd.concat([read(io.BytesIO(content), usecols=group)[0] for group in groups], axis="columns")
        else:
            raw, about = read(io.BytesIO(content), row_limit=int(most) + 1)
        dated = [name for name in _coded(about) if _is_dated(raw[name])]
        if dated:
            raw[dated] = read(io.BytesIO(content), usecols=dated, user_missing=False)[0][dated]
    except DataError:
        raise
    except Exception:  # noqa: BLE001 (a damaged file makes ReadStat raise errors of many kinds, which may quote cells)
        raise _damaged(where, suffix) from None
    if not whole:
        raise _damaged(where, suffix)
    if len(raw) > most:
        what = f"unpacks to more than {MAX_RATIO} times its size, as no table does"
        raise DataError(where, what, "If it is one all the same, write it as CSV.")
    if raw.empty:
        raise DataError(where, "holds no rows", "Give a table with at least two rows.")
    table = pd.DataFrame({name: _series(raw[name], f"{where}: column '{name}'") for name in raw})
    return with_codebook(table, {name: _entry(name, about, raw[name], dated) for name in raw})


def _damaged(where: str, suffix: str) -> DataError:
    remedy = "Write it again, or export the table to Parquet or CSV."
    return DataError(where, f"is not a whole {suffix} file", remedy)


def _function(suffix: str, where: str) -> Any:  # noqa: ANN401 (pyreadstat is optional, and so are its types)
    """Return the reading function for a file suffix."""
    try:
        return getattr(importlib.import_module("pyreadstat"), FUNCTIONS[suffix])
    except ImportError:
        remedy = 'Install it: pip install -c constraints.txt ".[readstat]"'
        raise ConfigError(
            where, f"files ending in '{suffix}' are read by pyreadstat, which is absent", remedy
        ) from None


def _coded(about: Any) -> Mapping[str, Iterable[Any]]:  # noqa: ANN401
    """Return by column the codes, and ranges of codes, that the file declares missing."""
    return {**about.missing_ranges, **about.missing_user_values}


def _is_dated(cells: pd.Series[Any]) -> bool:
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return True
    return pd.api.types.infer_dtype(cells[~cells.map(lambda cell: isinstance(cell, str))], skipna=True) in {
        "date",
        "datetime",
        "datetime64",
    }


def _series(cells: pd.Series[Any], where: str) -> pd.Series[Any]:
    """Return one column as whole numbers, numbers, datetimes or text."""
    if _is_dated(cells):
        datetimes, unread = parsing.datetimes(cells)
        if not unread.any():
            return pd.Series(datetimes)
        # Years that nanoseconds cannot hold, such as 9999 for no end, may be missing codes.
        stamps = parsing.stamps(cells)
        if (np.isnat(stamps) & cells.notna().to_numpy()).any():
            raise DataError(where, "holds something that is not a date", "Correct it, or recode it as missing.")
        return pd.Series(stamps)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        known = cells.dropna()
        whole = len(known) > 0 and bool(((known % 1 == 0) & (known.abs() < EXACT)).all())
        return cells.astype("Int64" if whole else "float64")
    if pd.api.types.infer_dtype(cells, skipna=True) == "time":
        return cells.map(str, na_action="ignore")
    # These formats write an empty text where there is none.
    absent = cells.isna() | cells.map(lambda cell: isinstance(cell, str) and not cell.strip())
    return cells.astype(object).mask(absent, None)


def _entry(name: str, about: Any, cells: pd.Series[Any], dated: Collection[str]) -> Entry:  # noqa: ANN401
    """Return the codebook entry of a column."""
    label = about.column_names_to_labels.get(name)
    labels = {_code(code): _line(str(text)) for code, text in about.variable_value_labels.get(name, {}).items()}
    missing: dict[Code, str] = {}
    for code in [] if name in dated else _missing(_coded(about).get(name, ()), [*labels, *cells.dropna().unique()]):
        reason = labels.get(code) or f"code {code}"
        missing[code] = f"{reason} ({code})" if reason in missing.values() else reason
    measure = about.variable_measure.get(name)
    return Entry(
        label=_line(label or "") or None,
        levels={code: text for code, text in labels.items() if code not in missing and text},
        missing=missing,
        measure=measure if measure in {"nominal", "ordinal", "scale"} else None,
    )


def _missing(declared: Iterable[Any], used: Iterable[Any]) -> list[Code]:
    """Return the codes declared missing: single ones, and of a range those with a label or in a cell."""
    found: dict[Code, None] = {}
    for one in declared:
        low, high = (one["lo"], one["hi"]) if isinstance(one, dict) else (one, one)
        if low == high:
            found[_code(low)] = None
        else:
            inside = [code for code in used if not isinstance(code, str) and low <= code <= high]
            found |= dict.fromkeys(map(_code, sorted(inside)))
    return list(found)


def _code(code: Any) -> Code:  # noqa: ANN401
    """Return a code as in a schema: whole numbers as int."""
    if isinstance(code, str):
        return code
    return int(code) if float(code).is_integer() and abs(code) < EXACT else float(code)


def _line(text: str) -> str:
    """Return a label as one line of printable text."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
