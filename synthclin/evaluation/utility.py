"""Does a model that learnt from the synthetic table predict real patients as well as one that learnt from real ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import hypot, sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from synthclin.columns import MissingKind
from synthclin.errors import ConfigError
from synthclin.evaluation.features import Features
from synthclin.evaluation.intervals import Z, recentred, resamples
from synthclin.evaluation.learners import classifiers, learnable, regressors
from synthclin.evaluation.performance import (
    brier,
    calibration_slope,
    chances,
    importance_agreement,
    importances,
    macro_auc,
    r2,
)
from synthclin.evaluation.score import Definition, Interval, Score
from synthclin.evaluation.tasks import PredictTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.columns import Column
    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.learners import Classifier, Estimator
    from synthclin.schema import Schema

__all__ = ["default_tasks", "predict", "target"]

_MIN_ROWS = 20
_MIN_CLASS = 5  # holdout rows of a class, below which its AUC is noise
_MOST_CLASSES = 10
_MOST_ROWS = 10_000
_BOOTSTRAP = 200
_MIN_COLUMNS = 5
_TOP = 10
_LISTED = 20
_Rows = tuple["NDArray[np.float64]", "NDArray[np.float64]"]  # predictors and target
_LATER_ROLES = {"entity", "time", "event", "outcome"}


@dataclass(frozen=True, slots=True)
class _Problem:
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


def default_tasks(schema: Schema) -> tuple[PredictTask, ...]:
    """Return one task for each column that the schema calls an event or an outcome."""
    return tuple(
        PredictTask(target=name)
        for name, column in schema.columns.items()
        if column.modelled and column.role in {"event", "outcome"}
    )


def target(c: Comparison, task: PredictTask) -> int:
    """Return the place of the column that is predicted.

    Raises:
        ConfigError: it is no column that is judged.
    """
    if task.target not in c.features.names:
        raise ConfigError(f"task predict '{task.target}'", "it is no column that is modelled", "Name another target.")
    return c.features.names.index(task.target)


def predict(c: Comparison, task: PredictTask) -> tuple[Score, ...]:
    """Score how useful the table is for one prediction task: discrimination, calibration, and importance of columns.

    Raises:
        ConfigError: the target is no column that is judged.
    """
    problem = _problem(c, task)
    definitions = _definitions(task, problem)
    reason = _why_not(c, problem)
    if reason or c.holdout is None or c.holdout_patients is None:
        return tuple(definition.unassessable(reason) for definition in definitions)
    test = problem.rows(c.holdout)
    size = min(*(int(problem.known(rows).sum()) for rows in (c.train, *c.draws)), _MOST_ROWS)
    # The first sample is the holdout itself.
    clusters = np.unique(c.holdout_patients[problem.known(c.holdout)], return_inverse=True)[1]
    weights = np.vstack(
        [
            np.ones((1, len(test[1])), dtype=np.int64),
            resamples(len(test[1]), _BOOTSTRAP, c.rng(task.name, "bootstrap"), clusters),
        ]
    )

    def fitted(rows: NDArray[np.float64], *stream: str | int) -> dict[str, _Fit]:
        return _fit(problem, _draw(problem.rows(rows), size, c.rng(task.name, *stream)), test, weights)

    draws = [fitted(rows, "synthetic", i) for i, rows in enumerate(c.draws)]
    real, shuffled = fitted(c.train, "real"), fitted(c.shuffled, "shuffled")
    notes = [
        f"Each model learnt from {size} rows." if size < len(c.synthetic) else "",
        "All synthetic rows are of one class, so nothing can be learnt from them."
        if problem.classes is not None and len(np.unique(problem.rows(c.synthetic)[1])) < 2
        else "",
    ]
    details = {
        "measure": _measure(problem),
        "learners": [
            {"learner": name, "synthetic": np.mean([fits[name].performance[0] for fits in draws])}
            | {source: fits[name].performance[0] for source, fits in {"real": real, "shuffled": shuffled}.items()}
            for name in real
        ],
        "predictors": problem.features.names,
        "rows": {"train": size, "test": len(test[1])},
    }
    discrimination = _difference(definitions[0], draws, real, shuffled, "performance", len(test[1]), notes, details)
    calibration = (
        _difference(definitions[1], draws, real, shuffled, "brier", len(test[1]), notes, _calibrations(draws, real))
        if problem.classes is not None
        else definitions[1].unassessable("Calibration is of chances, and the target is a number.")
    )
    half = _draw(problem.rows(c.train), size, c.rng(task.name, "halves"))
    halves = [_fit(problem, (half[0][i::2], half[1][i::2]), test, weights[:1]) for i in range(2)]
    return discrimination, calibration, _importance(definitions[2], problem, draws, real, shuffled, halves)


def _definitions(task: PredictTask, problem: _Problem) -> tuple[Definition, Definition, Definition]:
    linear = "ridge" if problem.classes is None else "logistic"
    learners = f"boosted trees, a random forest and a {linear} model"
    paired = "interval from 200 bootstrap samples of the holdout, paired, with the variance between synthetic tables"
    source = "train synthetic, test real: Esteban, Hyland and Raetsch, arXiv:1706.02633"
    return (
        Definition(
            task.name,
            f"Does a model trained on the synthetic table predict '{task.target}' for real patients as well as one "
            "trained on real?",
            "higher",
            f"{_measure(problem)} of {learners} on the holdout, trained on synthetic rows minus trained on as many "
            f"real rows, mean of the learners; {paired} ({source})",
        ),
        Definition(
            f"calibration.{task.target}",
            f"Are the chances of '{task.target}' that a model learns from the synthetic table right for real patients?",
            "lower",
            f"Brier score of {learners} on the holdout, trained on synthetic rows minus trained on as many real rows, "
            f"mean of the learners; {paired} ({source}; Brier, Mon Weather Rev 78:1-3, 1950)",
        ),
        Definition(
            f"importance.{task.target}",
            f"Do the same columns predict '{task.target}'?",
            "higher",
            "Spearman's correlation of the importances of columns, synthetic against real training, mean of the "
            f"learners; importance is the loss in {_measure(problem)} on the holdout once the column is shuffled "
            "(Breiman, Mach Learn 45:5-32, 2001); interval for as many pairs as columns (Bonett and Wright, "
            "Psychometrika 65:23-28, 2000)",
        ),
    )


def _measure(problem: _Problem) -> str:
    if problem.classes is None:
        return "R2 on the log(1 + y) scale" if problem.log else "R2"
    return "AUC" if len(problem.classes) == 2 else "AUC (mean of each class against the others)"


@dataclass(frozen=True, slots=True)
class _Fit:
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


def _fit(problem: _Problem, train: _Rows, test: _Rows, weights: NDArray[np.int64]) -> dict[str, _Fit]:
    """Fit each learner and try it."""
    x, y = learnable(train[0]), train[1]
    unknown = np.full(len(weights), np.nan)
    if problem.classes is None:
        models = regressors(problem.features, x)
        for model in models.values():
            model.fit(x, y)
        return {
            name: _Fit(
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


def _try(problem: _Problem, model: Classifier, train: _Rows, test: _Rows, weights: NDArray[np.int64]) -> _Fit:
    classes = problem.classes
    assert classes is not None
    x, y = test
    only = np.unique(train[1])
    if len(only) < 2:
        sure = (classes == only[0]).astype(np.float64) * np.ones((len(y), 1))
        none = np.zeros(x.shape[1])
        return _Fit(np.full(len(weights), 0.5), brier(sure, classes, y, weights), none, (np.nan, np.nan))
    model.fit(*train)
    p = chances(model, classes, x)
    slope = calibration_slope(p[:, 1], y == classes[1]) if len(classes) == 2 else (np.nan, np.nan)
    losses = importances(lambda rows: macro_auc(chances(model, classes, rows), classes, y)[0], x)
    return _Fit(macro_auc(p, classes, y, weights), brier(p, classes, y, weights), losses, slope)


def _explained(model: Estimator, y: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    return float(r2(model.predict(x), y, np.ones((1, len(y)), dtype=np.int64))[0])


def _difference(
    definition: Definition,
    draws: list[dict[str, _Fit]],
    real: dict[str, _Fit],
    shuffled: dict[str, _Fit],
    figure: Literal["performance", "brier"],
    n: int,
    notes: list[str],
    details: dict[str, Any],
) -> Score:
    """Score trained on synthetic minus trained on real."""

    def gap(fits: dict[str, _Fit]) -> NDArray[np.float64]:
        mean: NDArray[np.float64] = np.mean(
            [getattr(fits[name], figure) - getattr(real[name], figure) for name in real], axis=0
        )
        return mean

    gaps = np.array([gap(fits) for fits in draws])
    value, replicates = float(gaps[:, 0].mean()), gaps[:, 1:].mean(axis=0)
    known = replicates[~np.isnan(replicates)]
    interval = recentred(value, known, -np.inf, np.inf) if len(known) else Interval(np.nan, np.nan)
    if len(gaps) > 1:
        # All tables are tried on one holdout; they differ by chance of their own.
        between = Z * float(gaps[:, 0].std(ddof=1)) / sqrt(len(gaps))
        interval = Interval(value - hypot(interval.low - value, between), value + hypot(interval.high - value, between))
    return definition.score(
        value,
        interval,
        n=n,
        floor=float(gap(shuffled)[0]),
        ceiling=0.0,
        notes=["The ceiling is 0 by definition: what real training rows reach is subtracted.", *notes],
        details=details,
    )


def _calibrations(draws: list[dict[str, _Fit]], real: dict[str, _Fit]) -> dict[str, Any]:
    sources = {"synthetic": draws, "real": [real]}
    return {
        "learners": [
            {"learner": name}
            | {
                source: {
                    "brier": np.mean([fits[name].brier[0] for fits in tables]),
                    "slope": np.mean([fits[name].slope[0] for fits in tables]),
                    "intercept": np.mean([fits[name].slope[1] for fits in tables]),
                }
                for source, tables in sources.items()
            }
            for name in real
        ]
    }


def _importance(
    definition: Definition,
    problem: _Problem,
    draws: list[dict[str, _Fit]],
    real: dict[str, _Fit],
    shuffled: dict[str, _Fit],
    halves: list[dict[str, _Fit]],
) -> Score:
    """Score whether models that learnt from synthetic rows lean on the same columns."""
    columns = len(problem.columns)
    if columns < _MIN_COLUMNS:
        return definition.unassessable(f"Ranks of fewer than {_MIN_COLUMNS} columns say little.")

    def agreement(first: dict[str, _Fit], second: dict[str, _Fit]) -> float:
        return float(np.mean([importance_agreement(first[name].importance, second[name].importance) for name in real]))

    value = float(np.mean([agreement(fits, real) for fits in draws]))
    error = sqrt((1 + min(value**2, 1) / 2) / (columns - 3))
    middle = np.arctanh(np.clip(value, -0.999, 0.999))
    low, high = np.tanh([middle - Z * error, middle + Z * error])
    means = {
        source: np.mean([fits[name].importance for fits in tables for name in real], axis=0)
        for source, tables in {"synthetic": draws, "real": [real]}.items()
    }
    top = {source: set(np.argsort(-mean, kind="stable")[:_TOP].tolist()) for source, mean in means.items()}
    return definition.score(
        value,
        Interval(min(low, value), max(high, value)),
        n=columns,
        floor=agreement(shuffled, real),
        ceiling=agreement(*halves),
        notes=["The ceiling is the agreement of models that learnt from two halves of the real rows."],
        details={
            "shared_top": len(top["synthetic"] & top["real"]) / min(_TOP, columns),
            "columns": [
                {"column": problem.features.names[j]} | {source: mean[j] for source, mean in means.items()}
                for j in np.argsort(-means["real"], kind="stable")[:_LISTED]
            ],
        },
    )


def _problem(c: Comparison, task: PredictTask) -> _Problem:
    y = target(c, task)
    columns = np.array(
        [j for j, f in enumerate(c.features.columns) if j != y and not _known_later(c.schema, f.column)],
        dtype=np.intp,
    )
    feature = c.features.columns[y]
    classes = None
    if feature.kind != "line":
        real = [c.train] if c.holdout is None else [c.train, c.holdout]
        seen = [rows[~np.isnan(rows[:, y]), y].astype(int) for rows in real]
        counts = np.stack([np.bincount(cells, minlength=len(feature.levels)) for cells in seen])
        frequent = np.argsort(-counts[0], kind="stable")[:_MOST_CLASSES]
        classes = np.sort(frequent[counts.min(axis=0)[frequent] >= _MIN_CLASS]).astype(np.float64)
    log = feature.kind == "line" and getattr(feature.column, "scale", "linear") == "log"
    return _Problem(columns, Features(tuple(c.features.columns[j] for j in columns)), y, classes, log)


def _known_later(schema: Schema, column: Column) -> bool:
    """Whether a column, or the one whose kinds of missing it tells, is known only after the prediction is wanted."""
    judged = schema.columns[column.of] if isinstance(column, MissingKind) else column
    return judged.role in _LATER_ROLES


def _why_not(c: Comparison, problem: _Problem) -> str:
    """Say why the task cannot be judged, or nothing."""
    if c.holdout is None:
        return "There is no holdout to test on."
    if not len(problem.columns):
        return "No column is left to predict from."
    if problem.classes is not None and len(problem.classes) < 2:
        return f"Fewer than two classes are held by {_MIN_CLASS} training and {_MIN_CLASS} holdout rows."
    tables = [("holdout", c.holdout), ("training", c.train), *(("synthetic", rows) for rows in c.draws)]
    for name, rows in tables:
        y = problem.rows(rows)[1]
        if len(y) < _MIN_ROWS:
            return f"Fewer than {_MIN_ROWS} {name} rows have a known target."
        if name != "synthetic" and len(np.unique(y)) < 2:
            return f"The target is the same in all {name} rows."
    return ""


def _draw(rows: _Rows, size: int, rng: np.random.Generator) -> _Rows:
    x, y = rows
    chosen = np.sort(rng.choice(len(y), size, replace=False))
    return x[chosen], y[chosen]
