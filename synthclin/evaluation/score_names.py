"""The names of the scores of tasks and of groups, which hold the name of a column."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "SURVIVAL_HEADLINES",
    "SURVIVAL_MEASURES",
    "Tier",
    "hazard_names",
    "outcome_name",
    "representation_name",
    "survival_name",
    "survival_names",
    "treatment_name",
    "within",
]

Tier = Literal["quick", "standard", "full"]
"""How many privacy attacks a run makes on its own output."""

SURVIVAL_MEASURES = ("curve", "optimism", "premature_end", "rmst", "censoring", "incidence")
"""What the scores of a survival task measure: Kaplan-Meier curve, survival optimism and premature follow-up end (both
SurvivalGAN: Norcliffe et al., AISTATS 2023), RMST, censoring, cumulative incidence."""

SURVIVAL_HEADLINES = ("curve", "rmst")
"""Those of them that are repeated in each subgroup."""


def within(by: str, score: str) -> str:
    """Return the name that a score of the whole table has within the groups of one column.

    Example:
        >>> within("sex", "fidelity.pairs"), within("sex", "survival.curve.died")
        ('subgroups.sex.pairs', 'subgroups.sex.curve.died')
    """
    return f"subgroups.{by}.{score.partition('.')[2]}"


def survival_names(event: str) -> tuple[str, ...]:
    """Return the names of the scores of a survival task, beside its analysis.

    Example:
        >>> survival_names("died")[:2]
        ('survival.curve.died', 'survival.optimism.died')
    """
    return tuple(survival_name(measure, event) for measure in SURVIVAL_MEASURES)


def survival_name(measure: str, event: str) -> str:
    """Return the name of one score of a survival task."""
    return f"survival.{measure}.{event}"


def hazard_names(event: str) -> tuple[str, str, str, str]:
    """Return the names of the scores of a Cox regression, beside its analysis."""
    return (
        f"survival.hazards.{event}",
        f"survival.proportional.{event}",
        f"survival.concordance.{event}",
        f"survival.brier.{event}",
    )


def treatment_name(analysis: str) -> str:
    """Return the name of the score of the treatment's effect in an analysis.

    Example:
        >>> treatment_name("inference.cox.died")
        'treatment.cox.died'
    """
    return f"treatment.{analysis.partition('.')[2]}"


def representation_name(by: str) -> str:
    """Return the name of the score of the group sizes of one column."""
    return f"subgroups.{by}.representation"


def outcome_name(by: str, measure: str, target: str) -> str:
    """Return the name of a score of one target within the groups of one column.

    Example:
        >>> outcome_name("sex", "prevalence", "died")
        'subgroups.sex.prevalence.died'
    """
    return f"subgroups.{by}.{measure}.{target}"
