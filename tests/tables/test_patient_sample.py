"""Random samples of patients: of the stated size, uniform, whole patients, the same whatever the batches."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthclin as sc
from synthclin.errors import ConfigError, DataError
from synthclin.tables import csv_batches, parquet_format, patient_sample, read_sample
from synthclin.tables.patient_sample import read_some


def schema_of(**columns):
    return sc.Schema.model_validate({"columns": columns})


ROWS = schema_of(x={"type": "integer"}, y={"type": "number"})
VISITS = schema_of(
    who={"type": "id", "role": "entity"}, day={"type": "integer", "role": "visit"}, x={"type": "integer"}
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    pd.DataFrame({"x": range(5000), "y": np.arange(5000) / 4}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    path = tmp_path_factory.mktemp("visits") / "visits.parquet"
    table = pd.DataFrame(
        [(f"p{i}", day, i) for i in range(400) for day in range(i % 5 + 1)], columns=["who", "day", "x"]
    )
    table.sample(frac=1, random_state=1).to_parquet(path, index=False)
    return path


def test_rows_are_a_uniform_sample_in_their_order(rows):
    counts = np.zeros(5000)
    for seed in range(40):
        found = read_sample(rows, 500, ROWS, seed)
        assert (len(found.table), found.rows) == (500, 5000)
        assert found.table["x"].is_monotonic_increasing
        counts[found.table["x"]] += 1
    # Each row is in a sample with probability 0.1: the variance of the counts is 40 * 0.1 * 0.9.
    assert 3.2 < counts.var() < 4.0
    assert abs(counts[:2500].sum() - 10_000) < 300  # five standard deviations


def test_batches_do_not_matter(rows, monkeypatch):
    before = read_sample(rows, 300, ROWS, 3).table
    monkeypatch.setattr(csv_batches, "BLOCK", 1000)
    pd.testing.assert_frame_equal(before, read_sample(rows, 300, ROWS, 3).table)
    assert set(before["x"]) != set(read_sample(rows, 300, ROWS, 4).table["x"])


def test_patients_are_whole_and_do_not_depend_on_the_order_of_rows(visits, tmp_path):
    table = pd.read_parquet(visits)
    found = read_sample(visits, 100, VISITS, 5)
    assert found.rows == len(table)
    assert found.table["who"].nunique() == 100
    assert len(found.table) == table["who"].isin(found.table["who"]).sum()
    table.iloc[::-1].to_csv(tmp_path / "reversed.csv", index=False)
    again = read_sample(tmp_path / "reversed.csv", 100, VISITS, 5)
    assert set(again.table["who"]) == set(found.table["who"])
    counts = pd.concat([read_sample(visits, 100, VISITS, seed).table.groupby("who").x.first() for seed in range(60)])
    # The number of visits has no influence on the chance of a patient.
    assert abs((counts % 5 == 4).mean() - 0.2) < 0.02


def test_a_table_with_fewer_patients_is_read_as_a_whole(rows, visits):
    pd.testing.assert_frame_equal(read_sample(rows, 9999, ROWS).table, sc.read_table(rows), check_dtype=False)
    assert len(read_sample(visits, 400, VISITS).table) == read_sample(visits, 400, VISITS).rows


def test_cells_of_several_types_stay_what_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_batches, "BLOCK", 40)
    cells = [*map(str, range(30)), "", "1.5", "<5", *map(str, range(30))]
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{cell},0\n" for cell in cells))
    schema = schema_of(x={"type": "number", "missing": "allowed"}, y={"type": "number"})
    found = read_sample(tmp_path / "a.csv", 1000, schema).table["x"]
    assert found.tolist() == [*range(30), None, 1.5, "<5", *range(30)]


def test_databases_need_identifiers(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "ward.db"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE ward AS SELECT 'p' || i % 1000 AS who, i // 1000 AS day, i AS x FROM range(5000) r(i)"
        )
    source = f"duckdb:///{path}"
    with pytest.raises(ConfigError, match="rows of a database have no order"):
        read_sample(source, 10, ROWS, table="ward")
    found = read_sample(source, 50, VISITS, table="ward")
    assert (len(found.table), found.rows, found.table["who"].nunique()) == (250, 5000, 50)
    query = "SELECT * FROM ward ORDER BY x DESC"
    again = read_sample(source, 50, VISITS, query=query)
    pd.testing.assert_frame_equal(again.table, found.table)  # in an order that is not that of the database
    whole = sc.read_table(source, VISITS, table="ward", partial=True)
    own = whole[whole["who"].isin(found.table["who"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.table, own)
    with pytest.raises(DataError, match="holds no rows"):
        read_sample(source, 50, VISITS, query="SELECT * FROM ward WHERE x < 0")


@pytest.mark.parametrize("wanted", [0, 1, -5, 2.5, "7", None])
def test_no_number_of_patients(rows, wanted):
    with pytest.raises(ConfigError, match="is no number of patients"):
        read_sample(rows, wanted, ROWS)


def test_the_column_of_patients_is_absent(rows):
    with pytest.raises(DataError, match="column 'who': is absent"):
        read_sample(rows, 10, VISITS)


def test_memory_is_bounded_by_the_sample(tmp_path):
    path = tmp_path / "big.parquet"
    table = pd.DataFrame({f"c{j}": np.random.default_rng(j).normal(size=400_000) for j in range(10)})
    table.to_parquet(path, row_group_size=20_000)
    schema = schema_of(**{f"c{j}": {"type": "number"} for j in range(10)})
    tracemalloc.start()
    found = read_sample(path, 2000, schema)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(found.table), found.rows) == (2000, 400_000)
    assert most < 16e6 < table.memory_usage().sum()
    assert pq.ParquetFile(path).num_row_groups == 20


def test_without_a_schema_cells_have_the_types_of_a_file_of_these_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_batches, "BLOCK", 60)
    cells = [f"{i};{i},50;{i:03d};{i if i % 7 else 'A'}" for i in range(100)]
    path = tmp_path / "ward.csv"
    path.write_text("n;x;code;mixed\n" + "\n".join(cells))
    found = read_sample(path, 1000, separator=";", decimal=",")
    pd.testing.assert_frame_equal(found.table, sc.read_table(path, separator=";", decimal=","))
    path.write_bytes(b'n;x\n"a\rb";1\n"";2\n"c;d\r\n";3\n5" nail;4\n')
    pd.testing.assert_frame_equal(read_some(path, 10, separator=";"), sc.read_table(path, separator=";"))
    path.write_text("n;x;code;mixed\n" + "\n".join(cells))
    part = read_sample(path, 20, separator=";", decimal=",").table
    assert part.dtypes.astype(str).to_dict() == {"n": "Int64", "x": "float64", "code": "object", "mixed": "object"}
    assert len(part) == 20


def test_each_patient_has_an_identifier(tmp_path):
    cells = ["p1", "p2", None, "p3"] * 50
    pd.DataFrame({"who": cells, "day": range(200), "x": 1}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="column 'who': a row holds no identifier"):
        read_sample(tmp_path / "a.parquet", 2, VISITS)


def test_identifiers_are_compared_as_the_schema_reads_them(tmp_path):
    for name, who in (("a", [1, 2, 3]), ("b", [1.0, 2.0, 3.0])):
        pd.DataFrame({"who": who, "day": [len(name)] * 3, "x": [ord(name)] * 3}).to_parquet(
            tmp_path / f"{name}.parquet"
        )
    found = read_sample(tmp_path, 2, VISITS, 1).table
    assert found["who"].astype(float).value_counts().tolist() == [2, 2]
    (tmp_path / "c.csv").write_text("who,day,x\n7,0,1\n007,0,1\n7.0,0,1\n8,0,1\n")
    assert len(read_sample(tmp_path / "c.csv", 4, VISITS).table) == 4


def test_many_visits_are_copied_a_few_times_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_format, "BATCH_ROWS", 1000)
    cut, copied = patient_sample._Sample._cut, []
    monkeypatch.setattr(patient_sample._Sample, "_cut", lambda self: (copied.append(self.rows), cut(self))[1])
    table = pd.DataFrame({"who": np.arange(200_000) // 1000, "day": np.arange(200_000) % 1000, "x": 0})
    table.to_parquet(tmp_path / "a.parquet")
    assert len(read_sample(tmp_path / "a.parquet", 100, VISITS).table) == 100_000
    assert sum(copied) < 500_000


W = pa.array(["a", "b"])
DAYS = np.array(["2020-01-01", "NaT"], "datetime64[us]")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.nulls(2), pa.array([1, 2])),
        (pa.array([1, None]), pa.nulls(2)),
        (pa.nulls(2), pa.array(["x", None])),
        (pa.array([1, None]), pa.array([0.5, None])),
        (pa.array([True, None]), pa.array([False, True])),
        (pa.array(DAYS), pa.array(DAYS + np.timedelta64(3_000_000, "D"))),
        (pa.array([1, 2]), pa.array(["1", "2"])),
        (pa.array([True, False]), pa.array([1, 0])),
        (pa.array([], pa.int64()), pa.array([], pa.int64())),
    ],
)
def test_files_of_a_folder_have_the_types_of_the_whole_table(first, second, tmp_path):
    for name, cells in (("a", first), ("b", second)):
        pq.write_table(pa.table({"who": W[: len(cells)], "x": cells}), tmp_path / f"{name}.parquet")
    sample, whole = (_outcome(tmp_path, rows) for rows in (100, None))
    if isinstance(whole, str):
        assert sample == whole
    else:
        pd.testing.assert_frame_equal(sample, whole)


def _outcome(folder, rows):
    """Return a table, or the error."""
    try:
        return read_some(folder, rows)
    except DataError as error:
        return str(error)
