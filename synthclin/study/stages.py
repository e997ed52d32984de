"""Pipeline stages of a run after data preparation: fit, sample, compare, audit, score, report, write.

Each stage is a function of the results of earlier stages. `synthclin.study.manifest.STAGES` lists their names.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from synthclin.errors import FewEventsWarning, NoisyTrainingWarning
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.disclosure import scored_patients
from synthclin.evaluation.tasks import PredictTask
from synthclin.evaluation.utility.model_classification import model_classification
from synthclin.evaluation.utility.predictions import default_tasks
from synthclin.io.documents import dump_json
from synthclin.io.files import private_folder, write_atomic
from synthclin.language import speaking
from synthclin.models import MODELS, AutoSynthesizer, Checkpoint
from synthclin.models.private_training import noise_remedy, noise_text
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.models.shards import ShardRequest, Shards, write_shards
from synthclin.report import Report
from synthclin.report.build import report_on
from synthclin.report.datacard import croissant, data_card
from synthclin.report.record.guarantee_data import GuaranteeFacts
from synthclin.report.record.release import TableFile
from synthclin.report.record.section_data import CohortFacts, FewEvents, RuleFacts
from synthclin.rules.validation import Finding
from synthclin.schema.columns import Id
from synthclin.schema.patients import MIN_PATIENTS, sampled_units
from synthclin.seeds import stream_seed
from synthclin.study import audit as auditing
from synthclin.study import manifest
from synthclin.study.adam import write_adam
from synthclin.study.config import resolved_yaml
from synthclin.study.config.outputs import plan_of
from synthclin.study.data import Real, patients_in, wanted
from synthclin.study.few_events import few_events
from synthclin.study.mechanism_audit import audit_mechanism
from synthclin.study.plan import editions
from synthclin.tables import read_table, write_table
from synthclin.tables.parquet_folder import parquet_files
from synthclin.tables.shard_index import first_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synthclin.evaluation import Score
    from synthclin.models import Synthesizer
    from synthclin.sampling.cohorts import Cohort
    from synthclin.sampling.sample_facts import SampleFacts
    from synthclin.schema import Schema
    from synthclin.study.config import Config

__all__ = [
    "SHARDED",
    "Samples",
    "audit",
    "checked",
    "compare",
    "fit",
    "model_findings",
    "release",
    "report",
    "sample",
    "score",
    "write",
]

SHARDED = "synthetic"
"""The folder of a synthetic table in shards, inside the run folder."""

UNCONSTRAINED_ROWS = 2_000
"""Rows sampled without constraint mask, to estimate the violation rate of each rule."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Synthetic tables of a run: released table, replicates and cohorts.

    Arguments:
        released: the synthetic table that is written, or the part of a table in shards that is scored.
        replicates: further synthetic tables of the same size, for the scores alone.
        cohorts: the table of each cohort, by its name.
        facts: about each cohort.
        rules: number of real rows that each rule left out, and its violation rate without constraint mask.
        shards: the released table where it is in shards.
    """

    released: pd.DataFrame
    replicates: tuple[pd.DataFrame, ...]
    cohorts: dict[str, pd.DataFrame]
    facts: tuple[CohortFacts, ...]
    rules: RuleFacts
    shards: Shards | None = None

    @property
    def rows(self) -> int:
        """Number of rows of the released table."""
        return len(self.released) if self.shards is None else self.shards.rows


def fit(config: Config, real: Real, checkpoint: Checkpoint | None = None) -> Synthesizer:
    """Return the model of a study, fitted on its training rows, which are typed and checked already."""
    parameters = config.model.parameters
    if config.model.type == AutoSynthesizer.family and parameters.get("targets") is None:
        # Of every task the first column is what it predicts or explains.
        tasks = config.evaluation.utility or default_tasks(config.table_schema)
        parameters["targets"] = tuple(dict.fromkeys(task.columns[0] for task in tasks))
    if config.protect.dp is not None:
        parameters["dp"] = config.protect.dp.model_dump(exclude_none=True)
    model = MODELS[config.model.type](
        config.table_schema,
        random_state=config.seed,
        rare_category=config.protect.rare_category,
        trim_extremes=config.protect.trim_extremes,
        **parameters,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoisyTrainingWarning)  # `model_findings` reports it
        return model.fit(real.train if real.private is None else real.private, checkpoint=checkpoint, checked=True)


def sample(config: Config, model: Synthesizer, real: Real, folder: Path, finished: Checkpoint) -> Samples:
    """Return the synthetic table, its replicates and the cohorts, whose identifiers follow those of the table.

    A table in shards is written into the run folder; `finished` keeps its shards until the run is complete.
    """
    # The number of training rows is private where the model is: the declared or noisy one takes its place.
    private = None if model.privacy_ is None else model.privacy_.patients
    rows = private if private is not None and config.sampling.rows is None else wanted(config, real.train)
    shards: Shards | None = None
    scored = rows
    if config.sampling.shard_rows is None:
        released = model.sample(rows, random_state=config.seed)
    else:
        trained = sampled_units(real.train, config.table_schema)
        scored = min(rows, scored_patients(trained) if private is None else private)
        shards = _shards(config, model, rows, folder, finished)
        released = first_rows(shards.folder, scored, config.table_schema)
    # Sampled for the scores alone and not kept: the mean over replicates has less sampling variance.
    replicates = tuple(
        model.sample(scored, random_state=stream_seed(config.seed, "draw", number))
        for number in range(1, config.evaluation.replicates)
    )
    cohorts, facts, taken = {}, [], rows
    for cohort in config.sampling.cohorts:
        seed = stream_seed(config.seed, "cohort", cohort.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FewEventsWarning)  # `few_events` counts the patients
            cohorts[cohort.name] = model.sample(cohort.rows, cohort.where, cohort.mix, seed, model.first_id + taken)
        taken += cohort.rows
        few = few_events(cohort, real.train, config.table_schema, model.training_.get("confirmed", ()))
        facts.append(cohort_facts(cohort, model.sample_facts_, real.train, config.table_schema, few))
    unconstrained = model.raw_violations(UNCONSTRAINED_ROWS, random_state=config.seed)
    return Samples(
        released,
        replicates,
        cohorts,
        tuple(facts),
        RuleFacts(excluded_rows=real.excluded_rows, unconstrained=unconstrained, unconstrained_rows=UNCONSTRAINED_ROWS),
        shards,
    )


def _shards(config: Config, model: Synthesizer, rows: int, folder: Path, finished: Checkpoint) -> Shards:
    """Write the synthetic table in shards into the run folder."""
    assert config.sampling.shard_rows is not None
    request = ShardRequest(model, rows, config.sampling.shard_rows, random_state=config.seed)
    place = folder / SHARDED
    private_folder(place)
    return write_shards(request, place, finished, config.evaluation.workers)


def checked(config: Config, samples: Samples) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the tables that the release check counts copies in, by name; a table in shards comes shard by shard."""
    if not config.privacy.release_check:
        return
    if samples.shards is None:
        yield "synthetic", samples.released
    else:
        for path in parquet_files(samples.shards.folder):
            yield "synthetic", read_table(path, config.table_schema)
    yield from samples.cohorts.items()


def model_findings(config: Config, model: Synthesizer) -> Iterator[Finding]:
    """Yield warnings about a fitted model.

    One is of a model that consists of its training rows, one of noise that leaves little of a table; the others are of
    columns whose identifiers start later than declared, to be none of the training rows'.
    """
    if model.privacy_ is not None and (found := model.privacy_.verdict).word == "warn":
        yield Finding("protect.dp", noise_text(found), noise_remedy(found), severity="warning")
    if model.keeps_rows:
        what = f"{model.family!r} samples training rows: its table is a reference for comparisons, not for release"
        yield Finding("model.type", what, "No model folder is written. Choose `gan` for release.", severity="warning")
    for name, column in model.encoder_.schema.columns.items():
        if isinstance(column, Id) and column != config.table_schema.columns[name]:
            what = f"synthetic identifiers start at number {column.start:,}: lower ones may be those of training rows"
            yield Finding(f"column {name!r}", what, "To tell them apart at sight, change `format`.", severity="warning")


def cohort_facts(
    cohort: Cohort, sampled: SampleFacts, train: pd.DataFrame, schema: Schema, few: FewEvents | None = None
) -> CohortFacts:
    """Return a cohort's probability in the model and, if enough patients support it, its share of training rows."""
    inside = cohort.holds(train, schema)
    within, without = (patients_in(train, rows, schema) for rows in (inside, ~inside))
    # Of patients where these have visits: a patient is in the cohort with all rows.
    share = within / max(within + without, 1) if schema.visit_time is not None else float(inside.mean())
    shown = within >= MIN_PATIENTS and (without >= MIN_PATIENTS or not without)
    mix = {name: {str(level): part for level, part in shares.items()} for name, shares in (cohort.mix or {}).items()}
    return CohortFacts(
        name=cohort.name,
        rows=sampled.rows,
        where=cohort.where,
        mix=mix or None,
        probability_model=sampled.probability,
        share_train=share if shown else None,
        patients=within if shown else None,
        effective_sample_size=sampled.effective,
        proposed=sampled.proposed,
        few=few,
    )


def compare(config: Config, real: Real, samples: Samples) -> Comparison:
    """Return the comparison of real and synthetic tables, which the audit and all scores share."""
    return Comparison.of(
        [samples.released, *samples.replicates],
        train=real.train,
        holdout=real.holdout,
        schema=config.table_schema,
        random_state=config.seed,
    )


def audit(
    config: Config,
    model: Synthesizer,
    comparison: Comparison,
    checkpoint: Checkpoint,
    on_finding: Callable[[Finding], None],
) -> tuple[Score, ...]:
    """Return the scores of attacks on the model."""
    with speaking(config.evaluation.language):
        return auditing.audit_model(
            model,
            comparison,
            tier=config.privacy.audit,
            by=config.evaluation.by,
            workers=config.evaluation.workers,
            checkpoint=checkpoint,
            on_finding=on_finding,
        )


def release(config: Config, folder: Path, samples: Samples) -> TableFile:
    """Write the released table and return the record of its file, which binds the report to it."""
    if samples.shards is not None:
        return TableFile.of(samples.shards.folder, samples.shards.rows)
    path = folder / f"synthetic.{config.outputs.table}"
    write_table(samples.released, path, config.table_schema, csv_safe=config.outputs.csv_safe)
    return TableFile.of(path, len(samples.released))


def score(
    config: Config,
    model: Synthesizer,
    samples: Samples,
    comparison: Comparison,
    attacks: Sequence[Score],
    file: TableFile | None = None,
    source_rows: int | None = None,
) -> Report:
    """Return the report on a file: every score, and the verdicts of the gates.

    `source_rows` is the number of rows of the source where a sample of them is used.
    """
    with speaking(config.evaluation.language):
        return report_on(
            comparison,
            tasks=config.evaluation.utility,
            by=config.evaluation.by,
            gates=config.gates,
            further=(*attacks, *_classifications(config, model, comparison)),
            cohorts=samples.facts,
            rules=samples.rules,
            support=model.training_,
            workers=config.evaluation.workers,
            provenance={
                "name": config.name,
                "seed": config.seed,
                "model": _family(model),
                "versions": manifest.versions(),
                **({} if source_rows is None else {"source_rows": source_rows}),
            },
            release=config.release,
            file=file,
            guarantee=_guarantee(model),
        )


def _guarantee(model: Synthesizer) -> GuaranteeFacts | None:
    """Return the guarantee of a model with differential privacy, and the audit of its mechanism."""
    if (record := model.privacy_) is None:
        return None
    audits = audit_mechanism(record.guarantee, quick=record.mechanism == "mst")
    return GuaranteeFacts.model_validate(record.summary()).model_copy(update={"audits": list(audits)})


def _family(model: Synthesizer) -> str:
    """Return the name of the model family, and of the family that `auto` chose."""
    chosen = model.training_.get("selection", {}).get("chosen")
    return model.family if chosen is None else f"{model.family}: {chosen}"


def _classifications(config: Config, model: Synthesizer, comparison: Comparison) -> Iterator[Score]:
    """Yield the score of the model as a classifier for each prediction task."""
    has_classes = isinstance(model, SequentialSynthesizer) and model.longitudinal_ is None
    for task in config.evaluation.utility or default_tasks(config.table_schema):
        if isinstance(task, PredictTask):
            yield model_classification(comparison, task, model.predict_proba if has_classes else None)


def report(config: Config, folder: Path, found: Report) -> None:
    """Write every configured edition of the report."""
    for name, edition in editions(config):
        (found if edition == "internal" else found.shareable()).save(folder / name)


def write(
    config: Config, folder: Path, model: Synthesizer, samples: Samples, found: Report, shipped: TableFile
) -> None:
    """Write the metadata of the released table, the cohorts, the configuration, the training history and the model."""
    schema, suffix = config.table_schema, config.outputs.table
    if not model.keeps_rows:  # a reference is no data set to hand on
        write_atomic(folder / "datacard.md", data_card(found, schema, shipped))
        write_atomic(folder / "croissant.json", dump_json(croissant(found, schema, shipped)))
        if (plan := plan_of(config)) is not None:
            write_adam(samples.released, schema, plan, folder)
    if samples.cohorts:
        (folder / "cohorts").mkdir(mode=0o700)
    for name, table in samples.cohorts.items():
        write_table(table, folder / "cohorts" / f"{name}.{suffix}", schema, csv_safe=config.outputs.csv_safe)
    write_atomic(folder / "config.yaml", resolved_yaml(config))
    lines = (json.dumps(line, sort_keys=True) for line in model.training_.get("history", ()))
    write_atomic(folder / "metrics.jsonl", "".join(f"{line}\n" for line in lines))
    if not model.keeps_rows:
        model.save(folder / "model")
