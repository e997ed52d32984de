"""From a real table to synthetic tables and a report: read, check, split, fit, sample, score, report, write."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synthclin.evaluation.score_names import MODEL_SCORES, SHADOW_SCORES
from synthclin.io.documents import dump_json
from synthclin.io.files import staged_folder, write_atomic
from synthclin.models import Checkpoint
from synthclin.models.artifact import write
from synthclin.report import Report
from synthclin.rules.validation import Finding
from synthclin.study import manifest, stages
from synthclin.study.audit import release_check
from synthclin.study.data import Real, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synthclin.models import Synthesizer
    from synthclin.study.config import Config

__all__ = ["Fitted", "Run", "fit", "run"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model, the typed real tables, and the seconds of each stage so far."""

    model: Synthesizer
    real: Real
    clock: manifest.Clock


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: the folder that holds it, its report, and its manifest."""

    folder: Path
    report: Report
    manifest: manifest.Manifest


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
        _resume_or_discard(training, resume, tell)
        if auditing.stands and not resume:
            auditing.discard()
        with clock.stage("fit"):
            model = stages.fit(config, real, training)
        for finding in stages.new_identifiers(config, model):
            tell(finding)
        with clock.stage("sample"):
            samples = stages.sample(config, model, real)
        with clock.stage("compare"):
            comparison = stages.compare(config, real, samples)
        checked = {"synthetic": samples.released, **samples.cohorts} if config.privacy.release_check else {}
        repeated = release_check(checked, real.train, config.table_schema, tell)
        with clock.stage("audit"):
            attacks = stages.audit(config, model, comparison, auditing, tell)
        with clock.stage("score"):
            report = stages.score(config, samples, comparison, attacks)
        with clock.stage("report"):
            stages.report(config, folder, report)
        with clock.stage("write"):
            stages.write(config, folder, model, samples, report)
        record = manifest.Manifest(
            name=config.name,
            seed=config.seed,
            versions=manifest.versions(),
            device=str(model.training_.get("device", "cpu")),
            seconds=clock.seconds,
            rows=_rows(config, real),
            cohorts=samples.facts,
            attacks=tuple(
                manifest.ModelAttack.of(score)
                for score in report.scores
                if score.name in {*MODEL_SCORES, *SHADOW_SCORES}
            ),
            repeated=repeated,
            rules=samples.rules,
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
    tell: Callable[[Finding], None] = _silent,
) -> Fitted:
    """Read, check and split the real table and fit the model, as `run` does, and write the model folder `output`."""
    clock = manifest.Clock()
    real = prepare(config, clock, tell)
    checkpoint = Checkpoint.beside(output)
    with _resumable(checkpoint, "training", tell), staged_folder(output, overwrite=overwrite) as folder:
        _resume_or_discard(checkpoint, resume, tell)
        with clock.stage("fit"):
            model = stages.fit(config, real, checkpoint)
        for finding in stages.new_identifiers(config, model):
            tell(finding)
        write(model.parts(), folder)
    return Fitted(model, real, clock)


def assist(config: Config) -> None:
    """Train the model of `config` beside the process that runs it and write nothing.

    See `synthclin.models.distributed`.
    """
    stages.fit(config, prepare(config, manifest.Clock(), _silent))


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


def _resume_or_discard(checkpoint: Checkpoint, resume: bool, tell: Callable[[Finding], None]) -> None:
    """Discard an old checkpoint unless the training shall go on from it."""
    if checkpoint.stands and not resume:
        checkpoint.discard()
        what, remedy = "the checkpoint of an interrupted training is discarded", "Next time, --resume goes on from it."
        tell(Finding(str(checkpoint.folder), what, remedy, severity="warning"))
    elif resume and not checkpoint.stands:
        what, remedy = "there is no checkpoint to go on from", "The training begins at its start."
        tell(Finding(str(checkpoint.folder), what, remedy, severity="warning"))


def _rows(config: Config, real: Real) -> dict[str, int]:
    """Return the rows of every table of a run."""
    rows = {"train": len(real.train), "holdout": len(real.holdout)}
    rows["synthetic"] = config.sampling.rows or len(real.train)
    return rows | {f"cohorts/{cohort.name}": cohort.rows for cohort in config.sampling.cohorts}
