"""Primary and secondary suppression of real counts, and rounding of shares of real patients."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synthclin.schema.patients import MIN_PATIENTS

__all__ = ["round_down", "round_to", "round_to_or_none", "round_up", "rounding_step", "suppress"]

_ENOUGH = 2 * MIN_PATIENTS - 1  # a sum of suppressed counts that is compatible with every count from 1 to 10


def suppress(real: Sequence[int | None], synthetic: Sequence[int]) -> list[int | None]:
    """Return real counts after suppression: None for counts from 1 to 10, and for others that protect these.

    The total is public, so the suppressed counts have a known sum. Secondary suppression follows the order of the
    synthetic counts, which are public, until that sum is at least 21: then every count from 1 to 10 is possible, even
    for a reader who knows this rule. A count of 0 is published. None in `real` stays None and counts as small.

    Example:
        >>> suppress([300, 4, 80, 12], [310, 5, 60, 15])
        [300, None, None, None]
        >>> suppress([300, 80, 0], [310, 60, 2])
        [300, 80, 0]
    """
    out = [None if count is None or 0 < count < MIN_PATIENTS else count for count in real]
    if None not in out:
        return out
    total = sum(count or 0 for count, shown in zip(real, out, strict=True) if shown is None)
    # A count that was None before is at least 1; nothing else is known.
    total += sum(count is None for count in real)
    order = sorted((place for place, count in enumerate(out) if count), key=lambda place: (synthetic[place], place))
    suppressed = out.count(None)
    for place in order:
        if total >= _ENOUGH and suppressed > 1:
            break
        total += out[place] or 0
        suppressed += 1
        out[place] = None
    return out


def rounding_step(n: int | None) -> float:
    """Return the rounding step for a share of `n` patients: a round number of at least 11 / `n`.

    Example:
        >>> rounding_step(2000), rounding_step(400), rounding_step(None)
        (0.01, 0.05, 0.01)
    """
    worth = MIN_PATIENTS / n if n else 0.0
    return next((size for size in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if size >= worth), 1.0)


def round_to(value: float, size: float) -> float:
    """Return a number rounded to multiples of `size`; NaN stays.

    Example:
        >>> round_to(0.1734, 0.05)
        0.15
    """
    return value if math.isnan(value) else round(round(value / size) * size, 6) + 0.0


def round_down(value: float, size: float) -> float:
    """Return a number rounded down to a multiple of `size`; NaN stays.

    Example:
        >>> round_down(0.1734, 0.05), round_up(0.1734, 0.05)
        (0.15, 0.2)
    """
    return value if math.isnan(value) else round(math.floor(round(value / size, 6)) * size, 6) + 0.0


def round_up(value: float, size: float) -> float:
    """Return a number rounded up to a multiple of `size`; NaN stays."""
    return -round_down(-value, size) + 0.0


def round_to_or_none(value: float | None, size: float) -> float | None:
    """Return `round_to`, or None for None."""
    return None if value is None else round_to(value, size)
