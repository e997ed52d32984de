"""Guesses: an inferred column or rule, and the evidence for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.schema.columns import Text
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.schema.columns import AnyColumn
    from synthclin.schema.constraints import Rule

__all__ = [
    "MANY",
    "Cells",
    "Guess",
    "Proposal",
    "Refusal",
    "count",
    "is_missing_token",
    "left_out",
    "patients_per",
    "rare",
    "too_rare",
]

_LEFT_OUT = "left out: "
MANY = 600
"""Patients without exception that make a rule active: at most 0.5 % of others violate it (rule of three, 95 %)."""
LISTED = 5  # row numbers in the evidence
_TOKENS = re.compile(
    r"\.[A-Za-z_]?|-+|\?+|\*+|#n/?a!?|unk(nown)?|missing|not (known|done|available|applicable|recorded)|refused"
    r"|n\.a\.?|n\.d\.?|none",
    re.IGNORECASE,
)


def is_missing_token(text: str) -> bool:
    """Whether a text is a usual missing-value code among numbers or dates, such as SAS' `.` and `.A` to `.Z`.

    Example:
        >>> [is_missing_token(text) for text in (".", ".B", "unknown", "7", "ward")]
        [True, True, True, False, False]
    """
    return _TOKENS.fullmatch(text) is not None


class Guess(NamedTuple):
    """A guessed column.

    Arguments:
        column: the guessed declaration.
        evidence: the reasons, in short sentences of counts; no value of few patients.
        hints: lines of YAML that a person may want to add to the column.
        pair: the text between the two numbers that each cell holds, if they do.
    """

    column: AnyColumn
    evidence: list[str]
    hints: tuple[str, ...] = ()
    pair: str | None = None


class Cells(NamedTuple):
    """Where the cells of one column stand that are not missing.

    Arguments:
        rows: how many rows the table has.
        row: (cells,) the number of each cell's row, counted from 0.
        patient: (cells,) the number of each cell's patient; None where each row is a patient of its own.
    """

    rows: int
    row: NDArray[np.intp]
    patient: NDArray[np.int64] | None = None

    @classmethod
    def all(cls, rows: int) -> Cells:
        """Return the cells of a column in which none is missing, each of a patient of its own."""
        return cls(rows, np.arange(rows))

    def at(self, some: NDArray[np.bool_]) -> Cells:
        """Return some of the cells."""
        return Cells(self.rows, self.row[some], None if self.patient is None else self.patient[some])

    def patients_at(self, places: NDArray[np.intp]) -> int:
        """Return the number of patients with the cells at some places."""
        return len(places) if self.patient is None else len(np.unique(self.patient[places]))

    def named(self, some: NDArray[np.bool_]) -> str:
        """Return the numbers of rows in words, counted from 1.

        Example:
            >>> Cells.all(9).named(np.arange(9) > 6)
            'rows 8, 9'
        """
        rows = self.row[some] + 1
        listed = ", ".join(map(str, rows[:LISTED])) + (", ..." if len(rows) > LISTED else "")
        return f"row{'' if len(rows) == 1 else 's'} {listed}"


class Proposal(NamedTuple):
    """A proposed rule between columns, without violations in the table.

    Arguments:
        rules: the rule, or the few that belong together.
        evidence: its number of rows, and how many would violate it if the columns were independent.
        active: whether the evidence is strong; else the rule is only shown for review.
    """

    rules: tuple[Rule, ...]
    evidence: str
    active: bool


class Refusal(NamedTuple):
    """The reason why a column is left out until it is declared: the fact and the remedy, as in an error.

    With `pair` its cells hold two numbers, with that text between them, and may be two columns.
    """

    what: str
    remedy: str
    pair: str | None = None

    def as_text(self) -> Guess:
        """Return the column as free text, which is not modelled, with the fact and the remedy as evidence."""
        return Guess(Text(), [f"{_LEFT_OUT}{self.what}", self.remedy.rstrip(".")], pair=self.pair)


def rare(people: NDArray[np.intp], fate: str = "not listed, and read as missing") -> list[str]:
    """Return the evidence on rare levels, given the number of patients per level: one sentence or none."""
    few = int(np.sum(people < MIN_PATIENTS))
    return [f"levels of fewer than {MIN_PATIENTS} patients, {fate}: {few}"] if few else []


def too_rare(levels: int) -> Refusal:
    """Return the refusal of a column whose levels are all of few patients."""
    what = f"most of its cells hold a level of fewer than {MIN_PATIENTS} patients ({levels} distinct levels)"
    return Refusal(what, "Declare it `category` with its `categories`, or `code` with a `hierarchy`.")


def patients_per(codes: NDArray[np.intp], patient: NDArray[np.int64] | None, size: int) -> NDArray[np.intp]:
    """Return the (size,) number of patients with each value.

    Arguments:
        codes: (cells,) the number of each cell's value.
        patient: (cells,) the number of each cell's patient; None where each row is a patient of its own.
        size: the number of values.

    Example:
        >>> patients_per(np.array([0, 0, 1]), np.array([5, 5, 6]), 2).tolist()
        [1, 1]
    """
    if patient is None or not len(codes):
        return np.bincount(codes, minlength=size)
    span = int(patient.max()) + 1
    pairs = np.unique(codes.astype(np.int64) * span + patient)
    return np.bincount(pairs // span, minlength=size)


def count(some: int, total: int, noun: str = "cells") -> str:
    """Return a count in words.

    Example:
        >>> count(12, 300), count(300, 300)
        ('12 of 300 cells', 'all 300 cells')
    """
    return f"all {total} {noun}" if some == total else f"{some} of {total} {noun}"


def left_out(reasons: list[str]) -> bool:
    """Whether these are the reasons for leaving a column out."""
    return bool(reasons) and reasons[0].startswith(_LEFT_OUT)
