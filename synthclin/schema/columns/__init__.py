"""The column types: their keys, dtypes, parsing of cells and validation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from synthclin.schema.columns.clinical_codes import Code
from synthclin.schema.columns.clock_times import Time
from synthclin.schema.columns.column import Column, Disclosure, Level, Problem, Role, Severity
from synthclin.schema.columns.dates import Date, Datetime
from synthclin.schema.columns.labels import Id, Text
from synthclin.schema.columns.levels import Boolean, Category, Ordinal
from synthclin.schema.columns.missing_reasons import MissingReason
from synthclin.schema.columns.numbers import Duration, Integer, Number

__all__ = [
    "AnyColumn",
    "Boolean",
    "Category",
    "Code",
    "Column",
    "Date",
    "Datetime",
    "Disclosure",
    "Duration",
    "Id",
    "Integer",
    "Level",
    "MissingReason",
    "Number",
    "Ordinal",
    "Problem",
    "Role",
    "Severity",
    "Text",
    "Time",
]

AnyColumn = Annotated[
    Number | Integer | Duration | Date | Datetime | Time | Boolean | Category | Ordinal | Code | Id | Text,
    Field(discriminator="type"),
]
