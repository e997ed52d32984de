"""From a real table to synthetic tables and a report: read, check, split, fit, sample, score, report, write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthclin import datasets, manifest
from synthclin.config import resolved_yaml
from synthclin.documents import dump_json
from synthclin.errors import DataError
from synthclin.evaluation.gates import DEFAULT_GATES
from synthclin.expressions import parse
from synthclin.files import staged_folder, write_atomic
from synthclin.models import MODELS
from synthclin.report import Report, evaluate
from synthclin.seeds import stream_seed
from synthclin.tables import read_table, split, write_table
from synthclin.validation import Finding, check, conform

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from synthclin.config import Config
    from synthclin.models import Synthesizer
    from synthclin.schema import Schema

__all__ = ["Fitted", "Run", "dry_run", "fit", "run"]

SMALL_CELL = 11
"""Counts of real rows below this are not told: a plan leaves the hospital like any other output."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, the typed real tables beside it, and how long each stage took.

    Arguments:
        model: fitted on `train`.
        train: the rows it learnt from.
        holdout: the rows it never saw.
        clock: seconds per stage so far.
    """

    model: Synthesizer
    train: pd.DataFrame
    holdout: pd.DataFrame
    clock: manifest.Clock


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: the folder that holds it, its report, and its manifest."""

    folder: Path
    report: Report
    manifest: manifest.Manifest


def _silent(finding: Finding) -> None:
    """Tell nobody."""


def run(config: Config, *, overwrite: bool = False, tell: Callable[[Finding], None] = _silent) -> Run:
    """Do everything that `config` asks for and write the run folder, whole or not at all.

    Arguments:
        config: what `synthclin.config.load` returned.
        overwrite: replace the folder of an earlier run.
        tell: is called with each finding about the real table that does not stop the run, before training starts.

    Returns:
        The run. Whether gates were missed stands in its report; the folder is written either way.

    Raises:
        DataError: the real table cannot be read or breaks its schema.
        OutputError: the folder cannot be written; known before training unless the disk fills up.
        ConditionError: a cohort is out of the model's reach.
    """
    clock = manifest.Clock()
    train, holdout = _prepare(config, clock, tell)
    with staged_folder(config.folder, overwrite=overwrite or config.outputs.overwrite) as folder:
        fitted = _learn(config, train, holdout, clock)
        report = _fill(folder, config, fitted)
        record = _record(folder, config, fitted)
        write_atomic(folder / manifest.FILE, dump_json(record.model_dump()))
    return Run(config.folder, report, record)


def fit(config: Config, *, tell: Callable[[Finding], None] = _silent) -> Fitted:
    """Read, check and split the real table and fit the model, as `run` does, and write nothing."""
    clock = manifest.Clock()
    train, holdout = _prepare(config, clock, tell)
    return _learn(config, train, holdout, clock)


def dry_run(config: Config, *, tell: Callable[[Finding], None] = _silent) -> dict[str, Any]:
    """Return the plan of a run as plain data, without training and without writing.

    Counts of real rows behind a cohort are given as text, to the nearest 10, ``"< 11"`` where they are small: the
    difference of two plans shall not tell of one patient.
    """
    train, holdout = _prepare(config, manifest.Clock(), tell)
    schema = config.table_schema
    cohorts = [
        {
            "name": cohort.name,
            "rows": cohort.rows,
            "where": cohort.where,
            "mix": cohort.mix,
            "support": f"{round(count, -1):,}"
            if (count := _count(train, cohort.where)) >= SMALL_CELL
            else f"< {SMALL_CELL}",
        }
        for cohort in config.sampling.cohorts
    ]
    return {
        "name": config.name,
        "seed": config.seed,
        "rows": {"train": len(train), "holdout": len(holdout), "synthetic": config.sampling.rows or len(train)},
        "columns": [
            {"name": name, "type": column.type, "modelled": column.modelled, "missing": column.may_be_missing}
            for name, column in schema.columns.items()
        ],
        "constraints": [rule.text for rule in schema.constraints],
        "model": {"type": config.model.type, **config.model.parameters},
        "cohorts": cohorts,
        "utility": [task.model_dump(mode="json") for task in config.evaluation.utility],
        "gates": [gate.text for gate in DEFAULT_GATES] if config.gates is None else list(config.gates),
        "outputs": {"folder": config.folder.as_posix(), "exists": config.folder.exists(), "files": _outputs(config)},
    }


def _prepare(
    config: Config, clock: manifest.Clock, tell: Callable[[Finding], None]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read, check and split the real table."""
    schema = config.table_schema
    with clock.stage("read"):
        name = config.data.dataset
        table = read_table(config.data.source, schema) if name is None else conform(datasets.load(name)[0], schema)
    with clock.stage("check"):
        _refuse_constants(table, schema)
        for finding in check(table, schema):
            tell(finding)
    with clock.stage("split"):
        train, holdout = split(table, schema, config.data.holdout, config.seed)
    for cohort in config.sampling.cohorts:
        if _count(train, cohort.where) < SMALL_CELL:
            what = f"fewer than {SMALL_CELL} rows to learn from satisfy its condition"
            remedy = "Widen it if the model cannot draw it."
            tell(Finding(f"cohort {cohort.name!r}", what, remedy, severity="warning"))
    return train, holdout


def _refuse_constants(table: pd.DataFrame, schema: Schema) -> None:
    """Refuse a column of one single value unless its declaration shows that this is meant."""
    for name in schema.modelled:
        column = schema.columns[name]
        declared = any(getattr(column, word, None) is not None for word in ("levels", "range"))
        if not declared and len(table[name].unique()) == 1:
            remedy = "Declare its `categories` or `range` to keep it, or `type: text` to leave it out."
            raise DataError(f"column {name!r}", "every value is the same", remedy)


def _learn(config: Config, train: pd.DataFrame, holdout: pd.DataFrame, clock: manifest.Clock) -> Fitted:
    family = MODELS[config.model.type]
    model = family(
        config.table_schema,
        random_state=config.seed,
        rare_category=config.protect.rare_category,
        trim_extremes=config.protect.trim_extremes,
        **config.model.parameters,
    )
    with clock.stage("fit"):
        model.fit(train)
    return Fitted(model, train, holdout, clock)


def _fill(folder: Path, config: Config, fitted: Fitted) -> Report:
    """Draw, score and write all files of a run but the manifest."""
    schema, clock = config.table_schema, fitted.clock
    with clock.stage("sample"):
        rows = config.sampling.rows or len(fitted.train)
        synthetic = fitted.model.sample(rows, random_state=config.seed)
        # Drawn for the scores alone and not kept: what one table shows by chance, five do not.
        others = [
            fitted.model.sample(rows, random_state=stream_seed(config.seed, "draw", number))
            for number in range(1, config.evaluation.draws)
        ]
        cohorts = {
            cohort.name: fitted.model.sample(
                cohort.rows,
                where=cohort.where,
                mix=cohort.mix,
                random_state=stream_seed(config.seed, "cohort", cohort.name),
            )
            for cohort in config.sampling.cohorts
        }
    with clock.stage("score"):
        report = evaluate(
            [synthetic, *others],
            train=fitted.train,
            holdout=fitted.holdout,
            schema=schema,
            tasks=config.evaluation.utility,
            by=config.evaluation.by,
            gates=config.gates,
            random_state=config.seed,
            provenance={"name": config.name, "seed": config.seed, "versions": manifest.versions()},
        )
    with clock.stage("report"):
        for kind in config.outputs.report:
            report.save(folder / f"report.{kind}")
    with clock.stage("write"):
        suffix = config.outputs.table
        write_table(synthetic, folder / f"synthetic.{suffix}", schema)
        if cohorts:
            (folder / "cohorts").mkdir(mode=0o700)
        for name, table in cohorts.items():
            write_table(table, folder / "cohorts" / f"{name}.{suffix}", schema)
        write_atomic(folder / "config.yaml", resolved_yaml(config))
        lines = (json.dumps(line, sort_keys=True) for line in fitted.model.training_.get("history", ()))
        write_atomic(folder / "metrics.jsonl", "".join(f"{line}\n" for line in lines))
        fitted.model.save(folder / "model")
    return report


def _record(folder: Path, config: Config, fitted: Fitted) -> manifest.Manifest:
    rows = {"train": len(fitted.train), "holdout": len(fitted.holdout)}
    rows["synthetic"] = config.sampling.rows or len(fitted.train)
    rows |= {f"cohorts/{cohort.name}": cohort.rows for cohort in config.sampling.cohorts}
    return manifest.Manifest(
        name=config.name,
        seed=config.seed,
        versions=manifest.versions(),
        device=str(fitted.model.training_.get("device", "cpu")),
        seconds=fitted.clock.seconds,
        rows=rows,
        files=manifest.hashes(folder),
    )


def _count(train: pd.DataFrame, where: str | None) -> int:
    """Return how many rows satisfy `where`."""
    return len(train) if where is None else int(parse(where).evaluate(train).fillna(False).sum())


def _outputs(config: Config) -> list[str]:
    table = config.outputs.table
    cohorts = [f"cohorts/{cohort.name}.{table}" for cohort in config.sampling.cohorts]
    reports = [f"report.{kind}" for kind in config.outputs.report]
    return [f"synthetic.{table}", *cohorts, *reports, "config.yaml", manifest.FILE, "metrics.jsonl", "model/"]
