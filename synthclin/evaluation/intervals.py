"""How sure a score is: intervals for shares and means, and the resampling behind them."""

from __future__ import annotations

from math import hypot, inf, isnan, nan, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from synthclin.evaluation.score import Interval, Z
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "jackknife",
    "learners_gap",
    "partition",
    "random_groups",
    "recentred",
    "resamples",
    "widened",
    "wilson",
]

_FEW = MIN_PATIENTS
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


def learners_gap(
    gaps: NDArray[np.float64],
    halves: Sequence[NDArray[np.float64]],
    drawn_halves: Sequence[NDArray[np.float64]],
    most: float = inf,
) -> Interval:
    """Return the interval of what learners of synthetic rows do better than learners of real ones, on the same tests.

    Three chances: which rows were held out to test on, seen by a bootstrap; which real rows were learnt from, seen by
    learning from halves of them; and which synthetic ones, seen likewise, or by several tables.

    Arguments:
        gaps: (tables, 1 + samples) figure of a learner of each synthetic table minus that of a learner of real rows, on
            the test rows first, then on bootstrap samples of them.
        halves: for each of some splits (2, 1 + samples) figures of learners of the two halves of the real rows.
        drawn_halves: the same of the only synthetic table.
        most: how large a gap can be.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> tests = rng.normal(0.0, 0.02, 201)
        >>> low, high = learners_gap(tests[None], [np.zeros((2, 201))], [np.zeros((2, 201))])
        >>> round((high - low) / 2 / 0.02)
        2
    """
    value, samples = float(gaps[:, 0].mean()), gaps[:, 1:].mean(axis=0)
    samples = samples[~np.isnan(samples)]
    if not len(samples):
        return Interval(nan, nan)
    # A half has twice the variance of all rows.
    learnt = float(np.mean([_beyond_tests(half) for half in halves])) / 2
    if len(gaps) > 1:
        learnt += _beyond_tests(gaps) / len(gaps)
    else:
        learnt += float(np.mean([_beyond_tests(half) for half in drawn_halves])) / 2
    low, high = recentred(value, samples, -most, most)
    # Learners that are the same have no chance between them.
    return widened(value, Interval(low, high), max(0.0, learnt) if gaps.any() and not isnan(learnt) else 0.0)


def _beyond_tests(figures: NDArray[np.float64]) -> float:
    """Return how much figures of several learners vary beyond what the chance of the test rows makes of it.

    Arguments:
        figures: (learners, 1 + samples).
    """
    apart = figures - figures.mean(axis=0)
    by_tests = np.nanvar(apart[:, 1:], axis=1, ddof=1).sum() / (len(figures) - 1)
    return float(figures[:, 0].var(ddof=1) - by_tests)


def partition(n: int, groups: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
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
