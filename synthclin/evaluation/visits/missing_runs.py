"""Missingness given missingness at the visit before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.visits.columns import column_score
from synthclin.evaluation.visits.details import VisitColumns, judged, named_worst
from synthclin.evaluation.visits.pool import AGAINST_PATIENTS, PatientPool
from synthclin.evaluation.visits.terms import FEW_VISITS
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score

__all__ = ["MISSING_RUNS", "missing_runs"]

MISSING_RUNS = Kind(
    name="visits.missing_runs",
    question="Does a missing value follow a missing one as in real patients?",
    better="lower",
    method=(
        "mean over columns with missing cells of the absolute difference of the share of missing cells after a missing "
        f"cell, and after an observed one, of the visit before, {AGAINST_PATIENTS} (project convention)"
    ),
    section="visits",
    label="Runs of missing values",
    unit="mean absolute difference of shares",
    ideal=0.0,
    details=VisitColumns,
    asked=questions.VISITS,
    limit=Limit("<=", 0.10, 0.20, convention("a tenth of the cells after a missing one then differ at most")),
    needs=frozenset({"visits"}),
    fail_text="missing values follow each other in another way",
    review_text="missing values may follow each other in another way",
    action="Do not study methods for missing visits on this table.",
    answer=named_worst,
    worst_part=judged,
    shared=VisitColumns.shared,
)


def missing_runs(c: Comparison) -> Score:
    """Score the differences of missingness given missingness at the visit before."""
    pool = PatientPool.of(c)
    missing = np.isnan(pool.visits.values[:, list(pool.columns)])
    before = pool.visits.before(missing * 1.0)
    # (patients, 2, 2, columns): observed or missing before, all visits or those with a missing cell.
    sums = np.stack(
        [
            np.stack([pool.visits.sums((before == state) * 1.0), pool.visits.sums((before == state) & missing)], axis=1)
            for state in (0, 1)
        ],
        axis=1,
    )
    enough = sums[pool.train, :, 0].sum(axis=0) >= FEW_VISITS
    # A column that is never missing has nothing to compare.
    state, column = np.nonzero(enough & enough[1])
    names = [pool.c.features.names[j] for j in pool.columns]

    def shares(places: NDArray[np.intp]) -> NDArray[np.float64]:
        visits, holes = np.moveaxis(sums[places].sum(axis=0), 1, 0)
        found = np.divide(holes, visits, out=np.full(visits.shape, np.nan), where=visits > 0)
        chosen: NDArray[np.float64] = found[state, column]
        return chosen

    if not len(state):
        return MISSING_RUNS.unassessable(
            tr("No column has {visits} training visits after a missing value.", visits=FEW_VISITS)
        )
    parts = [(names[k], int(s)) for s, k in zip(state, column, strict=True)]
    return column_score(MISSING_RUNS, pool, parts, np.arange(len(parts)), shares)
