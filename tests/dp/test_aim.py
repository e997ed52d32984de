"""AIM: it finds relations, spends what it may and no more, and keeps its size."""

import numpy as np
import pytest

from synthclin.dp.aim import aim
from synthclin.dp.ledger import Ledger
from synthclin.dp.private_table import PrivateTable
from synthclin.errors import ConfigError

SIZES = [3, 4, 2, 5, 3]


def rows(count=2000, seed=7):
    """Return codes with two strong relations, of columns 0 and 1 and of columns 3 and 4."""
    generator = np.random.default_rng(seed)
    codes = np.stack([generator.integers(0, k, count) for k in SIZES], axis=1)
    tied = generator.random(count) < 0.8
    codes[tied, 1] = codes[tied, 0] + 1
    codes[tied, 4] = codes[tied, 3] % 3
    return codes


def measured(rho, most=1, codes=None, patient=None):
    """Return a private table, its one-way tables and its ledger, of which a third is spent."""
    ledger = Ledger(rho)
    codes = rows() if codes is None else codes
    table = PrivateTable(codes, SIZES, ledger, patient=patient, at_most=most)
    return table, [table.measure((j,), rho / 3 / len(SIZES), f"column {j}") for j in range(len(SIZES))], ledger


def distance(model, codes, columns):
    """Return the total variation distance of a table of the model and of rows."""
    exact = np.zeros([SIZES[j] for j in columns])
    np.add.at(exact, tuple(codes[:, j] for j in columns), 1 / len(codes))
    return 0.5 * np.abs(model.table(columns) / model.total - exact).sum()


def test_strong_relations_are_found_and_the_whole_budget_is_spent():
    codes = rows()
    table, one_way, ledger = measured(6.0, codes=codes)
    rounds = []
    model, tables = aim(table, one_way, ledger.left, on_round=lambda number, share: rounds.append((number, share)))
    assert distance(model, codes, (0, 1)) < 0.03
    assert distance(model, codes, (3, 4)) < 0.03
    assert distance(model, codes, (0, 4)) < 0.06
    assert ledger.spent == pytest.approx(6.0, rel=1e-5)
    assert tables[:5] == one_way
    assert {one.columns for one in tables[5:]} >= {(0, 1), (3, 4)}
    assert [number for number, _ in rounds] == list(range(1, len(rounds) + 1))
    assert rounds[-1][1] == pytest.approx(1.0)
    assert len(tables) == 5 + len(rounds)


def test_measurements_and_selections_are_in_the_ledger():
    table, one_way, ledger = measured(1.0)
    _, tables = aim(table, one_way, ledger.left)
    costs: dict[str, list[float]] = {"two-way table": [], "selection": []}
    for entry in ledger.entries[5:]:
        costs[entry.what.split(" of ")[0]].append(entry.rho)
    assert costs["two-way table"] == [one.rho for one in tables[5:]]
    assert sum(costs["selection"]) == pytest.approx(sum(costs["two-way table"]) / 9)
    a, b = tables[5].columns
    assert ledger.entries[6].what == f"two-way table of columns {a} and {b}"


def test_a_fit_with_two_rows_a_patient_costs_four_times():
    codes = rows()
    fits = []
    for rho, most in ((0.6, 1), (2.4, 2)):
        table, one_way, ledger = measured(rho, most, codes, np.arange(len(codes)) // 2)
        fits.append((aim(table, one_way, ledger.left)[1], ledger))
    (one, _), (two, _) = fits
    for single, double in zip(one[:6], two[:6], strict=True):  # the one-way tables and the first pair
        assert double.variance.flat[0] == pytest.approx(single.variance.flat[0])
        assert double.rho == pytest.approx(4 * single.rho)


@pytest.mark.parametrize("largest", [1, 30, 45, 100])
def test_the_tree_keeps_its_size(largest):
    table, one_way, ledger = measured(3.0)
    model, tables = aim(table, one_way, ledger.left, largest=largest)
    assert model.tree.cells <= max(largest, sum(SIZES))
    if largest == 1:
        assert tables == one_way
        assert ledger.left == pytest.approx(2.0, rel=1e-6)


def test_one_column_needs_no_pairs():
    ledger = Ledger(1.0)
    table = PrivateTable(np.zeros((100, 1), np.int64), [2], ledger)
    one_way = [table.measure((0,), 0.5, "column 0")]
    model, tables = aim(table, one_way, 0.5)
    assert tables == one_way
    assert model.table((0,))[0] > 50


def test_more_than_the_ledger_has_is_refused():
    table, one_way, ledger = measured(1.0)
    with pytest.raises(ConfigError, match="privacy ledger"):
        aim(table, one_way, 2.0)
    assert ledger.spent <= 1.0


def test_one_way_tables_that_do_not_fit_are_refused():
    table, one_way, ledger = measured(1.0)
    spent = ledger.spent
    merged = [one_way[0].summed([np.array([0, 0, 1])]), *one_way[1:]]
    for wrong in (one_way[1:], one_way[::-1], merged, []):
        with pytest.raises(ConfigError, match="not one noisy one-way table per column"):
            aim(table, wrong, 0.1)
    assert ledger.spent == spent
