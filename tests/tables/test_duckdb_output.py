"""Tables written to a DuckDB file: typed, in one transaction, never over another table."""

from __future__ import annotations

import pandas as pd
import pytest

import synthclin as sc
from synthclin.cli import main
from synthclin.errors import ConfigError, DataError, OutputError, SynthclinError
from synthclin.models import MODELS
from synthclin.tables import duckdb_output
from tests.tables.test_database_output import SCHEMA, TABLE, ordered

duckdb = pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")

ADDRESS = "duckdb:///ward.db"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tables():
    with duckdb.connect("ward.db", read_only=True) as connection:
        return [row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()]


def files(here):
    return sorted(path.name for path in here.iterdir())


def test_what_is_written_is_read_back_from_a_new_file(here):
    sc.write_table(TABLE, f"{ADDRESS}?table=synthetic; DROP TABLE x", SCHEMA)
    assert files(here) == ["ward.db"]
    assert (here / "ward.db").stat().st_mode & 0o777 == 0o600
    assert tables() == ["synthetic; DROP TABLE x"]
    read = sc.read_table(ADDRESS, SCHEMA, table="synthetic; DROP TABLE x")
    pd.testing.assert_frame_equal(ordered(read), ordered(TABLE))


def test_a_table_is_added_to_a_file_and_never_replaced(here):
    with duckdb.connect("ward.db") as connection:
        connection.execute("CREATE TABLE ward AS SELECT 1 AS id; CREATE SCHEMA lab")
    sc.write_table(TABLE[:3], f"{ADDRESS}?table=t", SCHEMA)
    sc.write_table(TABLE[:4], f"{ADDRESS}?table=lab.t", SCHEMA)
    for name in ("t", "T", "lab.t", "ward"):
        with pytest.raises(OutputError, match="the table exists already"):
            sc.write_table(TABLE, f"{ADDRESS}?table={name}", SCHEMA)
    assert [len(sc.read_table(ADDRESS, table=name)) for name in ("t", "lab.t", "ward")] == [3, 4, 1]
    with pytest.raises(OutputError, match="cannot be written"):
        sc.write_table(TABLE, f"{ADDRESS}?table=nowhere.t", SCHEMA)
    assert sorted(tables()) == ["t", "t", "ward"]
    assert files(here) == ["ward.db"]


@pytest.mark.parametrize("there", [False, True])
def test_a_failure_leaves_the_database_as_it_was(here, monkeypatch, there):
    if there:
        sc.write_table(TABLE[:3], f"{ADDRESS}?table=other", SCHEMA)
    monkeypatch.setattr(duckdb_output, "quoted", lambda name, **_: '"' + name.replace(".", '"."') + '" CANARY')
    with pytest.raises(OutputError, match="the table cannot be written") as caught:
        sc.write_table(TABLE, f"{ADDRESS}?table=t", SCHEMA)
    assert "CANARY" not in str(caught.value)
    assert files(here) == (["ward.db"] if there else [])
    assert not there or tables() == ["other"]


def test_what_cannot_be_written(here):
    (here / "text.db").write_text("id,sex\n1,F\n" * 4)
    (here / "folder").mkdir()
    (here / "link.db").symlink_to(here / "text.db")
    cases = [
        (
            ADDRESS,
            ConfigError,
            r"duckdb:///ward.db: a table is written under a name. Write duckdb:///ward.db\?table=NAME",
        ),
        (f"{ADDRESS}?query=SELECT 1", ConfigError, "a table is written under a name"),
        (f"{ADDRESS}?table=a..b", ConfigError, "a table is written under a name"),
        ("duckdb:///text.db?table=t", DataError, "is no DuckDB database"),
        ("duckdb:?table=t", ConfigError, "is a folder, and a table is written to a DuckDB file"),
        ("duckdb:///folder?table=t", ConfigError, "is a folder"),
        ("duckdb:///link.db?table=t", OutputError, "is a symbolic link"),
        ("duckdb:///none/ward.db?table=t", OutputError, "its folder is not there"),
    ]
    for address, kind, says in cases:
        with pytest.raises(kind, match=says):
            sc.write_table(TABLE, address, SCHEMA)
    assert files(here) == ["folder", "link.db", "text.db"]
    with duckdb.connect("ward.db"), pytest.raises(SynthclinError, match=r"cannot be written|in use"):
        sc.write_table(TABLE, f"{ADDRESS}?table=t", SCHEMA)


def test_the_command_line_samples_into_a_file_and_refuses_a_taken_table_first(here, capsys):
    schema = sc.Schema.model_validate({"columns": {"a": {"type": "integer"}, "b": {"type": "integer"}}})
    real = pd.DataFrame({"a": range(60), "b": range(60, 120)})
    MODELS["independent"](schema, random_state=1).fit(real).save(here / "model")
    target = f"{ADDRESS}?table=synthetic"
    assert main(["sample", "model", "-n", "40", "-o", target]) == 0
    assert f"40 rows written to {target}" in capsys.readouterr().out
    assert len(sc.read_table(target)) == 40
    assert main(["sample", "model", "-n", "40", "-o", target, "--overwrite"]) == 2
    assert "the table exists already" in capsys.readouterr().err
    assert main(["sample", "model", "-n", "40", "-o", "postgresql://ward:hunter2@host/ward?table=t"]) == 2
    told = capsys.readouterr()
    assert "hunter2" not in told.out + told.err
    assert files(here) == ["model", "ward.db"]
    real.assign(b=None).to_csv("gaps.csv", index=False)
    assert main(["impute", "model", "gaps.csv", "-o", f"{ADDRESS}?table=whole"]) == 0
    assert len(sc.read_table(ADDRESS, table="whole")) == 60
