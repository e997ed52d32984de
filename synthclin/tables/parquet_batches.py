"""Parquet files and folders of such files in batches of rows, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from synthclin.tables.arrow_columns import common_types, from_arrow, no_rows
from synthclin.tables.parquet_folder import keys_of_files, refuse_other_columns, several_types, with_keys
from synthclin.tables.parquet_format import arrow_batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

__all__ = ["parquet_batches"]


def parquet_batches(path: Path) -> Iterator[tuple[pd.DataFrame, float]]:
    """Yield the rows of a Parquet file, or of a folder of such files, in batches, and the share that is read so far.

    Arguments:
        path: of the file or folder; see `synthclin.tables.read_table` for both.

    Raises:
        DataError: a file is damaged, has other columns than the first, a column is of several types or of one that no
            table holds, or there are no rows.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "toy.parquet"
        >>> pd.DataFrame({"age": [63, 41]}).to_parquet(path)
        >>> [(len(rows), share) for rows, share in parquet_batches(path)]
        [(2, 1.0)]
    """
    files = keys_of_files(path) if path.is_dir() else {path: {}}
    first: pa.Table | None = None
    types: pa.Schema | None = None
    for number, (file, keys) in enumerate(files.items()):
        for batch, share in arrow_batches(file):
            first = batch.slice(0, 0) if first is None else first
            refuse_other_columns(batch, first, file, next(iter(files)))
            types = common_types(types, batch, several_types(path))
            yield from_arrow(with_keys(batch, keys, str(file)), str(path)), (number + share) / len(files)
    if first is None:
        raise no_rows(str(path))
