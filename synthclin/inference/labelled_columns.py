"""Guesses from what a file of SAS, SPSS or Stata says of a column: its label, its levels, its codes for missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.inference.guesses import Guess, rare
from synthclin.inference.text_columns import no_yes, rising
from synthclin.schema.columns import Boolean, Category, Ordinal, parsing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from synthclin.schema.codebook import Code, Entry

__all__ = ["described", "guess_labelled", "is_coded_missing", "merged"]

_SHOWN = 12  # so many labels fit the one line of a description


def is_coded_missing(series: pd.Series, entry: Entry) -> pd.Series[bool]:
    """Return (rows,) whether a cell holds a code that the file declares missing."""
    return series.notna() & (parsing.match(series, list(entry.missing)) >= 0)


def guess_labelled(cells: pd.Series, entry: Entry) -> Guess | None:
    """Guess levels where the file labels each code that the cells hold; None where it does not.

    The levels are the codes, as the cells hold them: what is written for the real table runs on a synthetic one. They
    are yes and no, or in order, where their labels are, and in order too where the file says so.

    Arguments:
        cells: (cells,) without missing ones; at least one.
        entry: what the file says of the column.

    Example:
        >>> import pandas as pd
        >>> from synthclin.schema.codebook import Entry
        >>> pain = Entry(levels={1: "severe", 2: "moderate", 3: "mild"})
        >>> guess_labelled(pd.Series([3, 1, 2]), pain).column.categories
        (3, 2, 1)
    """
    codes = list(entry.levels)
    places = parsing.match(cells, codes)
    if not codes or (places < 0).any():
        return None
    labels = list(entry.levels.values())
    evidence = [
        f"the file labels each of its {len(codes)} codes",
        *rare(np.bincount(places, minlength=len(codes)).astype(np.intp)),
    ]
    if truth := no_yes(labels):
        no, yes = (codes[labels.index(label)] for label in truth)
        return Guess(Boolean(values=(no, yes)), [*evidence, "which mean no and yes"])
    if order := rising(labels):
        column = Ordinal(categories=tuple(codes[labels.index(label)] for label in order))
        return Guess(column, [*evidence, "the labels have an order of their own"])
    if entry.measure == "ordinal" and len(codes) > 1:
        return Guess(Ordinal(categories=tuple(codes)), [*evidence, "the file calls them ordinal"])
    return Guess(Category(categories=tuple(codes)), evidence)


def merged(declared: Mapping[Code, str], guessed: Mapping[Code, str]) -> dict[Code, str]:
    """Return the missing codes that the file declares and those guessed beside them, each under a name of its own."""
    codes = dict(declared)
    for code, name in guessed.items():
        codes[code] = f"{name} ({code})" if name in codes.values() else name
    return codes


def described(entry: Entry) -> tuple[str | None, tuple[str, ...]]:
    """Return a column's description, and comments with the labels that are too many for one.

    Example:
        >>> from synthclin.schema.codebook import Entry
        >>> described(Entry("Sex of the patient", {1: "male", 2: "female"}))
        ('Sex of the patient (1 = male, 2 = female)', ())
    """
    labels = [f"{code} = {label}" for code, label in entry.levels.items()]
    if len(labels) > _SHOWN:
        return entry.label, tuple(labels)
    listed = ", ".join(labels)
    if entry.label and listed:
        return f"{entry.label} ({listed})", ()
    return entry.label or listed or None, ()
