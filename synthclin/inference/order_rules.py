"""Inference of order rules: one column never exceeds another, such as diastolic and systolic pressure."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.expressions import quote_name
from synthclin.inference.guesses import Proposal
from synthclin.schema.constraints import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["order_rules"]

LEAST = 3.0  # fewer expected violations are no evidence
STRONG = 30.0
LEAST_ROWS = 30


class _Order(NamedTuple):
    """An order: `low` never exceeds `high`."""

    low: str
    high: str
    rows: int
    expected: float
    strict: bool


def order_rules(lines: Mapping[str, Floats], *, strong: float = STRONG) -> list[Proposal]:
    """Return the order rules that all rows satisfy although the ranges of both columns overlap.

    The strength of a rule is the number of rows that would violate it if the columns were independent. An order implied
    by two others is left out.

    Arguments:
        lines: columns of one kind, numbers or days since 1970; (rows,) float64 each, NaN where missing.
        strong: the least number of expected violations of an active rule.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> dbp = rng.normal(80, 10, 500)
        >>> [proposal] = order_rules({"dbp": dbp, "sbp": dbp + rng.uniform(5, 40, 500)})
        >>> proposal.rules[0].text, proposal.active
        ('dbp < sbp', True)
    """
    found = [order for pair in permutations(lines, 2) if (order := _order(*pair, lines)) is not None]
    known = {(order.low, order.high) for order in found}
    kept = [
        order
        for order in found
        if (order.high, order.low) not in known
        and not any((order.low, other) in known and (other, order.high) in known for other in lines)
    ]
    return [_proposal(order, strong) for order in sorted(kept, key=lambda order: -order.expected)]


def _order(low: str, high: str, lines: Mapping[str, Floats]) -> _Order | None:
    """Return the order of two columns, None if it is violated or without evidence."""
    below, above = lines[low], lines[high]
    with np.errstate(invalid="ignore"):
        if np.any(below > above):
            return None
    both = ~np.isnan(below) & ~np.isnan(above)
    below, above = below[both], above[both]
    if len(below) < LEAST_ROWS:
        return None
    expected = float(np.searchsorted(np.sort(above), below, side="left").mean())
    ties = int(np.sum(below == above))
    return None if expected < LEAST or ties == len(below) else _Order(low, high, len(below), expected, ties == 0)


def _proposal(order: _Order, strong: float) -> Proposal:
    sign = "<" if order.strict else "<="
    rule = Rule(then=f"{quote_name(order.low)} {sign} {quote_name(order.high)}")
    evidence = f"holds in all {order.rows} rows that have both; by chance {order.expected:.0f} would violate it"
    return Proposal((rule,), evidence, order.expected >= strong)
