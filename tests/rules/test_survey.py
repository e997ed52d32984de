"""The survey of a table: counts are exact, and no cell's value is disclosed."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from synthclin.rules.survey import survey
from synthclin.schema import Schema

CANARY = "ZZ_CANARY_7391"
ROWS = 200


@pytest.fixture
def schema():
    return Schema.model_validate(
        {
            "columns": {
                "who": {"type": "id", "role": "entity"},
                "sbp": {"type": "integer", "unit": "mm[Hg]", "range": [0, 250], "missing": "allowed"},
                "dbp": {"type": "integer", "range": [0, 250]},
                "glucose": {"type": "number", "unit": "mg/dL"},
                "seen": {"type": "date", "range": ["2020-01-01", "2029-12-31"]},
                "sex": {"type": "category", "categories": ["F", "M", "X"]},
                "site": {"type": "category"},
                "age_group": {"type": "integer", "derive": "floor(sbp / 10)"},
            },
            "constraints": ["dbp < sbp", {"when": "sex == 'F'", "then": "sbp is not missing"}],
        }
    )


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    sbp = rng.integers(101, 149, ROWS).astype(float)
    frame = pd.DataFrame(
        {
            "who": np.arange(ROWS) // 2,
            "sbp": sbp,
            "dbp": 80,
            "glucose": rng.normal(110, 15, ROWS),
            "seen": [dt.date(2021, 1, 1) + dt.timedelta(days=int(day)) for day in rng.integers(0, 300, ROWS)],
            "sex": ["M"] * 100 + ["F"] * 100,
            "site": ["a"] * 90 + ["b"] * 90 + [CANARY] * 20,
            "age_group": np.floor(sbp / 10),
        }
    )
    frame.loc[:9, "sbp"] = np.nan
    return frame


def views(seen):
    return {column.name: column for column in seen.columns}


def test_counts(table, schema):
    seen = survey(table, schema)
    by_name = views(seen)
    assert (seen.rows, seen.patients, seen.valid) == (ROWS, 100, True)
    assert (by_name["sbp"].missing, by_name["sbp"].share, by_name["sbp"].violations) == (10, 0.05, 0)
    assert (by_name["sbp"].declared, by_name["sbp"].unit) == ("0 to 250", "mm[Hg]")
    assert by_name["sbp"].observed == "2 of 10 parts"
    assert by_name["seen"].declared == "2020-01-01 to 2029-12-31"
    assert by_name["seen"].observed == "1 of 10 parts"
    assert (by_name["sex"].declared, by_name["sex"].observed) == ("3 levels", "2 of 3 levels")
    assert by_name["age_group"].declared == "computed: floor(sbp / 10)"
    assert "no range is declared" in by_name["glucose"].notes


def test_levels_are_rare_by_patients_not_by_rows(table, schema):
    # twenty rows, ten patients
    assert views(survey(table, schema))["site"].notes == ("levels of fewer than 11 patients: 1",)
    anonymous = schema.with_column("who", role=None)
    assert views(survey(table, anonymous))["site"].notes == ()


def test_violations_and_rules(table, schema):
    table.loc[[20, 30], "dbp"] = [149, 900]
    table.loc[199, "sbp"] = np.nan
    table.loc[[3, 4, 5], "sex"] = CANARY
    seen = survey(table, schema)
    assert not seen.valid
    assert views(seen)["dbp"].violations == 1
    assert (views(seen)["sex"].violations, views(seen)["sex"].missing) == (3, 0)
    rules = {rule.text: rule for rule in seen.rules}
    assert rules["dbp < sbp"].rows == (21, 31)
    assert (rules["if sex == 'F' then sbp is not missing"].violations, rules["dbp < sbp"].violations) == (1, 2)


def test_mixed_units_are_suspected(table, schema):
    table.loc[table.index % 4 == 0, "glucose"] /= 18.02
    [note, _] = views(survey(table, schema))["glucose"].notes
    assert note == "two units? 50 and 150 cells lie apart as mg/dL and mmol/L of glucose do"


def test_no_cell_is_disclosed(table, schema):
    table["sbp"] = table["sbp"] + 1000.123
    table.loc[0, "sex"] = CANARY
    text = repr(dataclasses.asdict(survey(table, schema)))
    assert CANARY not in text
    assert not any(f"{value:g}" in text for value in table["sbp"].dropna().unique())


def test_columns_that_are_absent_are_findings(table, schema):
    seen = survey(table.drop(columns=["who", "dbp"]), schema)
    assert seen.patients is None
    assert [rule.text for rule in seen.rules if "dbp" in rule.text] == []
    assert {finding.where for finding in seen.findings} >= {"column 'dbp'", "column 'who'"}


def test_an_empty_table_is_reported(table, schema):
    seen = survey(table.head(0), schema)
    assert not seen.valid
    assert seen.columns == ()
