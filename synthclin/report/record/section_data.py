"""Types of the `sections` of a report: the data of figures that belong to no score."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

from synthclin.evaluation.labels import Labels

__all__ = [
    "CohortFacts",
    "Correlation",
    "Count",
    "Finite",
    "Histogram",
    "Open",
    "Pair",
    "RuleFacts",
    "SectionData",
    "Share",
    "Summary",
    "TableOneBlock",
    "edge_position",
]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Correlation = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[StrictInt, Field(ge=0)]
Pair = Annotated[list[StrictStr], Field(min_length=2, max_length=2)]


class Open(BaseModel):
    """Base of types that ignore unknown keys."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


def edge_position(edge: float | str) -> float:
    """Return a bin edge as a number: the number itself, or the seconds since 1970 of an ISO date.

    Example:
        >>> edge_position("1970-01-02"), edge_position(2.5)
        (86400.0, 2.5)
    """
    return datetime.fromisoformat(edge).replace(tzinfo=UTC).timestamp() if isinstance(edge, str) else edge


class Missing(Open):
    """Counts of missing values in a column; `real` is None where it is suppressed."""

    real: Count | None
    synthetic: Count


class Histogram(Open):
    """Histogram of one column, on bins or levels that both tables share.

    Arguments:
        kind: ``line`` has `edges` between its bins, of which the first and last are open; the others have `labels`.
        real: rows per bin; None where suppressed.
    """

    column: StrictStr
    kind: Literal["line", "ordinal", "levels"]
    unit: StrictStr | None = None
    edges: list[Finite | StrictStr] = Field(default_factory=list)
    labels: list[StrictStr] = Field(default_factory=list)
    real: list[Count | None]
    synthetic: list[Count]
    missing: Missing

    @model_validator(mode="after")
    def _cells_agree(self) -> Histogram:
        cells = len(self.edges) + 1 if self.kind == "line" else len(self.labels)
        if not len(self.real) == len(self.synthetic) == cells:
            raise ValueError("real, synthetic and edges or labels differ in their number of bins")
        places = [edge_position(edge) for edge in self.edges]
        if any(left >= right for left, right in pairwise(places)):
            raise ValueError("edges do not increase")
        return self


class Summary(Open):
    """Summary statistics of a number or date in Table 1; None where suppressed or undefined."""

    mean: Finite | None
    sd: Finite | None
    q1: Finite | StrictStr | None
    median: Finite | StrictStr | None
    q3: Finite | StrictStr | None


class Cell(Open):
    """A count and its percentage of the observed values."""

    n: Count | None
    percent: Finite | None


class LevelRow(Open):
    """One level of Table 1."""

    level: StrictStr
    real: Cell
    synthetic: Cell


class TableOneBlock(Open):
    """One column of Table 1: summary statistics of each table, or counts per level."""

    column: StrictStr
    kind: Literal["line", "ordinal", "levels"]
    unit: StrictStr | None = None
    missing: Missing
    real: Summary | None = None
    synthetic: Summary | None = None
    levels: list[LevelRow] = Field(default_factory=list)
    difference: Finite | None = None


class CohortFacts(Open):
    """A sampled cohort and its prevalence.

    Arguments:
        name: of the cohort.
        rows: number of rows requested and sampled.
        where: the condition that every row satisfies.
        mix: the requested shares, by column and level.
        probability_model: probability of such a row when rows are sampled without the condition, under the rules.
        share_train: share of such rows among the training rows; None unless at least 11 patients have such a row, and
            either none or at least 11 have another.
        patients: number of patients with such a row, under the same condition.
        effective_sample_size: effective sample size of the weighted candidates.
        proposed: number of candidates proposed.
    """

    name: StrictStr
    rows: Count
    where: StrictStr | None = None
    mix: dict[StrictStr, dict[StrictStr, Share]] | None = None
    probability_model: Share
    share_train: Share | None
    patients: Count | None = None
    effective_sample_size: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    proposed: Count


class RuleFacts(Open):
    """Effects of the rules of the schema on the real rows and on the model.

    Arguments:
        excluded_rows: number of real rows that each rule excluded from training and holdout, by its text.
        unconstrained: share of rows that break each rule, sampled without imposing any rule.
        unconstrained_rows: number of rows sampled for `unconstrained`.
    """

    excluded_rows: dict[StrictStr, Count] = Field(default_factory=dict)
    unconstrained: dict[StrictStr, Share] = Field(default_factory=dict)
    unconstrained_rows: Count = 0


class SectionData(Open):
    """The `sections` of a report, as far as the page uses them."""

    rows: dict[StrictStr, Count] = Field(default_factory=dict)
    marginals: list[Histogram] = Field(default_factory=list)
    table_one: list[TableOneBlock] = Field(default_factory=list)
    labels: Labels = Labels()
    cohorts: list[CohortFacts] = Field(default_factory=list)
    rules: RuleFacts = RuleFacts()
