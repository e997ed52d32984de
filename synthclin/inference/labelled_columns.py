"""Inference from the codebook of a SAS, SPSS or Stata file: variable labels, value labels, missing-value codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.inference.guesses import Guess, patients_per, rare
from synthclin.inference.text_columns import no_yes, rising
from synthclin.schema.columns import Boolean, Category, Ordinal, parsing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from synthclin.schema.codebook import Code, Entry

__all__ = ["described", "guess_labelled", "is_coded_missing", "merged"]

_SHOWN = 12  # labels that fit in the one line of a description


def is_coded_missing(series: pd.Series, entry: Entry) -> pd.Series[bool]:
    """Return (rows,) whether a cell has a code that the file declares missing."""
    return series.notna() & (parsing.match(series, list(entry.missing)) >= 0)


def guess_labelled(cells: pd.Series, entry: Entry, patient: NDArray[np.int64] | None = None) -> Guess | None:
    """Guess a categorical column if the file labels each code in the cells, else None.

    The levels are the codes, as in the cells: programs for the real table run on a synthetic one. The column is boolean
    or ordinal if its labels are, and ordinal if the file declares it.

    Arguments:
        cells: (cells,) without missing ones; at least one.
        entry: the codebook entry of the column.
        patient: (cells,) the number of each cell's patient; None where each row is a patient of its own.

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
        *rare(patients_per(places, patient, len(codes)), "listed, because the file declares them"),
    ]
    if truth := no_yes(labels):
        no, yes = (codes[labels.index(label)] for label in truth)
        return Guess(Boolean(values=(no, yes)), [*evidence, "which mean no and yes"])
    if order := rising(labels):
        column = Ordinal(categories=tuple(codes[labels.index(label)] for label in order))
        return Guess(column, [*evidence, "the labels have a known order"])
    if entry.measure == "ordinal" and len(codes) > 1:
        return Guess(Ordinal(categories=tuple(codes)), [*evidence, "the file calls them ordinal"])
    return Guess(Category(categories=tuple(codes)), evidence)


def merged(declared: Mapping[Code, str], guessed: Mapping[Code, str]) -> dict[Code, str]:
    """Return the missing codes that the file declares and the guessed ones, each with a distinct name."""
    codes = dict(declared)
    for code, name in guessed.items():
        codes[code] = f"{name} ({code})" if name in codes.values() else name
    return codes


def described(entry: Entry) -> tuple[str | None, tuple[str, ...]]:
    """Return a column's description, and its labels as comments if they are too many for it.

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
