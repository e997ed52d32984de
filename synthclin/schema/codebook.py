"""What a file of SAS, SPSS or Stata says of its columns beside their cells: labels and codes for missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

__all__ = ["Code", "Entry", "codebook", "with_codebook"]

Code = int | float | str
_PLACE = "codebook"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file says of one column.

    Arguments:
        label: what the column holds, in one line.
        levels: codes of values, and what each means.
        missing: codes that stand where no value is, and why; no two reasons are the same.
        measure: whether the levels have an order, if the file says so.
    """

    label: str | None = None
    levels: Mapping[Code, str] = field(default_factory=dict)
    missing: Mapping[Code, str] = field(default_factory=dict)
    measure: Literal["nominal", "ordinal", "scale"] | None = None


def with_codebook(table: pd.DataFrame, entries: Mapping[str, Entry]) -> pd.DataFrame:
    """Return a table that carries what a file says of its columns, in its `attrs`.

    Example:
        >>> table = with_codebook(pd.DataFrame({"sex": [1, 2]}), {"sex": Entry(levels={1: "male", 2: "female"})})
        >>> codebook(table)["sex"].levels
        {1: 'male', 2: 'female'}
    """
    carrying = table.copy(deep=False)
    carrying.attrs[_PLACE] = dict(entries)
    return carrying


def codebook(table: pd.DataFrame) -> Mapping[str, Entry]:
    """Return what the file of a table says of its columns; nothing for a table without such a file."""
    entries: Mapping[str, Entry] = table.attrs.get(_PLACE, {})
    return entries
