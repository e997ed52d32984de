"""Wasserstein distance of numbers and dates, over the whole distribution and not its worst place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from synthclin.evaluation.fidelity.columns import ColumnsDetails, observed, worst_first
from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import no_baseline
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score

__all__ = ["WASSERSTEIN", "wasserstein"]

WASSERSTEIN = Kind(
    name="fidelity.wasserstein",
    question="How far apart are the distributions of numbers?",
    better="lower",
    method=(
        "mean over numbers and dates of the Wasserstein distance of the observed values in real interquartile ranges,"
        " one or more of them counted as one, against as many training rows, mean of 10 random halves of the real "
        "rows (Vallender, Theory Probab Appl 18:784-786, 1974; scipy)"
    ),
    section="fidelity",
    label="Wasserstein distance",
    unit="mean over numbers, in interquartile ranges",
    ideal=0.0,
    details=ColumnsDetails,
    counts="real",
)


def wasserstein(c: Comparison) -> Score:
    """Score the Wasserstein distance of numbers and dates, over the whole distribution and not its worst place."""
    lines = np.flatnonzero(c.features.is_numeric)
    if not len(lines):
        return WASSERSTEIN.unassessable(tr("No column is a number or a date."))

    def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        spread = float(np.subtract(*np.quantile(a, [0.75, 0.25]))) if min(len(a), len(b)) >= MIN_PATIENTS else 0.0
        return min(1.0, float(stats.wasserstein_distance(a, b)) / spread) if spread > 0 else np.nan

    def distances(real: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([distance(observed(real, j), observed(other, j)) for j in lines])

    found = estimate_fidelity(c, lambda real: partial(distances, real), "wasserstein")
    columns = [
        {"column": c.features.names[j], "value": part, "reference": reference}
        for j, part, reference in zip(lines, found.parts, found.reference_parts, strict=True)
    ]
    return found.score(WASSERSTEIN, baseline=False, notes=[no_baseline()], details={"columns": worst_first(columns)})
