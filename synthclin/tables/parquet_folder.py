"""A folder of Parquet files as one table, also partitioned in the manner of Hive: ``year=2021/part-0.parquet``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from synthclin.errors import DataError
from synthclin.io.files import refuse_special
from synthclin.tables.arrow_columns import from_arrow
from synthclin.tables.parquet_format import arrow_of

__all__ = [
    "from_parquet_folder",
    "keys_of_files",
    "parquet_files",
    "refuse_other_columns",
    "several_types",
    "with_keys",
]

MOST_FILES = 10_000


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder, sorted; hidden ones, and those of an unfinished writer, are left out."""
    found = folder.rglob("*.parquet")
    hidden = (".", "_")
    return sorted(path for path in found if not any(p.startswith(hidden) for p in path.relative_to(folder).parts))


def from_parquet_folder(folder: Path) -> pd.DataFrame:
    """Return the rows of all Parquet files below a folder; see `synthclin.tables.read_table`.

    The files have the same columns. Folders called ``NAME=VALUE`` add a column each, of whole numbers where all values
    are some.

    Arguments:
        folder: the folder.

    Raises:
        DataError: there is no such file, one is damaged or has other columns, or the table is empty.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for year in (2020, 2021):
        ...     (folder / f"year={year}").mkdir()
        ...     pd.DataFrame({"age": [year - 1950]}).to_parquet(folder / f"year={year}" / "a.parquet")
        >>> from_parquet_folder(folder).to_dict("list")
        {'age': [70, 71], 'year': [2020, 2021]}
    """
    where, keys = str(folder), keys_of_files(folder)
    files = {file: arrow_of(_bytes(file), str(file)) for file in keys}
    for file, part in files.items():
        refuse_other_columns(part, next(iter(files.values())), file, next(iter(keys)))
    parts = [with_keys(part, keys[file], str(file)) for file, part in files.items()]
    try:
        whole = pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException:
        raise several_types(folder) from None
    return from_arrow(whole, where)


def several_types(folder: Path) -> DataError:
    """Return the error for files in which a column is of several types."""
    return DataError(str(folder), "a column is of several types in its files", "Write it with one type.")


def keys_of_files(folder: Path) -> dict[Path, dict[str, object]]:
    """Return the Parquet files below a folder, sorted, each with the columns that its folders add.

    Raises:
        DataError: there is none, there are too many, or the names of folders disagree.
    """
    where = str(folder)
    files = parquet_files(folder)
    if not files:
        raise DataError(where, "is a folder without Parquet files", "Name a table file, or query its files: `duckdb:`.")
    if len(files) > MOST_FILES:
        raise DataError(where, f"holds more than {MOST_FILES:,} Parquet files", "Write the table into fewer.")
    for file in files:
        refuse_special(file)
    keys = _partition_keys(files, folder)
    return {file: keys[file] for file in files}


def refuse_other_columns(part: pa.Table, first: pa.Table, file: Path, first_file: Path) -> None:
    """Raise DataError where a file has other columns than the first one."""
    if set(part.column_names) != set(first.column_names):
        what = f"has other columns than {first_file.name}"
        raise DataError(str(file), what, "Write all files of the table with the same columns.")


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(str(file), f"cannot be read ({error.strerror})", "Check its permissions.") from None


def _partition_keys(files: list[Path], folder: Path) -> dict[Path, dict[str, object]]:
    """Return by file the columns that its folders add."""
    names = [file.as_posix() for file in files]
    try:
        factory = ds.HivePartitioning.discover(infer_dictionary=False)
        found = ds.dataset(names, format="parquet", partitioning=factory, partition_base_dir=folder.as_posix())
        fragments = list(found.get_fragments())
        return {Path(each.path): ds.get_partition_keys(each.partition_expression) for each in fragments}
    except (pa.ArrowException, OSError, ValueError):
        what = "holds a damaged Parquet file, or folders whose names disagree"
        raise DataError(str(folder), what, "Write the table again.") from None


def with_keys(part: pa.Table, keys: dict[str, object], where: str) -> pa.Table:
    """Return a table with a column for each key of its folders."""
    for name, value in keys.items():
        if name in part.column_names:
            raise DataError(where, f"its folder and the file itself have a column '{name}'", "Remove one of them.")
        kind = pa.int64() if isinstance(value, int) else pa.string()
        part = part.append_column(name, pa.array([value] * part.num_rows, kind))
    return part
