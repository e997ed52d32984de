from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import DataError
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.marginals import marginals
from synthclin.evaluation.scoring import score_table
from synthclin.evaluation.validity import BrokenRule, rules
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from synthclin.tables import read_table

from .clinic import SCHEMA


def test_ideal_rows_break_no_rule(compare, ideal):
    score = rules(compare(ideal))
    assert score.value == score.reference == score.high == 1.0
    assert score.details["rules"] == []
    assert score.details["declared"] >= 8


def test_broken_rules_and_ranges_are_counted_by_row_and_by_rule(compare, ideal):
    broken = ideal.copy()
    broken.loc[:19, "age"] = 25  # breaks the rule
    broken.loc[10:29, "bmi"] = 99.0  # breaks the range
    broken.loc[390:, "sex"] = None  # is never missing
    score = rules(compare(broken))
    assert score.value == pytest.approx(1 - 40 / 400)
    assert (score.low, score.high) == (score.value, score.value)  # a census
    counts = {row["rule"]: row["synthetic"] for row in score.details["rules"]}
    assert counts == {"age >= 30": 20, "bmi is valid": 20, "sex is valid": 10}


def test_shuffling_breaks_rules_between_columns():
    schema = Schema.model_validate(
        {"columns": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "constraints": ["a <= b"]}
    )
    table = pd.DataFrame({"a": range(100), "b": range(100)}).astype("Int64")
    score = rules(Comparison.of(table, train=table, holdout=None, schema=schema))
    assert score.value == 1.0
    assert score.baseline < 0.8
    assert score.reference is None


def test_small_counts_of_real_rows_are_suppressed(compare, ideal, train):
    broken = train.copy()
    broken.loc[:2, "age"] = 25
    c = compare(ideal)
    c = replace(c, tables=replace(c.tables, train=broken, synthetic=broken))
    assert rules(c).details["rules"] == [BrokenRule(rule="age >= 30", synthetic=3, real=None)]


def test_a_csv_with_forbidden_values_is_read_and_scored(tmp_path, compare, ideal):
    wild = ideal.astype({"sex": object})
    wild.loc[:19, "age"] = 17  # out of range, and against a rule
    wild.loc[20:29, "sex"] = "unknown"
    wild.loc[30:39, "died"] = None
    path = tmp_path / "sampled.csv"
    wild[wild.columns[::-1]].to_csv(path, index=False)
    with pytest.raises(DataError, match=r"sampled\.csv: column 'age': 20 of 400"):
        read_table(path, SCHEMA)
    read = read_table(path, SCHEMA, judged=True)
    assert list(read.columns) == list(SCHEMA.columns)
    score = rules(compare(read))
    assert score.value == pytest.approx(0.9)
    assert marginals(compare(read)).high < 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.drop(columns=["sex"]), "column 'sex': is in the schema, but not in the table"),
        (lambda t: t.assign(index=1), "column 'index': is in the table, but not in the schema"),
        (lambda t: t.assign(age=t["age"].astype(object).where(t.index != 3, "CANARY")), "column 'age': 1 of 400 rows"),
        (lambda t: t.iloc[:0], "no rows"),
    ],
)
def test_a_reading_error_names_file_and_column_and_no_cell(tmp_path, ideal, damage, message):
    damage(ideal).to_csv(tmp_path / "sampled.csv", index=False)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / "sampled.csv", SCHEMA, judged=True)
    assert "sampled.csv: " in str(caught.value)
    assert message in str(caught.value)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("as_read", [True, False])
def test_an_undeclared_value_of_a_synthetic_table_is_invalid_also_where_real_ones_are_read_as_missing(as_read):
    """The level of one patient that inference left out stands in a synthetic row; no page tells its name."""
    site = {"type": "category", "categories": ["north", "south"], "missing": "allowed", "other": "missing"}
    schema = Schema.model_validate({"columns": {"site": site, "age": {"type": "integer", "range": [0, 120]}}})
    rng = np.random.default_rng(0)

    def ward(rows):
        return pd.DataFrame({"site": rng.choice(["north", "south"], rows), "age": rng.integers(20, 90, rows)})

    train, synthetic = ward(200), ward(200)
    train.loc[0, "site"] = "Kleindorf"
    synthetic.loc[:4, "site"] = ["Kleindorf", *["Atlantis"] * 4]
    if as_read:
        train, synthetic = conform(train, schema), conform(synthetic, schema, judged=True)
        assert "Kleindorf" not in str(synthetic["site"].tolist())
    score = score_table(synthetic, train=train, schema=schema)["validity.rules"]
    assert score.value == pytest.approx(0.975)
    assert [(row.rule, row.synthetic, row.real) for row in score.details.rules] == [("site is valid", 5, 0)]
