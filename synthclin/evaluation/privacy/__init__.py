"""Privacy attacks on a synthetic table, one file each, with a positive control of their power."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.evaluation.privacy.attribute_inference import attribute_inference
from synthclin.evaluation.privacy.canaries import smallest_leak
from synthclin.evaluation.privacy.copies import copies
from synthclin.evaluation.privacy.epsilon import epsilon_lower_bound, table_epsilon
from synthclin.evaluation.privacy.identity_disclosure import identity_disclosure
from synthclin.evaluation.privacy.linkability import linkability
from synthclin.evaluation.privacy.membership import membership
from synthclin.evaluation.privacy.membership_tpr import membership_tpr
from synthclin.evaluation.privacy.model_membership import model_membership
from synthclin.evaluation.privacy.near_copies import near_copies
from synthclin.evaluation.privacy.relative_f1 import relative_f1
from synthclin.evaluation.privacy.singling_out import singling_out
from synthclin.evaluation.privacy.uniques import disclosive_keys, replicated_uniques

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthclin.evaluation.score import Score

__all__ = ["ATTACKS", "epsilon_lower_bound", "model_membership"]

ATTACKS: tuple[Callable[..., Score], ...] = (
    copies,
    near_copies,
    membership,
    membership_tpr,
    relative_f1,
    singling_out,
    linkability,
    attribute_inference,
    identity_disclosure,
    replicated_uniques,
    disclosive_keys,
    table_epsilon,
    smallest_leak,
)
