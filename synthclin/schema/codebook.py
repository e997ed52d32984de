"""The codebook of a SAS, SPSS or Stata file: labels and missing-value codes of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

__all__ = ["Code", "Entry", "codebook", "with_codebook"]

Code = int | float | str
_KEY = "codebook"


@dataclass(frozen=True, slots=True)
class Entry:
    """The codebook entry of one column.

    Arguments:
        label: the variable label, in one line.
        levels: the value labels, by code.
        missing: the missing-value codes, and the reason for each; reasons are distinct.
        measure: the measurement level, if the file states one.
    """

    label: str | None = None
    levels: Mapping[Code, str] = field(default_factory=dict)
    missing: Mapping[Code, str] = field(default_factory=dict)
    measure: Literal["nominal", "ordinal", "scale"] | None = None


def with_codebook(table: pd.DataFrame, entries: Mapping[str, Entry]) -> pd.DataFrame:
    """Return a table with the codebook of its file in its `attrs`.

    Example:
        >>> table = with_codebook(pd.DataFrame({"sex": [1, 2]}), {"sex": Entry(levels={1: "male", 2: "female"})})
        >>> codebook(table)["sex"].levels
        {1: 'male', 2: 'female'}
    """
    annotated = table.copy(deep=False)
    annotated.attrs[_KEY] = dict(entries)
    return annotated


def codebook(table: pd.DataFrame) -> Mapping[str, Entry]:
    """Return the codebook of a table; empty for a table without one."""
    entries: Mapping[str, Entry] = table.attrs.get(_KEY, {})
    return entries
