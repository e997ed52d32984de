from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.metrics import brier_score_loss, r2_score, roc_auc_score

from synthclin.errors import ConfigError
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.learners import classifiers
from synthclin.evaluation.tasks import PredictTask
from synthclin.evaluation.utility import prediction_problem, predictions
from synthclin.evaluation.utility.prediction_metrics import brier, calibration_slope, importances, r2
from synthclin.evaluation.utility.predictions import default_tasks
from synthclin.evaluation.utility.predictions import predict as predicted
from synthclin.schema import Schema
from tests.evaluation.clinic import SCHEMA, clinic, shuffled
from tests.short import few_trees

DIED = PredictTask(target="died")


@pytest.fixture(scope="module", autouse=True)
def _few_trees():
    with pytest.MonkeyPatch.context() as patch:
        few_trees(patch)
        yield


def predict(c, task):
    """Return the first score of a task: discrimination."""
    return predicted(c, task)[0]


def linear_alone(features, x):
    return {"linear": classifiers(features, x)["linear"]}


def test_outcomes_are_predicted_unless_tasks_are_given():
    assert default_tasks(SCHEMA) == (DIED,)


@pytest.fixture(scope="module")
def good(compare, ideal):
    return predicted(compare(ideal), DIED)


@pytest.fixture(scope="module")
def lost(compare, ideal):
    return predicted(compare(shuffled(ideal, "died")), DIED)


def test_a_copy_loses_nothing_and_ideal_rows_little(compare, good, train):
    copy, good = predict(compare(train), DIED), good[0]
    assert copy.value == copy.low == copy.high == copy.reference == 0.0
    assert abs(good.value) < 0.06


def test_a_lost_association_with_the_target_costs_utility(good, lost):
    assert lost[0].high < good[0].low
    assert {row["learner"] for row in lost[0].details["learners"]} == {"boosted trees", "random forest", "linear"}


def test_several_classes_are_scored_one_against_the_rest(compare, ideal, monkeypatch):
    monkeypatch.setattr(prediction_problem, "classifiers", linear_alone)
    good = predict(compare(ideal), PredictTask(target="nyha"))
    bad = predict(compare(shuffled(ideal, "nyha")), PredictTask(target="nyha"))
    assert "each class against the others" in good.method
    assert bad.high < good.low


def test_numbers_are_judged_by_explained_variance(compare, ideal):
    good = predict(compare(ideal), PredictTask(target="weight"))
    assert good.details["measure"] == "R2"
    assert all(row["real"] > 0.8 for row in good.details["learners"])
    assert predict(compare(shuffled(ideal, "weight")), PredictTask(target="weight")).high < good.low


def test_weighted_r2_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    y, predicted, weights = rng.normal(size=40), rng.normal(size=40), rng.integers(1, 4, (3, 40))
    expected = [r2_score(y, predicted, sample_weight=w) for w in weights]
    assert r2(predicted, y, weights) == pytest.approx(expected)
    assert np.isnan(r2(predicted, np.ones(40), weights)).all()


def test_auc_is_that_of_scikit_learn(train, holdout):
    schema = Schema.model_validate({"columns": {"x": {"type": "number"}, "y": {"type": "boolean", "values": [0, 1]}}})
    tables = [pd.DataFrame({"x": table["age"].astype(float), "y": table["died"]}) for table in (train, holdout)]
    score = predict(
        Comparison.of(tables[0], train=tables[0], holdout=tables[1], schema=schema), PredictTask(target="y")
    )
    # One rising predictor: a linear model ranks patients as the predictor does.
    expected = roc_auc_score(tables[1]["y"].astype(int), tables[1]["x"])
    linear = next(row for row in score.details["learners"] if row["learner"] == "linear")
    assert linear["real"] == pytest.approx(expected)


def test_columns_known_only_later_do_not_help(compare, ideal):
    assert "died" not in predict(compare(ideal), PredictTask(target="age")).details["predictors"]


def test_reasons_for_not_assessable_tasks(train, holdout, ideal):
    def note(synthetic=ideal, real=train, test=holdout, target="died"):
        c = Comparison.of(synthetic, train=real, holdout=test, schema=SCHEMA)
        score = predict(c, PredictTask(target=target))
        assert math.isnan(score.value)
        return score.note

    alive = {"died": pd.array([0] * 400, dtype="Int64")}
    assert "no holdout" in note(test=None)
    assert "two classes" in note(real=train.assign(**alive))
    assert "synthetic rows" in note(synthetic=ideal.assign(weight=np.nan), target="weight")
    assert "holdout rows" in note(test=holdout.iloc[:12], target="age")
    assert "same in all training rows" in note(real=train.assign(bmi=20.0), target="bmi")


def test_synthetic_rows_of_one_class_give_a_note(compare, ideal):
    score = predict(compare(ideal.assign(died=pd.array([1] * 400, dtype="Int64"))), DIED)
    assert all(row["synthetic"] == 0.5 for row in score.details["learners"])
    assert "no model can be trained" in score.note
    assert score.high < -0.1


def test_a_target_that_is_not_modelled_is_refused(compare, ideal):
    with pytest.raises(ConfigError, match="ward"):
        predict(compare(ideal), PredictTask(target="ward"))


def test_missing_columns_in_all_training_rows_do_not_stop_the_learners(train, holdout):
    schema = SCHEMA
    empty = clinic(400, 9).assign(bmi=np.nan, weight=np.nan, seen=pd.NaT)
    empty["seen"] = pd.to_datetime(empty["seen"])
    score = predict(Comparison.of(empty, train=train, holdout=holdout, schema=schema), DIED)
    assert not math.isnan(score.value)


def test_too_many_deaths_cost_calibration_and_little_discrimination(compare, ideal, good):
    dead = ideal[ideal["died"] == 1]
    more = pd.concat([dead, dead, dead, ideal[ideal["died"] == 0].iloc[:30]]).iloc[-400:].reset_index(drop=True)
    discrimination, calibration, _ = predicted(compare(more), DIED)
    assert calibration.low > good[1].high
    assert abs(discrimination.value) < 0.06
    assert all(
        row["synthetic"]["intercept"] < -0.5 < row["real"]["intercept"] for row in calibration.details["learners"]
    )
    assert good[1].name == "calibration.died"
    assert good[1].better == "lower"


def test_brier_and_slope_are_those_of_other_libraries():
    rng = np.random.default_rng(0)
    p, weights = rng.random(400), rng.integers(1, 3, (2, 400))
    y = (rng.random(400) < p).astype(float)
    both = np.column_stack([1 - p, p])
    expected = [brier_score_loss(y, p, sample_weight=w) for w in weights]
    assert brier(both, np.array([0.0, 1.0]), y, weights) == pytest.approx(np.array(expected))
    slope, intercept = calibration_slope(p, y == 1)
    direct = sm.Logit(y, sm.add_constant(np.log(p / (1 - p)))).fit(disp=False).params
    assert (intercept, slope) == pytest.approx(tuple(direct), abs=1e-3)


def test_columns_that_predict_show_as_importance(good):
    ideal = good[2]
    assert ideal.name == "importance.died"
    assert ideal.details["columns"][0]["column"] in {"age", "nyha"}
    assert ideal.reference > ideal.baseline


def test_several_tables_share_one_holdout_and_their_differences_count(train, holdout, ideal, good, lost):
    tables = [ideal, shuffled(ideal, "died")]
    both = predict(Comparison.of(tables, train=train, holdout=holdout, schema=SCHEMA, random_state=7), DIED)
    assert both.value == pytest.approx((good[0].value + lost[0].value) / 2, abs=0.03)
    assert both.high - both.low > 2 * (good[0].high - good[0].low)


def test_large_tables_are_subsampled_for_training_and_testing(compare, ideal, monkeypatch):
    monkeypatch.setattr(prediction_problem, "classifiers", linear_alone)
    whole = predict(compare(ideal), DIED)
    monkeypatch.setattr(predictions, "_MOST_ROWS", 100)
    monkeypatch.setattr(predictions, "_MOST_TESTED", 150)
    monkeypatch.setattr(prediction_problem, "_MOST_EXPLAINED", 60)
    part = predict(compare(ideal), DIED)
    assert part.details["rows"] == {"train": 100, "test": 150}
    assert "trained on 100 rows" in part.note
    assert "tested on 150 of" in part.note
    assert part == predict(compare(ideal), DIED)
    assert part.low <= whole.value <= part.high
    assert part.high - part.low > whole.high - whole.low  # fewer rows, more chance


def test_permutation_importance_uses_rows_of_every_class():
    y = np.repeat([0.0, 1.0, 2.0], [2_990, 5, 1_000])
    few = prediction_problem._few(y, np.array([0.0, 1.0, 2.0]))
    assert np.bincount(y[few].astype(int)).tolist() == [333, 5, 333]
    assert len(prediction_problem._few(y, None)) == 1_000
    assert prediction_problem._few(y[:50], None).tolist() == list(range(50))


def test_columns_that_predict_in_the_opposite_order_cost_importance(monkeypatch):
    monkeypatch.setattr(prediction_problem, "classifiers", linear_alone)
    names = [f"x{j}" for j in range(16)]
    schema = Schema.model_validate(
        {"columns": {**{name: {"type": "number"} for name in names}, "ill": {"type": "boolean", "role": "outcome"}}}
    )

    def sampled(seed, weights):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(1000, 16))
        ill = rng.random(1000) < 1 / (1 + np.exp(-x @ weights))
        return pd.DataFrame(x, columns=names).assign(ill=pd.array(ill, dtype="boolean"))

    rising = np.linspace(0, 1.2, 16)
    kept, turned = (
        predicted(
            Comparison.of(sampled(3, weights), train=sampled(1, rising), holdout=sampled(2, rising), schema=schema),
            PredictTask(target="ill"),
        )[2]
        for weights in (rising, rising[::-1])
    )
    assert kept.low <= kept.reference <= kept.high
    assert turned.high < kept.low


def test_importance_equals_scikit_learn_up_to_permutations():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3))
    y = x @ [2.0, 1.0, 0.0] + rng.normal(size=2000)
    model = LinearRegression().fit(x, y)
    theirs = permutation_importance(model, x, y, n_repeats=5, random_state=0).importances_mean
    ours = importances(lambda copies: [r2_score(y, part) for part in model.predict(copies).reshape(-1, 2000)], x)
    assert ours == pytest.approx(theirs, abs=0.05)
