"""How sure a score is: intervals for shares and means, and the resampling behind them."""

from __future__ import annotations

from math import hypot, nan, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from synthclin.evaluation.score import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "Z",
    "deal",
    "jackknife",
    "learnt_from_halves",
    "random_groups",
    "recentred",
    "resamples",
    "widened",
    "wilson",
]

Z = 1.959963984540054  # two-sided 95 %
_FEW = 11
_FEW_TRIALS = 50


def wilson(k: float, n: int) -> Interval:
    """Return Wilson's 95 % interval for a share of `k` in `n`, mended near 0 and 1.

    Wilson's interval (JASA 22:209-212, 1927) holds a share of .2 / n less than 85 % of the time. Where one to three
    rows are left the end near 0 or 1 is that of a Poisson count, as Brown, Cai and DasGupta advise (Stat Sci
    16:101-133, 2001, section 4.1.1): it then holds any share 93 % of the time and more.

    Example:
        >>> low, high = wilson(0, 100)
        >>> round(low, 4), round(high, 4)
        (0.0, 0.037)
        >>> round(wilson(1, 100).low, 4)
        0.0005
    """
    if n == 0:
        return Interval(nan, nan)
    middle = (k + Z**2 / 2) / (n + Z**2)
    half = Z / (n + Z**2) * sqrt(k * (n - k) / n + Z**2 / 4)
    few = 2 if n <= _FEW_TRIALS else 3

    def least(count: float, end: float) -> float:
        # At the ends rounding would leave the share itself out.
        return 0.0 if not count else float(stats.chi2.ppf(0.05, 2 * count)) / (2 * n) if count <= few else end

    return Interval(max(0.0, least(k, middle - half)), min(1.0, 1 - least(n - k, 1 - middle - half)))


def resamples(
    n: int, times: int, rng: np.random.Generator, clusters: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return (times, n) how often each row is drawn in each bootstrap sample; the rows of a cluster go together.

    Fewer than 11 rows vary too little to show their own uncertainty: there is no sample of them.
    """
    if n < _FEW:
        return np.empty((0, n), dtype=np.int64)
    if clusters is not None:
        drawn = resamples(int(clusters.max()) + 1, times, rng)
        return drawn[:, clusters]
    return np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(times)])


def recentred(value: float, replicates: NDArray[np.float64], low: float = 0.0, high: float = 1.0) -> Interval:
    """Return the percentile interval of bootstrap replicates, moved so that their median falls on `value`.

    A distance can only grow by resampling: replicates of a perfect match all lie
    below it, and their plain percentiles would leave the value itself out.
    """
    if not len(replicates):
        return Interval(low, high)
    spread = np.quantile(replicates, [0.025, 0.975]) - np.median(replicates)
    return Interval(float(np.clip(value + spread[0], low, high)), float(np.clip(value + spread[1], low, high)))


def widened(value: float, interval: Interval, variance: float) -> Interval:
    """Return an interval that allows for a further variance, independent of what made it as wide as it is.

    Example:
        >>> low, high = widened(0.0, Interval(-3.0, 3.0), (4 / Z) ** 2)
        >>> round(low, 6), round(high, 6)
        (-5.0, 5.0)
    """
    further = Z * sqrt(variance)
    return Interval(value - hypot(value - interval.low, further), value + hypot(interval.high - value, further))


def learnt_from_halves(pairs: Sequence[tuple[float, float]]) -> float:
    """Return how much a figure of a learner varies with the rows it learnt from, as a variance.

    Arguments:
        pairs: the figure after learning from either of two disjoint halves; its variance after learning from all of
            them is taken to be half of theirs.

    Example:
        >>> learnt_from_halves([(0.7, 0.9), (0.8, 0.8)])
        0.005
    """
    return round(float(np.mean([(one - other) ** 2 for one, other in pairs])) / 4, 12)


def deal(n: int, groups: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return the numbers 0 .. n-1, dealt at random into `groups` hands of nearly equal size (fewer if n is smaller)."""
    return [np.sort(hand) for hand in np.array_split(rng.permutation(n), max(1, min(groups, n)))]


def jackknife(value: float, left_out: Sequence[float], low: float = 0.0, high: float = 1.0) -> Interval:
    """Return a t interval from the scores with one group of rows left out each (Wolter 2007, chapter 4)."""
    k = len(left_out)
    if k < 2:
        return Interval(low, high)
    error = sqrt((k - 1) / k * float(np.sum((np.asarray(left_out) - np.mean(left_out)) ** 2)))
    return _t_interval(value, error, k - 1, low, high)


def random_groups(value: float, by_group: Sequence[float], low: float = 0.0, high: float = 1.0) -> Interval:
    """Return a t interval from the scores of disjoint groups that make up the rows (Wolter 2007, chapter 2)."""
    scores = np.asarray([score for score in by_group if not np.isnan(score)])
    k = len(scores)
    if k < 2:
        return Interval(low, high)
    return _t_interval(value, float(scores.std(ddof=1)) / sqrt(k), k - 1, low, high)


def _t_interval(value: float, error: float, freedom: int, low: float, high: float) -> Interval:
    half = float(stats.t.ppf(0.975, freedom)) * error
    return Interval(max(low, value - half), min(high, value + half))
