"""Notations of numbers in files: decimal comma, thousands separators, a suffix, and limits of detection."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, StrictFloat, StrictInt, model_validator

from synthclin.schema.columns import parsing

__all__ = ["Censored", "Notation", "plain_number"]

_MARK = re.compile(r"([<>]) ?(.+)")


class Censored(BaseModel):
    """Limits of detection: a file has the text ``<0.5`` for a value below the limit, or ``>89`` for one above it.

    Arguments:
        below: the lower limit.
        above: the upper limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    below: StrictInt | StrictFloat | None = None
    above: StrictInt | StrictFloat | None = None

    @model_validator(mode="after")
    def _limits_are_ordered(self) -> Self:
        if self.below is None and self.above is None:
            raise ValueError("censored: has no limit. Write `{below: 0.5}`, `{above: 89}` or both.")
        if self.below is not None and self.above is not None and self.below > self.above:
            raise ValueError("censored: `below` exceeds `above`. Swap them.")
        return self


class Notation(NamedTuple):
    """The notation of numbers in a file.

    Arguments:
        decimal: the decimal mark.
        thousands: the separator of thousands; empty for none.
        suffix: text after the number, such as ``%``; empty for none.
        censored: the limits of detection.
        low: the number that stands for a value below the lower limit.
        high: the number that stands for a value above the upper limit.

    Example:
        >>> german = Notation(",", ".", " %", None, 0.0, 0.0)
        >>> german.read(pd.Series(["1.234,5 %", "7", "1.23"], dtype=object)).tolist()
        ['1234.5', '7', '1.23 is no number']
        >>> german.write(pd.Series([1234.5, 7.0]), 1).tolist()
        ['1.234,5 %', '7,0 %']
    """

    decimal: str
    thousands: str
    suffix: str
    censored: Censored | None
    low: float
    high: float

    def read(self, series: pd.Series[Any]) -> pd.Series[Any]:
        """Return (rows,) cells with each text in the usual notation, and any other cell unchanged."""
        codes, cells = parsing.distinct(series)
        plain = np.array(
            [*(self._plain(cell) if isinstance(cell, str) else cell for cell in cells), None], dtype=object
        )
        return pd.Series(plain[codes], index=series.index, dtype=object)

    def write(self, typed: pd.Series[Any], decimals: int | None) -> NDArray[np.object_]:
        """Return (rows,) the texts of typed numbers, None where missing."""
        codes, numbers = pd.factorize(typed)
        texts: list[str | None] = [self._text(float(number), decimals) for number in numbers]
        return np.array([*texts, None], dtype=np.object_)[codes]

    def limited(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (rows,) numbers, with one number for all beyond a limit of detection."""
        if self.censored is None:
            return values
        with np.errstate(invalid="ignore"):
            if self.censored.below is not None:
                values = np.where(values < self.censored.below, self.low, values)
            if self.censored.above is not None:
                values = np.where(values > self.censored.above, self.high, values)
        return values

    def _plain(self, text: str) -> str:
        """Return a text in the usual notation; text that is no number unless it is one in this notation."""
        unread = f"{text} is no number"
        if self.censored is not None and (mark := _MARK.fullmatch(text)):
            limit, stands = (self.censored.below, self.low) if mark[1] == "<" else (self.censored.above, self.high)
            number = parsing.numbers(pd.Series([self._plain(mark[2])], dtype=object))[0][0]
            return repr(stands) if number == limit else unread
        number_text = text.removesuffix(self.suffix.strip()).rstrip() if self.suffix else text
        return plain_number(number_text, self.decimal, self.thousands) or unread

    def _text(self, number: float, decimals: int | None) -> str:
        if self.censored is not None:
            if self.censored.below is not None and number < self.censored.below:
                return "<" + self._text_of(self.censored.below, None)
            if self.censored.above is not None and number > self.censored.above:
                return ">" + self._text_of(self.censored.above, None)
        return self._text_of(number, decimals)

    def _text_of(self, number: float, decimals: int | None) -> str:
        grouped = f"{number:,}" if decimals is None else f"{number + 0.0:,.{decimals}f}"
        signs = str.maketrans({",": self.thousands, ".": self.decimal})
        return grouped.translate(signs) + self.suffix


def plain_number(text: str, decimal: str, thousands: str) -> str | None:
    """Return a number in the usual notation, None where the text is none in the given one.

    Example:
        >>> plain_number("1,234", ".", ","), plain_number("12,34", ".", ","), plain_number("70,1", ",", "")
        ('1234', None, '70.1')
    """
    if thousands and thousands in text:
        grouped = rf"[+-]?[0-9]{{1,3}}({re.escape(thousands)}[0-9]{{3}})+({re.escape(decimal)}[0-9]*)?"
        if not re.fullmatch(grouped, text):
            return None
        text = text.replace(thousands, "")
    if decimal != ".":
        if "." in text:
            return None
        text = text.replace(decimal, ".")
    return text
