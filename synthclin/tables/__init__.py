"""Tables in and out of files, and the split by patient."""

from __future__ import annotations

from synthclin.tables.addresses import is_database, refuse_address
from synthclin.tables.holdout_split import split
from synthclin.tables.patient_sample import PatientSample, read_sample, read_some
from synthclin.tables.spreadsheet_formulas import CsvSafe, formulas
from synthclin.tables.table_files import notations, refuse_table, refuse_taken_table, spreadsheet_warnings, write_table
from synthclin.tables.table_sources import read_table

__all__ = [
    "CsvSafe",
    "PatientSample",
    "formulas",
    "is_database",
    "notations",
    "read_sample",
    "read_some",
    "read_table",
    "refuse_address",
    "refuse_table",
    "refuse_taken_table",
    "split",
    "spreadsheet_warnings",
    "write_table",
]
