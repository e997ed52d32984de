"""Statistical disclosure control: suppression of small counts of real rows, and rounding of shares of real patients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synthclin.schema.patients import MIN_PATIENTS

__all__ = [
    "CORRELATION_STEP",
    "Published",
    "coarse_curve",
    "is_small",
    "merged_cells",
    "nothing_shared",
    "round_down",
    "round_to",
    "round_to_or_none",
    "round_unless_emptied",
    "round_up",
    "rounding_step",
    "scored_patients",
    "shared_count",
    "shared_total",
    "suppress",
    "suppressed_count",
    "suppressed_share",
]

CORRELATION_STEP = 0.1
"""The rounding step of correlations of real rows in the shareable edition."""

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


def shared_count(count: int | None) -> int | None:
    """Return a number of real rows or patients as the shareable edition prints it; None for 1 to 10 and for None.

    Every real count of the edition is rounded in this way, totals and counts of groups, cohorts and missing cells
    included, so a difference of two of them is known to 9 at best: it is never that of a small cell. 0 stays 0, 11 to
    24 become 20, and others the nearest multiple of 10.

    Example:
        >>> [shared_count(n) for n in (0, 4, 11, 24, 25, 184)]
        [0, None, 20, 20, 30, 180]
    """
    if count is None or is_small(count):
        return None
    return max((int(count) + 5) // 10 * 10, 20) if count else 0


def shared_total(count: int) -> int:
    """Return `shared_count` for a number that must be stated: that of a table, or of the rows behind a score."""
    return shared_count(count) or 0


def scored_patients(real: int) -> int:
    """Return how many patients of a larger synthetic table are scored: about as many as are `real` training patients.

    The number is rounded, because the shareable edition shows it.

    Example:
        >>> scored_patients(322), scored_patients(7)
        (320, 20)
    """
    return shared_total(real) or 20


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


def round_unless_emptied(value: float | None, size: float) -> float | None:
    """Return `round_to`, or None where rounding makes 0 of the value, and for None.

    Example:
        >>> round_unless_emptied(0.62, 0.2), round_unless_emptied(0.04, 0.2)
        (0.6, None)
    """
    rounded = round_to_or_none(value, size)
    return None if rounded == 0 and value else rounded


def coarse_curve(points: Sequence[tuple[float, float]], size: float, n: int) -> list[tuple[float, float]]:
    """Return a ROC curve with rounded points, without the part that rests on fewer than 11 of `n` patients."""
    if not n:
        return []
    rounded = {(round_to(x, size), round_to(y, size)) for x, y in points if x >= MIN_PATIENTS / n}
    highest: dict[float, float] = {}
    for x, y in sorted(rounded):
        highest[x] = max(y, highest.get(x, 0.0))
    return [(min(x, 1.0), min(y, 1.0)) for x, y in highest.items()]


@dataclass(frozen=True, slots=True)
class Published:
    """What the shareable edition tells beside the details of a score.

    Arguments:
        train: the number of training rows.
        holdout: the number of holdout rows; 0 without.
        missing: by column, the share of missing training cells, computed from published counts; None where suppressed.
    """

    train: int
    holdout: int
    missing: Mapping[str, float | None] = field(default_factory=dict)


def nothing_shared(_details: Any, _published: Published) -> None:  # noqa: ANN401 (details of any kind)
    """Return None: no detail of the score is in the shareable edition."""
    return


def is_small(count: int) -> bool:
    """Return whether a count is below the smallest cell size; 0 is not, because it describes nobody."""
    return 0 < count < MIN_PATIENTS


def suppressed_count(count: int) -> int | None:
    """Return the count, or None where it is a small cell."""
    return None if is_small(count) else int(count)


def suppressed_share(share: float, n: int) -> float | None:
    """Return a share of `n` real rows, or None where its count is a small cell."""
    return None if is_small(round(share * n)) else float(share)


def merged_cells(counts: Sequence[int]) -> list[slice]:
    """Return runs of neighbouring cells; no run has a small count, unless all cells together have one.

    Example:
        >>> merged_cells([20, 3, 0, 40])
        [slice(0, 1, None), slice(1, 4, None)]
    """
    runs = [[start, start + 1, int(count)] for start, count in enumerate(counts)]
    while len(runs) > 1 and any(is_small(run[2]) for run in runs):
        here = next(i for i, run in enumerate(runs) if is_small(run[2]))
        left = min(here, len(runs) - 2)
        (start, _, a), (_, stop, b) = runs[left : left + 2]
        runs[left : left + 2] = [[start, stop, a + b]]
    return [slice(run[0], run[1]) for run in runs]
