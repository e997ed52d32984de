"""Metrics of predictions on real rows: AUC, R2, Brier score, calibration slope, permutation feature importance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression

from synthclin.evaluation.roc import auc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.learners import Classifier

__all__ = [
    "brier",
    "calibration_slope",
    "class_probabilities",
    "importance_agreement",
    "importances",
    "macro_auc",
    "r2",
]

_MOST_CELLS = 5_000_000  # of copies of the rows at a time
_LEAST = 1e-4  # a probability of 0 has no logit


def class_probabilities(model: Classifier, classes: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (rows, classes) class probabilities; a class that was not in the training rows has 0."""
    by_class = dict(zip(model.classes_.tolist(), model.predict_proba(x).T, strict=True))
    return np.column_stack([by_class.get(k, np.zeros(len(x))) for k in classes.tolist()])


def macro_auc(
    p: NDArray[np.float64],
    classes: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return the macro-averaged one-against-rest AUC; a class that was not in the training rows has 0.5."""
    # Of two classes, both AUCs are equal.
    judged = range(1, 2) if len(classes) == 2 else range(len(classes))
    mean: NDArray[np.float64] = np.mean([auc(p[:, k], y == classes[k], weights) for k in judged], axis=0)
    return mean


def brier(
    p: NDArray[np.float64], classes: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (samples,) Brier scores (Mon Weather Rev 78:1-3, 1950).

    Of two classes the score of the last one, 0 to 1; of several the sum over classes, 0 to 2.
    """
    errors = (p - (y[:, None] == classes)) ** 2
    each = errors[:, 1] if len(classes) == 2 else errors.sum(axis=1)
    mean: NDArray[np.float64] = weights @ each / weights.sum(axis=1)
    return mean


def calibration_slope(p: NDArray[np.float64], true: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the calibration slope and intercept: logistic regression of the outcome on the logit; 1 and 0 are best.

    A slope below 1 means probabilities too near 0 and 1 (Cox, Biometrika 45:562-565, 1958).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> p = rng.random(20_000)
        >>> slope, intercept = calibration_slope(p, rng.random(20_000) < p)
        >>> round(slope, 1), abs(round(intercept, 1))
        (1.0, 0.0)
    """
    if true.all() or not true.any():
        return np.nan, np.nan
    p = p.clip(_LEAST, 1 - _LEAST)
    model = LogisticRegression(C=1e6).fit(np.log(p / (1 - p))[:, None], true)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def r2(predicted: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (samples,) R2, the explained share of the variance, for each weighting of the rows."""
    mean = weights @ y / weights.sum(axis=1)
    spread = weights @ y**2 - weights.sum(axis=1) * mean**2
    errors = weights @ (y - predicted) ** 2
    explained: NDArray[np.float64] = 1 - np.divide(
        errors, spread, out=np.full(len(weights), np.nan), where=spread > 1e-12
    )
    return explained


def importance_agreement(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return Spearman's correlation of two vectors of feature importance; 0 where one of them is constant."""
    if not (np.ptp(first) > 0 and np.ptp(second) > 0):
        return 0.0
    return float(stats.spearmanr(first, second).statistic)


def importances(
    figure: Callable[[NDArray[np.float64]], Sequence[float]], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (predictors,) permutation feature importance: the loss of a metric when a column is shuffled.

    All models get the same permutations.

    Arguments:
        figure: from stacked copies of all rows to the metric of each copy.
        x: (rows, predictors).
    """
    rng = np.random.default_rng(0)
    rows, columns = x.shape
    (whole,) = figure(x)
    losses: list[float] = []
    at_once = max(1, _MOST_CELLS // max(x.size, 1))
    for start in range(0, columns, at_once):
        shuffled = range(start, min(start + at_once, columns))
        copies = np.repeat(x[None], len(shuffled), axis=0)
        for copy, j in zip(copies, shuffled, strict=True):
            copy[:, j] = x[rng.permutation(rows), j]
        losses += [whole - each for each in figure(copies.reshape(-1, columns))]
    return np.array(losses)
