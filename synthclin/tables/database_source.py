"""Queries of a database server by SQLAlchemy, in a read-only transaction; its address comes from the environment."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sqlite3
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa

from synthclin.errors import ConfigError, DataError, SynthclinError
from synthclin.tables import database_queries
from synthclin.tables.addresses import ENVIRONMENT
from synthclin.tables.arrow_columns import refuse_repeated, refuse_wide
from synthclin.tables.database_queries import CAST
from synthclin.tables.select_statement import one_select

if TYPE_CHECKING:
    from synthclin.tables.database_queries import Request
    from synthclin.tables.file_notation import FileNotation

__all__ = ["connected", "database_batches"]

_ROWS = 10_000  # of a batch
_CONNECTING = 30  # seconds
_LONGEST = 1 << 27  # bytes of a cell in SQLite
_STEPS = 100_000  # of the virtual machine of SQLite between two looks at the clock
_DRIVERS = ("psycopg", "psycopg2", "pg8000")  # of PostgreSQL, the first that is installed
_SILENT = "synthclin"
_ADDRESS = "postgresql://USER:PASSWORD@HOST/DATABASE"
_ACCESS = "Check address, user and password in the variable."
_WRITES = "the query writes", "Write one SELECT."
_TABLE = "the query names a table that is not there", "{tables}"
_COLUMN = "the query names a column that is not there", "Check its names. {tables}"
_FUNCTION = "the query names a function that is not there, or gives it cells of another type", "Check it."
_SYNTAX = "the query is no SQL that this database understands", "Correct it."
_SLOW = "the query took too long, and was stopped", "Add a WHERE, or write its result into a table and read that."
_BY_CODE = {  # SQLSTATE, or its class of two signs
    "25006": _WRITES,
    "42P01": _TABLE,
    "3F000": _TABLE,
    "42703": _COLUMN,
    "42883": _FUNCTION,
    "42601": _SYNTAX,
    "42501": ("this user may not read a table of the query", "Ask for the right to SELECT from it."),
    "57014": _SLOW,
    "57": ("the server ended the connection", "Check that it runs, and try again."),
    "08": ("the connection to the server is lost", "Check that it runs, and try again."),
    "22": ("the query converts a cell that cannot be converted", "Correct the CAST."),
    "28": ("the server refuses this user or password", _ACCESS),
    "3D": ("the server has no such database", _ACCESS),
}
_BY_WORDS = {  # of SQLite, which has no codes
    "interrupted": _SLOW,
    "readonly database": _WRITES,
    "no such table": _TABLE,
    "no such column": _COLUMN,
    "no such function": _FUNCTION,
    "syntax error": _SYNTAX,
    "incomplete input": _SYNTAX,
    "not a database": ("is no SQLite database", _ACCESS),
}


def database_batches(request: Request, notation: FileNotation) -> Generator[pa.Table]:
    """Yield the rows of one SELECT, or of one table, in batches; see `synthclin.tables.read_table`.

    The transaction is read-only where the database has such ones (PostgreSQL, SQLite), and never committed. The rows
    come in batches from a cursor of the server. Nothing of the address is in a message, and nothing of the messages of
    server and driver, which quote cells, is passed on.

    Arguments:
        request: the variable as ``env:NAME``, and the query or table.
        notation: none; a database has none.

    Raises:
        ConfigError: SQLAlchemy or the driver is not installed, the variable is not set or holds no address, or the
            query is not one SELECT or cannot be run.
        DataError: the database cannot be reached, or a column holds cells of several types.
    """
    place = request.place
    if notation.declared:
        raise ConfigError(f"{place}: {notation.declared[0]}", "a database has no such notation", "Remove it.")
    sql = None if request.query is None else one_select(request.query, place)
    with connected(place, read_only=True) as (library, engine):
        quote = engine.dialect.identifier_preparer.quote_identifier
        sql = sql or f"SELECT * FROM {'.'.join(map(quote, str(request.table).split('.')))}"  # noqa: S608 - quoted
        try:
            options = {"postgresql_readonly": True} if engine.dialect.name == "postgresql" else {}
            connection = engine.connect().execution_options(**options)
        except Exception as error:  # noqa: BLE001 - drivers raise errors of many kinds, which quote the address
            what, remedy = _fault(error) or ("the database cannot be reached", _ACCESS)
            raise DataError(place, what, remedy.format(tables="")) from None
        try:
            with connection, closing(_batches(connection, sql, place)) as batches:
                yield from batches
        except SynthclinError:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise errors of many kinds, which quote cells
            raise _refused(error, engine, place, library) from None


@contextmanager
def connected(place: str, *, read_only: bool) -> Iterator[tuple[Any, Any]]:
    """Yield SQLAlchemy, and its engine of the database whose address is in an environment variable.

    Arguments:
        place: ``env:NAME``.
        read_only: whether a file of SQLite is opened read-only.

    Raises:
        ConfigError: SQLAlchemy or the driver is not installed, or the variable is not set or holds no address.
    """
    try:
        library: Any = importlib.import_module("sqlalchemy")
    except ImportError:
        remedy = 'Install it: pip install -c constraints.txt ".[database]"'
        raise ConfigError(place, "databases are read by SQLAlchemy, which is absent", remedy) from None
    engine = _engine(library, _address(library, place), place, read_only=read_only)
    try:
        yield library, engine
    finally:
        engine.dispose()


def _address(library: Any, place: str) -> Any:  # noqa: ANN401 (SQLAlchemy is optional, and so are its types)
    """Return the address in an environment variable, with a driver that is installed."""
    name = place.removeprefix(ENVIRONMENT)
    text = os.environ.get(name, "")
    if not text.strip():
        remedy = f"Set it, as in `export {name or 'DATABASE_URL'}={_ADDRESS}`."
        raise ConfigError(place, "the environment variable is not set", remedy)
    try:
        address = library.engine.make_url(text.strip())
    except (library.exc.ArgumentError, ValueError):
        raise ConfigError(
            place, "the environment variable holds no address of a database", f"Write {_ADDRESS}."
        ) from None
    if address.drivername.startswith("duckdb"):
        raise ConfigError(place, "the variable holds the address of a DuckDB file", "Write it as the source itself.")
    if address.drivername in {"postgres", "postgresql"}:
        driver = next((each for each in _DRIVERS if importlib.util.find_spec(each)), _DRIVERS[-1])
        address = address.set(drivername=f"postgresql+{driver}")
    return address


def _engine(library: Any, address: Any, place: str, *, read_only: bool) -> Any:  # noqa: ANN401
    """Return the engine of a database; no log has its statements and rows."""
    for kind in ("engine.Engine", "pool.impl.NullPool"):
        logging.getLogger(f"sqlalchemy.{kind}.{_SILENT}").disabled = True
    keys: dict[str, Any] = {"logging_name": _SILENT, "pool_logging_name": _SILENT, "hide_parameters": True}
    if read_only and address.get_backend_name() == "sqlite":
        keys["creator"] = lambda: _sqlite(address.database or "")
    if (patience := _patience(address)).keys().isdisjoint(address.query):
        keys["connect_args"] = patience
    try:
        return library.create_engine(address, poolclass=library.pool.NullPool, **keys)
    except ImportError:
        remedy = 'Install it; that of PostgreSQL by: pip install -c constraints.txt ".[postgresql]"'
        raise ConfigError(place, "the driver of this database is not installed", remedy) from None
    except (library.exc.SQLAlchemyError, TypeError, ValueError):
        raise ConfigError(place, "SQLAlchemy knows no database with such an address", f"Write {_ADDRESS}.") from None


def _patience(address: Any) -> dict[str, float]:  # noqa: ANN401
    """Return the argument of a driver that ends the wait for a server without an answer."""
    driver = address.drivername.rpartition("+")[2]
    if driver == "pg8000":  # it is also the limit of each answer, so it exceeds that of a query
        return {"timeout": database_queries.MAX_SECONDS + _CONNECTING}
    return {"connect_timeout": _CONNECTING} if driver in _DRIVERS else {}


def _sqlite(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    return connection


def _batches(connection: Any, sql: str, place: str) -> Generator[pa.Table]:  # noqa: ANN401
    """Yield the rows of a query in batches from a cursor of the server."""
    options = {"stream_results": True, "yield_per": _ROWS, "no_parameters": True}
    _limit_time(connection)
    result = connection.execution_options(**options).exec_driver_sql(sql)
    try:
        names = list(result.keys())
        refuse_wide(len(names), place)
        refuse_repeated(names, place)
        for rows in result.partitions(_ROWS):
            columns = zip(names, zip(*rows, strict=True), strict=True)
            yield pa.table({name: _array(cells, f"{place}: column '{name}'") for name, cells in columns})
    finally:
        result.close()


def _limit_time(connection: Any) -> None:  # noqa: ANN401
    """Stop the queries of a connection after a time, where the database has such a limit."""
    seconds = database_queries.MAX_SECONDS
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(1_000 * seconds)}")
    elif connection.dialect.name == "sqlite":
        end = time.monotonic() + seconds
        connection.connection.dbapi_connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)


def _array(cells: Sequence[Any], where: str) -> pa.Array:
    """Return the cells of one column in one batch."""
    kinds = {type(cell) for cell in cells}
    if Decimal in kinds:
        whole = all(type(cell) is not Decimal or (cell.is_finite() and cell.as_tuple().exponent == 0) for cell in cells)
        cells = [(int if whole else float)(cell) if isinstance(cell, Decimal) else cell for cell in cells]
    if UUID in kinds:
        cells = [str(cell) if isinstance(cell, UUID) else cell for cell in cells]
    try:
        return pa.array(cells)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        what = "holds cells of several types, or of one that no table holds, or too large numbers"
        raise DataError(where, what, CAST) from None


def _fault(error: Exception) -> tuple[str, str] | None:
    """Return what is wrong and the remedy, by the code that the driver gives."""
    original = getattr(error, "orig", None) or error
    told = original.args[0] if original.args and isinstance(original.args[0], dict) else {}
    code = str(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or told.get("C") or "")
    if code:
        return _BY_CODE.get(code) or _BY_CODE.get(code[:2])
    words = str(original) if isinstance(original, sqlite3.Error) else ""
    return next((fault for key, fault in _BY_WORDS.items() if key in words), None)


def _refused(error: Exception, engine: Any, place: str, library: Any) -> ConfigError:  # noqa: ANN401
    """Return the error for a query that the database cannot run."""
    what, remedy = _fault(error) or ("the database cannot run the query", "Try it in a client of the database.")
    known = ""
    if "{tables}" in remedy:
        try:
            found = library.inspect(engine)
            names = [*found.get_table_names(), *found.get_view_names()]
            known = f"Tables there: {', '.join(names[:20])}." if names else "There are no tables in its first schema."
        except library.exc.SQLAlchemyError:
            known = "Check the name."
    return ConfigError(place, what, remedy.format(tables=known).strip())
