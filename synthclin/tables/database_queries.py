"""What is read of a database: one query, or one table, and the limits on what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from synthclin.errors import ConfigError, DataError
from synthclin.io.files import path_of, refuse_absent, refuse_special
from synthclin.tables.arrow_columns import no_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CAST", "Request", "gathered", "query_text", "quoted", "too_slow", "written_table"]

CAST = "CAST it to text or to a number in the query."
"""The remedy for a column of a type that no table has."""

MAX_QUERY = 1 << 20  # bytes of a file with a query
MAX_CELLS = 200_000_000
MAX_BYTES = 1 << 32
MAX_SECONDS = 3_600  # of a query


@dataclass(frozen=True, slots=True)
class Request:
    """One query or one table of a database.

    Arguments:
        place: the source without what is asked of it, such as ``duckdb:///ward.db``.
        query: the text of one SELECT; None where a table is read.
        table: the name of a table or view, also ``SCHEMA.TABLE``.
    """

    place: str
    query: str | None
    table: str | None

    @classmethod
    def of(cls, source: str, query: str | None = None, table: str | None = None) -> Request:
        """Return what a source asks for, by itself (``?query=SELECT ...``, ``?table=NAME``) or by keywords.

        Arguments:
            source: the source.
            query: SQL, or the name of a file with SQL, which ends in ``.sql``.
            table: the name of a table.

        Raises:
            ConfigError: neither or both are given, or the file of the query cannot be used.
            DataError: there is no such file.

        Example:
            >>> Request.of("duckdb:///ward.db?table=ward")
            Request(place='duckdb:///ward.db', query=None, table='ward')
        """
        place, mark, asked = source.partition("?")
        key, _, value = asked.partition("=")
        if mark and (key not in {"query", "table"} or not value):
            raise ConfigError(place, "what stands after the ? is no query", "Write ?query=SELECT ... or ?table=NAME.")
        given = [("query", query), ("table", table), (key, value or None)]
        asks = {name: text for name, text in given if text is not None}
        if sum(text is not None for _, text in given) > 1:
            raise ConfigError(place, "more than one query or table is asked for", "Leave one: a query, or a table.")
        if not asks:
            remedy = "Give `query: cohort.sql` or `table: NAME` (`--query`, `--table`)."
            raise ConfigError(place, "a database needs a query or the name of a table", remedy)
        text = asks.get("query")
        return cls(place, None if text is None else query_text(text), asks.get("table"))


def too_slow(where: str) -> ConfigError:
    """Return the error for a query that was stopped."""
    what = f"the query takes longer than {MAX_SECONDS:,} seconds, and was stopped"
    return ConfigError(where, what, "Add a WHERE, or write its result into a table of the database and read that.")


def written_table(address: str) -> tuple[str, str]:
    """Return the place of a database and the name of the table to write there.

    Raises:
        ConfigError: no table is named.

    Example:
        >>> written_table("duckdb:///ward.db?table=synthetic")
        ('duckdb:///ward.db', 'synthetic')
    """
    place, _, asked = address.partition("?")
    key, _, name = asked.partition("=")
    if key != "table" or not name.strip() or not all(name.split(".")):
        what = "a table is written under a name"
        raise ConfigError(place, what, f"Write {place}?table=NAME.")
    return place, name


def quoted(name: str, *, parts: bool = True) -> str:
    """Return a name in SQL, each part in double quotes.

    Arguments:
        name: of a table, also ``SCHEMA.TABLE``.
        parts: whether a point separates two parts.

    Example:
        >>> quoted("lab.ward"), quoted('x"; DROP TABLE y')
        ('"lab"."ward"', '"x""; DROP TABLE y"')
    """
    return ".".join('"' + part.replace('"', '""') + '"' for part in (name.split(".") if parts else [name]))


def query_text(query: str) -> str:
    """Return SQL as it is, or that of a file whose name ends in ``.sql``.

    Raises:
        DataError: there is no such file.
        ConfigError: the file is too long or no UTF-8 text.

    Example:
        >>> query_text("SELECT * FROM ward")
        'SELECT * FROM ward'
    """
    if not query.lower().endswith(".sql") or "\n" in query:
        return query
    path: Path = path_of(query)
    refuse_absent(path)
    refuse_special(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_QUERY + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(query, f"cannot be read ({error.strerror})", "Check the path and its permissions.") from None
    except UnicodeDecodeError:
        raise ConfigError(query, "is not UTF-8 text", "Save it as UTF-8.") from None
    if len(content) > MAX_QUERY:
        raise ConfigError(query, "is longer than a query may be", "Give the file that has the SELECT.")
    return text


def gathered(batches: Iterable[pa.RecordBatch | pa.Table], where: str) -> pa.Table:
    """Return the rows of a query, which may come from any number of batches.

    Raises:
        DataError: the rows are more than fit into memory, no batch came, or a column is of several types.
    """
    parts: list[pa.Table] = []
    cells = size = 0
    for batch in batches:
        part = pa.table(batch) if isinstance(batch, pa.RecordBatch) else batch
        cells, size = cells + part.num_rows * max(1, part.num_columns), size + part.nbytes
        if cells > MAX_CELLS or size > MAX_BYTES:
            what = f"the query returns more than {MAX_CELLS:,} cells or {MAX_BYTES >> 30} GiB"
            raise DataError(where, what, "Add a WHERE, or name fewer columns.")
        parts.append(part)
    if not parts:
        raise no_rows(where)
    same = all(part.schema.equals(parts[0].schema) for part in parts)
    try:
        return pa.concat_tables(parts, promote_options="none" if same else "permissive")
    except pa.ArrowException:
        raise several_types(where) from None


def several_types(where: str) -> DataError:
    """Return the error for a query with cells of several types in one column."""
    return DataError(where, "a column holds cells of several types", CAST)
