"""Declared analyses: regressions, survival and group comparisons, as estimates with standard errors per term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError
from synthclin.evaluation.analyses.analysis_study import Estimates, Study
from synthclin.evaluation.analyses.design import design_of, groups_of, is_treatment, place_of
from synthclin.evaluation.analyses.mixed_study import mixed_study
from synthclin.evaluation.analyses.model_fits import RegressionFit, fit_regression
from synthclin.evaluation.analyses.restricted_mean import Followed, curves, rmst
from synthclin.evaluation.labels import term_name
from synthclin.evaluation.task_checks import check_task, positive_level, time_column
from synthclin.evaluation.tasks import Analysis, CompareTask, CoxTask, LinearTask, LogisticTask, MixedTask, SurvivalTask
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["Endpoint", "Estimates", "Study", "endpoint", "fit_notes", "not_run", "study", "why_not_run"]

_Rows = Literal["training", "synthetic"]
_AT_RISK = 10
_TERM_ROOM = 400


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A time-to-event endpoint, in each group of patients.

    Arguments:
        time: place of the time column.
        event: from (rows, columns) to the event indicator, 1 or 0; NaN where missing.
        by: place of the group column.
        groups: its levels, the most frequent first; a single None where all rows are one group.
        labels: names of the groups.
        horizon: last time of the analysis.
    """

    time: int
    event: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    by: int
    groups: tuple[float | None, ...]
    labels: tuple[str, ...]
    horizon: float

    def known(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rows with known time and event."""
        return rows[~np.isnan(rows[:, self.time]) & ~np.isnan(self.event(rows))]

    def split(self, rows: NDArray[np.float64]) -> list[Followed]:
        """Return (rows,) times and (rows,) event indicators of each group."""
        known = self.known(rows)
        parts = [known if level is None else known[known[:, self.by] == level] for level in self.groups]
        return [(part[:, self.time], self.event(part) == 1) for part in parts]


def study(c: Comparison, task: Analysis) -> Study:
    """Return the analysis; its terms are fixed by the training rows.

    Raises:
        ConfigError: a column is not modelled, or has a type that the analysis cannot use.
    """
    for name in task.columns:
        if name not in c.features.names:
            raise ConfigError(f"task {task.name}", f"'{name}' is no column that is modelled", "Name another column.")
    check_task(task, c.schema)
    match task:
        case LinearTask() | LogisticTask() | CoxTask():
            return _regression(c, task)
        case SurvivalTask():
            return _survival(c, task)
        case CompareTask():
            return _comparison(c, task)
        case MixedTask():
            return mixed_study(c, task)


def _cells(j: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda rows: rows[:, j]


def _yes(c: Comparison, name: str, task: Analysis) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the indicator function of the second of two declared values: 1, 0, or NaN where missing.

    The value does not depend on the rows at hand: a group of patients may have only one of the two.
    """
    j = place_of(c, name)
    feature, level = c.features.columns[j], positive_level(task, name, c.schema)
    seen = np.unique(c.train[~np.isnan(c.train[:, j]), j])
    if feature.kind == "line":
        value = 1.0 if level is None else float(level)
        if len(seen) > 2 or (level is None and not np.isin(seen, [0, 1]).all()):
            what = f"column '{name}' has more than two values" if len(seen) > 2 else f"column '{name}' is not 0 or 1"
            remedy = "Declare it as `type: boolean` with its two `values`, or name a column of 0 and 1."
            raise ConfigError(f"task {task.name}", what, remedy)
    else:
        dtype = c.tables.train[name].dtype
        in_training = tuple(dtype.categories) if isinstance(dtype, pd.CategoricalDtype) else feature.levels
        levels = in_training if level is None else (level,)
        if len(levels) > 2 or not levels or levels[-1] not in feature.levels:
            what = f"column '{name}' has more than two values"
            raise ConfigError(f"task {task.name}", what, "Name a column of two levels, or of 0 and 1.")
        value = float(feature.levels.index(levels[-1]))
    return lambda rows: np.where(np.isnan(rows[:, j]), np.nan, rows[:, j] == value)


def _happened(c: Comparison, task: CoxTask | SurvivalTask) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the event indicator function: 1, 0, or NaN where missing."""
    column = c.schema.columns[task.event]
    when, censored = column.event_level, column.censored_level
    if task.cause is None and when is None and censored is None:
        return _yes(c, task.event, task)
    j = place_of(c, task.event)
    levels, named, meant = list(c.features.columns[j].levels), when, True
    if task.cause is not None:
        named = task.cause
    elif when is None:
        named, meant = censored, False
    if named not in levels or (meant and named == censored):
        what = f"its cause is no event of column '{task.event}'"
        raise ConfigError(f"task {task.name}", what, "Name one of its levels.")
    place = levels.index(named)
    return lambda rows: np.where(np.isnan(rows[:, j]), np.nan, (rows[:, j] == place) == meant)


def _regression(c: Comparison, task: LinearTask | LogisticTask | CoxTask) -> Study:
    design = design_of(c, task.covariates)
    time = place_of(c, time_column(task, c.schema)) if isinstance(task, CoxTask) else None
    match task:
        case LinearTask():
            y = _cells(place_of(c, task.target))
        case LogisticTask():
            y = _yes(c, task.target, task)
        case CoxTask():
            y = _happened(c, task)
    kept: dict[bytes, RegressionFit] = {}

    def once(rows: NDArray[np.float64]) -> RegressionFit:
        """RegressionFit once to the same rows, which several scores use."""
        key = blake2b(rows.tobytes()).digest()
        if key not in kept:
            kept[key] = fitted(rows)
        return kept[key]

    def fitted(rows: NDArray[np.float64]) -> RegressionFit:
        x, outcome = design.matrix(rows), y(rows)
        known = ~np.isnan(x).any(axis=1) & ~np.isnan(outcome)
        known &= True if time is None else ~np.isnan(rows[:, time])
        return fit_regression(task.task, x[known], outcome[known], None if time is None else rows[known, time])

    return Study(
        design.terms,
        lambda rows: (once(rows).estimates, once(rows).errors),
        np.ones(len(design.terms), dtype=bool),
        matrix=design.matrix,
        fit=once,
        treatment=tuple(is_treatment(c, c.features.names[j]) for j in design.places),
    )


def endpoint(c: Comparison, task: CoxTask | SurvivalTask) -> Endpoint:
    """Return the endpoint of a task, in the groups of `by`, up to the horizon.

    Raises:
        ConfigError: the schema and the task do not define the event, its time or the groups.
    """
    check_task(task, c.schema)
    time, event = place_of(c, time_column(task, c.schema)), _happened(c, task)
    groups: list[float | None] = [None]
    by, labels = 0, ["all"]
    if isinstance(task, SurvivalTask) and task.by is not None:
        by = place_of(c, task.by)
        feature = c.features.columns[by]
        groups = [*groups_of(feature, c.train[:, by])]
        labels = [f"{task.by}: {feature.levels[int(level or 0)]}" for level in groups]

    whole = Endpoint(time, event, by, tuple(groups), tuple(labels), np.nan)
    lasts = [float(np.sort(times)[-_AT_RISK]) for times, _ in whole.split(c.train) if len(times) >= _AT_RISK]
    horizon = task.horizon if isinstance(task, SurvivalTask) else None
    return replace(whole, horizon=horizon or min(lasts, default=np.nan))


def _survival(c: Comparison, task: SurvivalTask) -> Study:
    found = endpoint(c, task)
    labels, horizon = found.labels, found.horizon

    def run(rows: NDArray[np.float64]) -> Estimates:
        means, errors = np.array([rmst(part, horizon) for part in found.split(rows)]).reshape(-1, 2).T
        return (
            np.concatenate([means, means[1:] - means[:1]]),
            np.concatenate([errors, np.hypot(errors[1:], errors[:1])]),
        )

    def survival_curves(real: NDArray[np.float64], synthetic: NDArray[np.float64]) -> list[dict[str, Any]]:
        return curves(list(zip(labels, found.split(real), found.split(synthetic), strict=True)), horizon)

    terms = [f"mean survival time, {label}" for label in labels]
    terms += [f"difference, {label} against {labels[0].rpartition(': ')[2]}" for label in labels[1:]]
    contrast = np.arange(len(terms)) >= len(labels)
    treatment = tuple(contrast & is_treatment(c, task.by))
    unit = c.features.columns[found.time].column.unit
    return Study(tuple(terms), run, contrast, horizon, survival_curves, treatment=treatment, time_unit=unit)


def _comparison(c: Comparison, task: CompareTask) -> Study:
    target, by = place_of(c, task.target), place_of(c, task.by)
    feature, grouping = c.features.columns[target], c.features.columns[by]
    groups = groups_of(grouping, c.train[:, by])
    base = "" if not groups else str(grouping.levels[int(groups[0])])
    levels: list[float | None] = [None]
    if feature.kind != "line":
        levels = [*groups_of(feature, c.train[:, target])[1:]]
    terms = [
        f"{task.by}: {grouping.levels[int(group)]} against {base}"
        + ("" if level is None else f", {task.target}: {feature.levels[int(level)]}")
        for group in groups[1:]
        for level in levels
    ]

    def run(rows: NDArray[np.float64]) -> Estimates:
        known = rows[~np.isnan(rows[:, target])]

        def moments(group: float, level: float | None) -> tuple[float, float]:
            y = known[known[:, by] == group, target]
            y = y if level is None else (y == level).astype(np.float64)
            return (float(y.mean()), float(y.var(ddof=1) / len(y))) if len(y) > 1 else (np.nan, np.nan)

        pairs = [(moments(group, level), moments(groups[0], level)) for group in groups[1:] for level in levels]
        return (
            np.array([one[0] - other[0] for one, other in pairs]),
            np.sqrt([one[1] + other[1] for one, other in pairs]),
        )

    effects = (is_treatment(c, task.by),) * len(terms)
    return Study(tuple(terms), run, np.ones(len(terms), dtype=bool), treatment=effects)


def why_not_run(c: Comparison, found: Study) -> str:
    """Return why an analysis cannot be run on the training rows, as a sentence; empty where it can."""
    if not found.terms:
        return tr("No term is left: covariates or groups do not vary, or are too few.")
    if found.fit is not None and (problem := found.fit(c.train).problem):
        return f"{not_run('training')} {problem}"
    return not_run("training") if np.isnan(found.run(c.train)[0]).all() else ""


def not_run(rows: _Rows) -> str:
    """Return that an analysis cannot be run on these rows, as a sentence."""
    if rows == "training":
        return tr("The analysis cannot be run on the training rows.")
    return tr("The analysis cannot be run on the synthetic rows.")


def fit_notes(c: Comparison, found: Study) -> list[str]:
    """Return the notes on the fits of a regression to training and synthetic rows: failures, diverged terms, method."""
    if found.fit is None:
        return []
    notes = []
    for whose in get_args(_Rows):
        fit = found.fit(c.train if whose == "training" else c.synthetic)
        diverged = [term for term, is_bad in zip(found.terms, fit.diverged, strict=True) if is_bad]
        if fit.problem:
            notes.append(f"{not_run(whose)} {fit.problem}")
        elif diverged:
            notes.append(_diverges(whose, ", ".join(term_name(term, _TERM_ROOM) for term in diverged)))
        if fit.note:
            notes.append(
                tr("On training rows: {note}", note=fit.note)
                if whose == "training"
                else tr("On synthetic rows: {note}", note=fit.note)
            )
    return notes


def _diverges(rows: _Rows, terms: str) -> str:
    if rows == "training":
        return tr("Not assessable in training rows, because the estimate diverges (separation): {terms}.", terms=terms)
    return tr("Not assessable in synthetic rows, because the estimate diverges (separation): {terms}.", terms=terms)
