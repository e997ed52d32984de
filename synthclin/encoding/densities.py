"""Densities inside bins: uniform or truncated exponential pieces, on a linear or logarithmic scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

__all__ = ["Pieces", "rate_for_mean"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_STEEPEST = 500.0


def rate_for_mean(mean: float) -> float:
    """Return the rate of the exponential distribution on [0, 1] with this mean; 0 is the uniform distribution.

    The density is proportional to exp(-rate t). Means nearer than 1/500 to an end are taken as 1/500 away.

    Example:
        >>> rate_for_mean(0.5)
        0.0
        >>> round(rate_for_mean(0.2), 2), round(rate_for_mean(0.8), 2)
        (4.8, -4.8)
    """
    mean = min(max(mean, 1 / _STEEPEST), 1 - 1 / _STEEPEST)
    if abs(mean - 0.5) < 1e-4:
        return 0.0
    if mean > 0.5:
        return -rate_for_mean(1 - mean)

    def excess(rate: float) -> float:
        return float(1 / rate - 1 / np.expm1(rate)) - mean

    return float(brentq(excess, 1e-4, 2 * _STEEPEST / 1.5))


@dataclass(frozen=True, slots=True)
class Pieces:
    """Intervals of a line, each with a truncated exponential (at rate 0, uniform) density.

    Arguments:
        low: (pieces,) lower end.
        high: (pieces,) upper end, above `low`.
        rate: (pieces,) decay over the whole piece: the density falls by exp(-rate) from low to high.
        logarithmic: whether the density is one of the logarithm; then every end is positive.

    Example:
        >>> piece = Pieces(np.array([1.0]), np.array([100.0]), np.array([0.0]), logarithmic=True)
        >>> piece.quantile(np.array([0]), np.array([0.5])).round(6).tolist()
        [10.0]
    """

    low: Floats
    high: Floats
    rate: Floats
    logarithmic: bool

    def cdf(self, piece: Ints, value: Floats) -> Floats:
        """Return the share of each row's piece that lies below `value`, clipped to 0..1; (rows,) all."""
        low, high, rate = self._scaled(self.low)[piece], self._scaled(self.high)[piece], self.rate[piece]
        t = np.clip((self._scaled(np.clip(value, self.low[piece], self.high[piece])) - low) / (high - low), 0, 1)
        steep = np.where(rate == 0, 1.0, rate)
        return np.where(rate == 0, t, np.expm1(-steep * t) / np.expm1(-steep))

    def quantile(self, piece: Ints, share: Floats) -> Floats:
        """Return the value below which `share` of each row's piece lies; the inverse of `cdf`."""
        low, high, rate = self._scaled(self.low)[piece], self._scaled(self.high)[piece], self.rate[piece]
        steep = np.where(rate == 0, 1.0, rate)
        t = np.where(rate == 0, share, -np.log1p(share * np.expm1(-steep)) / steep)
        value = low + t * (high - low)
        return np.clip(np.exp(value) if self.logarithmic else value, self.low[piece], self.high[piece])

    def _scaled(self, value: Floats) -> Floats:
        return np.log(value) if self.logarithmic else value
