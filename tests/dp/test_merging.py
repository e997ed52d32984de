"""Merged bins: what is closed when, and codes that stay alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.dp.merging import merged_bins
from synthclin.dp.private_table import NoisyTable
from synthclin.errors import ConfigError


def _noisy(values, sd=1.0):
    values = np.asarray(values, float)
    return NoisyTable((0,), values, np.full(len(values), sd**2), 0.1)


def test_equal_counts_give_so_many_bins():
    merged = merged_bins(_noisy(np.full(64, 100.0)), [(0, 64)])
    assert merged.tolist() == [i // 4 for i in range(64)]


def test_a_bin_needs_four_standard_deviations_of_its_noise():
    # 16 bins would need 4 each; noise of sd 10 needs 4 * 10 * sqrt(cells).
    values = np.full(64, 30.0)
    merged = merged_bins(_noisy(values, sd=10), [(0, 64)], bins=1000)
    sizes = np.bincount(merged)
    assert (sizes[:-1] == 2).all()  # 2 * 30 >= 40 * sqrt(2)
    assert sizes.sum() == 64


def test_cells_below_one_standard_deviation_count_nothing():
    merged = merged_bins(_noisy([0.9, 0.9, 0.9, 100, 0.9, 0.9, 100, 0.9], sd=1), [(0, 8)], bins=2)
    assert merged.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_codes_outside_the_runs_stay_alone_in_their_order():
    merged = merged_bins(_noisy(np.zeros(7)), [(1, 3), (4, 6)])
    assert merged.tolist() == [0, 1, 1, 2, 3, 3, 4]


def test_noise_alone_gives_few_bins():
    values = np.random.default_rng(7).normal(0, 10, 64)
    assert merged_bins(_noisy(values, sd=10), [(0, 64)]).max() < 10


@settings(deadline=None)
@given(st.lists(st.floats(-1e4, 1e6), min_size=1, max_size=80), st.floats(0.1, 1e3), st.integers(2, 30), st.data())
def test_merged_codes_are_a_map_that_respects_the_runs(values, sd, bins, data):
    cut = data.draw(st.integers(0, len(values)))
    runs = [run for run in ((0, cut), (cut, len(values))) if run[0] < run[1]]
    merged = merged_bins(_noisy(values, sd), runs, bins=bins)
    steps = np.diff(merged)
    assert merged[0] == 0
    assert set(steps.tolist()) <= {0, 1}
    if 0 < cut < len(values):
        assert steps[cut - 1] == 1
    assert merged.max() < bins + len(runs)
    total = _noisy(values, sd).summed([merged])
    assert total.values.sum() == pytest.approx(sum(values), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("runs", [[(0, 5)], [(-1, 2)], [(2, 2)], [(0, 2), (1, 3)]], ids=str)
def test_runs_that_do_not_fit_are_refused(runs):
    with pytest.raises(ConfigError, match="a run is outside the column or overlaps another"):
        merged_bins(_noisy(np.ones(4)), runs)


def test_a_table_of_two_columns_is_refused():
    with pytest.raises(ConfigError):
        merged_bins(NoisyTable((0, 1), np.ones((2, 2)), np.ones((2, 2)), 0.1), [])
