"""Noise of OpenDP: scale, independence, selection, cost and entropy. Bounds fail with probability below 1e-9."""

import math
import subprocess
import sys

import numpy as np
import pytest

from synthclin.dp import noise
from synthclin.dp.noise import gaussian, noisy_max
from synthclin.errors import ConfigError

DRAWS = 100_000
BOUND = 6.5  # standard errors; the normal distribution exceeds them with probability 8e-11


def test_the_discrete_gaussian_has_its_scale_and_no_mean_and_no_memory():
    mechanism = gaussian(0.005, sensitivity=1)
    drawn = mechanism.release(np.zeros(DRAWS, np.int64))
    assert drawn.dtype == np.int64
    assert mechanism.sd == pytest.approx(10, rel=1e-8)
    assert abs(drawn.mean()) < BOUND * 10 / math.sqrt(DRAWS)
    assert abs(drawn.std() / 10 - 1) < BOUND / math.sqrt(2 * DRAWS)
    for lag in (1, 2, 64):
        assert abs(np.corrcoef(drawn[:-lag], drawn[lag:])[0, 1]) < BOUND / math.sqrt(DRAWS - lag)
    shares = [np.mean(np.abs(drawn) <= 10 * z) for z in (0.5, 1, 2, 3)]
    expected = [math.erf((10 * z + 0.5) / 10 / math.sqrt(2)) for z in (0.5, 1, 2, 3)]
    assert all(
        abs(s - e) < BOUND * math.sqrt(e * (1 - e) / DRAWS) + 1e-3 for s, e in zip(shares, expected, strict=True)
    )


def test_noise_is_added_to_each_cell_of_a_table():
    counts = np.arange(6).reshape(2, 3) * 10_000
    noisy = gaussian(0.5, 1).release(counts)
    assert noisy.shape == (2, 3)
    assert np.abs(noisy - counts).max() < 50


@pytest.mark.parametrize("rho", [1e-7, 0.0003, 1 / 3, 2.0, 50.0])
@pytest.mark.parametrize("sensitivity", [1, 2, 7])
def test_the_cost_is_that_of_opendps_map_and_just_below_the_one_asked_for(rho, sensitivity):
    mechanism = gaussian(rho, sensitivity)
    assert mechanism.cost == mechanism._release.map(float(sensitivity))
    assert rho * (1 - 1e-8) < mechanism.cost <= rho
    assert mechanism.sd == pytest.approx(sensitivity / math.sqrt(2 * rho), rel=1e-8)
    selection = noisy_max(rho, sensitivity * 2**40)
    assert selection.cost == selection._release.map(sensitivity * 2**40)
    assert rho * (1 - 1e-8) < selection.cost <= rho


def test_two_rows_per_patient_cost_four_times_at_the_same_scale():
    one, two = gaussian(0.02, 1), gaussian(0.08, 2)
    assert one.sd == pytest.approx(two.sd, rel=1e-8)


def test_selection_is_the_exponential_mechanism():
    mechanism = noisy_max(0.5, sensitivity=1000)  # P(index) is proportional to exp(score / 1000)
    drawn = np.bincount([mechanism.release(np.array([0, 1000, 500])) for _ in range(8_000)], minlength=3) / 8_000
    expected = np.exp([0, 1, 0.5]) / np.exp([0, 1, 0.5]).sum()
    assert (np.abs(drawn - expected) < BOUND * np.sqrt(expected * (1 - expected) / 8_000)).all()


def test_noise_differs_whatever_global_generators_were_seeded():
    drawn = []
    for _ in range(2):
        np.random.seed(7)  # noqa: NPY002 (the global generator is what this tests)
        drawn.append(gaussian(0.001, 1).release(np.zeros(200, np.int64)))
    assert not np.array_equal(*drawn)


@pytest.mark.parametrize("sensitivity", [0, -1, 1.5, 2**62, None])
def test_a_sensitivity_out_of_bounds_is_refused(sensitivity):
    for make in (gaussian, noisy_max):
        with pytest.raises(ConfigError, match="must be a whole number of at least 1"):
            make(0.1, sensitivity)


@pytest.mark.parametrize("rho", [0, -1, math.nan, math.inf])
def test_a_cost_out_of_bounds_is_refused(rho):
    for make in (gaussian, noisy_max):
        with pytest.raises(ConfigError, match="rho must be a positive number"):
            make(rho, 1)


def test_a_map_that_states_more_than_was_asked_for_is_refused():
    with pytest.raises(ConfigError, match="OpenDP states another cost"):
        noise._within(0.11, 0.1)
    with pytest.raises(ConfigError, match="OpenDP states another cost"):
        noise._within(0.09, 0.1)


def test_without_opendp_there_is_one_clear_error_and_modules_load_without_it():
    program = """
import sys
import synthclin.dp.aim, synthclin.dp.mst, synthclin.dp.ledger_file, synthclin.dp.noise_shares
assert "opendp" not in sys.modules
sys.modules["opendp.prelude"] = None
from synthclin.dp.noise import gaussian
from synthclin.errors import ConfigError
try:
    gaussian(0.1, 1)
except ConfigError as problem:
    print(problem)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told == (
        'dp: differential privacy needs the package opendp, which is absent. Install it: pip install "synthclin[dp]".\n'
    )
