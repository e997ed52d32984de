"""Validation of references in a configuration: names of columns, levels and scores."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import product

import pandas as pd

from synthclin.errors import ConfigError
from synthclin.evaluation.gate import parse_gate
from synthclin.evaluation.score_names import (
    outcome_name,
    representation_name,
    treatment_name,
    within,
)
from synthclin.evaluation.task_checks import check_task, has_treatment
from synthclin.evaluation.tasks import PredictTask
from synthclin.models import MODELS
from synthclin.models.parameters import parameter_fields
from synthclin.models.private_training import refuse_longer_training
from synthclin.models.shards import refuse_shards
from synthclin.models.synthesizer import MOST_ROWS
from synthclin.sampling.cohorts import Cohort
from synthclin.schema import Schema
from synthclin.schema.column_expressions import NO_VISITS
from synthclin.schema.conditions import check_levels, check_visits, column_remedy
from synthclin.schema.visit_times import of_patients
from synthclin.study.config.blocks import Config, Judging
from synthclin.study.config.outputs import check_outputs

__all__ = ["check_columns", "check_judging", "check_references", "hint"]


def check_references(config: Config, where: str) -> None:
    """Refuse names of columns that the schema lacks, and gates that cannot be parsed."""
    schema = config.table_schema
    check_judging(config, where)
    _check_guarantee(config, f"{where}: protect.dp")
    _check_shards(config, f"{where}: sampling.shard_rows")
    check_outputs(config, where)
    names: set[str] = {"synthetic"}
    for i, cohort in enumerate(config.sampling.cohorts):
        at = f"{where}: sampling.cohorts[{i}]"
        if cohort.name in names:
            raise ConfigError(f"{at}.name", f"another table is called {cohort.name!r}", "Give each its own name.")
        names.add(cohort.name)
        if cohort.rows > MOST_ROWS:
            raise ConfigError(f"{at}.rows", f"more than {MOST_ROWS:,} rows", "Ask for fewer, or sample several times.")
        _check_cohort(cohort, schema, at)


def _check_guarantee(config: Config, at: str) -> None:
    """Refuse a guarantee of differential privacy that the model, or another block, cannot keep."""
    if config.protect.dp is None:
        return
    family, parameters = config.model.type, config.model.parameters
    if "dp" not in parameter_fields(MODELS[family]):
        what = f"the family {family!r} has no training with differential privacy"
        raise ConfigError(at, what, "Choose `model: {type: gan}`, or remove `dp`.")
    refuse_longer_training(parameters.get("effort", ""), warmup=parameters.get("warmup", True), where=at)
    if config.data.sample is not None:
        what = "which patients a sample of the source has depends on the others, which no guarantee covers"
        raise ConfigError(at.replace("protect.dp", "data.sample"), what, "Name a table of the patients of the study.")


def _check_shards(config: Config, at: str) -> None:
    """Refuse a table in shards of another format, or of a model that is never written."""
    if config.sampling.shard_rows is None:
        return
    if config.outputs.table != "parquet":
        raise ConfigError(at, "shards are Parquet files", "Set `outputs.table: parquet`, or remove `shard_rows`.")
    if MODELS[config.model.type].keeps_rows:
        what = f"the family {config.model.type!r} samples training rows, so its table is no release"
        raise ConfigError(at, what, "Remove `shard_rows`, or choose `gan`.")
    if config.outputs.adam is not None:
        what = "data sets of the Analysis Data Model hold the whole table, which is not read at once"
        raise ConfigError(at, what, "Remove `shard_rows`, or `outputs.adam`.")
    refuse_shards(config.table_schema, config.sampling.rows or 1, config.sampling.shard_rows, at)


def check_judging(config: Config | Judging, where: str) -> None:
    """Refuse tasks, groups and gates that this schema and these tasks do not allow."""
    _check_evaluation(config, where)
    for i, text in enumerate(config.gates or ()):
        try:
            gate = parse_gate(text)
        except ConfigError as error:
            raise ConfigError(f"{where}: gates[{i}]", error.what, error.remedy) from None
        _check_gate(gate.score, config, f"{where}: gates[{i}]")


def _check_evaluation(config: Config | Judging, where: str) -> None:
    """Refuse tasks and groups on columns that are not modelled."""
    schema = config.table_schema
    for i, task in enumerate(config.evaluation.utility):
        at = f"{where}: evaluation.utility[{i}]"
        for key, value in task.model_dump(exclude={"task", "horizon", "cause", "slope"}, exclude_none=True).items():
            check_columns([value] if isinstance(value, str) else value, schema.modelled, f"{at}.{key}")
        if task.name in [earlier.name for earlier in config.evaluation.utility[:i]]:
            raise ConfigError(at, f"another task is called {task.name!r}", "Remove one of them.")
        try:
            check_task(task, schema)
        except ConfigError as error:
            raise ConfigError(at, error.what, error.remedy) from None
    for i, name in enumerate(config.evaluation.by):
        at = f"{where}: evaluation.by[{i}]"
        check_columns([name], schema.modelled, at)
        if schema.columns[name].is_numeric or schema.columns[name].is_temporal:
            raise ConfigError(at, f"{name!r} has no levels to form groups", "Name a column of levels.")


def _check_gate(score: str, config: Config | Judging, where: str) -> None:
    """Refuse a gate on a score that this run does not compute."""
    # Imported where it is needed: it loads the learners.
    from synthclin.evaluation.catalogue import headline_kinds, names_of  # noqa: PLC0415
    from synthclin.evaluation.utility.predictions import default_tasks  # noqa: PLC0415

    groups = [within(by, kind.name) for by in config.evaluation.by for kind in headline_kinds()]
    fixed = [*names_of(), *groups]
    # Without a run there is no model, so scores of the model do not exist.
    fixed += names_of("model") if isinstance(config, Config) else ()
    fixed += [representation_name(by) for by in config.evaluation.by]
    fixed += names_of("trial") if config.table_schema.randomised is not None else ()
    fixed += names_of("visits") if config.table_schema.visit_time is not None else ()
    # Rules between visits are never judged on single rows of the model.
    of_rows = any(not rule.visit_functions for rule in config.table_schema.imposed)
    fixed += names_of("model", "rules") if of_rows else ()
    if score in fixed:
        return
    if isinstance(config, Config) and score in names_of("shadow models"):
        if config.privacy.audit == "quick":
            raise ConfigError(where, f"{score!r} takes shadow models", "Set `privacy.audit: standard`.")
        return
    wanted = config.evaluation.utility or default_tasks(config.table_schema)
    tasks = [name for task in wanted for name in task.names]
    if isinstance(config, Config):
        tasks += [task.of_model for task in wanted if isinstance(task, PredictTask)]
    tasks += [treatment_name(task.name) for task in wanted if has_treatment(task, config.table_schema)]
    for task, by in product(wanted, config.evaluation.by):
        if isinstance(task, PredictTask):
            tasks += [outcome_name(by, measure, task.target) for measure in ("prevalence", "utility")]
        else:
            tasks += [within(by, name) for name in task.headlines]
    if score in tasks:
        return
    target = score.removeprefix("utility.")
    if target != score and target in config.table_schema.modelled:
        remedy = f"Add `{{task: predict, target: {target}}}` to `evaluation.utility`, or remove the gate."
        raise ConfigError(where, f"no task of this run computes {score!r}", remedy)
    raise ConfigError(where, f"no score is called {score!r}", hint(score, [*fixed, *tasks]))


def _check_cohort(cohort: Cohort, schema: Schema, where: str) -> None:
    if cohort.predicate is not None:
        predicate = cohort.predicate
        sampled = [name for name, column in schema.columns.items() if column.modelled or column.derive is not None]
        for name in sorted(predicate.columns - set(sampled)):
            what = f"{name!r} is not a column that can be used here"
            raise ConfigError(f"{where}.where", what, column_remedy(name, schema, sampled))
        check_visits(predicate, schema, f"{where}.where")
        check_levels(predicate, schema, f"{where}.where")
        try:
            # Evaluation on an empty table checks the types of a comparison.
            rows = pd.DataFrame({n: pd.Series(dtype=schema.columns[n].dtype) for n in predicate.columns})
            predicate.evaluate(rows, visits=NO_VISITS)
        except ConfigError as error:
            raise ConfigError(f"{where}.where", error.what, error.remedy) from None
    for name, shares in (cohort.mix or {}).items():
        check_columns([name], schema.modelled, f"{where}.mix")
        if name not in of_patients(schema):
            remedy = "Mix columns with `static: true`, or declare `visits: independent`."
            raise ConfigError(f"{where}.mix", f"{name!r} differs between the visits of a patient", remedy)
        levels = schema.columns[name].levels
        unknown = [level for level in shares if levels is not None and level not in levels]
        if unknown:
            what = f"{unknown[0]!r} is no level of this column"
            raise ConfigError(f"{where}.mix.{name}", what, f"There are: {', '.join(map(str, levels or ()))}.")


def check_columns(wanted: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse a name that is not among the known columns."""
    for name in wanted:
        if name not in known:
            raise ConfigError(where, f"{name!r} is not a column that can be used here", hint(name, known))


def hint(word: str, known: Iterable[str]) -> str:
    """Return a remedy that names the closest known word, or all of them."""
    words = [str(name) for name in known]
    close = difflib.get_close_matches(word, words, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"There are: {', '.join(words[:20])}."
