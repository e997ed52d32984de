"""A prediction task as arrays, and learners that are fitted to training rows and tested on holdout rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.learners import classifiers, learnable, regressors
from synthclin.evaluation.utility.prediction_metrics import (
    brier,
    calibration_slope,
    class_probabilities,
    importances,
    macro_auc,
    r2,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.features import Features
    from synthclin.evaluation.learners import Classifier, Estimator

__all__ = ["Fit", "PredictionProblem", "Rows", "fitted"]

_MOST_EXPLAINED = 1_000

Rows = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""Predictors and target."""


@dataclass(frozen=True, slots=True)
class PredictionProblem:
    """A prediction task as arrays.

    Arguments:
        columns: (predictors,) places of the predictors.
        features: the predictors.
        target: place of the target.
        classes: (classes,) the values of the target that count; None for regression.
        log: whether a number is predicted on the scale log(1 + y).
    """

    columns: NDArray[np.intp]
    features: Features
    target: int
    classes: NDArray[np.float64] | None
    log: bool

    def known(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(rows,) mask of rows with a known target, of a class that counts."""
        y = values[:, self.target]
        return ~np.isnan(y) if self.classes is None else np.isin(y, self.classes)

    def rows(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return predictors and target of the rows with a known target."""
        known = values[self.known(values)]
        y = known[:, self.target]
        return known[:, self.columns], np.log1p(np.clip(y, 0, None)) if self.log else y


@dataclass(frozen=True, slots=True)
class Fit:
    """The test results of one fitted learner.

    Arguments:
        performance: (samples,) AUC or R2, for each bootstrap weighting of the holdout.
        brier: (samples,) Brier score; NaN for regression.
        sensitivity: (samples,) true positive rate of the last of two classes, at a threshold equal to its share among
            the training rows; else NaN.
        false_alarms: (samples,) false positive rate at that threshold.
        importance: (predictors,) permutation feature importance, on at most 1,000 rows.
        slope: calibration slope and intercept of the last of two classes; else NaN.
    """

    performance: NDArray[np.float64]
    brier: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    false_alarms: NDArray[np.float64]
    importance: NDArray[np.float64]
    slope: tuple[float, float]


def fitted(
    problem: PredictionProblem, train: Rows, test: Rows, weights: NDArray[np.int64], *, explain: bool = True
) -> dict[str, Fit]:
    """Fit and test each learner; `explain` adds feature importance, which takes longer than the rest."""
    x, y = learnable(train[0]), train[1]
    few = _few(test[1], problem.classes)
    unknown, none = np.full(len(weights), np.nan), np.zeros(x.shape[1])
    if problem.classes is None:
        models = regressors(problem.features, x)
        for model in models.values():
            model.fit(x, y)
        return {
            name: Fit(
                r2(model.predict(test[0]), test[1], weights),
                unknown,
                unknown,
                unknown,
                importances(partial(_explained, model, test[1][few]), test[0][few]) if explain else none,
                (np.nan, np.nan),
            )
            for name, model in models.items()
        }
    return {
        name: _test(problem, model, (x, y), test, weights, explain=explain)
        for name, model in classifiers(problem.features, x).items()
    }


def _test(
    problem: PredictionProblem, model: Classifier, train: Rows, test: Rows, weights: NDArray[np.int64], *, explain: bool
) -> Fit:
    classes = problem.classes
    assert classes is not None
    x, y = test
    none = np.zeros(x.shape[1])
    only = np.unique(train[1])
    if len(only) < 2:
        sure = (classes == only[0]).astype(np.float64) * np.ones((len(y), 1))
        rates = _rates(sure, classes, y, weights, 0.5)
        return Fit(np.full(len(weights), 0.5), brier(sure, classes, y, weights), *rates, none, (np.nan, np.nan))
    model.fit(*train)
    p = class_probabilities(model, classes, x)
    slope = calibration_slope(p[:, 1], y == classes[1]) if len(classes) == 2 else (np.nan, np.nan)

    few = _few(y, classes)

    def areas(copies: NDArray[np.float64]) -> list[float]:
        each = class_probabilities(model, classes, copies).reshape(-1, len(few), len(classes))
        return [float(macro_auc(part, classes, y[few])[0]) for part in each]

    losses = importances(areas, x[few]) if explain else none
    rates = _rates(p, classes, y, weights, float((train[1] == classes[1]).mean()))
    return Fit(macro_auc(p, classes, y, weights), brier(p, classes, y, weights), *rates, losses, slope)


def _rates(
    p: NDArray[np.float64],
    classes: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.int64],
    threshold: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (samples,) true and false positive rates of the last of two classes at a threshold."""
    unknown = np.full(len(weights), np.nan)
    if len(classes) != 2:
        return unknown, unknown
    above = p[:, 1] > threshold

    def share(which: NDArray[np.bool_]) -> NDArray[np.float64]:
        all_of = weights @ which.astype(np.float64)
        found: NDArray[np.float64] = np.divide(weights @ (which & above), all_of, out=unknown.copy(), where=all_of > 0)
        return found

    return share(y == classes[1]), share(y == classes[0])


def _few(y: NDArray[np.float64], classes: NDArray[np.float64] | None) -> NDArray[np.intp]:
    """Return the places of at most 1,000 rows for permutation importance, balanced over classes where possible."""
    if len(y) <= _MOST_EXPLAINED:
        return np.arange(len(y))
    parts = [np.arange(len(y))] if classes is None else [np.flatnonzero(y == k) for k in classes]
    most = _MOST_EXPLAINED // len(parts)
    even = [part[np.linspace(0, len(part) - 1, min(len(part), most), dtype=int)] for part in parts]
    return np.sort(np.concatenate(even))


def _explained(model: Estimator, y: NDArray[np.float64], copies: NDArray[np.float64]) -> list[float]:
    ones = np.ones((1, len(y)), dtype=np.int64)
    return [float(r2(part, y, ones)[0]) for part in model.predict(copies).reshape(-1, len(y))]
