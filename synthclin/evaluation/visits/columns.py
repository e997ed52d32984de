"""A score of figures of columns of visits: their differences between synthetic and training patients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.visits.details import VisitColumn, VisitColumns
from synthclin.evaluation.visits.terms import FEW_VISITS, mean_by
from synthclin.language import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.fidelity.estimate import FidelityEstimate
    from synthclin.evaluation.kind import Kind
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.visits.pool import AgainstPatients, PatientPool

__all__ = ["Part", "column_score", "few_columns", "listed"]

Figures = Callable[["NDArray[np.intp]"], "NDArray[np.float64]"]
"""From the places of patients to (figures,) figures."""

Part = tuple[str, int | None]
"""A column, and which figure of it; None where it has one."""


def column_score(
    kind: Kind[VisitColumns],
    pool: PatientPool,
    parts: Sequence[Part],
    part: NDArray[np.intp],
    figures: Figures,
    *,
    low: float = 0.0,
) -> Score:
    """Score the mean over the parts of absolute differences of figures.

    Arguments:
        kind: of the score.
        pool: the patients.
        parts: the parts, of which the score is the mean.
        part: (figures,) the part of each figure; a part is the mean of its figures, one for each level.
        figures: from patients to figures, NaN where they have none.
        low: the smallest possible figure; the largest is 1.
    """
    if not parts:
        return kind.unassessable(few_columns())

    def measure(real: NDArray[np.intp]) -> AgainstPatients:
        of_real = figures(real)

        def against(other: NDArray[np.intp]) -> NDArray[np.float64]:
            # A figure that others do not have, as of a column that does not vary, counts as 0.
            return mean_by(part, len(parts), np.abs(np.nan_to_num(figures(other)) - of_real))

        return against

    found = pool.estimate(measure, kind.name.partition(".")[2], high=1.0 - low)
    real, synthetic = (mean_by(part, len(parts), figures(places)) for places in (pool.train, pool.synthetic))
    columns = listed(parts, found, real, synthetic)
    return found.score(kind, details=VisitColumns(columns=columns), problem=few_columns())


def listed(
    parts: Sequence[Part],
    found: FidelityEstimate,
    real: NDArray[np.float64] | None = None,
    synthetic: NDArray[np.float64] | None = None,
) -> list[VisitColumn]:
    """Return the parts of a score, the largest difference first.

    Arguments:
        parts: the parts.
        found: the estimate, a value for each part.
        real: (parts,) figures of training patients.
        synthetic: (parts,) figures of synthetic patients.
    """
    columns = [
        VisitColumn(
            column=name,
            part=number,
            real=_bounded(real, k),
            synthetic=_bounded(synthetic, k),
            difference=found.parts[k],
            reference=found.reference_parts[k],
        )
        for k, (name, number) in enumerate(parts)
    ]
    return sorted(columns, key=lambda one: -1.0 if one.difference is None else one.difference, reverse=True)


def few_columns() -> str:
    """Return the note of a score without a column to compare."""
    return tr("No column has {visits} training visits that can be compared.", visits=FEW_VISITS)


def _bounded(figures: NDArray[Any] | None, k: int) -> float | None:
    return None if figures is None or np.isnan(figures[k]) else float(np.clip(figures[k], -1, 1))
