"""Types of the details of attacks: success rates, risks of groups, controls and curves, and their shareable form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import StrictBool, StrictStr

from synthclin.evaluation.details import Count, Details, Finite, Share
from synthclin.evaluation.disclosure import (
    Published,
    coarse_curve,
    round_down,
    round_to,
    round_to_or_none,
    rounding_step,
    shared_count,
    shared_total,
)
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.wording import share

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score

__all__ = [
    "AttackDetails",
    "Canaries",
    "CopyDetails",
    "EpsilonDetails",
    "LeakDetails",
    "MembershipDetails",
    "NamedBound",
    "NamedCurve",
    "NearCopyDetails",
    "NegativeControl",
    "Rate",
    "RelativeF1Details",
    "Risk",
    "RiskOnly",
    "SingleAttack",
    "UniquesDetails",
    "success_rates",
]

_RISK_STEP = 0.05
_CURVE_STEP = 0.005


class Rate(Details):
    """Success rate of an attack."""

    value: Share
    """The rate."""
    low: Share
    """Lower end of its 95 % interval."""
    high: Share
    """Upper end of its 95 % interval."""
    n: Count
    """Number of targets."""

    def shared(self) -> Rate | None:
        """Return the rate rounded to steps of 11 targets; None for fewer."""
        if self.n < MIN_PATIENTS:
            return None
        size = rounding_step(self.n)
        ends = {end: min(1.0, round_to(self[end], size)) for end in ("value", "low", "high")}
        return Rate(**ends, n=shared_total(self.n))


class RiskOnly(Details):
    """Risk of an attack, with its interval."""

    value: Finite | None
    """The risk."""
    low: Finite | None
    """Lower end of its 95 % interval."""
    high: Finite | None
    """Upper end of its 95 % interval."""

    def rounded(self, size: float) -> dict[str, float | None]:
        """Return value and interval, rounded."""
        return {end: round_to_or_none(self[end], size) for end in ("value", "low", "high")}


class Risk(RiskOnly):
    """Risk of an attack for a group of patients."""

    column: StrictStr
    """The column of a subgroup; empty for the top-decile outliers."""
    level: StrictStr
    """The level of a subgroup; empty for the top-decile outliers."""
    members: Rate | None
    """Success rate on members of the group; None for an attack that only ranks."""
    non_members: Rate | None
    """Success rate on non-members of the group."""

    def shared(self) -> Risk:
        """Return the rounded risk, without success rates."""
        return Risk(column=self.column, level=self.level, members=None, non_members=None, **self.rounded(_RISK_STEP))


class NegativeControl(RiskOnly):
    """Risk of an attack with holdout rows in the place of the synthetic table."""

    rows: Count | None
    """Number of holdout rows."""


class SingleAttack(Details):
    """One of the attacks behind a score."""

    name: StrictStr
    """Name of the attack."""
    value: Finite | None
    """Its risk."""
    naive_baseline: Share | None
    """Success rate of a guess that does not use the synthetic table; None for an attack that only ranks."""
    members: Rate | None
    """Success rate on members."""
    non_members: Rate | None
    """Success rate on non-members."""


class AttackDetails(Details):
    """Details of an attack."""

    strongest_attack: StrictStr
    """Name of the strongest of several attacks."""
    naive_baseline: Share | None
    """Success rate of the naive baseline, which does not use the synthetic table."""
    members: Rate | None
    """Success rate on members (training patients); None for an attack that only ranks."""
    non_members: Rate | None
    """Success rate on non-members (holdout patients)."""
    top_decile_outliers: Risk | None
    """Risk of the top-decile outliers by nearest-neighbour distance; None where they are too few."""
    groups: list[Risk]
    """Risk of each subgroup."""
    attacks: list[SingleAttack]
    """The attacks, of which the strongest counts."""
    null: Finite
    """Value of the score without leakage."""
    negative_control: NegativeControl | None
    """The attack on holdout rows in the place of the synthetic table."""

    empty: ClassVar[dict[str, Any]] = {"strongest_attack": "", "groups": [], "attacks": []}

    @classmethod
    def of(cls, figures: dict[str, Any]) -> Self:
        """Return details of these figures; what an attack does not have is None or empty."""
        whole = dict.fromkeys(cls.model_fields) | {key: cls.empty[key] for key in cls.model_fields if key in cls.empty}
        filled = {key: _complete(key, value) for key, value in figures.items()}
        return cls.model_validate(whole | filled)

    def shared(self, published: Published) -> Self:
        """Return rounded risks and rates."""
        negative = self.negative_control
        rates = {key: None if self[key] is None else self[key].shared() for key in ("members", "non_members")}
        rounded = {
            "naive_baseline": round_to_or_none(self.naive_baseline, 0.01),
            "top_decile_outliers": None if self.top_decile_outliers is None else self.top_decile_outliers.shared(),
            "groups": [group.shared() for group in self.groups],
            "attacks": [],
            "negative_control": None if negative is None else NegativeControl(rows=None, **negative.rounded(0.01)),
        }
        return self.model_copy(update=rates | rounded | self.also_shared(published))

    def also_shared(self, _published: Published) -> dict[str, Any]:
        """Return the rounded fields of a subclass."""
        own = set(type(self).model_fields) - set(AttackDetails.model_fields)
        return {key: type(self).empty.get(key) for key in own}


class NamedCurve(Details):
    """ROC curve of one attack."""

    name: StrictStr
    """Name of the attack."""
    roc: list[tuple[Share, Share]]
    """Points (FPR, TPR)."""


class MembershipDetails(AttackDetails):
    """Details of a membership attack that ranks patients, on a table or on a model."""

    tpr_at_1_percent: Share | None
    """True positive rate at 1 % false positive rate."""
    tpr_at_10_percent: Share | None
    """True positive rate at 10 % false positive rate."""
    roc: list[tuple[Share, Share]]
    """ROC curve of the strongest attack."""
    curves: list[NamedCurve]
    """ROC curve of each attack."""
    n_members: Count | None
    """Number of attacked members."""
    n_non_members: Count | None
    """Number of attacked non-members."""
    deciles: list[RiskOnly | None]
    """AUC by decile of nearest-neighbour distance, the closest first; None where there are too few patients."""
    models: Count | None
    """Number of shadow models."""
    shadow_auc: Finite | None
    """Cross-validated AUC on members of left-out shadow models: the power of the attack."""

    empty: ClassVar[dict[str, Any]] = AttackDetails.empty | {"roc": [], "curves": [], "deciles": []}

    def also_shared(self, published: Published) -> dict[str, Any]:
        """Return the rounded fields of a membership attack."""
        n = published.holdout if self.n_non_members is None else min(published.holdout, self.n_non_members)
        return AttackDetails.also_shared(self, published) | {
            "n_members": shared_count(self.n_members),
            "n_non_members": shared_count(self.n_non_members),
            "tpr_at_10_percent": round_to_or_none(self.tpr_at_10_percent, _RISK_STEP),
            "roc": coarse_curve(self.roc, _CURVE_STEP, n),
            "curves": [NamedCurve(name=one.name, roc=coarse_curve(one.roc, _CURVE_STEP, n)) for one in self.curves],
        }


class NamedBound(Details):
    """Lower bound of epsilon by one attack."""

    name: StrictStr
    """Name of the attack."""
    value: Finite
    """The bound."""


class NearCopyDetails(AttackDetails):
    """Details of the near copies."""

    near: Count | None
    """Number of synthetic rows that are near a training row."""
    non_members_near: Share | None
    """Share of non-members that are as near a training row."""
    closeness: StrictStr
    """Which closeness raised the alarm: equal rows, distance, or shared exact values."""
    closer_to_training: RiskOnly | None
    """Share of synthetic rows that are closer to training rows than to as many holdout rows."""

    empty: ClassVar[dict[str, Any]] = AttackDetails.empty | {"closeness": ""}


class RelativeF1Details(AttackDetails):
    """Details of the matching attack."""

    by_share_of_members: dict[StrictStr, Finite] | None
    """The score where members are this share of the attacked patients."""


class UniquesDetails(AttackDetails):
    """Details of the replicated uniques."""

    unique_in_training: Rate | None
    """Share of members whose quasi-identifiers no other member has."""


class EpsilonDetails(Details):
    """Details of a lower bound of epsilon."""

    estimate: Finite
    """Epsilon of the share of right guesses, without its error."""
    most_certifiable: Finite
    """The largest lower bound that so many pairs allow."""
    pairs: Count
    """Pairs of a member and a non-member."""
    guesses: Count
    """Pairs in which the attacker did not abstain."""
    correct: Count
    """Right guesses."""
    delta: Finite
    """Delta of the differential privacy."""
    strongest_attack: StrictStr
    """The attack with the largest bound."""
    null: Finite
    """Value of the score without leakage."""
    attacks: list[NamedBound]
    """The bound of each attack."""

    def shared(self, _published: Published) -> EpsilonDetails:
        """Return the bounds rounded down, without counts of guesses."""
        return EpsilonDetails(
            estimate=round_to(self.estimate, 0.1),
            most_certifiable=round_down(self.most_certifiable, 0.1),
            pairs=0,
            guesses=0,
            correct=0,
            delta=self.delta,
            strongest_attack=self.strongest_attack,
            null=self.null,
            attacks=[],
        )


class CopyDetails(Details):
    """Details of the exact copies."""

    copies: Count | None
    """Number of synthetic rows that equal the row of one training patient; None for a suppressed number."""
    copies_of_repeated_rows: Count | None
    """Number of synthetic rows that equal a row that several training patients share."""
    whole_table: StrictBool
    """Whether the table is the training table, in its proportions."""
    copied_rows: list[Count]
    """Row numbers in the synthetic table, from 1, of at most 100 copies."""
    null: Finite
    """Value of the score without leakage."""
    negative_control: NegativeControl | None
    """The share of copies among holdout rows."""

    def shared(self, _published: Published) -> CopyDetails:
        """Return whether there is a copy, without the number."""
        return CopyDetails(
            copies=self.copies if self.copies == 0 else None,
            copies_of_repeated_rows=None,
            whole_table=self.whole_table,
            copied_rows=[],
            null=self.null,
            negative_control=None,
        )


class Canaries(Details):
    """Canaries (positive control): training rows inserted into the synthetic table."""

    share: Share
    """Their share of the synthetic rows."""
    kind: Literal["exact", "jittered"]
    """Whether they are exact copies."""
    rows: Count
    """Their number."""
    detected_by: list[StrictStr]
    """Names of the scores that detect them."""


class LeakDetails(Details):
    """Details of the positive control."""

    canaries: list[Canaries]
    """The inserted canaries."""
    false_alarms_on_table: list[StrictStr]
    """Names of the scores that raise an alarm on the table without canaries."""


def success_rates(label: str, score: Score) -> str:
    """Return the success rates of an attack on members and non-members in a sentence, or nothing without them."""
    details = score.details
    if not isinstance(details, AttackDetails) or details.members is None or details.non_members is None:
        return ""
    return tr(
        "{attack}: succeeds on {members} of members (in training), {non_members} of non-members.",
        attack=tr(label),
        members=share(details.members.value, 1),
        non_members=share(details.non_members.value, 1),
    )


def _complete(key: str, value: Any) -> Any:  # noqa: ANN401 (figures have many types)
    """Return the figures of a part with None for what the attack does not have."""
    parts: dict[str, type[Details]] = {"top_decile_outliers": Risk, "groups": Risk, "attacks": SingleAttack}
    if key not in parts or value is None:
        return value
    names = {"column": "", "level": ""} if parts[key] is Risk else {}
    fill = dict.fromkeys(parts[key].model_fields) | names
    return [fill | dict(one) for one in value] if isinstance(value, list) else fill | dict(value)
