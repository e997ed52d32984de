"""Inference of anchors: the date of the same row from which another date is best measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.inference.order_rules import LEAST, LEAST_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Anchor", "anchors"]

NEARLY = 0.99  # the least share of rows in order


class Anchor(NamedTuple):
    """A candidate anchor of a date.

    Arguments:
        name: the earlier date.
        evidence: the number of rows in which it is.
        certain: whether it is the earlier one in all rows, and never missing.
    """

    name: str
    evidence: str
    certain: bool


def anchors(lines: Mapping[str, NDArray[np.float64]]) -> dict[str, Anchor]:
    """Return by date the nearest date that is earlier in nearly all rows, certain ones first.

    Two dates that chance alone would not put out of order, such as those of birth and of a visit, are no evidence.

    Arguments:
        lines: (rows,) float64 each, days since 1970, NaN where missing.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> came = rng.uniform(0, 400, 200)
        >>> found = anchors({"left": came + rng.uniform(1, 9, 200), "came": came})
        >>> {name: (anchor.name, anchor.evidence) for name, anchor in found.items()}
        {'left': ('came', 'not after it in all 200 rows that have both')}
    """
    found = {}
    for later in lines:
        ranked = [ranked for earlier in lines if earlier != later and (ranked := _anchor(earlier, later, lines))]
        if ranked:
            found[later] = min(ranked, key=lambda one: (not one[1].certain, one[0]))[1]
    return found


def _anchor(earlier: str, later: str, lines: Mapping[str, NDArray[np.float64]]) -> tuple[float, Anchor] | None:
    """Return the median distance of two dates and the anchor, None without evidence."""
    first, then = lines[earlier], lines[later]
    both = ~np.isnan(first) & ~np.isnan(then)
    apart, rows = then[both] - first[both], int(both.sum())
    if rows < LEAST_ROWS or apart.mean() <= 0:
        return None
    in_order = int(np.sum(apart >= 0))
    by_chance = float(np.searchsorted(np.sort(then[both]), first[both], side="left").mean())
    if in_order < NEARLY * rows or by_chance < LEAST:
        return None
    evidence = f"not after it in {'all' if in_order == rows else f'{in_order} of'} {rows} rows that have both"
    return float(np.median(apart)), Anchor(earlier, evidence, in_order == rows and not np.isnan(first).any())
