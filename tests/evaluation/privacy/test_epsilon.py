"""The lower bound of epsilon: known answers of randomised response, of memorising models and of leak-free ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import default_gates
from synthclin.evaluation.privacy import epsilon_lower_bound
from synthclin.evaluation.privacy.epsilon import (
    EPSILON_LOWER_BOUND,
    TABLE_EPSILON_LOWER_BOUND,
    table_epsilon,
)

from .ward import SCHEMA, ward


@pytest.fixture(scope="module")
def tables(train, holdout, ideal):
    return Comparison.of(ideal, train=train, holdout=holdout, schema=SCHEMA, random_state=7)


def scored(tables, gap: float, seed: int):
    rng = np.random.default_rng(seed)
    return epsilon_lower_bound(tables, rng.normal(size=300) + gap, rng.normal(size=300))


def test_a_memorising_model_reaches_what_so_many_patients_can_certify(tables):
    score = scored(tables, 50.0, 1)
    details = score.details
    assert "likelihood" in details["strongest_attack"]
    assert details["correct"] == details["guesses"] == details["pairs"] == 300
    assert score.value == pytest.approx(details["most_certifiable"], abs=1e-3)
    # (1 - q)^300 of 0.05 / 12, less what delta allows.
    q = (0.05 / 12) ** (1 / 300)
    assert 0.9 * math.log(q / (1 - q)) < score.value <= math.log(q / (1 - q))
    assert score.low == score.value == score.high
    assert f"more than {details['most_certifiable']:.2f}" in score.note


def test_a_gap_between_likelihoods_is_partly_certified(tables):
    # Two normal distributions two standard deviations apart: a share of Phi(sqrt(2)) = 0.92 is right.
    score = scored(tables, 2.0, 2)
    assert 1.5 < score.value < score.details["estimate"]
    assert score.value < score.details["most_certifiable"]


def test_without_leakage_nothing_is_proven_in_95_percent(tables):
    bounds = [scored(tables, 0.0, seed).value for seed in range(40)]
    assert np.mean(np.array(bounds) > 0) <= 0.1
    assert "No privacy loss is proven" in scored(tables, 0.0, 1).note


def test_the_table_proves_a_loss_only_where_it_copies(tables, compare, train):
    none, copied = table_epsilon(tables), table_epsilon(compare(train))
    assert none.value == 0
    assert copied.value == pytest.approx(copied.details["most_certifiable"], abs=0.01)
    assert copied.details["most_certifiable"] > 3
    assert none.name in {EPSILON_LOWER_BOUND.name, TABLE_EPSILON_LOWER_BOUND.name}


def test_equal_scores_are_guessed_and_prove_nothing(tables):
    score = epsilon_lower_bound(tables, np.zeros(300), np.zeros(300))
    assert {attack["name"]: attack["value"] for attack in score.details["attacks"]}["likelihood"] == 0


def test_the_same_seed_gives_the_same_bound(tables):
    assert scored(tables, 1.0, 3) == scored(tables, 1.0, 3)


def test_too_few_patients_are_not_assessable_and_no_gate_judges(train, ideal, tables):
    few = Comparison.of(ideal, train=train, holdout=ward(10, 9), schema=SCHEMA)
    assert math.isnan(epsilon_lower_bound(few, np.zeros(300), np.zeros(10)).value)
    assert math.isnan(table_epsilon(few).value)
    assert default_gates([table_epsilon(tables)]) == ()
