"""Files of SAS, SPSS and Stata: what they say of their columns reaches the guessed schema."""

from __future__ import annotations

import datetime as dt
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from synthclin.cli import main
from synthclin.errors import ConfigError, DataError
from synthclin.inference import infer, to_commented_yaml
from synthclin.inference.labelled_columns import described
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from synthclin.schema.codebook import Entry, codebook, with_codebook
from synthclin.schema.columns import Category, Integer
from synthclin.tables import read_table

ROWS = 120
LABELS = {
    "sex": {1.0: "male", 2.0: "female"},
    "dead": {1.0: "Yes", 2.0: "No"},
    "pain": {1.0: "severe", 2.0: "moderate", 3.0: "mild"},
    "sbp": {-9.0: "unknown", -8.0: "refused"},
    "country": {float(code): f"country {code}" for code in range(1, 21)},
}
ABOUT = {"sex": "Sex of the\npatient", "sbp": "Systolic pressure"}
MISSING = {"sbp": [{"lo": -9.0, "hi": -8.0}], "came": [{"lo": 1.0, "hi": 1.0}]}


def cells():
    rng = np.random.default_rng(0)
    sbp = rng.integers(90, 181, ROWS).astype(float)
    sbp[:3], sbp[3] = (-9, -9, -8), np.nan
    came = [dt.date(2020, 1, 1) + dt.timedelta(days=int(day)) for day in rng.integers(0, 300, ROWS)]
    came[5] = None
    return pd.DataFrame(
        {
            "sex": rng.integers(1, 3, ROWS).astype(float),
            "dead": rng.integers(1, 3, ROWS).astype(float),
            "pain": rng.integers(1, 4, ROWS).astype(float),
            "sbp": sbp,
            "country": rng.integers(1, 21, ROWS).astype(float),
            "grade": rng.integers(1, 3, ROWS).astype(float) * 10,
            "drug": rng.choice(["aspirin", "heparin", ""], ROWS),
            "came": came,
        }
    )


@pytest.fixture
def library(monkeypatch):
    """Replace pyreadstat by a stub that reads any bytes but those of a damaged file."""

    def read_sav(file, metadataonly=False, usecols=None, user_missing=False, row_limit=0):
        if b"damaged" in file.read():
            raise ValueError("Invalid file near 'secret'")
        table = cells()
        if not user_missing:
            table["sbp"] = table["sbp"].mask(table["sbp"] < 0)
        about = SimpleNamespace(
            column_names=list(table),
            column_names_to_labels=ABOUT,
            variable_value_labels=LABELS,
            missing_ranges=MISSING,
            missing_user_values={},
            variable_measure={"grade": "ordinal", "sex": "nominal"},
            variable_storage_width=dict.fromkeys(table, 1 if metadataonly else 8),
        )
        return (table if usecols is None else table[usecols]).head(row_limit or ROWS), about

    module = ModuleType("pyreadstat")
    module.read_sav = read_sav
    monkeypatch.setitem(sys.modules, "pyreadstat", module)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ward.sav"
    path.write_bytes(b"$FL2")
    return path


def check_ward(inferred, table):
    columns = inferred.schema.columns
    assert columns["sex"].categories == (1, 2)
    assert columns["sex"].label == "Sex of the patient"
    assert columns["sex"].labels == {1: "male", 2: "female"}
    assert columns["sbp"].label == "Systolic pressure"
    assert {columns[name].description for name in ("sex", "pain", "sbp")} == {None}
    assert columns["pain"].labels == {1: "severe", 2: "moderate", 3: "mild"}
    assert columns["dead"].labels == {1: "Yes", 2: "No"}
    assert columns["dead"].values == (2, 1)
    assert (columns["pain"].type, columns["pain"].categories) == ("ordinal", (3, 2, 1))
    assert columns["sbp"].missing_codes == {-9: "unknown", -8: "refused"}
    assert columns["sbp"].range[0] >= 0
    assert columns["sbp"].missing == "allowed"
    assert columns["country"].categories == tuple(range(1, 21))
    assert columns["drug"].categories == ("aspirin", "heparin")
    assert columns["came"].type == "date"
    text = to_commented_yaml(inferred)
    assert "      20: country 20\n" in text
    typed = conform(table, inferred.schema)
    assert typed["sbp_missing"].value_counts().to_dict() == {"unknown": 2, "refused": 1}


@pytest.mark.usefixtures("library")
def test_the_codebook_reaches_the_schema(file, tmp_path):
    table = read_table(file)
    assert table.dtypes.astype(str).to_dict() == {
        **dict.fromkeys(["sex", "dead", "pain", "sbp", "country", "grade"], "Int64"),
        "drug": "object",
        "came": "datetime64[ns]",
    }
    inferred = infer(table)
    check_ward(inferred, table)
    path = tmp_path / "schema.yaml"
    path.write_text(to_commented_yaml(inferred), encoding="utf-8")
    assert Schema.read(path) == inferred.schema == Schema.infer(table)
    assert read_table(file, inferred.schema)["sex"].dtype == pd.CategoricalDtype([1, 2])


@pytest.mark.usefixtures("library")
def test_the_command_reads_it(file, capsys):
    assert main(["schema", "infer", str(file)]) == 0
    assert "Systolic pressure" in capsys.readouterr().out


@pytest.mark.usefixtures("library")
def test_a_damaged_file_is_refused_without_its_cells(file):
    file.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"is not a whole \.sav file") as refusal:
        read_table(file)
    assert "secret" not in str(refusal.value)


@pytest.mark.usefixtures("library")
def test_a_packed_file_that_unpacks_beyond_reason_is_refused(file, monkeypatch):
    monkeypatch.setattr("synthclin.tables.readstat_format.MAX_BYTES", 100)
    monkeypatch.setattr("synthclin.tables.readstat_format.MAX_RATIO", 1)
    with pytest.raises(DataError, match="unpacks to more than"):
        read_table(file)


@pytest.mark.parametrize("suffix", ["sav", "zsav", "por", "sas7bdat", "xpt", "dta"])
def test_without_the_extra_the_error_names_it(monkeypatch, tmp_path, suffix):
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    path = tmp_path / f"ward.{suffix}"
    path.write_bytes(b"x")
    with pytest.raises(ConfigError, match=r'pip install -c constraints.txt "\.\[readstat\]"'):
        read_table(path)


class TestGuesses:
    def guess(self, series, entry):
        series = series.sample(frac=1, random_state=0, ignore_index=True)
        table = with_codebook(
            pd.DataFrame({"a": series, "other": np.arange(len(series)) % 7, "sex": np.arange(len(series)) % 2}),
            {"a": entry},
        )
        inferred = infer(table)
        conform(table, inferred.schema)
        return inferred.schema.columns["a"], inferred.evidence["a"]

    def test_a_number_of_which_one_value_is_labelled_stays_a_number(self):
        column, _ = self.guess(pd.Series([*range(50)] * 2, dtype="Int64"), Entry("Packs", {0: "never smoked"}))
        assert (column.type, column.label, column.description) == ("integer", "Packs", "0 = never smoked")

    def test_labels_of_many_values_of_a_number_are_comments(self):
        entry = Entry(levels={code: f"grade {code}" for code in range(20)})
        _, comments = described(entry, Integer())
        assert comments[19] == "19 = grade 19"

    def test_a_long_label_is_shortened_and_kept_whole(self):
        long = "Number of " + "very " * 20 + "small events"
        column, _ = self.guess(pd.Series([1, 2] * 30), Entry(long, {1: long, 2: "none"}))
        assert len(column.label) == 80
        assert column.label.endswith("\u2026")
        assert column.description == long
        assert len(column.labels[1]) == 80

    def test_equal_labels_are_told_apart(self):
        column, _ = self.guess(pd.Series([1, 2, 3] * 30), Entry(levels={1: "other", 2: "other", 3: "x" * 90}))
        assert column.labels == {1: "other", 2: "other (2)", 3: "x" * 79 + "\u2026"}
        found, _ = described(Entry(levels={1: "2", 2: "b"}), Category(categories=(1, 2, 3)))
        assert found["labels"] == {1: "2 (1)", 2: "b"}
        long = "x" * 90
        found, _ = described(Entry(levels={1: long, 2: long}), Category(categories=(1, 2)))
        assert found["labels"] == {1: "x" * 79 + "\u2026", 2: "x" * 75 + "\u2026 (2)"}

    def test_labels_of_codes_that_are_no_levels_are_comments(self):
        found, comments = described(Entry(levels={1: "a", 9: "b"}), Category(categories=("1", "2")))
        assert found == {}
        assert comments == ("1 = a", "9 = b")
        found, comments = described(Entry(levels={"1": "a", 9: "b"}), Category(categories=(1, 2)))
        assert found == {"labels": {1: "a"}}
        assert comments == ("9 = b",)

    def test_a_level_without_cells_is_kept(self):
        column, reasons = self.guess(pd.Series([1, 2] * 30), Entry(levels={1: "a", 2: "b", 3: "c"}))
        assert column.categories == (1, 2, 3)
        assert "levels of fewer than 11 patients, listed, because the file declares them: 1" in reasons

    def test_missing_codes_may_be_letters_among_numbers(self):
        mixed = pd.Series([*map(float, range(40, 100)), "A", "A", "Z", None], dtype=object)
        column, reasons = self.guess(mixed, Entry(missing={"A": "refused", "Z": "not done"}))
        assert (column.type, column.missing_codes) == ("integer", {"A": "refused", "Z": "not done"})
        assert "declared missing by the file: 3 of 64 cells" in reasons
        assert column.missing == "allowed"

    def test_the_range_draws_back_from_a_missing_code(self):
        column, _ = self.guess(pd.Series([*range(20, 98), *range(20, 98), 99]), Entry(missing={99: "unknown"}))
        assert column.range[1] == 98

    def test_a_missing_code_among_the_numbers_leaves_the_column_out(self):
        column, reasons = self.guess(pd.Series([*range(60), 9, 9]).drop(9), Entry(missing={9: "unknown"}))
        assert column.type == "text"
        assert reasons[0] == "left out: a missing-value code lies among its numbers"

    def test_a_plain_table_has_no_codebook(self):
        assert codebook(pd.DataFrame({"a": [1]})) == {}


class TestRealFiles:
    def test_spss(self, tmp_path):
        library = pytest.importorskip("pyreadstat")
        path = tmp_path / "ward.sav"
        ranges = {"sbp": MISSING["sbp"]}
        library.write_sav(
            cells(), path, column_labels=ABOUT, variable_value_labels=LABELS, missing_ranges=ranges, compress=True
        )
        table = read_table(path)
        check_ward(infer(table), table)
        content = path.read_bytes()
        for broken in (b"", content[:300], content[:-20], b"\0" * 500, content[:1000] + b"\xff" * 900 + content[1900:]):
            path.write_bytes(broken)
            with pytest.raises(DataError, match="is not a whole"):
                read_table(path)

    def test_stata(self, tmp_path):
        library = pytest.importorskip("pyreadstat")
        table = pd.DataFrame({"sbp": [*range(60, 160), "a", "z"], "sex": [1, 2] * 51})
        path = tmp_path / "ward.dta"
        library.write_dta(
            table,
            path,
            variable_value_labels={"sex": LABELS["sex"], "sbp": {"a": "refused"}},
            missing_user_values={"sbp": ["a", "z"]},
        )
        columns = infer(read_table(path)).schema.columns
        assert columns["sbp"].missing_codes == {"a": "refused", "z": "code z"}
        assert columns["sex"].categories == (1, 2)

    @pytest.mark.parametrize(("suffix", "write"), [("xpt", "write_xport"), ("por", "write_por")])
    def test_formats_without_labels(self, tmp_path, suffix, write):
        library = pytest.importorskip("pyreadstat")
        path = tmp_path / f"ward.{suffix}"
        getattr(library, write)(cells(), path)
        table = read_table(path).rename(columns=str.lower)
        assert table["came"].dtype == "datetime64[ns]"
        assert table["drug"].isna().any()
        assert table["sbp"].dtype == "Int64"
