"""Data types of a training table, so that a synthetic table can have the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.schema.arguments import require_table
from synthclin.schema.split_columns import separated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthclin.schema.schema import Schema

__all__ = ["RESTORED", "dtype_names", "restored", "retyped"]

RESTORED = re.compile(
    r"u?int(8|16|32|64)|U?Int(8|16|32|64)|[fF]loat(32|64)|bool(ean)?|object|string|"
    r"datetime64\[(s|ms|us|ns)\]"
)
"""Names of the dtypes that `restored` converts to."""


def dtype_names(table: pd.DataFrame, schema: Schema) -> dict[str, str]:
    """Return by column the name of its dtype, where it is not the canonical one of the schema.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"visits": {"type": "integer"}, "grade": {"type": "ordinal", "categories": [1, 2, 3]}}
        >>> table = pd.DataFrame({"visits": [2, 5], "grade": [1, 3]})
        >>> dtype_names(table, Schema.model_validate({"columns": columns}))
        {'visits': 'int64', 'grade': 'int64'}
    """
    names = {}
    for name, column in schema.columns.items():
        if name not in table or not isinstance(table[name], pd.Series):
            continue
        written, canonical = str(table[name].dtype), column.dtype
        if RESTORED.fullmatch(written) and written != str(canonical):
            names[name] = written
    return names


def restored(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a typed table in the dtypes of the training table, each column where all its cells can be so.

    A whole number or truth value that may be missing keeps a nullable dtype. Dates that were text stay dates, and
    numbers that were text stay numbers.

    Example:
        >>> grade = pd.Series(pd.Categorical([1, 3], categories=[1, 2, 3], ordered=True))
        >>> restored(pd.DataFrame({"grade": grade}), {"grade": "int64"})["grade"].tolist()
        [1, 3]
    """
    changed = {name: _as(table[name], wanted) for name, wanted in names.items() if name in table}
    return table.assign(**changed) if changed else table


def retyped(table: pd.DataFrame, schema: Schema, where: str = "table") -> pd.DataFrame:
    """Return a table whose columns have the canonical dtypes, where every cell can be read.

    Raises:
        ConfigError: the argument is no table.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"visits": {"type": "integer"}}})
        >>> retyped(pd.DataFrame({"visits": [2.0, None]}), schema)["visits"].dtype
        Int64Dtype()
    """
    require_table(table, where)
    table, _ = separated(table, schema.columns)
    typed = {}
    for name, column in schema.columns.items():
        if name not in table.columns or column.reason_for is not None or not isinstance(table[name], pd.Series):
            continue
        series, kind = table[name], type(column.dtype)
        if series.dtype == column.dtype or (kind is pd.CategoricalDtype and isinstance(series.dtype, kind)):
            continue
        cells, _ = column.coerce(series)
        if cells.isna().equals(series.isna()):
            typed[name] = cells
    return table.assign(**typed) if typed else table


def _objects(series: pd.Series[Any]) -> pd.Series[Any]:
    """Return the cells as Python objects, None where missing."""
    cells = series.to_numpy(dtype=object, copy=True)
    cells[series.isna().to_numpy()] = None
    return pd.Series(cells, index=series.index, dtype=object)


def _as(series: pd.Series[Any], wanted: str) -> pd.Series[Any]:
    """Return one column in the dtype `wanted`, or unchanged where a cell would be lost."""
    cells: pd.Series[Any] = series
    if isinstance(series.dtype, pd.CategoricalDtype):
        cells = _objects(series)
    elif wanted == "object":
        kept = pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_datetime64_dtype(series.dtype)
        if kept and not pd.api.types.is_bool_dtype(series.dtype):
            return series
        cells = _objects(series)
    if wanted == "object":
        return cells
    if series.isna().any() and re.match(r"u?int|bool", wanted):
        wanted = {"bool": "boolean"}.get(wanted, wanted.replace("uint", "UInt").replace("int", "Int"))
    try:
        numbers = pd.to_numeric(cells) if cells.dtype == object and wanted != "string" else cells
        found: pd.Series[Any] = numbers.astype(pd.api.types.pandas_dtype(wanted))
    except (TypeError, ValueError, OverflowError):
        return series
    if wanted.lower().startswith("float") or wanted == "string":
        return found
    before = np.asarray(cells.astype(object)[cells.notna()])
    return found if (before == np.asarray(found.astype(object)[found.notna()])).all() else series
