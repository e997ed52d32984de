"""Membership inference from the model file: known answers for simulated likelihoods."""

from __future__ import annotations

import math

import numpy as np
import pytest

from synthclin.evaluation.catalogue import names_of
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import MODEL_GATE, default_gates, judge
from synthclin.evaluation.privacy import model_membership
from synthclin.evaluation.privacy.attack_data import AttackData

from .ward import SCHEMA, ward

RNG = np.random.default_rng(5)
NOISE = RNG.normal(size=300), RNG.normal(size=300)


@pytest.fixture(scope="module")
def tables(train, holdout, ideal):
    return Comparison.of(ideal, train=train, holdout=holdout, schema=SCHEMA, random_state=7)


def status(score):
    return judge([MODEL_GATE], [score])[0].status


def test_a_model_that_memorised_its_rows_is_detected(tables):
    found = model_membership(tables, NOISE[0] + 3, NOISE[1])
    assert found.name in names_of("model")
    # Two normal distributions three standard deviations apart: AUC = Phi(3 / sqrt(2)).
    assert found.value == pytest.approx(0.983, abs=0.01)
    assert found.low < found.value < found.high
    assert found.details["tpr_at_10_percent"] > 0.9
    assert found.details["strongest_attack"] == "likelihood"
    assert status(found) == "FAIL"


def test_a_model_without_memorisation_has_an_auc_of_one_half(tables):
    found = model_membership(tables, *NOISE)
    assert found.low < 0.5 < found.high
    assert status(found) in {"PASS", "REVIEW", "NOT ASSESSABLE"}
    assert found.details["tpr_at_10_percent"] == pytest.approx(0.1, abs=0.06)


def test_rare_rows_are_not_taken_for_non_members(tables):
    """A model that gives the levels of one column very unequal chances hides its members from the likelihood attack."""
    rare = [20.0 * rows[:, tables.features.names.index("hiv")] for rows in (tables.train, tables.holdout)]
    near = model_membership(tables, NOISE[0] + 3 - rare[0], NOISE[1] - rare[1]).details
    attacks = {attack["name"]: attack["value"] for attack in near["attacks"]}
    assert attacks["likelihood calibrated on similar rows"] > attacks["likelihood"] + 0.1
    assert near["strongest_attack"] == "likelihood calibrated on similar rows"


def test_every_decile_is_attacked(tables):
    common = model_membership(tables, *NOISE).details
    assert len(common["deciles"]) == 10
    assert all(0.2 < decile["value"] < 0.8 for decile in common["deciles"] if decile)


def test_memorised_outliers_are_detected_in_the_top_decile(tables):
    remembered = AttackData.of(tables).train.outliers
    found = model_membership(tables, NOISE[0] + 10 * remembered, NOISE[1]).details
    assert found["deciles"][9]["value"] == found["top_decile_outliers"]["value"] > 0.95
    assert all(decile["value"] < 0.85 for decile in found["deciles"][:9] if decile)


def test_groups_are_attacked_too(tables):
    women = tables.train[:, tables.features.names.index("sex")] == 0
    found = model_membership(tables, NOISE[0] + 5 * women, NOISE[1], by=["sex"]).details["groups"]
    assert [group["level"] for group in found] == ["F", "M"]
    assert found[0]["value"] > 0.95
    assert found[1]["value"] < 0.65


def test_too_few_patients_are_not_assessable(train, ideal):
    few = Comparison.of(ideal, train=train, holdout=ward(10, 9), schema=SCHEMA)
    found = model_membership(few, NOISE[0], NOISE[1][:10])
    assert math.isnan(found.value)
    assert status(found) == "NOT ASSESSABLE"


def test_equal_rows_do_not_hide_each_other(train, ideal):
    twice = train.head(30).loc[np.repeat(np.arange(30), 10)].reset_index(drop=True)
    same = Comparison.of(ideal, train=twice, holdout=twice.iloc[::-1].reset_index(drop=True), schema=SCHEMA)
    found = model_membership(same, np.zeros(300), np.zeros(300))
    # The same thirty rows on both sides, in another order: only what falls into which fold differs.
    assert found.value == pytest.approx(0.5, abs=0.05)


def test_the_model_gate_is_no_default_gate(tables):
    assert MODEL_GATE.score not in {gate.score for gate in default_gates([model_membership(tables, *NOISE)])}
