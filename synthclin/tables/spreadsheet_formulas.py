"""Formula injection in spreadsheets (CWE-1236): detection, and escaping on request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CsvSafe", "escaped", "formulas", "is_formula_like", "unescaped"]

CsvSafe = Literal["warn", "escape"]
"""The treatment of text that begins like a formula in a CSV file: a warning, or a quote before it."""

# Plain and full-width signs, also behind blanks, which spreadsheets skip; a tab or a line's end begins one too.
_FORMULA = re.compile(r"[ \u00a0\u200b\ufeff]*[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_QUOTE = "'"


def is_formula_like(text: str) -> bool:
    """Return whether a spreadsheet may run a text; a signed number is no formula.

    Example:
        >>> [is_formula_like(text) for text in ("=1+1", "-1.5", "-cmd", "a=b", "\uff1dA1")]
        [True, False, True, False, True]
    """
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def escaped(text: str) -> str:
    """Return the text with a quote before it where it begins like a formula, or like a quote before one.

    Example:
        >>> escaped("@SUM(A1)"), escaped("plain"), unescaped(escaped("'=1")) == "'=1"
        ("'@SUM(A1)", 'plain', True)
    """
    return _QUOTE + text if is_formula_like(text.lstrip(_QUOTE)) else text


def unescaped(text: str) -> str:
    """Return the text without the quote of `escaped`."""
    return text.removeprefix(_QUOTE) if is_formula_like(text.lstrip(_QUOTE)) else text


def formulas(table: pd.DataFrame, names: Iterable[str] | None = None) -> dict[str, int]:
    """Return for each column with text that begins like a formula in how many rows; its own name counts as a row.

    Example:
        >>> formulas(pd.DataFrame({"drug": ["=cmd|' /C calc'!A0", "aspirin"], "change": [-1.5, 2.0]}))
        {'drug': 1}
    """
    found = {}
    for name in table.columns if names is None else names:
        count = int(is_formula_like(str(name)))
        if not pd.api.types.is_numeric_dtype(table[name].dtype):
            codes, distinct = pd.factorize(table[name])
            odd = [isinstance(cell, str) and is_formula_like(cell) for cell in distinct.tolist()]
            count += sum(odd[code] for code in codes if code >= 0)
        if count:
            found[str(name)] = count
    return found
