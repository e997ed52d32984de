"""Noise shares: the measured table of one data set's declared sizes, and what would make a fit possible."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.dp.budget import Budget
from synthclin.dp.noise_shares import noise_shares, verdict
from synthclin.errors import ConfigError

SIZES = [17] * 4 + [16] * 3 + [9, 7, 15, 6, 5, 2, 42, 2]  # 15 columns with 204 codes


@pytest.mark.parametrize(
    ("patients", "epsilon", "one_way"),
    [
        (200, 1, 0.71),
        (500, 1, 0.33),
        (1_000, 1, 0.165),
        (2_000, 1, 0.083),
        (10_000, 1, 0.017),
        (500, 3, 0.12),
        (1_000, 3, 0.06),
        (2_000, 3, 0.03),
        (1_000, 10, 0.021),
        (200, 10, 0.10),
    ],
)
def test_known_shares_of_one_way_tables(patients, epsilon, one_way):
    found, _ = noise_shares(SIZES, Budget(epsilon, 1e-6).rho, patients)
    assert found == pytest.approx(one_way, abs=0.006)


@pytest.mark.parametrize(
    ("patients", "epsilon", "two_way"),
    [(1_000, 1, 2.1), (2_000, 1, 1.05), (10_000, 1, 0.21), (1_000, 3, 0.76), (2_000, 3, 0.38), (1_000, 10, 0.26)],
)
def test_known_shares_of_two_way_tables(patients, epsilon, two_way):
    _, found = noise_shares(SIZES, Budget(epsilon, 1e-6).rho, patients)
    assert found == pytest.approx(two_way, rel=0.03)


@pytest.mark.parametrize(("epsilon", "patients"), [(1, 4_133), (3, 1_499), (10, 519)])
def test_known_numbers_of_patients_to_go(epsilon, patients):
    assert verdict(SIZES, Budget(epsilon, 1e-6).rho, 1_000).patients_to_go == pytest.approx(patients, rel=0.005)


def test_a_share_is_the_distance_that_noise_adds():
    generator = np.random.default_rng(7)
    rho, patients, sizes = 0.1, 2_000, [10, 30]
    sigma = math.sqrt(2 / (2 * rho / 3))
    distances = [0.5 * np.abs(generator.normal(0, sigma, size)).sum() / patients for size in sizes for _ in range(2000)]
    assert noise_shares(sizes, rho, patients)[0] == pytest.approx(np.mean(distances), rel=0.01)


@given(
    st.lists(st.integers(2, 60), min_size=1, max_size=50),
    st.floats(0.001, 5),
    st.integers(20, 100_000),
    st.integers(1, 4),
)
def test_each_way_out_leads_out(sizes, rho, patients, most):
    found = verdict(sizes, rho, patients, most)
    assert found.word == ("go" if found.one_way <= 0.04 else "warn" if found.one_way <= 0.15 else "refuse")
    for enough, share in ((found.patients_to_go, 0.04), (found.patients_to_fit, 0.15)):
        assert noise_shares(sizes, rho, enough, most)[0] <= share * (1 + 1e-9)
        if enough > 1:
            assert noise_shares(sizes, rho, enough - 1, most)[0] > share * (1 - 1e-9)
    mean = sum(sizes) / len(sizes)
    if found.columns_to_fit >= 1:
        scale = 0.4 * most * math.sqrt(found.columns_to_fit / (2 * rho / 3)) * mean
        assert scale / patients <= 0.15 * (1 + 1e-9)
    if found.codes_to_fit >= 1:
        assert noise_shares([found.codes_to_fit] * len(sizes), rho, patients, most)[0] <= 0.15 * (1 + 1e-9)
    assert noise_shares(sizes, rho, patients, most + 1)[0] >= found.one_way


@pytest.mark.parametrize(
    ("sizes", "rho", "patients", "most"),
    [([], 1, 10, 1), ([0], 1, 10, 1), ([2], 0, 10, 1), ([2], math.nan, 10, 1), ([2], 1, 0, 1), ([2], 1, 10, 0)],
    ids=str,
)
def test_numbers_out_of_bounds_are_refused(sizes, rho, patients, most):
    for of in (noise_shares, verdict):
        with pytest.raises(ConfigError):
            of(sizes, rho, patients, most)
