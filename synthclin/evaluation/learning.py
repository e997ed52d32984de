"""A prediction task as numbers, and learners that are fitted to it and tried on real rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.learners import classifiers, learnable, regressors
from synthclin.evaluation.performance import brier, calibration_slope, chances, importances, macro_auc, r2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.features import Features
    from synthclin.evaluation.learners import Classifier, Estimator

__all__ = ["Fit", "Problem", "Rows", "fitted"]

Rows = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""Predictors and target."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A prediction task as numbers.

    Arguments:
        columns: (predictors,) places of the columns that help to predict.
        features: what these columns are.
        target: place of the column that is predicted.
        classes: (classes,) the values of the target that count; None where it is a number.
        log: whether the number is predicted on the scale log(1 + y).
    """

    columns: NDArray[np.intp]
    features: Features
    target: int
    classes: NDArray[np.float64] | None
    log: bool

    def known(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(rows,) where the target is known, and one of the classes that count."""
        y = values[:, self.target]
        return ~np.isnan(y) if self.classes is None else np.isin(y, self.classes)

    def rows(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return predictors and target of the rows whose target is known."""
        known = values[self.known(values)]
        y = known[:, self.target]
        return known[:, self.columns], np.log1p(np.clip(y, 0, None)) if self.log else y


@dataclass(frozen=True, slots=True)
class Fit:
    """One learner, fitted and tried on the holdout.

    Arguments:
        performance: (samples,) AUC or R2, for each weighting of the holdout.
        brier: (samples,) Brier score; NaN where the target is a number.
        importance: (predictors,) what shuffling a column costs.
        slope: calibration slope, and intercept, of the last of two classes; else NaN.
    """

    performance: NDArray[np.float64]
    brier: NDArray[np.float64]
    importance: NDArray[np.float64]
    slope: tuple[float, float]


def fitted(problem: Problem, train: Rows, test: Rows, weights: NDArray[np.int64]) -> dict[str, Fit]:
    """Fit each learner and try it."""
    x, y = learnable(train[0]), train[1]
    unknown = np.full(len(weights), np.nan)
    if problem.classes is None:
        models = regressors(problem.features, x)
        for model in models.values():
            model.fit(x, y)
        return {
            name: Fit(
                r2(model.predict(test[0]), test[1], weights),
                unknown,
                importances(partial(_explained, model, test[1]), test[0]),
                (np.nan, np.nan),
            )
            for name, model in models.items()
        }
    return {
        name: _try(problem, model, (x, y), test, weights) for name, model in classifiers(problem.features, x).items()
    }


def _try(problem: Problem, model: Classifier, train: Rows, test: Rows, weights: NDArray[np.int64]) -> Fit:
    classes = problem.classes
    assert classes is not None
    x, y = test
    only = np.unique(train[1])
    if len(only) < 2:
        sure = (classes == only[0]).astype(np.float64) * np.ones((len(y), 1))
        none = np.zeros(x.shape[1])
        return Fit(np.full(len(weights), 0.5), brier(sure, classes, y, weights), none, (np.nan, np.nan))
    model.fit(*train)
    p = chances(model, classes, x)
    slope = calibration_slope(p[:, 1], y == classes[1]) if len(classes) == 2 else (np.nan, np.nan)
    losses = importances(lambda rows: macro_auc(chances(model, classes, rows), classes, y)[0], x)
    return Fit(macro_auc(p, classes, y, weights), brier(p, classes, y, weights), losses, slope)


def _explained(model: Estimator, y: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    return float(r2(model.predict(x), y, np.ones((1, len(y)), dtype=np.int64))[0])
