"""Autocorrelation of each column: the correlation of a value with the one of one to three visits before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.visits.columns import column_score
from synthclin.evaluation.visits.details import VisitColumns, judged, named_worst
from synthclin.evaluation.visits.pool import AGAINST_PATIENTS, PatientPool
from synthclin.evaluation.visits.terms import FEW_VISITS, VisitTerms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score

__all__ = ["AUTOCORRELATION", "autocorrelation", "correlations_of", "lag_sums"]

_LAGS = (1, 2, 3)

AUTOCORRELATION = Kind(
    name="visits.autocorrelation",
    question="Does a value depend on the values of the visits before?",
    better="lower",
    method=(
        "mean over columns and lags of one, two and three visits of the absolute difference of the correlation of "
        f"ranks (levels as indicators) between visits of a patient, {AGAINST_PATIENTS} (Diggle, Heagerty, Liang and "
        "Zeger, Analysis of Longitudinal Data, 2002, chapter 3)"
    ),
    section="visits",
    label="Autocorrelation",
    unit="mean absolute difference of columns and lags",
    ideal=0.0,
    details=VisitColumns,
    asked=questions.VISITS,
    limit=Limit("<=", 0.15, 0.25, convention("holdout patients differ by 0.06 in a table of 100 patients")),
    needs=frozenset({"visits"}),
    fail_text="values depend on the visits before in another way",
    review_text="values may depend on the visits before in another way",
    action="Do not model the course of patients on this table.",
    answer=named_worst,
    worst_part=judged,
    shared=VisitColumns.shared,
)


def autocorrelation(c: Comparison) -> Score:
    """Score the differences of the correlations at lags of one to three visits."""
    pool = PatientPool.of(c)
    terms = VisitTerms.of(pool)
    sums = np.stack([lag_sums(pool, terms.x, lag) for lag in _LAGS], axis=2)
    whole = sums[pool.train].sum(axis=0)
    lag, term = np.nonzero(whole[0] >= FEW_VISITS)
    each = list(zip(terms.column[term].tolist(), lag.tolist(), strict=True))
    pairs = list(dict.fromkeys(each))
    part = np.array([pairs.index(pair) for pair in each], dtype=np.intp)
    return column_score(
        AUTOCORRELATION,
        pool,
        [(terms.names[column], _LAGS[at]) for column, at in pairs],
        part,
        lambda places: correlations_of(sums[places].sum(axis=0))[lag, term],
        low=-1.0,
    )


def lag_sums(pool: PatientPool, x: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    """(patients, 6, terms) sums whose totals give the correlation of any patients at a lag; see `correlations_of`."""
    before = pool.visits.before(x, lag)
    both = ~np.isnan(x) & ~np.isnan(before)
    now, then = np.where(both, x, 0.0), np.where(both, before, 0.0)
    parts: list[NDArray[np.float64]] = [both.astype(np.float64), now, then, now * now, then * then, now * then]
    return np.stack([pool.visits.sums(part) for part in parts], axis=1)


def correlations_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's correlations from (6, ...) totals; NaN without two pairs, 0 where one side does not vary.

    The totals are of pairs, both values, their squares and their products.

    Example:
        >>> x, y = np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 8.0])
        >>> totals = np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])[:, None]
        >>> correlations_of(totals).round(6).tolist()
        [1.0]
    """
    n, x, y, xx, yy, xy = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(np.maximum(xx - x**2 / n, 0.0) * np.maximum(yy - y**2 / n, 0.0))
        found = np.where(spread > 1e-12, (xy - x * y / n) / spread, 0.0)
    return np.where(n > 1, np.clip(found, -1, 1), np.nan)
