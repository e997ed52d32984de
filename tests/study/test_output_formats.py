"""Formats of the synthetic table of a run: written, verified, described, and refused before training."""

from __future__ import annotations

import json
import sys

import pytest

from synthclin.errors import ConfigError, DataError
from synthclin.study import run
from synthclin.study.config import load
from synthclin.study.data import prepare
from synthclin.study.manifest import Clock
from synthclin.study.verify import verify
from synthclin.tables import read_table

TYPES = {
    "csv.gz": "application/gzip",
    "dta": "application/x-stata-dta",
    "sav": "application/x-spss-sav",
    "xpt": "application/x-sas-transport",
}


@pytest.mark.usefixtures("two_scores")
@pytest.mark.parametrize("kind", TYPES)
def test_a_run_writes_verifies_and_describes_a_table_of_any_format(study, kind):
    if kind != "csv.gz":
        pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    study.config |= {"model": {"type": "independent"}, "outputs": {"table": kind}, "evaluation": {"replicates": 1}}
    config = load(study.write())
    done = run.run(config)
    assert {f"synthetic.{kind}", f"cohorts/women.{kind}"} <= set(done.manifest.files)
    assert len(read_table(done.folder / f"synthetic.{kind}", config.table_schema)) == 90
    assert verify(done.folder).problems == ()
    [file] = json.loads((done.folder / "croissant.json").read_text())["distribution"]
    assert (file["name"], file["encodingFormat"]) == (f"synthetic.{kind}", TYPES[kind])
    path = done.folder / f"synthetic.{kind}"
    path.write_bytes(path.read_bytes()[:-20])
    assert any(problem.startswith(f"synthetic.{kind}") for problem in verify(done.folder).problems)


@pytest.mark.parametrize(
    ("kind", "name", "column", "says"),
    [
        (
            "xpt",
            "größe",
            {"type": "number"},
            "outputs.table: column 'größe': files ending in '.xpt' have no such names",
        ),
        ("sav", "a b", {"type": "number"}, "files ending in '.sav' have no such names"),
        ("sav", "with", {"type": "number"}, "column 'with': files ending in '.sav' have no column of this name"),
        ("dta", "str2", {"type": "number"}, "column 'str2': files ending in '.dta' have no column of this name"),
        ("xpt", "Age", {"type": "number"}, "do not tell small letters from capital ones"),
        ("dta", "n", {"type": "integer", "range": [0, 2**53 + 1]}, "column 'n': holds whole numbers beyond 2^53"),
    ],
)
def test_what_a_format_does_not_hold_is_refused_before_training(study, kind, name, column, says):
    pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    study.config["schema"]["columns"][name] = column
    study.config["outputs"] = {"table": kind}
    with pytest.raises(ConfigError) as caught:
        load(study.write())
    assert says in str(caught.value)
    load(study.folder / "study.yaml", ["outputs.table=csv.gz"])


def test_a_level_that_the_format_changes_is_refused_before_training(study):
    pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")
    study.config["schema"]["columns"]["sex"] = {"type": "category"}
    study.config["outputs"] = {"table": "sav"}
    study.config["sampling"] = {"rows": 20}
    table = study.table()
    table["sex"] = table["sex"].replace("F", "F ")
    with pytest.raises(DataError, match="column 'sex': holds texts that end in a blank, which"):
        prepare(load(study.write(table)), Clock(), print)


def test_without_the_extra_the_study_is_refused_before_training(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    for outputs in ({"table": "sav"}, {"adam": {"treatment": "sex"}}):
        study.config["outputs"] = outputs
        with pytest.raises(ConfigError, match=r"outputs\.(table|adam.format): .*pyreadstat, which is absent\. Install"):
            load(study.write())
    load(study.folder / "study.yaml", ["outputs.adam.format=[parquet]"])
