"""The sections of a report, as types: what its pictures show. What stands behind a score is in `details`."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

__all__ = [
    "Canaries",
    "CohortFacts",
    "Count",
    "Finite",
    "Histogram",
    "Open",
    "Pair",
    "Pictures",
    "RuleFacts",
    "Share",
    "Summary",
    "TableOneBlock",
    "Tie",
    "edge_place",
]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Tie = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[StrictInt, Field(ge=0)]
Pair = Annotated[list[StrictStr], Field(min_length=2, max_length=2)]


class Open(BaseModel):
    """A part that may hold more than the page draws."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


def edge_place(edge: float | str) -> float:
    """Return where the edge of a cell lies on a line: the number itself, or the seconds of an ISO moment.

    Example:
        >>> edge_place("1970-01-02"), edge_place(2.5)
        (86400.0, 2.5)
    """
    return datetime.fromisoformat(edge).replace(tzinfo=UTC).timestamp() if isinstance(edge, str) else edge


class Missing(Open):
    """How many cells of a column are empty; `real` None where that is not told."""

    real: Count | None
    synthetic: Count


class Histogram(Open):
    """One column's histogram on cells that both tables share.

    Arguments:
        kind: ``line`` has `edges` between its cells, the first and last of which are open; others have `labels`.
        real: rows per cell; None where that is not told.
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
            raise ValueError("real, synthetic and edges or labels speak of different numbers of cells")
        places = [edge_place(edge) for edge in self.edges]
        if any(left >= right for left, right in pairwise(places)):
            raise ValueError("edges do not rise")
        return self


class Summary(Open):
    """What Table 1 says of numbers and dates; None where it is not told or makes no sense."""

    mean: Finite | None
    sd: Finite | None
    q1: Finite | StrictStr | None
    median: Finite | StrictStr | None
    q3: Finite | StrictStr | None


class Cell(Open):
    """A count and its percentage of the known values."""

    n: Count | None
    percent: Finite | None


class LevelRow(Open):
    """One level of Table 1."""

    level: StrictStr
    real: Cell
    synthetic: Cell


class TableOneBlock(Open):
    """One column of Table 1: either a summary of each table, or its levels."""

    column: StrictStr
    kind: Literal["line", "ordinal", "levels"]
    unit: StrictStr | None = None
    missing: Missing
    real: Summary | None = None
    synthetic: Summary | None = None
    levels: list[LevelRow] = Field(default_factory=list)
    difference: Finite | None = None


class Matrices(Open):
    """Associations of each pair of columns, -1 to 1; None where there is none."""

    columns: list[StrictStr] = Field(default_factory=list)
    real: list[list[Tie | None]] = Field(default_factory=list)
    synthetic: list[list[Tie | None]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _square(self) -> Matrices:
        size = len(self.columns)
        if any(len(rows) != size or any(len(row) != size for row in rows) for rows in (self.real, self.synthetic)):
            raise ValueError("real and synthetic are not square tables over the columns")
        return self


class NamedCurve(Open):
    """Points of the ROC curve of one attack."""

    name: StrictStr
    roc: list[tuple[Share, Share]]


class RocCurve(Open):
    """Points of a ROC curve: false alarms, hits; `attacks` those of each attack, of which the best makes the curve."""

    roc: list[tuple[Share, Share]] = Field(default_factory=list)
    attacks: list[NamedCurve] = Field(default_factory=list)


class Canaries(Open):
    """Training rows planted among the synthetic ones, and the scores that notice them."""

    share: Share
    kind: Literal["exact", "jittered"]
    rows: Count
    seen_by: list[StrictStr]


class NegativeControl(Open):
    """What an attack makes of fresh real rows posing as synthetic."""

    value: Finite | None
    low: Finite | None
    high: Finite | None


class Controls(Open):
    """What the attacks could have seen: `negative` by attack, and rows planted."""

    negative: dict[StrictStr, NegativeControl] = Field(default_factory=dict)
    spike_in: list[Canaries] = Field(default_factory=list)


class CohortFacts(Open):
    """A cohort that was drawn, and how common it is.

    Arguments:
        name: of the cohort.
        rows: how many were asked for and drawn.
        where: the condition that every row satisfies.
        mix: the shares that were asked for, by column and level.
        model: the model's probability of such a row, the rules of the schema included.
        data: the share of such rows among those that the model learnt from; None unless at least 11 patients have
            such a row, and as many or none have another.
        patients: how many patients have such a row, under the same condition.
        effective: how many equally weighted rows the weighted candidates are worth that the cohort was taken from.
        drawn: how many candidates were drawn.
    """

    name: StrictStr
    rows: Count
    where: StrictStr | None = None
    mix: dict[StrictStr, dict[StrictStr, Share]] | None = None
    model: Share
    data: Share | None
    patients: Count | None = None
    effective: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    drawn: Count


class RuleFacts(Open):
    """What the rules of the schema did to the rows learnt and to the model.

    Arguments:
        dropped: how many real rows each rule left out of training and holdout, by its text.
        raw: the share of rows drawn without imposing any rule whose codes break each rule.
        raw_rows: how many rows were drawn for that.
    """

    dropped: dict[StrictStr, Count] = Field(default_factory=dict)
    raw: dict[StrictStr, Share] = Field(default_factory=dict)
    raw_rows: Count = 0


class Pictures(Open):
    """What `sections` hold, as far as the page draws it."""

    rows: dict[StrictStr, Count] = Field(default_factory=dict)
    marginals: list[Histogram] = Field(default_factory=list)
    table_one: list[TableOneBlock] = Field(default_factory=list)
    pairs: Matrices = Matrices()
    detection: RocCurve = RocCurve()
    membership: RocCurve = RocCurve()
    controls: Controls = Controls()
    cohorts: list[CohortFacts] = Field(default_factory=list)
    rules: RuleFacts = RuleFacts()
