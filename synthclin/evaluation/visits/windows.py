"""Marginal distributions by window of time: quarters of the visits of training patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.features import Features
from synthclin.evaluation.fidelity.marginals import agreements
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.visits.columns import few_columns, listed
from synthclin.evaluation.visits.details import VisitColumns, judged, named_worst
from synthclin.evaluation.visits.pool import AGAINST_PATIENTS, PatientPool
from synthclin.evaluation.visits.terms import FEW_VISITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.visits.pool import AgainstPatients

__all__ = ["WINDOWS", "windows", "windows_of"]

_WINDOWS = 4
_MOST_PATIENTS = 1_000

WINDOWS = Kind(
    name="visits.windows",
    question="Are values distributed as in real patients at any time?",
    better="lower",
    method=(
        "mean over columns and four windows of time of the Kolmogorov-Smirnov distance of numbers and the total "
        "variation distance of levels with missing as a level; the windows hold a quarter of the training visits each, "
        f"by visit time, of dates by the time since the first visit, {AGAINST_PATIENTS}, at most {_MOST_PATIENTS} "
        "(project convention)"
    ),
    section="visits",
    label="Marginals by time",
    unit="mean distance of columns and windows",
    ideal=0.0,
    details=VisitColumns,
    asked=questions.VISITS,
    limit=Limit("<=", 0.15, 0.25, convention("real patients differ by 0.12 in a table of 100 patients")),
    needs=frozenset({"visits"}),
    fail_text="values of early or late visits are distributed differently",
    review_text="values of early or late visits may be distributed differently",
    action="Do not compare early with late visits on this table.",
    answer=named_worst,
    worst_part=judged,
    shared=VisitColumns.shared,
)


def windows(c: Comparison) -> Score:
    """Score the distances of the marginal distributions within windows of time."""
    pool = PatientPool.of(c)
    window = windows_of(pool)
    many = int(window.max()) + 1
    places = list(pool.columns)
    values = pool.visits.values[:, places]
    features = Features(tuple(c.features.columns[j] for j in places))
    training = pool.is_training()
    enough = np.array([(training & (window == w)).sum() >= FEW_VISITS for w in range(many)])
    if not places or not enough.any():
        return WINDOWS.unassessable(few_columns())
    chosen = np.flatnonzero(enough)

    def rows_of(patients: NDArray[np.intp]) -> list[NDArray[np.float64]]:
        visits = pool.visits.visits_of(patients)
        return [values[visits[window[visits] == w]] for w in chosen]

    def measure(real: NDArray[np.intp]) -> AgainstPatients:
        compared = [agreements(rows, features.is_numeric) if len(rows) else None for rows in rows_of(real)]

        def against(other: NDArray[np.intp]) -> NDArray[np.float64]:
            none, all_of_it = np.full(len(places), np.nan), np.ones(len(places))
            return np.concatenate(
                [
                    none if agreement is None else 1 - agreement(rows) if len(rows) else all_of_it
                    for agreement, rows in zip(compared, rows_of(other), strict=True)
                ]
            )

        return against

    found = pool.estimate(measure, "windows", most=_MOST_PATIENTS)
    parts = [(features.names[j], int(w) + 1) for w in chosen for j in range(len(places))]
    return found.score(WINDOWS, details=VisitColumns(columns=listed(parts, found)), problem=few_columns())


def windows_of(pool: PatientPool) -> NDArray[np.intp]:
    """(visits,) the window of each visit, from 0: quarters of the training visits, fewer where times are tied."""
    time = pool.clock
    seen = time[pool.is_training(known=~np.isnan(time))]
    cuts = np.unique(np.quantile(seen, np.arange(1, _WINDOWS) / _WINDOWS, method="inverted_cdf"))
    return np.searchsorted(cuts[cuts < seen.max()], time, side="left")
