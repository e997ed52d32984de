"""End-to-end run of a study: prepare data, fit, sample, audit, score, report, write the run folder."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthclin import log
from synthclin.errors import ConfigError, OutputError
from synthclin.evaluation.catalogue import kind_of, names_of
from synthclin.evaluation.privacy.details import MembershipDetails
from synthclin.io.documents import dump_json
from synthclin.io.files import path_of, staged_folder, write_atomic
from synthclin.models import MODELS, Checkpoint
from synthclin.models.artifact import write
from synthclin.models.private_training import refuse_spent
from synthclin.models.shards import ShardCheckpoint, known_identity
from synthclin.parallel import engine
from synthclin.report import Report
from synthclin.rules.validation import Finding
from synthclin.study import manifest, stages
from synthclin.study.audit import release_check
from synthclin.study.config import Config, load
from synthclin.study.data import Real, prepare
from synthclin.study.few_events import few_events_findings
from synthclin.study.finished import differences, read_finished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from synthclin.models import Synthesizer

__all__ = ["Fitted", "Run", "fit", "run"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Fitted model, typed real tables, and the seconds of each stage so far."""

    model: Synthesizer
    real: Real
    clock: manifest.Clock


@dataclass(frozen=True, slots=True)
class Run:
    """Finished run: its folder, report and manifest, and whether it was run now or was complete before."""

    folder: Path
    report: Report
    manifest: manifest.Manifest
    ran: bool = True


def _silent(finding: Finding) -> None:
    """Ignore a finding."""


def run(
    config: Config | str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    resume: bool = False,
    on_finding: Callable[[Finding], None] = _silent,
) -> Run:
    """Run a study end to end and write the run folder atomically.

    A long training keeps a checkpoint beside that folder, which is removed when the folder is in place.

    Arguments:
        config: a YAML study, its content as a mapping, or what `synthclin.study.config.load` returned.
        overrides: ``KEY=VALUE`` texts, as for `load`.
        overwrite: replace the folder of an earlier run and the checkpoint of an interrupted one.
        resume: continue from the checkpoint of an interrupted run, if there is one. A folder that is complete, that is
            unaltered and of the same study, table and versions of packages, is returned as it is.
        on_finding: is called with each finding about the real table or the checkpoint that does not stop the run.

    Returns:
        The run. Its report holds the verdicts of the gates; the folder is written either way.

    Raises:
        DataError: the real table cannot be read or breaks its schema.
        OutputError: the folder cannot be written, or has a checkpoint and neither `resume` nor `overwrite` is set;
            known before training unless the disk fills up.
        ConditionError: a cohort has too few training patients, or the model cannot sample it.
        ModelFormatError: the checkpoint is damaged or belongs to another training.

    Example:
        >>> done = run("study.yaml", overrides=["model.effort=quick"])  # doctest: +SKIP
        >>> done.report.passed  # doctest: +SKIP
        True
    """
    if not isinstance(config, Config):
        config = load(config, overrides)
    elif overrides:
        raise ConfigError("overrides", "the configuration is loaded already", "Give them to `load`.")
    clock = manifest.Clock()
    training, auditing = Checkpoint.beside(config.folder), Checkpoint.beside(config.folder, "audit")
    sharding = ShardCheckpoint.beside(config.folder)
    overwrite = overwrite or config.outputs.overwrite
    checkpoints = (training, auditing, sharding)
    if resume and config.folder.exists() and _complete(config, overwrite=overwrite):
        for checkpoint in checkpoints:
            checkpoint.discard()  # of a process that was killed after its folder was in place
        return Run(config.folder, *read_finished(config.folder), ran=False)
    for checkpoint in checkpoints:
        _refuse_discarding(checkpoint, resume=resume, overwrite=overwrite)
    _refuse_spent(config, resumed=resume and training.exists)
    if resume:
        # Before a training of hours: shards of another request would be refused after it.
        sharding.check(known_identity(config.sampling.rows, config.sampling.shard_rows, config.seed))
    real = prepare(config, clock, on_finding)
    with (
        engine(None if config.engine == "local" else config.engine, config.evaluation.workers),
        _resumable(training, "training", on_finding),
        _resumable(auditing, "audit", on_finding),
        _resumable(sharding, "sample", on_finding),
        staged_folder(config.folder, overwrite=overwrite) as folder,
    ):
        _resume_or_discard(training, resume, on_finding)
        _continue_or_discard({"audit": auditing, "sample": sharding}, resume=resume)
        with clock.stage("fit"):
            model = stages.fit(config, real, training)
        for finding in stages.model_findings(config, model):
            on_finding(finding)
        with clock.stage("sample"):
            samples = stages.sample(config, model, real, folder, sharding)
        for finding in few_events_findings(samples.facts):
            on_finding(finding)
        with clock.stage("compare"):
            comparison = stages.compare(config, real, samples)
        repeated = release_check(stages.checked(config, samples), real.train, config.table_schema, on_finding)
        with clock.stage("audit"):
            attacks = stages.audit(config, model, comparison, auditing, on_finding)
        with clock.stage("score"):
            file = stages.release(config, folder, samples)
            report = stages.score(config, model, samples, comparison, attacks, file, real.source_rows)
        with clock.stage("report"):
            stages.report(config, folder, report)
        with clock.stage("write"):
            stages.write(config, folder, model, samples, report, file)
        record = manifest.Manifest(
            name=config.name,
            seed=config.seed,
            versions=manifest.versions(),
            device=str(model.training_.get("device", "cpu")),
            seconds=clock.seconds,
            rows=_rows(real, samples),
            cohorts=samples.facts,
            attacks=tuple(
                manifest.ModelAttack.of(score)
                for score in report.scores
                if score.name in {*names_of("model"), *names_of("shadow models")}
                if kind_of(score.name).details is MembershipDetails
            ),
            repeated=repeated,
            rules=samples.rules,
            source=real.source,
            files=manifest.hashes(folder),
        )
        write_atomic(folder / manifest.FILE, dump_json(record.model_dump()))
    return Run(config.folder, report, record)


def fit(
    config: Config,
    output: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    on_finding: Callable[[Finding], None] = _silent,
) -> Fitted:
    """Read, check and split the real table and fit the model, as `run` does, and write the model folder `output`."""
    if MODELS[config.model.type].keeps_rows:
        what = f"a model of the family {config.model.type!r} consists of its training rows and is never written"
        raise ConfigError("model.type", what, "Choose another family, such as `gan`.")
    clock = manifest.Clock()
    checkpoint = Checkpoint.beside(path_of(output))
    _refuse_discarding(checkpoint, resume=resume, overwrite=overwrite)
    _refuse_spent(config, resumed=resume and checkpoint.exists)
    real = prepare(config, clock, on_finding)
    with _resumable(checkpoint, "training", on_finding), staged_folder(output, overwrite=overwrite) as folder:
        _resume_or_discard(checkpoint, resume, on_finding)
        with clock.stage("fit"):
            model = stages.fit(config, real, checkpoint)
        for finding in stages.model_findings(config, model):
            on_finding(finding)
        write(model.parts(), folder)
    return Fitted(model, real, clock)


def assist(config: Config) -> None:
    """Train the model of `config` as a worker of data-parallel training and write nothing.

    See `synthclin.models.distributed`.
    """
    stages.fit(config, prepare(config, manifest.Clock(), _silent))


@contextmanager
def _resumable(checkpoint: Checkpoint, kind: str, on_finding: Callable[[Finding], None]) -> Iterator[None]:
    """Keep a checkpoint if the block fails, and report it as a finding."""
    try:
        with checkpoint:
            yield
    except BaseException:
        if checkpoint.exists:
            remedy = "Add --resume to continue, or --overwrite to begin anew; it derives from real rows."
            on_finding(Finding(str(checkpoint.folder), f"the {kind} so far is kept here", remedy, severity="warning"))
        raise


def _complete(config: Config, *, overwrite: bool) -> bool:
    """Return whether the folder of a study is complete; refuse another one unless it may be overwritten."""
    found = differences(config)
    if found and not overwrite:
        what = f"holds no complete run of this study: it differs in {', and in '.join(found)}"
        remedy = "Name another `outputs.folder`, or add --overwrite to run again."
        raise OutputError(str(config.folder), what, remedy)
    return not found


def _refuse_spent(config: Config, *, resumed: bool) -> None:
    """Refuse a fit beyond the ledger file before the table is read; a resumed one may have spent its budget already."""
    if config.protect.dp is not None and not resumed:
        refuse_spent(config.protect.dp)


def _refuse_discarding(checkpoint: Checkpoint, *, resume: bool, overwrite: bool) -> None:
    """Refuse to begin anew over a checkpoint, unless it may be overwritten."""
    if checkpoint.exists and not (resume or overwrite):
        what = "a checkpoint of an interrupted run is here"
        raise OutputError(str(checkpoint.folder), what, "Add --resume to continue it, or --overwrite to begin anew.")


def _continue_or_discard(checkpoints: Mapping[str, Checkpoint], *, resume: bool) -> None:
    """Say which parts of an interrupted run continue, or discard them."""
    for kind, checkpoint in checkpoints.items():
        if checkpoint.exists and not resume:
            checkpoint.discard()
        elif checkpoint.exists:
            log.emit(log.Note(f"the {kind} continues from its checkpoint"))


def _resume_or_discard(checkpoint: Checkpoint, resume: bool, on_finding: Callable[[Finding], None]) -> None:
    """Discard an old checkpoint unless the training is resumed from it."""
    if checkpoint.exists and not resume:
        checkpoint.discard()
        what, remedy = "the checkpoint of an interrupted training is discarded", "The training starts anew."
        on_finding(Finding(str(checkpoint.folder), what, remedy, severity="warning"))
    elif resume:
        continues = "continues from its checkpoint" if checkpoint.exists else "starts, without a checkpoint"
        log.emit(log.Note(f"the training {continues}"))


def _rows(real: Real, samples: stages.Samples) -> dict[str, int]:
    """Return the rows of every table of a run."""
    rows = {"train": len(real.train), "holdout": len(real.holdout), "synthetic": samples.rows}
    rows |= {} if real.source_rows is None else {"source": real.source_rows}
    return rows | {f"cohorts/{name}": len(table) for name, table in samples.cohorts.items()}
