"""Queries by DuckDB: of a DuckDB database, or of the table files in a folder; read-only and offline."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from synthclin.errors import ConfigError, DataError
from synthclin.io.files import inside, path_of, refuse_absent, refuse_special
from synthclin.tables import database_queries
from synthclin.tables.database_queries import quoted, too_slow
from synthclin.tables.duckdb_files import LOCKED, OFFLINE, duckdb_library, duckdb_path, refuse_other_file
from synthclin.tables.parquet_folder import parquet_files
from synthclin.tables.table_files import read_file, stem_of, suited

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from synthclin.tables.database_queries import Request
    from synthclin.tables.file_notation import FileNotation

__all__ = ["duckdb_batches"]

T = TypeVar("T")

_ROWS = 100_000  # of a batch
_FAULTS = {
    "ParserException": ("the query is no SQL that DuckDB understands{line}", "Correct it."),
    "CatalogException": ("the query names a table or function that is not there{line}", "{tables}"),
    "BinderException": ("the query names a column or function that is not there{line}", "Check its names. {tables}"),
    "ConversionException": ("the query converts a cell that cannot be converted{line}", "Use TRY_CAST."),
    "OutOfRangeException": ("the query computes a number that is too large{line}", "CAST to DOUBLE."),
    "OutOfMemoryException": ("the query needs more memory than there is", "Add a WHERE, or name fewer columns."),
    "PermissionException": ("the query reads or writes outside of its tables{line}", "{tables}"),
}


def duckdb_batches(request: Request, notation: FileNotation) -> Generator[pa.Table]:
    """Yield the rows of one SELECT in batches; see `synthclin.tables.read_table`.

    A database file is opened read-only. In a folder the files are the tables: ``FROM person`` reads ``person.csv``, or
    the file ``person`` of any other format; ``FROM 'person.csv'`` names the file itself. Nothing else is read or
    written, no extension is loaded, and nothing of DuckDB's messages, which quote cells, is passed on.

    Arguments:
        request: the database or folder, and the query.
        notation: of the CSV and Excel files in a folder.

    Raises:
        ConfigError: duckdb is not installed, or the query is not one SELECT, or cannot be run.
        DataError: the file is absent or damaged.
    """
    place = request.place
    library = duckdb_library(place)
    path = path_of(duckdb_path(place))
    refuse_absent(path)
    refuse_special(path)
    with _connected(library, path, request, notation) as (connection, sql):
        tables = _tables(connection, path)
        try:
            until = time.monotonic() + database_queries.MAX_SECONDS
            reader = _stoppable(connection, lambda: connection.sql(sql).to_arrow_reader(_ROWS), place, until)
            while (batch := _stoppable(connection, lambda: next(reader, None), place, until)) is not None:
                yield pa.table(batch)
        except (library.Error, pa.ArrowException, OSError) as error:
            raise _refused(error, place, tables) from None


def _stoppable(connection: Any, work: Callable[[], T], place: str, until: float) -> T:  # noqa: ANN401
    """Return what a query returns; it is stopped at a moment of the clock and by signals, such as that of Ctrl-C.

    Python handles no signal while its main thread is inside DuckDB, so another thread runs the query.
    """
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        try:
            return running.result(timeout=max(until - time.monotonic(), 0.0))
        except TimeoutError:
            connection.interrupt()
            raise too_slow(place) from None
        except BaseException:
            connection.interrupt()
            raise


@contextmanager
def _connected(library: Any, path: Path, request: Request, notation: FileNotation) -> Iterator[tuple[Any, str]]:  # noqa: ANN401
    """Yield a locked connection and the text of one SELECT."""
    place = request.place
    if not path.is_dir():
        refuse_other_file(path, place)
        if notation.declared:
            key = notation.declared[0]
            raise ConfigError(f"{place}: {key}", "a database has no such notation", "Remove it.")
    try:
        if path.is_dir():
            connection = library.connect(":memory:", config=OFFLINE)
        else:
            connection = library.connect(str(path), read_only=True, config=OFFLINE | LOCKED)
    except library.Error:
        what = "is in use, damaged, or of another version of DuckDB"
        raise DataError(place, what, "Close the program that uses it, or copy the file.") from None
    try:
        sql = _select(library, connection, request)
        if path.is_dir():
            _add_files(library, connection, path, sql, place, notation)
            for option, value in LOCKED.items():
                connection.execute(f"SET {option}={value}")
        yield connection, sql
    finally:
        connection.close()


def _select(library: Any, connection: Any, request: Request) -> str:  # noqa: ANN401
    """Return the text of the query, which is one SELECT."""
    if request.query is None:
        # In a folder a point belongs to the name of a file.
        return f"FROM {quoted(str(request.table), parts=not path_of(duckdb_path(request.place)).is_dir())}"
    try:
        statements = connection.extract_statements(request.query)
    except library.Error as error:
        raise _refused(error, request.place, []) from None
    if len(statements) != 1:
        what = f"the query holds {len(statements)} statements"
        raise ConfigError(request.place, what, "Write one SELECT.")
    kind = statements[0].type.name
    if kind != "SELECT":
        raise ConfigError(request.place, f"the query is a statement {kind}, not a SELECT", "Write one SELECT.")
    return request.query


def _add_files(library: Any, connection: Any, folder: Path, sql: str, place: str, notation: FileNotation) -> None:  # noqa: ANN401
    """Make the files in a folder that a query names its tables, and allow it to read no other."""
    parsed = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0]
    allowed: list[str] = []
    for name in dict.fromkeys(_named(json.loads(parsed))):
        found = _file(folder, name, place)
        if found is None:
            continue
        table = quoted(name, parts=False)
        if found.suffix.lower() == ".parquet" and not found.is_dir():
            refuse_special(found)
            text = "'" + str(found.resolve()).replace("'", "''") + "'"
            try:
                connection.execute(f"CREATE VIEW {table} AS FROM read_parquet({text})")
            except library.Error:
                raise DataError(str(found), "is not a whole Parquet file", "Write it again.") from None
            allowed.append(text)
        else:
            frame = read_file(found, notation=suited(notation, found))
            connection.register(name, pa.Table.from_pandas(frame, preserve_index=False))
    connection.execute(f"SET allowed_paths=[{', '.join(allowed)}]")


def _named(node: Any) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    """Yield the names of tables in a parsed query."""
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE" and isinstance(node.get("table_name"), str):
            yield node["table_name"]
        for value in node.values():
            yield from _named(value)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value)


def _file(folder: Path, name: str, place: str) -> Path | None:
    """Return the file in a folder that a query calls `name`; None where there is none."""
    if stem_of(name) is not None:
        path = inside(folder, name, DataError)
        refuse_absent(path)
        return path
    same = [path for path in sorted(folder.iterdir()) if _stem(path).lower() == name.lower()]
    if len(same) > 1:
        what = f"several files are called {name!r}: {', '.join(path.name for path in same)}"
        raise DataError(place, what, f"Name one with its ending: FROM '{same[0].name}'.")
    return inside(folder, same[0].name, DataError) if same else None


def _stem(path: Path) -> str:
    """Return the name of a table file, or of a folder of Parquet files, as a table; empty for any other path."""
    return stem_of(path.name) or (path.name if path.is_dir() and parquet_files(path) else "")


def _tables(connection: Any, path: Path) -> list[str]:  # noqa: ANN401
    """Return the names of the tables that a query can name."""
    if path.is_dir():
        return [entry.name for entry in sorted(path.iterdir()) if _stem(entry)]
    found = connection.execute("SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL").fetchall()
    return [str(name) if schema == "main" else f"{schema}.{name}" for schema, name in found]


def _refused(error: Exception, place: str, tables: list[str]) -> ConfigError:
    """Return the error for a query that DuckDB cannot run; its message may quote cells, so only its kind is told."""
    message = str(error)
    known = f"Tables there: {', '.join(tables[:20])}." if tables else "There are no tables."
    if "read-only mode" in message:
        return ConfigError(place, "the query writes", "Write one SELECT.")
    what, remedy = _FAULTS.get(type(error).__name__, ("DuckDB cannot run the query{line}", "Try it in DuckDB itself."))
    lines = re.findall(r"^LINE (\d{1,6}):", message, re.MULTILINE)
    line = f" (line {lines[0]})" if lines else ""
    return ConfigError(place, what.format(line=line), remedy.format(tables=known))
