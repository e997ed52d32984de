"""What stands behind each score, as types: the part of its details that a page draws."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictStr

from synthclin.report.record.clinical_details import (
    AnalysisDetails,
    CalibrationDetails,
    ImportanceDetails,
    SubgroupDetails,
    UtilityDetails,
)
from synthclin.report.record.parts import Canaries, Count, Finite, Open, Pair, Share, Tie

__all__ = [
    "DETAILS_BY_GROUP",
    "DETAILS_BY_NAME",
    "Agreement",
    "AssociationDetails",
    "AttackDetails",
    "BrokenRule",
    "Change",
    "ColumnAgreement",
    "ColumnDetails",
    "CopyDetails",
    "DependenceDetails",
    "DetectionDetails",
    "GiveAway",
    "LeakDetails",
    "LevelShift",
    "MarginalDetails",
    "Meeting",
    "MembershipDetails",
    "MissingDetails",
    "MissingTie",
    "Pattern",
    "RareDetails",
    "RareLevel",
    "Rate",
    "Risk",
    "RuleDetails",
    "TogetherDetails",
    "UnseenDetails",
    "details_of",
]


class ColumnAgreement(Open):
    """How alike one column is: `value` and `reference` from 0 to 1; `missing_real` None where few rows have it."""

    column: StrictStr
    value: Share
    reference: Share | None = None
    measure: StrictStr
    missing_real: Share | None = None
    missing_synthetic: Share


class MarginalDetails(Open):
    """Behind `fidelity.marginals`."""

    columns: list[ColumnAgreement] = Field(default_factory=list)


class Change(Open):
    """An association that got weaker or stronger, -1 to 1; `change` in the direction of the real one."""

    columns: Pair
    real: Tie
    synthetic: Tie
    change: Annotated[float, Field(ge=-2, le=2)]


class AssociationDetails(Open):
    """Behind `fidelity.associations`: the largest changes, and how large they are on average."""

    lost: list[Change] = Field(default_factory=list)
    invented: list[Change] = Field(default_factory=list)
    mean_change_synthetic: float | None = None
    mean_change_holdout: float | None = None
    largest_change_synthetic: float | None = None
    largest_change_holdout: float | None = None


class Pattern(Open):
    """A set of columns that are missing together, and the share of rows in which they are."""

    missing: list[StrictStr]
    real: Share
    synthetic: Share


class MissingDetails(Open):
    """Behind `fidelity.missingness`."""

    patterns: list[Pattern] = Field(default_factory=list)


class GiveAway(Open):
    """What shuffling one column takes from the classifier's AUC."""

    column: StrictStr
    auc_drop: Annotated[float, Field(ge=-1, le=1)]


class DetectionDetails(Open):
    """Behind `fidelity.detection`."""

    auc_against_train: float | None = None
    columns: list[GiveAway] = Field(default_factory=list)


class Rate(Open):
    """How often an attack succeeds on `n` attempts."""

    value: Share
    low: Share
    high: Share
    n: Count


class Risk(Open):
    """What an attack does to some patients; `column` and `level` name a subgroup."""

    value: Finite | None
    low: Finite | None
    high: Finite | None
    column: StrictStr = ""
    level: StrictStr = ""


class AttackDetails(Open):
    """Behind every score of `privacy` that is an attack.

    Arguments:
        attack: which of several did most harm.
        naive: success of a guess without the table.
        control: success on unused patients.
        train: success on training patients.
        outliers: the risk of the most vulnerable tenth.
        groups: the risk of subgroups.
    """

    attack: StrictStr = ""
    naive: Share | None = None
    control: Rate | None = None
    train: Rate | None = None
    outliers: Risk | None = None
    groups: list[Risk] = Field(default_factory=list)


class MembershipDetails(AttackDetails):
    """Behind `privacy.membership` and the attacks on the model."""

    tpr_at_1_percent: Share | None = None
    tpr_at_10_percent: Share | None = None
    members: Count | None = None
    controls: Count | None = None


class LeakDetails(Open):
    """Behind `privacy.smallest_leak`."""

    spike_in: list[Canaries] = Field(default_factory=list)


class CopyDetails(Open):
    """Behind `privacy.copies`."""

    copies: Count | None = None
    copies_of_repeated_rows: Count | None = None
    whole_table: bool = False


class BrokenRule(Open):
    """How many rows break one rule; `real` None where fewer than 11 do."""

    rule: StrictStr
    synthetic: Count
    real: Count | None


class RuleDetails(Open):
    """Behind `validity.rules`."""

    rules: list[BrokenRule] = Field(default_factory=list)
    declared: Count | None = None


class LevelShift(Open):
    """How far one column is from the real one; `shifts` of the percentiles 1, 5, 95 and 99 in real quartile ranges."""

    column: StrictStr
    value: Finite
    reference: Finite | None = None
    shifts: list[Finite | None] = Field(default_factory=list)


class ColumnDetails(Open):
    """Behind `fidelity.tails`, `fidelity.heaping` and `fidelity.wasserstein`."""

    columns: list[LevelShift] = Field(default_factory=list)


class RareLevel(Open):
    """A level of few patients; `log_ratio` below 0 where it is rarer among synthetic rows."""

    column: StrictStr
    level: StrictStr
    log_ratio: Finite


class RareDetails(Open):
    """Behind `fidelity.rare_levels`; `coverage` is the share of rare levels that are there at all."""

    coverage: Share | None = None
    levels: list[RareLevel] = Field(default_factory=list)


class Agreement(Open):
    """How alike several columns are together."""

    columns: list[StrictStr]
    value: Share
    reference: Share | None = None


class TogetherDetails(Open):
    """Behind `fidelity.pairs` and `fidelity.triples`."""

    worst: list[Agreement] = Field(default_factory=list)


class Meeting(Open):
    """Two levels that meet in synthetic rows and in no real one."""

    columns: Pair
    levels: Pair
    rows: Count


class UnseenDetails(Open):
    """Behind `fidelity.unseen_pairs`."""

    pairs: list[Meeting] = Field(default_factory=list)


class MissingTie(Open):
    """How strongly a column, or one level of it, goes with another column being empty."""

    missing: StrictStr
    column: StrictStr
    level: StrictStr | None = None
    real: Tie
    synthetic: Tie


class DependenceDetails(Open):
    """Behind `fidelity.missing_dependence`."""

    ties: list[MissingTie] = Field(default_factory=list)


DETAILS_BY_NAME: dict[str, type[BaseModel]] = {
    "fidelity.associations": AssociationDetails,
    "fidelity.detection": DetectionDetails,
    "fidelity.heaping": ColumnDetails,
    "fidelity.marginals": MarginalDetails,
    "fidelity.missing_dependence": DependenceDetails,
    "fidelity.missingness": MissingDetails,
    "fidelity.pairs": TogetherDetails,
    "fidelity.rare_levels": RareDetails,
    "fidelity.tails": ColumnDetails,
    "fidelity.triples": TogetherDetails,
    "fidelity.unseen_pairs": UnseenDetails,
    "fidelity.wasserstein": ColumnDetails,
    "privacy.copies": CopyDetails,
    "privacy.membership": MembershipDetails,
    "privacy.model_membership": MembershipDetails,
    "privacy.shadow_model": MembershipDetails,
    "privacy.shadow_table": MembershipDetails,
    "privacy.smallest_leak": LeakDetails,
    "validity.rules": RuleDetails,
}
DETAILS_BY_GROUP: dict[str, type[BaseModel]] = {
    "calibration": CalibrationDetails,
    "importance": ImportanceDetails,
    "inference": AnalysisDetails,
    "privacy": AttackDetails,
    "subgroups": SubgroupDetails,
    "utility": UtilityDetails,
}


def details_of(name: str) -> type[BaseModel] | None:
    """Return the type of what stands behind the score `name`, or None where a page draws nothing of it."""
    return DETAILS_BY_NAME.get(name, DETAILS_BY_GROUP.get(name.partition(".")[0]))
