"""How much a comparison of real with synthetic rows varies by chance, and what a mean of several such keeps of it."""

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
"""From (rows, columns) to the parts (one per column, pair, ...) whose mean is the score."""
Measure = Callable[["NDArray[np.float64]"], Against]
"""From (rows, columns) real rows to what measures others against them: what is known of the real ones is reused."""

_SAME = 0.9  # so alike rounds differ too little to tell how much they vary


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances of one comparison of n real with n synthetic rows: due to either kind of rows, and to both together.

    Distances have a corner at 0: rows left out or drawn again move them by more than other rows of the
    same law would, so jackknife and bootstrap give intervals up to twice too wide. Here two disjoint parts of the real
    rows are compared with two disjoint parts of the synthetic ones, all four ways, and the squares of the
    contrasts between these four are the variances of a two-way layout (Searle, Casella and McCulloch, Variance
    Components, 1992, chapter 4). Several tables are the two parts in pairs, so that their own differences count.

    What is far from the real rows moves with the rows of either kind, each on its own: how both meet adds nothing.
    Where there is nothing but chance, a distance folds at 0, |x - y| of two chances, and about half of its variance is
    how both meet. So twice the variance of both together tells how much of all is that of a fold, which averages out
    faster over rounds that share rows.

    Arguments:
        real: due to which real rows there are, by themselves and by how they meet the synthetic ones.
        synthetic: due to which synthetic rows, and which of several tables, likewise.
        both: due to how these meet.
    """

    real: float
    synthetic: float
    both: float

    @classmethod
    def of(cls, c: Comparison, measure: Measure, n: int, splits: int, stream: str) -> Spread:
        """Return the variances of a comparison of `n` rows; infinite where rows are too few to tell."""
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
        # Fewer rows than are compared, where there are few, vary more.
        rows, columns, both = (known**2).mean(axis=0) * size / n
        return cls(rows / 2, columns / 2, both)

    def error(self, c: Comparison, n: int, rounds: int, *, folds: float = 1.0) -> float:
        """Return the standard error of a mean over rounds that share rows.

        Arguments:
            c: the tables.
            n: how many rows of each kind are compared in a round.
            rounds: how many rounds there are.
            folds: how much of what seems to fold is taken to do so: what folds averages out faster.
        """
        # Rows that happen to lie at no distance seem not to vary but by how they meet.
        whole = max(self.real + self.synthetic, self.both)
        if not np.isfinite(whole) or whole == 0:
            return whole
        alone = self.real / (self.real + self.synthetic) if self.real + self.synthetic else 0.5
        folded = folds * min(1.0, 2 * self.both / whole)
        alike = sum(
            share * ((1 - folded) * (alone * real + (1 - alone) * drawn) + folded * _folded((real + drawn) / 2))
            for share, real, drawn in _pairs_of_rounds(c, n, rounds)
        )
        return sqrt(whole * alike)


def _pairs_of_rounds(c: Comparison, n: int, rounds: int) -> list[tuple[float, float, float]]:
    """Return which share of all pairs of rounds has which shares of real and of synthetic rows in common."""
    itself, real, tables = (1 / rounds, 1.0, 1.0), n / len(c.train), len(c.replicates)
    if tables > 1:
        # Rounds of one table share what it has of its own.
        turns = 1 / min(tables, rounds)
        return [itself, (turns - 1 / rounds, real, 1.0), (1 - turns, real, 0.0)]
    hands = min(len(c.synthetic) // n, rounds)
    return [itself, ((hands - 1) / rounds, real, 0.0), (1 - hands / rounds, real, n / len(c.synthetic))]


def _folded(correlation: float) -> float:
    """Return the correlation of the absolute values of two normal variables that correlate so, with means of 0.

    (Kamat, Biometrika 40:20-34, 1953.)
    """
    return (correlation * asin(correlation) + sqrt(1 - correlation**2) - 1) / (pi / 2 - 1)


def reference_error(c: Comparison, n: int, references: NDArray[np.float64], unknown: float) -> float:
    """Return the standard error of a mean over rounds of fresh rows, or `unknown` where all rounds have the same rows.

    Nothing but chance sets fresh rows apart, so their distance varies as a fold does.
    """
    held = 0 if c.holdout is None else len(c.holdout)
    unseen = min(n, held)
    real, fresh = n / len(c.train), (unseen * unseen / max(held, 1) + (n - unseen) ** 2 / len(c.train)) / n
    # Training rows that are fresh in one round are in the half of another, and move the two apart.
    crossed = real * (n - unseen) / n
    alike, rounds = _folded((real + fresh) / 2 - crossed), len(references)
    if alike > _SAME:
        return unknown
    return sqrt(float(references.var(ddof=1)) / (1 - alike) * (1 / rounds + (1 - 1 / rounds) * alike))


def mean_known(parts: NDArray[np.float64]) -> float:
    """Return the mean of the parts that are known, NaN where none is."""
    known = parts[~np.isnan(parts)]
    return float(known.mean()) if len(known) else float("nan")
