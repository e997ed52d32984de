from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy import _chance_of_being_drawn, copies, membership
from synthclin.schema import Schema

from .clinic import SCHEMA, clinic, shuffled


def test_copies_are_found_at_schema_precision_whatever_their_order(compare, train, fresh):
    noisy = train.iloc[::-1].assign(bmi=lambda t: t["bmi"] + 0.001)
    assert copies(compare(noisy)).value == 1.0
    none = copies(compare(fresh))
    assert none.value == 0.0
    assert none.high < 0.011
    assert none.ceiling == none.floor == 0.0
    some = copies(compare(pd.concat([fresh.iloc[20:], train.iloc[:20]], ignore_index=True)))
    assert some.details["copies"] == 20
    assert some.low > none.high


def test_common_combinations_are_set_apart_from_copied_patients():
    schema = Schema.model_validate({"columns": {"a": {"type": "boolean"}, "b": {"type": "boolean"}}})

    def draw(rows: int, seed: int) -> pd.DataFrame:
        return pd.DataFrame(np.random.default_rng(seed).random((rows, 2)) < 0.5, columns=["a", "b"]).astype("boolean")

    score = copies(Comparison.of(draw(100, 1), train=draw(100, 2), holdout=draw(50, 3), schema=schema))
    assert score.value == score.ceiling == 1.0
    assert "100 of the 100 copies equal several training rows" in score.note
    assert score.details["equal_size"]["train"] == pytest.approx(score.details["equal_size"]["holdout"], abs=0.01)


def test_equal_sizes_show_what_a_copy_is(compare, train):
    same = copies(compare(train)).details["equal_size"]
    assert same == {"rows": 200, "train": pytest.approx(0.5), "holdout": 0.0}


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n))))
def test_chance_of_being_drawn_is_hypergeometric(numbers):
    n, count, m = numbers
    expected = 1 - hypergeom.pmf(0, n, count, m)
    assert _chance_of_being_drawn(np.array([count]), n, m)[0] == pytest.approx(expected, abs=1e-9)


def test_a_copy_of_the_training_rows_tells_who_was_in_it(compare, train):
    score = membership(compare(train))
    assert score.low > 0.95
    assert score.details["tpr_at_1_percent"] > 0.9


def test_order_of_rows_does_not_hide_a_copy(compare, train):
    assert membership(compare(train.iloc[::-1])).value == pytest.approx(membership(compare(train)).value)


def test_fresh_rows_tell_nothing(compare, fresh):
    score = membership(compare(fresh))
    assert score.low < 0.5 < score.high
    assert score.ceiling == pytest.approx(0.5, abs=0.07)
    assert score.floor < 0.65


def test_the_more_is_copied_the_more_is_told(compare, train, fresh):
    shares = [
        membership(compare(pd.concat([fresh.iloc[n:], train.iloc[:n]], ignore_index=True))).value for n in (0, 80, 240)
    ]
    assert shares == sorted(shares)
    assert shares[2] > shares[0] + 0.15


def test_nearly_copied_rows_are_found_though_no_row_is_a_copy(compare, train):
    rng = np.random.default_rng(0)
    near = train.assign(age=(train["age"] + rng.integers(1, 3, 400)).clip(upper=95).astype("Int64"))
    c = compare(near)
    assert copies(c).value < 0.05
    assert membership(c).low > 0.6


def test_shuffled_rows_are_the_floor(compare, train):
    score = membership(compare(shuffled(train)))
    assert score.value == pytest.approx(score.floor, abs=0.1)


def test_rows_of_one_patient_count_as_one():
    schema = Schema.model_validate(
        {"columns": {"who": {"type": "id", "role": "entity"}, **SCHEMA.model_dump(mode="json")["columns"]}}
    )

    def visits(patients: int, seed: int) -> pd.DataFrame:
        table = pd.concat([clinic(patients, seed)] * 3, ignore_index=True)
        return table.assign(who=np.tile(np.arange(patients), 3).astype(str))

    c = Comparison.of(clinic(300, 5).assign(who="x"), train=visits(80, 1), holdout=visits(60, 2), schema=schema)
    score = membership(c)
    assert score.n == 60
    assert score.low < 0.5 < score.high


@pytest.mark.parametrize("rows", [None, 19])
def test_without_enough_unseen_patients_nothing_is_said(train, holdout, fresh, rows):
    few = None if rows is None else holdout.iloc[:rows]
    score = membership(Comparison.of(fresh, train=train, holdout=few, schema=SCHEMA))
    assert math.isnan(score.value)
    assert math.isnan(score.unfavourable)
    assert "holdout" in score.note


def test_interval_is_honest_for_fresh_rows():
    held = 0
    for seed in range(20):
        c = Comparison.of(
            clinic(150, 3 * seed), train=clinic(150, 3 * seed + 1), holdout=clinic(80, 3 * seed + 2), schema=SCHEMA
        )
        score = membership(c)
        held += score.low <= 0.5 <= score.high
    assert held >= 18
