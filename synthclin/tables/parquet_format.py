"""Parquet files in and out."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synthclin.errors import DataError
from synthclin.schema.split_columns import joined, joined_names, sources
from synthclin.tables.arrow_columns import from_arrow, is_text, refuse_kind, refuse_wide
from synthclin.tables.csv_format import INTEGER, MAX_BYTES, MAX_RATIO, cell_texts
from synthclin.tables.missing_codes import missing_codes, names_in_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from synthclin.schema import Schema
    from synthclin.schema.columns import Column

__all__ = ["arrow_batches", "arrow_of", "from_parquet", "to_parquet", "written_columns"]

BATCH_ROWS = 65_536


def from_parquet(content: bytes, where: str, schema: Schema | None = None) -> pd.DataFrame:  # noqa: ARG001 (a reader like the others)
    """Read a Parquet file; see `synthclin.tables.read_table`.

    Arguments:
        content: the bytes of the file.
        where: the file's name, for errors.
        schema: not used; a Parquet file has column types.

    Returns:
        columns of Int64, float64, boolean, datetime64[ns] or object holding str and None. An index that pandas stored
        without a name is left out.

    Raises:
        DataError: the file is damaged or empty, or a column is of a type that no table holds.
    """
    return from_arrow(arrow_of(content, where), where)


def arrow_of(content: bytes, where: str) -> pa.Table:
    """Return a Parquet file as an Arrow table, an index of pandas without a name left out.

    Raises:
        DataError: the file is damaged, far too wide, or unpacks to far more than its size.
    """
    with _refused(where):
        file, most = _opened(pa.BufferReader(content), len(content), where)
        arrow = file.read(use_threads=False)  # threads of Arrow that meet a damaged page can end the process
        _refuse_bomb(sum(map(_expanded, arrow.columns)), most, where)
    return _without_index(arrow)


def arrow_batches(path: Path) -> Iterator[tuple[pa.Table, float]]:
    """Yield the rows of a Parquet file in batches, and the share of them that is read so far; see `arrow_of`."""
    where, expanded, rows = str(path), 0, 0
    with _refused(where), pa.OSFile(where) as source:
        file, most = _opened(source, source.size(), where)
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            arrow = pa.table(batch)
            rows, expanded = rows + arrow.num_rows, expanded + sum(map(_expanded, arrow.columns))
            _refuse_bomb(expanded, most, where)
            yield _without_index(arrow), rows / file.metadata.num_rows


def _opened(source: pa.NativeFile, size: int, where: str) -> tuple[pq.ParquetFile, int]:
    """Return a Parquet file whose texts are read once for all equal ones, and the most bytes that it may unpack to."""
    most = MAX_BYTES + MAX_RATIO * size
    kinds = pq.ParquetFile(source).schema_arrow
    refuse_wide(len(kinds), where)
    for field in kinds:
        refuse_kind(field.type, f"{where}: column '{field.name}'")
    # A repeated text is read once, so that the full size is known before it is expanded.
    texts = [field.name for field in kinds if is_text(field.type)]
    file = pq.ParquetFile(source, read_dictionary=texts)
    _refuse_bomb(_unpacked(file.metadata), most, where)
    return file, most


@contextmanager
def _refused(where: str) -> Iterator[None]:
    """Raise DataError for a file that Arrow cannot read."""
    try:
        yield
    except (pa.ArrowException, OSError, KeyError):
        raise DataError(where, "is not a whole Parquet file", "Write it again.") from None


def _without_index(arrow: pa.Table) -> pa.Table:
    return arrow.select([i for i, name in enumerate(arrow.column_names) if not name.startswith("__index_level_")])


def _refuse_bomb(size: int, most: int, where: str) -> None:
    if size > most:
        what = f"unpacks to more than {MAX_RATIO} times its size, as no table does"
        raise DataError(where, what, "If it is one all the same, write it as CSV.")


def _unpacked(facts: pq.FileMetaData) -> int:
    """Return the unpacked size in bytes: the declared size of the pages, or two bytes per cell if that is more."""
    groups = [facts.row_group(i) for i in range(facts.num_row_groups)]
    pages = sum(group.column(j).total_uncompressed_size for group in groups for j in range(group.num_columns))
    return int(max(pages, 2 * facts.num_rows * facts.num_columns))


def _expanded(column: pa.ChunkedArray) -> int:
    """Return the bytes of all texts of a column whose equal ones are kept once; nothing for any other column."""
    if not pa.types.is_dictionary(column.type) or not is_text(column.type.value_type):
        return 0
    each = (pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() for chunk in column.chunks)
    return int(sum(size or 0 for size in each))


def to_parquet(table: pd.DataFrame, schema: Schema) -> bytes:
    """Return a typed table as a Parquet file without an index; see `synthclin.tables.write_table`.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"ldl": {"type": "number", "decimals": 1}}})
        >>> content = to_parquet(pd.DataFrame({"ldl": [3.14, None]}), schema)
        >>> from_parquet(content, "toy.parquet")["ldl"].tolist()
        [3.1, nan]
    """
    buffer = io.BytesIO()
    pq.write_table(written_columns(table, schema), buffer, compression="zstd")
    return buffer.getvalue()


def written_columns(table: pd.DataFrame, schema: Schema) -> pa.Table:
    """Return a typed table as the Arrow columns of a file: rounded, in the schema's notation, with missing codes."""
    codes = missing_codes(table, schema)
    arrays = {
        name: _array(table[name], column) if name not in codes else _coded_array(table[name], column, codes[name])
        for name in names_in_file(table, schema)
        for column in [schema.columns.get(name)]
    }
    parts = [part for pair in sources(schema.columns).values() for part in pair if part in arrays]
    texts = joined({part: cell_texts(table[part], schema.columns[part]) for part in parts}, schema.columns)
    whole = {name: pa.array(cells, pa.string(), from_pandas=True) for name, cells in texts.items()}
    arrays = {name: whole.get(name, arrays.get(name)) for name in joined_names(arrays, schema.columns)}
    return pa.table(arrays)


def _coded_array(series: pd.Series, column: Column | None, codes: pd.Series) -> pa.Array:
    """Return a column with its missing codes: as numbers if values and codes are some, else as texts."""
    numeric = pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)
    if numeric and all(isinstance(code, int | float) for code in codes.dropna()):
        coded = codes.astype(float)
        whole = (coded.dropna() % 1 == 0).all() and pd.api.types.is_integer_dtype(series.dtype)
        values = coded.where(coded.notna(), series.astype(float))
        return _array(values.astype("Int64") if whole else values, column)
    if codes.isna().all():
        return _array(series, column)
    return pa.array(np.where(codes.isna(), cell_texts(series, column), codes.map(str)), from_pandas=True)


def _notated_array(texts: NDArray[np.object_]) -> pa.Array:
    """Return texts in a column's own notation; whole numbers where all are some, such as 20210405."""
    array = pa.array(texts, pa.string(), from_pandas=True)
    whole = len(texts) > array.null_count and pc.all(pc.match_substring_regex(array, INTEGER)).as_py()
    return array.cast(pa.int64()) if whole else array


def _array(series: pd.Series, column: Column | None) -> pa.Array:
    """Return a column as the plain Arrow array that any reader understands."""
    if column is not None and (texts := column.notation(series)) is not None:
        return _notated_array(texts)
    if isinstance(series.dtype, pd.CategoricalDtype):
        mixed = len({type(level) for level in series.cat.categories}) > 1
        cells = series.astype(object)
        return pa.array(cells.map(str, na_action="ignore") if mixed else cells, from_pandas=True)
    if column is not None and not column.is_integer and column.decimal_places is not None:
        series = series.astype(float).round(column.decimal_places) + 0.0
    if column is not None and column.resolution == "D":
        return pa.array(series.dt.date, type=pa.date32(), from_pandas=True)
    return pa.array(series, from_pandas=True)
