"""Reading a table from any source: a file by its suffix, or a database by the beginning of its address."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from synthclin.errors import ConfigError, DataError
from synthclin.io.documents import validate
from synthclin.io.files import path_of
from synthclin.rules.validation import conform
from synthclin.schema.arguments import require_schema
from synthclin.tables.addresses import DUCKDB, ENVIRONMENT, is_database, refuse_address
from synthclin.tables.arrow_columns import common_types, from_arrow, no_rows
from synthclin.tables.database_queries import CAST, Request, gathered, several_types
from synthclin.tables.database_source import database_batches
from synthclin.tables.duckdb_source import duckdb_batches
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.table_batches import file_batches
from synthclin.tables.table_files import read_file

if TYPE_CHECKING:
    from synthclin.schema import Schema

__all__ = ["DATABASES", "read_table", "sorted_rows", "table_batches"]

DatabaseReader = Callable[[Request, FileNotation], Generator[pa.Table]]

DATABASES: dict[str, DatabaseReader] = {DUCKDB: duckdb_batches, ENVIRONMENT: database_batches}
"""The readers of databases, which yield batches of rows, by the beginning of a source."""


def read_table(
    source: str | Path,
    schema: Schema | None = None,
    *,
    partial: bool = False,
    judged: bool = False,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    date_format: str | list[str] | None = None,
    sheet: str | None = None,
    query: str | None = None,
    table: str | None = None,
) -> pd.DataFrame:
    r"""Read a table from a file, or by a query from a database.

    A CSV file is UTF-8 with commas between cells and a decimal point, unless declared otherwise, and its first line
    names the columns; ``.csv.gz`` and ``.csv.zst`` are compressed. Empty cells and NA, N/A, NaN, nan, NULL and null are
    missing, unless the schema lists that text as a level. A folder of ``.parquet`` files is one table, to which
    folders called ``NAME=VALUE`` add a column each. The files of SAS (``.sas7bdat``, ``.xpt``), SPSS (``.sav``,
    ``.zsav``, ``.por``) and Stata (``.dta``) need the extra ``readstat``; their cells are codes, and the table carries
    the labels for `synthclin.inference.infer`. Excel files (``.xlsx``, ``.xlsm``) need the extra ``excel``.

    A database is read by one SELECT, or one table of it is read: ``duckdb:///ward.db`` is a DuckDB file and ``duckdb:``
    or ``duckdb:///FOLDER`` queries the table files in a folder, with the extra ``duckdb``; ``env:DATABASE_URL`` is any
    other database, whose address is in this environment variable, with the extra ``database``. It has no order of rows:
    they are sorted by all columns, from the first on, so that the same rows give the same results.

    Arguments:
        source: the file, a folder of Parquet files, or the database.
        schema: what the columns mean. With it, the table is checked and typed by `synthclin.rules.validation.conform`;
            without it, a column is Int64 if every cell is a whole number, float64 if every cell is a number, else text.
        partial: skip that check: columns and cells may be absent, as for `Synthesizer.impute`.
        judged: also accept violations of the schema, such as values out of range, which scores count in a synthetic
            table.
        separator: the sign between the cells of a CSV file, such as ``;``, or ``tab``.
        decimal: the decimal sign in a CSV file, such as ``,``.
        encoding: of a CSV file, such as ``cp1252`` or ``latin-1``.
        date_format: of dates that are not ISO 8601, such as ``DD.MM.YYYY`` or ``%d-%b-%Y``, or several; in a column
            without a schema each cell must be such a date.
        sheet: the name of the sheet of an Excel file, the first by default.
        query: SQL for a database, or the name of a file with it, which ends in ``.sql``.
        table: the name of a table or view of a database, instead of a query.

    Raises:
        ConfigError: the file needs an extra that is not installed, or a notation is invalid or not for such a file.
        DataError: the file is missing, damaged, empty or of another format, or the table violates its schema.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "toy.csv"
        >>> _ = path.write_text("age,diagnosis\n63,250.10\n,V27\n")
        >>> read_table(path).dtypes.astype(str).to_dict()
        {'age': 'Int64', 'diagnosis': 'object'}
        >>> _ = path.write_bytes("größe;am\n1,80;03.04.2021\n1,75;05.04.2021\n".encode("cp1252"))
        >>> read_table(path, separator=";", decimal=",", encoding="cp1252", date_format="DD.MM.YYYY").values.tolist()
        [[1.8, '2021-04-03'], [1.75, '2021-04-05']]
    """
    given = {"separator": separator, "decimal": decimal, "encoding": encoding, "date_format": date_format}
    notation = validate(FileNotation, {**given, "sheet": sheet}, "read_table")
    if schema is not None:
        require_schema(schema)
    read = _reader(source, query, table)
    if read is not None:
        request = Request.of(str(source), query, table)
        place = request.place
        with closing(read(request, notation)) as batches:
            rows = sorted_rows(from_arrow(gathered(batches, place), place, CAST))
    else:
        place, rows = str(path_of(source)), read_file(source, schema, notation)
    if schema is None or partial:
        return rows
    try:
        return conform(rows, schema, judged=judged)
    except DataError as error:
        # The place distinguishes several tables.
        raise DataError(f"{place}: {error.where}", error.what, error.remedy) from None


def table_batches(
    source: str | Path,
    schema: Schema | None = None,
    *,
    query: str | None = None,
    table: str | None = None,
    **notation: object,
) -> Generator[tuple[pd.DataFrame, float | None]]:
    """Yield the rows of a table in batches, unchecked, and the share of a file that is read so far; None of a database.

    Rows of a database come in its own order; see `sorted_rows`. The arguments and errors are those of `read_table`.
    """
    known = validate(FileNotation, notation, "read_table")
    read = _reader(source, query, table)
    if read is None:
        yield from file_batches(source, schema, known)
        return
    request = Request.of(str(source), query, table)
    types: pa.Schema | None = None
    with closing(read(request, known)) as batches:
        for batch in batches:
            if batch.num_rows:
                types = common_types(types, batch, several_types(request.place))
                yield from_arrow(batch, request.place, CAST), None
    if types is None:
        raise no_rows(request.place)


def _reader(source: str | Path, query: str | None, table: str | None) -> DatabaseReader | None:
    """Return the reader of a database; None for a file, which has neither query nor table."""
    refuse_address(source, "read_table")
    if is_database(source):
        return next(read for start, read in DATABASES.items() if str(source).startswith(start))
    if query is not None or table is not None:
        key = "table" if query is None else "query"
        remedy = f"Remove it, or query the files of a folder: `duckdb:///{path_of(source).parent.as_posix()}`."
        raise ConfigError(f"{source}: {key}", "a file is read as a whole", remedy)
    return None


def sorted_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in an order that does not depend on the database."""
    return table.sort_values(list(table.columns), kind="stable", ignore_index=True)
