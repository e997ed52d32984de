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
    patients = Comparison.of(table, train=table, holdout=None, schema=schema).train_patients
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


def test_a_holdout_of_training_rows_is_refused(train, holdout):
    half = pd.concat([train[:150], holdout[:100]], ignore_index=True)
    for leaked in (train, train[:50], half):
        with pytest.raises(DataError, match="rows are in the training table too"):
            Comparison.of(train, train=train, holdout=leaked, schema=SCHEMA)


def test_rows_of_few_columns_may_be_alike():
    schema = Schema.model_validate({"columns": {"x": {"type": "category"}, "y": {"type": "category"}}})

    def few(seed):
        rng = np.random.default_rng(seed)
        return pd.DataFrame({name: pd.Categorical(rng.choice(["a", "b"], 50)) for name in "xy"})

    assert Comparison.of(few(0), train=few(1), holdout=few(2), schema=schema).holdout is not None
    with pytest.raises(DataError):
        Comparison.of(few(0), train=few(1), holdout=few(1), schema=schema)


def test_a_patient_on_both_sides_is_refused():
    schema = Schema.model_validate({"columns": {"who": {"type": "id", "role": "entity"}, "x": {"type": "number"}}})
    one, other = (pd.DataFrame({"who": who, "x": np.arange(2.0)}) for who in (["a", "b"], ["b", "c"]))
    with pytest.raises(DataError, match="1 of 2 patients are in the training table too"):
        Comparison.of(one, train=one, holdout=other, schema=schema)


@pytest.mark.parametrize("which", ["synthetic", "training", "holdout"])
@pytest.mark.parametrize(("name", "kind"), [("x", "numbers"), ("on", "dates")])
def test_text_among_numbers_or_dates_is_refused_without_quoting_a_cell(which, name, kind):
    schema = Schema.model_validate({"columns": {"x": {"type": "number"}, "on": {"type": "date"}}})
    days = pd.date_range("2020-01-01", periods=40)
    tables = {
        each: pd.DataFrame({"x": np.arange(40.0) + start, "on": days})
        for each, start in {"synthetic": 0, "training": 50, "holdout": 99}.items()
    }
    tables[which] = tables[which].astype({name: object})
    tables[which].loc[3, name] = "ZZ_CANARY"
    with pytest.raises(DataError, match=f"{which} table: column '{name}' should hold {kind}.*read_table") as error:
        Comparison.of(tables["synthetic"], train=tables["training"], holdout=tables["holdout"], schema=schema)
    assert error.value.__cause__ is error.value.__context__ is None
    assert "ZZ_CANARY" not in str(error.value)


@pytest.mark.parametrize("which", ["synthetic", "training", "holdout"])
def test_a_duplicated_column_is_refused(which, ideal, train, holdout):
    tables = {"synthetic": ideal, "training": train, "holdout": holdout}
    twin = tables[which].columns[0]
    tables[which] = pd.concat([tables[which], tables[which][[twin]]], axis=1)
    with pytest.raises(DataError, match=f"{which} table: column '{twin}' is in it more than once"):
        Comparison.of(tables["synthetic"], train=tables["training"], holdout=tables["holdout"], schema=SCHEMA)


def test_numbers_and_dates_kept_as_objects_are_judged():
    schema = Schema.model_validate(
        {"columns": {"x": {"type": "number", "missing": "allowed"}, "on": {"type": "date", "missing": "allowed"}}}
    )
    table = pd.DataFrame({"x": [1, 2.5, None], "on": [pd.Timestamp("2020-01-01"), None, None]}, dtype=object)
    c = Comparison.of(table, train=table, holdout=None, schema=schema)
    assert c.train[:, 0].tolist()[:2] == [1, 2.5]
    assert c.train[0, 1] == 18262
    empty = Comparison.of(table.assign(x=None), train=table, holdout=None, schema=schema)
    assert np.isnan(empty.synthetic[:, 0]).all()
