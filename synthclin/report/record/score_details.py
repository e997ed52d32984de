"""Types of the details of each score, as far as a page uses them."""

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
from synthclin.report.record.section_data import Canaries, Correlation, Count, Finite, Open, Pair, Share

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
    "ColumnImportance",
    "ColumnShift",
    "CopyDetails",
    "DependenceDetails",
    "DetectionDetails",
    "JointDetails",
    "LeakDetails",
    "MarginalDetails",
    "MembershipDetails",
    "MissingDetails",
    "MissingnessCorrelation",
    "Pattern",
    "RareDetails",
    "RareLevel",
    "Rate",
    "Risk",
    "RuleDetails",
    "UnseenDetails",
    "UnseenPair",
    "details_of",
]


class ColumnAgreement(Open):
    """Marginal agreement of one column, 0 to 1; `missing_real` is None where fewer than 11 values are missing."""

    column: StrictStr
    value: Share
    reference: Share | None = None
    measure: StrictStr
    missing_real: Share | None = None
    missing_synthetic: Share


class MarginalDetails(Open):
    """Details of `fidelity.marginals`."""

    columns: list[ColumnAgreement] = Field(default_factory=list)


class Change(Open):
    """An association, -1 to 1, in real and in synthetic rows; `change` is signed in the direction of the real one."""

    columns: Pair
    real: Correlation
    synthetic: Correlation
    change: Annotated[float, Field(ge=-2, le=2)]


class AssociationDetails(Open):
    """Details of `fidelity.associations`: the largest changes, and the mean and maximum of their size."""

    lost: list[Change] = Field(default_factory=list)
    invented: list[Change] = Field(default_factory=list)
    mean_change_synthetic: float | None = None
    mean_change_reference: float | None = None
    largest_change_synthetic: float | None = None
    largest_change_reference: float | None = None


class Pattern(Open):
    """A missingness pattern: columns missing together, and its share of rows."""

    missing: list[StrictStr]
    real: Share
    synthetic: Share


class MissingDetails(Open):
    """Details of `fidelity.missingness`."""

    patterns: list[Pattern] = Field(default_factory=list)


class ColumnImportance(Open):
    """Permutation importance of one column for the C2ST classifier: the loss of AUC."""

    column: StrictStr
    auc_drop: Annotated[float, Field(ge=-1, le=1)]


class DetectionDetails(Open):
    """Details of `fidelity.detection` (C2ST); `auc_against_train` is the memorisation check."""

    auc_against_train: float | None = None
    columns: list[ColumnImportance] = Field(default_factory=list)


class Rate(Open):
    """Success rate of an attack on `n` targets, with its interval."""

    value: Share
    low: Share
    high: Share
    n: Count


class Risk(Open):
    """Risk of an attack for a group of patients; `column` and `level` name a subgroup."""

    value: Finite | None
    low: Finite | None
    high: Finite | None
    column: StrictStr = ""
    level: StrictStr = ""


class AttackDetails(Open):
    """Details of every score of `privacy` that is an attack.

    Arguments:
        strongest_attack: name of the strongest of several attacks.
        naive_baseline: success rate of the naive baseline, which does not use the synthetic table.
        non_members: success rate on non-members (holdout patients).
        members: success rate on members (training patients).
        top_decile_outliers: risk of the top-decile outliers by nearest-neighbour distance.
        groups: risk of subgroups.
    """

    strongest_attack: StrictStr = ""
    naive_baseline: Share | None = None
    non_members: Rate | None = None
    members: Rate | None = None
    top_decile_outliers: Risk | None = None
    groups: list[Risk] = Field(default_factory=list)


class MembershipDetails(AttackDetails):
    """Details of `privacy.membership` and of the attacks on the model; `n_non_members` counts the non-members."""

    tpr_at_1_percent: Share | None = None
    tpr_at_10_percent: Share | None = None
    n_members: Count | None = None
    n_non_members: Count | None = None


class LeakDetails(Open):
    """Details of `privacy.smallest_leak`."""

    canaries: list[Canaries] = Field(default_factory=list)


class EpsilonDetails(Open):
    """Details of the lower bounds of epsilon.

    Arguments:
        estimate: of epsilon, without its error.
        most_certifiable: the largest lower bound that so many pairs allow.
        pairs: of a member and a non-member.
        guesses: pairs in which the attacker did not abstain.
        correct: right guesses.
        delta: of the differential privacy.
        strongest_attack: the attack with the largest bound.
    """

    estimate: Finite | None = None
    most_certifiable: Finite | None = None
    pairs: Count | None = None
    guesses: Count | None = None
    correct: Count | None = None
    delta: Finite | None = None
    strongest_attack: StrictStr = ""


class CopyDetails(Open):
    """Details of `privacy.copies`; `copied_rows` has the numbers, from 1, of at most 100 copies."""

    copies: Count | None = None
    copies_of_repeated_rows: Count | None = None
    whole_table: bool = False
    copied_rows: list[Count] = Field(default_factory=list)


class BrokenRule(Open):
    """Counts of rows that break one rule; `real` is None for 1 to 10 rows."""

    rule: StrictStr
    synthetic: Count
    real: Count | None


class RuleDetails(Open):
    """Details of `validity.rules`."""

    rules: list[BrokenRule] = Field(default_factory=list)
    declared: Count | None = None


class ColumnShift(Open):
    """Distance of one column from the real one; `shifts` of percentiles 1, 5, 95, 99 in real interquartile ranges."""

    column: StrictStr
    value: Finite
    reference: Finite | None = None
    shifts: list[Finite | None] = Field(default_factory=list)


class ColumnDetails(Open):
    """Details of `fidelity.tails`, `fidelity.heaping` and `fidelity.wasserstein`."""

    columns: list[ColumnShift] = Field(default_factory=list)


class RareLevel(Open):
    """A rare level; `log_ratio` is the log of its synthetic over its real share."""

    column: StrictStr
    level: StrictStr
    log_ratio: Finite


class RareDetails(Open):
    """Details of `fidelity.rare_levels`; `coverage` is the share of rare levels that occur in synthetic rows."""

    coverage: Share | None = None
    levels: list[RareLevel] = Field(default_factory=list)


class Agreement(Open):
    """Agreement of the joint distribution of several columns, 0 to 1."""

    columns: list[StrictStr]
    value: Share
    reference: Share | None = None


class JointDetails(Open):
    """Details of `fidelity.pairs` and `fidelity.triples`."""

    worst: list[Agreement] = Field(default_factory=list)


class UnseenPair(Open):
    """A category pair unseen in training, and its count of synthetic rows."""

    columns: Pair
    levels: Pair
    rows: Count


class UnseenDetails(Open):
    """Details of `fidelity.unseen_pairs`."""

    pairs: list[UnseenPair] = Field(default_factory=list)


class MissingnessCorrelation(Open):
    """Rank correlation of a column, or one level of it, with the missingness indicator of another column."""

    missing: StrictStr
    column: StrictStr
    level: StrictStr | None = None
    real: Correlation
    synthetic: Correlation


class DependenceDetails(Open):
    """Details of `fidelity.missing_dependence`."""

    correlations: list[MissingnessCorrelation] = Field(default_factory=list)


DETAILS_BY_NAME: dict[str, type[BaseModel]] = {
    "fidelity.associations": AssociationDetails,
    "fidelity.detection": DetectionDetails,
    "fidelity.heaping": ColumnDetails,
    "fidelity.marginals": MarginalDetails,
    "fidelity.missing_dependence": DependenceDetails,
    "fidelity.missingness": MissingDetails,
    "fidelity.pairs": JointDetails,
    "fidelity.rare_levels": RareDetails,
    "fidelity.tails": ColumnDetails,
    "fidelity.triples": JointDetails,
    "fidelity.unseen_pairs": UnseenDetails,
    "fidelity.wasserstein": ColumnDetails,
    "privacy.copies": CopyDetails,
    "privacy.epsilon_lower_bound": EpsilonDetails,
    "privacy.table_epsilon_lower_bound": EpsilonDetails,
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
    """Return the type of the details of the score `name`, or None where no page uses them."""
    return DETAILS_BY_NAME.get(name, DETAILS_BY_GROUP.get(name.partition(".")[0]))
