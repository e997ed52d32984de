from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.rules.rules import finish, violations
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from tests.schemas import schemas, simulate

WARD = Schema.model_validate(
    {
        "columns": {
            "patient": {"type": "id", "format": "HF-{:03d}"},
            "obese": {"type": "boolean", "values": ["no", "yes"], "derive": "bmi >= 30"},
            "bmi": {"type": "number", "decimals": 1, "range": [10, 60], "derive": "weight / (height / 100) ** 2"},
            "sex": {"type": "category", "categories": ["F", "M"]},
            "pregnant": {"type": "boolean", "missing_when": "sex == 'M'"},
            "weeks": {"type": "integer", "missing_when": "not pregnant or pregnant is missing"},
            "weight": {"type": "number", "missing": "allowed"},
            "height": {"type": "number"},
            "admitted": {"type": "date"},
            "discharged": {"type": "date"},
            "stay": {"type": "integer", "derive": "discharged - admitted", "range": [0, 100]},
            "note": {"type": "text"},
        },
        "constraints": ["weight < height", {"when": "sex == 'F'", "then": "weight < 120"}],
    }
)
MODELLED = {name: WARD.columns[name] for name in WARD.modelled}


def sampled(**changes):
    cells = {
        "sex": ["F", "M", "F", "M"],
        "pregnant": [True, True, False, False],
        "weeks": [30, 31, 32, 33],
        "weight": [60.0, 110.0, np.nan, 80.0],
        "height": [170.0, 180.0, 160.0, 175.0],
        "admitted": ["2026-01-01"] * 4,
        "discharged": ["2026-01-03", "2026-01-01", "2026-02-01", "2026-01-02"],
        **changes,
    }
    return pd.DataFrame({name: column.coerce(pd.Series(cells[name]))[0] for name, column in MODELLED.items()})


def test_what_is_computed_is_computed_in_the_order_of_need():
    table = finish(sampled(), WARD)
    assert table.columns.tolist() == [name for name in WARD.columns if name != "note"]
    assert table["bmi"].tolist()[:2] == [20.8, 34.0]
    assert table["obese"].tolist() == ["no", "yes", np.nan, "no"]
    assert table["stay"].tolist() == [2, 0, 31, 1]
    assert table["pregnant"].tolist() == [True, pd.NA, False, pd.NA]
    assert table["weeks"].tolist() == [30, pd.NA, pd.NA, pd.NA]
    assert table["patient"].tolist() == ["HF-001", "HF-002", "HF-003", "HF-004"]
    assert table.dtypes.to_dict() == {name: WARD.columns[name].dtype for name in table}


def test_a_finished_table_breaks_no_implied_rule_and_is_not_changed_by_finishing_again():
    before = sampled()
    table = finish(before, WARD)
    pd.testing.assert_frame_equal(before, sampled())
    assert not any(mask.any() for mask in violations(table, WARD).values())
    pd.testing.assert_frame_equal(finish(table, WARD), table)
    pd.testing.assert_frame_equal(conform(table, WARD), table)


def test_rows_keep_their_labels_and_identifiers_count_rows():
    table = sampled().iloc[[2, 0]]
    assert finish(table, WARD).index.tolist() == [2, 0]
    assert finish(table, WARD)["patient"].tolist() == ["HF-001", "HF-002"]
    assert violations(finish(table, WARD), WARD)["weight < height"].index.tolist() == [2, 0]


def test_no_rows_are_finished_too():
    table = finish(sampled().iloc[:0], WARD)
    assert len(table) == 0
    assert len(violations(table, WARD)["weight < height"]) == 0


def test_violations_are_reported_row_by_row():
    table = finish(sampled(weight=[130.0, 190.0, np.nan, 10.0]), WARD)
    table.loc[0, "stay"] = 101
    table.loc[3, "weeks"] = 5
    broken = {rule: np.flatnonzero(mask).tolist() for rule, mask in violations(table, WARD).items() if mask.any()}
    assert broken == {
        "weight < height": [1],
        "if sex == 'F' then weight < 120": [0],
        "if not pregnant or pregnant is missing then weeks is missing": [3],
        "abs(stay - (discharged - admitted)) <= 0.51": [0],
        "bmi is valid": [3],
        "stay is valid": [0],
    }


@pytest.mark.parametrize(
    ("name", "cells", "broken"),
    [
        ("sex", ["F", "X", "M", None], [1, 3]),
        ("height", ["170", "1,7", np.inf, None], [1, 2, 3]),
        ("weight", [None, "60", "x", 1.0], [2]),
        ("bmi", [9.9, 10, None, 60.1], [0, 3]),
        ("patient", ["a", "a", None, " "], [2, 3]),
    ],
)
def test_validity_is_judged_on_cells_as_they_come(name, cells, broken):
    table = pd.DataFrame({name: pd.Series(cells, dtype=object)})
    found = violations(table, WARD)
    assert list(found) == [f"{name} is valid"]
    assert np.flatnonzero(found[f"{name} is valid"]).tolist() == broken


def test_rules_over_absent_columns_are_left_out():
    found = violations(sampled()[["weight", "height"]], WARD)
    assert list(found) == ["weight < height", "weight is valid", "height is valid"]


def test_derived_numbers_are_rounded_without_minus_zero_and_missing_where_undefined():
    schema = Schema.model_validate(
        {
            "columns": {
                "a": {"type": "number"},
                "b": {"type": "number"},
                "ratio": {"type": "number", "decimals": 1, "derive": "a / b"},
                "whole": {"type": "integer", "derive": "a / b"},
                "exact": {"type": "number", "derive": "a / b"},
            }
        }
    )
    table = finish(pd.DataFrame({"a": [-0.04, 1.0, 2.5], "b": [1.0, 0.0, 1.0]}), schema)
    assert list(map(repr, table["ratio"])) == ["0.0", "nan", "2.5"]
    assert table["whole"].tolist() == [0, pd.NA, 2]
    assert table["exact"].tolist()[::2] == [-0.04, 2.5]
    assert not any(mask.any() for mask in violations(table, schema).values())


@settings(max_examples=30, deadline=None)
@given(schema=schemas(), seed=st.integers(0, 2**32 - 1))
def test_a_conforming_table_is_valid_once_finished(schema, seed):
    typed = conform(simulate(schema, 8, np.random.default_rng(seed)), schema)
    table = finish(typed, schema)
    assert not any(mask.any() for mask in violations(table, schema).values())
    assert table.columns.tolist() == [name for name, column in schema.columns.items() if column.type != "text"]
