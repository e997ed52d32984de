"""Utility: prediction models trained on synthetic and tested on real rows, against models trained on real rows."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from synthclin.errors import ConfigError
from synthclin.evaluation.features import Features
from synthclin.evaluation.intervals import resamples
from synthclin.evaluation.score import Interval, Score, Z
from synthclin.evaluation.tasks import PredictTask
from synthclin.evaluation.utility.prediction_kinds import (
    MIN_CLASS,
    CalibratedLearner,
    CalibrationDetails,
    CalibrationFigures,
    Importance,
    ImportanceDetails,
    Learner,
    PredictionDetails,
    calibration_kind,
    group_prediction_kind,
    importance_kind,
    prediction_kind,
)
from synthclin.evaluation.utility.prediction_metrics import importance_agreement
from synthclin.evaluation.utility.prediction_problem import Fit, PredictionProblem, Rows, fitted
from synthclin.evaluation.utility.train_on_synthetic import (
    LearnerTrials,
    groups_of,
    in_groups,
    measure,
)
from synthclin.language import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.kind import Kind
    from synthclin.schema import Schema
    from synthclin.schema.columns import Column

__all__ = ["default_tasks", "predict", "problem_of", "target", "why_not"]

_MIN_ROWS = 20
_MOST_CLASSES = 10
_MOST_ROWS = 4_000  # training rows
_MOST_TESTED = 10_000
_BOOTSTRAP = 200
_FEW_SAMPLES = 50  # for models of halves of the training rows, which only estimate a variance
_EXPLAINED = ("halves", 0)
_SPLITS = 2  # of the training rows into halves, for the variance due to training rows
_MIN_COLUMNS = 5
_TOP = 10
_LISTED = 20
_LATER_ROLES = {"entity", "time", "event", "outcome"}


def default_tasks(schema: Schema) -> tuple[PredictTask, ...]:
    """Return one task for each column with the role event or outcome."""
    return tuple(
        PredictTask(target=name)
        for name, column in schema.columns.items()
        if column.modelled and column.role in {"event", "outcome"}
    )


def target(c: Comparison, task: PredictTask) -> int:
    """Return the place of the target.

    Raises:
        ConfigError: it is not a modelled column.
    """
    if task.target not in c.features.names:
        raise ConfigError(f"task predict '{task.target}'", "it is no column that is modelled", "Name another target.")
    return c.features.names.index(task.target)


def predict(c: Comparison, task: PredictTask, by: Sequence[str] = ()) -> tuple[Score, ...]:
    """Score the utility for one prediction task: discrimination, calibration, and agreement of feature importance.

    For each column of `by` the discrimination is scored within its groups as well. At most 4,000 rows are sampled for
    training and 10,000 for testing, with a note; the score is then that of models of so many rows. The interval
    includes this sampling, because its halves are sampled likewise.

    Raises:
        ConfigError: the target is not a modelled column.
    """
    problem = problem_of(c, task)
    learned = (measure(problem), "ridge" if problem.classes is None else "logistic")
    kinds = (
        prediction_kind(task.target, *learned),
        calibration_kind(task.target, *learned),
        importance_kind(task.target, *learned),
    )
    reason = why_not(c, problem)
    if reason or c.holdout is None or c.holdout_patients is None:
        whole = tuple(kind.unassessable(reason) for kind in kinds)
        return *whole, *(group_prediction_kind(name, task.target, measure(problem)).unassessable(reason) for name in by)
    known = np.flatnonzero(problem.known(c.holdout))
    tested = known[_chosen(len(known), min(len(known), _MOST_TESTED), c.rng(task.name, "tested"))]
    test = problem.rows(c.holdout[tested])
    size = min(*(int(problem.known(rows).sum()) for rows in (c.train, *c.replicates)), _MOST_ROWS)
    # The first sample is the holdout itself.
    clusters = np.unique(c.holdout_patients[tested], return_inverse=True)[1]
    weights = np.vstack(
        [
            np.ones((1, len(test[1])), dtype=np.int64),
            resamples(len(test[1]), _BOOTSTRAP, c.rng(task.name, "bootstrap"), clusters),
        ]
    )
    samples, of_halves = len(weights), min(len(weights), _FEW_SAMPLES)
    groups = {name: groups_of(c, name, c.holdout[tested], problem) for name in by}
    masks = [mask for members in groups.values() for mask in members.values()]
    # A subgroup is the same test rows with weight 0 for all others.
    few = np.vstack([weights[:_FEW_SAMPLES], *(weights[:_FEW_SAMPLES] * mask for mask in masks)])
    weights = np.vstack([weights, *(weights * mask for mask in masks)])

    def trained(rows: NDArray[np.float64], *stream: str | int) -> dict[str, Fit]:
        return fitted(problem, _sampled(problem.rows(rows), size, c.rng(task.name, *stream)), test, weights)

    def halves(
        rows: NDArray[np.float64], who: NDArray[np.int64], *stream: str | int
    ) -> tuple[dict[str, Fit], dict[str, Fit]]:
        rng = c.rng(task.name, *stream)
        x, y = problem.rows(rows)
        one, other = (
            fitted(problem, (x[part], y[part]), test, few, explain=stream == _EXPLAINED)
            for part in _halved(who[problem.known(rows)], size, rng)
        )
        return one, other

    trials = LearnerTrials(
        [trained(rows, "synthetic", i) for i, rows in enumerate(c.replicates)],
        trained(c.train, "real"),
        trained(c.shuffled, "shuffled"),
        [halves(c.train, c.train_patients, "halves", i) for i in range(_SPLITS)],
        # Several replicates show the variance between them directly.
        [
            halves(c.synthetic, c.synthetic_patients[0], "synthetic halves", i)
            for i in range(_SPLITS if len(c.replicates) == 1 else 0)
        ],
    )
    whole_holdout = trials.of_group(0, samples, of_halves)
    replicates, real, shuffled = whole_holdout.replicates, whole_holdout.real, whole_holdout.shuffled
    notes = [
        tr("Each model was trained on {rows} rows.", rows=size) if size < len(c.synthetic) else "",
        tr("It was tested on {tested} of {rows} holdout rows.", tested=len(tested), rows=len(known))
        if len(tested) < len(known)
        else "",
        tr("All synthetic rows are of one class, so no model can be trained on them.")
        if problem.classes is not None and len(np.unique(problem.rows(c.synthetic)[1])) < 2
        else "",
    ]
    details = PredictionDetails(
        measure=measure(problem),
        learners=[
            Learner(
                learner=name,
                synthetic=np.mean([fits[name].performance[0] for fits in replicates]),
                real=real[name].performance[0],
                shuffled=shuffled[name].performance[0],
            )
            for name in real
        ],
        predictors=problem.features.names,
        rows={"train": size, "test": len(test[1])},
    )
    n = len(test[1])
    discrimination = whole_holdout.difference(kinds[0], "performance", n, notes, details)
    calibration = (
        whole_holdout.difference(kinds[1], "brier", n, notes, _calibrations(replicates, real))
        if problem.classes is not None
        else kinds[1].unassessable(tr("Calibration is of probabilities, and the target is a number."))
    )
    by_group = []
    at = 1
    for name, members in groups.items():
        sizes = {level: int(mask.sum()) for level, mask in members.items()}
        parts = {level: trials.of_group(at + i, samples, of_halves) for i, level in enumerate(members)}
        by_group.append(in_groups(name, task, problem, parts, sizes))
        at += len(members)
    importance = _importance(kinds[2], problem, replicates, real, shuffled, trials.halves[0])
    return discrimination, calibration, importance, *by_group


def _calibrations(replicates: list[dict[str, Fit]], real: dict[str, Fit]) -> CalibrationDetails:
    def figures(name: str, tables: list[dict[str, Fit]]) -> CalibrationFigures:
        return CalibrationFigures(
            brier=np.mean([fits[name].brier[0] for fits in tables]),
            slope=np.mean([fits[name].slope[0] for fits in tables]),
            intercept=np.mean([fits[name].slope[1] for fits in tables]),
        )

    return CalibrationDetails(
        learners=[
            CalibratedLearner(learner=name, synthetic=figures(name, replicates), real=figures(name, [real]))
            for name in real
        ]
    )


def _importance(
    kind: Kind[ImportanceDetails],
    problem: PredictionProblem,
    replicates: list[dict[str, Fit]],
    real: dict[str, Fit],
    shuffled: dict[str, Fit],
    halves: tuple[dict[str, Fit], dict[str, Fit]],
) -> Score:
    """Score the agreement of feature importances, trained on synthetic against trained on real rows."""
    columns = len(problem.columns)
    if columns < _MIN_COLUMNS:
        return kind.unassessable(
            tr("Rank correlations of fewer than {columns} columns are meaningless.", columns=_MIN_COLUMNS)
        )

    def agreement(first: dict[str, Fit], second: dict[str, Fit]) -> float:
        return float(np.mean([importance_agreement(first[name].importance, second[name].importance) for name in real]))

    agreements = [agreement(fits, real) for fits in replicates]
    value = float(np.mean(agreements))
    error = sqrt((1 + min(value**2, 1) / 2) / (columns - 3))
    middle = np.arctanh(np.clip(value, -0.999, 0.999))
    low, high = np.tanh([middle - Z * error, middle + Z * error])
    means = {
        source: np.mean([fits[name].importance for fits in tables for name in real], axis=0)
        for source, tables in {"synthetic": replicates, "real": [real]}.items()
    }
    top = {source: set(np.argsort(-mean, kind="stable")[:_TOP].tolist()) for source, mean in means.items()}
    return kind.score(
        value,
        Interval(min(low, value), max(high, value)),
        n=columns,
        baseline=agreement(shuffled, real),
        reference=agreement(*halves),
        notes=[tr("The real-data reference is the agreement of models trained on two halves of the real rows.")],
        details=ImportanceDetails(
            shared_top=len(top["synthetic"] & top["real"]) / min(_TOP, columns),
            columns=[
                Importance(column=problem.features.names[j], real=means["real"][j], synthetic=means["synthetic"][j])
                for j in np.argsort(-means["real"], kind="stable")[:_LISTED]
            ],
        ),
        replicates=agreements,
    )


def problem_of(c: Comparison, task: PredictTask) -> PredictionProblem:
    """Return a prediction task as arrays; raises ConfigError where the target is not a modelled column."""
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
        classes = np.sort(frequent[counts.min(axis=0)[frequent] >= MIN_CLASS]).astype(np.float64)
    log = feature.kind == "line" and feature.column.is_logarithmic
    return PredictionProblem(columns, Features(tuple(c.features.columns[j] for j in columns)), y, classes, log)


def _known_later(schema: Schema, column: Column) -> bool:
    """Return whether a column, or the column whose missing codes it records, is known only after the prediction."""
    source = column if column.reason_for is None else schema.columns[column.reason_for]
    return source.role in _LATER_ROLES


def why_not(c: Comparison, problem: PredictionProblem) -> str:
    """Return why the task is not assessable; empty where it is."""
    if c.holdout is None:
        return tr("There is no holdout to test on.")
    if not len(problem.columns):
        return tr("No column is left to predict from.")
    if problem.classes is not None and len(problem.classes) < 2:
        return tr("Fewer than two classes have {rows} training and {rows} holdout rows.", rows=MIN_CLASS)
    tables = [("holdout", c.holdout), ("training", c.train), *(("synthetic", rows) for rows in c.replicates)]
    few = {
        "holdout": tr("Fewer than {rows} holdout rows have a known target.", rows=_MIN_ROWS),
        "training": tr("Fewer than {rows} training rows have a known target.", rows=_MIN_ROWS),
        "synthetic": tr("Fewer than {rows} synthetic rows have a known target.", rows=_MIN_ROWS),
    }
    constant = {
        "holdout": tr("The target is the same in all holdout rows."),
        "training": tr("The target is the same in all training rows."),
    }
    for name, rows in tables:
        y = problem.rows(rows)[1]
        if len(y) < _MIN_ROWS:
            return few[name]
        if name in constant and len(np.unique(y)) < 2:
            return constant[name]
    return ""


def _sampled(rows: Rows, size: int, rng: np.random.Generator) -> Rows:
    x, y = rows
    chosen = _chosen(len(y), size, rng)
    return x[chosen], y[chosen]


def _halved(who: NDArray[np.int64], size: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return the places of the rows of two disjoint halves of `size` rows; all rows of a patient are in one."""
    numbers = np.unique(who, return_inverse=True)[1]
    if len(who) and len(who) > numbers.max() + 1:
        half = rng.permutation(int(numbers.max()) + 1)[numbers] % 2
        parts = [np.flatnonzero(half == i) for i in range(2)]
        return [part[_chosen(len(part), min(len(part), size // 2), rng)] for part in parts]
    chosen = _chosen(len(who), size, rng)
    order = rng.permutation(size)
    return [chosen[order[i::2]] for i in range(2)]


def _chosen(rows: int, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the places of `size` of the rows, in their order."""
    return np.sort(rng.choice(rows, size, replace=False))
