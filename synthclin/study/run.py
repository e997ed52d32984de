"""From a real table to synthetic tables and a report: read, check, split, fit, sample, score, report, write."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from synthclin.evaluation.score_names import MODEL_SCORES, SHADOW_SCORES
from synthclin.io.documents import dump_json
from synthclin.io.files import sha256, staged_folder, write_atomic
from synthclin.models import MODELS, Checkpoint
from synthclin.models.artifact import write
from synthclin.report import Report, evaluate
from synthclin.report.datacard import TableFile, croissant, data_card
from synthclin.report.record.section_data import CohortFacts, RuleFacts
from synthclin.rules.validation import Finding
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.seeds import stream_seed
from synthclin.study import manifest
from synthclin.study.audit import audit, release_check
from synthclin.study.config import resolved_yaml
from synthclin.study.data import Real, patients_in, prepare
from synthclin.study.plan import editions
from synthclin.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from synthclin.models import Synthesizer
    from synthclin.sampling.cohorts import Cohort
    from synthclin.sampling.sampler import SampleFacts
    from synthclin.schema import Schema
    from synthclin.study.config import Config

__all__ = ["Fitted", "Run", "fit", "run"]

RAW_ROWS = 2_000
"""Rows drawn without imposing any rule, to see how often the model alone would break each."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, the typed real tables beside it, and how long each stage took.

    Arguments:
        model: fitted on `train`.
        train: the rows it learnt from.
        holdout: the rows it never saw.
        dropped: how many real rows each rule left out of both.
        clock: seconds per stage so far.
    """

    model: Synthesizer
    train: pd.DataFrame
    holdout: pd.DataFrame
    dropped: dict[str, int]
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
    rules: RuleFacts
    repeated: dict[str, int]


def _silent(finding: Finding) -> None:
    """Tell nobody."""


def run(
    config: Config, *, overwrite: bool = False, resume: bool = False, tell: Callable[[Finding], None] = _silent
) -> Run:
    """Do everything that `config` asks for and write the run folder, whole or not at all.

    A long training keeps a checkpoint beside that folder, which is removed when the folder is in place.

    Arguments:
        config: what `synthclin.study.config.load` returned.
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
    real = prepare(config, clock, tell)
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
        fitted = _learn(config, real, clock, training)
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
    real = prepare(config, clock, tell)
    checkpoint = Checkpoint.beside(output)
    with _resumable(checkpoint, "training", tell), staged_folder(output, overwrite=overwrite) as folder:
        _settle(checkpoint, resume, tell)
        fitted = _learn(config, real, clock, checkpoint)
        write(fitted.model.parts(), folder)
    return fitted


def assist(config: Config) -> None:
    """Train the model of `config` beside the process that runs it, and write nothing (see `models.parallel`)."""
    clock = manifest.Clock()
    _learn(config, prepare(config, clock, _silent), clock)


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


def _learn(config: Config, real: Real, clock: manifest.Clock, checkpoint: Checkpoint | None = None) -> Fitted:
    family = MODELS[config.model.type]
    model = family(
        config.table_schema,
        random_state=config.seed,
        rare_category=config.protect.rare_category,
        trim_extremes=config.protect.trim_extremes,
        **config.model.parameters,
    )
    with clock.stage("fit"):
        model.fit(real.train, checkpoint=checkpoint)
    return Fitted(model, *real, clock)


def _fill(folder: Path, config: Config, fitted: Fitted, auditing: Checkpoint, tell: Callable[[Finding], None]) -> _Made:
    """Draw, score and write all files of a run but the manifest."""
    schema, clock = config.table_schema, fitted.clock
    with clock.stage("sample"):
        rows = config.sampling.rows or len(fitted.train)
        synthetic = fitted.model.sample(rows, random_state=config.seed)
        # Drawn for the scores alone and not kept: what one table shows by chance, five do not.
        others = [
            fitted.model.sample(rows, random_state=stream_seed(config.seed, "draw", number))
            for number in range(1, config.evaluation.replicates)
        ]
        cohorts, facts = {}, []
        for cohort in config.sampling.cohorts:
            seed = stream_seed(config.seed, "cohort", cohort.name)
            cohorts[cohort.name] = fitted.model.sample(cohort.rows, cohort.where, cohort.mix, random_state=seed)
            facts.append(_facts(cohort, fitted.model.sample_facts_, fitted.train, schema))
        raw = fitted.model.raw_violations(RAW_ROWS, random_state=config.seed)
        rules = RuleFacts(dropped=fitted.dropped, raw=raw, raw_rows=RAW_ROWS)
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
            rules=rules,
            random_state=config.seed,
            provenance={"name": config.name, "seed": config.seed, "versions": manifest.versions()},
        )
    with clock.stage("report"):
        for name, edition in editions(config):
            (report if edition == "internal" else report.shareable()).save(folder / name)
    with clock.stage("write"):
        suffix = config.outputs.table
        released = folder / f"synthetic.{suffix}"
        write_table(synthetic, released, schema, csv_safe=config.outputs.csv_safe)
        shipped = TableFile(released.name, sha256(released), len(synthetic))
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
    return _Made(report, tuple(facts), rules, same)


def _facts(cohort: Cohort, draw: SampleFacts, train: pd.DataFrame, schema: Schema) -> CohortFacts:
    """Return how common a cohort is to the model and in the data, where enough patients stand behind the latter."""
    held = cohort.holds(train)
    within, without = (patients_in(train, rows, schema) for rows in (held, ~held))
    told = within >= MIN_PATIENTS and (without >= MIN_PATIENTS or not without)
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
        rules=made.rules,
        files=manifest.hashes(folder),
    )
