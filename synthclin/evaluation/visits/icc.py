"""Intraclass correlation (ICC) of each column: how much of its variance is between patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.visits.columns import column_score
from synthclin.evaluation.visits.details import VisitColumns, judged, named_worst
from synthclin.evaluation.visits.pool import AGAINST_PATIENTS, PatientPool
from synthclin.evaluation.visits.terms import VisitTerms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score

__all__ = ["ICC", "icc", "icc_of", "icc_sums"]

ICC = Kind(
    name="visits.icc",
    question="Do the values of a patient agree as those of a real patient do?",
    better="lower",
    method=(
        "mean over columns of the absolute difference of the one-way intraclass correlation of ranks, levels as "
        f"indicators, {AGAINST_PATIENTS} (analysis of variance with unequal numbers of visits: Donner, Int Stat Rev "
        "54:67-82, 1986)"
    ),
    section="visits",
    label="Intraclass correlation",
    unit="mean absolute difference of columns",
    ideal=0.0,
    details=VisitColumns,
    asked=questions.VISITS,
    limit=Limit("<=", 0.15, 0.25, convention("holdout patients differ by 0.06 in a table of 100 patients")),
    needs=frozenset({"visits"}),
    fail_text="values do not belong to a patient as real ones do",
    review_text="values may not belong to a patient as real ones do",
    action="Do not analyse changes within patients on this table.",
    answer=named_worst,
    worst_part=judged,
    shared=VisitColumns.shared,
)


def icc(c: Comparison) -> Score:
    """Score the differences of intraclass correlations."""
    pool = PatientPool.of(c)
    terms = VisitTerms.of(pool)
    sums = icc_sums(pool, terms.x)
    parts = tuple((name, None) for name in terms.names)
    return column_score(ICC, pool, parts, terms.column, lambda places: icc_of(sums[places].sum(axis=0)), low=-1.0)


def icc_sums(pool: PatientPool, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(patients, 6, terms) sums whose totals give the ICC of any patients; see `icc_of`."""
    visits = pool.visits
    n, total, squares = (visits.sums(part) for part in (~np.isnan(x) * 1.0, x, x**2))
    of_means = np.divide(total**2, n, out=np.zeros_like(total), where=n > 0)
    return np.stack([n, total, squares, of_means, n**2, n > 0], axis=1)


def icc_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(terms,) intraclass correlations from (6, terms) totals; NaN with too few visits, 0 where nothing varies.

    The totals are of visits, values, squared values, squared patient totals by number of visits, squared numbers of
    visits, and patients.

    Example:
        >>> one = lambda values: [len(values), sum(values), sum(v * v for v in values), sum(values) ** 2 / len(values),
        ...                       len(values) ** 2, 1]
        >>> totals = np.array([one([1.0, 1.0]), one([2.0, 2.0]), one([4.0, 4.0])]).sum(axis=0)
        >>> icc_of(totals[:, None]).tolist()
        [1.0]
    """
    n, total, squares, of_means, squared_counts, patients = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (of_means - total**2 / n) / (patients - 1)
        within = np.maximum(squares - of_means, 0.0) / (n - patients)
        typical = (n - squared_counts / n) / (patients - 1)
        spread = between + (typical - 1) * within
        found = np.where(spread > 1e-12, (between - within) / spread, 0.0)
    known: NDArray[np.float64] = np.where((patients > 2) & (n > patients), found, np.nan)
    return known
