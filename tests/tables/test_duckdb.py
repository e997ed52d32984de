"""Queries by DuckDB: typed, read-only, offline, and silent about cells."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import synthclin as sc
from synthclin.cli import main
from synthclin.errors import ConfigError, DataError, SynthclinError
from synthclin.study import manifest
from synthclin.study.config import load, resolved_yaml
from synthclin.study.data import prepare, read_same
from synthclin.tables import database_queries

duckdb = pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")

WARD = """
CREATE TYPE arm AS ENUM ('A', 'B');
CREATE TABLE ward AS SELECT * FROM (VALUES
    (3, 'F', DATE '2021-04-03', 1.80::DECIMAL(4, 2), TRUE, 'A'::arm, 70000000000::HUGEINT, 2.5::FLOAT),
    (1, 'M', NULL, 1.75, FALSE, 'B', 1, 0.1::FLOAT),
    (2, NULL, DATE '1999-12-31', NULL, NULL, NULL, NULL, NULL)
) AS t(id, sex, am, size, sick, arm, sum, dose);
CREATE SCHEMA lab; CREATE TABLE lab."x; DROP TABLE ward" AS SELECT 'CANARY' AS "a"";b", 1 AS n;
CREATE VIEW grown AS SELECT id FROM ward WHERE id > 1;
"""


@pytest.fixture
def ward(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with duckdb.connect("ward.db") as connection:
        connection.execute(WARD)
    return "duckdb:///ward.db"


def refused(source, **asked):
    with pytest.raises(SynthclinError) as caught:
        sc.read_table(source, **asked)
    message = str(caught.value)
    assert "CANARY" not in message
    assert "LINE" not in message
    return message


def test_types_come_from_the_database_and_rows_in_an_order_of_their_own(ward):
    table = sc.read_table(ward, query="SELECT * FROM ward ORDER BY id DESC")
    assert table["id"].tolist() == [1, 2, 3]
    kinds = table.dtypes.astype(str).to_dict()
    assert kinds["sum"] == "Int64"
    assert kinds["sick"] == "boolean"
    assert kinds["am"] == "datetime64[ns]"
    assert table["size"].tolist()[::2] == [1.75, 1.80]
    assert table["dose"].tolist()[::2] == [0.1, 2.5]  # the shortest number that the single precision stands for
    assert table["arm"].tolist() == ["B", None, "A"]
    assert table["sex"].tolist() == ["M", None, "F"]


def test_a_table_a_view_and_a_query_in_the_address(ward):
    assert len(sc.read_table(ward, table="grown")) == 2
    assert len(sc.read_table(f"{ward}?table=ward")) == 3
    assert sc.read_table(f"{ward}?query=SELECT count(*) AS n FROM ward WHERE sex = 'F' OR 1=2")["n"].tolist() == [1]
    odd = sc.read_table(ward, table="lab.x; DROP TABLE ward")
    assert list(odd.columns) == ['a";b', "n"]
    assert len(sc.read_table(ward, table="ward")) == 3


def test_a_schema_types_and_checks_the_rows(ward):
    sex = {"type": "category", "categories": ["F"], "missing": "allowed"}
    columns = {"id": {"type": "integer"}, "sex": sex}
    schema = sc.Schema.model_validate({"columns": columns})
    with pytest.raises(DataError, match=r"duckdb:///ward.db: column 'sex': 1 of 3 rows"):
        sc.read_table(ward, schema, query="SELECT id, sex FROM ward")
    assert str(sc.read_table(ward, schema, query="SELECT id, sex FROM ward WHERE id > 1")["sex"].dtype) == "category"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("INSERT INTO ward SELECT * FROM ward", "the query is a statement INSERT, not a SELECT. Write one SELECT."),
        ("COPY ward TO 'out.csv'", "a statement COPY"),
        ("ATTACH 'other.db'", "a statement ATTACH"),
        ("INSTALL httpfs", "a statement LOAD"),
        ("SET threads = 2", "a statement SET"),
        ("EXPORT DATABASE 'x'", "a statement EXPORT"),
        ("SELECT 1; DROP TABLE ward", "holds 2 statements"),
        ("-- nothing", "holds 0 statements"),
        ("WITH x AS (INSERT INTO ward SELECT * FROM ward RETURNING *) SELECT * FROM x", "the query writes"),
        ("SELECT *\nFROMM ward", "is no SQL that DuckDB understands (line 2)"),
        (
            "SELECT * FROM nowhere",
            "names a table or function that is not there. Tables there: lab.x; DROP TABLE ward, grown, ward",
        ),
        ("SELECT zz FROM ward", "names a column or function that is not there"),
        ('SELECT CAST("a"";b" AS INT) AS n FROM lab."x; DROP TABLE ward"', "a cell that cannot be converted"),
        ("SELECT error('CANARY') AS x", "DuckDB cannot run the query"),
        ("SELECT * FROM read_text('/etc/passwd')", "reads or writes outside of its tables"),
        ("SELECT * FROM 'https://example.org/ward.csv'", "reads or writes outside of its tables"),
        ("SELECT TIME '10:00' AS t", "column 't': is of the type time64[us], which no table holds. CAST it"),
        ("SELECT [1, 2] AS t", "which no table holds. CAST it"),
        ("SELECT * FROM ward WHERE FALSE", "holds no rows"),
        ("SELECT 1 AS a, 2 AS a", "several columns are named 'a'"),
        ("SELECT 1e37::DECIMAL(38, 0) AS a", "holds a value that is too large"),
        ("absent.sql", "absent.sql: there is no such file"),
    ],
)
def test_what_is_no_table_is_refused_in_plain_words(ward, query, says, tmp_path):
    assert says in refused(ward, query=query)
    assert len(sc.read_table(ward, table="ward")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["ward.db"]


def test_what_is_asked_for_is_one_query_or_one_table(ward):
    assert "needs a query or the name of a table" in refused(ward)
    assert "more than one query or table" in refused(ward, table="ward", query="FROM ward")
    assert "more than one query or table" in refused(f"{ward}?table=ward", table="ward")
    assert "is no query" in refused(f"{ward}?access_mode=automatic")
    assert "a database has no such notation" in refused(ward, table="ward", separator=";")
    assert "three slashes" in refused("duckdb:ward.db", table="ward")
    assert "there is no such file" in refused("duckdb:///wart.db", table="ward")


def test_a_database_in_use_is_told(ward):
    with duckdb.connect("ward.db"):
        assert "is in use, damaged, or of another version" in refused(ward, table="ward")


def test_hostile_databases(ward, tmp_path, monkeypatch):
    whole = (tmp_path / "ward.db").read_bytes()
    (tmp_path / "cut.db").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "text.db").write_text("id,sex\n1,F\n")
    wide = ", ".join(f"1 AS c{i}" for i in range(10_001))
    assert "cut.db: " in refused("duckdb:///cut.db", table="ward")
    assert "is no DuckDB database" in refused("duckdb:///text.db", table="ward")
    assert "names 10,001 columns, more than 10,000" in refused(ward, query=f"SELECT {wide}")
    monkeypatch.setattr(database_queries, "MAX_CELLS", 1_000_000)
    assert "returns more than 1,000,000 cells" in refused(ward, query="SELECT range AS n FROM range(1000000000000)")
    monkeypatch.setattr(database_queries, "MAX_BYTES", 1_000_000)
    assert "returns more than" in refused(ward, query="SELECT repeat('CANARY', 9000) AS t FROM range(1000)")
    (tmp_path / "long.sql").write_text("-- " + "x" * (1 << 20))
    (tmp_path / "odd.sql").write_bytes("SELECT 'größe'".encode("latin-1"))
    assert "longer than a query may be" in refused(ward, query="long.sql")
    assert "is not UTF-8 text" in refused(ward, query="odd.sql")


def test_files_in_a_folder_are_tables(ward, tmp_path):  # noqa: ARG001
    (tmp_path / "person.csv").write_text("id;born;code\n1;1,5;007\n2;NA;008\n")
    pd.DataFrame({"id": [1, 1, 2], "hr": [60.5, None, 80.0]}).to_parquet(tmp_path / "visit.parquet")
    query = "SELECT p.id, p.code, max(v.hr) AS hr FROM person p JOIN 'visit.parquet' v USING (id) GROUP BY ALL"
    table = sc.read_table("duckdb:", query=query, separator=";", decimal=",")
    assert table.to_dict("list") == {"id": [1, 2], "code": ["007", "008"], "hr": [60.5, 80.0]}
    assert sc.read_table("duckdb:", table="person.csv", separator=";", decimal=",")["born"].tolist()[0] == 1.5
    assert len(sc.read_table(f"duckdb:///{tmp_path}", table="visit")) == 3
    (tmp_path / "visit.csv").write_text("id,hr\n1,60\n")
    assert "several files are called 'visit': visit.csv, visit.parquet" in refused("duckdb:", query="FROM visit")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1CANARYPAR1")
    assert "bad.parquet: is not a whole Parquet file" in refused("duckdb:", query="FROM bad")
    (tmp_path / "ragged.csv").write_text("id,hr\n1,2\nCANARY\n")
    assert "line 3: has 1 cells" in refused("duckdb:", query="FROM ragged")


@pytest.mark.parametrize(
    "query",
    [
        "FROM '../secret.csv'",
        "FROM '/etc/passwd'",
        "FROM read_csv('../secret.csv')",
        "FROM glob('/etc/*')",
        "FROM read_text('a.csv')",
        "FROM 'https://example.org/a.parquet'",
        "CREATE TABLE x AS FROM a",
        "COPY a TO 'b.csv'",
    ],
)
def test_a_query_of_files_reads_and_writes_nothing_else(query, tmp_path, monkeypatch):
    (tmp_path / "secret.csv").write_text("x,y\nCANARY,1\nCANARY,2\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("x,y\n1,2\n3,4\n")
    monkeypatch.chdir(tmp_path / "in")
    assert refused("duckdb:", query=query)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.csv"]


CELLS = {
    "whole": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    "yes": st.booleans(),
    "day": st.dates(dt.date(1700, 1, 1), dt.date(2250, 1, 1)),
}
DTYPES = {"whole": "Int64", "yes": "boolean", "day": "datetime64[ns]"}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.fixed_dictionaries({name: st.none() | cell for name, cell in CELLS.items()}), min_size=1, max_size=8)
)
def test_every_type_round_trips(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("db") / "t.db"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            'CREATE TABLE t(n INT, "whole" BIGINT, "number" DOUBLE, "text" TEXT, "yes" BOOL, "day" DATE)'
        )
        connection.executemany(
            "INSERT INTO t VALUES (?,?,?,?,?,?)", [[i, *map(row.get, CELLS)] for i, row in enumerate(rows)]
        )
    read = sc.read_table(f"duckdb:///{path}", table="t")
    written = pd.DataFrame(rows, dtype=object)
    for name, kind in DTYPES.items():
        written[name] = pd.to_datetime(written[name]) if name == "day" else written[name].astype(kind)
    for name in CELLS:
        assert read[name].isna().tolist() == written[name].isna().tolist()
        assert read[name].dropna().tolist() == written[name].dropna().tolist()


@pytest.fixture
def study(ward, tmp_path):  # noqa: ARG001
    rows = "\n".join(f"({i}, {20 + i % 60}, '{'FM'[i % 2]}')," for i in range(120)).rstrip(",")
    with duckdb.connect("ward.db") as connection:
        connection.execute(f"CREATE TABLE heart AS SELECT * FROM (VALUES {rows}) AS t(id, age, sex)")
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "cohort.sql").write_text("SELECT age, sex FROM heart")
    (folder / "s.yaml").write_text(
        "version: 1\nname: s\ndata: {source: 'duckdb:///../ward.db', query: cohort.sql}\n"
        "schema: {columns: {age: {type: integer}, sex: {type: category, categories: [F, M]}}}\n"
    )
    return folder / "s.yaml"


def test_a_study_reads_a_database_by_the_query_beside_it(study):
    config = load(study)
    real = prepare(config, manifest.Clock(), print)
    assert len(real.train) + len(real.holdout) == 120
    assert prepare(config, manifest.Clock(), print).train.equals(real.train)
    text = resolved_yaml(config)
    assert "query: SELECT age, sex FROM heart" in text
    assert "source: duckdb:///../../ward.db" in text
    assert read_same(config, real.source)
    with duckdb.connect("ward.db") as connection:
        connection.execute("UPDATE heart SET age = 21 WHERE id = 0")
    assert not read_same(config, real.source)


def test_a_study_refuses_what_it_cannot_query(study):
    with pytest.raises(ConfigError, match=r"s.yaml: data.query: a table file is read as a whole"):
        load(study, ["data.source=ward.csv"])
    with pytest.raises(ConfigError, match="may hold a password") as caught:
        load(study, ["data.source=postgresql://ward:hunter2@host/ward"])
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("study")
def test_the_command_line_begins_a_study_of_a_database(capsys):
    assert main(["init", "duckdb:///ward.db", "--query", "studies/cohort.sql", "-o", "new"]) == 0
    assert main(["run", "new/study.yaml", "--dry-run"]) == 0
    assert "96 training rows" in capsys.readouterr().out
    assert main(["init", "postgresql://ward:hunter2@host/ward", "--table", "ward", "-o", "other"]) == 2
    shown = capsys.readouterr()
    assert "hunter2" not in shown.out + shown.err
