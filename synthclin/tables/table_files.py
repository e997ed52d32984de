"""Reading and writing table files by their suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from synthclin.errors import ConfigError, DataError
from synthclin.io.files import path_of, refuse_absent, refuse_special, write_atomic
from synthclin.rules.validation import Finding
from synthclin.schema.arguments import require_schema
from synthclin.schema.dtypes import retyped
from synthclin.tables.csv_format import from_csv, from_csv_gz, from_csv_zst, to_csv, to_csv_gz
from synthclin.tables.database_output import to_database
from synthclin.tables.database_source import ENVIRONMENT
from synthclin.tables.excel_format import from_excel
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.parquet_folder import from_parquet_folder
from synthclin.tables.parquet_format import from_parquet, to_parquet
from synthclin.tables.readstat_format import FUNCTIONS, from_readstat
from synthclin.tables.readstat_output import WRITING, to_readstat
from synthclin.tables.spreadsheet_formulas import CsvSafe, formulas

if TYPE_CHECKING:
    from synthclin.schema import Schema

__all__ = ["notations", "read_file", "refuse_table", "spreadsheet_warnings", "stem_of", "suited", "write_table"]

Reader = Callable[..., pd.DataFrame]
Writer = Callable[..., bytes]

READERS: dict[str, Reader] = {
    ".csv": from_csv,
    ".csv.gz": from_csv_gz,
    ".csv.zst": from_csv_zst,
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
    if path.is_dir():
        _refuse_notation(notation, ".parquet", str(path))
        return from_parquet_folder(path)
    suffix = _suffix(path, tuple(READERS))
    refuse_absent(path)
    refuse_special(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            str(path), f"cannot be read ({error.strerror})", "Check the path and its permissions."
        ) from None
    _refuse_notation(notation, suffix, str(path))
    return READERS[suffix](content, str(path), schema, **({"notation": notation} if suffix in _NOTATED else {}))


def suited(notation: FileNotation, path: Path) -> FileNotation:
    """Return the part of a notation that a file of this kind has.

    Example:
        >>> suited(FileNotation(separator=";", sheet="visits"), Path("ward.csv")).declared
        ['separator']
    """
    known = () if path.is_dir() else _NOTATED.get(_suffix(path, tuple(READERS)), ())
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
        path: where to write it: a file, or ``env:DATABASE_URL?table=NAME`` for a new table, in one transaction, of the
            database whose address is in this environment variable, with the extra ``database``.
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
    if str(path).startswith(ENVIRONMENT):
        to_database(table, str(path), schema)
        return
    path = path_of(path)
    suffix = _suffix(path, tuple(WRITERS))
    writer = WRITERS[suffix]
    content = writer(table, schema, csv_safe) if suffix in CSV else writer(table, schema)
    write_atomic(path, content)


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


def notations(given: Mapping[str, Any], paths: Iterable[Path]) -> dict[Path, dict[str, Any]]:
    """Return by path the keywords of a notation that files of its kind have, such as none for Parquet.

    A keyword that no file of them has stays with each, so that `read_table` refuses it.

    Example:
        >>> notations({"separator": ";"}, [Path("train.csv"), Path("synthetic.parquet")])
        {PosixPath('train.csv'): {'separator': ';'}, PosixPath('synthetic.parquet'): {}}
    """
    kinds = {path: () if path.is_dir() else _NOTATED.get(_suffix(path, tuple(READERS)), ()) for path in paths}
    useless = [key for key in given if not any(key in keys for keys in kinds.values())]
    return {path: {key: given[key] for key in given if key in (*keys, *useless)} for path, keys in kinds.items()}


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


def _suffix(path: Path, known: tuple[str, ...]) -> str:
    """Return which of the `known` suffixes the file has."""
    for suffix in known:
        if path.name.lower().endswith(suffix):
            return suffix
    remedy = f"Use {', '.join(known[:-1])} or {known[-1]}."
    kind = f"ending in '{path.suffix}'" if path.suffix else "without an ending"
    raise DataError(str(path), f"files {kind} are not understood here", remedy)
