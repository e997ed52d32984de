"""The shipped tables satisfy their schemas to the last cell, and their schemas say what a user needs."""

from __future__ import annotations

import numpy as np
import pytest

from synthclin import datasets
from synthclin.datasets import FOLDER
from synthclin.errors import ConfigError
from synthclin.rules.rules import violations
from synthclin.rules.validation import check
from synthclin.schema import Schema
from synthclin.schema.columns import Boolean, Integer, Number
from synthclin.tables import split

SHAPES = {"actg175": (2139, 27), "heart_disease": (920, 15)}


@pytest.fixture(scope="module", params=sorted(SHAPES))
def loaded(request):
    return request.param, *datasets.load(request.param)


def test_names():
    assert datasets.names() == tuple(sorted(SHAPES))


def test_the_whole_table_is_there(loaded):
    name, table, schema = loaded
    assert table.shape == SHAPES[name]
    assert list(table.columns) == list(schema.columns)


def test_every_row_conforms_and_keeps_every_rule(loaded):
    _, table, schema = loaded
    assert [finding for finding in check(table, schema) if "every value is the same" not in finding.what] == []
    assert schema.constraints
    broken = violations(table, schema)
    assert len(broken) >= len(schema.constraints)
    assert not any(mask.any() for mask in broken.values())


def test_every_rule_is_informative(loaded):
    """A condition that never holds, or a rule that cannot be broken, would be an empty promise."""
    _, table, schema = loaded
    rng = np.random.default_rng(3)
    shuffled = table.assign(**{name: table[name].array[rng.permutation(len(table))] for name in table.columns})
    # A rule over one column holds however each column is shuffled.
    pairs = [rule for rule in schema.constraints if len(rule.columns) > 1]
    assert pairs
    assert all(rule.broken(shuffled).any() for rule in pairs)


def test_columns_are_documented(loaded):
    name, _, schema = loaded
    expected = datasets.describe(name)
    for column, meaning in schema.columns.items():
        assert meaning.label, column
        assert meaning.meaning in expected
        if isinstance(meaning, Integer | Number):
            assert meaning.unit, column
            assert meaning.range, column
        if isinstance(meaning, Boolean):
            assert set(meaning.labels) == {0, 1}, column


def test_ranges_are_not_the_extremes_of_the_table(loaded):
    _, table, schema = loaded
    for name, column in schema.columns.items():
        if isinstance(column, Integer | Number):
            _, high = column.range
            assert table[name].max() < high, name


def test_what_privacy_needs_is_declared(loaded):
    _, _, schema = loaded
    disclosure = {name: column.disclosure for name, column in schema.columns.items()}
    assert {"age", "sex" if "sex" in disclosure else "gender"} <= {
        n for n, d in disclosure.items() if d == "quasi_identifier"
    }
    assert "sensitive" in disclosure.values()


def test_what_survival_analysis_needs_is_declared():
    roles = {column.role: name for name, column in datasets.load("actg175")[1].columns.items()}
    assert {role: roles[role] for role in ("entity", "time", "event", "treatment", "stratum")} == {
        "entity": "pidnum",
        "time": "days",
        "event": "cens",
        "treatment": "arms",
        "stratum": "strat",
    }


def test_point_masses_are_declared():
    _, schema = datasets.load("heart_disease")
    assert schema.columns["chol"].spikes == (0,)
    assert schema.columns["cp"].categories == (1, 2, 3, 4)
    assert schema.columns["site"].levels[0] == "cleveland"


def test_loading_gives_a_table_of_ones_own():
    first, _ = datasets.load("heart_disease")
    first["age"] = 0
    assert datasets.load("heart_disease")[0]["age"].min() > 0


def test_it_splits_by_patient():
    train, holdout = split(*datasets.load("actg175"), holdout=0.2, random_state=7)
    assert (len(train), len(holdout)) == (1711, 428)


def test_the_schema_survives_yaml(loaded, tmp_path):
    _, _, schema = loaded
    (tmp_path / "schema.yaml").write_text(schema.to_yaml(), encoding="utf-8")
    assert Schema.read(tmp_path / "schema.yaml") == schema


def test_licences_name_what_they_must(loaded):
    licence = (FOLDER / f"{loaded[0]}.LICENSE.md").read_text(encoding="utf-8")
    for word in (
        "CC BY 4.0",
        "creativecommons.org/licenses/by/4.0",
        "**Source.**",
        "**Citation.**",
        "**Changes.**",
        "doi.org",
    ):
        assert word in licence
    assert licence in datasets.describe(loaded[0]) + "\n"


@pytest.mark.parametrize(
    ("name", "remedy"), [("heart_diseas", "Did you mean 'heart_disease'"), ("../x", "Use one of: actg175, ")]
)
def test_unknown_names(name, remedy):
    for door in (datasets.load, datasets.describe):
        with pytest.raises(ConfigError, match=remedy):
            door(name)
