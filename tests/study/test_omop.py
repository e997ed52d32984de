"""The cohort of an OMOP Common Data Model: the same SQL gives the same patients from every database."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import synthclin as sc
from synthclin.study.config import load
from synthclin.study.run import run
from tests.omop import HEART_FAILURE, INPATIENT, SBP, tables
from tests.tables.postgresql import server

duckdb = pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")
sa = pytest.importorskip("sqlalchemy", reason="the extra `database` is not installed")

OMOP = Path(__file__).resolve().parents[2] / "configs" / "omop"
QUERY = str(OMOP / "cohort.sql")


@pytest.fixture(scope="module")
def cdm():
    return tables()


@pytest.fixture(scope="module")
def database(cdm, tmp_path_factory):
    path = tmp_path_factory.mktemp("omop") / "cdm.duckdb"
    with duckdb.connect(str(path)) as connection:
        for name, table in cdm.items():
            connection.register("made", pa.Table.from_pandas(table, preserve_index=False))
            connection.execute(f"CREATE TABLE {name} AS FROM made")
    return f"duckdb:///{path}"


@pytest.fixture(scope="module")
def cohort(database):
    return sc.read_table(database, sc.Schema.read(OMOP / "schema.yaml"), query=QUERY)


def fill(address, cdm):
    engine = sa.create_engine(address)
    dates = {name: sa.Date for table in cdm.values() for name in table if name.endswith("_date")}
    for name, table in cdm.items():
        table.to_sql(name, engine, index=False, dtype={key: kind for key, kind in dates.items() if key in table})
    engine.dispose()


def test_the_cohort_is_the_first_stay_of_each_adult(cdm, cohort):
    visits = cdm["visit_occurrence"].query(f"visit_concept_id == {INPATIENT}")
    first = visits.sort_values(["visit_start_date", "visit_occurrence_id"]).groupby("person_id").head(1)
    first = first.merge(cdm["person"], on="person_id")
    age = first["visit_start_date"].map(lambda day: day.year) - first["year_of_birth"]
    first = first[age >= 18]
    assert len(cohort) == len(first) > 150
    assert sorted(cohort["admitted"].dt.date) == sorted(first["visit_start_date"])
    values = cdm["measurement"].query(f"measurement_concept_id == {SBP}").dropna(subset="value_as_number")
    values = values[values["visit_occurrence_id"].isin(first["visit_occurrence_id"])]
    values = values.sort_values(["measurement_date", "measurement_id"]).groupby("visit_occurrence_id").head(1)
    assert sorted(cohort["sbp"].dropna()) == sorted(values["value_as_number"])
    sick = cdm["condition_occurrence"].merge(first, on="person_id", suffixes=("", "_stay"))
    sick = sick[sick["condition_start_date"] <= sick["visit_end_date"]]
    child = cdm["concept_ancestor"].query(f"ancestor_concept_id == {HEART_FAILURE}")["descendant_concept_id"]
    assert cohort["heart_failure"].sum() == sick[sick["condition_concept_id"].isin(child)]["person_id"].nunique()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_give_the_same_cohort(ending, cdm, cohort, tmp_path):
    for name, table in cdm.items():
        write = table.to_csv if ending == "csv" else table.to_parquet
        write(tmp_path / f"{name}.{ending}", index=False)
    schema = sc.Schema.read(OMOP / "schema.yaml")
    pd.testing.assert_frame_equal(sc.read_table(f"duckdb:///{tmp_path}", schema, query=QUERY), cohort)


def test_sqlite_gives_the_same_cohort(cdm, cohort, tmp_path, monkeypatch):
    fill(f"sqlite:///{tmp_path}/cdm.sqlite", cdm)
    monkeypatch.setenv("OMOP_URL", f"sqlite:///{tmp_path}/cdm.sqlite")
    config = load(OMOP / "study.yaml")
    table = sc.read_table(config.data.source, config.table_schema, **config.data.reading)
    pd.testing.assert_frame_equal(table, cohort)


def test_postgresql_gives_the_same_cohort(cdm, cohort, monkeypatch):
    with server() as address:
        fill(address.replace("postgresql://", "postgresql+pg8000://"), cdm)
        monkeypatch.setenv("OMOP_URL", address)
        config = load(OMOP / "study.yaml")
        table = sc.read_table(config.data.source, config.table_schema, **config.data.reading)
    pd.testing.assert_frame_equal(table, cohort)


def test_the_study_runs_from_the_database_to_the_report(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = ["model.type=independent", "evaluation.replicates=1", "gates=[]", "evaluation.utility=[]"]
    done = run(OMOP / "study.yaml", overrides=[f"data.source={database}", *quick])
    synthetic = sc.read_table(done.folder / "synthetic.parquet", sc.Schema.read(OMOP / "schema.yaml"))
    assert (synthetic["discharged"] >= synthetic["admitted"]).all()
    assert synthetic["age"].min() >= 18
    assert synthetic["admitted"].dt.date.min() > dt.date(2014, 1, 1)
    assert done.manifest.source is not None
