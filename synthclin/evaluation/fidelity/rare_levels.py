"""Rare levels: their shares of synthetic rows against their shares of real rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import StrictStr

from synthclin.evaluation.details import Details, Finite, Share
from synthclin.evaluation.fidelity.columns import observed
from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import no_baseline
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.score import Score

__all__ = ["RARE_LEVELS", "RareLevel", "RareLevelDetails", "rare_levels"]

_RARE = 0.10
_MOST_LISTED = 20


class RareLevel(Details):
    """A rare level."""

    column: StrictStr
    """Its column."""
    level: StrictStr
    """The level."""
    value: Finite | None
    """The smaller of both shares over the larger, mean of 10 halves."""
    log_ratio: Finite
    """Log of its synthetic over its real share."""


class RareLevelDetails(Details):
    """Details of the rare levels."""

    coverage: Share
    """The share of rare levels that occur in synthetic rows."""
    levels: list[RareLevel]
    """The levels, the one with the smallest ratio first."""


RARE_LEVELS = Kind(
    name="fidelity.rare_levels",
    question="Are rare groups of patients still there?",
    better="higher",
    method=(
        "mean over levels of 11 and more training rows, and less than a tenth of them, of the smaller of both shares "
        "over the larger, against as many training rows, mean of 10 random halves of the real rows; rarer levels do "
        "not count, because a copied singleton is a disclosure, unlike SDMetrics' CategoryCoverage (project "
        "convention)"
    ),
    section="fidelity",
    label="Rare levels",
    unit="mean agreement of shares",
    ideal=1.0,
    details=RareLevelDetails,
    counts="real",
)


def rare_levels(c: Comparison) -> Score:
    """Score the frequency of rare levels, those of 11 training rows up to a tenth of them."""
    rare: list[tuple[int, int]] = []
    for j, feature in enumerate(c.features.columns):
        if feature.kind != "line":
            counts = np.bincount(observed(c.train, j).astype(int), minlength=len(feature.levels))
            rare += [(j, int(k)) for k in np.flatnonzero((counts >= MIN_PATIENTS) & (counts < _RARE * len(c.train)))]
    if not rare:
        return RARE_LEVELS.unassessable(tr("No level has 11 training rows and less than a tenth of them."))
    columns, levels = np.array(rare).T

    def shares(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (rows[:, columns] == levels).mean(axis=0)
        return found

    def measure(real: NDArray[np.float64]) -> Against:
        a = shares(real)

        def ratios(other: NDArray[np.float64]) -> NDArray[np.float64]:
            b = shares(other)
            larger = np.maximum(a, b)
            ratio: NDArray[np.float64] = np.divide(
                np.minimum(a, b), larger, out=np.full(len(a), np.nan), where=larger > 0
            )
            return ratio

        return ratios

    found = estimate_fidelity(c, measure, "rare levels")
    synthetic = np.mean([shares(rows) for rows in c.replicates], axis=0)
    # 0.5 is added to each count, so that an absent level has a ratio (Agresti, Categorical Data Analysis, 2002, 3.1).
    n_real, n_synthetic = len(c.train), sum(map(len, c.replicates))
    log_ratio = np.log((synthetic * n_synthetic + 0.5) / (n_synthetic + 1)) - np.log(
        (shares(c.train) * n_real + 0.5) / (n_real + 1)
    )
    details = [
        {"column": c.features.names[j], "level": str(c.features.columns[j].levels[k]), "value": part, "log_ratio": log}
        for (j, k), part, log in zip(rare, found.parts, log_ratio, strict=True)
    ]
    return found.score(
        RARE_LEVELS,
        baseline=False,
        notes=[no_baseline()],
        details={
            "coverage": float((synthetic > 0).mean()),
            "levels": sorted(details, key=lambda row: row["log_ratio"])[:_MOST_LISTED],
        },
    )
