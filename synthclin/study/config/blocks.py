"""The blocks of a configuration: what may stand in a run's YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from synthclin.evaluation.score_names import Tier
from synthclin.evaluation.tasks import Task
from synthclin.models.synthesizer import MOST_ROWS
from synthclin.sampling.cohorts import Cohort
from synthclin.schema import Schema
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.tables.spreadsheet_formulas import CsvSafe

__all__ = [
    "DATASET",
    "Config",
    "ConfigBlock",
    "Data",
    "EvaluationBlock",
    "Judging",
    "Model",
    "Outputs",
    "Privacy",
    "Protect",
    "Sampling",
]

DATASET = "dataset:"


class ConfigBlock(BaseModel):
    """A frozen mapping that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Data(ConfigBlock):
    """Where the real rows come from and how many the model never sees.

    `source` is a .csv, .csv.gz or .parquet file, or ``dataset:`` and the name of a table that ships with the package;
    `holdout` is the share of rows kept back; `entity` is short for ``role: entity`` of that column in the
    schema: its rows are one patient's, who stays on one side of the split and is counted once.
    """

    source: Annotated[str, Field(min_length=1)]
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.2
    entity: str | None = None

    @property
    def dataset(self) -> str | None:
        """The name of a shipped table, or None for a file."""
        return self.source.removeprefix(DATASET) if self.source.startswith(DATASET) else None


class Protect(ConfigBlock):
    """What never enters the model: levels and extremes held by fewer patients than these."""

    rare_category: Annotated[int, Field(ge=1)] = MIN_PATIENTS
    trim_extremes: Annotated[int, Field(ge=1)] = MIN_PATIENTS


class Model(ConfigBlock):
    """`type` names a family in `synthclin.models.MODELS`; every other word goes to its class unchanged."""

    model_config = ConfigDict(extra="allow")

    type: str = "gan"

    @property
    def parameters(self) -> dict[str, Any]:
        """Keyword arguments for the class, besides the schema, the seed and the limits of `protect`."""
        return dict(self.model_extra or {})


class Sampling(ConfigBlock):
    """How many rows the main table gets (as many as the model learnt from, if None) and which cohorts are drawn.

    A cohort whose condition fewer than `least_patients` of the patients learnt from satisfy is refused before training:
    what is drawn there is made up. 0 draws every cohort all the same, with a warning where they are fewer than 11.
    """

    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = None
    cohorts: Annotated[tuple[Cohort, ...], Field(strict=False)] = ()
    least_patients: Annotated[int, Field(ge=0)] = MIN_PATIENTS


class EvaluationBlock(ConfigBlock):
    """Which analyses are done on synthetic and on real rows to compare them.

    `replicates` is how many tables of the main table's size are sampled and scored, the main table first: scores are
    means over them. `by` names columns in whose groups the headline scores are computed again. `workers` is how many
    processes score and train shadow models: by default one per processor, and a single one for small tables.
    """

    utility: Annotated[tuple[Task, ...], Field(strict=False)] = ()
    replicates: Annotated[int, Field(ge=1, le=20)] = 5
    by: Annotated[tuple[str, ...], Field(strict=False)] = ()
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None


class Judging(ConfigBlock):
    """What `synthclin evaluate` takes of a study: how tables are judged, and by which gates."""

    table_schema: Annotated[Schema, Field(alias="schema", strict=False)]
    evaluation: EvaluationBlock = EvaluationBlock()
    gates: Annotated[tuple[str, ...], Field(strict=False)] | None = None


class Privacy(ConfigBlock):
    """How hard the run attacks what it made.

    `audit`: ``quick`` runs the attacks on the table and asks the model; ``standard`` and ``full`` also train 8 and 32
    shadow models, each on half of all patients, and aim at the patients who stand most alone. `release_check` counts in
    each table that is written the rows that equal the row of one training patient; it never leaves one out.
    """

    audit: Tier = "quick"
    release_check: bool = False


class Outputs(ConfigBlock):
    """What is written where; ``{name}`` and ``{seed}`` stand for themselves in `folder`.

    `csv_safe` is ``escape`` to put a quote before text in CSV files that a spreadsheet would run as a formula.
    `report` names the forms of the report and `editions` which of them: the ``internal`` one holds figures of real
    patients, the ``shareable`` one (``report-shareable.*``) none that few of them could be read from. A data card and
    Croissant metadata are always written beside the table.
    """

    folder: Annotated[str, Field(min_length=1)] = "runs/{name}-{seed}"
    table: Literal["parquet", "csv"] = "parquet"
    report: Annotated[tuple[Literal["html", "json", "md"], ...], Field(strict=False)] = ("html", "json", "md")
    editions: Annotated[tuple[Literal["internal", "shareable"], ...], Field(strict=False, min_length=1)] = (
        "internal",
        "shareable",
    )
    csv_safe: CsvSafe = "warn"
    overwrite: bool = False


class Config(ConfigBlock):
    """One run: from a real table to synthetic tables and a report. `load` reads it from YAML.

    `gates` is None where the file gives none: then the default gates hold. An empty list means no gates.
    """

    version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: Data
    # pydantic keeps `schema` for itself
    table_schema: Annotated[Schema, Field(alias="schema", strict=False)]
    protect: Protect = Protect()
    model: Model = Model()
    sampling: Sampling = Sampling()
    evaluation: EvaluationBlock = EvaluationBlock()
    privacy: Privacy = Privacy()
    gates: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    outputs: Outputs = Outputs()
    engine: Literal["local"] = "local"

    @property
    def folder(self) -> Path:
        """The run folder, relative to the current folder."""
        return Path(self.outputs.folder.replace("{name}", self.name).replace("{seed}", str(self.seed)))
