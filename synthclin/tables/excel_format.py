"""Excel workbooks, read by openpyxl: one sheet, whose first line names the columns."""

from __future__ import annotations

import csv
import datetime as dt
import importlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

from synthclin.errors import ConfigError, DataError
from synthclin.tables.csv_format import MAX_BYTES, MAX_RATIO, from_csv
from synthclin.tables.file_notation import FileNotation

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from synthclin.schema import Schema

__all__ = ["from_excel"]

MAX_CELLS = 50_000_000
"""Cells of a sheet at most: a forged sheet has one in its last corner."""

_MISSING = {None, "#N/A", "#NULL!"}


def from_excel(
    content: bytes, where: str, schema: Schema | None = None, notation: FileNotation | None = None
) -> pd.DataFrame:
    """Read one sheet of an Excel workbook; see `synthclin.tables.read_table`.

    Cells are read as a CSV file with the same content: a formula gives the value that Excel stored with it.

    Arguments:
        content: the bytes of the file.
        where: the file's name, for errors.
        schema: as for `from_csv`.
        notation: `sheet` and `date_format`.

    Raises:
        ConfigError: openpyxl is not installed.
        DataError: the file is damaged, has no such sheet, or its sheet holds no table.
    """
    notation = FileNotation() if notation is None else notation
    rows = _rows(content, where, notation.sheet)
    if not rows or not any(rows[0]):
        raise DataError(where, "the first line of the sheet is empty", "Put the names of the columns there.")
    width = len(rows[0])
    if any(len(row) > width for row in rows):
        raise DataError(where, "the sheet has cells beyond its last column name", "Remove them, or name their columns.")
    buffer = io.StringIO()
    # Blank lines would be dropped as in a CSV file; a quoted empty cell keeps a row of missing cells.
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        row + [""] * (width - len(row)) for row in rows
    )
    return from_csv(buffer.getvalue().encode(), where, schema, FileNotation(date_format=notation.date_format))


def _rows(content: bytes, where: str, sheet: str | None) -> list[list[str]]:
    """Return the cells of a sheet as texts, row by row, without empty cells at the end of a row and rows at the end."""
    try:
        library: Any = importlib.import_module("openpyxl")
    except ImportError:
        remedy = 'Install it: pip install -c constraints.txt ".[excel]"'
        raise ConfigError(where, "Excel files are read by openpyxl, which is absent", remedy) from None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except (OSError, zipfile.BadZipFile):
        raise _damaged(where) from None
    if unpacked > MAX_BYTES + MAX_RATIO * len(content):
        what = f"unpacks to more than {MAX_RATIO} times its size, as no table does"
        raise DataError(where, what, "If it is one all the same, write it as CSV.")
    try:
        book = library.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheets: dict[str, Any] = {found.title: found for found in book.worksheets}
        chosen = next(iter(sheets), "") if sheet is None else sheet
        cells = _trimmed(sheets[chosen].iter_rows(values_only=True), where) if chosen in sheets else None
    except DataError:
        raise
    except Exception:  # noqa: BLE001 - openpyxl raises whatever its XML parser does, with cells in the message
        raise _damaged(where) from None
    if cells is None:
        what = "has no sheet of cells" if sheet is None else f"has no sheet called {sheet!r}"
        raise DataError(where, what, f"There are: {', '.join(map(repr, list(sheets)[:20]))}.")
    return cells


def _trimmed(rows: Iterable[tuple[Any, ...]], where: str) -> list[list[str]]:
    """Return rows as texts without the empty end of each row and of the sheet."""
    texts: list[list[str]] = []
    cells = 0
    for row in rows:
        cells += len(row)
        if cells > MAX_CELLS:
            raise DataError(where, f"the sheet spans more than {MAX_CELLS:,} cells", "Write the table as CSV.")
        filled = len(row)
        while filled and row[filled - 1] is None:
            filled -= 1
        texts.append(list(map(_text, row[:filled])))
    while texts and not any(texts[-1]):
        texts.pop()
    return texts


def _damaged(where: str) -> DataError:
    return DataError(where, "is not a whole Excel file (.xlsx)", "Save it again, or write it as CSV.")


def _text(cell: object) -> str:
    """Return a cell as the text that a CSV file has."""
    if cell in _MISSING:
        return ""
    if isinstance(cell, dt.datetime):
        midnight = cell.time() == dt.time()
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
