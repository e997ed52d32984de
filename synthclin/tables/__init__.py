"""Tables in and out of files, and the split by patient."""

from __future__ import annotations

from synthclin.tables.holdout_split import split
from synthclin.tables.spreadsheet_formulas import CsvSafe, formulas
from synthclin.tables.table_files import notations, read_table, refuse_table, spreadsheet_warnings, write_table

__all__ = [
    "CsvSafe",
    "formulas",
    "notations",
    "read_table",
    "refuse_table",
    "split",
    "spreadsheet_warnings",
    "write_table",
]
