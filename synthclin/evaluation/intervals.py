"""Confidence intervals of shares, means and differences: Wilson, bootstrap, jackknife, random groups."""

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
    """Return Wilson's 95 % interval for a share of `k` in `n`, with a Poisson correction near 0 and 1.

    Wilson's interval (JASA 22:209-212, 1927) covers a share of .2 / n less than 85 % of the time. Where the count is
    one to three rows from 0 or n, that end is of a Poisson count, as Brown, Cai and DasGupta advise (Stat Sci
    16:101-133, 2001, section 4.1.1); the coverage is then 93 % or more for any share.

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
        # Exactly 0 or 1, because rounding could exclude the share itself.
        return 0.0 if not count else float(stats.chi2.ppf(0.05, 2 * count)) / (2 * n) if count <= few else end

    return Interval(max(0.0, least(k, middle - half)), min(1.0, 1 - least(n - k, 1 - middle - half)))


def resamples(
    n: int, times: int, rng: np.random.Generator, clusters: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return (times, n) bootstrap weights: how often each row is in each sample; clusters are resampled whole.

    Fewer than 11 rows or clusters are too few for a bootstrap; (0, n) is returned.
    """
    if n < _FEW:
        return np.empty((0, n), dtype=np.int64)
    if clusters is not None:
        of_clusters = resamples(int(clusters.max()) + 1, times, rng)
        return of_clusters[:, clusters]
    return np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(times)])


def recentred(value: float, replicates: NDArray[np.float64], low: float = 0.0, high: float = 1.0) -> Interval:
    """Return the percentile interval of bootstrap replicates, shifted so that their median is `value`.

    Resampling biases a distance upwards, so plain percentiles can exclude the value itself.
    """
    if not len(replicates):
        return Interval(low, high)
    spread = np.quantile(replicates, [0.025, 0.975]) - np.median(replicates)
    return Interval(float(np.clip(value + spread[0], low, high)), float(np.clip(value + spread[1], low, high)))


def widened(value: float, interval: Interval, variance: float) -> Interval:
    """Return an interval widened by the variance of a further, independent error.

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
    synthetic_halves: Sequence[NDArray[np.float64]],
    most: float = inf,
) -> Interval:
    """Return the interval of a difference in performance: trained on synthetic minus trained on real, same test rows.

    Three sources of variance: the test rows (bootstrap), the real training rows (models of disjoint halves), and the
    synthetic training rows (models of disjoint halves, or of several replicates).

    Arguments:
        gaps: (replicates, 1 + samples) performance trained on each synthetic replicate minus trained on real rows; on
            the test rows first, then on bootstrap samples of them.
        halves: one (2, 1 + samples) array per split: performance trained on either half of the real rows.
        synthetic_halves: the same for a single synthetic table.
        most: largest possible difference.

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
    training = float(np.mean([_training_variance(half) for half in halves])) / 2
    if len(gaps) > 1:
        training += _training_variance(gaps) / len(gaps)
    else:
        training += float(np.mean([_training_variance(half) for half in synthetic_halves])) / 2
    low, high = recentred(value, samples, -most, most)
    # Models that agree everywhere differ by no training variance.
    return widened(value, Interval(low, high), max(0.0, training) if gaps.any() and not isnan(training) else 0.0)


def _training_variance(figures: NDArray[np.float64]) -> float:
    """Return the variance of performance between models beyond that of the test rows.

    Arguments:
        figures: (models, 1 + samples).
    """
    apart = figures - figures.mean(axis=0)
    by_tests = np.nanvar(apart[:, 1:], axis=1, ddof=1).sum() / (len(figures) - 1)
    return float(figures[:, 0].var(ddof=1) - by_tests)


def partition(n: int, groups: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return a random partition of 0 .. n-1 into `groups` parts of nearly equal size (fewer parts if n is smaller)."""
    return [np.sort(part) for part in np.array_split(rng.permutation(n), max(1, min(groups, n)))]


def jackknife(value: float, left_out: Sequence[float], low: float = 0.0, high: float = 1.0) -> Interval:
    """Return a delete-a-group jackknife t interval (Wolter 2007, chapter 4); `left_out` has a score for each group."""
    k = len(left_out)
    if k < 2:
        return Interval(low, high)
    error = sqrt((k - 1) / k * float(np.sum((np.asarray(left_out) - np.mean(left_out)) ** 2)))
    return _t_interval(value, error, k - 1, low, high)


def random_groups(value: float, by_group: Sequence[float], low: float = 0.0, high: float = 1.0) -> Interval:
    """Return a random-groups t interval from the scores of disjoint groups (Wolter 2007, chapter 2)."""
    scores = np.asarray([score for score in by_group if not np.isnan(score)])
    k = len(scores)
    if k < 2:
        return Interval(low, high)
    return _t_interval(value, float(scores.std(ddof=1)) / sqrt(k), k - 1, low, high)


def _t_interval(value: float, error: float, freedom: int, low: float, high: float) -> Interval:
    half = float(stats.t.ppf(0.975, freedom)) * error
    return Interval(max(low, value - half), min(high, value + half))
