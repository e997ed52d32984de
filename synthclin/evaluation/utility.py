"""Does a model that learnt from the synthetic table predict real patients as well as one that learnt from real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.errors import ConfigError
from synthclin.evaluation.features import Features
from synthclin.evaluation.intervals import recentred, resamples
from synthclin.evaluation.learners import classifiers, learnable, regressors
from synthclin.evaluation.roc import auc
from synthclin.evaluation.score import Definition, Interval, Score
from synthclin.evaluation.tasks import PredictTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.learners import Classifier
    from synthclin.schema import Schema

__all__ = ["default_tasks", "predict", "target"]

_MIN_ROWS = 20
_MIN_CLASS = 5  # holdout rows of a class, below which its AUC is noise
_MOST_CLASSES = 10
_MOST_ROWS = 10_000
_BOOTSTRAP = 200
_Rows = tuple["NDArray[np.float64]", "NDArray[np.float64]"]  # predictors and target
_LATER_ROLES = {"entity", "time", "event", "outcome"}

_QUESTION = "Does a model trained on the synthetic table predict '{}' for real patients as well as one trained on real?"
_METHOD = (
    "{measure} of boosted trees and a {linear} model on the holdout, trained on synthetic rows minus trained on as "
    "many real rows, mean of the two; interval from 200 bootstrap samples of the holdout, paired "
    "(train synthetic, test real: Esteban, Hyland and Raetsch, arXiv:1706.02633)"
)


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


def predict(c: Comparison, task: PredictTask) -> Score:
    """Score how useful the table is for one prediction task.

    Raises:
        ConfigError: the target is no column that is judged.
    """
    problem = _problem(c, task)
    measure, kind = ("R2", "ridge") if problem.classes is None else ("AUC", "logistic")
    if problem.classes is not None and len(problem.classes) > 2:
        measure = "AUC (mean of each class against the others)"
    if problem.log:
        measure = "R2 on the log(1 + y) scale"
    definition = Definition(
        task.name, _QUESTION.format(task.target), "higher", _METHOD.format(measure=measure, linear=kind)
    )
    reason = _why_not(c, problem)
    if reason or c.holdout is None or c.holdout_patients is None:
        return definition.unassessable(reason)
    x, y = problem.rows(c.holdout)
    size = min(*(int(problem.known(rows).sum()) for rows in (c.train, c.synthetic)), _MOST_ROWS)
    # The first sample is the holdout itself.
    whole = np.ones((1, len(y)), dtype=np.int64)
    clusters = np.unique(c.holdout_patients[problem.known(c.holdout)], return_inverse=True)[1]
    weights = np.vstack([whole, resamples(len(y), _BOOTSTRAP, c.rng(task.name, "bootstrap"), clusters)])
    figures: dict[str, dict[str, NDArray[np.float64]]] = {}
    for source, table in {"synthetic": c.synthetic, "real": c.train, "shuffled": c.shuffled}.items():
        rows = _draw(problem.rows(table), size, c.rng(task.name, source))
        figures[source] = _performances(problem, rows, (x, y), weights)
    gaps = {
        source: np.mean([figures[source][learner] - figures["real"][learner] for learner in figures["real"]], axis=0)
        for source in ("synthetic", "shuffled")
    }
    value, replicates = float(gaps["synthetic"][0]), gaps["synthetic"][1:]
    known = replicates[~np.isnan(replicates)]
    interval = recentred(value, known, -np.inf, np.inf) if len(known) else Interval(np.nan, np.nan)
    return definition.score(
        value,
        interval,
        n=len(y),
        floor=float(gaps["shuffled"][0]),
        ceiling=0.0,
        notes=[
            "The ceiling is 0 by definition: what real training rows reach is subtracted.",
            f"Each model learnt from {size} rows." if size < len(c.synthetic) else "",
            "All synthetic rows are of one class, so nothing can be learnt from them."
            if problem.classes is not None and len(np.unique(problem.rows(c.synthetic)[1])) < 2
            else "",
        ],
        details={
            "measure": measure,
            "learners": [
                {"learner": learner} | {source: figures[source][learner][0] for source in figures}
                for learner in figures["real"]
            ],
            "predictors": problem.features.names,
            "rows": {"train": size, "test": len(y)},
        },
    )


def _problem(c: Comparison, task: PredictTask) -> _Problem:
    y = target(c, task)
    columns = np.array(
        [j for j, f in enumerate(c.features.columns) if j != y and f.column.role not in _LATER_ROLES],
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


def _why_not(c: Comparison, problem: _Problem) -> str:
    """Say why the task cannot be judged, or nothing."""
    if c.holdout is None:
        return "There is no holdout to test on."
    if not len(problem.columns):
        return "No column is left to predict from."
    if problem.classes is not None and len(problem.classes) < 2:
        return f"Fewer than two classes are held by {_MIN_CLASS} training and {_MIN_CLASS} holdout rows."
    for name, rows in {"holdout": c.holdout, "training": c.train, "synthetic": c.synthetic}.items():
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


def _performances(problem: _Problem, train: _Rows, test: _Rows, weights: NDArray[np.int64]) -> dict[str, Any]:
    """Return (samples,) per learner: how well it predicts the test rows, for each weighting of them."""
    x, y = learnable(train[0]), train[1]
    if problem.classes is None:
        return {
            name: _r2(model.fit(x, y).predict(test[0]), test[1], weights)
            for name, model in regressors(problem.features, x).items()
        }
    models = classifiers(problem.features, x)
    if len(np.unique(y)) < 2:
        return dict.fromkeys(models, np.full(len(weights), 0.5))
    return {name: _macro_auc(model.fit(x, y), problem.classes, test, weights) for name, model in models.items()}


def _macro_auc(
    model: Classifier, classes: NDArray[np.float64], test: _Rows, weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Average over classes the AUC of one against the others; a class that was never learnt scores 0.5."""
    x, y = test
    chances = dict(zip(model.classes_.tolist(), model.predict_proba(x).T, strict=True))
    # Of two classes, one says it all.
    judged = classes[1:] if len(classes) == 2 else classes
    areas = [auc(chances.get(k, np.zeros(len(y))), y == k, weights) for k in judged.tolist()]
    mean: NDArray[np.float64] = np.mean(areas, axis=0)
    return mean


def _r2(predicted: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    mean = weights @ y / weights.sum(axis=1)
    spread = weights @ y**2 - weights.sum(axis=1) * mean**2
    errors = weights @ (y - predicted) ** 2
    explained: NDArray[np.float64] = 1 - np.divide(
        errors, spread, out=np.full(len(weights), np.nan), where=spread > 1e-12
    )
    return explained
