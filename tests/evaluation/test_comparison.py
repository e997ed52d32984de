from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import DataError
from synthclin.evaluation.comparison import Comparison, subsample
from synthclin.schema import Schema

from .clinic import SCHEMA, clinic


def test_shuffled_rows_keep_each_column_and_lose_each_row(train, holdout):
    c = Comparison.of(train, train=train, holdout=holdout, schema=SCHEMA)
    assert np.array_equal(np.sort(c.shuffled, axis=0), np.sort(c.train, axis=0), equal_nan=True)
    assert np.mean(np.all((c.shuffled == c.train) | np.isnan(c.train), axis=1)) < 0.01


def test_streams_depend_on_seed_and_path_alone(train):
    one, two = (Comparison.of(train, train=train, holdout=None, schema=SCHEMA, random_state=s) for s in (1, 2))
    assert one.rng("a").integers(1 << 60) == one.rng("a").integers(1 << 60)
    assert one.rng("a").integers(1 << 60) != one.rng("b").integers(1 << 60)
    assert one.rng("a").integers(1 << 60) != two.rng("a").integers(1 << 60)


def test_rows_without_an_identifier_are_patients_of_their_own():
    schema = Schema.model_validate({"columns": {"who": {"type": "id", "role": "entity"}, "x": {"type": "number"}}})
    table = pd.DataFrame({"who": pd.array(["p", None, "p", None], dtype="string"), "x": np.arange(4.0)})
    patients = Comparison.of(table, train=table, holdout=table, schema=schema).train_patients
    assert patients[0] == patients[2]
    assert sorted(set(patients.tolist())) == [0, 1, 2]


def test_empty_holdout_counts_as_none(train):
    assert Comparison.of(train, train=train, holdout=train.iloc[:0], schema=SCHEMA).holdout is None


@pytest.mark.parametrize(
    ("synthetic", "where"),
    [(clinic(5, 0).iloc[:0], "synthetic table"), (clinic(5, 0).drop(columns=["bmi", "age"]), "synthetic table")],
)
def test_tables_that_cannot_be_compared_are_refused(train, synthetic, where):
    with pytest.raises(DataError, match=where):
        Comparison.of(synthetic, train=train, holdout=None, schema=SCHEMA)


def test_subsample_keeps_order_and_leaves_small_tables_alone():
    rows = np.arange(20.0)[:, None]
    assert subsample(rows, 20, np.random.default_rng(0)) is rows
    some = subsample(rows, 5, np.random.default_rng(0))
    assert len(some) == 5
    assert (np.diff(some[:, 0]) > 0).all()
