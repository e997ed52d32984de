"""Privacy audits: known bounds, sound mechanisms that pass and broken ones that do not.

Bounds on random results fail with probability below 1e-9.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from synthclin.dp import private_table
from synthclin.dp.aim import aim
from synthclin.dp.audit import audit, audit_pair, audit_selection, cell_canaries
from synthclin.dp.mst import mst
from synthclin.errors import ConfigError

DELTA = 1e-6


def _one_way(table):
    return [table.measure((j,), table.ledger.rho / 3, "one-way table") for j in range(3)]


def _whole(fit):
    def release(table):
        one_way = [table.measure((j,), table.ledger.rho / 9, "one-way table") for j in range(3)]
        return fit(table, one_way, table.ledger.left)[1]

    return release


@pytest.fixture
def weak_noise(monkeypatch):
    """Return a function that makes all noise smaller by a factor, while costs stay as claimed."""

    def weaken(factor):
        for name in ("gaussian", "noisy_max"):
            sound = getattr(private_table, name)
            scale = "sd" if name == "gaussian" else "scale"

            def broken(rho, sensitivity, sound=sound, scale=scale):
                weak = sound(rho * factor**2, sensitivity)
                return replace(weak, cost=sound(rho, sensitivity).cost, **{scale: getattr(weak, scale)})

            monkeypatch.setattr(private_table, name, broken)

    return weaken


@pytest.mark.parametrize(("epsilon", "m"), [(1, 4000), (3, 1000), (10, 1000)])
def test_sound_noise_is_not_refuted(epsilon, m):
    found = audit(cell_canaries(_one_way, epsilon, DELTA), m, epsilon, DELTA)
    assert not found.violated
    assert found.bound < found.certifiable
    assert found.right <= found.guesses


def test_noise_of_a_fifth_is_refuted_at_epsilon_1(weak_noise):
    weak_noise(5)
    found = audit(cell_canaries(_one_way, 1, DELTA), 4000, 1, DELTA)
    assert found.violated
    assert found.bound > 1.3


@pytest.mark.parametrize("fit", [aim, mst])
def test_whole_fits_are_audited(fit, weak_noise):
    assert not audit(cell_canaries(_whole(fit), 3, DELTA), 100, 3, DELTA).violated
    weak_noise(50)
    assert audit(cell_canaries(_whole(fit), 1, DELTA), 100, 1, DELTA).violated


@pytest.mark.parametrize(("fit", "rho", "most"), [(aim, 15.0, 8), (mst, 0.5, 1)])
def test_the_first_selection_is_audited(fit, rho, most, weak_noise):
    sound = audit_selection(fit, rho, 50, at_most=most)
    assert sound.claimed == pytest.approx(1.0)
    assert not sound.violated
    weak_noise(12)
    assert audit_selection(fit, rho, 100, at_most=most).violated


def test_a_selection_whose_sensitivity_leaves_out_rows_of_a_patient_is_refuted(monkeypatch):
    sound = private_table.noisy_max
    monkeypatch.setattr(
        private_table, "noisy_max", lambda rho, sensitivity: sound(rho, int(math.sqrt(sensitivity // 2**20)) * 2**20)
    )  # an L2 norm in the place of L1: 6 of 36 rows
    assert audit_selection(mst, 0.5, 150, at_most=36).violated


def test_a_mechanism_that_tells_all_is_refuted_and_one_that_tells_nothing_is_not():
    assert audit(lambda present: present.astype(float), 1000, 3, DELTA).bound > 4
    assert audit(lambda present: np.zeros(len(present)), 4000, 0.5, DELTA).bound < 0.5
    assert audit_pair(lambda present: present, 400, 3, DELTA).bound > 4
    assert audit_pair(lambda present: not present, 400, 3, DELTA).bound == 0
    assert audit_pair(lambda _: True, 400, 3, DELTA).bound == 0


def test_a_mechanism_cannot_change_which_canaries_are_present():
    def cheat(present):
        present[:] = True
        return np.zeros(len(present))

    assert audit(cheat, 1000, 1, DELTA).bound < 1


@pytest.mark.parametrize(
    "scores", [np.zeros(99), np.full(100, math.nan), np.full(100, math.inf), np.zeros((100, 1))], ids=str
)
def test_scores_that_do_not_fit_are_refused(scores):
    with pytest.raises(ConfigError, match="scores are not one finite number per canary"):
        audit(lambda _: scores, 100, 1, DELTA)


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError):
        audit(lambda present: present.astype(float), 19, 1, DELTA)
    with pytest.raises(ConfigError, match="the fit measured no pair"):
        audit_selection(lambda *_: None, 1.0, 10)
