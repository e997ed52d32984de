"""Ranges of inferred numbers: around the extremes, without disclosing them, and within natural limits."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

import numpy as np

from synthclin.schema.columns import parsing
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LIMIT", "cleared", "described", "natural", "outward"]

_ROUNDING = 1e-6  # of a last decimal, which a float may miss
LIMIT = 1e150  # squares of what lies beyond overflow a float64


def natural(low: float, high: float, values: NDArray[np.float64], *, percent: bool) -> tuple[float, float]:
    """Return rounded bounds within the natural limits of the numbers that they are around.

    Numbers from 0 to 1 are shares, and those from -1 to 1 on both sides of 0 coefficients, where a rounded bound lies
    beyond 1; percentages end at 100. Numbers of 0 and above never get a bound below 0 (`outward`).

    Arguments:
        low: the lower bound.
        high: the upper bound.
        values: (values,) distinct, rising.
        percent: whether the column is one of percentages.

    Example:
        >>> natural(0.0, 1.05, np.array([0.02, 0.98]), percent=False)
        (0.0, 1.0)
        >>> natural(40.0, 105.0, np.array([45.0, 98.0]), percent=True)
        (40.0, 100.0)
    """
    first, last = float(values[0]), float(values[-1])
    if first >= 0 and last <= 1 < high:
        return low, 1.0
    if low < -1 <= first < 0 < last <= 1 < high:
        return -1.0, 1.0
    if percent and first >= 0 and last <= 100 < high:
        return low, 100.0
    return low, high


def described(bounds: tuple[float, float], rounded: tuple[float, float], people: NDArray[np.intp]) -> str:
    """Return the evidence on a range.

    Arguments:
        bounds: the range.
        rounded: the bounds before natural limits.
        people: (values,) the number of patients with each value, those of the lowest first.

    Example:
        >>> described((0.0, 1.0), (0.0, 1.05), np.array([40, 1, 1]))
        'range: the lowest number, which many cells share, and 1, where such numbers end'
    """
    shared = "number, which many cells share"
    ends = []
    for bound, before, some, extreme in zip(
        bounds, rounded, (people[0], people[-1]), ("lowest", "highest"), strict=True
    ):
        if bound != before:
            ends.append(f"{bound:g}, where such numbers end")
        elif some >= MIN_PATIENTS:
            ends.append(f"the {extreme} {shared}")
        else:
            ends.append(f"the {extreme} number, rounded outward")
    if min(people[0], people[-1]) >= MIN_PATIENTS and bounds == rounded:
        return "range: the extremes, which many cells share"
    if max(people[0], people[-1]) < MIN_PATIENTS and bounds == rounded:
        return "range: the extremes, rounded outward"
    if bounds[0] != rounded[0] and bounds[1] != rounded[1]:
        return f"range: {bounds[0]:g} and {bounds[1]:g}, where such numbers end"
    return f"range: {ends[0]}, and {ends[1]}"


def outward(values: NDArray[np.float64], people: NDArray[np.intp], last: float) -> tuple[float, float]:
    """Return bounds around all numbers that disclose no extreme patient.

    An extreme of many patients, such as the end of a scale, is a bound. Any other is rounded outward to a grid of
    1, 2 or 5 times a power of ten, at most twenty steps of it inside the span and one at least five last decimals, and
    then moved by one more step, but not across 0. So each bound is the same for five extremes or more.

    Arguments:
        values: (values,) float64, distinct, rising.
        people: (values,) the number of patients with each.
        last: their rounding unit.

    Example:
        >>> outward(np.arange(64.0, 72.0), np.full(8, 5), 1.0), outward(np.arange(0.0, 31.0), np.full(31, 40), 1.0)
        ((55.0, 80.0), (0.0, 30.0))
    """
    low, high = float(values[0]), float(values[-1])
    least = max(Decimal(high - low) / 20, 5 * Decimal(str(last)))
    power = Decimal(10) ** least.adjusted()
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= least)
    if people[0] < MIN_PATIENTS:
        below = float(((Decimal(low) / step).to_integral_value(ROUND_FLOOR) - 1) * step)
        low = max(min(below, low), 0.0 if low >= 0 else -LIMIT)
    if people[-1] < MIN_PATIENTS:
        above = float(((Decimal(high) / step).to_integral_value(ROUND_CEILING) + 1) * step)
        high = min(max(above, high), 0.0 if high <= 0 else LIMIT)
    return low, high


def cleared(
    low: float, high: float, values: NDArray[np.float64], codes: list[float], decimals: int
) -> tuple[float, float]:
    """Return bounds tightened to exclude missing-value codes; `decimals` are those of the column."""
    # A cell that single precision can hold is read as it was written, such as 32.63672 for 32.63671875.
    with np.errstate(over="ignore"):
        single = values[[0, -1]].astype(np.float32)
    written = np.where(single == values[[0, -1]], parsing.shortest(single), values[[0, -1]])
    low, high = min(low, float(written[0])), max(high, float(written[1]))
    # An extreme of more decimals than the column keeps is rounded outward, so that its rounded cells are inside.
    unit = 10.0**decimals
    low, high = float(np.floor(low * unit + _ROUNDING) / unit), float(np.ceil(high * unit - _ROUNDING) / unit)
    last = 10.0**-decimals
    above = [max(round(code - last, decimals), values[-1]) for code in codes if values[-1] < code <= high]
    below = [min(round(code + last, decimals), values[0]) for code in codes if low <= code < values[0]]
    return float(round(max([low, *below]), decimals)), float(round(min([high, *above]), decimals))
