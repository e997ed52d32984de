"""Types of the top level of ``report.json``: scores, gates, sections and provenance; unknown keys are errors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, WithJsonSchema

from synthclin.language import Language
from synthclin.report.record.release import Release, TableFile
from synthclin.report.record.section_data import Count, Finite

__all__ = ["SCHEMA_VERSION", "GateRecord", "Provenance", "QuestionRecord", "ReportRecord", "ScoreRecord", "Statement"]

SCHEMA_VERSION = 1

# NaN is null in JSON; inside Python it stays NaN.
Number = Annotated[
    float,
    BeforeValidator(lambda value: float("nan") if value is None else value),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]}),
]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class ScoreRecord(_Closed):
    """A score, with the fields of `evaluation.score.Score`."""

    name: Annotated[StrictStr, Field(pattern=r"^[^.]+\..+$")]
    """``group.name``, such as ``fidelity.marginals``."""
    question: StrictStr
    """The reader's question that the score answers."""
    value: Number
    """The number; null where it could not be computed, for the reason in `note`."""
    low: Number
    """Lower end of the 95 % interval."""
    high: Number
    """Upper end of the 95 % interval."""
    better: Literal["higher", "lower"]
    """Which direction is better."""
    baseline: Finite | None
    """Independence baseline: the score of real rows with each column shuffled; null where it has no meaning."""
    reference: Finite | None
    """Real-data reference: the score of holdout rows in the place of synthetic ones; null without them."""
    n: Count
    """Number of rows behind the score; 0 where it is suppressed."""
    method: StrictStr
    """How the score was computed, with its source."""
    note: StrictStr
    """Caveats, and the reason where there is no value."""
    details: dict[str, Any] | None
    """The numbers and names behind the score, of a type by its name; null where there are none."""
    replicates: tuple[Finite, ...] = ()
    """The score of each synthetic replicate, where there are several."""
    reference_error: Finite | None = None
    """Standard error of the real-data reference; null where it is not known."""
    beyond_reference: StrictBool = False
    """Whether the score is better than its reference beyond sampling error, a sign of overfitting."""
    tables: Annotated[StrictInt, Field(ge=1)] = 1
    """Number of synthetic replicates that the value is a mean of."""


class GateRecord(_Closed):
    """A gate, the rule that was applied, and the verdict."""

    score: StrictStr
    """Name of the score."""
    op: Literal[">=", "<=", ">", "<"]
    """Comparison of the score with the limit."""
    limit: Number
    """Limit for PASS; null in the shareable edition where it follows from holdout rows."""
    review: Finite | None
    """Limit for REVIEW; null for a strict gate, which gives PASS or FAIL only, and where the limit for PASS is null."""
    source: StrictStr
    """Origin of the limit: a publication, a project convention with its reason, or the user."""
    null: Finite | None = None
    """Value of an attack without leakage; where it is the limit itself, an interval that contains it passes."""
    alarm: StrictBool = False
    """Whether the gate applies only to a score beyond the null, so that it can fail a table and never pass one."""
    status: Literal["PASS", "REVIEW", "FAIL", "NOT ASSESSABLE", "TOO WEAK"]
    """The verdict."""
    value: Number
    """The score."""
    bound: Number
    """The end of the 95 % interval that was compared with the limit."""
    reached: Annotated[Number, Field(default_factory=lambda: float("nan"))]
    """What rows without leakage reach on the same data: the worst of null, baseline and reference for an attack, the
    real-data reference for another score; null where it is not known."""
    excused: StrictBool = False
    """Whether the table is judged less severely because rows without leakage, or real rows, miss the limit too."""
    reason: StrictStr
    """Why, in a sentence or two."""
    without_figures: StrictStr
    """The reason without figures and names, which the shareable edition gives."""
    holdout_needed: Finite | None = None
    """How many times as many holdout patients would decide the gate if the score stayed the same; null where it is
    decided, where more would not decide it, and in the shareable edition."""


class QuestionRecord(_Closed):
    """A question of page one."""

    question: StrictStr
    """The question."""
    status: Literal["PASS", "REVIEW", "FAIL", "NOT ASSESSABLE", "TOO WEAK", "NONE", "STATED"]
    """Its status: that of the gate that decides; of a guarantee of differential privacy, whether one is stated."""
    score: StrictStr | None
    """Name of the score that decides; null where no score answers the question."""
    answer: StrictStr
    """The answer in plain words."""


class Provenance(BaseModel):
    """Provenance of the report, without time, path, user or host; other keys may hold short facts."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True, use_attribute_docstrings=True)
    __pydantic_extra__: dict[str, StrictStr | StrictInt | StrictBool | Finite | None]

    name: StrictStr | None = None
    """Name of the study."""
    seed: StrictInt | None = None
    """Seed of the run that made the table."""
    random_state: StrictInt | None = None
    """Seed of the evaluation."""
    source_rows: Count | None = None
    """Number of rows of the source, where the real rows are a random sample of them."""
    versions: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    """Versions of Python and of packages."""
    rows: dict[Literal["train", "holdout", "synthetic"], Count] = Field(default_factory=dict)
    """Rows of the tables ``train``, ``holdout`` (0 where there was none) and ``synthetic``."""
    columns: Count | None = None
    """How many columns were judged."""
    schema_sha256: Annotated[StrictStr, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the names and types of these columns: runs with another one cannot be ranked together."""
    dp: StrictStr | None = None
    """The differential privacy guarantee as a sentence; null where there is none."""


class Statement(_Closed):
    """What the internal edition says in one place, for the shareable one.

    Arguments:
        text: a title or an answer; empty where the edition's own one is the same.
        order: names in the order in which the internal edition lists them.
    """

    text: StrictStr = ""
    """The words."""
    order: tuple[StrictStr, ...] = ()
    """Names in the order in which they are shown."""


class ReportRecord(_Closed):
    """The whole file."""

    schema_version: Literal[1]
    """Version of this format."""
    edition: Literal["internal", "shareable"]
    """For the custodian of the data, or for release."""
    language: Language = "en"
    """The language of the texts; keys, names of scores and statuses are the same in all."""
    release: Release = Release()
    """The release as its custodian declares it."""
    table: TableFile | None = None
    """The file of the synthetic table that the report is about; null where it was scored in memory."""
    questions: tuple[QuestionRecord, ...] = ()
    """Page one: each question with its status."""
    scores: list[ScoreRecord]
    """All scores."""
    gates: list[GateRecord]
    """All gates."""
    sections: dict[StrictStr, Any]
    """Data of the figures that belong to no score."""
    provenance: Provenance
    """How the report came to be."""
    statements: dict[StrictStr, Statement] = Field(default_factory=dict)
    """What the shareable edition takes over from the internal one, by place: titles, answers, orders."""
    sha256: Annotated[StrictStr, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the other keys in their written form, against accidental changes."""
