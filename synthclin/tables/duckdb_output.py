"""A table written to a DuckDB database in one transaction: readers see the whole table or none."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from synthclin.errors import ConfigError, OutputError, SynthclinError
from synthclin.io.files import path_of, refuse_special, refuse_taken
from synthclin.tables.database_queries import quoted, written_table
from synthclin.tables.duckdb_files import LOCKED, OFFLINE, duckdb_library, duckdb_path, refuse_other_file
from synthclin.tables.parquet_format import written_columns

if TYPE_CHECKING:
    import pyarrow as pa

    from synthclin.schema import Schema

__all__ = ["refuse_taken_in_duckdb", "to_duckdb"]

_REMEDY = "Close the program that uses the file, check its schema and permissions, or name another file."


def to_duckdb(table: pd.DataFrame, source: str, schema: Schema) -> None:
    """Write a typed table to a new table of a DuckDB database; see `synthclin.tables.write_table`.

    The rows go into a table with a temporary name, which is renamed at the end of the same transaction. An existing
    table is never replaced. A database that is not there is made beside its place and then renamed.

    Arguments:
        table: the table.
        source: ``duckdb:///ward.db?table=TABLE``, or ``SCHEMA.TABLE``.
        schema: what the columns mean; its rounding, notation and missing codes are those of a Parquet file.

    Raises:
        ConfigError: no table is named, the path is a folder, or duckdb is not installed.
        DataError: the file is no DuckDB database.
        OutputError: the table exists already, or cannot be written; then the file is as before.
    """
    place, path, name = _target(source)
    library = duckdb_library(place)
    arrow = written_columns(table, schema)
    try:
        if path.exists():
            _write(library, path, arrow, name, place)
            return
        with tempfile.TemporaryDirectory(prefix=".synthclin-", dir=path.parent) as folder:
            made = Path(folder) / "new.db"
            _write(library, made, arrow, name, place)
            made.chmod(0o600)
            refuse_taken(path)
            made.rename(path)
    except SynthclinError:
        raise
    except (library.Error, OSError, ValueError):  # messages of DuckDB may quote cells
        raise OutputError(place, "the table cannot be written", _REMEDY) from None


def refuse_taken_in_duckdb(source: str) -> None:
    """Refuse a table that exists already, before any work is done.

    Raises:
        ConfigError: no table is named, the path is a folder, or duckdb is not installed.
        DataError: the file is no DuckDB database.
        OutputError: there is such a table, or the file is in use.
    """
    place, path, name = _target(source)
    library = duckdb_library(place)
    if not path.exists():
        return
    try:
        with library.connect(str(path), read_only=True, config=OFFLINE | LOCKED) as connection:
            _refuse_taken(connection, name, place)
    except library.Error:
        raise OutputError(place, "is in use, damaged, or of another version of DuckDB", _REMEDY) from None


def _target(source: str) -> tuple[str, Path, str]:
    """Return the place for messages, the file, and the name of the table."""
    place, table = written_table(source)
    path = path_of(duckdb_path(place))
    if path.is_dir():
        what = "is a folder, and a table is written to a DuckDB file"
        raise ConfigError(place, what, "Write duckdb:///ward.db?table=NAME.")
    refuse_taken(path, overwrite=True)
    refuse_special(path, OutputError)
    if path.exists():
        refuse_other_file(path, place)
    return f"{place}?table={table}", path, table


def _write(library: Any, path: Path, arrow: pa.Table, name: str, place: str) -> None:  # noqa: ANN401
    """Write the rows into a table with a temporary name and rename it."""
    inside, _, last = name.rpartition(".")
    partial = f"synthclin_{secrets.token_hex(8)}"
    with library.connect(str(path), config=OFFLINE | LOCKED) as connection:
        _refuse_taken(connection, name, place)
        connection.register("synthclin_rows", arrow)
        connection.begin()
        try:
            whole = quoted(f"{inside}.{partial}" if inside else partial)
            connection.execute(f"CREATE TABLE {whole} AS FROM synthclin_rows")
            connection.execute(f"ALTER TABLE {whole} RENAME TO {quoted(last, parts=False)}")
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.unregister("synthclin_rows")


def _refuse_taken(connection: Any, name: str, place: str) -> None:  # noqa: ANN401
    inside, _, last = name.rpartition(".")
    # Names are compared as DuckDB does, small letters as capital ones.
    found = connection.execute(
        "SELECT count(*) FROM information_schema.tables "
        "WHERE lower(table_schema) = lower(?) AND lower(table_name) = lower(?)",
        [inside or "main", last],
    ).fetchall()
    if found[0][0]:
        raise OutputError(place, "the table exists already", "Choose another name, or drop it yourself.")
