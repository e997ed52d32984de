"""Formula injection: a warning on reading, escaping on request, and an exact round trip."""

from __future__ import annotations

import csv

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.cli import main
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from synthclin.study.config import load
from synthclin.study.plan import dry_run
from synthclin.tables import read_table, write_table
from synthclin.tables.spreadsheet_formulas import escaped, formulas, is_formula_like, unescaped

HARMFUL = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+cmd",
    "-2+3+cmd",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =1",
    "\uff1d1",
    "\uff0b1+x",
    "\uff0d1+x",
    "\uff20A",
]
HARMLESS = ["", "a=b", "-1.5", "+3", "1e-5", "-.5", "aspirin", "'quoted'", "O'Neill", "3 - 4"]


@pytest.mark.parametrize("text", HARMFUL)
def test_what_a_spreadsheet_runs(text):
    assert is_formula_like(text)
    assert escaped(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_it_does_not(text):
    assert not is_formula_like(text)
    assert escaped(text) == text


@given(st.text(alphabet="'=+-@\t 1a\uff1d") | st.text())
def test_nothing_is_lost(text):
    assert unescaped(escaped(text)) == text
    assert not is_formula_like(escaped(text))


SCHEMA = Schema.model_validate(
    {
        "columns": {
            "=who": {"type": "category", "categories": ["=1+1", "+49", "plain", "'=kept"]},
            "change": {"type": "number", "decimals": 1},
            "on": {"type": "date"},
        }
    }
)


@pytest.fixture
def table():
    who = ["=1+1", "+49", "plain", "'=kept"]
    return conform(pd.DataFrame({"=who": who, "change": [-1.5, 2, -3, 0], "on": ["2024-01-02"] * 4}), SCHEMA)


def cells(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_by_default_a_file_has_the_cells_of_the_table(table, tmp_path):
    write_table(table, tmp_path / "t.csv", SCHEMA)
    assert cells(tmp_path / "t.csv")[:2] == [["=who", "change", "on"], ["=1+1", "-1.5", "2024-01-02"]]


def test_escaped_text_is_text_numbers_are_numbers_and_it_reads_back(table, tmp_path):
    write_table(table, tmp_path / "t.csv", SCHEMA, csv_safe="escape")
    written = cells(tmp_path / "t.csv")
    assert written[0] == ["'=who", "change", "on"]
    assert [row[0] for row in written[1:]] == ["'=1+1", "+49", "plain", "''=kept"]
    assert [row[1] for row in written[1:]] == ["-1.5", "2", "-3", "0"]
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv", SCHEMA), table)
    assert formulas(read_table(tmp_path / "t.csv")) == {}


def test_parquet_needs_no_escape(table, tmp_path):
    write_table(table, tmp_path / "t.parquet", SCHEMA, csv_safe="escape")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet", SCHEMA), table)


def test_they_are_counted_by_column_and_never_quoted(table):
    assert formulas(table) == {"=who": 2}  # the name and one cell; +49 is a number


@pytest.fixture
def harmful(study):
    study.config["schema"]["columns"]["sex"]["categories"] = ["F", "=M()"]
    study.config["outputs"] = {"table": "csv"}
    study.write(study.table().replace({"sex": {"M": "=M()"}}))
    return study


def test_a_run_warns_of_levels_that_it_will_write(harmful):
    findings = []
    dry_run(load(harmful.path), on_finding=findings.append)
    assert [finding.where for finding in findings if "formula" in finding.what] == ["column 'sex'"]
    assert "=M" not in "".join(map(str, findings))
    for words in ({"csv_safe": "escape"}, {"table": "parquet"}):
        harmful.config["outputs"] |= words
        harmful.write()
        findings.clear()
        dry_run(load(harmful.path), on_finding=findings.append)
        assert not [finding for finding in findings if "formula" in finding.what]


def test_the_command_line_warns_and_disarms(harmful, capsys):
    assert main(["fit", "study.yaml", "-o", "model", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["sample", "model", "-n", "20", "-o", "a.csv"]) == 0
    assert "--csv-safe" in capsys.readouterr().err
    assert main(["sample", "model", "-n", "20", "-o", "b.csv", "--csv-safe"]) == 0
    assert "formula" not in capsys.readouterr().err
    text = (harmful.folder / "b.csv").read_text()
    assert "'=M()" in text
    assert ",=M()" not in text
