"""The names of the scores of every run, known without loading what computes them: a misspelt gate costs no training."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "HEADLINES",
    "MODEL_SCORES",
    "RULED_NAMES",
    "SCORE_NAMES",
    "SHADOW_SCORES",
    "TRIAL_NAMES",
    "Tier",
    "hazard_names",
    "outcome_name",
    "representation_name",
    "subgroup_names",
    "survival_names",
]

Tier = Literal["quick", "standard", "full"]
"""How hard a run attacks what it made."""

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
    "privacy.recognition",
    "privacy.relative_f1",
    "privacy.singling_out",
    "privacy.linkability",
    "privacy.attribute_inference",
    "privacy.identity_disclosure",
    "privacy.replicated_uniques",
    "privacy.disclosive_keys",
    "privacy.smallest_leak",
    "sdmetrics.quality",
    "sdmetrics.diagnostic",
)
TRIAL_NAMES = ("fidelity.balance",)
"""Scores of a table with a randomised arm."""

RULED_NAMES = ("validity.raw_rules",)
"""Scores of a run whose schema has rules to impose."""

MODEL_SCORES = ("privacy.model_membership",)
"""Scores of a run that take its model, which a table alone does not give."""

SHADOW_SCORES = ("privacy.shadow_table", "privacy.shadow_model")
"""Scores of a run whose audit trains shadow models."""

HEADLINES = ("marginals", "pairs", "detection")
"""Scores of the group fidelity that are computed again for each subgroup."""


def subgroup_names(by: str) -> tuple[str, ...]:
    """Return the names of the scores of the groups of one column.

    Example:
        >>> subgroup_names("sex")
        ('subgroups.sex.marginals', 'subgroups.sex.pairs', 'subgroups.sex.detection')
    """
    return tuple(f"subgroups.{by}.{headline}" for headline in HEADLINES)


def survival_names(event: str) -> tuple[str, ...]:
    """Return the names of the scores of a survival task, beside its analysis.

    Example:
        >>> survival_names("died")[:2]
        ('survival.curve.died', 'survival.optimism.died')
    """
    measures = ("curve", "optimism", "short_sight", "restricted_mean", "censoring", "incidence")
    return tuple(f"survival.{measure}.{event}" for measure in measures)


def hazard_names(event: str) -> tuple[str, str, str, str]:
    """Return the names of the scores of a Cox regression, beside its analysis."""
    return (
        f"survival.hazards.{event}",
        f"survival.proportional.{event}",
        f"survival.concordance.{event}",
        f"survival.brier.{event}",
    )


def representation_name(by: str) -> str:
    """Return the name of the score of how large the groups of one column are."""
    return f"subgroups.{by}.representation"


def outcome_name(by: str, measure: str, target: str) -> str:
    """Return the name of a score of one target within the groups of one column.

    Example:
        >>> outcome_name("sex", "prevalence", "died")
        'subgroups.sex.prevalence.died'
    """
    return f"subgroups.{by}.{measure}.{target}"
