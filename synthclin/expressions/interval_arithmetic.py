"""Arithmetic on spans: the least and greatest result of numbers that are known to lie between bounds.

Rounded sums, products, quotients and roots rise with their arguments as exact ones do, so their ends are those of
the results to the last bit. Powers, exponentials and logarithms carry no such promise and get a little room.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.expressions.value_sets import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["FUNCTIONS", "OPERATORS", "negative"]

_ROOM = 1e-12
"""Relative error of a power, an exponential or a logarithm, with much to spare."""


def negative(span: Span) -> Span:
    """Return the span of the numbers with the other sign."""
    return Span(-span.high, -span.low, span.present, span.missing)


def _bounded(low: Floats, high: Floats, *sources: Span, lost: Bools | bool = False) -> Span:
    """Return the span between two ends; `lost` where there may be no finite result, which counts as missing."""
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    present = reduce(np.logical_and, (source.present for source in sources))
    missing = reduce(np.logical_or, (source.missing for source in sources))
    return Span(low, high, present, missing | lost | ~np.isfinite(low) | ~np.isfinite(high))


def _corners(operation: Callable[[Any, Any], Any], left: Span, right: Span) -> tuple[Floats, Floats]:
    """Return least and greatest of the results at the four corners; 0 times no limit is 0."""
    ends = [operation(one, two) for one in (left.low, left.high) for two in (right.low, right.high)]
    ends = [np.where(np.isnan(end), 0.0, end) for end in np.broadcast_arrays(*ends)]
    return np.min(ends, axis=0), np.max(ends, axis=0)


def _roomy(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    return low - _ROOM * np.abs(low), high + _ROOM * np.abs(high)


def _add(left: Span, right: Span) -> Span:
    return _bounded(left.low + right.low, left.high + right.high, left, right)


def _subtract(left: Span, right: Span) -> Span:
    return _bounded(left.low - right.high, left.high - right.low, left, right)


def _multiply(left: Span, right: Span) -> Span:
    return _bounded(*_corners(np.multiply, left, right), left, right)


def _divide(left: Span, right: Span) -> Span:
    through = (right.low <= 0) & (right.high >= 0)
    low, high = _corners(np.divide, left, right)
    return _bounded(np.where(through, -np.inf, low), np.where(through, np.inf, high), left, right, lost=through)


def _power(base: Span, exponent: Span) -> Span:
    fixed = (exponent.low == exponent.high) & (exponent.low == np.rint(exponent.low)) & (exponent.low >= 0)
    # Above zero a power is monotone in either argument; below, only where the exponent is one whole number.
    tame = (base.low > 0) | fixed
    low, high = _roomy(*_corners(np.power, base, exponent))
    even_turn = fixed & (exponent.low % 2 == 0) & (base.low < 0) & (base.high > 0)
    low = np.where(even_turn, np.minimum(low, 0.0), low)
    power = _bounded(np.where(tame, low, -np.inf), np.where(tame, high, np.inf), base, exponent, lost=~tame)
    # Anything to the power 0 is 1, and so is 1 to any power: even where the other number is missing.
    return replace(power, present=np.ones_like(power.present))


def _rising(function: Callable[[Any], Any], span: Span) -> Span:
    return _bounded(function(span.low), function(span.high), span)


def _absolute(span: Span) -> Span:
    ends = np.abs(span.low), np.abs(span.high)
    through = (span.low <= 0) & (span.high >= 0)
    return _bounded(np.where(through, 0.0, np.minimum(*ends)), np.maximum(*ends), span)


def _exponential(span: Span) -> Span:
    return _bounded(*_roomy(np.exp(span.low), np.exp(span.high)), span)


def _logarithm(span: Span) -> Span:
    # The logarithm of 1 + 1e-16 is no larger than its own error.
    low, high = np.log(np.maximum(span.low, 0)) - _ROOM, np.log(np.maximum(span.high, 0)) + _ROOM
    return _bounded(*_roomy(low, high), span, lost=span.low <= 0)


def _root(span: Span) -> Span:
    return _bounded(np.sqrt(np.maximum(span.low, 0)), np.sqrt(np.maximum(span.high, 0)), span, lost=span.low < 0)


def _round(span: Span, decimals: Span | None = None) -> Span:
    places = 0 if decimals is None else int(decimals.low)
    return _bounded(np.round(span.low, places), np.round(span.high, places), span)


def _extreme(choose: Callable[[Any, Any], Any]) -> Callable[..., Span]:
    def extreme(*spans: Span) -> Span:
        return _bounded(
            reduce(choose, (span.low for span in spans)), reduce(choose, (span.high for span in spans)), *spans
        )

    return extreme


OPERATORS: dict[type[ast.operator], Callable[[Span, Span], Span]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.Pow: _power,
}
FUNCTIONS: dict[str, Callable[..., Span]] = {
    "abs": _absolute,
    "exp": _exponential,
    "floor": lambda span: _rising(np.floor, span),
    "log": _logarithm,
    "max": _extreme(np.maximum),
    "min": _extreme(np.minimum),
    "round": _round,
    "sqrt": _root,
}
