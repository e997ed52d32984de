"""The kinds of score within groups: a headline score in each group, group sizes, and the prevalence of an outcome."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from synthclin.evaluation.fidelity.estimate import AGAINST
from synthclin.evaluation.groups import GroupDetails
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.labels import column_name, level_name
from synthclin.evaluation.score_names import outcome_name, representation_name, within
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.wording import number

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score

__all__ = ["MIN_GROUP_ROWS", "MIN_ROWS", "group_kind", "prevalence_kind", "representation_kind"]

MIN_ROWS = 100
"""Training rows of a group, below which no headline score is repeated in it."""

MIN_GROUP_ROWS = 50
"""Training rows of a group, below which its size and its outcome are not compared."""


def group_kind(by: str, of: Kind[Any]) -> Kind[GroupDetails]:
    """Return the kind of a headline score in the groups of one column.

    Arguments:
        by: the column.
        of: the kind of the headline score.
    """
    column = column_name(by, 30)
    return Kind(
        name=within(by, of.name),
        question=tr(
            "{question}, in each group of '{column}'?",
            question=tr(of.question).removesuffix("?"),
            column=column_name(by, 200),
        ),
        better=of.better,
        method=tr(
            "{score} within each group of '{column}' of {rows} and more training rows, {patients} and more patients "
            "and as many synthetic rows; value, interval, independence baseline and real-data reference are those of "
            "the group with the largest deficit to its real-data reference (project convention)",
            score=of.name,
            column=by,
            rows=MIN_ROWS,
            patients=MIN_PATIENTS,
        ),
        section="subgroups",
        label=f"{tr(of.label)}, {column}",
        unit=tr("{unit}, worst subgroup", unit=tr(of.unit)),
        ideal=of.ideal,
        details=GroupDetails,
        needs=of.needs | {"groups"},
        fail_text=tr("fidelity in a subgroup of {column} is low", column=column),
        review_text=tr("fidelity in a subgroup of {column} may be low", column=column),
        action=tr("Do not use the table for this subgroup."),
        scale=of.scale,
        answer=_worst_group,
        shared=partial(
            GroupDetails.shared,
            better=of.better,
            is_fitted=of.counts is None,
            has_reference=of.counts not in {"synthetic", "public"},
        ),
        counts="real",
    )


def representation_kind(by: str) -> Kind[GroupDetails]:
    """Return the kind of score of the group sizes of one column."""
    return Kind(
        name=representation_name(by),
        question=tr("Are the groups of '{column}' as large as in the real table?", column=column_name(by, 200)),
        better="lower",
        method=(
            f"mean over groups of {MIN_GROUP_ROWS} and more training rows of the absolute logarithm of the ratio of "
            f"their shares, 0.5 added to each count, {AGAINST} (log disparity: Bhanot et al., Entropy 23:1165, 2021)"
        ),
        section="subgroups",
        label=tr("Sizes of the subgroups of {column}", column=column_name(by, 30)),
        unit="mean absolute log disparity",
        ideal=0.0,
        details=GroupDetails,
        needs=frozenset({"groups"}),
        shared=GroupDetails.shared,
        counts="real",
    )


def prevalence_kind(by: str, target: str) -> Kind[GroupDetails]:
    """Return the kind of score of the prevalence of a target in the groups of one column."""
    return Kind(
        name=outcome_name(by, "prevalence", target),
        question=tr(
            "Is '{target}' as frequent in each group of '{column}'?",
            target=column_name(target, 200),
            column=column_name(by, 200),
        ),
        better="lower",
        method=tr(
            "mean over groups of {rows} and more training rows of the largest absolute difference in the share of a "
            "level of '{target}', or in the mean of a number in real standard deviations, {against} (project "
            "convention)",
            rows=MIN_GROUP_ROWS,
            target=target,
            against=tr(AGAINST),
        ),
        section="subgroups",
        label=tr("Prevalence of {target}, {column}", target=column_name(target, 30), column=column_name(by, 30)),
        unit=tr("mean difference of shares, or of means in standard deviations"),
        ideal=0.0,
        details=GroupDetails,
        needs=frozenset({"groups", "task"}),
        shared=GroupDetails.shared,
        counts="real",
    )


def _worst_group(score: Score) -> str:
    details = score.details
    if not isinstance(details, GroupDetails) or details.worst is None:
        return ""
    group = level_name(details.column, details.worst, 30)
    worst = tr("Furthest from real: {group}, at {value}.", group=group, value=number(score.value))
    if score.reference is None:
        return worst
    return f"{worst} {tr('Holdout rows of this subgroup reach {reference}.', reference=number(score.reference))}"
