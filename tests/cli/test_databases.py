"""Commands on databases: tables to judge, the source of a run, and addresses that no message repeats."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

import synthclin as sc
from synthclin.cli import main
from synthclin.errors import ConfigError
from synthclin.study.config import load
from tests.conftest import toy_table

duckdb = pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")

SECRET = "hunter2"
ADDRESS = f"postgresql://ward:{SECRET}@host/ward"


@pytest.fixture
def ward(study, monkeypatch):
    """Training, holdout and synthetic rows in a DuckDB file, in a SQLite file and as CSV files."""
    table = toy_table(160)
    parts = {"train": table[:80], "holdout": table[80:120], "synthetic": table[120:]}
    for name, part in parts.items():
        part.to_csv(f"{name}.csv", index=False)
    with duckdb.connect("ward.db") as connection:
        for name in parts:
            connection.execute(f"CREATE TABLE {name} AS FROM read_csv('{name}.csv')")
    with sqlite3.connect("ward.sqlite") as connection:
        for name, part in parts.items():
            part.to_sql(name, connection, index=False)
    connection.close()
    monkeypatch.setenv("WARD_URL", f"sqlite:///{study.folder}/ward.sqlite")
    study.write()
    (study.folder / "schema.yaml").write_text(
        "columns:\n"
        + "".join(f"  {name}: {json.dumps(column)}\n" for name, column in study.config["schema"]["columns"].items())
    )
    return study


@pytest.mark.usefixtures("ward", "two_scores")
def test_evaluate_reads_every_table_from_a_database(quiet):
    pytest.importorskip("sqlalchemy", reason="the extra `database` is not installed")
    places = {
        "files": "{}.csv",
        "duckdb": "duckdb:///ward.db?table={}",
        "query": "duckdb:///ward.db?query=SELECT * FROM {}",
        "sqlite": "env:WARD_URL?table={}",
    }
    found = {}
    for kind, form in places.items():
        train, holdout, synthetic = (form.format(name) for name in ("train", "holdout", "synthetic"))
        options = ("--train", train, "--holdout", holdout, "--schema", "schema.yaml", "-o", f"{kind}.json")
        quiet("evaluate", synthetic, *options, "--gates", "fidelity.marginals >= 0")
        found[kind] = json.loads(Path(f"{kind}.json").read_text())
    scores = [{one["name"]: one["value"] for one in each["scores"]} for each in found.values()]
    assert all(each == scores[0] for each in scores)
    assert found["files"]["table"]["name"] == "synthetic.csv"
    assert found["duckdb"].get("table") is None  # no file to be about


@pytest.mark.usefixtures("ward")
def test_evaluate_refuses_an_address_and_a_query_of_no_table(quiet):
    options = ("--train", "train.csv", "--schema", "schema.yaml")
    for arguments in (
        ("evaluate", ADDRESS, *options),
        ("evaluate", "synthetic.csv", "--train", ADDRESS, "--schema", "schema.yaml"),
        ("evaluate", "synthetic.csv", *options, "--holdout", ADDRESS),
    ):
        told = quiet(*arguments, code=2)
        assert "may hold a password" in told[1]
        assert SECRET not in told[0] + told[1]
    _, told = quiet("evaluate", "env:WARD_URL", *options, "--table", "synthetic", code=2)
    assert "--table: several tables are read. Write it behind its database: env:DATABASE_URL?table=..." in told
    _, told = quiet("evaluate", "duckdb:///ward.db", *options, code=2)
    assert "a database needs a query or the name of a table" in told


@pytest.mark.usefixtures("two_scores")
@pytest.mark.parametrize("source", ["duckdb:///ward.db", "env:WARD_URL"])
def test_verify_asks_the_database_by_the_query_of_the_run(ward, quiet, source):
    pytest.importorskip("sqlalchemy", reason="the extra `database` is not installed")
    query = "SELECT * FROM train UNION ALL SELECT * FROM holdout"
    ward.config |= {"data": {"source": source, "query": query}, "model": {"type": "independent"}, "gates": []}
    ward.config["sampling"] = {"rows": 40}
    quiet("run", ward.write(), "--quiet")
    out, _ = quiet("verify", ward.out, "--source", source)
    assert f"the run read {source}" in out
    quiet("verify", ward.out, "--source", f"{source}?query={query} ORDER BY 1")
    out, _ = quiet("verify", ward.out, "--source", f"{source}?table=train", code=1)
    assert f"{source}: its rows are not those that the run read" in out
    _, err = quiet("verify", ward.out, "--source", ADDRESS, code=2)
    assert SECRET not in err
    assert "may hold a password" in err


@pytest.mark.usefixtures("ward")
@pytest.mark.parametrize(
    "command",
    [
        ["init", ADDRESS],
        ["schema", "infer", ADDRESS],
        ["schema", "check", ADDRESS, "schema.yaml"],
        ["run", "study.yaml", "--set", f"data.source={ADDRESS}"],
        ["sample", "runs", "-n", "5", "-o", ADDRESS],
        ["impute", "runs", ADDRESS, "-o", "x.csv"],
        ["impute", "runs", "train.csv", "-o", ADDRESS],
        ["verify", ADDRESS],
        ["verify", ADDRESS, "report.json"],
        ["run", ADDRESS],
        ["sample", ADDRESS, "-n", "5", "-o", "x.csv"],
        ["compare", ADDRESS, "-o", "x.html"],
        ["init", f"env:{ADDRESS}", "--table", "ward"],
        ["run", "study.yaml", "--set", f"data.source=env:{ADDRESS}"],
        ["init", f"duckdb://ward:{SECRET}@host/ward", "--table", "ward"],
        ["init", "env:WARD_URL", "--table", "train"],
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_command_repeats_a_password(command, form, capsys, monkeypatch):
    monkeypatch.setenv("WARD_URL", f"nosuch://ward:{SECRET}@host/ward")
    assert main([*command, *form]) == 2
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    assert "Traceback" not in told.out + told.err


@pytest.mark.parametrize(
    "source", [ADDRESS, f"env:{ADDRESS}", f"duckdb://ward:{SECRET}@host/ward", "env:", "env:WARD URL", "env:1"]
)
def test_a_study_with_an_address_is_refused_and_not_repeated(study, source):
    study.config["data"] = {"source": source, "table": "ward"}
    with pytest.raises(ConfigError) as caught:
        load(study.write())
    assert SECRET not in str(caught.value)
    assert "write `env:DATABASE_URL` here" in str(caught.value) or "three slashes" in str(caught.value)
    schema = sc.Schema.model_validate({"columns": {"age": {"type": "integer"}}})
    with pytest.raises(ConfigError) as caught:
        sc.read_table(source)
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        sc.write_table(toy_table(9), f"{source}?table=t", schema)
    assert SECRET not in str(caught.value)
