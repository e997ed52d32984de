from __future__ import annotations

import pytest

from synthclin.errors import ConfigError, DataError
from synthclin.rules.rules import violations
from synthclin.rules.survey import survey
from synthclin.rules.validation import check, conform, contradictions, without_violations
from synthclin.schema import Schema
from tests.longitudinal import schema, visits

RULES = [
    "previous(stage) <= stage",
    "sbp <= first(sbp) * 1.05",
    {"when": "previous(crp) is missing", "then": "crp > 0"},
]


def test_violations_agree_with_pandas():
    table = visits().sample(frac=1, random_state=0).reset_index(drop=True)  # in no order
    declared = schema(constraints=[*RULES, "count() >= 3", "last(stage) >= first(stage)", "any(stage == 3)"])
    found = violations(conform(table, declared), declared)
    groups = table.sort_values("day").groupby("who")
    first = groups["sbp"].transform("first").sort_index()
    assert not found["previous(stage) <= stage"].any()
    wanted = table["sbp"] > first * 1.05
    assert found["sbp <= first(sbp) * 1.05"].tolist() == wanted.tolist()
    assert wanted.any()
    assert found["count() >= 3"].tolist() == (table.groupby("who")["sbp"].transform("size") < 3).tolist()
    assert found["any(stage == 3)"].tolist() == (table.groupby("who")["stage"].transform("max") < 3).tolist()


def test_a_broken_order_is_found_at_its_row():
    table = visits()
    row = table.index[table["who"].duplicated()][3]
    table.loc[row, "stage"], table.loc[row - 1, "stage"] = 1, 3
    table.loc[row, "smoker"] = "no"
    declared = schema(constraints=["previous(stage) <= stage"])
    [finding] = [one for one in check(table, declared) if one.where.startswith("rule")]
    assert row + 1 in finding.rows
    assert "violate" in finding.what
    seen = survey(table, declared)
    assert [(rule.text, rule.violations) for rule in seen.rules if rule.violations] == [
        ("previous(stage) <= stage", finding.count)
    ]
    with pytest.raises(DataError, match="previous"):
        without_violations(conform(table, declared), declared)


def test_a_table_without_the_patient_is_not_judged():
    table = visits().drop(columns="who")
    assert "previous(stage) <= stage" not in violations(table, schema(constraints=RULES))


def test_dropping_leaves_out_whole_patients_after_single_rows():
    table = visits()
    declared = schema(
        constraints=[{"then": "count() >= 2", "on_violation": "drop"}, {"then": "sbp >= 110", "on_violation": "drop"}]
    )
    kept, dropped = without_violations(conform(table, declared), declared)
    rows = table[table["sbp"] >= 110]
    assert dropped["sbp >= 110"] == len(table) - len(rows)
    assert len(kept) == rows.groupby("who")["sbp"].transform("size").ge(2).sum()
    assert kept.groupby("who").size().min() >= 2
    assert not any(mask.any() for mask in violations(kept, declared).values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"constraints": ["previous(stagee) <= stage"]}, "no column. Did you mean 'stage'"),
        ({"constraints": ["previous(smoker) < smoker"]}, "has no order"),
        ({"constraints": ["previous(smoker) <= 3"]}, "compared with"),
        ({"constraints": ["count() >= 2"], "visits": "independent"}, "no column has the time of a visit"),
        ({"pulse": {"derive": "sbp - previous(sbp)"}}, "this key to a single row"),
        ({"crp": {"missing_when": "previous(crp) > 3"}}, "this key to a single row"),
    ],
)
def test_wrong_places_are_errors(changes, message):
    if changes.get("visits") == "independent":
        changes |= {name: {"static": None} for name in ("arm", "age", "end", "died")}
    with pytest.raises(ValueError, match=message):
        schema(**changes)


def test_no_contradiction_is_seen_between_visits():
    assert (
        contradictions(schema(constraints=["previous(sbp) < sbp", "sbp < first(sbp) + 500", "sbp > previous(sbp)"]))
        == []
    )


def test_yaml_keeps_the_rules():
    declared = schema(constraints=RULES)
    assert Schema.model_validate(declared.model_dump(mode="json", exclude_unset=True)) == declared
    assert "previous(stage) <= stage" in declared.to_yaml()


def test_a_table_of_rows_refuses_them():
    with pytest.raises(ValueError, match="role: visit"):
        Schema.model_validate({"columns": {"x": {"type": "number"}}, "constraints": ["previous(x) < x"]})
    with pytest.raises(ConfigError):
        Schema.model_validate({"columns": {"x": {"type": "number"}}}).with_column("x", missing_when="count() > 1")
