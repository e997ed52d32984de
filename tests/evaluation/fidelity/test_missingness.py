from __future__ import annotations

import math

import numpy as np
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.missing_dependence import missing_dependence
from synthclin.evaluation.fidelity.missingness import missingness
from synthclin.schema import Schema
from tests.evaluation.clinic import SCHEMA, clinic


def test_missing_cells_that_came_apart_cost_the_pattern(compare, ideal):
    apart = ideal.assign(weight=ideal["weight"].iloc[::-1].to_numpy())
    score = missingness(compare(apart))
    assert score.high < missingness(compare(ideal)).low
    assert [row["missing"] for row in score.details["patterns"]] == [[], ["bmi", "weight"]]
    assert {row["column"] for row in score.details["columns"]} == {"bmi", "weight"}


def test_values_missing_of_other_patients_cost_the_dependence_and_leave_the_pattern():
    train, holdout, ideal = clinic(1600, 1), clinic(400, 2), clinic(1600, 3)
    # As many cells are missing, and together, but no longer more often of men.
    order = np.random.default_rng(0).permutation(len(ideal))
    moved = ideal.assign(bmi=ideal["bmi"].to_numpy()[order], weight=ideal["weight"].to_numpy()[order])
    tables = [Comparison.of(table, train=train, holdout=holdout, schema=SCHEMA) for table in (ideal, moved)]
    good, bad = map(missing_dependence, tables)
    assert bad.low > good.high
    assert missingness(tables[0]).value == pytest.approx(missingness(tables[1]).value, abs=0.02)
    worst = bad.details["correlations"][0]
    assert (worst["missing"], worst["column"]) in {("bmi", "sex"), ("weight", "sex")}
    assert abs(worst["real"]) > 0.2 > abs(worst["synthetic"])


def test_scores_without_a_subject_say_why():
    one = Schema.model_validate({"columns": {"age": {"type": "integer"}}})
    few = clinic(8, 0)
    c = Comparison.of(few, train=few, holdout=None, schema=one)
    assert math.isnan(missingness(c).value)
    assert "No cell is missing" in missingness(c).note
    assert "22 missing" in missing_dependence(c).note
    assert "11 training rows" in missingness(Comparison.of(few, train=few, holdout=None, schema=SCHEMA)).note


def test_shares_of_small_cells_are_suppressed():
    train = clinic(300, 4)
    train.loc[train["bmi"].notna(), "bmi"] = 25.0
    train["bmi"] = train["bmi"].fillna(25.0)
    train.loc[:4, "bmi"] = np.nan
    c = Comparison.of(train, train=train, holdout=None, schema=SCHEMA)
    rates = {row["column"]: row["real"] for row in missingness(c).details["columns"]}
    assert rates["bmi"] is None
    assert rates["weight"] > 0.1
