"""From a real table to synthetic tables and a report: read, check, split, fit, sample, score, report, write."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from synthclin import datasets, manifest
from synthclin.audit import audit, release_check
from synthclin.config import resolved_yaml
from synthclin.documents import dump_json
from synthclin.errors import ConditionError, DataError
from synthclin.evaluation.gates import DEFAULT_GATES
from synthclin.evaluation.names import MODEL_SCORES, SHADOW_SCORES
from synthclin.files import sha256, staged_folder, write_atomic
from synthclin.models import MODELS, Checkpoint
from synthclin.models.artifact import write
from synthclin.patients import patients
from synthclin.report import Report, evaluate
from synthclin.report.datacard import Shipped, croissant, data_card
from synthclin.report.parts import CohortFacts
from synthclin.seeds import stream_seed
from synthclin.tables import read_table, split, spreadsheet_warnings, write_table
from synthclin.validation import Finding, check, conform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from synthclin.conditions import Cohort
    from synthclin.config import Config
    from synthclin.models import Synthesizer
    from synthclin.models.sampling import CohortDraw
    from synthclin.schema import Schema

__all__ = ["Fitted", "Run", "dry_run", "fit", "run"]

SMALL_CELL = 11
"""Counts of real patients below this are not told: a plan leaves the hospital like any other output."""


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


class _Made(NamedTuple):
    """What a run drew and found, beside its files."""

    report: Report
    cohorts: tuple[CohortFacts, ...]
    repeated: dict[str, int]


def _silent(finding: Finding) -> None:
    """Tell nobody."""


def run(
    config: Config, *, overwrite: bool = False, resume: bool = False, tell: Callable[[Finding], None] = _silent
) -> Run:
    """Do everything that `config` asks for and write the run folder, whole or not at all.

    A long training keeps a checkpoint beside that folder, which is removed when the folder is in place.

    Arguments:
        config: what `synthclin.config.load` returned.
        overwrite: replace the folder of an earlier run.
        resume: go on from the checkpoint of a run that was interrupted.
        tell: is called with each finding about the real table or the checkpoint that does not stop the run.

    Returns:
        The run. Whether gates were missed stands in its report; the folder is written either way.

    Raises:
        DataError: the real table cannot be read or breaks its schema.
        OutputError: the folder cannot be written; known before training unless the disk fills up.
        ConditionError: a cohort has too few real patients behind it, or is out of the model's reach.
        ModelFormatError: the checkpoint is damaged or belongs to another training.
    """
    clock = manifest.Clock()
    train, holdout = _prepare(config, clock, tell)
    overwrite = overwrite or config.outputs.overwrite
    training, auditing = Checkpoint.beside(config.folder), Checkpoint.beside(config.folder, "audit")
    with (
        _resumable(training, "training", tell),
        _resumable(auditing, "audit", tell),
        staged_folder(config.folder, overwrite=overwrite) as folder,
    ):
        _settle(training, resume, tell)
        if auditing.stands and not resume:
            auditing.discard()
        fitted = _learn(config, train, holdout, clock, training)
        made = _fill(folder, config, fitted, auditing, tell)
        record = _record(folder, config, fitted, made)
        write_atomic(folder / manifest.FILE, dump_json(record.model_dump()))
    return Run(config.folder, made.report, record)


def fit(
    config: Config,
    output: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    tell: Callable[[Finding], None] = _silent,
) -> Fitted:
    """Read, check and split the real table and fit the model, as `run` does, and write the model folder `output`."""
    clock = manifest.Clock()
    train, holdout = _prepare(config, clock, tell)
    checkpoint = Checkpoint.beside(output)
    with _resumable(checkpoint, "training", tell), staged_folder(output, overwrite=overwrite) as folder:
        _settle(checkpoint, resume, tell)
        fitted = _learn(config, train, holdout, clock, checkpoint)
        write(fitted.model, folder)
    return fitted


def assist(config: Config) -> None:
    """Train the model of `config` beside the process that runs it, and write nothing (see `models.parallel`)."""
    clock = manifest.Clock()
    train, holdout = _prepare(config, clock, _silent)
    _learn(config, train, holdout, clock)


def dry_run(config: Config, *, tell: Callable[[Finding], None] = _silent) -> dict[str, Any]:
    """Return the plan of a run as plain data, without training and without writing.

    Counts of real patients behind a cohort are given as text, to the nearest 10, ``"< 11"`` where they are small: the
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
            if (count := _held_by(train, cohort.holds(train), schema)) >= SMALL_CELL
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
        if config.outputs.table == "csv" and config.outputs.csv_safe == "warn":
            for finding in spreadsheet_warnings(table, schema, "outputs.csv_safe: escape"):
                tell(finding)
    with clock.stage("split"):
        train, holdout = split(table, schema, config.data.holdout, config.seed)
    for cohort in config.sampling.cohorts:
        _check_support(cohort, train, config, tell)
    return train, holdout


def _check_support(cohort: Cohort, train: pd.DataFrame, config: Config, tell: Callable[[Finding], None]) -> None:
    """Refuse a cohort that too few patients stand behind, or tell of it where the configuration lets it pass."""
    where, least = f"cohort {cohort.name!r}", config.sampling.least_patients
    held = _held_by(train, cohort.holds(train), config.table_schema)
    if held < least:
        what = f"fewer than {least} patients to learn from satisfy its condition, so its rows would be made up"
        remedy = "Widen `where`; `sampling.least_patients: 0` draws it all the same."
        raise ConditionError(where, what, remedy)
    if held < SMALL_CELL:
        what = f"fewer than {SMALL_CELL} patients to learn from satisfy its condition"
        tell(Finding(where, what, "Widen it if the model cannot draw it.", severity="warning"))


def _refuse_constants(table: pd.DataFrame, schema: Schema) -> None:
    """Refuse a column of one single value unless its declaration shows that this is meant."""
    for name in schema.modelled:
        column = schema.columns[name]
        declared = any(getattr(column, word, None) is not None for word in ("levels", "range"))
        if not declared and len(table[name].unique()) == 1:
            remedy = "Declare its `categories` or `range` to keep it, or `type: text` to leave it out."
            raise DataError(f"column {name!r}", "every value is the same", remedy)


@contextmanager
def _resumable(checkpoint: Checkpoint, kind: str, tell: Callable[[Finding], None]) -> Iterator[None]:
    """Keep a checkpoint where the block fails, and tell of it then."""
    try:
        with checkpoint:
            yield
    except BaseException:
        if checkpoint.stands:
            remedy = "--resume goes on from it; remove it otherwise, because it derives from real rows."
            tell(Finding(str(checkpoint.folder), f"the {kind} so far is kept here", remedy, severity="warning"))
        raise


def _settle(checkpoint: Checkpoint, resume: bool, tell: Callable[[Finding], None]) -> None:
    """Discard an old checkpoint unless the training shall go on from it."""
    if checkpoint.stands and not resume:
        checkpoint.discard()
        what, remedy = "the checkpoint of an interrupted training is discarded", "Next time, --resume goes on from it."
        tell(Finding(str(checkpoint.folder), what, remedy, severity="warning"))
    elif resume and not checkpoint.stands:
        what, remedy = "there is no checkpoint to go on from", "The training begins at its start."
        tell(Finding(str(checkpoint.folder), what, remedy, severity="warning"))


def _learn(
    config: Config,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    clock: manifest.Clock,
    checkpoint: Checkpoint | None = None,
) -> Fitted:
    family = MODELS[config.model.type]
    model = family(
        config.table_schema,
        random_state=config.seed,
        rare_category=config.protect.rare_category,
        trim_extremes=config.protect.trim_extremes,
        **config.model.parameters,
    )
    with clock.stage("fit"):
        model.fit(train, checkpoint=checkpoint)
    return Fitted(model, train, holdout, clock)


def _fill(folder: Path, config: Config, fitted: Fitted, auditing: Checkpoint, tell: Callable[[Finding], None]) -> _Made:
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
        cohorts, facts = {}, []
        for cohort in config.sampling.cohorts:
            seed = stream_seed(config.seed, "cohort", cohort.name)
            cohorts[cohort.name] = fitted.model.sample(cohort.rows, cohort.where, cohort.mix, random_state=seed)
            facts.append(_facts(cohort, fitted.model.draw_, fitted.train, schema))
    checked = {"synthetic": synthetic, **cohorts} if config.privacy.release_check else {}
    same = release_check(checked, fitted.train, schema, tell)
    with clock.stage("attack"):
        attacks = audit(
            fitted.model,
            synthetic,
            train=fitted.train,
            holdout=fitted.holdout,
            tier=config.privacy.audit,
            by=config.evaluation.by,
            random_state=config.seed,
            checkpoint=auditing,
            tell=tell,
        )
    with clock.stage("score"):
        report = evaluate(
            [synthetic, *others],
            train=fitted.train,
            holdout=fitted.holdout,
            schema=schema,
            tasks=config.evaluation.utility,
            by=config.evaluation.by,
            gates=config.gates,
            further=attacks,
            cohorts=facts,
            random_state=config.seed,
            provenance={"name": config.name, "seed": config.seed, "versions": manifest.versions()},
        )
    with clock.stage("report"):
        for name, edition in _editions(config):
            (report if edition == "internal" else report.shareable()).save(folder / name)
    with clock.stage("write"):
        suffix = config.outputs.table
        released = folder / f"synthetic.{suffix}"
        write_table(synthetic, released, schema, csv_safe=config.outputs.csv_safe)
        shipped = Shipped(released.name, sha256(released), len(synthetic))
        write_atomic(folder / "datacard.md", data_card(report, schema, shipped))
        write_atomic(folder / "croissant.json", dump_json(croissant(report, schema, shipped)))
        if cohorts:
            (folder / "cohorts").mkdir(mode=0o700)
        for name, table in cohorts.items():
            path = folder / "cohorts" / f"{name}.{suffix}"
            write_table(table, path, schema, csv_safe=config.outputs.csv_safe)
        write_atomic(folder / "config.yaml", resolved_yaml(config))
        lines = (json.dumps(line, sort_keys=True) for line in fitted.model.training_.get("history", ()))
        write_atomic(folder / "metrics.jsonl", "".join(f"{line}\n" for line in lines))
        fitted.model.save(folder / "model")
    return _Made(report, tuple(facts), same)


def _editions(config: Config) -> list[tuple[str, str]]:
    """Return the files of the report, each with its edition."""
    stems = {"internal": "report", "shareable": "report-shareable"}
    return [
        (f"{stems[edition]}.{kind}", edition) for edition in config.outputs.editions for kind in config.outputs.report
    ]


def _facts(cohort: Cohort, draw: CohortDraw, train: pd.DataFrame, schema: Schema) -> CohortFacts:
    """Return how common a cohort is to the model and in the data, where enough patients stand behind the latter."""
    held = cohort.holds(train)
    within, without = (_held_by(train, rows, schema) for rows in (held, ~held))
    told = within >= SMALL_CELL and (without >= SMALL_CELL or not without)
    mix = {name: {str(level): part for level, part in shares.items()} for name, shares in (cohort.mix or {}).items()}
    return CohortFacts(
        name=cohort.name,
        rows=draw.rows,
        where=cohort.where,
        mix=mix or None,
        # The mean of weights may exceed 1 by a rounding error.
        model=min(draw.probability, 1.0),
        data=float(held.mean()) if told else None,
        patients=within if told else None,
        effective=draw.effective,
        drawn=draw.drawn,
    )


def _held_by(train: pd.DataFrame, rows: pd.Series[bool], schema: Schema) -> int:
    """Return how many patients some rows are of."""
    return len(np.unique(patients(train, schema)[rows.to_numpy()]))


def _record(folder: Path, config: Config, fitted: Fitted, made: _Made) -> manifest.Manifest:
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
        cohorts=made.cohorts,
        attacks=tuple(
            manifest.ModelAttack.of(score)
            for score in made.report.scores
            if score.name in {*MODEL_SCORES, *SHADOW_SCORES}
        ),
        repeated=made.repeated,
        files=manifest.hashes(folder),
    )


def _outputs(config: Config) -> list[str]:
    table = config.outputs.table
    cohorts = [f"cohorts/{cohort.name}.{table}" for cohort in config.sampling.cohorts]
    reports = [name for name, _ in _editions(config)]
    cards = ["datacard.md", "croissant.json"]
    return [f"synthetic.{table}", *cohorts, *reports, *cards, "config.yaml", manifest.FILE, "metrics.jsonl", "model/"]
