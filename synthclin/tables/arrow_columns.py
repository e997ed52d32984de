"""Typed columns of Arrow, from a Parquet file or a database, as columns of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from synthclin.errors import DataError
from synthclin.schema.columns import parsing

__all__ = [
    "MAX_COLUMNS",
    "common_types",
    "from_arrow",
    "is_text",
    "no_rows",
    "refuse_kind",
    "refuse_repeated",
    "refuse_wide",
]

MAX_COLUMNS = 10_000
_NULLABLE = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


def from_arrow(arrow: pa.Table, where: str, remedy: str = "Write it as text or numbers.") -> pd.DataFrame:
    """Return an Arrow table as a DataFrame.

    Arguments:
        arrow: the table. A column in which pandas stored an index without a name is left out.
        where: its name, for errors.
        remedy: what to do about a column of a type that no table has.

    Returns:
        columns of Int64, float64, boolean, datetime64[ns] or object holding str and None.

    Raises:
        DataError: the table has no rows, two columns of one name, or a column of a type that no table has.

    Example:
        >>> from_arrow(pa.table({"age": [63, None], "ldl": [3.1, 2.8]}), "toy").dtypes.astype(str).to_dict()
        {'age': 'Int64', 'ldl': 'float64'}
    """
    # pandas gives this name to an index without one; it is no data.
    names = [name for name in arrow.column_names if not name.startswith("__index_level_")]
    refuse_wide(len(names), where)
    refuse_repeated(names, where)
    if arrow.num_rows == 0 or not names:
        raise no_rows(where)
    series = {name: _series(arrow[name], f"{where}: column '{name}'", remedy) for name in names}
    return pd.DataFrame(series, columns=names)


def common_types(types: pa.Schema | None, batch: pa.Table, refusal: DataError) -> pa.Schema:
    """Return the types of the columns of all batches so far; raises `refusal` where a column is of several types.

    Whole numbers and decimals of one column are decimals, and a column without cells is of any type.
    """
    try:
        return pa.unify_schemas([types or batch.schema, batch.schema], promote_options="permissive")
    except pa.ArrowException:
        raise refusal from None


def no_rows(where: str) -> DataError:
    """Return the error for a table without rows."""
    return DataError(where, "holds no rows", "Give a table with at least two rows.")


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type of Arrow is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def refuse_wide(columns: int, where: str) -> None:
    """Raise DataError for more columns than a table may have."""
    if columns > MAX_COLUMNS:
        what = f"names {columns:,} columns, more than {MAX_COLUMNS:,}"
        raise DataError(where, what, "Keep the columns to be modelled; turn the table if its rows are columns.")


def refuse_repeated(names: Sequence[str], where: str) -> None:
    """Raise DataError where two columns have one name."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(where, f"several columns are named '{twice[0]}'", "Give each column a name of its own.")


def refuse_kind(kind: pa.DataType, where: str, remedy: str = "Write it as text or numbers.") -> None:
    """Raise DataError for a type of Arrow that no table has, such as lists and bytes, before its cells are read."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    known = (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_date(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_null(kind)
        or is_text(kind)
    )
    if not known:
        raise DataError(where, f"is of the type {kind}, which no table holds", remedy)


def _series(column: pa.ChunkedArray, where: str, remedy: str) -> pd.Series:
    """Return one column of Arrow as the pandas type that stands for it."""
    refuse_kind(column.type, where, remedy)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_boolean(kind):
        target = pa.bool_()
    elif pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        target = pa.int64()
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        target = pa.float64()
    elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        target = pa.timestamp("ns", tz=getattr(kind, "tz", None))
    else:
        target = pa.string()
    try:
        single = pa.types.is_float32(kind) or pa.types.is_float16(kind)
        if single and column.null_count < len(column):
            return pd.Series(parsing.shortest(column.cast(pa.float32()).to_numpy()))
        cells = column.cast(target)
    except pa.ArrowInvalid:
        if pa.types.is_timestamp(target):
            # Years that nanoseconds cannot hold, such as 9999 for no end, may be missing codes.
            far: pd.Series = column.cast(pa.timestamp("us", tz=target.tz)).to_pandas()
            return far
        remedy = "Dates run from 1678 to 2261 and whole numbers to 9.2e18; leave a cell empty where nothing is known."
        raise DataError(where, f"holds a value that is too large for the type {kind}", remedy) from None
    series: pd.Series = cells.to_pandas(types_mapper=_NULLABLE.get)
    return series
