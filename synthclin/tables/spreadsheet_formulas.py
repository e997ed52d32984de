"""Formula injection in spreadsheets (CWE-1236): detection, and escaping on request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CsvSafe", "begins_like_a_formula", "disarmed", "formulas", "rearmed"]

CsvSafe = Literal["warn", "escape"]
"""The treatment of text that begins like a formula in a CSV file: a warning, or a quote before it."""

# Plain and full-width signs, also behind blanks, which spreadsheets skip; a tab or a line's end begins one too.
_FORMULA = re.compile(r"[ \u00a0\u200b\ufeff]*[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_QUOTE = "'"


def begins_like_a_formula(text: str) -> bool:
    """Return whether a spreadsheet may run a text; a signed number is no formula.

    Example:
        >>> [begins_like_a_formula(text) for text in ("=1+1", "-1.5", "-cmd", "a=b", "\uff1dA1")]
        [True, False, True, False, True]
    """
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def disarmed(text: str) -> str:
    """Return the text with a quote before it where it begins like a formula, or like a quote before one.

    Example:
        >>> disarmed("@SUM(A1)"), disarmed("plain"), rearmed(disarmed("'=1")) == "'=1"
        ("'@SUM(A1)", 'plain', True)
    """
    return _QUOTE + text if begins_like_a_formula(text.lstrip(_QUOTE)) else text


def rearmed(text: str) -> str:
    """Return the text without the quote of `disarmed`."""
    return text.removeprefix(_QUOTE) if begins_like_a_formula(text.lstrip(_QUOTE)) else text


def formulas(table: pd.DataFrame, names: Iterable[str] | None = None) -> dict[str, int]:
    """Return for each column with text that begins like a formula in how many rows; its own name counts as a row.

    Example:
        >>> formulas(pd.DataFrame({"drug": ["=cmd|' /C calc'!A0", "aspirin"], "change": [-1.5, 2.0]}))
        {'drug': 1}
    """
    found = {}
    for name in table.columns if names is None else names:
        count = int(begins_like_a_formula(str(name)))
        if not pd.api.types.is_numeric_dtype(table[name].dtype):
            codes, distinct = pd.factorize(table[name])
            odd = [isinstance(cell, str) and begins_like_a_formula(cell) for cell in distinct.tolist()]
            count += sum(odd[code] for code in codes if code >= 0)
        if count:
            found[str(name)] = count
    return found
