"""Privacy budget: epsilon and delta of differential privacy, and rho of zero-concentrated differential privacy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from scipy.optimize import minimize_scalar

from synthclin.errors import ConfigError

__all__ = ["MOST_DELTA", "MOST_EPSILON", "Budget", "epsilon_of"]

MOST_EPSILON = 100.0
"""The largest epsilon; far above any that protects."""

MOST_DELTA = 1e-3
"""The largest delta; a mechanism that publishes a row with this probability may still satisfy the definition."""

_LEAST_DELTA = 1e-100


@dataclass(frozen=True)
class Budget:
    """Total privacy loss that may be spent: (epsilon, delta)-differential privacy for one patient more or less.

    Arguments:
        epsilon: above 0 and at most 100.
        delta: above 0 and at most 0.001; at most 1 / (10 patients) is usual.

    Raises:
        ConfigError: a value is out of its bounds or no number.

    Example:
        >>> round(Budget(3, 1e-6).rho, 5)
        0.18507
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        _require("epsilon", self.epsilon, 0.0, MOST_EPSILON)
        _require("delta", self.delta, _LEAST_DELTA, MOST_DELTA)

    @cached_property
    def rho(self) -> float:
        """The largest rho of zCDP that implies the budget, rounded down; see `epsilon_of`."""
        low, high = 0.0, self.epsilon  # epsilon_of(rho) exceeds rho
        while (middle := (low + high) / 2) not in {low, high}:
            low, high = (middle, high) if epsilon_of(middle, self.delta) <= self.epsilon else (low, middle)
        return low * (1 - 1e-9)  # the minimum over alpha is found to about this accuracy


def _require(name: str, value: object, low: float, high: float) -> None:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not (known and low < value <= high):  # type: ignore[operator]  # NaN fails too
        what = f"{name} must be a number above {low:g} and at most {high:g}"
        raise ConfigError(f"dp.{name}", what, "epsilon 1 to 3 and delta 1e-6 are usual.")


def epsilon_of(rho: float, delta: float) -> float:
    """Return the epsilon at `delta` that rho-zCDP implies: the bound of Canonne, Kamath and Steinke.

    It is the minimum over alpha > 1 of the conversion from Rényi differential privacy (Proposition 12 of "The Discrete
    Gaussian for Differential Privacy", 2020, arXiv 2004.00010), tighter than rho + 2 sqrt(rho log(1 / delta)).

    Raises:
        ConfigError: rho is negative or not finite, or delta is out of its bounds.

    Example:
        >>> round(epsilon_of(0.02436, 1e-6), 3)
        1.0
        >>> epsilon_of(0, 1e-6)
        0.0
    """
    _require("delta", delta, _LEAST_DELTA, MOST_DELTA)
    if not (math.isfinite(rho) and rho >= 0):
        raise ConfigError("dp.rho", "rho must be a number of at least 0", "Take Budget(epsilon, delta).rho.")
    if rho == 0:
        return 0.0

    def bound(log_excess: float) -> float:
        excess = math.exp(log_excess)  # alpha - 1
        alpha = 1 + excess
        return rho * alpha + (-math.log(delta) - math.log(alpha)) / excess - math.log1p(1 / excess)

    centre = 0.5 * math.log(-math.log(delta) / rho)  # the minimum of rho alpha + log(1 / delta) / (alpha - 1)
    best = minimize_scalar(bound, bounds=(centre - 3, centre + 3), method="bounded", options={"xatol": 1e-9})
    return max(0.0, float(min(best.fun, bound(centre))))
