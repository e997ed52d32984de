"""Declared analyses: regressions, survival and group comparisons, as estimates with standard errors per term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError
from synthclin.evaluation.analyses.model_fits import RegressionFit, fit_regression
from synthclin.evaluation.analyses.restricted_mean import Followed, curves, rmst
from synthclin.evaluation.labels import term_name
from synthclin.evaluation.task_checks import check_task, positive_level, time_column
from synthclin.evaluation.tasks import Analysis, CompareTask, CoxTask, LinearTask, LogisticTask, SurvivalTask
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Feature

__all__ = ["Endpoint", "Estimates", "Study", "endpoint", "fit_notes", "study", "why_not_run"]

_AT_RISK = 10
_TERM_ROOM = 400

Estimates = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""(terms,) estimates and (terms,) standard errors; NaN where they cannot be computed."""


@dataclass(frozen=True, slots=True)
class Study:
    """One analysis as functions of any rows.

    Arguments:
        terms: names of the estimated parameters.
        run: from (rows, columns) to estimates.
        contrast: (terms,) whether 0 is the null hypothesis, so that sign and significance have a meaning.
        horizon: last time of a survival analysis; else None.
        curves: from real and synthetic (rows, columns) to the data of a survival plot; else None.
        matrix: from (rows, columns) to the (rows, terms) design matrix of a regression; else None.
        fit: from (rows, columns) to the fit of a regression, computed once for the same rows; else None.
        treatment: (terms,) whether a term is an effect of a column with the role treatment.
        time_unit: UCUM unit of the times of a survival analysis; None where there is none.
    """

    terms: tuple[str, ...]
    run: Callable[[NDArray[np.float64]], Estimates]
    contrast: NDArray[np.bool_]
    horizon: float | None = None
    curves: Callable[[NDArray[np.float64], NDArray[np.float64]], list[dict[str, Any]]] | None = None
    matrix: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None
    fit: Callable[[NDArray[np.float64]], RegressionFit] | None = None
    treatment: tuple[bool, ...] = ()
    time_unit: str | None = None


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


@dataclass(frozen=True, slots=True)
class _Design:
    """Design matrix: numbers per real standard deviation, levels as contrasts with the most frequent one."""

    terms: tuple[str, ...]
    lines: tuple[tuple[int, float, float], ...]
    levels: tuple[tuple[int, float], ...]

    @property
    def places(self) -> tuple[int, ...]:
        """The place of the column of each term."""
        return (*(j for j, _, _ in self.lines), *(j for j, _ in self.levels))

    def matrix(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(rows, terms), NaN where a covariate is missing."""
        numbers = [(rows[:, j] - mean) / sd for j, mean, sd in self.lines]
        levels = [np.where(np.isnan(rows[:, j]), np.nan, rows[:, j] == level) for j, level in self.levels]
        return np.column_stack([*numbers, *levels])


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


def _place(c: Comparison, name: str) -> int:
    return c.features.names.index(name)


def _cells(j: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda rows: rows[:, j]


def _yes(c: Comparison, name: str, task: Analysis) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the indicator function of the second of two declared values: 1, 0, or NaN where missing.

    The value does not depend on the rows at hand: a group of patients may have only one of the two.
    """
    j = _place(c, name)
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
    j = _place(c, task.event)
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


def _groups(feature: Feature, train: NDArray[np.float64]) -> list[float]:
    """Return the levels with at least 11 training rows, the most frequent first, then in their order."""
    counts = np.bincount(train[~np.isnan(train)].astype(int), minlength=len(feature.levels))
    frequent = np.flatnonzero(counts >= MIN_PATIENTS)
    if not len(frequent):
        return []
    first = frequent[np.argmax(counts[frequent])]
    return [float(first), *(float(level) for level in frequent if level != first)]


def _design(c: Comparison, names: tuple[str, ...]) -> _Design:
    terms: list[str] = []
    lines, levels = [], []
    for name in names:
        j = _place(c, name)
        feature, seen = c.features.columns[j], c.train[:, j]
        if feature.kind == "line":
            sd = float(np.nanstd(seen)) if (~np.isnan(seen)).any() else 0.0
            if sd > 0:
                lines.append((j, float(np.nanmean(seen)), sd))
                terms.append(f"{name} (per SD)")
    for name in names:
        j = _place(c, name)
        feature = c.features.columns[j]
        if feature.kind != "line":
            base, *others = _groups(feature, c.train[:, j]) or [0.0]
            for level in others:
                levels.append((j, level))
                terms.append(f"{name}: {feature.levels[int(level)]} against {feature.levels[int(base)]}")
    return _Design(tuple(terms), tuple(lines), tuple(levels))


def _regression(c: Comparison, task: LinearTask | LogisticTask | CoxTask) -> Study:
    design = _design(c, task.covariates)
    time = _place(c, time_column(task, c.schema)) if isinstance(task, CoxTask) else None
    match task:
        case LinearTask():
            y = _cells(_place(c, task.target))
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
        treatment=tuple(_is_treatment(c, c.features.names[j]) for j in design.places),
    )


def _is_treatment(c: Comparison, name: str | None) -> bool:
    return name is not None and c.schema.columns[name].role == "treatment"


def endpoint(c: Comparison, task: CoxTask | SurvivalTask) -> Endpoint:
    """Return the endpoint of a task, in the groups of `by`, up to the horizon.

    Raises:
        ConfigError: the schema and the task do not define the event, its time or the groups.
    """
    check_task(task, c.schema)
    time, event = _place(c, time_column(task, c.schema)), _happened(c, task)
    groups: list[float | None] = [None]
    by, labels = 0, ["all"]
    if isinstance(task, SurvivalTask) and task.by is not None:
        by = _place(c, task.by)
        feature = c.features.columns[by]
        groups = [*_groups(feature, c.train[:, by])]
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
    treatment = tuple(contrast & _is_treatment(c, task.by))
    unit = c.features.columns[found.time].column.unit
    return Study(tuple(terms), run, contrast, horizon, survival_curves, treatment=treatment, time_unit=unit)


def _comparison(c: Comparison, task: CompareTask) -> Study:
    target, by = _place(c, task.target), _place(c, task.by)
    feature, grouping = c.features.columns[target], c.features.columns[by]
    groups = _groups(grouping, c.train[:, by])
    base = "" if not groups else str(grouping.levels[int(groups[0])])
    levels: list[float | None] = [None]
    if feature.kind != "line":
        levels = [*_groups(feature, c.train[:, target])[1:]]
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

    effects = (_is_treatment(c, task.by),) * len(terms)
    return Study(tuple(terms), run, np.ones(len(terms), dtype=bool), treatment=effects)


def why_not_run(c: Comparison, found: Study) -> str:
    """Return why an analysis cannot be run on the training rows, as a sentence; empty where it can."""
    if not found.terms:
        return tr("No term is left: covariates or groups do not vary, or are too few.")
    if found.fit is not None and (problem := found.fit(c.train).problem):
        return f"{_not_run('training')} {problem}"
    return _not_run("training") if np.isnan(found.run(c.train)[0]).all() else ""


def _not_run(rows: Literal["training", "synthetic"]) -> str:
    if rows == "training":
        return tr("The analysis cannot be run on the training rows.")
    return tr("The analysis cannot be run on the synthetic rows.")


def fit_notes(c: Comparison, found: Study) -> list[str]:
    """Return the notes on the fits of a regression to training and synthetic rows: failures, diverged terms, method."""
    if found.fit is None:
        return []
    tables: tuple[tuple[Literal["training", "synthetic"], NDArray[np.float64]], ...]
    tables = ("training", c.train), ("synthetic", c.synthetic)
    notes = []
    for whose, rows in tables:
        fit = found.fit(rows)
        diverged = [term for term, is_bad in zip(found.terms, fit.diverged, strict=True) if is_bad]
        if fit.problem:
            notes.append(f"{_not_run(whose)} {fit.problem}")
        elif diverged:
            notes.append(_diverges(whose, ", ".join(term_name(term, _TERM_ROOM) for term in diverged)))
        if fit.note:
            notes.append(
                tr("On training rows: {note}", note=fit.note)
                if whose == "training"
                else tr("On synthetic rows: {note}", note=fit.note)
            )
    return notes


def _diverges(rows: Literal["training", "synthetic"], terms: str) -> str:
    if rows == "training":
        return tr("Not assessable in training rows, because the estimate diverges (separation): {terms}.", terms=terms)
    return tr("Not assessable in synthetic rows, because the estimate diverges (separation): {terms}.", terms=terms)
