"""A table in batches of rows, from any source, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from synthclin.io.files import path_of
from synthclin.tables.csv_batches import csv_batches
from synthclin.tables.csv_format import typed_cells
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.packed_csv import PACKED
from synthclin.tables.parquet_batches import parquet_batches
from synthclin.tables.table_files import read_file, readable_suffix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synthclin.schema import Schema

__all__ = ["file_batches", "retyped_as_csv"]

_CSV = (".csv", *PACKED)


def file_batches(
    path: str | Path, schema: Schema | None = None, notation: FileNotation | None = None
) -> Iterator[tuple[pd.DataFrame, float]]:
    """Yield the rows of a table file in batches, and the share of the file that is read so far.

    CSV and Parquet files are read batch by batch; files of other formats are read as a whole, in one batch.

    Arguments:
        path: the file, or a folder of Parquet files.
        schema: what the columns mean; the rows are not checked. Without one, cells of a CSV file are text.
        notation: of the file.

    Raises:
        ConfigError: the file needs an extra that is not installed, or the notation is not for such a file.
        DataError: the file is missing, damaged, empty or of another format.
    """
    path, notation = path_of(path), FileNotation() if notation is None else notation
    suffix = readable_suffix(path, notation)
    if suffix in _CSV:
        return csv_batches(path, suffix, schema, notation)
    if suffix == ".parquet":
        return parquet_batches(path)
    return iter([(read_file(path, schema, notation), 1.0)])


def retyped_as_csv(rows: pd.DataFrame, path: str | Path, notation: FileNotation) -> pd.DataFrame:
    """Return rows of a table file that were read without a schema, in the types that a file of these rows would have.

    Arguments:
        rows: from batches of `file_batches`.
        path: the file; only cells of a CSV file are still text.
        notation: of the file.
    """
    if not str(path).lower().endswith(_CSV):
        return rows
    return pd.DataFrame({name: typed_cells(pa.array(rows[name], pa.string()), None, notation) for name in rows})
