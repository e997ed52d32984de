"""Data model of the configuration: the blocks of a run's YAML file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from synthclin.dp.parameters import DifferentialPrivacy
from synthclin.evaluation.score_names import Tier
from synthclin.evaluation.tasks import Task
from synthclin.io.files import path_of
from synthclin.language import Language
from synthclin.models.shards import SHARD_ROWS
from synthclin.models.synthesizer import MOST_ROWS
from synthclin.parallel import EngineName
from synthclin.report.record.release import UNDECLARED, Release
from synthclin.sampling.cohorts import Cohort
from synthclin.schema import Schema
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.study.config.adam import Adam
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.spreadsheet_formulas import CsvSafe

__all__ = [
    "DATASET",
    "NAME",
    "Config",
    "ConfigBlock",
    "Data",
    "EvaluationBlock",
    "Judging",
    "Model",
    "Name",
    "Outputs",
    "Privacy",
    "Protect",
    "Sampling",
]

DATASET = "dataset:"

NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
"""Names of studies, which are names of folders too."""


def _refuse_other_signs(name: object) -> object:
    if isinstance(name, str) and not re.fullmatch(NAME, name):
        raise ValueError("has other signs than small letters, digits, - and _. Write it like ward-2.")
    return name


Name = Annotated[str, StringConstraints(pattern=NAME), BeforeValidator(_refuse_other_signs)]


class ConfigBlock(BaseModel):
    """Immutable configuration block; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Data(ConfigBlock, FileNotation):
    """Source of the real rows and size of the holdout.

    `source` is a table file, relative to the folder of the study, ``dataset:`` and the name of a table that ships
    with the package, or a database, of which `query` (SQL, or the name of a file of it) or `table` is read. `holdout`
    is the share of holdout rows. `entity` is short for ``role: entity`` of that column in the schema: its values
    identify patients, whose rows are all in the same part of the split and who are counted once. `sample` is how many
    patients are read, at random, of a table that is too large for memory: see `synthclin.tables.read_sample`.
    The other keys are those of `synthclin.tables.file_notation.FileNotation`.
    """

    source: Annotated[str, Field(min_length=1)]
    query: Annotated[str, Field(min_length=1)] | None = None
    table: Annotated[str, Field(min_length=1)] | None = None
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.2
    entity: str | None = None
    sample: Annotated[int, Field(ge=2)] | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """Keyword arguments of `synthclin.read_table` besides source and schema."""
        keys = (*self.declared, *(key for key in ("query", "table") if getattr(self, key) is not None))
        return {key: getattr(self, key) for key in keys}

    @property
    def dataset(self) -> str | None:
        """The name of a shipped table, or None for a file."""
        return self.source.removeprefix(DATASET) if self.source.startswith(DATASET) else None


class Protect(ConfigBlock):
    """Disclosure limits of the model: levels and extremes of fewer patients never enter it.

    `dp` is the guarantee of a training with differential privacy, for the family `gan`: see
    `synthclin.dp.parameters.DifferentialPrivacy`. The two limits do not apply then.
    """

    rare_category: Annotated[int, Field(ge=1)] = MIN_PATIENTS
    trim_extremes: Annotated[int, Field(ge=1)] = MIN_PATIENTS
    dp: DifferentialPrivacy | None = None


class Model(ConfigBlock):
    """Model family and hyper-parameters: `type` is a key of `synthclin.models.MODELS`, the rest goes to its class."""

    model_config = ConfigDict(extra="allow")

    type: str = "gan"

    @property
    def parameters(self) -> dict[str, Any]:
        """Keyword arguments for the class, besides the schema, the seed and the limits of `protect`."""
        return dict(self.model_extra or {})


class Sampling(ConfigBlock):
    """Number of rows of the synthetic table (that of the training rows, if None), and the cohorts to sample.

    With `shard_rows` the table is a folder of Parquet files of so many rows each (or patients with visits), sampled in
    bounded memory and resumed file by file; its first rows are scored, about as many as there are training rows.
    A cohort whose condition fewer than `least_patients` training patients satisfy is refused before training, because
    the model would extrapolate. 0 samples every cohort all the same, with a warning for fewer than 11 patients.
    """

    rows: Annotated[int, Field(ge=1)] | None = None
    shard_rows: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = None
    cohorts: Annotated[tuple[Cohort, ...], Field(strict=False)] = ()
    least_patients: Annotated[int, Field(ge=0)] = MIN_PATIENTS

    @model_validator(mode="after")
    def _rows_fit_into_memory(self) -> Self:
        if self.rows is not None and self.rows > MOST_ROWS and self.shard_rows is None:
            remedy = f"Set `shard_rows: {SHARD_ROWS}` too."
            raise ValueError(f"rows: more than {MOST_ROWS:,} are not held in memory. {remedy}")
        return self


class EvaluationBlock(ConfigBlock):
    """Utility tasks, synthetic replicates and subgroups of the evaluation.

    `replicates` is how many synthetic tables are sampled and scored, the released table first: scores are means over
    them. `by` names columns in whose groups the headline scores are computed again. `workers` is how many processes
    compute scores and train shadow models: by default one per processor, and a single one for small tables.
    `language` is that of the report, the data card and the metadata: ``en`` or ``es``.
    """

    utility: Annotated[tuple[Task, ...], Field(strict=False)] = ()
    replicates: Annotated[int, Field(ge=1, le=20)] = 5
    by: Annotated[tuple[str, ...], Field(strict=False)] = ()
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    language: Language = "en"


class Judging(ConfigBlock):
    """Part of a configuration that `synthclin evaluate` uses: schema, evaluation, gates and release."""

    table_schema: Annotated[Schema, Field(alias="schema", strict=False)]
    evaluation: EvaluationBlock = EvaluationBlock()
    gates: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    release: Release = UNDECLARED


class Privacy(ConfigBlock):
    """Privacy attacks of a run.

    `audit`: ``quick`` runs the attacks on the table and membership inference on the model file; ``standard`` and
    ``full`` also train 8 and 32 shadow models, each on half of all patients, with outliers by nearest-neighbour
    distance as targets. `release_check` counts in each released table the rows that equal the row of one training
    patient; it removes none.
    """

    audit: Tier = "quick"
    release_check: bool = False


class Outputs(ConfigBlock):
    """Output folder, file formats and report editions; ``{name}`` and ``{seed}`` in `folder` are replaced.

    `csv_safe` is ``escape`` to put a quote before text in CSV files that a spreadsheet would run as a formula.
    `report` names the file formats of the report. Of its `editions` the ``internal`` one holds figures of real
    patients, the ``shareable`` one (``report-shareable.*``) is suppressed and rounded for disclosure control. A data
    card and Croissant metadata are always written beside the table. `adam` also writes the table as data sets of the
    Analysis Data Model of CDISC: see `synthclin.study.config.adam.Adam`.
    """

    folder: Annotated[str, Field(min_length=1)] = "runs/{name}-{seed}"
    table: Literal["parquet", "csv", "csv.gz", "xpt", "sav", "dta"] = "parquet"
    report: Annotated[tuple[Literal["html", "json", "md"], ...], Field(strict=False)] = ("html", "json", "md")
    editions: Annotated[tuple[Literal["internal", "shareable"], ...], Field(strict=False, min_length=1)] = (
        "internal",
        "shareable",
    )
    csv_safe: CsvSafe = "warn"
    adam: Adam | None = None
    overwrite: bool = False


class Config(ConfigBlock):
    """Configuration of one run, from a real table to synthetic tables and a report. `load` reads it from YAML.

    `gates` is None where the file gives none: then the default gates apply. An empty list means no gates. `engine` runs
    scores and shadow models in parallel: in processes of this machine (``local``), or on a Ray cluster (``ray``).
    """

    version: Literal[1]
    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: Data
    # `schema` is a reserved name of pydantic
    table_schema: Annotated[Schema, Field(alias="schema", strict=False)]
    protect: Protect = Protect()
    model: Model = Model()
    sampling: Sampling = Sampling()
    evaluation: EvaluationBlock = EvaluationBlock()
    privacy: Privacy = Privacy()
    gates: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    outputs: Outputs = Outputs()
    release: Release = UNDECLARED
    engine: EngineName = "local"

    @property
    def folder(self) -> Path:
        """The run folder, relative to the current folder."""
        return path_of(self.outputs.folder.replace("{name}", self.name).replace("{seed}", str(self.seed)))
