"""Tables written to a database: typed, in one transaction, never over another table."""

from __future__ import annotations

import pandas as pd
import pytest

import synthclin as sc
from synthclin.cli import main
from synthclin.errors import ConfigError, OutputError
from synthclin.models import MODELS
from synthclin.rules.validation import conform
from synthclin.tables import database_output
from synthclin.tables.database_source import connected
from tests.tables.postgresql import PASSWORD, server

sa = pytest.importorskip("sqlalchemy", reason="the extra `database` is not installed")

SOURCE = "env:WARD_URL"
SCHEMA = sc.Schema.model_validate(
    {
        "columns": {
            "größe; DROP TABLE x": {"type": "number", "decimals": 2, "missing": "allowed"},
            "a%(b)s:c": {"type": "integer", "range": [0, 99], "missing": "allowed", "missing_codes": {-9: "unknown"}},
            "dead": {"type": "boolean"},
            "day": {"type": "date", "missing": "allowed"},
            "drug": {"type": "category", "categories": ["it's", "b"], "missing": "allowed"},
        }
    }
)
ROWS = [
    (1.5, -9, "true", "2021-04-03", "it's"),
    (None, 7, "false", None, None),
    (2.25, None, "true", "1931-12-31", "b"),
]
TABLE = conform(pd.DataFrame(ROWS * 4_000, columns=[name for name in SCHEMA.columns if "missing" not in name]), SCHEMA)


@pytest.fixture(scope="module")
def postgresql():
    with server() as address:
        yield address


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/ward.sqlite"


@pytest.fixture(params=["sqlite", "postgresql"])
def ward(request, monkeypatch):
    monkeypatch.setenv("WARD_URL", request.getfixturevalue(request.param))
    yield request.param
    with connected(SOURCE, read_only=False) as (_, engine), engine.begin() as connection:
        for name in tables():
            connection.exec_driver_sql(f'DROP TABLE "{name}"')


def tables():
    with connected(SOURCE, read_only=False) as (library, engine):
        return library.inspect(engine).get_table_names()


def ordered(table):
    return table.sort_values(list(table.columns), ignore_index=True)


@pytest.mark.usefixtures("ward")
def test_what_is_written_is_read_back():
    sc.write_table(TABLE, f"{SOURCE}?table=synthetic; DROP TABLE x", SCHEMA)
    assert tables() == ["synthetic; DROP TABLE x"]
    read = sc.read_table(SOURCE, SCHEMA, table="synthetic; DROP TABLE x")
    pd.testing.assert_frame_equal(ordered(read), ordered(TABLE))


@pytest.mark.usefixtures("ward")
def test_a_table_is_never_replaced():
    sc.write_table(TABLE[:3], f"{SOURCE}?table=t", SCHEMA)
    with pytest.raises(OutputError, match=r"env:WARD_URL\?table=t: the table exists already"):
        sc.write_table(TABLE, f"{SOURCE}?table=t", SCHEMA)
    assert len(sc.read_table(SOURCE, table="t")) == 3


@pytest.mark.usefixtures("ward")
def test_a_failure_leaves_the_database_as_it_was(monkeypatch):
    add, seen = database_output._add, []

    def failing(library, connection, partial, rows):
        seen.append(rows.num_rows)
        if len(seen) == 2:
            raise ValueError("CANARY")
        add(library, connection, partial, rows)

    monkeypatch.setattr(database_output, "_add", failing)
    monkeypatch.setattr(database_output, "_ROWS", 5_000)
    with pytest.raises(OutputError, match="the table cannot be written") as caught:
        sc.write_table(TABLE, f"{SOURCE}?table=t", SCHEMA)
    assert "CANARY" not in str(caught.value)
    assert seen == [5_000, 5_000]
    assert tables() == []


def test_names_are_never_cut(ward):
    for name in ("a" * 64, "日" * 30):
        schema = sc.Schema.model_validate({"columns": {name: {"type": "integer"}, "b": {"type": "integer"}}})
        table = pd.DataFrame({name: [1, 2], "b": [3, 4]})
        for place in ("t", name):
            if ward == "sqlite":
                sc.write_table(table, f"{SOURCE}?table={place}", schema)
                assert list(sc.read_table(SOURCE, table=place)) == [name, "b"]
                with connected(SOURCE, read_only=False) as (_, engine), engine.begin() as connection:
                    connection.exec_driver_sql(f'DROP TABLE "{place}"')
            else:
                with pytest.raises(
                    OutputError, match=r"has more than 63 bytes, which this database would cut\. Rename"
                ):
                    sc.write_table(table, f"{SOURCE}?table={place}", schema)
    assert tables() == []


def test_what_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("WARD_URL", f"postgresql+pg8000://owner:{PASSWORD}@127.0.0.1:1/x")
    pytest.importorskip("pg8000")
    with pytest.raises(OutputError, match="the table cannot be written") as caught:
        sc.write_table(TABLE, f"{SOURCE}?table=t", SCHEMA)
    assert PASSWORD not in str(caught.value)
    with pytest.raises(ConfigError, match="a table is written under a name"):
        sc.write_table(TABLE, f"{SOURCE}?query=SELECT 1", SCHEMA)
    with pytest.raises(ConfigError, match=r"env:WARD_URL: a table is written under a name. Write env:WARD_URL\?table="):
        sc.write_table(TABLE, SOURCE, SCHEMA)
    with pytest.raises(ConfigError, match="may hold a password") as caught:
        sc.write_table(TABLE, f"postgresql://owner:{PASSWORD}@127.0.0.1/x?table=t", SCHEMA)
    assert PASSWORD not in str(caught.value)
    monkeypatch.setenv("WARD_URL", f"sqlite:///{tmp_path}/none/x.sqlite")
    with pytest.raises(OutputError, match="the table cannot be written"):
        sc.write_table(TABLE, f"{SOURCE}?table=t", SCHEMA)


def test_the_command_line_samples_into_a_database(ward, tmp_path):  # noqa: ARG001
    schema = sc.Schema.model_validate({"columns": {"a": {"type": "integer"}, "b": {"type": "integer"}}})
    real = pd.DataFrame({"a": range(60), "b": range(60, 120)})
    MODELS["independent"](schema, random_state=1).fit(real).save(tmp_path / "model")
    target = f"{SOURCE}?table=synthetic"
    assert main(["sample", str(tmp_path / "model"), "-n", "40", "-o", target]) == 0
    assert len(sc.read_table(target)) == 40
    assert main(["sample", str(tmp_path / "model"), "-n", "40", "-o", target]) == 2
