"""Interval arithmetic: the least and greatest result for operands within bounds (Moore 1966, Interval Analysis).

Rounded sums, products, quotients and roots are monotone like the exact ones, so the bounds are exact to the last bit.
Powers, exponentials and logarithms are not, and their intervals are widened by a small tolerance.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.expressions.value_sets import ValueInterval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["FUNCTIONS", "OPERATORS", "negative"]

_TOLERANCE = 1e-12
"""An upper bound of the relative error of a power, an exponential or a logarithm."""


def negative(interval: ValueInterval) -> ValueInterval:
    """Return the interval with the opposite sign."""
    return ValueInterval(-interval.high, -interval.low, interval.present, interval.missing)


def _bounded(low: Floats, high: Floats, *sources: ValueInterval, lost: Bools | bool = False) -> ValueInterval:
    """Return the interval between two ends; `lost` where there may be no finite result, which counts as missing."""
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    present = reduce(np.logical_and, (source.present for source in sources))
    missing = reduce(np.logical_or, (source.missing for source in sources))
    return ValueInterval(low, high, present, missing | lost | ~np.isfinite(low) | ~np.isfinite(high))


def _corners(operation: Callable[[Any, Any], Any], left: ValueInterval, right: ValueInterval) -> tuple[Floats, Floats]:
    """Return least and greatest of the results at the four corners; 0 times no limit is 0."""
    ends = [operation(one, two) for one in (left.low, left.high) for two in (right.low, right.high)]
    ends = [np.where(np.isnan(end), 0.0, end) for end in np.broadcast_arrays(*ends)]
    return np.min(ends, axis=0), np.max(ends, axis=0)


def _widened(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    return low - _TOLERANCE * np.abs(low), high + _TOLERANCE * np.abs(high)


def _add(left: ValueInterval, right: ValueInterval) -> ValueInterval:
    return _bounded(left.low + right.low, left.high + right.high, left, right)


def _subtract(left: ValueInterval, right: ValueInterval) -> ValueInterval:
    return _bounded(left.low - right.high, left.high - right.low, left, right)


def _multiply(left: ValueInterval, right: ValueInterval) -> ValueInterval:
    return _bounded(*_corners(np.multiply, left, right), left, right)


def _divide(left: ValueInterval, right: ValueInterval) -> ValueInterval:
    through = (right.low <= 0) & (right.high >= 0)
    low, high = _corners(np.divide, left, right)
    return _bounded(np.where(through, -np.inf, low), np.where(through, np.inf, high), left, right, lost=through)


def _power(base: ValueInterval, exponent: ValueInterval) -> ValueInterval:
    fixed = (exponent.low == exponent.high) & (exponent.low == np.rint(exponent.low)) & (exponent.low >= 0)
    # Above zero a power is monotone in either argument; below, only where the exponent is one whole number.
    monotone = (base.low > 0) | fixed
    low, high = _widened(*_corners(np.power, base, exponent))
    has_minimum = fixed & (exponent.low % 2 == 0) & (base.low < 0) & (base.high > 0)
    low = np.where(has_minimum, np.minimum(low, 0.0), low)
    power = _bounded(np.where(monotone, low, -np.inf), np.where(monotone, high, np.inf), base, exponent, lost=~monotone)
    # Anything to the power 0 is 1, and so is 1 to any power: even where the other number is missing.
    return replace(power, present=np.ones_like(power.present))


def _rising(function: Callable[[Any], Any], interval: ValueInterval) -> ValueInterval:
    return _bounded(function(interval.low), function(interval.high), interval)


def _absolute(interval: ValueInterval) -> ValueInterval:
    ends = np.abs(interval.low), np.abs(interval.high)
    through = (interval.low <= 0) & (interval.high >= 0)
    return _bounded(np.where(through, 0.0, np.minimum(*ends)), np.maximum(*ends), interval)


def _exponential(interval: ValueInterval) -> ValueInterval:
    return _bounded(*_widened(np.exp(interval.low), np.exp(interval.high)), interval)


def _logarithm(interval: ValueInterval) -> ValueInterval:
    # The logarithm of 1 + 1e-16 is no larger than its own error.
    low, high = np.log(np.maximum(interval.low, 0)) - _TOLERANCE, np.log(np.maximum(interval.high, 0)) + _TOLERANCE
    return _bounded(*_widened(low, high), interval, lost=interval.low <= 0)


def _root(interval: ValueInterval) -> ValueInterval:
    return _bounded(
        np.sqrt(np.maximum(interval.low, 0)), np.sqrt(np.maximum(interval.high, 0)), interval, lost=interval.low < 0
    )


def _round(interval: ValueInterval, decimals: ValueInterval | None = None) -> ValueInterval:
    places = 0 if decimals is None else int(decimals.low)
    return _bounded(np.round(interval.low, places), np.round(interval.high, places), interval)


def _extreme(choose: Callable[[Any, Any], Any]) -> Callable[..., ValueInterval]:
    def extreme(*intervals: ValueInterval) -> ValueInterval:
        return _bounded(
            reduce(choose, (interval.low for interval in intervals)),
            reduce(choose, (interval.high for interval in intervals)),
            *intervals,
        )

    return extreme


OPERATORS: dict[type[ast.operator], Callable[[ValueInterval, ValueInterval], ValueInterval]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.Pow: _power,
}
FUNCTIONS: dict[str, Callable[..., ValueInterval]] = {
    "abs": _absolute,
    "exp": _exponential,
    "floor": lambda interval: _rising(np.floor, interval),
    "log": _logarithm,
    "max": _extreme(np.maximum),
    "min": _extreme(np.minimum),
    "round": _round,
    "sqrt": _root,
}
