"""Lower bound of epsilon from the guesses of one run."""

from __future__ import annotations

from math import exp

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

__all__ = ["epsilon_bound"]

_MOST_EPSILON = 50.0


def epsilon_bound(trials: int, guesses: int, correct: int, *, error: float = 0.05, delta: float = 1e-5) -> float:
    """Return the largest epsilon that so many right guesses reject; 0 where they reject none.

    Under (epsilon, delta)-differential privacy the number of right guesses is stochastically no larger than binomial
    with e^eps / (1 + e^eps), but for a probability that rises with delta (Steinke, Nasr and Jagielski, NeurIPS
    2023, arXiv:2305.08846).

    Arguments:
        trials: number of fair coins: canaries that are present or absent, or pairs in which either patient is the
            member.
        guesses: number of coins about which the attacker did not abstain.
        correct: number of right guesses.
        error: probability that the bound exceeds epsilon.
        delta: of the differential privacy.

    Example:
        >>> round(epsilon_bound(100, 100, 100), 2), round(epsilon_bound(100, 100, 75), 2), epsilon_bound(100, 100, 50)
        (3.49, 0.7, 0.0)
    """

    def excess(epsilon: float) -> float:
        return _p_value(trials, guesses, correct, epsilon, delta) - error

    if not guesses or excess(0.0) >= 0:
        return 0.0
    if excess(_MOST_EPSILON) < 0:
        return _MOST_EPSILON
    return float(brentq(excess, 0.0, _MOST_EPSILON, xtol=1e-6))


def _p_value(trials: int, guesses: int, correct: int, epsilon: float, delta: float) -> float:
    """Return the probability of as many right guesses or more."""
    right = 1 / (1 + exp(-epsilon))
    tail = float(binom.sf(correct - 1, guesses, right))
    below = np.cumsum(binom.pmf(np.arange(correct - 1, -1, -1), guesses, right)) / np.arange(1, correct + 1)
    return min(1.0, tail + float(below.max(initial=0.0)) * 2 * trials * delta)
