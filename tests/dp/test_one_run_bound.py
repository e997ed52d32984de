"""The lower bound of epsilon from one run: known answers, and randomised response."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from synthclin.dp.one_run_bound import epsilon_bound


@pytest.mark.parametrize(("guesses", "correct"), [(100, 80), (400, 230), (20, 20), (50, 45)])
def test_without_delta_the_bound_inverts_the_binomial_test(guesses, correct):
    bound = epsilon_bound(guesses, guesses, correct, delta=0.0)
    right = 1 / (1 + math.exp(-bound))
    assert binom.sf(correct - 1, guesses, right) == pytest.approx(0.05, rel=1e-3)


def test_delta_lowers_the_bound_and_more_guesses_raise_it():
    assert epsilon_bound(100, 50, 45, delta=1e-3) < epsilon_bound(100, 50, 45, delta=0.0)
    assert epsilon_bound(100, 50, 50) < epsilon_bound(200, 100, 100) < epsilon_bound(2000, 1000, 1000)
    assert epsilon_bound(100, 100, 55) == 0
    assert epsilon_bound(100, 0, 0) == 0


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
def test_randomised_response_is_bounded_by_its_epsilon(epsilon):
    """Each guess of randomised response is right with probability e^eps / (1 + e^eps): the bound is below in 95 %."""
    rng = np.random.default_rng(1)
    correct = rng.binomial(300, 1 / (1 + math.exp(-epsilon)), 400)
    bounds = np.array([epsilon_bound(300, 300, int(k)) for k in correct])
    assert (bounds > epsilon).mean() <= 0.07
    assert np.median(bounds) > 0.5 * epsilon


def test_known_bounds_of_perfect_guesses():
    assert epsilon_bound(1000, 1000, 1000, delta=1e-6) == pytest.approx(5.8, abs=0.02)
    assert epsilon_bound(200, 200, 200, delta=1e-6) == pytest.approx(4.2, abs=0.02)


def test_bounds_grow_with_right_guesses_and_with_the_error():
    bounds = [epsilon_bound(500, 200, right) for right in range(100, 201, 5)]
    assert bounds == sorted(bounds)
    assert epsilon_bound(500, 200, 190, error=0.01) < epsilon_bound(500, 200, 190, error=0.1)
