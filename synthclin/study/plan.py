"""Dry run: the plan of a run, without training and without writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthclin.encoding import TableEncoder
from synthclin.evaluation.catalogue import KINDS
from synthclin.evaluation.gates import DEFAULT_GATES
from synthclin.evaluation.kind import RelativeLimit
from synthclin.evaluation.score_names import treatment_name
from synthclin.evaluation.task_checks import has_treatment
from synthclin.evaluation.tasks import PredictTask
from synthclin.models.private_training import refuse_spent
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.study import manifest
from synthclin.study.adam import adam_files
from synthclin.study.config.outputs import plan_of
from synthclin.study.data import patients_in, prepare, wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthclin.evaluation.tasks import Analysis
    from synthclin.rules.validation import Finding
    from synthclin.schema import Schema
    from synthclin.study.config import Config

__all__ = ["dry_run", "editions"]


def dry_run(config: Config, *, on_finding: Callable[[Finding], None] = lambda _: None) -> dict[str, Any]:
    """Return the plan of a run as plain data, without training and without writing.

    Counts of real patients behind a cohort are given as text, to the nearest 10, ``"< 11"`` where they are small: the
    difference of two plans must not disclose one patient.
    """
    # Imported where it is needed: it loads the learners.
    from synthclin.evaluation.utility.predictions import default_tasks  # noqa: PLC0415

    if config.protect.dp is not None:
        refuse_spent(config.protect.dp)
    real = prepare(config, manifest.Clock(), on_finding)
    schema, train, holdout = config.table_schema, real.train, real.holdout
    if real.private is None:
        # The first step of training: it refuses columns that too few patients describe.
        TableEncoder.fit(
            train, schema, rare_category=config.protect.rare_category, trim_extremes=config.protect.trim_extremes
        )
    tasks = config.evaluation.utility or default_tasks(schema)
    cohorts = [
        {
            "name": cohort.name,
            "rows": cohort.rows,
            "where": cohort.where,
            "mix": cohort.mix,
            "support": f"{round(count, -1):,}"
            if (count := patients_in(train, cohort.holds(train, schema), schema)) >= MIN_PATIENTS
            else f"< {MIN_PATIENTS}",
        }
        for cohort in config.sampling.cohorts
    ]
    return {
        "name": config.name,
        "seed": config.seed,
        "stages": list(manifest.STAGES),
        "rows": {"train": len(train), "holdout": len(holdout), "synthetic": wanted(config, train)},
        "columns": [
            {
                "name": name,
                "type": column.type,
                "modelled": column.modelled,
                "missing": column.may_be_missing,
                "role": column.role,
            }
            for name, column in schema.columns.items()
        ],
        "constraints": [rule.text for rule in schema.constraints],
        "model": {"type": config.model.type, **config.model.parameters},
        "cohorts": cohorts,
        "analyses": [
            {"task": task.task, "columns": list(task.columns), "scores": _scores(task, schema)} for task in tasks
        ],
        "by": list(config.evaluation.by),
        "utility": [task.model_dump(mode="json") for task in config.evaluation.utility],
        "gates": _default_gates() if config.gates is None else list(config.gates),
        "outputs": {"folder": config.folder.as_posix(), "exists": config.folder.exists(), "files": _outputs(config)},
    }


def _default_gates() -> list[str]:
    """Return the default gates as text; those whose limits follow from the score first."""
    relative = [f"{kind.name}, {kind.limit.text}" for kind in KINDS if isinstance(kind.limit, RelativeLimit)]
    return [*relative, *(gate.text for gate in DEFAULT_GATES)]


def _scores(task: PredictTask | Analysis, schema: Schema) -> list[str]:
    """Return the names of the scores of a task."""
    of_model = [task.of_model] if isinstance(task, PredictTask) else []
    return [*task.names, *of_model, *([treatment_name(task.name)] if has_treatment(task, schema) else [])]


def editions(config: Config) -> list[tuple[str, str]]:
    """Return the files of the report, each with its edition."""
    stems = {"internal": "report", "shareable": "report-shareable"}
    return [
        (f"{stems[edition]}.{kind}", edition) for edition in config.outputs.editions for kind in config.outputs.report
    ]


def _outputs(config: Config) -> list[str]:
    table = config.outputs.table
    cohorts = [f"cohorts/{cohort.name}.{table}" for cohort in config.sampling.cohorts]
    reports = [name for name, _ in editions(config)]
    plan = plan_of(config)
    cards = ["datacard.md", "croissant.json", *([] if plan is None else adam_files(plan))]
    released = f"synthetic.{table}" if config.sampling.shard_rows is None else "synthetic/"
    return [released, *cohorts, *reports, *cards, "config.yaml", manifest.FILE, "metrics.jsonl", "model/"]
