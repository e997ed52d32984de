"""Reading is strict and names the line, writing is exact, splitting keeps patients whole."""

from __future__ import annotations

import datetime as dt
import gzip
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.errors import ConfigError, DataError, OutputError
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from synthclin.tables import read_table, split, write_table

CANARY = "ZZ_CANARY_7391"


def schema_of(**columns):
    return Schema.model_validate({"columns": columns})


@pytest.fixture
def read(tmp_path):
    """Write text or bytes to a file and read it as a table."""

    def run(content, schema=None, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path, schema)

    return run


@pytest.fixture
def refused(read):
    """Read a file that must be refused; return the message."""

    def run(content, schema=None, name="table.csv"):
        with pytest.raises(DataError) as caught:
            read(content, schema, name)
        assert CANARY not in str(caught.value)
        return str(caught.value)

    return run


class TestTypes:
    def test_whole_numbers(self, read):
        table = read("n,m\n1,-2\n,3\nNA, 4 \n")
        assert table.dtypes.astype(str).tolist() == ["Int64", "Int64"]
        assert table["n"].tolist() == [1, pd.NA, pd.NA]
        assert table["m"].tolist() == [-2, 3, 4]

    def test_numbers(self, read):
        table = read("x,y\n1.50,1e-3\nnull,.5\n3,-7.\n")
        assert table.dtypes.astype(str).tolist() == ["float64", "float64"]
        assert table["y"].tolist() == [0.001, 0.5, -7.0]

    def test_every_decimal_is_read_exactly(self, read):
        numbers = np.random.default_rng(0).normal(size=500) * 10.0 ** np.arange(-250, 250)
        table = read("x,y\n" + "\n".join(f"{x!r},0" for x in numbers.tolist()))
        assert table["x"].tolist() == numbers.tolist()

    @pytest.mark.parametrize("cell", ["007", "+7", "1,5", "V27", "1_000", "0x1F", "12345678901234567890", "²", "1 2"])
    def test_what_is_no_plain_number_stays_text(self, read, cell):
        table = read(f'x,y\n250.10,1\n"{cell}",2\n')
        assert table["x"].tolist() == ["250.10", cell]

    def test_infinite_numbers_are_numbers(self, read):
        table = read("x,y\n1.5,1\ninf,2\n-Infinity,3\n1e999,4\n")
        assert table["x"].tolist() == [1.5, np.inf, -np.inf, np.inf]

    def test_missing_tokens(self, read):
        table = read("x,y\na,1\nNA,1\nN/A,1\nNaN,1\nnan,1\nNULL,1\nnull,1\n,1\nnone,1\n")
        assert table["x"].tolist() == ["a", *[None] * 7, "none"]

    def test_an_all_missing_column(self, read):
        assert read("x,y\n,1\nNA,2\n")["x"].isna().all()

    def test_a_declared_level_is_not_missing(self, read):
        schema = schema_of(
            country={"type": "category", "categories": ["NA", "DE"], "missing": "allowed"}, n={"type": "integer"}
        )
        assert read("country,n\nNA,1\nDE,2\n,3\n", schema)["country"].tolist() == ["NA", "DE", np.nan]

    def test_codes_and_ids_keep_their_digits(self, read):
        schema = schema_of(id={"type": "id"}, diagnosis={"type": "code"}, n={"type": "integer"}, m={"type": "integer"})
        table = read("id,diagnosis,n,m\n007,250.10,+1,1\n008,401.0,02,2\n", schema)
        assert table["id"].tolist() == ["007", "008"]
        assert table["diagnosis"].tolist() == ["250.10", "401.0"]
        assert table["n"].tolist() == [1, 2]

    def test_levels_keep_their_kind(self, read):
        columns = {
            "grade": {"type": "ordinal", "categories": [1, 2]},
            "half": {"type": "category", "categories": [0, 0.5, "x"]},
            "yes": {"type": "boolean"},
            "code": {"type": "category", "categories": ["01", "1"]},
        }
        table = read("grade,half,yes,code\n1,0.5,True,01\n2,x,false,1\n", schema_of(**columns))
        assert [table[name].tolist() for name in columns] == [[1, 2], [0.5, "x"], [True, False], ["01", "1"]]


class TestCsv:
    def test_marks_ends_and_blank_lines(self, read):
        for content in (
            "\ufeffa,b\n1,2\n3,4\n",
            "a,b\r\n1,2\r\n3,4",
            "\n\na,b\n\n1,2\n\n3,4\n\n\n",
            '"a","b"\n"1","2"\n3,4\n',
        ):
            table = read(content)
            assert list(table.columns) == ["a", "b"]
            assert table["b"].tolist() == [2, 4]

    def test_quoted_cells(self, read):
        table = read('"a, b","c\nd"\n"1, ""2""","x\ny"\nz,\n')
        assert list(table.columns) == ["a, b", "c\nd"]
        assert table["a, b"].tolist() == ['1, "2"', "z"]
        assert table["c\nd"].tolist() == ["x\ny", None]

    def test_gzip(self, read):
        assert read(gzip.compress(b"a,b\n1,2\n3,4\n"), name="table.CSV.gz").shape == (2, 2)

    @pytest.mark.parametrize("content", ["", "\n", "  \n\n", "\ufeff"])
    def test_empty(self, refused, content):
        assert "is empty" in refused(content)

    @pytest.mark.parametrize("content", ["a,b\n", "a,b", "a,b\r\n\r\n"])
    def test_no_rows(self, refused, content):
        assert "no rows" in refused(content)

    @pytest.mark.parametrize(
        ("content", "line", "cells"),
        [
            (f"a,b,c\n1,2,3\n4,{CANARY}\n", 3, 2),
            (f"a,b,c\n1,2,3\n\n4,5,6,{CANARY}\n", 4, 4),
            (f'a,b,c\n1,"x\ny",3\n4,{CANARY}\n', 4, 2),
            (f"a,b,c\n{CANARY}\n", 2, 1),
            (f"\na,b,c\r\n1,2,3\r\n4,5,6,{CANARY}\r\n", 4, 4),
        ],
    )
    def test_ragged_rows(self, refused, content, line, cells):
        assert f"table.csv: line {line}: has {cells} cells where the first line has 3" in refused(content)

    @pytest.mark.parametrize("cell", [f'"{CANARY}', f'"{CANARY}" x', f'{CANARY},"'])
    def test_stray_quotes(self, refused, cell):
        message = refused(f"a,b,c\n1,2,3\n4,5,{cell}\n7,8,9\n")
        assert "line 3: " in message

    def test_a_quote_inside_a_cell_is_text(self, read):
        assert read('a,b\n5" tube,1\nx,2\n')["a"].tolist() == ['5" tube', "x"]

    def test_not_utf8(self, refused):
        message = refused(f"name,b\n{CANARY},1\nM\u00fcller,2\n".encode("latin-1"))
        assert "line 3: byte 2 of the line is not UTF-8" in message
        assert "UTF-16" in refused("a,b\n1,2\n".encode("utf-16"))
        assert "line 2: holds a zero byte" in refused(b"a,b\n1,\x002\n")

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("a,b,a", "columns 1 and 3 have the same name"),
            (",a,b", "column 1 has no name"),
            ("a, b,c", "the name of column 2 begins or ends with a space"),
            ("63,1,145", "holds numbers instead of column names"),
            ("a;b;c", "separated by semicolons"),
            ("a\tb", "separated by tabs"),
            ('a,"b', "a quote"),
        ],
    )
    def test_bad_headers(self, refused, header, expected):
        assert expected in refused(header + "\n1,2,3\n")

    def test_a_first_line_that_is_a_patient_is_not_repeated(self, refused):
        for header in (f"{CANARY},1,{CANARY}", f"{CANARY},,x", f" {CANARY},a,b", f"{CANARY};F"):
            assert CANARY not in refused(header + "\n1,2,3\n")

    def test_broken_gzip(self, refused):
        whole = gzip.compress(b"a,b\n1,2\n3,4\n")
        for content in (b"a,b\n1,2\n", whole[:-9], whole[:12] + b"\xff" * 9):
            assert "gzip" in refused(content, name="table.csv.gz")


class TestPath:
    def test_a_missing_file_suggests_a_neighbour(self, tmp_path):
        (tmp_path / "heart.csv").write_text("a,b\n1,2\n")
        with pytest.raises(DataError, match=r"haert.csv: there is no such file. Did you mean '.*/heart.csv'\?"):
            read_table(tmp_path / "haert.csv")
        with pytest.raises(DataError, match="no folder"):
            read_table(tmp_path / "none" / "heart.csv")

    def test_a_folder(self, tmp_path):
        (tmp_path / "data.csv").mkdir()
        with pytest.raises(DataError, match="is a folder without Parquet files"):
            read_table(tmp_path / "data.csv")

    @pytest.mark.parametrize("name", ["a.xls", "a", "a.csv.zip", "a.gz", "a.duckdb"])
    def test_unknown_suffixes(self, tmp_path, name):
        with pytest.raises(DataError, match=r"Use .csv, .csv.gz, .csv.zst, .parquet, .xlsx, .xlsm, .sav"):
            read_table(tmp_path / name)


class TestParquet:
    def test_types(self, tmp_path):
        frame = pd.DataFrame(
            {
                "n": pd.array([1, None], dtype="Int32"),
                "x": np.array([0.5, np.nan], dtype="float32"),
                "b": [True, None],
                "c": pd.Categorical(["u", None]),
                "day": [dt.date(2024, 2, 29), None],
                "when": pd.to_datetime(["2024-02-29 12:30:00", None]),
                "none": [None, None],
            },
            index=["row 1", "row 2"],
        )
        frame.to_parquet(tmp_path / "t.parquet")
        table = read_table(tmp_path / "t.parquet")
        kinds = ["Int64", "float64", "boolean", "object", "datetime64[ns]", "datetime64[ns]", "object"]
        assert table.dtypes.astype(str).tolist() == kinds
        assert table.iloc[0].tolist()[:6] == [
            1,
            0.5,
            True,
            "u",
            pd.Timestamp("2024-02-29"),
            pd.Timestamp("2024-02-29 12:30"),
        ]
        assert table.iloc[1].isna().all()

    @pytest.mark.parametrize(
        ("column", "expected"),
        [
            (pa.array([[1], [2]]), "list<"),
            (pa.array([b"x", b"y"]), "binary"),
            (pa.array([2**64 - 1, 1], type=pa.uint64()), "too large"),
        ],
    )
    def test_what_no_table_holds(self, tmp_path, column, expected):
        pq.write_table(pa.table({"x": column}), tmp_path / "t.parquet")
        with pytest.raises(DataError, match="column 'x'") as caught:
            read_table(tmp_path / "t.parquet")
        assert expected in str(caught.value)

    def test_bad_files(self, tmp_path):
        pq.write_table(pa.table({"x": pa.array([], pa.int64())}), tmp_path / "empty.parquet")
        pq.write_table(pa.table([[1], [2]], names=["x", "x"]), tmp_path / "twice.parquet")
        whole = (tmp_path / "twice.parquet").read_bytes()
        (tmp_path / "half.parquet").write_bytes(whole[: len(whole) // 2])
        (tmp_path / "text.parquet").write_bytes(b"a,b\n1,2\n")
        (tmp_path / "nothing.parquet").write_bytes(b"")
        expected = {
            "empty": "no rows",
            "twice": "named 'x'",
            "half": "not a whole",
            "text": "not a whole",
            "nothing": "not a whole",
        }
        for name, words in expected.items():
            with pytest.raises(DataError, match=words):
                read_table(tmp_path / f"{name}.parquet")


class TestWriting:
    def test_csv_text(self, tmp_path):
        schema = schema_of(
            ldl={"type": "number", "decimals": 2, "missing": "allowed"},
            count={"type": "number", "decimals": 0},
            free={"type": "number"},
            day={"type": "date"},
            at={"type": "datetime"},
        )
        frame = pd.DataFrame(
            {
                "ldl": [3.1, -0.001, None],
                "count": [233.0, 1e6, -0.2],
                "free": [0.1, 1e-7, 2.0],
                "day": ["2024-02-29"] * 3,
                "at": ["2024-02-29T01:02:03"] * 3,
            }
        )
        path = tmp_path / "t.csv"
        write_table(conform(frame, schema), path, schema)
        lines = ["3.1,233,0.1", "0,1000000,1e-07", ",0,2"]
        assert path.read_text().splitlines() == [
            "ldl,count,free,day,at",
            *[f"{line},2024-02-29,2024-02-29T01:02:03" for line in lines],
        ]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_parquet_is_plain(self, tmp_path):
        schema = schema_of(
            sex={"type": "category", "categories": ["F", "M"]},
            day={"type": "date"},
            x={"type": "number", "decimals": 1},
        )
        table = conform(pd.DataFrame({"sex": ["F", "M"], "day": ["2024-02-29"] * 2, "x": [0.123, 4]}), schema)
        write_table(table, tmp_path / "t.parquet", schema)
        written = pq.read_table(tmp_path / "t.parquet")
        assert [str(field.type) for field in written.schema] == ["string", "date32[day]", "double"]
        assert written["x"].to_pylist() == [0.1, 4.0]
        assert written.schema.metadata is None

    def test_refusals(self, tmp_path):
        schema = schema_of(x={"type": "number"}, y={"type": "number"})
        table = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 2.0]})
        with pytest.raises(DataError, match=r"Use .csv, .csv.gz, .parquet, .sav, .dta or .xpt"):
            write_table(table, tmp_path / "t.csv.zst", schema)
        with pytest.raises(OutputError):
            write_table(table, tmp_path / "none" / "t.csv", schema)
        assert list(tmp_path.iterdir()) == []


class TestSplit:
    @settings(max_examples=60, deadline=None)
    @given(
        patients=st.lists(st.none() | st.integers(0, 6), min_size=4, max_size=40),
        holdout=st.floats(0.05, 0.95),
        seed=st.integers(0, 2**31),
    )
    def test_patients_stay_whole(self, patients, holdout, seed):
        schema = schema_of(id={"type": "id", "role": "entity"}, row={"type": "integer"})
        table = pd.DataFrame(
            {
                "id": pd.array([None if p is None else str(p) for p in patients], dtype="string"),
                "row": range(len(patients)),
            }
        )
        number = table["id"].nunique() + int(table["id"].isna().sum())
        if not 0 < round(holdout * number) < number:
            with pytest.raises(DataError, match="one side empty"):
                split(table, schema, holdout, seed)
            return
        train, rest = split(table, schema, holdout, seed)
        assert not set(train["id"].dropna()) & set(rest["id"].dropna())
        assert sorted([*train["row"], *rest["row"]]) == list(range(len(table)))
        assert train["row"].is_monotonic_increasing
        assert rest["row"].is_monotonic_increasing
        assert rest["id"].nunique() + int(rest["id"].isna().sum()) == round(holdout * number)
        again = split(table, schema, holdout, seed)
        assert all(a.equals(b) for a, b in zip((train, rest), again, strict=True))

    def test_without_patients_each_row_is_one(self):
        schema = schema_of(x={"type": "integer"}, y={"type": "integer"})
        table = pd.DataFrame({"x": range(100), "y": range(100)}, index=range(500, 600))
        train, rest = split(table, schema, 0.2, 7)
        assert (len(train), len(rest)) == (80, 20)
        assert list(rest.index) == list(range(20))
        assert not rest.equals(split(table, schema, 0.2, 8)[1])

    def test_refusals(self):
        schema = schema_of(a={"type": "id", "role": "entity"}, x={"type": "integer"})
        table = pd.DataFrame({"a": ["1", "2"], "x": [1, 2]})
        with pytest.raises(DataError, match="column 'a': identifies the patient and is absent"):
            split(table[["x"]], schema)
        for share in (0, 1, -0.5, float("nan")):
            with pytest.raises(ConfigError, match="share"):
                split(table, schema, share)
        with pytest.raises(DataError, match="one side empty"):
            split(table, schema, 0.1)


def test_paths_may_be_text(tmp_path):
    Path(tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    assert read_table(str(tmp_path / "t.csv")).shape == (2, 2)
