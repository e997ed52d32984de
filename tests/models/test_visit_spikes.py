"""Spikes of numbers that differ between visits: zeros and detection limits keep their share, whatever came before."""

from __future__ import annotations

import numpy as np
import pytest

import synthclin as sc
from synthclin.models import load
from synthclin.models.visits.line import spikes_of
from synthclin.models.visits.moves import moves_of
from tests.longitudinal import schema, visits

pytestmark = pytest.mark.usefixtures("brief_trainings")


def below_detection(share=0.4, seed=0):
    """Return visits of which a share has the detection limit of crp, though the values before are far above."""
    table, rng = visits(), np.random.default_rng(seed)
    table["crp"] = np.round(np.exp(rng.normal(3, 0.4, len(table))), 1)
    table.loc[rng.random(len(table)) < share, "crp"] = 0.5
    return table


@pytest.fixture(scope="module")
def sampled():
    model = sc.ConditionalGAN(schema(), effort="quick", width=8, blocks=0, random_state=1).fit(below_detection())
    return model, model.sample(300, random_state=2)


def test_a_spike_keeps_its_share_at_the_first_and_at_later_visits(sampled):
    real, synthetic = below_detection(), sampled[1]
    for later in (False, True):
        shares = [
            (table["crp"] == 0.5)[(table.groupby("who").cumcount() > 0) == later].mean() for table in (real, synthetic)
        ]
        assert shares[1] == pytest.approx(shares[0], abs=0.06)


def test_what_is_no_spike_is_not_spread_to_it(sampled):
    real, synthetic = (table.loc[table["crp"] != 0.5, "crp"].astype(float) for table in (below_detection(), sampled[1]))
    assert np.log(synthetic).mean() == pytest.approx(np.log(real).mean(), abs=0.1)
    assert np.log(synthetic).std() == pytest.approx(np.log(real).std(), rel=0.2)
    assert (synthetic > 2).mean() > 0.99


def test_a_model_folder_keeps_the_spikes(sampled, tmp_path):
    model = sampled[0]
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.sample(20, random_state=1).equals(model.sample(20, random_state=1))
    lines = {line.name: line for line in again.longitudinal_.visits.variables.lines}
    assert len(lines["crp"].spikes) == 1
    assert lines["sbp"].spikes == ()


@pytest.mark.parametrize(
    ("values", "patients", "expected"),
    [
        (np.zeros(50), 50, ()),  # a constant has no neighbours
        (np.concatenate([np.zeros(30), np.arange(1, 71)]), 100, (0.0,)),
        (np.concatenate([np.zeros(30), np.arange(1, 71)]), 5, ()),  # of too few patients
        (np.concatenate([np.zeros(4), np.arange(1, 97)]), 100, ()),  # too rare
        (np.repeat(np.arange(10), 10), 100, ()),  # all alike
        (np.concatenate([np.arange(1, 61), np.repeat([7.5, 61.0], 20)]), 100, (7.5, 61.0)),
    ],
)
def test_values_that_stand_out_are_spikes(values, patients, expected):
    assert spikes_of(values.astype(float), np.arange(len(values)) % patients, 11) == expected


def test_moves_name_the_spike_before_the_stay_and_a_missing_cell_first():
    missing, stays = np.array([False, True, False, False]), np.array([True, True, True, False])
    found = moves_of(missing, stays, np.array([1, 0, -1, -1]))
    assert found.tolist() == ["at 1", "missing", "stay", "new"]
