"""Types of the `sections` of a report: the data of figures that belong to no score."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

from synthclin.evaluation.labels import Labels
from synthclin.report.record.guarantee_data import GuaranteeFacts
from synthclin.report.record.visit_data import VisitFacts

__all__ = [
    "AloneFacts",
    "CohortFacts",
    "Confirmed",
    "Correlation",
    "Count",
    "FamilyTrial",
    "FewEvents",
    "Finite",
    "Histogram",
    "Open",
    "Pair",
    "RuleFacts",
    "SectionData",
    "Selection",
    "Share",
    "Summary",
    "SupportFacts",
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

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True)


def edge_position(edge: float | str) -> float:
    """Return a bin edge as a number: the number itself, or the seconds since 1970 of an ISO date.

    Example:
        >>> edge_position("1970-01-02"), edge_position(2.5)
        (86400.0, 2.5)
    """
    return datetime.fromisoformat(edge).replace(tzinfo=UTC).timestamp() if isinstance(edge, str) else edge


class Missing(Open):
    """Counts of missing values in a column."""

    real: Count | None
    """In training rows; null where suppressed."""
    synthetic: Count
    """In synthetic rows."""


class Histogram(Open):
    """Histogram of one column, on bins or levels that both tables share."""

    column: StrictStr
    """Name of the column."""
    kind: Literal["line", "ordinal", "levels"]
    """``line`` has `edges` between its bins, of which the first and last are open; the others have `labels`."""
    unit: StrictStr | None = None
    """Unit of the column, in UCUM."""
    edges: list[Finite | StrictStr] = Field(default_factory=list)
    """Edges between bins, as numbers or ISO dates."""
    labels: list[StrictStr] = Field(default_factory=list)
    """Levels, of which rare ones are pooled."""
    real: list[Count | None]
    """Training rows per bin or level; null where suppressed."""
    synthetic: list[Count]
    """Synthetic rows per bin or level."""
    missing: Missing
    """Rows without a value."""

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
    """Summary statistics of a number or date in Table 1; null where suppressed or undefined."""

    mean: Finite | None
    """Mean."""
    sd: Finite | None
    """Standard deviation."""
    q1: Finite | StrictStr | None
    """Lower quartile."""
    median: Finite | StrictStr | None
    """Median."""
    q3: Finite | StrictStr | None
    """Upper quartile."""


class Cell(Open):
    """A count and its percentage of the observed values."""

    n: Count | None
    """The count; null where suppressed."""
    percent: Finite | None
    """The percentage; null where suppressed."""


class LevelRow(Open):
    """One level of Table 1."""

    level: StrictStr
    """The level."""
    real: Cell
    """Of training rows."""
    synthetic: Cell
    """Of synthetic rows."""


class TableOneBlock(Open):
    """One column of Table 1: summary statistics of each table, or counts per level."""

    column: StrictStr
    """Name of the column."""
    kind: Literal["line", "ordinal", "levels"]
    """``line`` for numbers and dates, the others for levels."""
    unit: StrictStr | None = None
    """Unit of the column, in UCUM."""
    missing: Missing
    """Rows without a value."""
    real: Summary | None = None
    """Summary of training rows; null for levels."""
    synthetic: Summary | None = None
    """Summary of synthetic rows; null for levels."""
    levels: list[LevelRow] = Field(default_factory=list)
    """Counts per level; empty for numbers and dates."""
    difference: Finite | None = None
    """Standardised difference of both tables; null where undefined or suppressed."""


class Confirmed(Open):
    """How much of a column's dependence on the columns sampled before it was confirmed on rows not trained on."""

    column: StrictStr
    """Name of the column."""
    nats: Finite
    """Gain of out-of-fold log-likelihood over the marginal distribution of the column, in nats per row."""
    error: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Standard error of the gain, over patients."""
    share: Share
    """The confirmed gain over that on the training rows."""

    @property
    def is_confirmed(self) -> bool:
        """Whether the gain exceeds two standard errors."""
        return self.nats > 2 * self.error


class FewEvents(Open):
    """A part of a cohort that rests on few training patients."""

    part: StrictStr
    """The condition of the part: a wanted level, or the condition of the cohort."""
    patients: Count | None
    """The number of training patients; null where it is below 11."""
    dependences: list[Confirmed] = Field(default_factory=list)
    """Of the columns of the condition, whether confirmed or not."""


class CohortFacts(Open):
    """A sampled cohort and its prevalence."""

    name: StrictStr
    """Name of the cohort."""
    rows: Count
    """Number of rows requested and sampled."""
    where: StrictStr | None = None
    """The condition that every row satisfies."""
    mix: dict[StrictStr, dict[StrictStr, Share]] | None = None
    """The requested shares, by column and level."""
    probability_model: Share
    """Probability of such a row when rows are sampled without the condition, under the rules."""
    share_train: Share | None
    """Share of such rows among the training rows; null unless at least 11 patients have such a row, and either none or
    at least 11 have another."""
    patients: Count | None = None
    """Number of patients with such a row, under the same condition."""
    effective_sample_size: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Effective sample size of the weighted candidates."""
    proposed: Count
    """Number of candidates proposed."""
    few: FewEvents | None = None
    """The part that rests on the fewest training patients, where they are fewer than 30."""


class RuleFacts(Open):
    """Effects of the rules of the schema on the real rows and on the model."""

    excluded_rows: dict[StrictStr, Count] = Field(default_factory=dict)
    """Number of real rows that each rule excluded from training and holdout, by its text."""
    unconstrained: dict[StrictStr, Share] = Field(default_factory=dict)
    """Share of rows that break each rule, sampled without imposing any rule."""
    unconstrained_rows: Count = 0
    """Number of rows sampled for `unconstrained`."""


class LostPair(Open):
    """A pair of columns with a significant association in training rows, at most half as strong in sampled ones."""

    first: StrictStr
    """Name of a column."""
    second: StrictStr
    """Name of the other."""
    real: Share
    """Bias-corrected Cramér's V in training rows."""
    synthetic: Share
    """The same in rows sampled from the model."""


class FamilyTrial(Open):
    """Out-of-fold figures of one model family."""

    family: StrictStr
    """Name of the family."""
    score: Finite
    """Share of dependence and utility that it reaches, 0 (independent columns) to 1."""
    nll: Finite
    """Calibrated negative log-likelihood, in nats per row."""
    utility: dict[StrictStr, Finite] = Field(default_factory=dict)
    """By target the AUC above 0.5 (or the R2 of a number) of forests trained on sampled rows."""
    real: dict[StrictStr, Finite] = Field(default_factory=dict)
    """By target that of forests trained on real rows."""


class Selection(Open):
    """Choice of the model family by cross-validation."""

    chosen: StrictStr
    """Name of the family that was fitted."""
    best: StrictStr
    """Name of the family with the highest score."""
    default: StrictStr
    """Name of the family that is taken unless another is better beyond noise."""
    gain: Finite
    """Score of the best above that of the default."""
    noise: Finite
    """What the gain must exceed."""
    left_out: list[StrictStr] = Field(default_factory=list)
    """Families that the time budget excluded."""
    trials: list[FamilyTrial]
    """The candidates."""


class SupportFacts(Open):
    """What the training rows support, by the model: confirmed dependences and lost associations."""

    selection: Selection | None = None
    """How the model family was chosen, where it was."""

    confirmed: list[Confirmed] = Field(default_factory=list)
    """Of each column, on tables small enough for folds."""
    lost: list[LostPair] = Field(default_factory=list)
    """The strongest in training rows first."""


class AloneFacts(Open):
    """Figures of synthetic rows alone: their bins and levels follow from no real row, and `real` is null."""

    marginals: list[Histogram]
    """The distribution of each column."""
    table_one: list[TableOneBlock]
    """Table 1."""


class SectionData(Open):
    """The `sections` of a report, as far as the page uses them."""

    rows: dict[StrictStr, Count] = Field(default_factory=dict)
    """Rows of each table."""
    patients: dict[StrictStr, Count] = Field(default_factory=dict)
    """Patients of each table, where the schema declares visits."""
    first_visits: list[Histogram] = Field(default_factory=list)
    """The distribution of each column at the first visit, where the schema declares visits."""
    visits: VisitFacts | None = None
    """Data of the figures of visits, where the schema declares them."""
    marginals: list[Histogram] = Field(default_factory=list)
    """The distribution of each column."""
    table_one: list[TableOneBlock] = Field(default_factory=list)
    """Table 1: baseline characteristics."""
    labels: Labels = Labels()
    """Labels of columns and levels, which pages show in the place of their names."""
    cohorts: list[CohortFacts] = Field(default_factory=list)
    """The sampled cohorts."""
    rules: RuleFacts = RuleFacts()
    """Effects of the rules."""
    support: SupportFacts = SupportFacts()
    """What the training rows support."""
    guarantee: GuaranteeFacts | None = None
    """The guarantee of a training with differential privacy; null without."""
    alone: AloneFacts | None = None
    """With such a guarantee, the figures of synthetic rows alone, which the shareable edition shows."""
