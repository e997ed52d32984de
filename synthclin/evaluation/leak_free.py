"""The value of an attack without leakage, which only non-members give, and the attack's difference from it."""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING

from synthclin.evaluation.score import Interval, Z

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score

__all__ = ["beyond_leak_free", "difference", "leak_free"]


def leak_free(score: Score, null: float) -> tuple[float, float]:
    """Return the value of an attack without leakage, and its standard error: chance `null`, or a worse reference."""
    if score.reference is None:
        return null, 0.0
    return max(null, score.reference), score.reference_error or 0.0


def difference(score: Score, null: float) -> Interval:
    """Return the 95 % interval of an attack's difference from its value without leakage.

    The two intervals are combined (MOVER: Zou and Donner, Stat Med 27:1693-1702, 2008).

    Example:
        >>> from synthclin.evaluation.score import Score
        >>> known = {"baseline": None, "reference": 0.53, "reference_error": 0.03 / 1.96}
        >>> score = Score("privacy.membership", "?", 0.6, 0.56, 0.64, "lower", n=100, method="AUC", **known)
        >>> low, high = difference(score, 0.5)
        >>> round(low, 3), round(high, 3)
        (0.02, 0.12)
    """
    value, error = leak_free(score, null)
    between = score.value - value
    return Interval(
        between - hypot(score.value - score.low, Z * error), between + hypot(score.high - score.value, Z * error)
    )


def beyond_leak_free(score: Score, null: float) -> bool:
    """Return whether an attack is beyond chance, and beyond holdout rows where these are beyond chance too."""
    value, error = leak_free(score, null)
    return score.low > null and (value - Z * error <= null or difference(score, null).low > 0)
