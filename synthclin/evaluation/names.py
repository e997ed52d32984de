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
    "subgroup_names",
]

Tier = Literal["quick", "standard", "full"]
"""How hard a run attacks what it made."""

SCORE_NAMES = (
    "validity.rules",
    "fidelity.marginals",
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
