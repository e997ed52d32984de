"""Conditions of cohorts: predicates split into weights per column and a check of rows, allocation and raking."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from synthclin import datasets
from synthclin.encoding import Encoded, TableEncoder
from synthclin.errors import ConditionError, ConfigError
from synthclin.expressions import parse
from synthclin.sampling.cohorts import Cohort, allocate, rake, split_where
from synthclin.schema import Schema
from synthclin.schema.columns import Id, Number, Text


@pytest.fixture(scope="module")
def heart():
    table, schema = datasets.load("heart_disease")
    extra = {"rest": Number(derive="220 - age"), "id": Id(), "note": Text()}
    return TableEncoder.fit(table, Schema(columns=schema.columns | extra)), table


# -- cohorts ---------------------------------------------------------------------------------------------------------


def test_a_cohort_has_rows_and_a_predicate():
    cohort = Cohort(name="women-2", rows=5, where="sex == 0", mix={"num": {0: 0.25, 1: 0.75}})
    assert cohort.mix == {"num": {0: 0.25, 1: 0.75}}
    with pytest.raises(ValidationError):
        cohort.rows = 6


@pytest.mark.parametrize("name", ["", "../x", "a b", "a/b", ".hidden", "-x", "x" * 65, "naïve", "a\n"])
def test_a_cohort_is_named_like_a_file(name):
    with pytest.raises(ValidationError):
        Cohort(name=name, rows=5)


@pytest.mark.parametrize(
    "words",
    [
        {"rows": 0},
        {"rows": 2.5},
        {"rows": True},
        {"row": 5},
        {"where": "age >"},
        {"where": "age + 1"},
        {"mix": {"sex": {"F": 0.5, "M": 0.6}}},
        {"mix": {"sex": {"F": 1.5, "M": -0.5}}},
        {"mix": {"sex": {"F": 0.0, "M": 1.0}}},
        {"mix": {"sex": {"F": float("nan")}}},
        {"mix": {"sex": {}}},
    ],
)
def test_invalid_cohorts_are_refused(words):
    with pytest.raises(ValidationError):
        Cohort.model_validate({"name": "x", "rows": 5} | words)


def test_levels_of_a_mix_keep_their_type():
    mix = Cohort.model_validate({"name": "x", "rows": 5, "mix": {"a": {True: 0.5, False: 0.5}, "b": {"1": 1}}}).mix
    assert [type(level) for level in (*mix["a"], *mix["b"])] == [bool, bool, str]


# -- splitting -------------------------------------------------------------------------------------------------------


def test_without_a_predicate_there_is_no_condition(heart):
    condition = split_where(None, heart[0])
    assert (condition.weights, condition.residual, condition.predicates) == ({}, None, {})


def test_parts_on_one_column_become_weights_and_the_whole_is_checked(heart):
    encoder, _ = heart
    text = "sex == 1 and 50 <= age and age < 60 and thalach > 220 - age and (num > 1 or cp == 4)"
    condition = split_where(text, encoder)
    names = [encoder.layout.names[j] for j in condition.weights]
    assert names == ["age", "sex"]
    assert condition.residual.text == text
    assert condition.weights[2].tolist() == [0.0, 1.0]
    # Several conjuncts on one column are weighted together, not multiplied.
    together = encoder.allowed("age", parse("50 <= age < 60"))
    assert (condition.weights[1] == together).all()
    assert split_where(parse(text), encoder).residual.text == text


def test_a_derived_column_is_only_checked(heart):
    condition = split_where("rest > 170 and sex == 0", heart[0])
    assert list(condition.weights) == [2]
    assert condition.residual.columns == {"rest", "sex"}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("agee > 3", "names 'agee', which is no column. Did you mean 'age'?"),
        ("qqqq > 3", "names 'qqqq', which is no column. Choose from site, age"),
        ("id == 'x'", "names 'id', which is not modelled"),
        ("age > 3 and note == 'x'", "names 'note', which is not modelled"),
        ("age + 3", "a number, not a condition"),
        ("age > ", "where"),
        ("site > 3", "where"),
        ("cp == 9", "9 is no level of column 'cp'. There are: 1, 2, 3, 4."),
    ],
)
def test_invalid_conditions_are_refused(heart, where, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        split_where(where, heart[0])


@pytest.mark.parametrize("where", ["age > 105", "sex == 1 and age is missing", "age < 40 and age > 60"])
def test_conditions_that_no_code_satisfies_are_refused(heart, where):
    with pytest.raises(ConditionError, match="no code of column 'age' satisfies"):
        split_where(where, heart[0])


def test_rows_of_allowed_codes_are_restricted_into_the_condition(heart):
    encoder, table = heart
    condition = split_where("chol > 203.5 and oldpeak >= 1.3 and trestbps != 132 and sex == 1", encoder)
    encoded = encoder.encode(table)
    keep = torch.ones(len(encoded), dtype=torch.bool)
    for j, weight in condition.weights.items():
        keep &= torch.from_numpy(weight > 0)[encoded.codes[:, j]]
    generator = torch.Generator().manual_seed(0)
    rows = encoded[keep]
    rows = Encoded(rows.codes, torch.rand(rows.offsets.shape, generator=generator))
    before = rows.offsets.clone()
    bound = condition.restrict(rows, encoder, np.random.default_rng(0))
    assert condition.residual.evaluate(encoder.decode(bound)).all()
    assert not condition.residual.evaluate(encoder.decode(rows)).all()
    assert rows.offsets.equal(before)
    # Codes that are wholly allowed keep their offsets.
    free = [j for j in range(len(encoder.layout)) if j not in condition.weights]
    assert bound.offsets[:, free].equal(before[:, free])


# -- counts ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=12).filter(any), st.integers(0, 10_000))
def test_allocated_counts_sum_up_and_stay_within_one_of_their_share(shares, rows):
    counts = allocate(dict(enumerate(shares)), rows)
    assert sum(counts.values()) == rows
    for key, share in enumerate(shares):
        assert abs(counts[key] - share / sum(shares) * rows) < 1 + 1e-6
        assert share > 0 or counts[key] == 0


def test_equal_remainders_go_to_the_first():
    assert allocate({"a": 1, "b": 1, "c": 1}, 5) == {"a": 2, "b": 2, "c": 1}
    assert allocate({"a": 0.1, "b": 0.2, "c": 0.7}, 10) == {"a": 1, "b": 2, "c": 7}


@pytest.mark.parametrize(
    ("shares", "rows"), [({}, 3), ({"a": 0.0}, 3), ({"a": -1.0, "b": 2.0}, 3), ({"a": float("nan")}, 3), ({"a": 1}, -1)]
)
def test_invalid_shares_are_refused(shares, rows):
    with pytest.raises(ValueError, match="shares"):
        allocate(shares, rows)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_raked_margins_are_met_and_odds_ratios_kept(seed, shape):
    rng = np.random.default_rng(seed)
    joint = rng.random(shape) + 0.05
    margins = [rng.dirichlet(np.ones(size)) for size in shape]
    raked = rake(joint, margins)
    for axis, margin in enumerate(margins):
        others = tuple(other for other in range(len(shape)) if other != axis)
        assert np.allclose(raked.sum(axis=others), margin, atol=1e-8)
    if len(shape) == 2 and min(shape) == 2 and max(shape) == 2:
        odds = [m[0, 0] * m[1, 1] / (m[0, 1] * m[1, 0]) for m in (joint, raked) if m.all()]
        assert np.allclose(odds, odds[0])


def test_raking_keeps_impossible_combinations_at_zero():
    raked = rake(np.array([[1.0, 1.0], [0.0, 1.0]]), [np.array([0.6, 0.4]), np.array([0.5, 0.5])])
    assert raked[1, 0] == 0
    assert raked[0].tolist() == pytest.approx([0.5, 0.1])


def test_impossible_margins_are_refused():
    half = np.array([0.5, 0.5])
    with pytest.raises(ConditionError, match="a wanted level never occurs"):
        rake(np.array([[1.0, 1.0], [0.0, 0.0]]), [half, half])
    with pytest.raises(ConditionError, match="a wanted level never occurs"):
        rake(np.zeros((2, 2)), [half, half])
    with pytest.raises(ConditionError, match="contradict each other"):
        rake(np.array([[1.0, 0.0], [1.0, 1.0]]), [np.array([0.9, 0.1]), half], rounds=500)
    with pytest.raises(ValueError, match="one axis per margin"):
        rake(np.ones((2, 3)), [half, half])
