"""Transitions of levels from visit to visit: the total variation distance of the transition matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.visits.columns import few_columns, listed
from synthclin.evaluation.visits.details import VisitColumns, judged, named_distance
from synthclin.evaluation.visits.pool import AGAINST_PATIENTS, PatientPool
from synthclin.evaluation.visits.terms import FEW_VISITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.visits.pool import AgainstPatients

__all__ = ["TRANSITIONS", "transition_distance", "transitions"]

_MOST_LEVELS = 6

TRANSITIONS = Kind(
    name="visits.transitions",
    question="Do levels change from visit to visit as in real patients?",
    better="lower",
    method=(
        "mean over columns of levels of the total variation distance of the level at a visit given the level at the "
        "visit before, mean over the levels before in the proportions of real patients, the 6 most frequent levels and "
        f"all others together, {AGAINST_PATIENTS} (project convention)"
    ),
    section="visits",
    label="Transitions of levels",
    unit="mean total variation distance",
    ideal=0.0,
    details=VisitColumns,
    asked=questions.VISITS,
    limit=Limit("<=", 0.10, 0.20, convention("a tenth of the next levels then differ at most")),
    needs=frozenset({"visits"}),
    fail_text="levels change from visit to visit in another way",
    review_text="levels may change from visit to visit in another way",
    action="Do not model transitions between levels on this table.",
    answer=named_distance,
    worst_part=judged,
    shared=VisitColumns.shared,
)


def transitions(c: Comparison) -> Score:
    """Score the distances of the transition matrices of levels."""
    pool = PatientPool.of(c)
    counts = {name: matrix for name, matrix in _counts(pool).items() if matrix[pool.train].sum() >= FEW_VISITS}
    if not counts:
        return TRANSITIONS.unassessable(few_columns())

    def matrices(places: NDArray[np.intp]) -> list[NDArray[np.float64]]:
        return [matrix[places].sum(axis=0, dtype=np.float64) for matrix in counts.values()]

    def measure(real: NDArray[np.intp]) -> AgainstPatients:
        of_real = matrices(real)
        return lambda other: np.array(
            [transition_distance(*both) for both in zip(of_real, matrices(other), strict=True)]
        )

    found = pool.estimate(measure, "transitions")
    stay = [np.array([_stay(matrix) for matrix in matrices(places)]) for places in (pool.train, pool.synthetic)]
    columns = listed([(name, None) for name in counts], found, *stay)
    return found.score(TRANSITIONS, details=VisitColumns(columns=columns), problem=few_columns())


def _counts(pool: PatientPool) -> dict[str, NDArray[np.float32]]:
    """Return by column of levels the (patients, levels, levels) number of changes from a level to the next."""
    found = {}
    for j in pool.columns:
        feature, cells = pool.c.features.columns[j], pool.visits.values[:, j]
        seen = cells[pool.is_training(known=~np.isnan(cells))]
        if feature.kind == "line" or len(np.unique(seen)) < 2:
            continue
        frequent = np.argsort(-np.bincount(seen.astype(int), minlength=len(feature.levels)), kind="stable")
        code = np.full(len(feature.levels), min(_MOST_LEVELS, len(frequent)))
        code[frequent[:_MOST_LEVELS]] = np.arange(min(_MOST_LEVELS, len(frequent)))
        now = np.where(np.isnan(cells), np.nan, code[np.nan_to_num(cells).astype(int)])
        size = int(code.max()) + 1
        before = pool.visits.before(now)
        both = ~np.isnan(now) & ~np.isnan(before)
        place = (pool.visits.patient[both] * size + before[both].astype(int)) * size + now[both].astype(int)
        matrix = np.bincount(place, minlength=len(pool.visits) * size * size).astype(np.float32)
        found[feature.name] = matrix.reshape(-1, size, size)
    return found


def transition_distance(real: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the mean total variation distance of the rows of two transition matrices, weighted by the real rows.

    A level that others never leave counts as a distance of 1; NaN without real transitions.

    Arguments:
        real: (levels, levels) number of changes from each level to each other one.
        other: (levels, levels) the same of other patients.

    Example:
        >>> real = np.array([[3.0, 1.0], [0.0, 4.0]])
        >>> transition_distance(real, np.array([[6.0, 2.0], [0.0, 1.0]])), transition_distance(real, np.eye(2))
        (0.0, 0.125)
    """
    weights = real.sum(axis=1)
    if not weights.sum():
        return float("nan")
    p, q = (part / np.maximum(part.sum(axis=1, keepdims=True), 1.0) for part in (real, other))
    apart = np.where(other.sum(axis=1) > 0, np.abs(p - q).sum(axis=1) / 2, 1.0)
    return float(weights @ apart / weights.sum())


def _stay(matrix: NDArray[np.float64]) -> float:
    """Return the share of visits with the level of the visit before; NaN without any."""
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")
