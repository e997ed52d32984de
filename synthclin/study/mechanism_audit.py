"""Audit of a guarantee of differential privacy: the code is run on canaries, and no real row is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.dp.aim import aim
from synthclin.dp.audit import audit, audit_selection, cell_canaries
from synthclin.dp.budget import Budget
from synthclin.dp.mst import mst
from synthclin.dp.noise_shares import ONE_WAY, UNSPENT
from synthclin.dp.private_table import one_way_tables
from synthclin.report.record.guarantee_data import AuditFacts

if TYPE_CHECKING:
    from synthclin.dp.audit import Audit
    from synthclin.dp.parameters import DifferentialPrivacy
    from synthclin.dp.private_table import NoisyTable, PrivateTable

__all__ = ["CANARIES", "audit_mechanism"]

CANARIES = 1_000
"""Canaries whose tables of one column are audited; more of them take long and prove little more."""

_PAIRED = 200  # canaries with pairs: a table of two columns has as many codes squared
_RUNS = 200  # of the selection, on each of two neighbouring tables


def audit_mechanism(guarantee: DifferentialPrivacy, *, quick: bool) -> tuple[AuditFacts, ...]:
    """Return lower bounds of epsilon for the tables of one column, the whole mechanism, and its first selection.

    Arguments:
        guarantee: what is claimed; the budget is split as in a training.
        quick: whether the mechanism is MST instead of AIM.

    Example:
        >>> from synthclin.dp.parameters import DifferentialPrivacy
        >>> found = audit_mechanism(DifferentialPrivacy(epsilon=1.0, delta=1e-6), quick=True)
        >>> [(each.part, each.bound <= each.claimed) for each in found]
        [('tables', True), ('mechanism', True), ('selection', True)]
    """
    epsilon, delta = guarantee.epsilon, guarantee.delta
    mechanism, left = mst if quick else aim, Budget(epsilon, delta).rho * (1 - UNSPENT)

    def whole(table: PrivateTable) -> list[NoisyTable]:
        return mechanism(table, one_way_tables(table, ONE_WAY * left), (1 - ONE_WAY) * left)[1]

    one_way = cell_canaries(lambda table: one_way_tables(table, left), epsilon, delta)
    tables = audit(one_way, CANARIES, epsilon, delta)
    paired = audit(cell_canaries(whole, epsilon, delta), _PAIRED, epsilon, delta)
    selected = audit_selection(mechanism, (1 - ONE_WAY) * left, _RUNS, at_most=guarantee.at_most)
    return (
        _facts("tables", tables, CANARIES),
        _facts("mechanism", paired, _PAIRED),
        _facts("selection", selected, _RUNS),
    )


def _facts(part: str, found: Audit, trials: int) -> AuditFacts:
    return AuditFacts.model_validate(
        {
            "part": part,
            "claimed": found.claimed,
            "bound": found.bound,
            "most": found.certifiable,
            "trials": trials,
        }
    )
