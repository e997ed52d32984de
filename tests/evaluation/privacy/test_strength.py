"""Attacks are as strong as an attacker: all synthetic rows, any few columns, all rows of a patient."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.privacy.attack_data import AttackData
from synthclin.evaluation.privacy.membership import membership, ranked
from synthclin.evaluation.privacy.membership_tpr import membership_tpr
from synthclin.evaluation.privacy.near_copies import near_copies
from synthclin.evaluation.privacy.relative_f1 import relative_f1
from synthclin.evaluation.privacy.risk import area
from synthclin.evaluation.privacy.shared_values import shared_surprisal
from synthclin.schema import Schema

from .ward import SCHEMA, jittered, ward

LABORATORY = Schema.model_validate({"columns": {f"lab{j}": {"type": "number", "decimals": 2} for j in range(8)}})


def laboratory(rows: int, seed: int) -> pd.DataFrame:
    cells = np.random.default_rng(seed).lognormal(2, 0.6, (rows, 8)).round(2)
    return pd.DataFrame(cells, columns=list(LABORATORY.columns))


def noisy(table: pd.DataFrame, times: int, seed: int) -> pd.DataFrame:
    repeated = pd.concat([table] * times, ignore_index=True)
    return (repeated * np.exp(np.random.default_rng(seed).normal(0, 0.1, repeated.shape))).round(2)


def status(*scores):
    return {verdict.gate.score: verdict.status for verdict in judge(default_gates(scores), scores)}


@pytest.mark.parametrize("times", [40, 200])
def test_noisy_repeats_of_every_patient_are_seen_however_many_rows_there_are(times):
    """A subsample of 5,000 of 60,000 synthetic rows has few neighbours of each patient, and an attacker has all."""
    train, holdout = laboratory(300, 1), laboratory(300, 2)
    c = Comparison.of(noisy(train, times, 3), train=train, holdout=holdout, schema=LABORATORY, random_state=1)
    score = membership(c)
    assert score.value > 0.95
    assert status(score) == {"privacy.membership": "FAIL"}


def test_the_attack_is_no_weaker_than_a_plain_nearest_row():
    train, holdout = laboratory(200, 1), laboratory(200, 2)
    repeated = pd.concat([train] * 60, ignore_index=True)
    synthetic = (repeated * np.exp(np.random.default_rng(3).normal(0, 0.5, repeated.shape))).round(2)
    c = Comparison.of(synthetic, train=train, holdout=holdout, schema=LABORATORY, random_state=1)
    data = AttackData.of(c)
    outcomes = {outcome.name: area(outcome.train, outcome.control)[0] for outcome in ranked(data, c.synthetic)}
    assert membership(c, data=data).value > max(outcomes.values()) - 0.03


def leaked_values(share: float, columns: int) -> Comparison:
    """Return tables in which a share of the patients has exact values of a few columns in a synthetic row."""
    train, holdout, synthetic = laboratory(600, 1), laboratory(300, 2), laboratory(600, 3)
    leaked = round(share * len(train))
    for row in range(leaked):
        for column in np.random.default_rng(row).choice(8, columns, replace=False):
            synthetic.iloc[row, column] = train.iloc[row, column]
    return Comparison.of(synthetic, train=train, holdout=holdout, schema=LABORATORY, random_state=1)


@pytest.mark.parametrize("columns", [3, 4])
def test_three_exact_values_of_a_twentieth_of_the_patients_are_seen(columns):
    score = near_copies(leaked_values(0.05, columns))
    assert score.details["closeness"] == "shared exact values"
    assert score.value == pytest.approx(0.055, abs=0.015)  # with coincidences
    assert status(score) == {"privacy.near_copies": "REVIEW"}


def test_exact_values_of_a_tenth_of_the_patients_identify_them_at_few_false_positives():
    score = membership_tpr(leaked_values(0.1, 3))
    assert score.value == pytest.approx(0.11, abs=0.03)
    assert status(score) == {"privacy.membership_tpr": "FAIL"}


def test_exact_values_without_a_leak_raise_no_alarm():
    assert status(near_copies(leaked_values(0.0, 3))) == {}


def test_exact_values_of_every_patient_reveal_membership():
    score = membership(leaked_values(1.0, 3))
    assert "shared exact values" in score.details["strongest_attack"] or "ensemble" in score.details["strongest_attack"]
    assert score.value > 0.9
    assert {attack["name"]: attack["value"] for attack in score.details["attacks"]}["nearest row"] < 0.75


def test_shared_values_are_weighted_by_rarity_and_a_row_is_not_compared_with_itself():
    rng = np.random.default_rng(1)
    synthetic = rng.integers(0, 200, (500, 3)).astype(float)
    numeric = np.array([True, True, False])
    rows = np.vstack([synthetic[7], [np.nan, synthetic[7, 1], 0.0], [-1.0, -1.0, synthetic[7, 2]]])
    shares = [(synthetic[:, j] == synthetic[7, j]).mean() for j in range(2)]
    found = shared_surprisal(synthetic, rows, numeric)
    assert found[0] == pytest.approx(-np.log(shares).sum(), rel=1e-5)
    assert found[1] == pytest.approx(-np.log(shares[1]), rel=1e-5)
    assert found[2] == 0
    alone = shared_surprisal(np.arange(6.0).reshape(3, 2), np.arange(6.0).reshape(3, 2), numeric[:2], own=np.arange(3))
    assert alone.tolist() == [0, 0, 0]


def test_the_blocks_of_a_large_table_change_nothing(monkeypatch):
    synthetic, rows = (np.random.default_rng(i).integers(0, 50, (200, 4)).astype(float) for i in range(2))
    whole = shared_surprisal(synthetic, rows, np.ones(4, dtype=bool))
    monkeypatch.setattr("synthclin.evaluation.privacy.shared_values._CELLS", 700)
    assert np.array_equal(shared_surprisal(synthetic, rows, np.ones(4, dtype=bool)), whole)


VISITS = Schema.model_validate(
    {"columns": {"who": {"type": "id", "role": "entity"}, **SCHEMA.model_dump(mode="json")["columns"]}}
)


def visits(patients: int, seed: int) -> pd.DataFrame:
    """Return four visits of each patient, with different values at each."""
    table = ward(4 * patients, seed)
    return table.assign(who=[f"{seed}-{i % patients}" for i in range(len(table))])


def one_visit_leaks(patients: int, holdout_patients: int) -> Comparison:
    """Return tables whose synthetic rows are near one visit of each patient, the third."""
    train, holdout = visits(patients, 1), visits(holdout_patients, 2)
    near = jittered(train.drop(columns="who")).iloc[2 * patients : 3 * patients]
    return Comparison.of(near, train=train, holdout=holdout, schema=VISITS, random_state=1)


@pytest.mark.parametrize("attack", [membership, relative_f1])
def test_a_leak_of_any_visit_of_a_patient_is_seen(attack):
    score = attack(one_visit_leaks(256, 256))
    assert score.n == 256
    assert score.low > score.details["null"] + 0.25
    assert status(score) == {score.name: "FAIL"}


def test_near_copies_of_any_visit_are_seen():
    assert near_copies(one_visit_leaks(256, 256)).value > 0.8


def test_repeated_visits_without_a_leak_reach_chance():
    c = Comparison.of(ward(500, 5), train=visits(200, 1), holdout=visits(200, 2), schema=VISITS, random_state=1)
    for attack in (membership, relative_f1):
        score = attack(c)
        assert score.low <= score.details["null"] <= score.high
        assert "FAIL" not in status(score).values()
    assert status(near_copies(c)) == {}


def test_an_auc_of_repeated_visits_has_no_excuse():
    """Shuffled training columns keep each patient's exact values; verdicts do not see them."""
    rng = np.random.default_rng(1)
    train, holdout = (laboratory(256, seed) for seed in (1, 2))
    repeated = pd.concat([train] * 8, ignore_index=True)
    columns = {"who": {"type": "id", "role": "entity"}, **LABORATORY.model_dump(mode="json")["columns"]}
    schema = Schema.model_validate({"columns": columns})
    who = [str(i % 256) for i in range(len(repeated))]
    synthetic = (repeated * np.exp(rng.normal(0, 0.35, repeated.shape))).round(2)
    again = pd.concat([holdout] * 8, ignore_index=True).assign(who=[f"h{name}" for name in who])
    score = membership(
        Comparison.of(synthetic, train=repeated.assign(who=who), holdout=again, schema=schema, random_state=1)
    )
    assert score.n == 256
    assert 0.7 < score.value < 0.99
    assert score.baseline is None
    assert score.reference == pytest.approx(0.5, abs=0.1)
    assert 0 < score.reference_error < 0.1
    assert status(score) == {"privacy.membership": "FAIL"}


@pytest.mark.parametrize("seed", range(20))
def test_near_copies_of_one_row_in_fifty_ring(seed):
    train, holdout, synthetic = ward(800, 3 * seed), ward(200, 3 * seed + 1), ward(800, 3 * seed + 2)
    near = jittered(train.sample(16, random_state=seed), seed)
    table = pd.concat([near, synthetic.iloc[16:]], ignore_index=True)
    c = Comparison.of(table, train=train, holdout=holdout, schema=SCHEMA, random_state=seed)
    assert status(near_copies(c)) == {"privacy.near_copies": "REVIEW"}
