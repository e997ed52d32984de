"""Guesses about order: one column that is nowhere above another, such as a diastolic pressure below a systolic."""

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

LEAST = 3.0  # fewer rows that chance alone would put out of order say nothing
STRONG = 30.0
LEAST_ROWS = 30


class _Order(NamedTuple):
    """`low` is nowhere above `high`."""

    low: str
    high: str
    rows: int
    expected: float
    strict: bool


def order_rules(lines: Mapping[str, Floats], *, strong: float = STRONG) -> list[Proposal]:
    """Return the order rules that hold in all rows although both columns reach the same values.

    How many rows would be out of order if the two columns did not depend on each other says how strong that is. An
    order that follows from two others is left out.

    Arguments:
        lines: columns of one kind, numbers or days since 1970; (rows,) float64 each, NaN where missing.
        strong: from how many rows expected out of order a rule is proposed as active.

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
    """Return the order of two columns, None where it is broken or says nothing."""
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
    told = f"holds in all {order.rows} rows that have both; by chance {order.expected:.0f} would break it"
    return Proposal((rule,), told, order.expected >= strong)
