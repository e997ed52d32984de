"""The conversion of epsilon and delta to rho, by known values and by another implementation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.dp.budget import Budget, epsilon_of
from synthclin.errors import ConfigError


@pytest.mark.parametrize(("epsilon", "rho"), [(1, 0.02436), (3, 0.18507), (10, 1.53928)])
def test_known_values_at_delta_of_a_millionth(epsilon, rho):
    assert Budget(epsilon, 1e-6).rho == pytest.approx(rho, abs=5e-6)


def test_a_known_epsilon():
    assert epsilon_of(5.4103e-4, 1e-6) == pytest.approx(0.131976, abs=2e-6)


@pytest.mark.parametrize("rho", [1e-8, 1e-4, 0.02, 0.5, 3.0, 40.0])
@pytest.mark.parametrize("delta", [1e-3, 1e-6, 1e-12])
def test_the_minimum_over_alpha_is_found(rho, delta):
    def bound(alpha):
        return rho * alpha + math.log(1 / (alpha * delta)) / (alpha - 1) + math.log1p(-1 / alpha)

    grid = min(bound(1 + 10 ** (k / 500)) for k in range(-1500, 5000))
    assert epsilon_of(rho, delta) <= max(0.0, grid) + 1e-9
    assert epsilon_of(rho, delta) >= max(0.0, grid) - 1e-4 * max(1.0, grid)


@pytest.mark.parametrize("rho", [0.001, 0.02436, 0.18507, 1.5])
def test_it_agrees_with_dp_accounting(rho):
    accounting = pytest.importorskip("dp_accounting")
    orders = [1 + 10 ** (k / 200) for k in range(-400, 800)]
    accountant = accounting.rdp.RdpAccountant(orders)
    accountant.compose(accounting.dp_event.GaussianDpEvent(1 / math.sqrt(2 * rho)))
    assert epsilon_of(rho, 1e-6) == pytest.approx(accountant.get_epsilon(1e-6), rel=1e-4)


@given(st.floats(1e-6, 100), st.floats(1e-30, 1e-3))
def test_rho_is_the_largest_that_implies_the_budget(epsilon, delta):
    rho = Budget(epsilon, delta).rho
    assert epsilon_of(rho, delta) <= epsilon
    assert epsilon_of(rho * (1 + 1e-6), delta) > epsilon * (1 - 1e-12)


@given(st.floats(1e-9, 50), st.floats(1.001, 10))
def test_a_larger_rho_implies_a_larger_epsilon(rho, factor):
    assert epsilon_of(rho * factor, 1e-6) >= epsilon_of(rho, 1e-6)


@pytest.mark.parametrize(
    ("epsilon", "delta"),
    [(0, 1e-6), (-1, 1e-6), (math.nan, 1e-6), (math.inf, 1e-6), (101, 1e-6), (1, 0), (1, 0.01), (1, math.nan), (1, -1)],
)
def test_a_budget_out_of_bounds_is_refused(epsilon, delta):
    with pytest.raises(ConfigError, match=r"dp\.(epsilon|delta): .* must be a number above"):
        Budget(epsilon, delta)


@pytest.mark.parametrize("value", [None, "1", True, [1]])
def test_a_budget_that_is_no_number_is_refused(value):
    with pytest.raises(ConfigError):
        Budget(value, 1e-6)
    with pytest.raises(ConfigError):
        Budget(1.0, value)


@pytest.mark.parametrize("rho", [-1e-9, math.nan, math.inf])
def test_a_rho_out_of_bounds_has_no_epsilon(rho):
    with pytest.raises(ConfigError):
        epsilon_of(rho, 1e-6)
