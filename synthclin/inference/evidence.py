"""What a guess is made of: a column and the reasons for it, or the reason why nothing can be guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.columns import AnyColumn

__all__ = ["RARE", "Guess", "Refusal", "count", "rare"]

RARE = 11  # a value held by fewer rows is not spoken of


class Guess(NamedTuple):
    """A guessed column.

    Arguments:
        column: what the cells seem to mean.
        evidence: why, in short sentences of counts; no value that few patients hold.
    """

    column: AnyColumn
    evidence: list[str]


class Refusal(NamedTuple):
    """Why a column must be declared: the fact and the remedy, as in an error."""

    what: str
    remedy: str


def rare(counts: NDArray[np.intp]) -> list[str]:
    """Return what to say of levels that few rows hold, given the rows of each level: one sentence or none."""
    few = int(np.sum(counts < RARE))
    return [f"fewer than {RARE} rows each hold {few} of these levels, which are listed as well"] if few else []


def count(some: int, total: int, noun: str = "cells") -> str:
    """Return a count in words.

    Example:
        >>> count(12, 300), count(300, 300)
        ('12 of 300 cells', 'all 300 cells')
    """
    return f"all {total} {noun}" if some == total else f"{some} of {total} {noun}"
