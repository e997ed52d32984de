"""Counts of real patients as they may be shared: small ones hidden, others hidden with them, shares rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synthclin.schema.patients import MIN_PATIENTS

__all__ = ["coarse", "coarse_or_none", "down", "hidden", "step", "up"]

_ENOUGH = 2 * MIN_PATIENTS - 1  # a hidden sum of which every small count can be a part beside one that is not small


def hidden(real: Sequence[int | None], synthetic: Sequence[int]) -> list[int | None]:
    """Return real counts without those below 11, and without as many others as hide these from subtraction.

    The total is known, so the hidden counts have a known sum. Others are hidden, in the order of their synthetic
    counts, which is public, until the sum is 21 or more: then each number from 1 to 10 can be the small count, also
    for somebody who knows this rule. A count of none is no secret. None in `real` stays hidden and counts as small.

    Example:
        >>> hidden([300, 4, 80, 12], [310, 5, 60, 15])
        [300, None, None, None]
        >>> hidden([300, 80, 0], [310, 60, 2])
        [300, 80, 0]
    """
    out = [None if count is None or 0 < count < MIN_PATIENTS else count for count in real]
    if None not in out:
        return out
    total = sum(count or 0 for count, told in zip(real, out, strict=True) if told is None)
    # What was hidden before has at least one row, and no more is known of it.
    total += sum(count is None for count in real)
    order = sorted((place for place, count in enumerate(out) if count), key=lambda place: (synthetic[place], place))
    sensitive = out.count(None)
    for place in order:
        if total >= _ENOUGH and sensitive > 1:
            break
        total += out[place] or 0
        sensitive += 1
        out[place] = None
    return out


def step(n: int | None) -> float:
    """Return what a share of `n` patients is rounded to: a round number that 11 of them or more are worth.

    Example:
        >>> step(2000), step(400), step(None)
        (0.01, 0.05, 0.01)
    """
    worth = MIN_PATIENTS / n if n else 0.0
    return next((size for size in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if size >= worth), 1.0)


def coarse(value: float, size: float) -> float:
    """Return a number rounded to multiples of `size`; NaN stays.

    Example:
        >>> coarse(0.1734, 0.05)
        0.15
    """
    return value if math.isnan(value) else round(round(value / size) * size, 6) + 0.0


def down(value: float, size: float) -> float:
    """Return a number rounded down to a multiple of `size`; NaN stays.

    Example:
        >>> down(0.1734, 0.05), up(0.1734, 0.05)
        (0.15, 0.2)
    """
    return value if math.isnan(value) else round(math.floor(round(value / size, 6)) * size, 6) + 0.0


def up(value: float, size: float) -> float:
    """Return a number rounded up to a multiple of `size`; NaN stays."""
    return -down(-value, size) + 0.0


def coarse_or_none(value: float | None, size: float) -> float | None:
    """Return `coarse`, or None for a number that is not known."""
    return None if value is None else coarse(value, size)
