"""Sentences of page one that several kinds of score share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.language import tr
from synthclin.wording import number

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score

__all__ = ["reference_reached"]


def reference_reached(score: Score) -> str:
    """Return the real-data reference as a sentence, or nothing without one."""
    if score.reference is None:
        return ""
    return tr("Holdout rows reach {reference}.", reference=number(score.reference))
