"""Validation of tasks against a schema, without any table: types, roles and levels of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.errors import ConfigError
from synthclin.evaluation.tasks import (
    CompareTask,
    CoxTask,
    LinearTask,
    LogisticTask,
    MixedTask,
    PredictTask,
    SurvivalTask,
)

if TYPE_CHECKING:
    from synthclin.evaluation.tasks import Analysis
    from synthclin.schema import Schema
    from synthclin.schema.columns import Column, Level

__all__ = ["check_task", "has_treatment", "positive_level", "time_column"]


def check_task(task: PredictTask | Analysis, schema: Schema) -> None:
    """Refuse an analysis that no table of this schema allows.

    Arguments:
        task: its columns are modelled columns of the schema.
        schema: the schema.

    Raises:
        ConfigError: a column has a type that the analysis cannot use, an outcome is among its own covariates, or the
            schema and the task do not define the event and its time.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"age": {"type": "number"}, "sbp": {"type": "number"}}})
        >>> check_task(LinearTask(target="sbp", covariates=["age", "sbp"]), schema)
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: task inference.linear.sbp: 'sbp' is both outcome and covariate. Remove it from ...
    """
    match task:
        case LinearTask():
            _check_number(task, task.target, schema)
            _check_covariates(task, (task.target,), task.covariates)
        case LogisticTask():
            positive_level(task, task.target, schema)
            _check_covariates(task, (task.target,), task.covariates)
        case CoxTask():
            _check_covariates(task, (task.event, _check_endpoint(task, schema)), task.covariates)
        case SurvivalTask():
            time = _check_endpoint(task, schema)
            if task.by is not None:
                _check_groups(task, task.by, (task.event, time), schema)
        case CompareTask():
            _check_groups(task, task.by, (task.target,), schema)
        case MixedTask():
            _check_mixed(task, schema)
        case PredictTask():
            pass


def has_treatment(task: PredictTask | Analysis, schema: Schema) -> bool:
    """Return whether an analysis estimates the effect of a column with the role treatment."""
    match task:
        case LinearTask() | LogisticTask() | CoxTask():
            explained_by: tuple[str | None, ...] = task.covariates
        case MixedTask():
            explained_by = task.fixed
        case SurvivalTask() | CompareTask():
            explained_by = (task.by,)
        case PredictTask():
            explained_by = ()
    return any(schema.columns[name].role == "treatment" for name in explained_by if name is not None)


def positive_level(task: Analysis, name: str, schema: Schema) -> Level | None:
    """Return the level of a two-valued column that counts as 1: the second of its two declared values.

    None where the schema declares none; the levels are those of the training table then, or 0 and 1.

    Raises:
        ConfigError: the column has more than two levels.
    """
    column: Column = schema.columns[name]
    if column.levels is not None:
        if len(column.levels) > 2:
            remedy = "Declare `event_when` or `censored`, or name a column of two levels, or of 0 and 1."
            raise ConfigError(f"task {task.name}", f"column '{name}' has more than two values", remedy)
        return column.levels[-1]
    bounds = column.bounds if column.is_integer else None
    if bounds is not None and bounds[1] - bounds[0] == 1:
        return float(bounds[1])
    return None


def time_column(task: CoxTask | SurvivalTask, schema: Schema) -> str:
    """Return the name of the column with the time of the event.

    Raises:
        ConfigError: neither the task nor the schema names one.
    """
    name = task.time or schema.time_of(task.event)
    if name is None:
        what = f"there is no time column for '{task.event}'"
        raise ConfigError(f"task {task.name}", what, "Name `time` in the task, or beside the event in the schema.")
    return name


def _check_endpoint(task: CoxTask | SurvivalTask, schema: Schema) -> str:
    """Refuse an event without levels or time; return the name of the time column."""
    column, time = schema.columns[task.event], time_column(task, schema)
    if task.cause is not None:
        if column.levels is not None and (task.cause not in column.levels or task.cause == column.censored_level):
            what = f"its cause is no event of column '{task.event}'"
            raise ConfigError(f"task {task.name}", what, "Name one of its levels.")
    elif column.event_level is None and column.censored_level is None:
        positive_level(task, task.event, schema)
    if time == task.event:
        raise ConfigError(f"task {task.name}", f"'{time}' is both event and time", "Name another `time`.")
    _check_number(task, time, schema)
    return time


def _check_mixed(task: MixedTask, schema: Schema) -> None:
    """Refuse a mixed model of a table without visits, or of an outcome that is the same at each visit."""
    where = f"task {task.name}"
    if schema.visit_time is None:
        raise ConfigError(where, "the schema has no time of visits", "Declare `role: visit`, or use `task: linear`.")
    _check_number(task, task.outcome, schema)
    if schema.columns[task.outcome].static:
        what = f"column '{task.outcome}' is the same at each visit"
        raise ConfigError(where, what, "Use `task: linear`, or name a column that differs between visits.")
    _check_covariates(task, (task.outcome,), task.fixed)
    if task.by_time and schema.visit_time not in task.fixed:
        what = f"`by_time` needs the effect of '{schema.visit_time}' itself"
        raise ConfigError(where, what, f"Add {schema.visit_time!r} to `fixed`.")
    for name in task.by_time:
        if name not in task.fixed or name == schema.visit_time:
            remedy = "Add it to `fixed`, or remove it from `by_time`." if name not in task.fixed else "Remove it."
            what = f"'{name}' in `by_time` is {'not in `fixed`' if name not in task.fixed else 'the time itself'}"
            raise ConfigError(where, what, remedy)


def _check_number(task: Analysis, name: str, schema: Schema) -> None:
    column = schema.columns[name]
    if not _is_line(column):
        raise ConfigError(f"task {task.name}", f"column '{name}' is no number", "Name a number.")


def _check_groups(task: Analysis, by: str, outcomes: tuple[str, ...], schema: Schema) -> None:
    if by in outcomes:
        raise ConfigError(f"task {task.name}", f"'{by}' is both outcome and `by`", "Name another column in `by`.")
    if _is_line(schema.columns[by]):
        raise ConfigError(f"task {task.name}", f"column '{by}' has no levels", "Name a column of levels.")


def _check_covariates(task: Analysis, outcomes: tuple[str, ...], covariates: tuple[str, ...]) -> None:
    for place, name in enumerate(covariates):
        if name in outcomes:
            what = f"'{name}' is both outcome and covariate"
            raise ConfigError(f"task {task.name}", what, "Remove it from `covariates`.")
        if name in covariates[:place]:
            raise ConfigError(f"task {task.name}", f"covariate '{name}' is listed twice", "Remove one of them.")


def _is_line(column: Column) -> bool:
    return column.is_numeric or column.is_temporal
