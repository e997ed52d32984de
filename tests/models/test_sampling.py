import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.errors import ConditionError, ConfigError
from synthclin.expressions import parse
from synthclin.rules import violations
from synthclin.validation import conform

from .conftest import SCHEMA, ward


def test_a_sample_is_a_table_that_satisfies_the_schema(model):
    rows = model.sample(700)
    assert list(rows) == list(SCHEMA.columns)
    pd.testing.assert_frame_equal(conform(rows, SCHEMA), rows)
    assert not any(broken.any() for broken in violations(rows, SCHEMA).values())
    assert rows["pregnant"].isna().equals(rows["sex"] == "M")
    assert (rows["pulse_pressure"] == rows["sbp"] - rows["dbp"]).all()
    assert rows["pid"].tolist()[:2] == ["P-0001", "P-0002"]
    assert rows["pid"].is_unique


conditions = st.sampled_from(
    [
        "sex == 'F'",
        "age >= 65",
        "40 <= age < 50",
        "bmi is missing",
        "bmi > 30.05",
        "bmi is not missing and stage == 'III'",
        "sex == 'F' and age < 40 and pregnant",
        "stage >= 'II' or age < 30",
        "sbp - dbp > 45",
        "pulse_pressure < 30 and sex == 'M'",
        "not (age in [30, 31, 32]) and sbp > 120",
        "age == 50",
    ]
)


@settings(max_examples=12, deadline=None)
@given(conditions, st.integers(1, 300), st.integers(0, 10**6))
def test_every_cohort_has_its_size_and_satisfies_its_condition(model, where, rows, seed):
    cohort = model.sample(rows, where=where, random_state=seed)
    assert len(cohort) == rows
    assert parse(where).evaluate(cohort).fillna(False).all()
    assert not any(broken.any() for broken in violations(cohort, SCHEMA).values())
    assert 0 < model.draw_.probability <= 1.0001


def test_a_cohort_resembles_the_same_rows_of_the_data(model):
    cohort = model.sample(2_000, where="age >= 65", random_state=1)
    real = ward(20_000, seed=5)
    real = real[real["age"] >= 65]
    assert cohort["sbp"].mean() == pytest.approx(real["sbp"].mean(), abs=3)
    assert (cohort["stage"] == "III").mean() == pytest.approx((real["stage"] == "III").mean(), abs=0.12)
    assert model.draw_.probability == pytest.approx(len(real) / 20_000, abs=0.08)


def test_mixed_shares_are_met_to_the_row(model):
    rows = model.sample(501, mix={"sex": {"F": 0.2, "M": 0.8}}, random_state=2)
    assert (rows["sex"] == "F").sum() in {100, 101}
    # Rows of one level do not stand together.
    assert rows["sex"].iloc[:50].nunique() == 2


def test_two_mixed_columns_meet_both_margins(model):
    mix = {"sex": {"F": 0.7, "M": 0.3}, "stage": {"I": 0.5, "II": 0.25, "III": 0.25}}
    rows = model.sample(400, mix=mix, where="age > 20", random_state=2)
    assert (rows["sex"] == "F").mean() == pytest.approx(0.7, abs=0.01)
    assert (rows["stage"] == "I").mean() == pytest.approx(0.5, abs=0.01)
    assert (rows["age"] > 20).all()


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("age > 100", ConditionError),
        ("age > 60 and pregnant", ConditionError),
        ("dbp > sbp", ConditionError),
        ("height > 3", ConfigError),
        ("age >", ConfigError),
    ],
)
def test_what_cannot_be_drawn_is_said(model, where, error):
    with pytest.raises(error):
        model.sample(10, where=where, random_state=0)


def test_shares_must_sum_to_one(model):
    with pytest.raises(ConfigError, match=r"sum to 0\.9"):
        model.sample(10, mix={"sex": {"F": 0.5, "M": 0.4}})


def test_same_seed_same_rows_and_calls_differ(model):
    pd.testing.assert_frame_equal(model.sample(50, random_state=9), model.sample(50, random_state=9))
    assert not model.sample(50).equals(model.sample(50))


def test_sampling_leaves_the_global_generators_alone(model):
    np_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002 - what is tested
    model.sample(20)
    assert (np.random.get_state()[1] == np_state).all()  # noqa: NPY002
    assert torch.get_rng_state().equal(torch_state)
