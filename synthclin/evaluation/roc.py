"""ROC analysis: the area under the curve with its interval, the points of the curve, the TPR at a given FPR."""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from synthclin.evaluation.score import Interval, Z

__all__ = ["auc", "auc_interval", "roc_points", "true_positive_rate"]


def auc(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return the area under the ROC curve: the probability that a positive row has the higher score; ties count half.

    Arguments:
        scores: (rows,).
        positive: (rows,).
        weights: (samples, rows) bootstrap weights; without them every row counts once.

    Returns:
        (samples,) areas; NaN where one group is empty.

    Example:
        >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
        array([0.875])
    """
    counts = np.ones((1, len(scores)), dtype=np.int64) if weights is None else weights
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0) if len(scores) else np.empty(0, dtype=np.intp)
    up, down = counts[:, order] * positive[order], counts[:, order] * ~positive[order]
    # Tied scores form one step of the curve.
    up, down = np.add.reduceat(up, starts, axis=1), np.add.reduceat(down, starts, axis=1)
    below = np.cumsum(down, axis=1) - down
    pairs = up.sum(axis=1) * down.sum(axis=1)
    wins = (up * (below + down / 2)).sum(axis=1)
    areas: NDArray[np.float64] = np.divide(wins, pairs, out=np.full(len(counts), nan), where=pairs > 0)
    return areas


def auc_interval(area: float, positives: int, negatives: int) -> Interval:
    """Return Newcombe's score-type 95 % interval of an AUC, valid also at 0 and 1.

    Method 5 of Stat Med 25:559-573, 2006.

    Example:
        >>> low, high = auc_interval(0.5, 100, 100)
        >>> round(low, 3), round(high, 3)
        (0.421, 0.579)
    """
    if np.isnan(area) or not positives or not negatives:
        return Interval(nan, nan)
    tiny = 1e-9

    def excess(theta: float) -> float:
        spread = (1 - theta) / (2 - theta) + theta / (1 + theta)
        variance = theta * (1 - theta) * (1 + ((positives + negatives) / 2 - 1) * spread) / (positives * negatives)
        return abs(area - theta) - Z * sqrt(variance)

    low = brentq(excess, 0.0, min(area, 1 - tiny)) if area > tiny else 0.0
    high = brentq(excess, max(area, tiny), 1.0) if area < 1 - tiny else 1.0
    return Interval(float(low), float(high))


def roc_points(scores: NDArray[np.float64], positive: NDArray[np.bool_], most: int = 50) -> list[tuple[float, float]]:
    """Return at most `most` points (false, true positive rate) of the ROC curve, from (0, 0) to (1, 1)."""
    false, true = _curve(scores, positive)
    chosen = np.unique(np.linspace(0, len(false) - 1, most).round().astype(int))
    return [(round(float(x), 4), round(float(y), 4)) for x, y in zip(false[chosen], true[chosen], strict=True)]


def true_positive_rate(scores: NDArray[np.float64], positive: NDArray[np.bool_], at: float) -> float:
    """Return the true positive rate at the false positive rate `at`; between two thresholds by linear interpolation."""
    false, true = _curve(scores, positive)
    after = int(np.searchsorted(false, at, side="right"))
    if after == len(false):
        return float(true[-1])
    tied = (at - false[after - 1]) / (false[after] - false[after - 1])
    return float(true[after - 1] + tied * (true[after] - true[after - 1]))


def _curve(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf) < 0)
    true = np.cumsum(positive[order])[last] / max(positive.sum(), 1)
    false = np.cumsum(~positive[order])[last] / max((~positive).sum(), 1)
    return np.concatenate([[0.0], false]), np.concatenate([[0.0], true])
