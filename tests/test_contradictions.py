"""Rules that leave a level without a row, equalities within decimals, and negative times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import ConfigError, DataError
from synthclin.rules.rules import violations
from synthclin.rules.validation import check, conform, contradictions, refuse_contradiction, without_violations
from synthclin.schema import Schema

WHOLE = {"type": "integer", "range": [0, 120]}
SEX = {"type": "category", "categories": ["F", "M"]}
STAGE = {"type": "ordinal", "categories": ["I", "II", "III"]}


def schema(columns, *rules):
    return Schema.model_validate({"columns": columns, "constraints": list(rules)})


@pytest.mark.parametrize(
    ("columns", "rules", "level"),
    [
        ({"sex": SEX, "age": WHOLE}, [("sex == 'F'", "age > 50"), ("sex == 'F'", "age < 40")], "'F'"),
        ({"ill": {"type": "boolean"}, "age": WHOLE}, [("ill", "age >= 60"), ("ill", "age <= 59")], "True"),
        ({"sex": SEX, "bmi": {"type": "number"}}, [("sex == 'M'", "bmi >= 25"), ("sex == 'M'", "bmi < 25")], "'M'"),
        (
            {"stage": STAGE, "sex": SEX, "age": WHOLE},
            [("stage == 'III'", "sex == 'M'"), ("sex == 'M'", "age < 20"), ("stage >= 'II'", "age > 30")],
            "'III'",
        ),
    ],
)
def test_rules_that_leave_a_level_without_a_row_are_refused_and_named(columns, rules, level):
    contradictory = schema(columns, *({"when": when, "then": then} for when, then in rules))
    with pytest.raises(ConfigError, match=f"no row can have its level {level} under the rules"):
        refuse_contradiction(contradictory)
    refuse_contradiction(schema(columns, *({"when": when, "then": then} for when, then in rules[:1])))


def test_one_rule_may_exclude_a_level_and_is_named():
    excluded = schema({"sex": SEX, "age": WHOLE}, "sex != 'F'")
    refuse_contradiction(excluded)
    [found] = contradictions(excluded)
    assert (found.severity, found.where) == ("warning", "column 'sex'")
    assert "'F'" in found.what


def test_a_column_that_is_missing_at_a_level_is_no_contradiction():
    columns = {"sex": SEX, "births": WHOLE | {"missing": "allowed"}}
    rules = [{"when": "sex == 'M'", "then": "births is missing"}, {"when": "sex == 'M'", "then": "births < 1"}]
    assert contradictions(schema(columns, *rules)) == []


def test_an_equality_ignores_the_rounding_of_arithmetic_and_of_the_column():
    grade = np.linspace(0.3, 30, 500)
    number = {"type": "number"}
    table = pd.DataFrame({"grad": grade, "log.grad": np.log(grade) * (1 + 5e-15)})
    exact = schema({"grad": number, "log.grad": number}, "log.grad == log(grad)")
    assert without_violations(conform(table, exact), exact)[1] == {}
    rounded = schema({"grad": number, "log.grad": number | {"decimals": 2}}, "log.grad == log(grad)")
    typed = conform(table.round({"log.grad": 2}), rounded)
    assert not violations(typed, rounded)["log.grad == log(grad)"].any()
    off = typed.assign(**{"log.grad": typed["log.grad"] + 0.02})
    assert violations(off, rounded)["log.grad == log(grad)"].all()
    with pytest.raises(DataError, match="violate it"):
        without_violations(conform(table.assign(grad=table["grad"] * 1.001), exact), exact)


@pytest.mark.parametrize(
    ("kind", "cells", "rule", "broken"),
    [
        ({"type": "integer"}, [3, 4], "y == x / 3", [False, True]),
        ({"type": "number", "decimals": 1}, [3.3, 3.4], "y == x / 3", [False, True]),
        ({"type": "number", "decimals": 1}, [3.3, 3.4], "y != x / 3", [True, False]),
        ({"type": "number"}, [10 / 3, 3.33], "y == x / 3", [False, True]),
        ({"type": "number", "decimals": 1}, [3.3, 3.4], "y == 3.3", [False, True]),
    ],
)
def test_the_tolerance_of_an_equality_is_that_of_its_column(kind, cells, rule, broken):
    declared = schema({"x": {"type": "number"}, "y": kind}, rule)
    typed = conform(pd.DataFrame({"x": [10.0, 10.0], "y": cells}), declared)
    assert violations(typed, declared)[rule].tolist() == broken


@pytest.mark.parametrize("kind", [{"type": "number"}, {"type": "integer"}, {"type": "duration", "unit": "d"}], ids=str)
def test_a_negative_time_is_an_error_that_names_rows(kind):
    declared = Schema.model_validate({"columns": {"days": kind | {"role": "time"}, "age": {"type": "integer"}}})
    table = pd.DataFrame({"days": [3, -2, 0, -7], "age": [50, 60, 70, 80]})
    with pytest.raises(DataError, match=r"column 'days': 2 of 4 rows \(2, 4\) hold a negative time") as caught:
        conform(table, declared)
    assert "-7" not in str(caught.value)
    assert [found.rows for found in check(table, declared) if found.severity == "error"] == [(2, 4)]
