"""Inference of columns that hold two numbers, such as a blood pressure 120/80."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.inference import name_hints
from synthclin.inference.guesses import Cells, Guess, Refusal, count
from synthclin.inference.number_columns import guess_quantity
from synthclin.schema.columns import Integer, Number, Text, parsing
from synthclin.schema.split_columns import halves

if TYPE_CHECKING:
    from collections.abc import Container

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["guess_pair"]

SERIAL = 1_000  # numbers up to here that mostly differ may identify patients


def guess_pair(
    name: str, series: pd.Series[Any], separator: str, taken: Container[str], patient: NDArray[np.int64] | None
) -> dict[str, Guess] | None:
    """Guess two columns of numbers that the cells of one column hold; None where they are not measured or counted.

    Arguments:
        name: the column's name.
        series: (rows,) the cells.
        separator: the text between the numbers.
        taken: the names of the table, which no part gets.
        patient: (rows,) the number of each row's patient; None where each row is a patient of its own.

    Returns:
        the guess of the column itself, then those of its two parts, by name.

    Example:
        >>> import pandas as pd
        >>> cells = pd.Series([f"{110 + i % 40}/{60 + i % 30}" for i in range(200)])
        >>> found = guess_pair("bp", cells, "/", (), None)
        >>> {part: (guess.column.type, guess.column.bounds) for part, guess in found.items()}
        {'bp': ('text', None), 'bp_systolic': ('integer', (105, 155)), 'bp_diastolic': ('integer', (55, 95))}
    """
    named = tuple(f"{name}_{ending}" for ending in name_hints.pair_endings(name))
    if any(part in taken for part in named):
        return None
    read = [parsing.numbers(series.__class__(part, dtype=object))[0] for part in halves(series, separator)]
    known = np.isfinite(read[0]) & np.isfinite(read[1])
    empty = series.isna().to_numpy() | np.array([isinstance(cell, str) and not cell.strip() for cell in series])
    at = Cells(len(series), np.flatnonzero(known), None if patient is None else patient[known])
    found = {name: Guess(Text(split=(named[0], named[1]), separator=separator), [_evidence(known, named)])}
    for part, numbers, which in zip(named, read, ("first", "second"), strict=True):
        guess = _part(part, numbers[known], at)
        if guess is None:
            return None
        evidence = [f"the {which} number in {name!r}", *guess.evidence]
        changes: dict[str, object] = {}
        if not known.all():
            changes["missing"] = "allowed"
        if empty.any():
            evidence.append(f"empty: {count(int(empty.sum()), len(series))}")
        if (stray := int((~known & ~empty).sum())) > 0:
            changes["other"] = "missing"
            evidence.append(f"not two numbers, and read as missing: {count(stray, len(series))}")
        column = type(guess.column).model_validate({**guess.column.model_dump(), **changes})
        found[part] = Guess(column, evidence, guess.hints)
    others = [found[part].column.other for part in named]
    if any(others):
        # A cell is missing as a whole.
        found |= {part: _lenient(found[part]) for part in named}
    return found


def _evidence(known: NDArray[np.bool_], named: tuple[str, ...]) -> str:
    return f"{count(int(known.sum()), len(known))} are two numbers, modelled as {named[0]!r} and {named[1]!r}"


def _part(name: str, numbers: NDArray[np.float64], at: Cells) -> Guess | None:
    """Return the guess of one part; None if it may identify patients, or all its numbers are the same."""
    distinct = len(np.unique(numbers))
    if distinct < 2 or (2 * distinct > len(numbers) and np.abs(numbers).max() > SERIAL):
        return None
    guess = guess_quantity(name, numbers, at)
    if isinstance(guess, Refusal) or not isinstance(guess.column, Integer | Number):
        return None
    if guess.column.missing_codes:
        # A part has no codes of its own: its range leaves them out, so that they are read as missing.
        guess = _lenient(guess._replace(column=guess.column.model_copy(update={"missing_codes": {}})))
    return guess


def _lenient(guess: Guess) -> Guess:
    """Return a guess whose column reads cells outside the declaration as missing."""
    changes = {**guess.column.model_dump(), "other": "missing", "missing": "allowed"}
    return guess._replace(column=type(guess.column).model_validate(changes))
