from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from synthclin.evaluation.intervals import jackknife, partition, random_groups, recentred, resamples, wilson


@given(st.integers(8, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy_but_at_the_ends(counts):
    k, n = counts
    expected = binomtest(k, n).proportion_ci(method="wilson")
    low, high = wilson(k, n)
    assert low <= k / n <= high
    assert (low, 1 - high) <= (expected.low + 1e-9, 1 - expected.high + 1e-9)
    if not 1 <= k <= 3:
        assert low == pytest.approx(expected.low, abs=1e-9)
    if not 1 <= n - k <= 3:
        assert high == pytest.approx(expected.high, abs=1e-9)


@pytest.mark.parametrize("n", [40, 400, 5_000])
def test_wilson_covers_shares_near_0_and_1(n):
    counts = np.arange(41)
    low, high = np.array([wilson(int(k), n) for k in counts]).T
    shares = np.geomspace(0.02, 12, 200)[:, None] / n
    assert (binom.pmf(counts, n, shares) * ((low <= shares) & (shares <= high))).sum(axis=1).min() > 0.91
    for k in counts:
        assert wilson(int(n - k), n) == pytest.approx((1 - high[k], 1 - low[k]), abs=1e-12)


def test_wilson_of_nothing_is_unknown():
    assert np.isnan(wilson(0, 0)).all()


@given(st.integers(1, 200), st.integers(1, 30), st.integers(0, 99))
def test_partition_assigns_every_row_to_one_part(n, groups, seed):
    parts = partition(n, groups, np.random.default_rng(seed))
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert len(parts) == min(n, groups)


def test_resamples_keep_size_and_whole_clusters():
    rng = np.random.default_rng(0)
    assert (resamples(50, 20, rng).sum(axis=1) == 50).all()
    clusters = np.repeat(np.arange(20), 3)
    weights = resamples(60, 20, rng, clusters)
    assert weights.shape == (20, 60)
    assert (weights.reshape(20, 20, 3) == weights.reshape(20, 20, 3)[:, :, :1]).all()


def test_few_rows_cannot_show_their_own_uncertainty():
    assert recentred(0.4, resamples(3, 100, np.random.default_rng(0)).mean(axis=1)) == (0.0, 1.0)
    assert jackknife(0.4, []) == (0.0, 1.0)
    assert random_groups(0.4, [0.4, float("nan")]) == (0.0, 1.0)


def test_recentred_interval_holds_a_value_that_all_replicates_miss():
    low, high = recentred(1.0, np.linspace(0.9, 0.96, 101))
    assert low == pytest.approx(0.97, abs=0.005)
    assert high == 1.0


@pytest.mark.parametrize("method", [jackknife, random_groups])
def test_group_intervals_cover_a_mean(method):
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        x = rng.normal(0.5, 0.1, 100)
        parts = partition(100, 10, rng)
        scores = [np.delete(x, part).mean() if method is jackknife else x[part].mean() for part in parts]
        low, high = method(x.mean(), scores)
        covered += low <= 0.5 <= high
    assert 0.92 <= covered / 300 <= 0.98
