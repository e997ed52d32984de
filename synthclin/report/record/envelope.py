"""Types of the top level of ``report.json``: scores, gates, sections and provenance; unknown keys are errors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, WithJsonSchema

from synthclin.report.record.section_data import Count, Finite

__all__ = ["SCHEMA_VERSION", "GateRecord", "Provenance", "ReportRecord", "ScoreRecord", "Statement"]

SCHEMA_VERSION = 1

# NaN is null in JSON; inside Python it stays NaN.
Number = Annotated[
    float,
    BeforeValidator(lambda value: float("nan") if value is None else value),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]}),
]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ScoreRecord(_Closed):
    """A score, with the fields of `evaluation.score.Score`."""

    name: Annotated[StrictStr, Field(pattern=r"^[^.]+\..+$")]
    question: StrictStr
    value: Number
    low: Number
    high: Number
    better: Literal["higher", "lower"]
    baseline: Finite | None
    reference: Finite | None
    n: Count
    method: StrictStr
    note: StrictStr
    details: dict[str, Any] | None
    replicates: tuple[Finite, ...] = ()
    reference_error: Finite | None = None
    beyond_reference: StrictBool = False


class GateRecord(_Closed):
    """A gate and its verdict."""

    score: StrictStr
    op: Literal[">=", "<=", ">", "<"]
    limit: Finite
    review: Finite | None
    source: StrictStr
    null: Finite | None = None
    alarm: StrictBool = False
    status: Literal["PASS", "REVIEW", "FAIL", "NOT ASSESSABLE"]
    value: Number
    bound: Number
    reason: StrictStr


class Provenance(BaseModel):
    """Provenance of the report, without time, path, user or host; other keys may hold short facts.

    Arguments:
        name: of the study.
        seed: of the run that made the table.
        random_state: of the evaluation.
        versions: of Python and packages.
        rows: of the tables ``train``, ``holdout`` (0 where there was none) and ``synthetic``.
        columns: how many columns were judged.
        intended_use: declared by the user.
        recipient: declared by the user, with the kind of access.
        dp: the differential privacy guarantee as a sentence; None where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)
    __pydantic_extra__: dict[str, StrictStr | StrictInt | StrictBool | Finite | None]

    name: StrictStr | None = None
    seed: StrictInt | None = None
    random_state: StrictInt | None = None
    versions: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    rows: dict[Literal["train", "holdout", "synthetic"], Count] = Field(default_factory=dict)
    columns: Count | None = None
    intended_use: StrictStr | None = None
    recipient: StrictStr | None = None
    dp: StrictStr | None = None


class Statement(_Closed):
    """What the internal edition says in one place, for the shareable one.

    Arguments:
        text: a title or an answer; empty where the edition's own one is the same.
        order: names in the order in which the internal edition lists them.
    """

    text: StrictStr = ""
    order: tuple[StrictStr, ...] = ()


class ReportRecord(_Closed):
    """The whole file; `sha256` is the digest of the other keys and detects accidental changes.

    `statements` are in the shareable edition alone: see `synthclin.report.pages.statements`.
    """

    schema_version: Literal[1]
    edition: Literal["internal", "shareable"]
    scores: list[ScoreRecord]
    gates: list[GateRecord]
    sections: dict[StrictStr, Any]
    provenance: Provenance
    statements: dict[StrictStr, Statement] = Field(default_factory=dict)
    sha256: Annotated[StrictStr, Field(pattern="^[0-9a-f]{64}$")] | None = None
