"""Every door in and out: what is written is read back, cell by cell, or refused; nothing is changed in silence."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import itertools

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import synthclin as sc
from synthclin.errors import DataError
from synthclin.tables.csv_format import to_csv
from synthclin.tables.parquet_format import written_columns
from tests.tables.any_table import LEVEL, tables
from tests.tables.postgresql import server

FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = ("ldl", "größe, in cm", 'a"b', "x; DROP TABLE t", "%(a)s :b ?", "日本")
COUNT = itertools.count()
NUMBERS = ("x", "half")


def same(read, written, *, ordered=True):
    """Whether two tables are equal to the last bit; a database has no order of rows."""
    if not ordered:
        read, written = (each.sort_values(list(each), ignore_index=True) for each in (read, written))
    pd.testing.assert_frame_equal(read, written, check_exact=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("doors")


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
@FEW
@given(made=tables(names=NAMES))
def test_csv_and_parquet_hold_every_table(folder, ending, made):
    schema, table = made
    path = folder / f"t.{ending}"
    sc.write_table(table, path, schema)
    same(sc.read_table(path, schema), table)
    first = path.read_bytes()
    sc.write_table(table.copy(), path, schema)
    assert path.read_bytes() == first


@pytest.mark.parametrize("ending", ["sav", "dta", "xpt"])
@FEW
@given(made=tables())
def test_files_of_other_programs_hold_a_table_or_refuse_it(folder, ending, made):
    pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    schema, table = made
    path = folder / f"t.{ending}"
    path.unlink(missing_ok=True)
    padded = ending != "dta" and any(str(text).endswith(" ") for text in table["level"].dropna())
    sizes = table["x"].abs()
    beyond = ending == "xpt" and ((sizes > 7.2e75) | ((sizes > 0) & (sizes < 6e-79))).any()
    if padded or beyond:
        with pytest.raises(DataError, match=r"column '(level|x)': holds"):
            sc.write_table(table, path, schema)
        assert not path.exists()
    else:
        sc.write_table(table, path, schema)
        same(sc.read_table(path, schema), table)


@pytest.mark.parametrize("ending", ["sav", "dta", "xpt"])
@pytest.mark.parametrize("text", ["", " ", "\t", "a\0b"])
def test_texts_that_other_programs_do_not_have_are_refused(tmp_path, ending, text):
    pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    schema = sc.Schema.model_validate(
        {"columns": {"c": {"type": "category", "categories": [text, "q"]}, "n": {"type": "integer"}}}
    )
    table = pd.DataFrame({"c": [text, "q"], "n": [1, 2]})
    with pytest.raises(DataError, match="column 'c': holds blank texts or zero bytes"):
        sc.write_table(table, tmp_path / f"t.{ending}", schema)
    assert list(tmp_path.iterdir()) == []
    if "\0" in text:
        with pytest.raises(DataError, match="column 'c': holds a zero byte, which no CSV file has"):
            sc.write_table(table, tmp_path / "t.csv", schema)
    else:
        sc.write_table(table, tmp_path / "t.csv", schema)
        assert sc.read_table(tmp_path / "t.csv", schema)["c"].tolist() == [text, "q"]
    sc.write_table(table, tmp_path / "t.parquet", schema)
    assert sc.read_table(tmp_path / "t.parquet", schema)["c"].tolist() == [text, "q"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "sav"])
def test_a_lone_surrogate_is_one_clear_error(tmp_path, ending):
    if ending == "sav":
        pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    schema = sc.Schema.model_validate({"columns": {"c": {"type": "text"}, "n": {"type": "integer"}}})
    with pytest.raises(DataError, match=r"table: (holds text that is not Unicode|cannot be written)"):
        sc.write_table(pd.DataFrame({"c": ["\ud800", "q"], "n": [1, 2]}), tmp_path / f"t.{ending}", schema)
    assert list(tmp_path.iterdir()) == []


def in_notation(content, schema, sign, decimal, form):
    """A CSV file of this package in the notation of another program."""
    head, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=sign, lineterminator="\r\n")
    writer.writerow(head)
    for row in rows:
        for j, name in enumerate(head):
            column = schema.columns[name]
            if column.type in {"number", "integer"} or name in NUMBERS:
                row[j] = row[j].replace(".", decimal)
            elif column.type == "date" and row[j]:
                row[j] = dt.date.fromisoformat(row[j]).strftime(form)
        writer.writerow(row)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("sign", "decimal", "encoding", "pack"),
    [
        (";", ",", "cp1252", ""),
        ("\t", ",", "utf-16", ".gz"),
        ("|", ".", "utf-8-sig", ".zst"),
        (",", ".", "latin-1", ""),
    ],
)
@FEW
@given(data=st.data())
def test_csv_in_the_notation_of_other_programs(folder, sign, decimal, encoding, pack, data):
    western = st.text(st.characters(codec=encoding, exclude_categories=["C"]), min_size=1, max_size=9)
    schema, table = data.draw(tables(level=LEVEL if encoding.startswith("utf") else western.filter(str.strip)))
    text = in_notation(to_csv(table, schema), schema, sign, decimal, "%d.%m.%Y")
    content = text.encode(encoding)
    if pack == ".gz":
        content = gzip.compress(content)
    elif pack == ".zst":
        content = pa.compress(content, codec="zstd", asbytes=True)
    path = folder / f"other.csv{pack}"
    path.write_bytes(content)
    keys = {"separator": sign, "decimal": decimal, "encoding": encoding, "date_format": "DD.MM.YYYY"}
    same(sc.read_table(path, schema, **keys), table)


@FEW
@given(made=tables(names=NAMES))
def test_an_excel_workbook(folder, made):
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `excel` is not installed")
    schema, table = made
    table["x"] = [float(f"{x:.15g}") for x in table["x"]]  # openpyxl writes 16 digits
    book = openpyxl.Workbook()
    sheet = book.active
    arrow = written_columns(table, schema)
    for j, name in enumerate(arrow.column_names, start=1):
        column = sheet.cell(1, j, name)
        column.data_type = "s"
        for i, cell in enumerate(arrow[name].to_pylist(), start=2):
            old = isinstance(cell, dt.date) and cell.year < 1901  # Excel has no such days
            place = sheet.cell(i, j, str(cell) if old else cell)
            if isinstance(cell, str):
                place.data_type = "s"  # no formula
    book.save(folder / "t.xlsx")
    same(sc.read_table(folder / "t.xlsx", schema), table)


@FEW
@given(made=tables(names=NAMES))
def test_a_folder_of_parquet_files_also_a_partitioned_one(tmp_path_factory, made):
    schema, table = made
    arrow = written_columns(table, schema)
    whole, parts = (tmp_path_factory.mktemp("parts") for _ in range(2))
    for i in range(len(table)):
        one = pa.table({name: arrow[name].slice(i, 1) for name in arrow.column_names})
        pa.parquet.write_table(one, whole / f"part-{i}.parquet")
        (parts / f"id={table['id'][i]}").mkdir(exist_ok=True)
        pa.parquet.write_table(one.drop_columns("id"), parts / f"id={table['id'][i]}" / f"part-{i}.parquet")
    same(sc.read_table(whole, schema), table)
    same(sc.read_table(parts, schema)[list(table)], table, ordered=False)


@FEW
@given(made=tables(names=NAMES))
def test_a_duckdb_file(tmp_path_factory, made):
    pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")
    schema, table = made
    place = f"duckdb:///{tmp_path_factory.mktemp('db')}/ward.db?table=t; DROP TABLE t"
    sc.write_table(table, place, schema)
    same(sc.read_table(place, schema), table, ordered=False)


@pytest.fixture(scope="module")
def postgresql():
    with server() as address:
        yield address


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@FEW
@given(made=tables(names=NAMES))
def test_a_database(tmp_path_factory, request, monkeypatch, kind, made):
    pytest.importorskip("sqlalchemy", reason="the extra `database` is not installed")
    schema, table = made
    address = f"sqlite:///{tmp_path_factory.mktemp('db')}/ward.sqlite"
    name = f"t{next(COUNT)}"
    monkeypatch.setenv("WARD_URL", address if kind == "sqlite" else request.getfixturevalue("postgresql"))
    sc.write_table(table, f"env:WARD_URL?table={name}", schema)
    same(sc.read_table(f"env:WARD_URL?table={name}", schema), table, ordered=False)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "sav", "dta", "xpt"])
def test_a_table_of_one_column_keeps_its_missing_rows(tmp_path, ending):
    if ending in {"sav", "dta", "xpt"}:
        pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    schema = sc.Schema.model_validate({"columns": {"x": {"type": "number", "missing": "allowed"}}})
    table = pd.DataFrame({"x": [None, 1.5, None, None]}, dtype=float)
    sc.write_table(table, tmp_path / f"t.{ending}", schema)
    assert sc.read_table(tmp_path / f"t.{ending}")["x"].isna().tolist() == [True, False, True, True]


def test_a_return_inside_a_level_ends_no_line(tmp_path):
    levels = ["two\rlines", "one", "of\r\nWindows"]
    schema = sc.Schema.model_validate(
        {"columns": {"a": {"type": "category", "categories": levels}, "b": {"type": "integer"}}}
    )
    table = pd.DataFrame({"a": levels, "b": [1, 2, 3]})
    sc.write_table(table, tmp_path / "a.csv", schema)
    assert sc.read_table(tmp_path / "a.csv", schema)["a"].tolist() == levels
