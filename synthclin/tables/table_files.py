"""Reading and writing table files by their suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from synthclin.errors import ConfigError, DataError
from synthclin.io.files import path_of, refuse_absent, refuse_special, refuse_taken, write_atomic
from synthclin.rules.validation import Finding
from synthclin.schema.arguments import require_schema
from synthclin.schema.dtypes import retyped
from synthclin.tables.addresses import DUCKDB, ENVIRONMENT, is_database, refuse_address
from synthclin.tables.csv_format import from_csv, to_csv, to_csv_gz
from synthclin.tables.database_output import refuse_taken_in_database, to_database
from synthclin.tables.duckdb_output import refuse_taken_in_duckdb, to_duckdb
from synthclin.tables.excel_format import from_excel
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.packed_csv import PACKED, from_packed_csv
from synthclin.tables.parquet_folder import from_parquet_folder
from synthclin.tables.parquet_format import from_parquet, to_parquet
from synthclin.tables.readstat_format import FUNCTIONS, from_readstat
from synthclin.tables.readstat_output import WRITING, to_readstat
from synthclin.tables.spreadsheet_formulas import CsvSafe, formulas

if TYPE_CHECKING:
    from synthclin.schema import Schema

__all__ = [
    "notations",
    "read_file",
    "readable_suffix",
    "refuse_table",
    "refuse_taken_table",
    "spreadsheet_warnings",
    "stem_of",
    "suffix_of",
    "suited",
    "write_table",
]

Reader = Callable[..., pd.DataFrame]
Writer = Callable[..., bytes]

READERS: dict[str, Reader] = {
    ".csv": from_csv,
    **{suffix: partial(from_packed_csv, suffix=suffix) for suffix in PACKED},
    ".parquet": from_parquet,
    ".xlsx": from_excel,
    ".xlsm": from_excel,
    **{suffix: partial(from_readstat, suffix=suffix) for suffix in FUNCTIONS},
}
_CSV_KEYS, _EXCEL_KEYS = ("separator", "decimal", "encoding", "date_format"), ("date_format", "sheet")
_NOTATED = {".csv": _CSV_KEYS, ".csv.gz": _CSV_KEYS, ".csv.zst": _CSV_KEYS, ".xlsx": _EXCEL_KEYS, ".xlsm": _EXCEL_KEYS}
CSV = (".csv", ".csv.gz")
"""The endings of text files, whose cells a spreadsheet may run as formulas."""
WRITERS: dict[str, Writer] = {
    ".csv": to_csv,
    ".csv.gz": to_csv_gz,
    ".parquet": to_parquet,
    **{suffix: partial(to_readstat, suffix=suffix) for suffix in WRITING},
}


DATABASE_WRITERS: dict[str, Callable[[pd.DataFrame, str, Schema], None]] = {
    DUCKDB: to_duckdb,
    ENVIRONMENT: to_database,
}
"""The writers of databases, by the beginning of an address."""
_CHECKS = {DUCKDB: refuse_taken_in_duckdb, ENVIRONMENT: refuse_taken_in_database}


def read_file(path: str | Path, schema: Schema | None = None, notation: FileNotation | None = None) -> pd.DataFrame:
    """Read a table file; see `synthclin.tables.read_table`.

    Arguments:
        path: the file, or a folder of Parquet files.
        schema: what the columns mean; the table is not checked.
        notation: of the file.

    Raises:
        ConfigError: the file needs an extra that is not installed, or the notation is not for such a file.
        DataError: the file is missing, damaged, empty or of another format.
    """
    path, notation = path_of(path), FileNotation() if notation is None else notation
    suffix = readable_suffix(path, notation)
    if path.is_dir():
        return from_parquet_folder(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            str(path), f"cannot be read ({error.strerror})", "Check the path and its permissions."
        ) from None
    return READERS[suffix](content, str(path), schema, **({"notation": notation} if suffix in _NOTATED else {}))


def readable_suffix(path: Path, notation: FileNotation) -> str:
    """Return the suffix of a file that is there and has such a notation; ``.parquet`` for a folder.

    Raises:
        ConfigError: the notation is not for such a file.
        DataError: the file is missing or of another format.
    """
    suffix = ".parquet" if path.is_dir() else suffix_of(path)
    if not path.is_dir():
        refuse_absent(path)
        refuse_special(path)
    _refuse_notation(notation, suffix, str(path))
    return suffix


def suited(notation: FileNotation, path: Path) -> FileNotation:
    """Return the part of a notation that a file of this kind has.

    Example:
        >>> suited(FileNotation(separator=";", sheet="visits"), Path("ward.csv")).declared
        ['separator']
    """
    known = () if path.is_dir() else _NOTATED.get(suffix_of(path), ())
    return FileNotation(**{key: getattr(notation, key) for key in notation.declared if key in known})


def stem_of(name: str) -> str | None:
    """Return the name of a table file without its ending; None for the name of another file.

    Example:
        >>> stem_of("person.csv.gz"), stem_of("person.txt")
        ('person', None)
    """
    for suffix in sorted(READERS, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return None


def write_table(table: pd.DataFrame, path: str | Path, schema: Schema, *, csv_safe: CsvSafe = "warn") -> None:
    r"""Write a typed table to a file by its ending; equal tables give equal bytes.

    Numbers are rounded to the schema's `decimals` and written without trailing zeros, dates are ISO 8601, missing cells
    are empty (CSV) or null. ``.csv``, ``.csv.gz`` and ``.parquet`` need nothing more; ``.sav``, ``.dta`` and ``.xpt``
    need the extra ``readstat`` and hold the labels of the schema. The file is written atomically, readable by its owner
    only.

    Arguments:
        table: the table; its columns may have the dtypes of the schema or of a training table.
        path: where to write it: a file; or, in one transaction, a new table of a database:
            ``duckdb:///ward.db?table=NAME`` of a DuckDB file, which is made where it is not there, with the extra
            ``duckdb``; ``env:DATABASE_URL?table=NAME`` of the database whose address is in this environment variable,
            with the extra ``database``.
        schema: what the columns mean.
        csv_safe: ``escape`` puts a quote before text in a CSV file that a spreadsheet would run as a formula; numbers
            stay as they are, and `read_table` with the schema takes the quote away again. See `formulas`.

    Raises:
        OutputError: the file or table cannot be written, or the database has such a table already.
        DataError: files with this suffix cannot be written.

    Example:
        >>> import tempfile
        >>> from synthclin.schema import Schema
        >>> columns = {"age": {"type": "integer"}, "bmi": {"type": "number", "decimals": 1}}
        >>> schema = Schema.model_validate({"columns": columns})
        >>> path = Path(tempfile.mkdtemp()) / "toy.csv"
        >>> write_table(pd.DataFrame({"age": [63, 41], "bmi": [21.04, None]}), path, schema)
        >>> path.read_text()
        'age,bmi\n63,21\n41,\n'
    """
    require_schema(schema)
    table = retyped(table, schema)
    refuse_address(path, "write_table")
    for start, write in DATABASE_WRITERS.items():
        if str(path).startswith(start):
            write(table, str(path), schema)
            return
    path = path_of(path)
    suffix = suffix_of(path, tuple(WRITERS))
    writer = WRITERS[suffix]
    try:
        content = writer(table, schema, csv_safe) if suffix in CSV else writer(table, schema)
    except UnicodeEncodeError:  # it quotes the cell
        remedy = "Remove lone surrogates, which are halves of signs."
        raise DataError("table", "holds text that is not Unicode", remedy) from None
    write_atomic(path, content)


def refuse_taken_table(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a place where no table can be written, before any work is done.

    Arguments:
        path: as for `write_table`.
        overwrite: whether an existing file may be replaced; a table of a database never is.

    Raises:
        ConfigError: no table of the database is named, or an extra is not installed.
        DataError: the file of a database is none.
        OutputError: the file or table is there already.
    """
    refuse_address(path, "output")
    for start, check in _CHECKS.items():
        if str(path).startswith(start):
            check(str(path))
            return
    refuse_taken(path, overwrite)


def spreadsheet_warnings(table: pd.DataFrame, schema: Schema, remedy: str) -> list[Finding]:
    """Return a warning for each modelled column with text that a spreadsheet may run as a formula from a CSV file.

    Arguments:
        table: any table.
        schema: what its columns mean; only modelled columns are written.
        remedy: the setting that escapes them.
    """
    names = [name for name in schema.modelled if name in table.columns]
    return [
        Finding(
            f"column {name!r}",
            f"{count:,} rows or the name begin like a formula, which a spreadsheet may run",
            f"Set `{remedy}` to put a quote before them, or write Parquet.",
            count=count,
            total=len(table),
            severity="warning",
        )
        for name, count in formulas(table, names).items()
    ]


def notations(given: Mapping[str, Any], sources: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return by source the keywords of a notation that sources of its kind have, such as none for Parquet.

    A keyword that no source of them has stays with each, so that `read_table` refuses it.

    Raises:
        ConfigError: a query or table is given, and it is not said of which source.

    Example:
        >>> notations({"separator": ";"}, ["train.csv", "synthetic.parquet"])
        {'train.csv': {'separator': ';'}, 'synthetic.parquet': {}}
    """
    for key in ("query", "table"):
        if key in given:
            what, remedy = "several tables are read", f"Write it behind its database: env:DATABASE_URL?{key}=..."
            raise ConfigError(f"--{key}", what, remedy)
    kinds = {source: _keys_of(source) for source in sources}
    useless = [key for key in given if not any(key in keys for keys in kinds.values())]
    return {source: {key: given[key] for key in given if key in (*keys, *useless)} for source, keys in kinds.items()}


def _keys_of(source: str) -> tuple[str, ...]:
    """Return the keys of a notation that a source has."""
    refuse_address(source, "read_table")
    if is_database(source) or path_of(source).is_dir():
        return ()
    return _NOTATED.get(suffix_of(path_of(source)), ())


def refuse_table(path: str | Path, kind: str) -> None:
    """Raise ConfigError if a file in the place of a study or schema, named by `kind`, is a table by its suffix.

    Example:
        >>> refuse_table("ward.csv", "study")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: ward.csv: this is a table, not a study. Run `synthclin init ward.csv` for one.
    """
    if str(path).lower().endswith(tuple(READERS)):
        remedy = f"Run `synthclin init {path}` for one."
        raise ConfigError(str(path), f"this is a table, not a {kind}", remedy)


def _refuse_notation(notation: FileNotation, suffix: str, where: str) -> None:
    """Refuse a notation that files of this kind do not have."""
    for key in notation.declared:
        if key not in _NOTATED.get(suffix, ()):
            raise ConfigError(f"{where}: {key}", f"files ending in '{suffix}' have no such notation", "Remove it.")


def suffix_of(path: Path, known: tuple[str, ...] = tuple(READERS)) -> str:
    """Return which of the `known` suffixes the file has, by default of those that are read; DataError for none."""
    for suffix in known:
        if path.name.lower().endswith(suffix):
            return suffix
    remedy = f"Use {', '.join(known[:-1])} or {known[-1]}."
    kind = f"ending in '{path.suffix}'" if path.suffix else "without an ending"
    raise DataError(str(path), f"files {kind} are not understood here", remedy)
