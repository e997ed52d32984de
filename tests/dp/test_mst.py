"""MST: a tree of the strongest relations."""

import numpy as np
import pytest

from synthclin.dp.ledger import Ledger
from synthclin.dp.mst import mst
from synthclin.dp.private_table import PrivateTable
from synthclin.errors import ConfigError

SIZES = [3, 4, 2, 5, 3]


def _measured(rho):
    generator = np.random.default_rng(7)
    codes = np.stack([generator.integers(0, k, 2000) for k in SIZES], axis=1)
    tied = generator.random(2000) < 0.8
    codes[tied, 1] = codes[tied, 0] + 1
    codes[tied, 4] = codes[tied, 3] % 3
    ledger = Ledger(rho)
    table = PrivateTable(codes, SIZES, ledger)
    return table, [table.measure((j,), rho / 15, f"column {j}") for j in range(5)], ledger, codes


def test_the_strongest_relations_are_in_the_tree():
    table, one_way, ledger, codes = _measured(6.0)
    model, tables = mst(table, one_way, ledger.left)
    pairs = [one.columns for one in tables[5:]]
    assert {(0, 1), (3, 4)} <= set(pairs)
    reached = {0}
    for _ in pairs:
        reached |= {j for pair in pairs if reached & set(pair) for j in pair}
    assert (len(pairs), reached) == (4, set(range(5)))
    assert ledger.spent == pytest.approx(6.0, rel=1e-6)
    exact = np.zeros((3, 4))
    np.add.at(exact, (codes[:, 0], codes[:, 1]), 1 / 2000)
    assert 0.5 * np.abs(model.table((0, 1)) / model.total - exact).sum() < 0.03


def test_half_of_the_cost_selects():
    table, one_way, ledger, _ = _measured(1.0)
    mst(table, one_way, 0.5)
    costs = [
        sum(entry.rho for entry in ledger.entries if entry.what.startswith(what)) for what in ("selection", "table of ")
    ]
    assert costs == pytest.approx([0.25, 0.25], rel=1e-6)


def test_large_pairs_are_no_candidates_and_the_others_get_their_share():
    table, one_way, ledger, _ = _measured(3.0)
    _, tables = mst(table, one_way, 2.0, largest=9)  # columns 1 and 3 have too many codes but for column 2
    pairs = {one.columns for one in tables[5:]}
    assert pairs <= {(0, 2), (0, 4), (1, 2), (2, 4)}
    assert (1, 2) in pairs
    assert sum(one.rho for one in tables[5:]) == pytest.approx(1.0, rel=1e-6)
    assert ledger.spent <= 3.0


def test_one_column_is_a_tree():
    ledger = Ledger(1.0)
    table = PrivateTable(np.zeros((100, 1), np.int64), [2], ledger)
    one_way = [table.measure((0,), 0.5, "column 0")]
    assert mst(table, one_way, 0.5)[1] == one_way


def test_arguments_that_do_not_fit_are_refused():
    table, one_way, _, _ = _measured(1.0)
    for wrong, rho in ((one_way[1:], 0.1), (one_way, 5.0), (one_way, -1.0)):
        with pytest.raises(ConfigError):
            mst(table, wrong, rho)
