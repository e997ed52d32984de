"""Dependence of missing cells on observed values: informative missingness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import StrictStr

from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.details import Correlation, Details
from synthclin.evaluation.disclosure import CORRELATION_STEP, Published, round_to
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.fidelity.association_measures import rank_correlations
from synthclin.evaluation.fidelity.estimate import AGAINST, estimate_fidelity
from synthclin.evaluation.fidelity.missingness import holes_of, kinds_of_missing
from synthclin.evaluation.kind import Kind
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.score import Score

__all__ = ["MISSING_DEPENDENCE", "MissingDependenceDetails", "MissingnessCorrelation", "missing_dependence"]

_MOST_COLUMNS = 20
_MOST_ROWS = 20_000
_MOST_LISTED = 10


class MissingnessCorrelation(Details):
    """Rank correlation of a column, or one level of it, with the missingness indicator of another column."""

    missing: StrictStr
    """The column whose cells are missing."""
    column: StrictStr
    """The observed column."""
    level: StrictStr | None
    """The level; None for a number, and for a whole column."""
    real: Correlation
    """Correlation in training rows."""
    synthetic: Correlation
    """Correlation in synthetic rows."""


class MissingDependenceDetails(Details):
    """Details of the correlations with missingness."""

    correlations: list[MissingnessCorrelation]
    """The correlations, the largest difference first."""

    def shared(self, _published: Published) -> MissingDependenceDetails:
        """Return rounded correlations of whole columns, without levels."""
        found = {(one.missing, one.column): one for one in self.correlations if one.level is None}
        return MissingDependenceDetails(
            correlations=[
                one.model_copy(update={"real": round_to(one.real, CORRELATION_STEP)}) for one in found.values()
            ]
        )


MISSING_DEPENDENCE = Kind(
    name="fidelity.missing_dependence",
    question="Do the same patients lack a value?",
    better="lower",
    method=(
        "mean over columns with missing cells, and over the numbers and levels observed beside them, outcomes "
        "included, of the absolute difference of Spearman's correlation between being missing and the observed value,"
        f" {AGAINST} (project convention)"
    ),
    section="fidelity",
    label="Correlations with missingness",
    unit="mean absolute difference",
    ideal=0.0,
    details=MissingDependenceDetails,
    shared=MissingDependenceDetails.shared,
    counts="real",
)


def missing_dependence(c: Comparison) -> Score:
    """Score the rank correlations of missing indicators with observed values."""
    holes = holes_of(c.features, c.train).sum(axis=0)
    # Both kinds of rows need a few in each half.
    enough = np.flatnonzero(np.minimum(holes, len(c.train) - holes) >= 2 * MIN_PATIENTS)
    flags = enough[np.argsort(-holes[enough], kind="stable")][:_MOST_COLUMNS]
    if not len(flags):
        return MISSING_DEPENDENCE.unassessable(
            tr("No column has {cells} missing and as many observed training cells.", cells=2 * MIN_PATIENTS)
        )
    codebook = Codebook.of(c.features, c.train)
    beside = [
        (j, place)
        for j, feature in enumerate(c.features.columns)
        if feature.column.reason_for is None
        for place in (codebook.kept[j] if feature.kind == "levels" else [None])
    ]

    def correlations(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (flags, beside) Spearman's correlations; 0 where a column does not vary."""
        shown = [
            np.where(np.isnan(rows[:, j]), np.nan, rows[:, j] if at is None else rows[:, j] == at) for j, at in beside
        ]
        both = np.column_stack([holes_of(c.features, rows)[:, flags].astype(np.float64), *shown])
        return np.nan_to_num(rank_correlations(both)[: len(flags), len(flags) :])

    def measure(real: NDArray[np.float64]) -> Against:
        of_real = correlations(real)
        return lambda other: np.abs(correlations(other) - of_real).ravel()

    train = subsample(c.train, _MOST_ROWS, c.rng("missing dependence", "train"))
    real, synthetic = (
        correlations(train),
        correlations(subsample(c.synthetic, _MOST_ROWS, c.rng("missing dependence", "synthetic"))),
    )
    worst = zip(*np.unravel_index(np.argsort(-np.abs(real - synthetic), axis=None), real.shape), strict=True)
    kinds, names = [name for name, _, _ in kinds_of_missing(c.features)], c.features.names
    return estimate_fidelity(c, measure, "missing dependence", high=2.0).score(
        MISSING_DEPENDENCE,
        details={
            "correlations": [
                {
                    "missing": kinds[flags[i]],
                    "column": names[beside[k][0]],
                    "level": None
                    if beside[k][1] is None
                    else str(c.features.columns[beside[k][0]].levels[int(beside[k][1])]),
                    "real": real[i, k],
                    "synthetic": synthetic[i, k],
                }
                for i, k in list(worst)[:_MOST_LISTED]
            ]
        },
    )
