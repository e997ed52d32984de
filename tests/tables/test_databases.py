"""Queries of database servers: typed, read-only, in batches, and silent about cells, address and password."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import sys
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import synthclin as sc
from synthclin.cli import main
from synthclin.errors import ConfigError, SynthclinError
from synthclin.study import manifest
from synthclin.study.config import load, resolved_yaml
from synthclin.study.data import prepare
from synthclin.tables import database_queries, database_source
from synthclin.tables.select_statement import one_select
from tests.tables.postgresql import PASSWORD, server

sa = pytest.importorskip("sqlalchemy", reason="the extra `database` is not installed")

SOURCE = "env:WARD_URL"
WARD = [
    "CREATE TABLE ward (id INTEGER, sex VARCHAR(4), size NUMERIC(4, 2), sick BOOLEAN, am DATE, n NUMERIC(20))",
    (
        "INSERT INTO ward VALUES (3, 'F', 1.80, TRUE, '2021-04-03', 70000000000), (1, 'M', 1.75, FALSE, NULL, 1),"
        " (2, NULL, NULL, NULL, '1999-12-31', NULL)"
    ),
    'CREATE TABLE "x; DROP TABLE ward" ("a"";b" VARCHAR(10), n INTEGER)',
    "INSERT INTO \"x; DROP TABLE ward\" VALUES ('CANARY', 1)",
    "CREATE VIEW grown AS SELECT id FROM ward WHERE id > 1",
]

ODD = """
CREATE TABLE lab.odd AS SELECT '{1,2}'::int[] AS list, '10:00'::time AS clock, '\\x00'::bytea AS raw,
    gen_random_uuid() AS uuid, 'NaN'::numeric AS nan, now() AS moment, 1e30::numeric AS large
"""


def fill(address, statements):
    engine = sa.create_engine(address.replace("postgresql://", "postgresql+pg8000://"))
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(scope="module")
def postgresql():
    with server() as address:
        fill(
            address,
            [
                *WARD,
                "CREATE SCHEMA lab",
                ODD,
                "CREATE SEQUENCE numbers",
            ],
        )
        yield address


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory):
    path = tmp_path_factory.mktemp("sqlite") / "ward.sqlite"
    fill(f"sqlite:///{path}", WARD)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def ward(request, monkeypatch):
    monkeypatch.setenv("WARD_URL", request.getfixturevalue(request.param))
    return request.param


def refused(source=SOURCE, **asked):
    with pytest.raises(SynthclinError) as caught:
        sc.read_table(source, **asked)
    message = str(caught.value)
    assert "CANARY" not in message
    assert PASSWORD not in message
    assert "127.0.0.1" not in message
    return message


def test_a_query_is_typed_and_sorted(ward):
    table = sc.read_table(SOURCE, query="SELECT * FROM ward ORDER BY id DESC;")
    assert table["id"].tolist() == [1, 2, 3]
    assert str(table["id"].dtype) == "Int64"
    assert table["size"].tolist()[::2] == [1.75, 1.80]
    assert table["n"].tolist() == [1, pd.NA, 70_000_000_000]
    assert table["sex"].tolist() == ["M", None, "F"]
    assert pd.to_datetime(table["am"]).dt.year.tolist()[1:] == [1999, 2021]
    assert table["sick"].tolist() == ([False, pd.NA, True] if ward == "postgresql" else [0, pd.NA, 1])


@pytest.mark.usefixtures("ward")
def test_a_table_a_view_and_a_query_in_the_source():
    assert len(sc.read_table(SOURCE, table="grown")) == 2
    assert len(sc.read_table(f"{SOURCE}?table=ward")) == 3
    assert list(sc.read_table(SOURCE, table="x; DROP TABLE ward").columns) == ['a";b', "n"]
    assert sc.read_table(SOURCE, query="SELECT '50 % :a ? ;' AS text, 1 AS n")["text"].tolist() == ["50 % :a ? ;"]
    assert len(sc.read_table(SOURCE, table="ward")) == 3


@pytest.mark.usefixtures("ward")
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("INSERT INTO ward SELECT * FROM ward", "the query is no SELECT"),
        ("DROP TABLE ward", "the query is no SELECT"),
        ("SELECT 1; DROP TABLE ward", "holds several statements"),
        ("WITH x AS (DELETE FROM ward RETURNING *) SELECT * FROM x", "the query writes: it has the word DELETE"),
        ("SELECT * INTO other FROM ward", "the query writes: it has the word INTO"),
        ("SELECT * FROM ward FOR UPDATE", "the query writes: it has the word UPDATE"),
        ("-- nothing", "the query is no SELECT"),
        ("SELECT * FROMM ward WHERE (", "is no SQL that this database understands"),
        ("SELECT * FROM nowhere", "names a table that is not there. Tables there: "),
        ("SELECT zz FROM ward", "names a column that is not there"),
        ("SELECT zz(id) FROM ward", "names a function that is not there"),
        ("SELECT * FROM ward WHERE 1 = 2", "holds no rows"),
        ("SELECT 1 AS a, 2 AS a", "several columns are named 'a'"),
    ],
)
def test_what_is_no_table_is_refused_in_plain_words(query, says):
    assert says in refused(query=query)
    assert len(sc.read_table(SOURCE, table="ward")) == 3


def test_a_server_enforces_that_nothing_is_written(postgresql, monkeypatch):
    monkeypatch.setenv("WARD_URL", postgresql)
    assert "the query writes" in refused(query="SELECT nextval('numbers') AS n")
    assert "a cell that cannot be converted" in refused(query='SELECT "a"";b"::int AS n FROM "x; DROP TABLE ward"')
    for name in ("list", "clock", "raw", "large"):
        assert f"column '{name}'" in refused(query=f"SELECT {name} FROM lab.odd")
    table = sc.read_table(SOURCE, query="SELECT uuid, nan, moment FROM lab.odd")
    assert len(table["uuid"][0]) == 36
    assert table["nan"].isna().all()
    assert table["moment"].dt.year[0] >= 2000


def test_sqlite_writes_nothing_and_mixes_no_types(sqlite, monkeypatch, tmp_path):
    monkeypatch.setenv("WARD_URL", sqlite)
    assert "column 'x': holds cells of several types" in refused(query="SELECT 1 AS x UNION ALL SELECT 'CANARY'")
    assert "column 'x': is of the type binary" in refused(query="SELECT x'00' AS x")
    monkeypatch.setenv("WARD_URL", f"sqlite:///{tmp_path}/absent.sqlite")
    assert "the database cannot be reached" in refused(table="ward")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "text.sqlite").write_text("id,sex\n" * 2_000)
    monkeypatch.setenv("WARD_URL", f"sqlite:///{tmp_path}/text.sqlite")
    assert "is no SQLite database" in refused(table="ward")


@pytest.mark.usefixtures("ward")
def test_rows_come_in_batches_up_to_a_limit(monkeypatch):
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n {}) SELECT i, 1.5 AS x FROM n"
    assert sc.read_table(SOURCE, query=numbers.format("WHERE i < 25000"))["i"].tolist() == list(range(1, 25_001))
    monkeypatch.setattr(database_queries, "MAX_CELLS", 50_000)
    assert "returns more than 50,000 cells" in refused(query=numbers.format("WHERE i < 100000000"))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (None, "env:WARD_URL: the environment variable is not set. Set it, as in `export WARD_URL=postgresql://"),
        (f"owner:{PASSWORD}@127.0.0.1", "holds no address of a database"),
        (f"nosuch://owner:{PASSWORD}@127.0.0.1/x", "SQLAlchemy knows no database with such an address"),
        (f"postgresql+nosuch://owner:{PASSWORD}@127.0.0.1/x", "SQLAlchemy knows no database"),
        (f"postgresql+pg8000://owner:{PASSWORD}@127.0.0.1:1/x", "the database cannot be reached"),
        (f"postgresql+pg8000://owner:{PASSWORD}@127.0.0.1:1/x?sslmode={PASSWORD}", "the database cannot be reached"),
        (f"mssql+pyodbc://owner:{PASSWORD}@127.0.0.1/x", "the driver of this database is not installed"),
        ("duckdb:///ward.db", "Write it as the source itself"),
    ],
)
def test_an_address_that_leads_nowhere(address, says, monkeypatch):
    pytest.importorskip("pg8000")
    monkeypatch.delenv("WARD_URL", raising=False)
    if address is not None:
        monkeypatch.setenv("WARD_URL", address)
    assert says in refused(table="ward")


def test_a_wrong_password_or_database_is_told(postgresql, monkeypatch):
    coded = database_source.importlib.util.find_spec("psycopg") is None  # psycopg gives no code before it is connected
    monkeypatch.setenv("WARD_URL", postgresql.replace(PASSWORD, "CANARY"))
    assert ("the server refuses this user or password" if coded else "cannot be reached") in refused(table="ward")
    monkeypatch.setenv("WARD_URL", postgresql.replace("/postgres", "/CANARY"))
    assert ("the server has no such database" if coded else "cannot be reached") in refused(table="ward")


def test_no_log_has_rows_or_address(ward, caplog):  # noqa: ARG001
    with caplog.at_level(logging.DEBUG):
        sc.read_table(SOURCE, table="x; DROP TABLE ward")
    assert "CANARY" not in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("select 1", "select 1"),
        ("  (SELECT 1) ; -- end; of it\n /* ; */ ", "  (SELECT 1) "),
        ("SELECT 'it''s; DELETE', \"update\", `insert`, $x$ ; DROP $x$", None),
        ("/* WITH ; */ TABLE ward", None),
        ("VALUES (1)", None),
    ],
)
def test_one_select_is_found_in_any_dialect(sql, kept):
    assert one_select(sql, "ward") == (sql if kept is None else kept)


CELLS = {
    "whole": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    "exact": st.decimals(-999, 999, places=2),
    "day": st.dates(dt.date(1700, 1, 1), dt.date(2250, 1, 1)),
}
MISSING = st.fixed_dictionaries({name: st.none() | cell for name, cell in CELLS.items()})


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MISSING, min_size=1, max_size=8))
def test_every_type_round_trips(ward, rows):
    types = [sa.BigInteger, sa.Double, sa.Text, sa.Numeric(10, 2, asdecimal=True), sa.Date]
    if ward == "sqlite":
        types[3] = sa.Double
        rows = [{**row, "exact": None if row["exact"] is None else float(row["exact"])} for row in rows]
    table = sa.Table("t", sa.MetaData(), *map(sa.Column, CELLS, types))
    with library_engine() as engine:
        table.drop(engine, checkfirst=True)
        table.create(engine)
        with engine.begin() as connection:
            connection.execute(table.insert(), rows)
    read = sc.read_table(SOURCE, table="t")
    for name in CELLS:
        cells = [row[name] for row in rows if row[name] is not None]
        if name == "day":
            cells = [cell.isoformat() for cell in cells]
        found = [str(cell)[:10] if name == "day" else cell for cell in read[name].dropna()]
        assert sorted(found) == sorted(float(cell) if isinstance(cell, Decimal) else cell for cell in cells)
        assert read[name].isna().sum() == len(rows) - len(cells)


@contextlib.contextmanager
def library_engine():
    with database_source.connected(SOURCE, read_only=False) as (_, engine):
        yield engine


def test_a_study_reads_a_database_and_repeats_its_address_nowhere(ward, tmp_path, monkeypatch, capsys):  # noqa: ARG001
    monkeypatch.chdir(tmp_path)
    with library_engine() as engine, engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS heart")
        connection.exec_driver_sql("CREATE TABLE heart (id INTEGER, age INTEGER, sex VARCHAR(1))")
        rows = ", ".join(f"({i}, {20 + i % 60}, '{'FM'[i % 2]}')" for i in range(120))
        connection.exec_driver_sql(f"INSERT INTO heart VALUES {rows}")
    (tmp_path / "cohort.sql").write_text("SELECT age, sex FROM heart")
    assert main(["init", SOURCE, "--query", "cohort.sql", "-o", "new"]) == 0
    assert main(["run", "new/study.yaml", "--dry-run"]) == 0
    shown = capsys.readouterr()
    config = load("new/study.yaml")
    real = prepare(config, manifest.Clock(), print)
    assert len(real.train) == 96
    text = resolved_yaml(config)
    assert f"source: {SOURCE}" in text
    for told in (shown.out, shown.err, text, (tmp_path / "new" / "study.yaml").read_text()):
        assert PASSWORD not in told


def test_without_sqlalchemy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ConfigError, match=r"which is absent\. Install it: pip install"):
        sc.read_table(SOURCE, table="ward")
