"""A table written to a database server in one transaction: readers see the whole table or none."""

from __future__ import annotations

import io
import secrets
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from synthclin.errors import OutputError, SynthclinError
from synthclin.tables.database_queries import written_table
from synthclin.tables.database_source import connected
from synthclin.tables.parquet_format import written_columns

if TYPE_CHECKING:
    from synthclin.schema import Schema

__all__ = ["refuse_taken_in_database", "to_database"]

_ROWS = 20_000  # of a statement
_REMEDY = "Check address and rights of the user: it needs CREATE and INSERT."


def to_database(table: pd.DataFrame, source: str, schema: Schema) -> None:
    """Write a typed table to a new table of a database; see `synthclin.tables.write_table`.

    The rows go into a table with a temporary name, which is renamed at the end of the same transaction. An existing
    table is never replaced.

    Arguments:
        table: the table.
        source: ``env:NAME?table=TABLE``, or ``SCHEMA.TABLE``, with the address in an environment variable.
        schema: what the columns mean; its rounding, notation and missing codes are those of a Parquet file.

    Raises:
        ConfigError: no table is named, or SQLAlchemy, the driver or the address is absent.
        OutputError: the table exists already, or cannot be written; then the database is as before.
    """
    variable, place, inside, name = _target(source)
    arrow = written_columns(table, schema)
    with connected(variable, read_only=False) as (library, engine):
        try:
            _refuse_taken(library.inspect(engine), inside, name, place)
            _refuse_long_names([name, *arrow.column_names], engine.dialect.max_identifier_length, place)
            with engine.begin() as connection:
                if engine.dialect.name == "sqlite":
                    # The driver begins a transaction with the first row only, after the table is made.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    arrow = _without_booleans(arrow)
                _write(library, connection, arrow, inside, name)
        except SynthclinError:
            raise
        except Exception:  # noqa: BLE001 - drivers raise errors of many kinds, which quote cells and the address
            raise OutputError(place, "the table cannot be written", _REMEDY) from None


def refuse_taken_in_database(source: str) -> None:
    """Refuse a table that exists already, before any work is done.

    Raises:
        ConfigError: no table is named, or SQLAlchemy, the driver or the address is absent.
        OutputError: there is such a table, or the database cannot be reached.
    """
    variable, place, inside, name = _target(source)
    with connected(variable, read_only=False) as (library, engine):
        try:
            _refuse_taken(library.inspect(engine), inside, name, place)
        except SynthclinError:
            raise
        except Exception:  # noqa: BLE001 - drivers raise errors of many kinds, which quote the address
            raise OutputError(place, "the database cannot be reached", _REMEDY) from None


def _target(source: str) -> tuple[str, str, str, str]:
    """Return the variable of the address, the place for messages, and schema and name of the table."""
    variable, table = written_table(source)
    inside, _, name = table.rpartition(".")
    return variable, f"{variable}?table={table}", inside, name


def _refuse_taken(found: Any, inside: str, name: str, place: str) -> None:  # noqa: ANN401
    if found.has_table(name, schema=inside or None):
        raise OutputError(place, "the table exists already", "Choose another name, or drop it yourself.")


def _refuse_long_names(names: list[str], most: int, place: str) -> None:
    """Refuse names that the database would cut, as PostgreSQL does after 63 bytes."""
    for name in names:
        if len(name.encode()) > most:
            what = f"the name {name[:20]!r}... has more than {most} bytes, which this database would cut"
            raise OutputError(place, what, "Rename the column or the table.")


def _write(library: Any, connection: Any, arrow: pa.Table, inside: str, name: str) -> None:  # noqa: ANN401
    """Write the rows into a table with a temporary name and rename it."""
    quoted = library.sql.quoted_name
    columns = [library.Column(quoted(field.name, True), _kind(library, field.type)) for field in arrow.schema]
    partial = library.Table(
        quoted(f"synthclin_{secrets.token_hex(8)}", True),
        library.MetaData(),
        *columns,
        schema=quoted(inside, True) if inside else None,
    )
    partial.create(connection)
    for first in range(0, arrow.num_rows, _ROWS):
        _add(library, connection, partial, arrow.slice(first, _ROWS))
    quote = connection.dialect.identifier_preparer
    connection.exec_driver_sql(f"ALTER TABLE {quote.format_table(partial)} RENAME TO {quote.quote_identifier(name)}")


def _add(library: Any, connection: Any, partial: Any, rows: pa.Table) -> None:  # noqa: ANN401
    """Add rows to a table, by COPY where the driver has it, else many in one statement where the database can."""
    if connection.dialect.driver == "pg8000":
        buffer = io.BytesIO()
        # A text in quotes is no missing cell, even an empty one.
        options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
        csv.write_csv(rows, buffer, options)
        buffer.seek(0)
        name = connection.dialect.identifier_preparer.format_table(partial)
        connection.connection.cursor().execute(f"COPY {name} FROM STDIN WITH (FORMAT csv)", stream=buffer)
        return
    connection.dialect.use_insertmanyvalues_wo_returning = connection.dialect.use_insertmanyvalues
    keys = [f"c{i}" for i in range(rows.num_columns)]
    values = dict(zip((column.name for column in partial.columns), map(library.bindparam, keys), strict=True))
    connection.execute(partial.insert().values(values), rows.rename_columns(keys).to_pylist())


def _without_booleans(arrow: pa.Table) -> pa.Table:
    """Return a table with the texts true and false for SQLite, which would give back numbers."""
    fields = [pa.field(f.name, pa.string() if pa.types.is_boolean(f.type) else f.type) for f in arrow.schema]
    return arrow.cast(pa.schema(fields))


def _kind(library: Any, kind: pa.DataType) -> Any:  # noqa: ANN401
    """Return the SQL type of a type of Arrow."""
    if pa.types.is_boolean(kind):
        return library.Boolean()
    if pa.types.is_integer(kind):
        return library.BigInteger()
    if pa.types.is_floating(kind):
        return library.Double()
    if pa.types.is_date(kind):
        return library.Date()
    return library.DateTime() if pa.types.is_timestamp(kind) else library.Text()
