"""Trajectories: visits in order, the visit before, sums of patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.evaluation.visits.pool import PatientPool
from synthclin.evaluation.visits.trajectories import Trajectories

from .cohort import cohort, compared, shuffled


def _random(seed: int, patients: int) -> tuple[Trajectories, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(patients), rng.integers(1, 6, patients)))
    time = rng.permutation(len(who)).astype(float)
    values = np.where(rng.random(len(who)) < 0.3, np.nan, rng.normal(size=len(who)))
    frame = pd.DataFrame({"who": who, "time": time, "value": values}).sort_values(["who", "time"])
    return Trajectories.of(values[:, None], time, who), frame.reset_index(drop=True)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 4))
def test_visits_before_sums_and_gaps_are_those_of_a_grouped_table(seed: int, patients: int, lag: int) -> None:
    visits, frame = _random(seed, patients)
    groups = frame.groupby("who")
    np.testing.assert_array_equal(visits.values[:, 0], frame["value"])
    np.testing.assert_array_equal(visits.before(visits.values, lag)[:, 0], groups["value"].shift(lag))
    np.testing.assert_array_equal(visits.gaps, groups["time"].diff())
    np.testing.assert_array_equal(visits.counts, groups.size())
    np.testing.assert_array_equal(visits.number, groups.cumcount())
    np.testing.assert_allclose(visits.sums(visits.values)[:, 0], groups["value"].sum(), atol=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_the_visits_of_some_patients_come_patient_after_patient(seed: int, patients: int) -> None:
    visits, _ = _random(seed, patients)
    chosen = np.random.default_rng(seed).permutation(patients)[: patients // 2 + 1]
    expected = np.concatenate([np.flatnonzero(visits.patient == one) for one in chosen])
    np.testing.assert_array_equal(visits.visits_of(chosen), expected)


def test_no_patient_has_no_visits() -> None:
    visits, _ = _random(1, 3)
    assert not len(visits.visits_of(np.empty(0, dtype=np.intp)))


def test_the_pool_has_the_patients_of_each_table_in_their_own_place() -> None:
    synthetic = cohort(40, 3)
    pool = PatientPool.of(compared(synthetic, patients=30))
    assert (len(pool.train), len(pool.synthetic)) == (30, 40)
    assert pool.holdout is not None
    assert len(pool.visits) == 30 + 30 + 40 + 30 + 30
    sbp = pool.c.features.names.index("sbp")
    found = pool.visits.values[pool.visits.visits_of(pool.synthetic), sbp]
    np.testing.assert_array_equal(found, synthetic["sbp"])


def test_shuffled_patients_keep_times_and_static_columns_and_lose_the_rest() -> None:
    pool = PatientPool.of(compared(cohort(30, 3), patients=30))
    real, other = (pool.visits.visits_of(places) for places in (pool.train, pool.train + pool.shift))
    names = pool.c.features.names
    for name in ("arm", "age", "followed", "died", "day"):
        j = names.index(name)
        np.testing.assert_array_equal(pool.visits.values[real, j], pool.visits.values[other, j])
    j = names.index("sbp")
    assert sorted(pool.visits.values[real, j]) == sorted(pool.visits.values[other, j])
    assert not np.array_equal(pool.visits.values[real, j], pool.visits.values[other, j])


@pytest.mark.parametrize("dates", [False, True])
def test_the_clock_runs_from_the_first_visit_of_dates(dates: bool) -> None:
    pool = PatientPool.of(compared(cohort(30, 3, dates=dates), dates=dates, patients=30))
    assert pool.clock[pool.visits.starts].tolist() == [0.0] * len(pool.visits)
    assert np.nanmin(pool.visits.gaps) >= 20
    assert np.nanmax(pool.visits.gaps) < 60


def test_rows_in_any_order_give_the_same_trajectories() -> None:
    table = cohort(40, 3)
    mixed = table.sample(frac=1.0, random_state=1).reset_index(drop=True)
    first, second = (PatientPool.of(compared(each, patients=30)) for each in (table, mixed))
    sums = [
        np.sort(np.nansum(pool.visits.sums(pool.visits.values), axis=1)[pool.synthetic]) for pool in (first, second)
    ]
    np.testing.assert_allclose(*sums)
    assert not table.equals(shuffled(table, "sbp"))
