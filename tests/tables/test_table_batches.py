"""Batches of rows have the same cells and errors as the whole table."""

from __future__ import annotations

import gzip

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthclin as sc
from synthclin.errors import DataError
from synthclin.tables import csv_batches, packed_csv, parquet_format
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.table_batches import file_batches

SCHEMA = sc.Schema.model_validate(
    {
        "columns": {
            "who": {"type": "id"},
            "note": {"type": "text"},
            "ldl": {"type": "number"},
            "age": {"type": "integer", "missing": "allowed"},
        }
    }
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=6)
ROWS = st.lists(
    st.tuples(TEXTS, st.sampled_from(["a", 'say "x"', "two\nlines", "c,d", "ü€"]), st.floats(-1e6, 1e6)), min_size=1
)


def joined(path, **notation):
    return pd.concat([rows for rows, _ in file_batches(path, SCHEMA, FileNotation(**notation))], ignore_index=True)


@given(rows=ROWS, block=st.integers(1, 40), end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=25)
def test_any_csv_file_is_cut_between_records(rows, block, end, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "ward.csv"
    table = pd.DataFrame(rows, columns=["who", "note", "ldl"]).assign(age=63)
    path.write_bytes(table.to_csv(index=False, lineterminator=end).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_batches, "BLOCK", block)
        found = joined(path)
    whole = sc.read_table(path, SCHEMA, partial=True)
    pd.testing.assert_frame_equal(found, whole, check_dtype=False)


def outcome(read):
    """Return the cells, or the error with its line."""
    try:
        table = read().astype(object)
    except DataError as error:
        return str(error)
    return table.where(table.notna(), None).to_numpy().tolist()


TOKENS = ["a", "7", ",", ",3\n", ",4\r\n", ",5\r", "\n", "\r", "\r\n", '"', '""', '"x\ny"', '5" nail', "NA", "ü", " "]
LINES = sc.Schema.model_validate(
    {"columns": {"a": {"type": "text"}, "b": {"type": "number", "missing": "allowed"}, "c": {"type": "number"}}}
)


@given(
    begin=st.sampled_from(["a,b\n", "\ufeffa,b\n", "\r\n\na,b\r", '"a","b"\r\n']),
    tokens=st.lists(st.sampled_from(TOKENS), max_size=12),
    block=st.sampled_from([1, 2, 3, 7, 1000]),
)
@settings(max_examples=300)
def test_batches_have_the_cells_and_errors_of_the_whole_file(begin, tokens, block, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "ward.csv"
    path.write_bytes((begin + "".join(tokens)).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_batches, "BLOCK", block)
        found = outcome(lambda: pd.concat([rows.astype(object) for rows, _ in file_batches(path, LINES)]))
    assert found == outcome(lambda: sc.read_table(path, LINES, partial=True))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'a,b\n5" nail,3\n"x\ny",4\n', [['5" nail', 3], ["x\ny", 4]]),  # an inch is no quote
        (b"a,b\rx,2\ry,4\r", [["x", 2], ["y", 4]]),  # lines of an old Macintosh
        (b"a,b\r\nx,2\ry,4\n", [["x", 2], ["y", 4]]),
        (b"a,b\rx,2\ry\r", "line 3: has 1 cells"),
        (b"a,b\rx,2\r\xff,2\r", "line 3: byte 1 of the line is not UTF-8"),
    ],
)
def test_quotes_inside_of_cells_and_other_line_ends(content, rows, tmp_path, monkeypatch):
    path = tmp_path / "ward.csv"
    path.write_bytes(content)
    for block in (1, 2, 5, 1000):
        monkeypatch.setattr(csv_batches, "BLOCK", block)
        found = outcome(lambda: pd.concat([part.astype(object) for part, _ in file_batches(path, LINES)]))
        assert found == outcome(lambda: sc.read_table(path, LINES, partial=True))
        assert found == rows if isinstance(rows, list) else rows in found


@pytest.mark.parametrize("content", ["a,b\nz,2\n{},1\n", 'a,b\n"z",2\n{},1\n', 'a,b\nz,2\n{},1\n"y",3\n'])
def test_an_overlong_cell_is_refused_whatever_else_is_quoted(content, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_batches, "BLOCK", 64)
    path = tmp_path / "ward.csv"
    path.write_text(content.format("x" * 200_000))
    for read in (lambda: sc.read_table(path), lambda: list(file_batches(path, LINES))):
        with pytest.raises(DataError, match="line 3: a cell holds more than 131,072 characters"):
            read()


def test_a_zero_byte_in_a_declared_encoding(tmp_path):
    path = tmp_path / "ward.csv"
    path.write_bytes(b"a,b\nx,1\n\0,2\n")
    for read in (lambda: sc.read_table(path, encoding="cp1252"), lambda: joined(path, encoding="cp1252")):
        with pytest.raises(DataError, match="line 3: holds a zero byte"):
            read()


def test_compressed_and_encoded_files(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_batches, "BLOCK", 50)
    text = "who;note;ldl;age\n" + "".join(f"p{i};größe {i};{i},5;{i}\n" for i in range(300))
    for name, content, encoding in (
        ("a.csv", text.encode("cp1252"), "cp1252"),
        ("b.csv", text.encode("utf-16"), "utf-16"),
        ("c.csv.gz", gzip.compress(text.encode()), None),
        ("d.csv.zst", pa.Codec("zstd").compress(text.encode(), asbytes=True), None),
        ("e.csv", b"\xef\xbb\xbf" + text.encode(), None),
    ):
        (tmp_path / name).write_bytes(content)
        keys = {"separator": ";", "decimal": ","} | ({} if encoding is None else {"encoding": encoding})
        found = joined(tmp_path / name, **keys)
        assert found["ldl"].tolist() == [i + 0.5 for i in range(300)]
        assert found["note"].iloc[299] == "größe 299"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text.replace("p70,", "p70,,"), "line 72: has 5 cells where the first line has 4"),
        (lambda text: text.replace("p80,a", 'p80,"a'), "line 82: holds a quote that is not closed"),
        (lambda text: text.replace("p90,a", "p90,\0"), "line 92: holds a zero byte"),
        (lambda text: text.replace("p90,a", "p90," + "x" * 600_000), "line 92: a cell holds more than"),
        (lambda text: text.partition("\n")[0] + "\n", "a line of column names and no rows"),
        (lambda _: "", "is empty"),
        (lambda _: "\n\n\n", "is empty. Give a table"),
        (lambda text: text.replace("note", "who", 1), "have the same name"),
    ],
)
def test_errors_name_the_line_of_the_file(damage, says, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_batches, "BLOCK", 64)
    path = tmp_path / "ward.csv"
    path.write_text(damage("who,note,ldl,age\n" + "".join(f"p{i},a,{i}.5,{i}\n" for i in range(200))))
    with pytest.raises(DataError, match=says):
        joined(path)


def test_a_byte_of_another_encoding_and_cut_files(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_batches, "BLOCK", 64)
    text = b"who,note,ldl,age\n" + b"p,a,1,2\n" * 100 + b"p,\xfc,1,2\n"
    (tmp_path / "a.csv").write_bytes(text)
    with pytest.raises(DataError, match="line 102: byte 3 of the line is not UTF-8"):
        joined(tmp_path / "a.csv")
    text = text[:17] + b"p,a,1,2\n" * 5000
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(text)[:-20])
    with pytest.raises(DataError, match="is not a whole gzip file"):
        joined(tmp_path / "b.csv.gz")
    (tmp_path / "c.csv.zst").write_bytes(pa.Codec("zstd").compress(text, asbytes=True)[:-20])
    with pytest.raises(DataError, match="is not a whole Zstandard file"):
        joined(tmp_path / "c.csv.zst")
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"who,note\n" + b"0,0\n" * 3_000_000, 9))
    monkeypatch.setattr(csv_batches, "BLOCK", 1 << 22)
    monkeypatch.setattr(packed_csv, "MAX_BYTES", 1 << 20)
    with pytest.raises(DataError, match="unpacks to more than 200 times its size"):
        joined(tmp_path / "d.csv.gz")


def test_parquet_files_and_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_format, "BATCH_ROWS", 7)
    table = pd.DataFrame({"who": [f"p{i}" for i in range(50)], "ldl": [i / 2 for i in range(50)], "age": range(50)})
    for year in (2020, 2021):
        (tmp_path / f"year={year}").mkdir()
        table.to_parquet(tmp_path / f"year={year}" / "a.parquet")
    batches = list(file_batches(tmp_path))
    assert [len(rows) for rows, _ in batches] == 2 * [7, 7, 7, 7, 7, 7, 7, 1]
    assert [share for _, share in batches] == sorted(share for _, share in batches)
    assert batches[-1][1] == 1
    pd.testing.assert_frame_equal(pd.concat([rows for rows, _ in batches], ignore_index=True), sc.read_table(tmp_path))
    (tmp_path / "year=2021" / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="Parquet file"):
        list(file_batches(tmp_path))


def test_other_formats_are_one_batch(tmp_path):
    pytest.importorskip("openpyxl")
    table = pd.DataFrame({"who": ["a", "b"], "age": [1, 2]})
    table.to_excel(tmp_path / "ward.xlsx", index=False)
    [(rows, share)] = file_batches(tmp_path / "ward.xlsx")
    assert (len(rows), share) == (2, 1)
