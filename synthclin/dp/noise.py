"""Noise of differential privacy: the discrete Gaussian and the exponential mechanism of OpenDP.

This is the only module that imports OpenDP. Noise comes from the entropy of the operating system; nothing is seeded.
Both mechanisms take integers and sample exactly, so no floating-point error weakens them (Mironov 2012).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from synthclin.dp.ledger import require_rho
from synthclin.errors import ConfigError

__all__ = ["Gaussian", "NoisyMax", "expected_noise", "gaussian", "noisy_max", "opendp_library"]

_ABOVE = (
    1 + 1e-9
)  # the scale is rounded up by this factor, so that shares of a budget fit into it whatever the rounding
_MOST = 2**62


@dataclass(frozen=True)
class Gaussian:
    """Discrete Gaussian mechanism on integer counts.

    Arguments:
        sd: the scale of the noise, its standard deviation.
        cost: its rho of zCDP, by OpenDP's privacy map.
    """

    sd: float
    cost: float
    _release: Callable[[list[int]], list[int]]

    def release(self, counts: np.ndarray) -> np.ndarray:
        """Return integer counts of any shape with independent noise in each cell."""
        flat = self._release(counts.ravel().tolist())
        return np.asarray(flat, np.int64).reshape(counts.shape)


@dataclass(frozen=True)
class NoisyMax:
    """Exponential mechanism over integer scores: the larger a score, the likelier its index.

    Arguments:
        scale: P(index) is proportional to exp(score / scale).
        cost: its rho of zCDP, by OpenDP's privacy map.
    """

    scale: float
    cost: float
    _release: Callable[[list[int]], int]

    def release(self, scores: np.ndarray) -> int:
        """Return one index into the scores."""
        return int(self._release(scores.tolist()))


def gaussian(rho: float, sensitivity: int) -> Gaussian:
    """Return the discrete Gaussian mechanism whose cost is at most `rho`, within a relative 1e-8.

    Arguments:
        rho: the largest cost, of zCDP.
        sensitivity: the L2 sensitivity of the counts; sd = sensitivity / sqrt(2 rho).

    Source: Canonne, Kamath and Steinke 2020, arXiv 2004.00010.

    Raises:
        ConfigError: OpenDP is absent, or an argument is out of its bounds.

    Example:
        >>> mechanism = gaussian(0.005, sensitivity=1)
        >>> round(mechanism.sd, 6), round(mechanism.cost, 6)
        (10.0, 0.005)
        >>> mechanism.release(np.zeros((2, 3), np.int64)).shape
        (2, 3)
    """
    scale = _scale(rho, sensitivity)
    dp = opendp_library()
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    measurement = dp.m.make_gaussian(*space, scale=scale)
    return Gaussian(scale, _within(measurement.map(float(sensitivity)), rho), measurement)


def noisy_max(rho: float, sensitivity: int) -> NoisyMax:
    """Return the exponential mechanism whose cost is at most `rho`, within a relative 1e-8.

    Arguments:
        rho: the largest cost, of zCDP; an exponential mechanism of epsilon costs epsilon ** 2 / 8.
        sensitivity: the largest change of a score.

    Source: McSherry and Talwar 2007; Cesar and Rogers 2021, arXiv 2004.07223, for its zCDP.

    Raises:
        ConfigError: OpenDP is absent, or an argument is out of its bounds.

    Example:
        >>> noisy_max(0.5, sensitivity=1).release(np.array([0, 100, 3]))
        1
    """
    scale = _scale(rho, sensitivity)
    dp = opendp_library()
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.linf_distance(T="i64")
    measurement = dp.m.make_noisy_max(*space, dp.zero_concentrated_divergence(), scale=scale)
    return NoisyMax(scale, _within(measurement.map(sensitivity), rho), measurement)


def expected_noise(rho: float, sensitivity: int) -> float:
    """Return the mean absolute noise of one cell, E|N(0, sd)|, of the mechanism `gaussian`.

    Example:
        >>> round(expected_noise(0.005, sensitivity=1), 2)  # sd 10
        7.98
    """
    return math.sqrt(2 / math.pi) * _scale(rho, sensitivity)


def _scale(rho: float, sensitivity: int) -> float:
    if not (isinstance(sensitivity, int) and 1 <= sensitivity < _MOST):
        raise ConfigError("dp: sensitivity", "must be a whole number of at least 1", "Count rows per patient.")
    return sensitivity / math.sqrt(2 * require_rho(rho, "dp: noise")) * _ABOVE


def _within(cost: float, rho: float) -> float:
    if not rho * (1 - 1e-8) <= cost <= rho:
        what = "OpenDP states another cost than the formula of the mechanism"
        raise ConfigError("dp: noise", what, 'Install the tested version: pip install "synthclin[dp]".')
    return float(cost)


@cache
def opendp_library() -> Any:  # noqa: ANN401 (OpenDP is optional, and so are its types)
    """Return OpenDP, loaded on first use; raises ConfigError where it is absent."""
    try:
        prelude = importlib.import_module("opendp.prelude")
    except ImportError:
        what = "differential privacy needs the package opendp, which is absent"
        raise ConfigError("dp", what, 'Install it: pip install "synthclin[dp]".') from None
    prelude.enable_features("contrib")
    return prelude
