"""Shipped studies: the schema of each table holds its rules, and the real table satisfies them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from synthclin import datasets
from synthclin.rules.survey import survey
from synthclin.study.config import load
from synthclin.tables import read_table

CONFIGS = sorted(path for path in (Path(__file__).parents[2] / "configs").glob("*.yaml") if path.stem != "sweep")
# How many rules between columns each schema holds, so that none is lost in an edit.
RULES = {
    "actg175": 6,
    "actg175_adam": 6,
    "actg175_dp": 6,
    "adult": 4,
    "diabetes130": 7,
    "heart_disease": 9,
    "pbcseq": 1,
    "support2": 16,
}


def test_there_is_a_study_for_each_table_and_one_with_differential_privacy():
    assert {path.stem for path in CONFIGS} == set(RULES)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_study_says_where_its_table_comes_from_and_holds_its_rules(path):
    text = path.read_text(encoding="utf-8")
    assert "# Source: " in text
    assert "Licence: " in text
    assert len(load(path).table_schema.constraints) == RULES[path.stem]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_real_table_breaks_no_rule(path):
    config = load(path)
    schema = config.table_schema
    if config.data.dataset is not None:
        table = datasets.load(config.data.dataset)[0]
    elif "SYNTHCLIN_DATA" in os.environ:
        [source] = Path(os.environ["SYNTHCLIN_DATA"], path.stem).glob("data.csv*")
        table = read_table(source, schema, partial=True)
    else:
        pytest.skip("SYNTHCLIN_DATA names no folder with <name>/data.csv")
    seen = survey(table, schema)
    assert seen.valid
    assert {rule.text: rule.violations for rule in seen.rules if rule.violations} == {}
    assert len(seen.rules) == len(schema.rules)
