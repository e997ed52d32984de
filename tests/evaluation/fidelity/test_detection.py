from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import detection as module
from synthclin.evaluation.fidelity.detection import detection, logistic_detection
from synthclin.schema import Schema
from tests.evaluation.clinic import SCHEMA, clinic, shuffled


@pytest.fixture(autouse=True)
def _one_draw(monkeypatch):
    # One repeat is enough here; three only reduce the variance.
    monkeypatch.setattr(module, "_REPEATS", 1)


@pytest.fixture(scope="module")
def good(compare, ideal):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_REPEATS", 1)
        return detection(compare(ideal))


def test_one_damaged_column_raises_the_auc_and_its_importance(good, compare, ideal):
    score = detection(compare(ideal.assign(age=(ideal["age"] + 15).clip(upper=95).astype("Int64"))))
    assert score.low > good.high
    assert score.details["columns"][0]["column"] == "age"


def test_area_and_curve_are_those_of_the_scores(good, compare, ideal):
    c = compare(ideal)
    run = module._runs(c, c.holdout, c.holdout_patients, [c.synthetic], "synthetic")[0]
    assert run.area == pytest.approx(roc_auc_score(run.synthetic, run.scores), abs=0.03)
    assert good.value == run.area


def test_rows_of_one_patient_never_cross_folds():
    patients = np.repeat(np.arange(40), 3)
    folds = module._folds(patients, np.random.default_rng(0))
    assert (folds.reshape(40, 3) == folds.reshape(40, 3)[:, :1]).all()
    assert np.unique(folds).tolist() == [0, 1, 2, 3, 4]


def test_repeated_rows_of_patients_are_no_advantage():
    # Each patient has four equal rows: across folds, real rows would be classified by their duplicates.
    schema = Schema.model_validate(
        {"columns": {"who": {"type": "id", "role": "entity"}, "x": {"type": "number"}, "y": {"type": "number"}}}
    )

    def visits(patients: int, seed: int) -> pd.DataFrame:
        rows = np.repeat(np.random.default_rng(seed).normal(size=(patients, 2)), 4, axis=0)
        return pd.DataFrame({"who": [f"{seed}p{i // 4}" for i in range(len(rows))], "x": rows[:, 0], "y": rows[:, 1]})

    c = Comparison.of(visits(400, 1).iloc[::4], train=visits(60, 2), holdout=visits(60, 3), schema=schema)
    assert detection(c).value < 0.65


@pytest.mark.parametrize("rows", [None, 5])
def test_too_few_holdout_patients_are_not_assessable(train, holdout, ideal, rows):
    few = None if rows is None else holdout.iloc[:rows]
    score = detection(Comparison.of(ideal.iloc[:60], train=train.iloc[:60], holdout=few, schema=SCHEMA))
    assert math.isnan(score.value)
    assert "fair comparison" in score.note
    assert 0 <= score.details["auc_against_train"] <= 1


def test_visits_of_few_patients_give_a_wide_interval():
    schema = Schema.model_validate(
        {
            "columns": {
                "who": {"type": "id", "role": "entity"},
                "height": {"type": "number"},
                "weight": {"type": "number"},
            }
        }
    )

    def visits(patients, seed):
        rng = np.random.default_rng(seed)
        mean = rng.normal(0, 1, (patients, 2)).repeat(8, axis=0)
        rows = pd.DataFrame(mean + rng.normal(0, 0.3, mean.shape), columns=["height", "weight"])
        rows.insert(0, "who", [f"p{seed}-{i // 8}" for i in range(len(rows))])
        return rows

    score = detection(Comparison.of(visits(90, 1), train=visits(90, 2), holdout=visits(30, 3), schema=schema))
    # 240 rows of 30 patients: an interval as if there were 240 patients would be half as wide.
    assert score.high - score.low > 0.2
    assert score.low < 0.5


def test_logistic_detection_equals_sdmetrics_and_ignores_dependence(compare, ideal, train):
    lost = logistic_detection(compare(shuffled(train)))
    assert lost.baseline > 0.8
    assert lost.value > 0.75
    assert "no gate" in lost.note
    damaged = ideal.assign(age=(ideal["age"] + 20).astype("Int64"), bmi=ideal["bmi"] + 3)
    assert logistic_detection(compare(damaged)).high < logistic_detection(compare(ideal)).low
    assert 2 * (1 - lost.details["auc"]) == pytest.approx(lost.value, abs=0.2)


def test_several_replicates_narrow_the_interval(train, holdout, ideal, good):
    tables = [ideal, *(clinic(400, 20 + i) for i in range(3))]
    score = detection(Comparison.of(tables, train=train, holdout=holdout, schema=SCHEMA, random_state=7))
    assert len(score.replicates) == 4
    width = (score.high - score.low) / (good.high - good.low)
    # Near 0.5 a quarter of the variance is that of pairs of real rows, which all tables share.
    assert 0.5 < width < 1.2
