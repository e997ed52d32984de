"""Missing data: patterns of missing cells, and their dependence on observed values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.association import rank_correlations
from synthclin.evaluation.cell_suppression import suppressed_share
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.fidelity import estimate_fidelity
from synthclin.evaluation.score import Definition, Score
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Features
    from synthclin.evaluation.spread import Against

__all__ = ["missing_dependence", "missingness"]

_MOST_COLUMNS = 20
_MOST_ROWS = 20_000
_MOST_LISTED = 10

_AGAINST = "against as many training rows, mean of 10 random halves of the real rows (project convention)"
MISSINGNESS = Definition(
    "fidelity.missingness",
    "Are the same cells missing together?",
    "higher",
    "1 - total variation distance of the patterns of missing cells, each kind of missing separate, patterns of fewer "
    f"than 11 training rows pooled, {_AGAINST}",
)
DEPENDENCE = Definition(
    "fidelity.missing_dependence",
    "Do the same patients lack a value?",
    "lower",
    "mean over columns with missing cells, and over the numbers and levels observed beside them, outcomes included, of "
    f"the absolute difference of Spearman's correlation between being missing and the observed value, {_AGAINST}",
)


def missingness(c: Comparison) -> Score:
    """Score the distribution of missing-data patterns."""
    holes, synthetic = _holes(c.features, c.train), _holes(c.features, c.synthetic)
    if not holes.any() and not any(_holes(c.features, rows).any() for rows in c.replicates):
        return MISSINGNESS.unassessable("No cell is missing.")
    patterns, counts = np.unique(holes, axis=0, return_counts=True)
    frequent = patterns[counts >= MIN_PATIENTS]
    if not len(frequent):
        return MISSINGNESS.unassessable("No pattern of missing cells is shared by 11 training rows.")

    def shares(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(_find(frequent, rows), minlength=len(frequent) + 1) / len(rows)

    def measure(real: NDArray[np.float64]) -> Against:
        of_real = shares(_holes(c.features, real))
        return lambda other: np.array([1 - np.abs(of_real - shares(_holes(c.features, other))).sum() / 2])

    names = [name for name, _, _ in _kinds(c.features)]
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


def _kinds(features: Features) -> list[tuple[str, int, float | None]]:
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


def _holes(features: Features, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(rows, kinds) missing indicators; a cell with a missing code counts only for that code."""
    kinds = _kinds(features)
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


def missing_dependence(c: Comparison) -> Score:
    """Score the rank correlations of missing indicators with observed values."""
    holes = _holes(c.features, c.train).sum(axis=0)
    # Both kinds of rows need a few in each half.
    enough = np.flatnonzero(np.minimum(holes, len(c.train) - holes) >= 2 * MIN_PATIENTS)
    flags = enough[np.argsort(-holes[enough], kind="stable")][:_MOST_COLUMNS]
    if not len(flags):
        return DEPENDENCE.unassessable(f"No column has {2 * MIN_PATIENTS} missing and as many observed training cells.")
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
        both = np.column_stack([_holes(c.features, rows)[:, flags].astype(np.float64), *shown])
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
    kinds, names = [name for name, _, _ in _kinds(c.features)], c.features.names
    return estimate_fidelity(c, measure, "missing dependence", high=2.0).score(
        DEPENDENCE,
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
