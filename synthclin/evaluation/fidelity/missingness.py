"""Missing data: the patterns of cells that are missing together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import StrictStr

from synthclin.evaluation.answers import reference_reached
from synthclin.evaluation.details import Details, Share
from synthclin.evaluation.disclosure import suppressed_share
from synthclin.evaluation.fidelity.estimate import AGAINST, estimate_fidelity
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import Score
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Features
    from synthclin.evaluation.fidelity.spread import Against

__all__ = ["MISSINGNESS", "MissingnessDetails", "Pattern", "holes_of", "kinds_of_missing", "missingness"]

_MOST_LISTED = 10


class MissingShares(Details):
    """Missing cells of one column, or of one of its missing codes."""

    column: StrictStr
    """Name of the column, and of the code in brackets."""
    real: Share | None
    """Share of training cells; None where it rests on 1 to 10 rows."""
    synthetic: Share
    """Share of synthetic cells."""


class Pattern(Details):
    """A pattern: columns that are missing together."""

    missing: list[StrictStr]
    """The missing columns; none for complete rows."""
    real: Share
    """Share of training rows."""
    synthetic: Share
    """Share of synthetic rows."""


class MissingnessDetails(Details):
    """Details of the missingness patterns."""

    columns: list[MissingShares]
    """The columns with missing cells, the largest difference first."""
    patterns: list[Pattern]
    """The most frequent patterns of 11 training rows and more."""


MISSINGNESS = Kind(
    name="fidelity.missingness",
    question="Are the same cells missing together?",
    better="higher",
    method=(
        "1 - total variation distance of the patterns of missing cells, each kind of missing separate, patterns of "
        f"fewer than 11 training rows pooled, {AGAINST} (project convention)"
    ),
    section="fidelity",
    label="Missingness",
    unit="agreement of patterns",
    ideal=1.0,
    details=MissingnessDetails,
    fail_text="missingness patterns differ",
    review_text="missingness patterns may differ",
    action="Missingness patterns differ from the real table.",
    answer=reference_reached,
    counts="real",
    is_headline=True,
)


def missingness(c: Comparison) -> Score:
    """Score the distribution of missing-data patterns."""
    holes, synthetic = holes_of(c.features, c.train), holes_of(c.features, c.synthetic)
    if not holes.any() and not any(holes_of(c.features, rows).any() for rows in c.replicates):
        return MISSINGNESS.unassessable(tr("No cell is missing."))
    patterns, counts = np.unique(holes, axis=0, return_counts=True)
    frequent = patterns[counts >= MIN_PATIENTS]
    if not len(frequent):
        return MISSINGNESS.unassessable(tr("No pattern of missing cells is shared by 11 training rows."))

    def shares(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(_find(frequent, rows), minlength=len(frequent) + 1) / len(rows)

    def measure(real: NDArray[np.float64]) -> Against:
        of_real = shares(holes_of(c.features, real))
        return lambda other: np.array([1 - np.abs(of_real - shares(holes_of(c.features, other))).sum() / 2])

    names = [name for name, _, _ in kinds_of_missing(c.features)]
    rates = [(name, holes[:, j].mean(), synthetic[:, j].mean()) for j, name in enumerate(names)]
    rates.sort(key=lambda rate: -abs(rate[1] - rate[2]))
    by_pattern = sorted(zip(frequent, shares(holes), shares(synthetic), strict=False), key=lambda item: -item[1])
    return estimate_fidelity(c, measure, "missingness").score(
        MISSINGNESS,
        details={
            "columns": [
                {"column": name, "real": suppressed_share(a, len(c.train)), "synthetic": b}
                for name, a, b in rates
                if a or b
            ],
            "patterns": [
                {
                    "missing": [name for name, hole in zip(names, pattern, strict=True) if hole],
                    "real": a,
                    "synthetic": b,
                }
                for pattern, a, b in by_pattern[:_MOST_LISTED]
            ],
        },
    )


def kinds_of_missing(features: Features) -> list[tuple[str, int, float | None]]:
    """Return the kinds of missing: a name, the place of the column that records it, and its level there or None.

    A column without missing codes has one kind. A column with missing codes has one for each code and one for cells
    without a code.
    """
    kinds: list[tuple[str, int, float | None]] = []
    for j, (name, feature) in enumerate(zip(features.names, features.columns, strict=True)):
        if (explained := feature.column.reason_for) is not None:
            kinds += [(f"{explained} ({level})", j, float(place)) for place, level in enumerate(feature.levels)]
        else:
            kinds.append((name, j, None))
    return kinds


def holes_of(features: Features, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(rows, kinds) missing indicators; a cell with a missing code counts only for that code."""
    kinds = kinds_of_missing(features)
    holes = np.column_stack([np.isnan(rows[:, j]) if at is None else rows[:, j] == at for _, j, at in kinds])
    place = {name: i for i, (name, _, at) in enumerate(kinds) if at is None}
    for feature, coded in zip(features.columns, ~np.isnan(rows.T), strict=True):
        if (explained := feature.column.reason_for) is not None:
            holes[coded, place[explained]] = False
    return holes


def _find(patterns: NDArray[np.bool_], rows: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(rows,) the number of each row's pattern; len(patterns) where it is none of them."""
    packed = np.packbits(np.vstack([patterns, rows]), axis=1)
    whole = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, same = np.unique(whole, return_index=True, return_inverse=True)
    # The patterns are stacked first, so the first index of an equal row is its pattern.
    return np.minimum(first[same[len(patterns) :]], len(patterns))
