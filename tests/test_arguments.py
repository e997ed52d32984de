"""Arguments of the public functions: what stands in the place of a table or a schema, and dtypes that come back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.schema.dtypes import dtype_names, restored, retyped

COLUMNS = {
    "grade": {"type": "ordinal", "categories": [1, 2, 3]},
    "visits": {"type": "integer", "range": [0, 40]},
    "weight": {"type": "number", "range": [20, 200], "decimals": 3},
    "sex": {"type": "category", "categories": ["F", "M"]},
    "smoker": {"type": "boolean"},
    "platelets": {"type": "integer", "range": [0, 900], "missing": "allowed"},
    "admitted": {"type": "date", "range": ["2015-01-01", "2017-12-31"]},
}


def ward(rows=120):
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "grade": rng.integers(1, 4, rows),
            "visits": rng.integers(0, 40, rows).astype("int32"),
            "weight": rng.choice([55.0, 60.5, 71.125], rows),
            "sex": rng.choice(["F", "M"], rows),
            "smoker": rng.random(rows) < 0.4,
            "platelets": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(100, 400, rows)),
            "admitted": pd.Timestamp("2016-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D"),
        }
    )


@pytest.fixture(scope="module")
def schema():
    return sc.Schema.model_validate({"columns": COLUMNS})


@pytest.fixture(scope="module")
def model(schema):
    return sc.ConditionalGAN(schema, effort="quick", width=16, blocks=1, random_state=1).fit(ward())


def test_a_sample_has_the_dtypes_of_the_training_table(model, tmp_path):
    sample = model.sample(40)
    assert sample.dtypes.equals(ward().dtypes)
    assert 1 <= sample["grade"].mean() <= 3
    model.save(tmp_path / "model")
    assert sc.load_model(tmp_path / "model").sample(3).dtypes.equals(ward().dtypes)


def test_no_rows_are_a_table_without_rows(model, schema, tmp_path):
    empty = model.sample(0, where="grade == 2")
    assert len(empty) == 0
    assert empty.dtypes.equals(ward().dtypes)
    for suffix in ("csv", "parquet"):
        sc.write_table(empty, tmp_path / f"empty.{suffix}", schema)
    assert (tmp_path / "empty.csv").read_text() == ",".join(COLUMNS) + "\n"
    with pytest.raises(sc.SynthclinError, match="no column"):
        model.sample(0, where="grad == 2")


def test_a_model_folder_with_unknown_dtypes_is_refused(model, tmp_path):
    model.save(tmp_path / "model")
    document = (tmp_path / "model" / "model.json").read_text()
    (tmp_path / "model" / "model.json").write_text(document.replace('"int32"', '"complex128"'))
    with pytest.raises(sc.SynthclinError, match="dtypes"):
        sc.load_model(tmp_path / "model")


def test_a_run_folder_stands_for_its_model(model, tmp_path):
    model.save(tmp_path / "run" / "model")
    assert len(sc.load_model(tmp_path / "run").sample(2)) == 2


def test_cells_that_a_dtype_cannot_hold_keep_their_own():
    table = pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [1.5, 2.0], "c": pd.Categorical(["x", "y"])})
    kept = restored(table, {"a": "int64", "b": "int64", "c": "float64"})
    assert list(map(str, kept.dtypes)) == ["Int64", "float64", "category"]
    assert restored(table, {"a": "float64"})["a"].isna().tolist() == [False, True]


def test_typed_tables_have_no_dtypes_to_restore(schema):
    assert dtype_names(retyped(ward(), schema), schema) == {}


def test_retyping_loses_no_cell(schema):
    table = ward().assign(sex="X")
    assert retyped(table, schema)["sex"].tolist() == ["X"] * len(table)


def test_reports_of_typed_and_untyped_tables_are_equal(schema):
    first, second = ward(60), ward(100).tail(60)
    one = sc.evaluate(first, train=second, schema=schema, gates=[])
    other = sc.evaluate(retyped(first, schema), train=retyped(second, schema), schema=schema, gates=[])
    assert one.to_json() == other.to_json()


def test_numbers_are_written_as_in_the_source(schema, tmp_path):
    sc.write_table(
        pd.DataFrame({"weight": [55.0, 60.5, 71.125], "platelets": [100.0, None, 7.0]}), tmp_path / "t.csv", schema
    )
    assert (tmp_path / "t.csv").read_text().splitlines()[1:] == ["55,100", "60.5,", "71.125,7"]


NO_TABLES = {
    "ward.csv": "this is a path, not a DataFrame. Read it first: sc.read_table",
    "array": "this is an array, not a DataFrame. Name its columns",
    "dict": "this is a dict, not a DataFrame. Make one of it",
    "none": "this is None, not a DataFrame",
}
VALUES = {"ward.csv": "ward.csv", "array": np.zeros((3, 2)), "dict": {"age": [1, 2]}, "none": None}


@pytest.mark.parametrize("kind", NO_TABLES)
def test_what_stands_in_the_place_of_a_table_is_named(kind, schema, model, tmp_path):
    value = VALUES[kind]
    for call in (
        lambda: sc.ConditionalGAN(schema).fit(value),
        lambda: sc.Schema.infer(value),
        lambda: model.impute(value),
        lambda: sc.split(value, schema),
        lambda: sc.evaluate(value, train=ward(), schema=schema),
        lambda: sc.evaluate(ward(), train=value, schema=schema),
        lambda: sc.write_table(value, tmp_path / "t.csv", schema),
    ):
        with pytest.raises(sc.SynthclinError) as caught:
            call()
        assert NO_TABLES[kind] in str(caught.value)


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("schema.yaml", "sc.Schema.read(path)"),
        ({"columns": {}}, "sc.Schema.model_validate"),
        (ward(3), "sc.Schema.infer(table)"),
        (None, "sc.Schema.read(path)"),
    ],
    ids=["path", "dict", "table", "none"],
)
def test_what_stands_in_the_place_of_a_schema_is_named(value, remedy, tmp_path):
    for call in (
        lambda: sc.ConditionalGAN(value).fit(ward()),
        lambda: sc.split(ward(), value),
        lambda: sc.evaluate(ward(), train=ward(), schema=value),
        lambda: sc.write_table(ward(), tmp_path / "t.csv", value),
    ):
        with pytest.raises(sc.SynthclinError) as caught:
            call()
        assert remedy in str(caught.value)
    if value is not None:
        with pytest.raises(sc.SynthclinError, match="not a Schema"):
            sc.read_table(tmp_path / "t.csv", value)


def test_a_bad_effort_and_a_table_in_the_place_of_a_study_are_named(schema):
    with pytest.raises(sc.SynthclinError, match=r"effort: not one of the allowed words. Use 'quick', 'standard' or"):
        sc.ConditionalGAN(schema, effort="fast").fit(ward())
    with pytest.raises(
        sc.SynthclinError, match=r"ward.csv: this is a table, not a study. Run `synthclin init ward.csv`"
    ):
        sc.run("ward.csv")


def test_home_is_expanded(schema, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    sc.write_table(ward(5), "~/ward.csv", schema)
    assert len(sc.read_table("~/ward.csv", schema)) == 5
    with pytest.raises(sc.SynthclinError, match="not a path"):
        sc.read_table(ward(3))
