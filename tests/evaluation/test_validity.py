from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.validity import rules
from synthclin.schema import Schema


def test_fresh_rows_break_no_rule(compare, fresh):
    score = rules(compare(fresh))
    assert score.value == score.ceiling == score.high == 1.0
    assert score.details["rules"] == []
    assert score.details["declared"] >= 8


def test_broken_rules_and_ranges_are_counted_by_row_and_by_rule(compare, fresh):
    broken = fresh.copy()
    broken.loc[:19, "age"] = 25  # breaks the rule
    broken.loc[10:29, "bmi"] = 99.0  # breaks the range
    broken.loc[390:, "sex"] = None  # is never missing
    score = rules(compare(broken))
    assert score.value == pytest.approx(1 - 40 / 400)
    assert (score.low, score.high) == wilson(360, 400)
    counts = {row["rule"]: row["synthetic"] for row in score.details["rules"]}
    assert counts == {"age >= 30": 20, "bmi is valid": 20, "sex is valid": 10}


def test_shuffling_breaks_rules_between_columns():
    schema = Schema.model_validate(
        {"columns": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "constraints": ["a <= b"]}
    )
    table = pd.DataFrame({"a": range(100), "b": range(100)}).astype("Int64")
    score = rules(Comparison.of(table, train=table, holdout=None, schema=schema))
    assert score.value == 1.0
    assert score.floor < 0.8
    assert score.ceiling is None


def test_counts_of_few_real_rows_are_not_told(compare, fresh, train):
    broken = train.copy()
    broken.loc[:2, "age"] = 25
    c = compare(fresh)
    c = replace(c, tables=replace(c.tables, train=broken, synthetic=broken))
    assert rules(c).details["rules"] == [{"rule": "age >= 30", "synthetic": 3, "real": None}]
