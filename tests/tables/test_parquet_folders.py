"""Folders of Parquet files as one table, and CSV compressed by Zstandard."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthclin as sc
from synthclin.errors import ConfigError, DataError
from synthclin.study.manifest import SourceFile

ROWS = [(2020, "Süd 1/2", 1, 1.5), (2020, "Nord", 2, None), (2021, "Nord", 3, 2.5)]


@pytest.fixture
def folder(tmp_path):
    table = pd.DataFrame(ROWS, columns=["year", "site", "id", "x"])
    table.to_parquet(tmp_path / "visits", partition_cols=["year", "site"])
    (tmp_path / "visits" / "_SUCCESS").write_text("")
    (tmp_path / "visits" / "_temporary").mkdir()
    (tmp_path / "visits" / "_temporary" / "part.parquet").write_bytes(b"unfinished")
    return tmp_path / "visits"


def test_partitions_are_columns(folder):
    table = sc.read_table(folder)
    assert str(table["year"].dtype) == "Int64"
    assert sorted(map(tuple, table[["year", "site", "id"]].to_numpy())) == [row[:3] for row in sorted(ROWS)]
    assert sc.read_table(str(folder)).equals(table)


def test_a_folder_is_one_table_of_a_query(folder):
    pytest.importorskip("duckdb")
    asked = sc.read_table(f"duckdb:///{folder.parent}", query="SELECT year, count(*) AS n FROM visits GROUP BY ALL")
    assert asked.to_dict("list") == {"year": [2020, 2021], "n": [2, 1]}


def test_its_hash_changes_with_any_file(folder):
    record = SourceFile.of(folder)
    assert record.is_of(folder)
    file = next(folder.rglob("year=2021/**/*.parquet"))
    pd.DataFrame({"id": [4], "x": [2.5]}).to_parquet(file)
    assert not record.is_of(folder)


def test_folders_that_are_no_table(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is a folder without Parquet files"):
        sc.read_table(tmp_path / "empty")
    with pytest.raises(ConfigError, match=r"separator: files ending in '.parquet' have no such notation"):
        sc.read_table(folder, separator=";")
    site = folder / "year=2021" / "site=Nord"
    pd.DataFrame({"id": [4], "y": [2.5]}).to_parquet(site / "z.parquet")
    with pytest.raises(DataError, match=r"z.parquet: has other columns than .+-0.parquet"):
        sc.read_table(folder)
    pd.DataFrame({"id": ["CANARY"], "x": [2.5]}).to_parquet(site / "z.parquet")
    with pytest.raises(DataError, match="a column is of several types in its files") as caught:
        sc.read_table(folder)
    assert "CANARY" not in str(caught.value)
    pd.DataFrame({"id": [4], "x": [2.5], "year": [1]}).to_parquet(site / "z.parquet")
    with pytest.raises(DataError, match=r"z.parquet: has other columns"):
        sc.read_table(folder)
    (site / "z.parquet").write_bytes(b"PAR1CANARY")
    with pytest.raises(DataError, match="Parquet file"):
        sc.read_table(folder)


def compressed(text, tmp_path):
    path = tmp_path / "ward.csv.zst"
    path.write_bytes(pa.Codec("zstd").compress(text, asbytes=True))
    return path


CSV = "größe;am\n1,80;03.04.2021\n;\n".encode("cp1252")


def test_zstandard_is_read_with_a_notation(tmp_path):
    with pa.CompressedOutputStream(tmp_path / "ward.csv.zst", "zstd") as file:
        file.write(CSV)
    noted = {"separator": ";", "decimal": ",", "encoding": "cp1252", "date_format": "DD.MM.YYYY"}
    assert sc.read_table(tmp_path / "ward.csv.zst", **noted).to_numpy().tolist()[0] == [1.8, "2021-04-03"]


def test_a_damaged_or_endless_zstandard_file(tmp_path):
    path = compressed(b"age,sex\n" + b"40,F\n" * 50_000, tmp_path)
    assert len(sc.read_table(path)) == 50_000
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"CANARY" * 10, b""):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            sc.read_table(path)
        assert "CANARY" not in str(caught.value)
    with pytest.raises(DataError, match="unpacks to more than 200 times its size"):
        sc.read_table(compressed(b"age,sex\n" + b"0" * (1 << 28), tmp_path))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.none() | st.integers()), min_size=1, max_size=30))
def test_what_is_written_in_parts_is_read_whole(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("parts")
    rows = [(key, None if value is None else value % 2**40) for key, value in rows]
    table = pd.DataFrame(rows, columns=["key", "value"]).astype("Int64")
    table.to_parquet(folder / "t", partition_cols=["key"])
    read = sc.read_table(folder / "t")
    assert sorted(zip(read["key"], read["value"].fillna(-1), strict=True)) == sorted(
        zip(table["key"], table["value"].fillna(-1), strict=True)
    )
