"""Classifiers and regressors of the scores: boosted trees, forest, linear; settings for 150 to 50,000 clinical rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from synthclin.evaluation.features import Coordinates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.features import Features

__all__ = ["Classifier", "Estimator", "classifiers", "detector", "learnable", "regressors", "separator"]

_TREES = {"max_leaf_nodes": 15, "min_samples_leaf": 10, "l2_regularization": 1.0}
_FEW_ROWS = 2_000
_MOST_LEVELS = 255  # bins of a histogram of one byte


class Estimator(Protocol):
    """The used part of scikit-learn's estimators."""

    def fit(self, X: NDArray[np.float64], y: NDArray[Any]) -> Self:
        """Fit to (rows, columns) and (rows,)."""

    def predict(self, X: NDArray[np.float64]) -> NDArray[Any]:
        """Return (rows,) predictions."""


class Classifier(Estimator, Protocol):
    """The used part of scikit-learn's classifiers."""

    classes_: NDArray[Any]

    def predict_proba(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (rows, classes) probabilities."""


def detector(features: Features, values: NDArray[np.float64]) -> Classifier:
    """Return the classifier of the C2ST: boosted trees for the rows of `values`.

    Of several settings on clinical tables these had the highest AUC for their time: a small random set of columns
    per split makes the trees differ, so that weak differences in many columns add up.
    """
    model: Classifier = HistGradientBoostingClassifier(
        learning_rate=0.2,
        max_iter=50 if len(values) < _FEW_ROWS else 100,
        max_leaf_nodes=31,
        min_samples_leaf=10,
        max_features=0.3,
        **_common(features),
    )
    return model


def separator(features: Features, values: NDArray[np.float64]) -> Classifier:
    """Return a logistic regression on ranks and level indicators, one weight for each."""
    model: Classifier = make_pipeline(_ranked(features, values), LogisticRegression(max_iter=1_000))
    return model


def classifiers(features: Features, values: NDArray[np.float64], *, trees: int = 50) -> dict[str, Classifier]:
    """Return classifiers by name; the linear model uses ranks among `values`."""
    return {
        "boosted trees": HistGradientBoostingClassifier(max_iter=trees, **_TREES, **_common(features)),
        "random forest": RandomForestClassifier(**_forest(values)),
        "linear": separator(features, values),
    }


def regressors(features: Features, values: NDArray[np.float64], *, trees: int = 50) -> dict[str, Estimator]:
    """Return regressors by name; the linear model uses ranks among `values`."""
    return {
        "boosted trees": HistGradientBoostingRegressor(max_iter=trees, **_TREES, **_common(features)),
        "random forest": RandomForestRegressor(**_forest(values)),
        "linear": make_pipeline(_ranked(features, values), Ridge()),
    }


def _forest(values: NDArray[np.float64]) -> dict[str, Any]:
    """Return settings of a random forest; trees are fitted to at most 2,000 rows each, which saves time."""
    return {
        "n_estimators": 50,
        "min_samples_leaf": 5,
        "max_features": "sqrt",
        "max_samples": _FEW_ROWS if len(values) > _FEW_ROWS else None,
        "random_state": 0,
    }


def _ranked(features: Features, values: NDArray[np.float64]) -> FunctionTransformer:
    """Return the transformer of columns to ranks, level indicators and missing indicators."""
    return FunctionTransformer(Coordinates.of(features, values).place)


def learnable(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return training rows with columns of missing values only set to 0: histogram trees need one value per column."""
    return np.where(np.isnan(values).all(axis=0), 0.0, values)


def _common(features: Features) -> dict[str, Any]:
    """Return settings of all boosted trees: levels are split as sets, missing values go to the better side."""
    as_sets = [feature.kind == "levels" and 2 < len(feature.levels) <= _MOST_LEVELS for feature in features.columns]
    return {
        "early_stopping": False,
        "categorical_features": as_sets if any(as_sets) else None,
        "random_state": 0,
    }
