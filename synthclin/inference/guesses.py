"""Guesses: an inferred column or rule, and the evidence for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.schema.columns import Text
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.schema.columns import AnyColumn
    from synthclin.schema.constraints import Rule

__all__ = ["Guess", "Proposal", "Refusal", "count", "left_out", "patients_per", "rare", "too_rare"]

_LEFT_OUT = "left out: "


class Guess(NamedTuple):
    """A guessed column.

    Arguments:
        column: the guessed declaration.
        evidence: the reasons, in short sentences of counts; no value of few patients.
        hints: lines of YAML that a person may want to add to the column.
    """

    column: AnyColumn
    evidence: list[str]
    hints: tuple[str, ...] = ()


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
    """The reason why a column is left out until it is declared: the fact and the remedy, as in an error."""

    what: str
    remedy: str

    def as_text(self) -> Guess:
        """Return the column as free text, which is not modelled, with the fact and the remedy as evidence."""
        return Guess(Text(), [f"{_LEFT_OUT}{self.what}", self.remedy.rstrip(".")])


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
