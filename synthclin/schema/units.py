"""Detection of mixed units: two groups of values apart by a conversion factor."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthclin.schema.patients import MIN_PATIENTS

__all__ = ["UnitMix", "mixed_units"]

Floats = NDArray[np.float64]

LEAST_CELLS = 40
LEAST_SHARE = 0.02
APART = 3.0  # in robust standard deviations of a group; halves of one normal group are 2.3 apart
ALIKE = 0.12  # how far two groups may differ in shape, beyond chance
NEAR = 0.1  # by how much the groups may differ for other reasons than their units, as a share
FACTORS = {
    18.02: "mg/dL and mmol/L of glucose",
    88.42: "umol/L and mg/dL of creatinine",
    38.67: "mg/dL and mmol/L of cholesterol",
    17.1: "umol/L and mg/dL of bilirubin",
    59.48: "umol/L and mg/dL of uric acid",
    2.54: "cm and inches",
    2.2046: "pounds and kg",
    2.8: "mg/dL and mmol/L of urea nitrogen",
    4.008: "mg/dL and mmol/L of calcium",
    10.0: "g/L and g/dL, or cm and mm",
    12.0: "months and years",
    100.0: "cm and m, or percent and shares",
    365.25: "days and years",
    1000.0: "two units with prefixes a thousand apart",
}
CELSIUS = (30.0, 45.0)  # of a body


class UnitMix(NamedTuple):
    """Two groups of values in one column.

    Arguments:
        units: which units the groups may be in, the one of larger numbers first.
        lower: how many cells are in the group of smaller numbers.
        upper: how many are in the other.
    """

    units: str
    lower: int
    upper: int


def mixed_units(values: Floats) -> UnitMix | None:
    """Return the two units that a column seems to mix, None without evidence.

    The logarithms of the values above 0 are parted where the variance within the parts is least (Otsu 1979,
    doi:10.1109/TSMC.1979.4310076). The parts count as two groups if their medians are three robust standard
    deviations apart, fewer values lie between them, beyond chance, than about the median of the smaller group, and both
    have the same shape, as the same measurements in two units have.

    Arguments:
        values: (cells,) finite or NaN.

    Example:
        >>> glucose = np.random.default_rng(0).normal(100, 15, 400)
        >>> mixed_units(glucose) is None
        True
        >>> mixed_units(np.concatenate([glucose[:300], glucose[300:] / 18.02]))
        UnitMix(units='mg/dL and mmol/L of glucose', lower=100, upper=300)
    """
    logs = np.sort(np.log(values[np.isfinite(values) & (values > 0)]))
    if len(logs) < LEAST_CELLS or logs[0] == logs[-1]:
        return None
    place = _parting(logs)
    groups = logs[:place], logs[place:]
    smaller = min(groups, key=len)
    if len(smaller) < max(MIN_PATIENTS, LEAST_SHARE * len(logs)):
        return None
    low, high = (float(np.median(group)) for group in groups)
    spread = max(math.sqrt(np.mean([_spread(group) ** 2 for group in groups])), 1e-6)
    if high - low < APART * spread or not _has_valley(logs, low, high, float(np.median(smaller)), spread):
        return None
    if not _are_alike(groups[0] - low, groups[1] - high):
        return None
    units = _units(low, high)
    return None if units is None else UnitMix(units, len(groups[0]), len(groups[1]))


def _parting(logs: Floats) -> int:
    """Return how many of the sorted values are in the lower of the two parts that vary least within."""
    counts = np.arange(1, len(logs))
    below = np.cumsum(logs - logs.mean())[:-1]
    # The variance between the parts, but for a factor; equal values stay on one side.
    between = below**2 / (counts * (len(logs) - counts))
    between[logs[1:] == logs[:-1]] = -1.0
    return int(np.argmax(between)) + 1


def _spread(group: Floats) -> float:
    return float(1.4826 * np.median(np.abs(group - np.median(group))))


def _has_valley(logs: Floats, low: float, high: float, mode: float, spread: float) -> bool:
    """Whether some place between two modes holds fewer values than about the lesser mode, beyond chance."""
    width = max(spread, 0.05 * (high - low)) / 2

    def about(point: float) -> int:
        return int(np.searchsorted(logs, point + width) - np.searchsorted(logs, point - width))

    least = min(map(about, np.linspace(low, high, 25)))
    return least + 2 * math.sqrt(least) + 2 < about(mode)


def _are_alike(one: Floats, other: Floats) -> bool:
    """Whether two sorted samples have about the same distribution, by the Kolmogorov-Smirnov distance."""
    points = np.concatenate([one, other])
    shares = (np.searchsorted(group, points, side="right") / len(group) for group in (one, other))
    apart = float(np.abs(np.subtract(*shares)).max())
    return apart < ALIKE + 1.36 * math.sqrt(1 / len(one) + 1 / len(other))


def _units(low: float, high: float) -> str | None:
    """Return the units that two medians, as logarithms, may be in."""
    lower, upper = math.exp(low), math.exp(high)
    if CELSIUS[0] <= lower <= CELSIUS[1] and abs(upper / (1.8 * lower + 32) - 1) < NEAR / 2:
        return "degrees Fahrenheit and Celsius"
    factor = min(FACTORS, key=lambda factor: abs(high - low - math.log(factor)))
    return FACTORS[factor] if abs(high - low - math.log(factor)) < NEAR else None
