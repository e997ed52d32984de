"""Sentences of page one that several kinds of score share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.wording import number, share

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score

__all__ = ["chance_of", "reference_reached"]


def reference_reached(score: Score) -> str:
    """Return the real-data reference as a sentence, or nothing without one."""
    return "" if score.reference is None else f"Holdout rows reach {number(score.reference)}."


def chance_of(sentence: str, score: Score) -> str:
    """Return an AUC as a probability: `sentence` with the value in place of ``{}``, and that half is chance."""
    return sentence.format(share(score.value)) + "; 50\u00a0% is chance."
