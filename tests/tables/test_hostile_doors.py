"""Hostile input at every door: one clear error, no traceback, no cell, no partial output, bounded time and memory."""

from __future__ import annotations

import gc
import gzip
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthclin as sc
from synthclin.errors import ConfigError, DataError, SynthclinError
from synthclin.tables import database_queries, database_source
from synthclin.tables.select_statement import one_select
from tests.tables.postgresql import PASSWORD, server

CANARY = "ZZ_CANARY_7391"
SOURCE = "env:WARD_URL"
SCHEMA = sc.Schema.model_validate(
    {
        "columns": {
            "id": {"type": "id"},
            "c": {"type": "category", "categories": [CANARY, "q"]},
            "n": {"type": "integer"},
            "d": {"type": "date"},
        }
    }
)
TABLE = pd.DataFrame(
    {
        "id": [f"{CANARY}{i}" for i in range(400)],
        "c": [CANARY, "q"] * 200,
        "n": range(400),
        "d": pd.Timestamp("2020-01-01"),
    }
)
KINDS = ["csv.gz", "csv.zst", "parquet", "xlsx", "sav", "zsav", "dta", "xpt", "por"]


def refused(source, error=SynthclinError, **asked):
    with pytest.raises(error) as caught:
        sc.read_table(source, **asked)
    message = str(caught.value)
    assert CANARY not in message
    assert PASSWORD not in message
    assert caught.value.remedy
    return message


def content_of(kind, folder, table=TABLE):
    """A whole file of a kind."""
    path = folder / f"whole.{kind}"
    if kind == "csv.zst":
        return pa.compress(table.to_csv(index=False).encode(), codec="zstd", asbytes=True)
    if kind == "xlsx":
        pytest.importorskip("openpyxl", reason="the extra `excel` is not installed")
        table.to_excel(path, index=False)
    elif kind in {"csv.gz", "parquet"}:
        sc.write_table(table, path, SCHEMA)
    else:
        library = pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
        write = {"zsav": "write_sav", "xpt": "write_xport"}.get(kind, f"write_{kind}")
        short = table.rename(columns=str.lower) if kind != "por" else table[["c", "n"]]
        getattr(library, write)(short, path, **({"compress": True} if kind == "zsav" else {}))
    return path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_refused_wherever_it_is_cut(kind, tmp_path):
    whole = content_of(kind, tmp_path)
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(whole)
    assert len(sc.read_table(path)) == len(TABLE)
    size = len(whole)
    for cut in {0, 1, 4, 16, 100, 200, size // 4, size // 3, size // 2, size * 9 // 10, size - 170, size - 80}:
        path.write_bytes(whole[:cut])
        assert "Traceback" not in refused(path, DataError)


def test_a_transport_file_without_a_count_of_rows_is_refused_too(tmp_path):
    library = pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    library.write_xport(TABLE[["n", "c"]], tmp_path / "t.xpt", file_format_version=5)
    whole = (tmp_path / "t.xpt").read_bytes()
    assert len(sc.read_table(tmp_path / "t.xpt")) == len(TABLE)
    for cut in (len(whole) // 2, len(whole) - 80, len(whole) - 160):
        (tmp_path / "t.xpt").write_bytes(whole[: cut // 80 * 80])
        assert "is not a whole .xpt file" in refused(tmp_path / "t.xpt")


def transport(rows):
    """A SAS transport file of version 5 with a number of 3 bytes and a text of 4, as SAS writes it for LENGTH 3."""

    def card(kind, digits="0" * 30):
        return f"HEADER RECORD*******{kind:<8}HEADER RECORD!!!!!!!{digits}  ".encode()

    def column(kind, length, number, name, place):
        head = b"".join(part.to_bytes(2, "big") for part in (kind, 0, length, number))
        texts = f"{name:<8}{'':40}{'':8}".encode() + bytes(8) + f"{'':8}".encode() + bytes(4)
        return (head + texts + place.to_bytes(4, "big")).ljust(140, b"\0")

    day = b"01JAN20:00:00:00"
    first = b"SAS     SAS     SASLIB  6.06    bsd4.2  " + b" " * 24 + day + (day + b" " * 64)
    member = b"SAS     T       SASDATA 6.06    bsd4.2  " + b" " * 24 + day + (day + b" " * 64)
    columns = column(1, 3, 1, "N", 0) + column(2, 4, 2, "C", 3)
    cells = b"".join(bytes([0x41, 0x10 * n, 0]) + b"abcd" for n in rows)
    parts = [card("LIBRARY"), first, card("MEMBER", "0" * 17 + "1600000000140"), card("DSCRPTR"), member]
    parts += [card("NAMESTR", "0000000002" + "0" * 20), columns, card("OBS"), cells]
    return b"".join(part + b" " * (-len(part) % 80) for part in parts)


def test_a_transport_file_of_short_numbers_is_whole(tmp_path):
    pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    numbers = [1, 2, 3, 4, 5, 6, 7] * 30
    (tmp_path / "t.xpt").write_bytes(transport(numbers))
    assert sc.read_table(tmp_path / "t.xpt")["N"].tolist() == numbers
    (tmp_path / "t.xpt").write_bytes(transport(numbers)[:-160])
    assert "is not a whole .xpt file" in refused(tmp_path / "t.xpt")


@pytest.mark.parametrize("kind", ["sav", "dta", "xlsx", "csv.gz", "csv.zst", "parquet"])
def test_far_too_many_columns(kind, tmp_path):
    wide = pd.DataFrame(np.ones((2, 10_001), dtype=np.int8), columns=[f"c{i}" for i in range(10_001)])
    path = tmp_path / f"wide.{kind}"
    if kind == "csv.zst":
        path.write_bytes(pa.compress(wide.to_csv(index=False).encode(), codec="zstd", asbytes=True))
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(wide.to_csv(index=False).encode()))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pandas(wide), path)
    elif kind == "xlsx":
        openpyxl = pytest.importorskip("openpyxl", reason="the extra `excel` is not installed")
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet()
        sheet.append(list(wide))
        sheet.append([1] * 10_001)
        book.save(path)
    else:
        library = pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
        getattr(library, f"write_{kind}")(wide, path)
    assert "names 10,001 columns, more than 10,000" in refused(path, DataError)


def test_a_wide_file_without_a_count_of_rows_takes_bounded_memory(tmp_path):
    library = pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    wide = pd.DataFrame(np.arange(2_400.0).reshape(2, 1_200), columns=[f"c{i}" for i in range(1_200)])
    library.write_xport(wide, tmp_path / "wide.xpt")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = sc.read_table(tmp_path / "wide.xpt")
    assert (read.astype(float).to_numpy() == wide.to_numpy()).all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700 * 1_024  # kilobytes; 960 MB at once


def test_bombs_are_refused_before_they_unpack(tmp_path):
    rows = b"1,2\n" * 25_000_000
    member = gzip.compress(b"1,2\n" * 1_000_000, 9)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n") + member * 200)
    (tmp_path / "a.csv.zst").write_bytes(pa.compress(b"a,b\n" + rows, codec="zstd", asbytes=True))
    zeros = pa.array(np.zeros(2_000_000, dtype=np.int32))
    for name, cell in (("text", "x" * 2_000), ("bytes", b"x" * 2_000)):
        column = pa.DictionaryArray.from_arrays(zeros, pa.array([cell]))
        pq.write_table(pa.table({"a": column}), tmp_path / f"{name}.parquet")
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"<row/>" * 20_000_000)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for name in ("a.csv.gz", "a.csv.zst", "text.parquet"):
        assert "unpacks to more than 200 times its size" in refused(tmp_path / name)
    assert "column 'a': is of the type" in refused(tmp_path / "bytes.parquet")
    if pytest.importorskip("openpyxl", reason="the extra `excel` is not installed"):
        assert "unpacks to more than 200 times its size" in refused(tmp_path / "a.xlsx")
    assert time.process_time() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1_024


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32", "utf-7", "idna", "rot13", "hex", "undefined", "nosuch"])
def test_another_encoding_is_told(encoding, tmp_path):
    (tmp_path / "t.csv").write_bytes(f"größe,b\n{CANARY}é,2\n3,4\n".encode("cp1252"))
    assert "encoding" in refused(tmp_path / "t.csv", encoding=encoding)
    assert "byte 3 of the line is not UTF-8" in refused(tmp_path / "t.csv")


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setattr(database_queries, "MAX_SECONDS", 0.5)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("source", ["duckdb:///w.db", "duckdb:"])
def test_a_query_of_duckdb_without_an_end_is_stopped(source, tmp_path, monkeypatch):
    duckdb = pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")
    monkeypatch.chdir(tmp_path)
    duckdb.connect("w.db").close()
    for query in (
        "SELECT count(*) AS n FROM range(100000) a, range(100000) b, range(10000) c",
        "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT a FROM t",
    ):
        started = time.monotonic()
        assert "takes longer than 0.5 seconds, and was stopped. Add a WHERE" in refused(source, query=query)
        assert time.monotonic() - started < 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no signals to a process on this system")
def test_ctrl_c_stops_a_query_of_duckdb(tmp_path):
    pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")
    query = "SELECT count(*) AS n FROM range(100000) a, range(100000) b, range(10000) c"
    command = [sys.executable, "-m", "synthclin.cli", "schema", "infer", "duckdb:", "--query", query]
    # The tree of the tests, wherever the command runs.
    places = os.pathsep.join([os.path.dirname(os.path.dirname(sc.__file__)), os.environ.get("PYTHONPATH", "")])  # noqa: PTH120
    running = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": places}, text=True
    )
    time.sleep(4)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "interrupted; nothing half-written is left" in told


def test_links_in_a_folder_lead_nowhere(tmp_path):
    pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.csv").write_text(f"a,b\n1,{CANARY}\n2,{CANARY}\n")
    pd.DataFrame({"a": [1], "b": [CANARY]}).to_parquet(tmp_path / "secret.parquet")
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "in" / "other.parquet").symlink_to(tmp_path / "secret.parquet")
    for name in ("link", "'link.csv'", "other", "'other.parquet'"):
        assert "a file in it is a symbolic link" in refused(f"duckdb:///{tmp_path}/in", query=f"FROM {name}")


@pytest.mark.parametrize("cut", [0, 8, 12, 100, 4_096, 9_000, -1])
def test_a_damaged_duckdb_file(cut, tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")
    with duckdb.connect(str(tmp_path / "w.db")) as connection:
        connection.execute(f"CREATE TABLE w AS SELECT 1 AS a, '{CANARY}' AS b")
    whole = bytearray((tmp_path / "w.db").read_bytes())
    (tmp_path / "w.db").write_bytes(whole[:cut])
    assert "w.db: " in refused(f"duckdb:///{tmp_path}/w.db", table="w")
    whole[12] = 9  # another version of the format
    (tmp_path / "w.db").write_bytes(whole)
    assert "of another version of DuckDB" in refused(f"duckdb:///{tmp_path}/w.db", table="w")


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT E'\\'' ; COMMIT; DROP TABLE w; --' AS a", "several statements"),
        ("SELECT '\\'' ; DROP TABLE w; --'", "several statements"),
        ("SELECT 1 AS a /*! ; DROP TABLE w */", "a comment that is run"),
        ('SELECT U&"pg\\005fread_file"(1)', "a name with escapes"),
        ("SELECT pg_read_file('/etc/passwd')", "calls pg_read_file, which acts on more than the tables"),
        ("SELECT \"pg_read_file\" ('/etc/passwd')", "calls pg_read_file"),
        ("SELECT pg_catalog . lo_import ('/etc/passwd')", "calls lo_import"),
        ("SELECT * FROM dblink_exec('x', 'y')", "calls dblink_exec"),
        ("SELECT set_config('transaction_read_only', 'off', true)", "calls set_config"),
        ("SELECT load_extension('x')", "calls load_extension"),
        ("SELECT query_to_xml('DELETE FROM w', true, true, '')", "calls query_to_xml"),
        ("WITH x AS (UPDATE w SET a = 1 RETURNING a) SELECT * FROM x", "the word UPDATE"),
        ("COPY w TO PROGRAM 'x'", "is no SELECT"),
    ],
)
def test_sql_that_acts_on_more_than_its_tables(sql, says):
    with pytest.raises(ConfigError, match=says):
        one_select(sql, "ward")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'C:\\dir\\' AS path",
        "SELECT $$ ; DROP TABLE w $$ AS a",
        "SELECT 'it''s; DROP TABLE w' AS a",
        "SELECT a AS pg_read_file, \"delete\" FROM pg_stat WHERE b IN ('INSERT', 'x')",
        "SELECT count(*) FROM lo_lab WHERE pg_typeof(a)::text = 'integer'",
    ],
)
def test_sql_that_only_looks_so(sql):
    assert one_select(sql, "ward") == sql


@pytest.fixture(scope="module")
def postgresql():
    sa = pytest.importorskip("sqlalchemy", reason="the extra `database` is not installed")
    with server() as address:
        engine = sa.create_engine(address.replace("postgresql://", "postgresql+pg8000://"))
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE w (a INTEGER, b TEXT)")
            connection.exec_driver_sql(f"INSERT INTO w VALUES (1, '{CANARY}')")
            for name, does in (("adds", "INSERT INTO w VALUES (9) RETURNING a"), ("ends", END)):
                sql = f"CREATE FUNCTION {name}() RETURNS int LANGUAGE sql AS $${does}$$"
                connection.exec_driver_sql(sql)
            shout = f"BEGIN RAISE EXCEPTION '{CANARY}'; END"
            connection.exec_driver_sql(f"CREATE FUNCTION shouts() RETURNS int LANGUAGE plpgsql AS $${shout}$$")
        engine.dispose()
        yield address


END = "SELECT pg_terminate_backend(pg_backend_pid())::int"


@pytest.mark.usefixtures("slow")
def test_what_a_server_does_is_one_clear_error(postgresql, monkeypatch):
    monkeypatch.setenv("WARD_URL", postgresql)
    assert "the query writes. Write one SELECT." in refused(SOURCE, query="SELECT adds() AS a")
    assert "the database cannot run the query" in refused(SOURCE, query="SELECT shouts() AS a")
    assert "SELECT" not in refused(SOURCE, query="SELECT ends() AS a")
    for query in (
        "SELECT count(*) AS n FROM generate_series(1, 1000000000) a",
        "SELECT a FROM w, generate_series(1, 100000000) g ORDER BY random()",
    ):
        assert "the query took too long, and was stopped" in refused(SOURCE, query=query)
    for name in ('w"; DROP TABLE w; --', "w'; DROP TABLE w; --", "W"):
        assert "names a table that is not there. Tables there: w." in refused(SOURCE, table=name)
    assert len(sc.read_table(SOURCE, table="w")) == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # pg8000 leaves its socket to the garbage collector
def test_a_server_that_never_answers(monkeypatch):
    pytest.importorskip("sqlalchemy", reason="the extra `database` is not installed")
    pytest.importorskip("pg8000", reason="the extra `postgresql` is not installed")
    monkeypatch.setattr(database_queries, "MAX_SECONDS", 0.2)
    monkeypatch.setattr(database_source, "_CONNECTING", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("WARD_URL", f"postgresql+pg8000://u:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/x")
        assert "the database cannot be reached" in refused(SOURCE, table="w")
    gc.collect()


@pytest.mark.usefixtures("slow")
def test_sqlite_has_limits_too(tmp_path, monkeypatch):
    pytest.importorskip("sqlalchemy", reason="the extra `database` is not installed")
    sqlite3.connect(tmp_path / "s.db").close()
    monkeypatch.setenv("WARD_URL", f"sqlite:///{tmp_path}/s.db")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS i FROM n"
    assert "the query took too long, and was stopped" in refused(SOURCE, query=endless)
    assert "cannot run the query" in refused(SOURCE, query="SELECT hex(zeroblob(200000000)) AS a")
    monkeypatch.setenv("WARD_URL", "")
    assert "the environment variable is not set" in refused(SOURCE, table="w")
    monkeypatch.setenv("WARD_URL", "  ")
    assert "the environment variable is not set" in refused(SOURCE, table="w")
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]
