"""Variance components of a comparison of real with synthetic rows, and the standard error of a mean of rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import asin, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["Against", "Measure", "Spread", "mean_known", "reference_error"]

Against = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
"""From (rows, columns) other rows to (parts,) values, one per column, pair, ...; their mean is the score."""
Measure = Callable[["NDArray[np.float64]"], Against]
"""From (rows, columns) real rows to the comparison of other rows with them; work on the real rows is done once."""

_SAME = 0.9  # rounds of a higher correlation differ too little to estimate their variance


@dataclass(frozen=True, slots=True)
class Spread:
    """Variance components of one comparison of n real with n synthetic rows: a two-way random-effects layout.

    Two disjoint parts of the real rows are compared with two disjoint parts of the synthetic rows, all four ways; the
    squared contrasts of the four values estimate the components (Searle, Casella and McCulloch, Variance Components,
    1992, chapter 4). With several synthetic replicates the two synthetic parts are of two replicates, so that the
    variance between replicates counts.

    A distance has a corner at 0, where the jackknife and the bootstrap give intervals up to twice too wide. Where real
    and synthetic distributions are equal, it is a folded normal variable, |x - y|, about half of whose variance is
    interaction. Twice the interaction variance therefore estimates which part of the variance is that of a fold; that
    part averages out faster over rounds that share rows. The derivation is in docs/interval-of-fidelity-scores.md.

    Arguments:
        real: variance due to the real rows, main effect and half of the interaction.
        synthetic: variance due to the synthetic rows, likewise.
        both: variance of the interaction.
    """

    real: float
    synthetic: float
    both: float

    @classmethod
    def of(cls, c: Comparison, measure: Measure, n: int, splits: int, stream: str) -> Spread:
        """Estimate the components for a comparison of `n` rows; infinite where a part would have fewer than 11 rows."""
        least = min(map(len, c.replicates))
        size = min(n, len(c.real) // 2, least if len(c.replicates) > 1 else least // 2)
        if size < MIN_PATIENTS:
            return cls(np.inf, np.inf, np.inf)
        contrasts = []
        for split in range(splits):
            rng = c.rng(stream, "split", split)
            parts = c.two_tables(size, rng)
            ways = [
                [mean_known(against(other)) for other in parts] for against in map(measure, c.two_halves(size, rng))
            ]
            (a, b), (d, e) = ways
            contrasts.append(((a + b - d - e) / 2, (a - b + d - e) / 2, (a - b - d + e) / 2))
        known = np.array([each for each in contrasts if np.isfinite(each).all()])
        if not len(known):
            return cls(np.inf, np.inf, np.inf)
        # Parts of fewer than n rows have a larger variance, in proportion to 1 / rows.
        rows, columns, both = (known**2).mean(axis=0) * size / n
        return cls(rows / 2, columns / 2, both)

    def error(self, c: Comparison, n: int, rounds: int, *, folds: float = 1.0) -> float:
        """Return the standard error of a mean over rounds that share rows.

        Arguments:
            c: the tables.
            n: the number of rows of each kind in a round.
            rounds: the number of rounds.
            folds: multiplier, 0 to 1, of the estimated part of the variance that is a fold's.
        """
        # Where main effects are estimated as 0 by chance, only the interaction is left.
        whole = max(self.real + self.synthetic, self.both)
        if not np.isfinite(whole) or whole == 0:
            return whole
        real_share = self.real / (self.real + self.synthetic) if self.real + self.synthetic else 0.5
        folded = folds * min(1.0, 2 * self.both / whole)
        correlation = sum(
            share
            * (
                (1 - folded) * (real_share * real + (1 - real_share) * synthetic)
                + folded * _folded((real + synthetic) / 2)
            )
            for share, real, synthetic in _pairs_of_rounds(c, n, rounds)
        )
        return sqrt(whole * correlation)


def _pairs_of_rounds(c: Comparison, n: int, rounds: int) -> list[tuple[float, float, float]]:
    """Return for each kind of pair of rounds: its share of all pairs, the shares of common real and synthetic rows."""
    itself, real, tables = (1 / rounds, 1.0, 1.0), n / len(c.train), len(c.replicates)
    if tables > 1:
        # Rounds of one replicate share its deviation from the generator's mean.
        turns = 1 / min(tables, rounds)
        return [itself, (turns - 1 / rounds, real, 1.0), (1 - turns, real, 0.0)]
    disjoint = min(len(c.synthetic) // n, rounds)
    return [itself, ((disjoint - 1) / rounds, real, 0.0), (1 - disjoint / rounds, real, n / len(c.synthetic))]


def _folded(correlation: float) -> float:
    """Return the correlation of |x| and |y| for normal x and y of mean 0 and this correlation.

    Kamat, Biometrika 40:20-34, 1953.
    """
    return (correlation * asin(correlation) + sqrt(1 - correlation**2) - 1) / (pi / 2 - 1)


def reference_error(c: Comparison, n: int, references: NDArray[np.float64], unknown: float) -> float:
    """Return the standard error of the real-data reference, or `unknown` where all rounds have nearly the same rows.

    Reference rows and training rows have one distribution, so their distance is a folded variable.
    """
    holdout = 0 if c.holdout is None else len(c.holdout)
    unseen = min(n, holdout)
    real, reference = n / len(c.train), (unseen * unseen / max(holdout, 1) + (n - unseen) ** 2 / len(c.train)) / n
    # A training row can be a reference row in one round and a compared row in another: a negative correlation.
    crossed = real * (n - unseen) / n
    correlation, rounds = _folded((real + reference) / 2 - crossed), len(references)
    if correlation > _SAME:
        return unknown
    return sqrt(float(references.var(ddof=1)) / (1 - correlation) * (1 / rounds + (1 - 1 / rounds) * correlation))


def mean_known(parts: NDArray[np.float64]) -> float:
    """Return the mean of the parts that are not NaN; NaN where there are none."""
    known = parts[~np.isnan(parts)]
    return float(known.mean()) if len(known) else float("nan")
