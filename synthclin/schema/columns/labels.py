"""Columns that are never modelled: identifiers and free text."""

from __future__ import annotations

import re
from abc import abstractmethod
from string import Formatter
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import Field, field_validator, model_validator

from synthclin.schema.columns import parsing
from synthclin.schema.columns.column import Column, DType

__all__ = ["Id", "Text"]


class _Label(Column):
    """A column of plain text that is not modelled."""

    @property
    def modelled(self) -> bool:
        """False."""
        return False

    @property
    def is_written_as_text(self) -> bool:
        """True."""
        return True

    @property
    def dtype(self) -> DType:
        """Pandas' string dtype, stored as Python objects."""
        return pd.StringDtype("python")

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is no label, and the remedy."""
        return "something that is neither text nor a whole number", "Write it as text."

    @staticmethod
    @abstractmethod
    def _write(cell: object) -> str | None:
        """Return the text of a cell, or None where it has none."""

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read text, and whole numbers as their digits.

        Example:
            >>> typed, unread = Id().coerce(pd.Series(["007", 7, 7.5], dtype=object))
            >>> typed.tolist(), unread.tolist()
            (['007', '7', <NA>], [False, False, True])
        """
        values, unread = parsing.labels(series, self._write)
        return pd.Series(values, index=series.index, dtype=self.dtype), pd.Series(unread, index=series.index)


class Id(_Label):
    """An identifier: it must be present and is never modelled; synthetic rows get new ones by `format`.

    `format` is a Python format string with one field for a whole number, such as ``HF-{:06d}``; the first one is
    `start`.

    Example:
        >>> Id(format="HF-{:06d}").fresh(2)
        ['HF-000001', 'HF-000002']
    """

    type: Literal["id"] = "id"
    format: str = "S{:06d}"
    start: Annotated[int, Field(ge=1, le=10**30)] = 1

    @property
    def is_identifier(self) -> bool:
        """True."""
        return True

    @field_validator("format")
    @classmethod
    def _one_integer_field(cls, text: str) -> str:
        try:
            fields = [field for _, *field in Formatter().parse(text) if field[0] is not None]
        except ValueError:
            fields = []
        match fields:
            case [["" | "0", str(spec), None]] if re.fullmatch(r"0?[0-9]{0,2}d?", spec):
                return text
        raise ValueError("needs exactly one field for a whole number. Write it like S{:06d}.")

    def fresh(self, rows: int, start: int | None = None) -> list[str]:
        """Return (rows,) identifiers, numbered from `start`; by default from the column's own."""
        first = self.start if start is None else start
        return [self.format.format(row) for row in range(first, first + rows)]

    def beyond(self, series: pd.Series[Any]) -> int:
        """Return the least start, at least the declared one, whose identifiers are surely none of those in a series.

        It is one more than a power of ten beyond twice the largest number that the format reads, with or without
        leading zeros, and so keeps no identifier.

        Example:
            >>> Id(format="HF-{:06d}").beyond(pd.Series(["HF-000298", "HF-0299", "X7"]))
            1001
            >>> Id(format="HF-{:06d}").beyond(pd.Series(["X7"]))
            1
        """
        before, after = ("".join(part) for part in self._literals())
        found = series.dropna().astype(str).str.extract(f"^{re.escape(before)} *([0-9]{{1,30}}){re.escape(after)}$")[0]
        largest = max((int(digits) for digits in found.dropna().unique()), default=0)
        return self.start if largest < self.start else 10 ** len(str(2 * largest)) + 1

    def _literals(self) -> tuple[list[str], list[str]]:
        """Return the text before and after the number."""
        before: list[str] = []
        after: list[str] = []
        numbered = False
        for text, name, *_ in Formatter().parse(self.format):
            (after if numbered else before).append(text)
            numbered = numbered or name is not None
        return before, after

    @staticmethod
    def _write(cell: object) -> str | None:
        if isinstance(cell, float) and cell.is_integer():  # whole numbers are floats where a column has a gap
            cell = int(cell)
        return parsing.digits_or_text(cell)


class Text(_Label):
    """Free text, which is never modelled and left out of synthetic tables; or two numbers, which are.

    Arguments:
        split: the names of the two columns that a cell such as ``120/80`` is read as. They are modelled in its place,
            and a file has it again.
        separator: the text between the two numbers.
    """

    type: Literal["text"] = "text"
    split: tuple[str, str] | None = None
    separator: Annotated[str, Field(pattern=r"^ ?[^0-9.,+\s] ?$")] = "/"

    @model_validator(mode="after")
    def _parts_differ(self) -> Self:
        if self.split is not None and self.split[0] == self.split[1]:
            raise ValueError("split: names one column twice. Name two.")
        if self.split is None and self.separator != "/":
            raise ValueError("separator: stands without `split`. Declare `split`, or remove it.")
        return self

    @property
    def parts(self) -> tuple[str, str] | None:
        """The declared `split`, or None."""
        return self.split

    @property
    def part_separator(self) -> str:
        """The declared `separator`."""
        return self.separator

    @property
    def is_free_text(self) -> bool:
        """True."""
        return True

    @property
    def may_be_blank(self) -> bool:
        """True: it is not modelled."""
        return True

    @staticmethod
    def _write(cell: object) -> str | None:
        return str(cell)
