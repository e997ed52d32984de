"""Tails: the distance of the outer percentiles of numbers and dates from the real ones."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.details import ColumnValue, Details, Finite
from synthclin.evaluation.fidelity.columns import observed, worst_first
from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import no_baseline
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score

__all__ = ["TAILS", "TailDetails", "tails"]

_TAILS = np.array([0.01, 0.05, 0.95, 0.99])
_MIN_TAIL = 100  # rows, below which the 1st percentile is the minimum


class ColumnTails(ColumnValue):
    """Distance of the tails of one column."""

    shifts: list[Finite | None]
    """Signed shifts of the percentiles 1, 5, 95 and 99, in real interquartile ranges."""


class TailDetails(Details):
    """Details of the tails."""

    columns: list[ColumnTails]
    """The columns, furthest from real first."""


TAILS = Kind(
    name="fidelity.tails",
    question="Are extreme values as extreme as in the real table?",
    better="lower",
    method=(
        "mean over numbers and dates, and over the percentiles 1, 5, 95 and 99, of the distance of the percentiles in"
        " real interquartile ranges, one or more of them counted as one, against as many training rows, mean of 10 "
        "random halves of the real rows (project convention)"
    ),
    section="fidelity",
    label="Tails",
    unit="mean shift of outer percentiles, in interquartile ranges",
    ideal=0.0,
    details=TailDetails,
    counts="real",
)


def tails(c: Comparison) -> Score:
    """Score the distance of the outer percentiles of numbers and dates from the real ones."""
    lines = np.flatnonzero(c.features.is_numeric)
    if not len(lines):
        return TAILS.unassessable(tr("No column is a number or a date."))

    def errors(real: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([np.mean(_tail_errors(observed(real, j), observed(other, j)).clip(0, 1)) for j in lines])

    found = estimate_fidelity(c, lambda real: partial(errors, real), "tails")
    shifts = {j: _tail_errors(observed(c.train, j), observed(c.synthetic, j), signed=True) for j in lines}
    columns = [
        {"column": c.features.names[j], "value": part, "reference": reference, "shifts": shifts[j]}
        for j, part, reference in zip(lines, found.parts, found.reference_parts, strict=True)
    ]
    few = tr("With {rows} rows the percentiles 1 and 99 are the extremes.", rows=found.n) if found.n < _MIN_TAIL else ""
    return found.score(TAILS, baseline=False, notes=[no_baseline(), few], details={"columns": worst_first(columns)})


def _tail_errors(a: NDArray[np.float64], b: NDArray[np.float64], *, signed: bool = False) -> NDArray[np.float64]:
    """(percentiles,) distances in real interquartile ranges; NaN for fewer than 11 values or a range of 0."""
    if min(len(a), len(b)) < MIN_PATIENTS:
        return np.full(len(_TAILS), np.nan)
    low, high = np.quantile(a, [0.25, 0.75])
    if low == high:
        return np.full(len(_TAILS), np.nan)
    shift: NDArray[np.float64] = (np.quantile(b, _TAILS) - np.quantile(a, _TAILS)) / (high - low)
    return shift if signed else np.abs(shift)
