"""Inference from the codebook of a SAS, SPSS or Stata file: variable labels, value labels, missing-value codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from synthclin.inference.guesses import Guess, patients_per, rare
from synthclin.inference.text_columns import no_yes, rising
from synthclin.schema.columns import Boolean, Category, Ordinal, parsing
from synthclin.schema.columns.column import LONGEST_LABEL
from synthclin.schema.columns.levels import Levels
from synthclin.wording import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from synthclin.schema.codebook import Code, Entry
    from synthclin.schema.columns import AnyColumn, Level

__all__ = ["described", "guess_labelled", "is_coded_missing", "merged"]

_SHOWN = 12  # labelled values that fit in the one line of a description


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


def described(entry: Entry, column: AnyColumn) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the keys of a column that its codebook entry declares, and as comments the value labels beside them.

    A column of levels has value labels; a number of which some values are labelled has them in its description.

    Example:
        >>> from synthclin.schema.codebook import Entry
        >>> from synthclin.schema.columns import Integer
        >>> described(Entry("Sex", {1: "male", 2: "female"}), Category(categories=(1, 2)))
        ({'label': 'Sex', 'labels': {1: 'male', 2: 'female'}}, ())
        >>> described(Entry("Packs of cigarettes", {0: "never smoked"}), Integer())
        ({'label': 'Packs of cigarettes', 'description': '0 = never smoked'}, ())
    """
    keys: dict[str, object] = {}
    about = []
    if entry.label:
        keys["label"] = shorten(entry.label, LONGEST_LABEL)
        about += [entry.label] if len(entry.label) > LONGEST_LABEL else []
    labels = _value_labels(entry, column)
    whole = {code for code, (_, label) in labels.items() if label == entry.levels[code]}
    others = [f"{code} = {text}" for code, text in entry.levels.items() if code not in whole]
    comments = isinstance(column, Levels) or len(others) > _SHOWN
    about += [] if comments else [", ".join(others)] if others else []
    if about:
        keys["description"] = ": ".join(about)
    if labels:
        keys["labels"] = dict(labels.values())
    return keys, tuple(others) if comments else ()


def _value_labels(entry: Entry, column: AnyColumn) -> dict[Code, tuple[Level, str]]:
    """Return by code the level of the column and its label, shortened and distinct; empty without levels."""
    labels: dict[Code, tuple[Level, str]] = {}
    if not isinstance(column, Levels) or column.levels is None:
        return labels
    codes = list(entry.levels)
    places = parsing.match(pd.Series(codes, dtype=object), column.levels)
    for code, place in zip(codes, places, strict=True):
        if place >= 0:
            text = shorten(entry.levels[code], LONGEST_LABEL)
            end = f" ({code})"
            twice = text in {*(label for _, label in labels.values()), *map(str, column.levels)}
            text = shorten(text, LONGEST_LABEL - len(end)) + end if twice else text
            labels[code] = (column.levels[place], text)
    return labels
