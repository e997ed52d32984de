"""The names of the scores, apart from the code that computes them: a misspelt gate is found before any training."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "EPSILON_SCORES",
    "HEADLINES",
    "MODEL_SCORES",
    "RULED_NAMES",
    "SCORE_NAMES",
    "SHADOW_SCORES",
    "SURVIVAL_HEADLINES",
    "SURVIVAL_MEASURES",
    "TRIAL_NAMES",
    "Tier",
    "hazard_names",
    "outcome_name",
    "representation_name",
    "subgroup_names",
    "survival_names",
    "treatment_name",
    "within",
]

Tier = Literal["quick", "standard", "full"]
"""How many privacy attacks a run makes on its own output."""

SCORE_NAMES = (
    "validity.rules",
    "fidelity.marginals",
    "fidelity.wasserstein",
    "fidelity.tails",
    "fidelity.heaping",
    "fidelity.rare_levels",
    "fidelity.pairs",
    "fidelity.triples",
    "fidelity.associations",
    "fidelity.unseen_pairs",
    "fidelity.missingness",
    "fidelity.missing_dependence",
    "fidelity.propensity",
    "fidelity.precision",
    "fidelity.recall",
    "fidelity.detection",
    "fidelity.logistic_detection",
    "privacy.copies",
    "privacy.near_copies",
    "privacy.membership",
    "privacy.membership_tpr",
    "privacy.relative_f1",
    "privacy.singling_out",
    "privacy.linkability",
    "privacy.attribute_inference",
    "privacy.identity_disclosure",
    "privacy.replicated_uniques",
    "privacy.disclosive_keys",
    "privacy.table_epsilon_lower_bound",
    "privacy.smallest_leak",
    "sdmetrics.quality",
    "sdmetrics.diagnostic",
)
TRIAL_NAMES = ("fidelity.balance",)
"""Scores of a table with a randomised arm."""

RULED_NAMES = ("validity.raw_rules",)
"""Scores of a run whose schema has rules that the sampler imposes."""

MODEL_SCORES = ("privacy.model_membership", "privacy.epsilon_lower_bound")
"""Scores of a run that need its model; a table alone is not enough."""

EPSILON_SCORES = ("privacy.epsilon_lower_bound", "privacy.table_epsilon_lower_bound")
"""Lower bounds of epsilon, from the model and from the table; they are no AUC."""

SHADOW_SCORES = ("privacy.shadow_table", "privacy.shadow_model")
"""Scores of a run whose audit trains shadow models."""

HEADLINES = (
    "validity.rules",
    "fidelity.marginals",
    "fidelity.pairs",
    "fidelity.associations",
    "fidelity.missingness",
    "fidelity.propensity",
    "fidelity.detection",
)
"""Scores of the whole table that are repeated in each subgroup; a task adds its own."""

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


def subgroup_names(by: str) -> tuple[str, ...]:
    """Return the names of the scores of every run in the groups of one column.

    Example:
        >>> subgroup_names("sex")[:3]
        ('subgroups.sex.rules', 'subgroups.sex.marginals', 'subgroups.sex.pairs')
    """
    return tuple(within(by, headline) for headline in HEADLINES)


def survival_names(event: str) -> tuple[str, ...]:
    """Return the names of the scores of a survival task, beside its analysis.

    Example:
        >>> survival_names("died")[:2]
        ('survival.curve.died', 'survival.optimism.died')
    """
    return tuple(f"survival.{measure}.{event}" for measure in SURVIVAL_MEASURES)


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
