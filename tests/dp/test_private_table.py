"""The private table: sensitivity, costs, rows per patient, and no row outside."""

import copy
import io
import json
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.dp import private_table
from synthclin.dp.ledger import Ledger
from synthclin.dp.private_table import NoisyTable, PrivateTable
from synthclin.errors import ConfigError

CARDINALITIES = [2, 3, 4]
MUCH = 1e9  # a rho whose noise is far below one half


def _codes(rows, seed=7):
    generator = np.random.default_rng(seed)
    return np.stack([generator.integers(0, k, rows) for k in CARDINALITIES], axis=1)


def _exact(codes, columns):
    counts = np.zeros([CARDINALITIES[j] for j in columns])
    np.add.at(counts, tuple(codes[:, j] for j in columns), 1)
    return counts


@pytest.mark.parametrize("columns", [(0,), (2, 0), (1, 2), (2, 1, 0)])
def test_a_measurement_is_the_contingency_table_with_noise(columns):
    codes = _codes(500)
    noisy = PrivateTable(codes, CARDINALITIES, Ledger(2 * MUCH)).measure(columns, MUCH, "a table")
    assert (noisy.values == _exact(codes, columns)).all()
    assert noisy.columns == columns
    assert noisy.variance == pytest.approx(1 / (2 * MUCH))


def test_the_ledger_has_the_sum_of_the_maps_and_refuses_more():
    ledger = Ledger(0.3)
    table = PrivateTable(_codes(50), CARDINALITIES, ledger)
    noisy = [table.measure((j,), 0.05, f"column {j}") for j in range(3)]
    models = [np.ones((2, 3)), np.ones((3, 4))]
    table.select([(0, 1), (1, 2)], models, [1, 1], [0, 0], 0.05, "selection")
    table.count(0.05, "patients")
    costs = [entry.rho for entry in ledger.entries]
    assert costs[:3] == [one.rho for one in noisy]
    assert costs == pytest.approx([0.05] * 5, rel=1e-8)
    assert ledger.spent == pytest.approx(math.fsum(costs), abs=1e-15)
    for measure in (
        lambda: table.measure((0,), 0.06, "one more"),
        lambda: table.select([(0, 1)], models[:1], [1], [0], 0.06, "one more"),
        lambda: table.count(0.06, "one more"),
    ):
        with pytest.raises(ConfigError, match=r"'one more' costs rho 0\.06"):
            measure()
    assert len(ledger.entries) == 5


def test_a_cost_is_entered_before_the_noise_is_drawn(monkeypatch):
    ledger = Ledger(1.0)
    table = PrivateTable(_codes(50), CARDINALITIES, ledger)

    class Broken(private_table.gaussian(0.5, 1).__class__):
        def release(self, _):
            assert [entry.what for entry in ledger.entries] == ["a table"]
            raise MemoryError

    monkeypatch.setattr(private_table, "gaussian", lambda rho, _: Broken(1.0, rho, None))
    with pytest.raises(MemoryError):
        table.measure((0,), 0.5, "a table")
    assert ledger.spent == 0.5


def test_shares_of_the_total_fit_into_it_whatever_the_rounding():
    for parts in (3, 7, 10, 49):
        ledger = Ledger(0.18507)
        table = PrivateTable(_codes(20), CARDINALITIES, ledger)
        for _ in range(parts):
            table.measure((0,), 0.18507 / parts, "a share")
        assert 0 <= ledger.left < 1e-8


def test_several_rows_a_patient_scale_the_noise():
    codes, patient = _codes(40), np.repeat(np.arange(20), 2)
    tables = [PrivateTable(codes, CARDINALITIES, Ledger(1.0), patient=patient, at_most=k) for k in (1, 2, 5)]
    sds = [math.sqrt(table.measure((0,), 0.02, "a table").variance[0]) for table in tables]
    assert sds == pytest.approx([5, 10, 25], rel=1e-8)
    one, two = (table.measure((0,), rho, "a table") for table, rho in zip(tables, (0.02, 0.08), strict=False))
    assert one.variance == pytest.approx(two.variance)  # four times the cost for the same noise


@pytest.mark.parametrize("most", [1, 2, 3, 10])
def test_at_most_so_many_rows_of_a_patient_are_kept(most):
    sizes = [1, 2, 3, 7, 30]
    patient = np.array([f"P{i}" for i, size in enumerate(sizes) for _ in range(size)], dtype=object)
    order = np.random.default_rng(1).permutation(len(patient))
    # The second column numbers the patient, the first the row of the patient.
    codes = np.stack([np.concatenate([np.arange(size) for size in sizes]), np.repeat(range(5), sizes)], axis=1)
    table = PrivateTable(codes[order], [30, 5], Ledger(4 * MUCH), patient=patient[order], at_most=most)
    kept = table.measure((0, 1), MUCH, "rows").values
    assert kept.max() == 1
    assert kept.sum(axis=0).tolist() == [min(size, most) for size in sizes]
    assert table.count(MUCH, "patients") == 5


def test_kept_rows_are_chosen_at_random_and_stay_chosen():
    codes, patient = np.arange(1000)[:, None], np.repeat(np.arange(500), 2)
    ledger = Ledger(10 * MUCH)
    tables = [PrivateTable(codes, [1000], ledger, patient=patient) for _ in range(2)]
    first, second = (table.measure((0,), MUCH, "rows").values for table in tables)
    assert not np.array_equal(first, second)
    assert 0.2 < first[::2].sum() / 500 < 0.8  # each row of a pair as likely as the other
    again = tables[0].recoded([np.arange(1000)]).measure((0,), MUCH, "rows").values
    assert np.array_equal(first, again)


def test_recoded_rows_give_the_sums_of_the_tables():
    maps = [np.array([0, 0]), np.array([0, 1, 1]), np.array([1, 0, 1, 2])]
    ledger = Ledger(4 * MUCH)
    table = PrivateTable(_codes(300), CARDINALITIES, ledger)
    whole = table.measure((2, 1), MUCH, "fine")
    merged = table.recoded(maps)
    assert merged.cardinalities == (1, 2, 3)
    assert np.array_equal(merged.measure((2, 1), MUCH, "merged").values, whole.summed([maps[2], maps[1]]).values)
    assert [entry.what for entry in ledger.entries] == ["fine", "merged"]


def test_variances_of_merged_cells_add_up():
    noisy = NoisyTable((0, 1), np.ones((3, 2)), np.full((3, 2), 4.0), 0.1)
    merged = noisy.summed([np.array([0, 1, 1]), np.array([0, 0])])
    assert merged.values.tolist() == [[2.0], [4.0]]
    assert merged.variance.tolist() == [[8.0], [16.0]]
    assert merged.columns == (0, 1)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_patient_changes_no_score_by_more_than_the_sensitivity(data):
    """The norm of scores is L1: a patient with k rows changes a distance by k, not by sqrt(k)."""
    most = data.draw(st.integers(1, 6))
    codes = _codes(data.draw(st.integers(0, 60)), data.draw(st.integers(0, 9)))
    added = _codes(data.draw(st.integers(1, 8)), data.draw(st.integers(10, 19)))
    if data.draw(st.booleans()):
        added = np.repeat(added[:1], len(added), axis=0)
    candidates = [(0, 1), (1, 2), (0, 2), (2, 0), (1,)]
    number = st.floats(0, 100, allow_subnormal=False)
    models = [
        np.array(data.draw(st.lists(number, min_size=size, max_size=size))).reshape([CARDINALITIES[j] for j in one])
        for one, size in zip(candidates, (6, 12, 8, 8, 3), strict=True)
    ]
    weights = data.draw(st.lists(st.floats(0.01, 50), min_size=5, max_size=5))
    penalties = data.draw(st.lists(number, min_size=5, max_size=5))
    patient = np.arange(len(codes))
    before = PrivateTable(codes, CARDINALITIES, Ledger(1.0), patient=patient, at_most=most)
    after = PrivateTable(
        np.concatenate([codes, added]),
        CARDINALITIES,
        Ledger(1.0),
        patient=np.r_[patient, np.full(len(added), len(codes))],
        at_most=most,
    )
    scores, sensitivities = [], []

    class Spy:
        cost = 0.1

        def release(self, found):
            scores.append(found)
            return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_table, "noisy_max", lambda _, sensitivity: sensitivities.append(sensitivity) or Spy())
        for table in (before, after):
            table.select(candidates, models, weights, penalties, 0.1, "selection")
    assert sensitivities == [most * round(max(weights) * 1024) * 1024] * 2
    assert np.abs(scores[0] - scores[1]).max() <= sensitivities[0]
    assert scores[0].dtype == np.int64  # whole numbers: no rounding of sums


def test_scores_are_weighted_distances_beyond_the_penalty():
    codes = _codes(400)
    table = PrivateTable(codes, CARDINALITIES, Ledger(100 * MUCH))
    candidates = [(0, 1), (1, 2), (2, 0)]
    exact = [_exact(codes, one) for one in candidates]

    def choose(models, weights, penalties):
        return table.select(candidates, models, weights, penalties, MUCH, "selection")

    shifted = [count + shift for count, shift in zip(exact, (1.0, 2.0, 3.0), strict=True)]  # distances 6, 24, 24
    assert choose([exact[0], shifted[1], exact[2]], [1, 1, 1], [0, 0, 0]) == 1
    assert choose(shifted, [1, 1, 2], [0, 0, 0]) == 2
    assert choose(shifted, [1, 1, 1], [0, 24, 23]) == 0
    assert choose(shifted, [1, 1, 1], [6, 23.75, 24]) == 1


def test_a_huge_penalty_is_no_overflow():
    table = PrivateTable(_codes(400), CARDINALITIES, Ledger(2 * MUCH))
    models = [np.zeros((2, 3)), np.zeros((3, 4))]
    assert table.select([(0, 1), (1, 2)], models, [1024, 1024], [1e300, 0], MUCH, "selection") == 1


def test_no_row_leaves_the_object():
    codes = np.full((50, 1), 4_211_777)
    table = PrivateTable(codes, [5_000_000], Ledger(1.0), patient=np.full(50, "KILROY-7"))
    shown = [repr(table), str(table), f"{table!r}", repr(Ledger(1.0))]
    for copied in (copy.copy, copy.deepcopy, pickle.dumps, lambda it: pickle.dump({"it": it}, io.BytesIO())):
        with pytest.raises(ConfigError, match="cannot be pickled or copied") as caught:
            copied(table)
        shown.append(str(caught.value))
    with pytest.raises(TypeError):
        vars(table)
    with pytest.raises(TypeError):
        json.dumps(table)
    with pytest.raises(TypeError):
        iter(table)
    assert not [text for text in shown if "4211777" in text or "KILROY" in text]
    public = [name for name in dir(table) if not name.startswith("_")]
    assert public == ["at_most", "cardinalities", "count", "ledger", "measure", "recoded", "select"]


@pytest.mark.parametrize(
    ("codes", "cardinalities"),
    [
        (np.array([[5, 0]]), [5, 2]),
        (np.array([[-1, 0]]), [5, 2]),
        (np.array([[0]]), [5, 2]),
        (np.array([0, 1]), [5, 2]),
        (np.array([[0.0, 1.0]]), [5, 2]),
        (np.array([["4211", "0"]]), [5, 2]),
        (np.array([[0, 1]]), [5, 0]),
        (np.zeros((0, 0), np.int64), []),
    ],
    ids=str,
)
def test_codes_that_do_not_fit_are_refused_without_a_value(codes, cardinalities):
    with pytest.raises(ConfigError) as caught:
        PrivateTable(codes, cardinalities, Ledger(1.0))
    assert "4211" not in str(caught.value)


@pytest.mark.parametrize(
    ("patient", "most"),
    [
        (None, 2),
        (np.arange(3), 1),
        (np.arange(8.0).reshape(4, 2), 1),
        (np.array([0, 1, np.nan, 3]), 1),
        (np.array([0.0, math.nan, math.nan, 3.0], dtype=object), 1),
        (np.array([None] * 4, dtype=object), 1),
        (np.array(["2020-01-01", "NaT", "NaT", "2020-01-01"], dtype="datetime64[D]"), 1),
        (np.array([1, pd.NA, 2, 3], dtype=object), 1),
        (np.array(["a", 1, None, 2], dtype=object), 1),
        (np.arange(4), 0),
        (np.arange(4), 1.5),
        (np.arange(4), 10_001),
    ],
    ids=str,
)
def test_patients_that_do_not_fit_are_refused(patient, most):
    with pytest.raises(ConfigError):
        PrivateTable(np.zeros((4, 1), np.int64), [2], Ledger(1.0), patient=patient, at_most=most)


@pytest.mark.parametrize("columns", [(), (0, 0), (3,), (-1,)])
def test_unknown_columns_are_refused_before_anything_is_spent(columns):
    ledger = Ledger(1.0)
    table = PrivateTable(_codes(5), CARDINALITIES, ledger)
    with pytest.raises(ConfigError):
        table.measure(columns, 0.1, "a table")
    with pytest.raises(ConfigError):
        table.select([columns], [np.ones(3)], [1], [0], 0.1, "selection")
    assert ledger.entries == ()


@pytest.mark.parametrize(
    ("models", "weights", "penalties"),
    [
        ([], [], []),
        ([np.ones((2, 3))], [1, 1], [0]),
        ([np.ones((3, 2))], [1], [0]),
        ([np.full((2, 3), math.nan)], [1], [0]),
        ([np.full((2, 3), 1e30)], [1], [0]),
        ([np.full((2, 3), 1e10)], [1], [0]),
        ([np.ones((2, 3))], [0], [0]),
        ([np.ones((2, 3))], [-1], [0]),
        ([np.ones((2, 3))], [2000], [0]),
        ([np.ones((2, 3))], [1], [-1]),
        ([np.ones((2, 3))], [1], [math.inf]),
    ],
    ids=str,
)
def test_a_selection_that_does_not_fit_is_refused_before_anything_is_spent(models, weights, penalties):
    ledger = Ledger(1.0)
    table = PrivateTable(_codes(5), CARDINALITIES, ledger)
    with pytest.raises(ConfigError):
        table.select([(0, 1)] * len(models), models, weights, penalties, 0.1, "selection")
    assert ledger.entries == ()


def test_a_table_of_too_many_cells_is_refused():
    table = PrivateTable(np.zeros((3, 3), np.int64), [1000] * 3, Ledger(1.0))
    with pytest.raises(ConfigError, match="more than 10,000,000 cells"):
        table.measure((0, 1, 2), 0.1, "a table")


@pytest.mark.parametrize("to", [[0, 2], [1, 2], [-1, 0], [0], [0.0, 1.0], [[0, 1]]], ids=str)
def test_a_map_that_does_not_fit_is_refused(to):
    with pytest.raises(ConfigError):
        PrivateTable(np.zeros((3, 1), np.int64), [2], Ledger(1.0)).recoded([np.array(to)])
    with pytest.raises(ConfigError):
        NoisyTable((0,), np.ones(2), np.ones(2), 0.1).summed([np.array(to)])


def test_an_empty_table_can_be_measured():
    table = PrivateTable(np.zeros((0, 3), np.int64), CARDINALITIES, Ledger(4 * MUCH), patient=np.zeros(0), at_most=2)
    assert table.measure((0, 1), MUCH, "a table").values.sum() == 0
    assert table.count(MUCH, "patients") == 1
