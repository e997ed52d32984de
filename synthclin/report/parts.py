"""The parts of a report that its page draws, as types: what stands behind a score, and what the pictures show."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

__all__ = [
    "AssociationDetails",
    "AttackDetails",
    "Block",
    "Change",
    "CohortFacts",
    "ColumnAgreement",
    "CopyDetails",
    "DetectionDetails",
    "LeakDetails",
    "MarginalDetails",
    "MembershipDetails",
    "MissingDetails",
    "Panel",
    "Pictures",
    "RuleDetails",
    "RuleFacts",
    "Summary",
    "UtilityDetails",
    "details_of",
    "edge_place",
]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Tie = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[StrictInt, Field(ge=0)]
Pair = Annotated[list[StrictStr], Field(min_length=2, max_length=2)]


class _Open(BaseModel):
    """A part that may hold more than the page draws."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ColumnAgreement(_Open):
    """How alike one column is: `value` and `ceiling` from 0 to 1; `missing_real` None where few rows have it."""

    column: StrictStr
    value: Share
    ceiling: Share | None = None
    measure: StrictStr
    missing_real: Share | None = None
    missing_synthetic: Share


class MarginalDetails(_Open):
    """Behind `fidelity.marginals`."""

    columns: list[ColumnAgreement] = Field(default_factory=list)


class Change(_Open):
    """An association that got weaker or stronger, -1 to 1; `change` in the direction of the real one."""

    columns: Pair
    real: Tie
    synthetic: Tie
    change: Annotated[float, Field(ge=-2, le=2)]


class AssociationDetails(_Open):
    """Behind `fidelity.associations`: the largest changes, and how large they are on average."""

    lost: list[Change] = Field(default_factory=list)
    invented: list[Change] = Field(default_factory=list)
    mean_change_synthetic: float | None = None
    mean_change_holdout: float | None = None
    largest_change_synthetic: float | None = None
    largest_change_holdout: float | None = None


class Pattern(_Open):
    """A set of columns that are missing together, and the share of rows in which they are."""

    missing: list[StrictStr]
    real: Share
    synthetic: Share


class MissingDetails(_Open):
    """Behind `fidelity.missingness`."""

    patterns: list[Pattern] = Field(default_factory=list)


class GiveAway(_Open):
    """What shuffling one column takes from the classifier's AUC."""

    column: StrictStr
    auc_drop: Annotated[float, Field(ge=-1, le=1)]


class DetectionDetails(_Open):
    """Behind `fidelity.detection`."""

    auc_against_train: float | None = None
    columns: list[GiveAway] = Field(default_factory=list)


class Rate(_Open):
    """How often an attack succeeds on `n` attempts."""

    value: Share
    low: Share
    high: Share
    n: Count


class Risk(_Open):
    """What an attack does to some patients; `column` and `level` name a subgroup."""

    value: Finite | None
    low: Finite | None
    high: Finite | None
    column: StrictStr = ""
    level: StrictStr = ""


class AttackDetails(_Open):
    """Behind every score of `privacy` that is an attack.

    Arguments:
        attack: which of several did most harm.
        naive: success of a guess without the table.
        control: success on unused patients.
        train: success on training patients.
        vulnerable: the risk of the most vulnerable tenth.
        groups: the risk of subgroups.
    """

    attack: StrictStr = ""
    naive: Share | None = None
    control: Rate | None = None
    train: Rate | None = None
    vulnerable: Risk | None = None
    groups: list[Risk] = Field(default_factory=list)


class MembershipDetails(AttackDetails):
    """Behind `privacy.membership`."""

    tpr_at_1_percent: Share | None = None
    tpr_at_10_percent: Share | None = None
    members: Count | None = None
    controls: Count | None = None


class Planted(_Open):
    """Training rows planted among the synthetic ones, and the scores that notice them."""

    share: Share
    kind: Literal["exact", "jittered"]
    rows: Count
    seen_by: list[StrictStr]


class LeakDetails(_Open):
    """Behind `privacy.smallest_leak`."""

    spike_in: list[Planted] = Field(default_factory=list)


class CopyDetails(_Open):
    """Behind `privacy.copies`."""

    copies: Count | None = None
    copies_of_repeated_rows: Count | None = None
    whole_table: bool = False


class Learner(_Open):
    """How one kind of model predicts held-out real rows, by what it learnt from."""

    learner: StrictStr
    real: float | None
    synthetic: float | None
    shuffled: float | None = None


class UtilityDetails(_Open):
    """Behind `utility.<target>`."""

    measure: StrictStr = ""
    learners: list[Learner] = Field(default_factory=list)


class BrokenRule(_Open):
    """How many rows break one rule; `real` None where fewer than 11 do."""

    rule: StrictStr
    synthetic: Count
    real: Count | None


class RuleDetails(_Open):
    """Behind `validity.rules`."""

    rules: list[BrokenRule] = Field(default_factory=list)
    declared: Count | None = None


def edge_place(edge: float | str) -> float:
    """Return where the edge of a cell lies on a line: the number itself, or the seconds of an ISO moment.

    Example:
        >>> edge_place("1970-01-02"), edge_place(2.5)
        (86400.0, 2.5)
    """
    return datetime.fromisoformat(edge).replace(tzinfo=UTC).timestamp() if isinstance(edge, str) else edge


class Missing(_Open):
    """How many cells of a column are empty; `real` None where that is not told."""

    real: Count | None
    synthetic: Count


class Panel(_Open):
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
    def _cells_agree(self) -> Panel:
        cells = len(self.edges) + 1 if self.kind == "line" else len(self.labels)
        if not len(self.real) == len(self.synthetic) == cells:
            raise ValueError("real, synthetic and edges or labels speak of different numbers of cells")
        places = [edge_place(edge) for edge in self.edges]
        if any(left >= right for left, right in pairwise(places)):
            raise ValueError("edges do not rise")
        return self


class Summary(_Open):
    """What Table 1 says of numbers and dates; None where it is not told or makes no sense."""

    mean: Finite | None
    sd: Finite | None
    q1: Finite | StrictStr | None
    median: Finite | StrictStr | None
    q3: Finite | StrictStr | None


class Cell(_Open):
    """A count and its percentage of the known values."""

    n: Count | None
    percent: Finite | None


class LevelRow(_Open):
    """One level of Table 1."""

    level: StrictStr
    real: Cell
    synthetic: Cell


class Block(_Open):
    """One column of Table 1: either a summary of each table, or its levels."""

    column: StrictStr
    kind: Literal["line", "ordinal", "levels"]
    unit: StrictStr | None = None
    missing: Missing
    real: Summary | None = None
    synthetic: Summary | None = None
    levels: list[LevelRow] = Field(default_factory=list)
    difference: Finite | None = None


class Matrices(_Open):
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


class Curve(_Open):
    """Points of a ROC curve: false alarms, hits."""

    roc: list[tuple[Share, Share]] = Field(default_factory=list)


class CohortFacts(_Open):
    """A cohort that was drawn, and how common it is.

    Arguments:
        name: of the cohort.
        rows: how many were asked for and drawn.
        where: the condition that every row satisfies.
        mix: the shares that were asked for, by column and level.
        model: the model's probability of such a row, the rules of the schema included.
        data: the share of such rows among those that the model learnt from; None unless at least 11 patients have
            such a row, and as many or none have another.
        effective: how many equally weighted rows the weighted candidates are worth that the cohort was taken from.
        drawn: how many candidates were drawn.
    """

    name: StrictStr
    rows: Count
    where: StrictStr | None = None
    mix: dict[StrictStr, dict[StrictStr, Share]] | None = None
    model: Share
    data: Share | None
    effective: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    drawn: Count


class RuleFacts(_Open):
    """What the rules of the schema did to the rows learnt and to the model.

    Arguments:
        dropped: how many real rows each rule left out of training and holdout, by its text.
        raw: the share of rows drawn without imposing any rule whose codes break each rule.
        raw_rows: how many rows were drawn for that.
    """

    dropped: dict[StrictStr, Count] = Field(default_factory=dict)
    raw: dict[StrictStr, Share] = Field(default_factory=dict)
    raw_rows: Count = 0


class Pictures(_Open):
    """What `sections` hold, as far as the page draws it."""

    rows: dict[StrictStr, Count] = Field(default_factory=dict)
    marginals: list[Panel] = Field(default_factory=list)
    table_one: list[Block] = Field(default_factory=list)
    pairs: Matrices = Matrices()
    detection: Curve = Curve()
    membership: Curve = Curve()
    cohorts: list[CohortFacts] = Field(default_factory=list)
    rules: RuleFacts = RuleFacts()


_BY_NAME: dict[str, type[BaseModel]] = {
    "fidelity.associations": AssociationDetails,
    "fidelity.detection": DetectionDetails,
    "fidelity.marginals": MarginalDetails,
    "fidelity.missingness": MissingDetails,
    "privacy.copies": CopyDetails,
    "privacy.membership": MembershipDetails,
    "privacy.smallest_leak": LeakDetails,
    "validity.rules": RuleDetails,
}


def details_of(name: str) -> type[BaseModel] | None:
    """Return the type of what stands behind the score `name`, or None where a page draws nothing of it."""
    if name.startswith("privacy."):
        return _BY_NAME.get(name, AttackDetails)
    return UtilityDetails if name.startswith("utility.") else _BY_NAME.get(name)
