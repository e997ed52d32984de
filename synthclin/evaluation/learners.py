"""The learners that judge: boosted trees, a forest, a linear model, with settings for 150 to 50,000 clinical rows."""

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
_MOST_LEVELS = 255  # what a histogram of one byte can tell apart


class Estimator(Protocol):
    """What is used of scikit-learn's estimators."""

    def fit(self, X: NDArray[np.float64], y: NDArray[Any]) -> Self:
        """Learn from (rows, columns) and (rows,)."""

    def predict(self, X: NDArray[np.float64]) -> NDArray[Any]:
        """Return (rows,) predictions."""


class Classifier(Estimator, Protocol):
    """What is used of scikit-learn's classifiers."""

    classes_: NDArray[Any]

    def predict_proba(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (rows, classes) chances."""


def detector(features: Features, values: NDArray[np.float64]) -> Classifier:
    """Return the classifier that learns to tell synthetic from real among the rows of `values`.

    Of the settings tried on clinical tables these found most for their time: small
    random sets of columns per split make the trees differ, so that faint differences
    in many columns add up.
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
    """Return the linear classifier that learns to tell synthetic from real by one weight per column or level."""
    model: Classifier = make_pipeline(_ranked(features, values), LogisticRegression(max_iter=1_000))
    return model


def classifiers(features: Features, values: NDArray[np.float64], *, trees: int = 50) -> dict[str, Classifier]:
    """Return what predicts a class, by name; ranks of the linear model are those among `values`."""
    return {
        "boosted trees": HistGradientBoostingClassifier(max_iter=trees, **_TREES, **_common(features)),
        "random forest": RandomForestClassifier(**_forest(values)),
        "linear": separator(features, values),
    }


def regressors(features: Features, values: NDArray[np.float64], *, trees: int = 50) -> dict[str, Estimator]:
    """Return what predicts a number, by name; ranks of the linear model are those among `values`."""
    return {
        "boosted trees": HistGradientBoostingRegressor(max_iter=trees, **_TREES, **_common(features)),
        "random forest": RandomForestRegressor(**_forest(values)),
        "linear": make_pipeline(_ranked(features, values), Ridge()),
    }


def _forest(values: NDArray[np.float64]) -> dict[str, Any]:
    """Return settings of a forest; each tree sees few of many rows, which makes trees differ and saves time."""
    return {
        "n_estimators": 50,
        "min_samples_leaf": 5,
        "max_features": "sqrt",
        "max_samples": _FEW_ROWS if len(values) > _FEW_ROWS else None,
        "random_state": 0,
    }


def _ranked(features: Features, values: NDArray[np.float64]) -> FunctionTransformer:
    """Return the step that turns columns into ranks, level indicators and missing indicators."""
    return FunctionTransformer(Coordinates.of(features, values).place)


def learnable(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows to learn from in which columns without any value are constant: histograms need one value to start."""
    return np.where(np.isnan(values).all(axis=0), 0.0, values)


def _common(features: Features) -> dict[str, Any]:
    """Return settings of all trees: levels are split as sets, missing cells go where they fit best."""
    as_sets = [feature.kind == "levels" and 2 < len(feature.levels) <= _MOST_LEVELS for feature in features.columns]
    return {
        "early_stopping": False,
        "categorical_features": as_sets if any(as_sets) else None,
        "random_state": 0,
    }
