from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import agreements, marginals, missingness, pairs
from synthclin.schema import Schema

from .clinic import SCHEMA, clinic, shuffled


def test_ordered_columns_are_judged_as_scipy_does(compare, fresh, train):
    columns = {row["column"]: row for row in marginals(compare(fresh)).details["columns"]}
    for name in ("age", "bmi", "weight"):
        a, b = (table[name].dropna().astype(float) for table in (train, fresh))
        assert columns[name]["value"] == pytest.approx(1 - stats.ks_2samp(a, b).statistic)
        assert columns[name]["measure"] == "1 - KS"


def test_levels_are_judged_with_missing_as_one_of_them():
    real = np.array([[0.0], [0.0], [1.0], [np.nan]])
    other = np.array([[0.0], [1.0], [1.0], [1.0]])
    assert agreements(real, other, np.array([False]))[0, 0] == pytest.approx(0.5)


def test_weights_count_rows_as_often_as_they_are_drawn():
    rng = np.random.default_rng(0)
    real, other = rng.normal(size=(50, 2)).round(1), rng.normal(size=(40, 2)).round(1)
    weights = rng.integers(0, 3, (4, 40))
    lines = np.array([True, False])
    repeated = [agreements(real, np.repeat(other, w, axis=0), lines)[0] for w in weights]
    assert agreements(real, other, lines, weights) == pytest.approx(np.array(repeated))


def test_a_copy_agrees_fully_and_its_interval_holds_it(compare, train):
    for score in (marginals(compare(train)), pairs(compare(train)), missingness(compare(train))):
        assert score.value == pytest.approx(1.0)
        assert score.low > 0.95
        assert score.high == pytest.approx(1.0)


def test_fresh_rows_lie_near_the_ceiling_and_shuffled_rows_lose_pairs_but_no_marginal(compare, fresh, train):
    good, bad = compare(fresh), compare(shuffled(train))
    assert marginals(good).value > 0.93
    assert marginals(bad).value == pytest.approx(1.0)
    assert marginals(bad).floor is None
    for score in (pairs, missingness):
        real, broken = score(good), score(bad)
        assert broken.high < real.low
        assert real.ceiling > real.floor
        assert broken.value == pytest.approx(broken.floor, abs=0.06)


def test_one_damaged_column_is_named_first(compare, fresh):
    damaged = fresh.assign(age=(fresh["age"] + 40).astype("Int64"))
    before, after = marginals(compare(fresh)), marginals(compare(damaged))
    assert after.high < before.low
    assert after.details["columns"][0]["column"] == "age"


def test_a_lost_association_is_named_first(compare, fresh):
    score = pairs(compare(shuffled(fresh, "bmi")))
    assert set(score.details["lost"][0]["columns"]) == {"bmi", "weight"}
    assert score.details["lost"][0]["real"] > 0.99
    assert abs(score.details["lost"][0]["synthetic"]) < 0.2
    assert score.high < pairs(compare(fresh)).low
    assert score.details["largest_change_synthetic"] > 0.7 > score.details["largest_change_holdout"]


def test_an_invented_association_is_named_first(compare, fresh):
    order = fresh["age"].astype(int).to_numpy().argsort(kind="stable")
    invented = fresh.copy()
    invented.loc[invented.index[order], "seen"] = np.sort(fresh["seen"].to_numpy())
    row = pairs(compare(invented)).details["invented"][0]
    assert set(row["columns"]) == {"age", "seen"}
    assert row["synthetic"] > 0.9
    assert abs(row["real"]) < 0.2


def test_missing_cells_that_came_apart_cost_the_pattern(compare, fresh):
    apart = fresh.assign(weight=fresh["weight"].iloc[::-1].to_numpy())
    score = missingness(compare(apart))
    assert score.high < missingness(compare(fresh)).low
    assert [row["missing"] for row in score.details["patterns"]] == [[], ["bmi", "weight"]]
    assert {row["column"] for row in score.details["columns"]} == {"bmi", "weight"}


def test_a_column_without_synthetic_values_agrees_in_nothing(compare, fresh):
    columns = marginals(compare(fresh.assign(bmi=np.nan))).details["columns"]
    assert columns[0] == columns[0] | {"column": "bmi", "value": 0.0, "missing_synthetic": 1.0}


def test_unequal_sizes_are_told(compare, fresh):
    assert "rests on 200 rows" in marginals(compare(fresh)).note
    assert "rests on" not in marginals(compare(fresh.iloc[:200])).note


def test_scores_without_a_subject_say_why():
    one = Schema.model_validate({"columns": {"x": {"type": "number"}}})
    table = pd.DataFrame({"x": np.arange(30.0)})
    c = Comparison.of(table, train=table, holdout=None, schema=one)
    assert math.isnan(pairs(c).value)
    assert "one column" in pairs(c).note
    assert math.isnan(missingness(c).value)
    assert "No cell is missing" in missingness(c).note
    few = clinic(8, 0)
    assert "11 training rows" in missingness(Comparison.of(few, train=few, holdout=None, schema=SCHEMA)).note


def test_shares_of_few_patients_are_not_told():
    train = clinic(300, 4)
    train.loc[train["bmi"].notna(), "bmi"] = 25.0
    train["bmi"] = train["bmi"].fillna(25.0)
    train.loc[:4, "bmi"] = np.nan
    c = Comparison.of(train, train=train, holdout=None, schema=SCHEMA)
    rates = {row["column"]: row["real"] for row in missingness(c).details["columns"]}
    assert rates["bmi"] is None
    assert rates["weight"] > 0.1


def test_intervals_cover_the_value_of_a_large_table(train):
    large = Comparison.of(clinic(20_000, 50), train=train, holdout=None, schema=SCHEMA)
    truth = missingness(large).value
    draws = [Comparison.of(clinic(300, 100 + i), train=train, holdout=None, schema=SCHEMA) for i in range(40)]
    held = sum(score.low <= truth <= score.high for score in map(missingness, draws))
    assert held >= 34
