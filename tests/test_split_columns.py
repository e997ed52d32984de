"""A column of two numbers, such as 120/80, is read, checked, modelled and inferred as two, and written as one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.cli.app import main
from synthclin.errors import ConfigError, DataError
from synthclin.inference import infer
from synthclin.rules.survey import survey
from synthclin.rules.validation import check, conform
from synthclin.schema import Schema
from synthclin.tables import read_table, write_table

pytestmark = pytest.mark.usefixtures("brief_trainings")

ROWS = 300
PARTS = {"sbp": {"type": "integer", "range": [60, 260]}, "dbp": {"type": "integer", "range": [20, 160]}}
MAY_BE_MISSING = {name: {**keys, "missing": "allowed"} for name, keys in PARTS.items()}


def pressures(rows=ROWS, sign="/", seed=0):
    rng = np.random.default_rng(seed)
    upper = rng.normal(140, 18, rows).round().astype(int).clip(90, 220)
    lower = (upper - rng.integers(25, 60, rows)).clip(40)
    cells = [f"{one}{sign}{two}" for one, two in zip(upper, lower, strict=True)]
    return pd.DataFrame({"age": rng.integers(20, 90, rows), "bp": cells, "died": rng.integers(0, 2, rows)})


def schema(parts=PARTS, **keys):
    columns = {"age": {"type": "integer"}, "bp": {"type": "text", "split": ["sbp", "dbp"], **keys}, **parts}
    whole = {"columns": {**columns, "died": {"type": "boolean", "values": [0, 1]}}, "constraints": ["dbp < sbp"]}
    return Schema.model_validate(whole)


class TestReading:
    @pytest.mark.parametrize(("sign", "keys"), [("/", {}), (" / ", {"separator": " / "}), ("-", {"separator": "-"})])
    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_files_are_read_and_written_back(self, tmp_path, sign, keys, kind):
        table = pressures(sign=sign)
        table.loc[[3, 8], "bp"] = None
        first, again = tmp_path / f"first.{kind}", tmp_path / f"again.{kind}"
        table.to_csv(first, index=False) if kind == "csv" else table.to_parquet(first)
        declared = schema(MAY_BE_MISSING, **keys)
        typed = read_table(first, declared)
        assert list(typed) == ["age", "sbp", "dbp", "died"]
        assert typed["sbp"].isna().sum() == typed["dbp"].isna().sum() == 2
        assert f"{typed['sbp'][0]}{sign}{typed['dbp'][0]}" == table["bp"][0]
        write_table(typed, again, declared)
        back = pd.read_csv(again) if kind == "csv" else pd.read_parquet(again)
        assert list(back) == list(table)
        assert back["bp"].fillna("").tolist() == table["bp"].fillna("").tolist()
        pd.testing.assert_frame_equal(read_table(again, declared), typed)
        pd.testing.assert_frame_equal(conform(typed, declared), typed)

    @pytest.mark.parametrize("cell", ["120/", "/80", "120", "120/80/60", "unknown", 121])
    def test_half_cells_are_errors_that_name_rows(self, cell):
        table = pressures()
        table.loc[6, "bp"] = cell
        with pytest.raises(
            DataError, match=r"column 'bp': 1 of 300 rows \(7\) holds something other than two numbers"
        ) as e:
            conform(table, schema())
        assert "120" not in str(e.value)
        lenient = {name: {**keys, "other": "missing"} for name, keys in MAY_BE_MISSING.items()}
        typed = conform(table, schema(lenient))
        assert typed[["sbp", "dbp"]].isna().to_numpy().nonzero()[0].tolist() == [6, 6]

    def test_a_half_that_is_no_number_is_named(self):
        table = pressures()
        table.loc[6, "bp"] = "120/x"
        with pytest.raises(DataError, match=r"column 'dbp': 1 of 300 rows \(7\)"):
            conform(table, schema())

    def test_a_half_out_of_range_takes_the_other_with_it_where_other_is_missing(self):
        table = pressures()
        table.loc[6, "bp"] = "120/700"
        lenient = {name: {**keys, "other": "missing"} for name, keys in MAY_BE_MISSING.items()}
        assert conform(table, schema(lenient)).loc[6, ["sbp", "dbp"]].isna().all()
        assert [found for found in check(table, schema(lenient)) if found.severity == "error"] == []

    def test_an_empty_cell_needs_parts_that_may_be_missing(self):
        table = pressures()
        table.loc[6, "bp"] = None
        with pytest.raises(DataError, match=r"column 'sbp': 1 of 300 rows \(7\) holds no value"):
            conform(table, schema())

    def test_rules_between_the_parts_are_checked(self):
        table = pressures()
        table.loc[6, "bp"] = "80/120"
        found = [str(one) for one in check(table, schema())]
        assert len(found) == 1
        assert found[0].startswith("rule 'dbp < sbp': 1 of 300 rows (7) violates it")
        assert [column.name for column in survey(table, schema()).columns] == ["age", "sbp", "dbp", "died"]


class TestDeclaration:
    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"split": ["sbp", "map"]}, "'map' is no column. Declare it, such as `map: {type: integer}`"),
            ({"split": ["sbp", "sbp"]}, "names one column twice"),
            ({"split": ["sbp", "died"]}, "no modelled number"),
            ({"split": None, "separator": "-"}, "stands without `split`"),
            ({"separator": "."}, "separator"),
        ],
    )
    def test_contradictions(self, changes, match):
        with pytest.raises(ConfigError, match=match):
            schema().with_column("bp", **changes)

    def test_parts_are_missing_together(self):
        with pytest.raises(ConfigError, match="only one of its parts may be"):
            schema().with_column("sbp", missing="allowed")
        assert "if sbp is missing then dbp is missing" in [rule.text for rule in schema(MAY_BE_MISSING).rules]

    def test_yaml(self, tmp_path):
        declared = schema(separator="-")
        (tmp_path / "schema.yaml").write_text(declared.to_yaml(), encoding="utf-8")
        assert Schema.read(tmp_path / "schema.yaml") == declared
        assert "split: [sbp, dbp]" in declared.to_yaml()


class TestInference:
    def test_it_is_proposed_and_used(self, tmp_path, capsys):
        table = pressures()
        table.loc[:20, "bp"] = None
        table.to_csv(tmp_path / "ward.csv", index=False)
        assert main(["init", str(tmp_path / "ward.csv"), "-o", str(tmp_path)]) == 0
        found = Schema.read(tmp_path / "schema.yaml")
        assert found.columns["bp"].split == ("bp_systolic", "bp_diastolic")
        assert found == infer(read_table(tmp_path / "ward.csv")).schema
        assert {found.columns[name].type for name in found.columns["bp"].split} == {"integer"}
        assert all(found.columns[name].may_be_missing for name in found.columns["bp"].split)
        assert main(["schema", "check", str(tmp_path / "ward.csv"), str(tmp_path / "schema.yaml")]) == 0
        assert "the table satisfies its schema" in capsys.readouterr().out

    def test_cells_that_are_none_are_missing(self):
        table = pressures()
        table.loc[[5, 9], "bp"] = ["not done", "120/"]
        found = infer(table)
        parts = [found.schema.columns[name] for name in ("bp_systolic", "bp_diastolic")]
        assert [part.other for part in parts] == ["missing", "missing"]
        assert "not two numbers, and read as missing: 2 of 300 cells" in found.evidence["bp_systolic"]
        assert conform(table, found.schema)["bp_systolic"].isna().sum() == 2

    def test_other_names_get_numbers_and_a_taken_name_stays_out(self):
        table = pressures().rename(columns={"bp": "acuity"})
        assert infer(table).schema.columns["acuity"].split == ("acuity_1", "acuity_2")
        found = infer(table.assign(acuity_1=np.arange(ROWS) % 9))
        assert found.left_out == ("acuity",)

    def test_numbers_that_may_identify_patients_are_left_out(self):
        rng = np.random.default_rng(1)
        cells = [
            f"{one}/{two}" for one, two in zip(rng.integers(1, 40, ROWS), rng.integers(1e4, 9e6, ROWS), strict=True)
        ]
        assert infer(pressures().assign(bp=cells)).left_out == ("bp",)

    def test_a_declared_split_is_kept(self):
        declared = {name: schema().columns[name] for name in ("bp", "sbp", "dbp")}
        found = infer(pressures(), declared)
        assert found.schema.columns["sbp"].range == (60, 260)
        assert found.evidence["dbp"] == ["declared"]


def test_a_model_samples_the_parts_and_files_have_the_column_again(tmp_path):
    table = pressures()
    table.loc[:60, "bp"] = None
    declared = schema(MAY_BE_MISSING)
    model = sc.ConditionalGAN(declared, effort="quick", width=16, random_state=1).fit(table)
    sampled = model.sample(200, random_state=2)
    assert list(sampled) == ["age", "sbp", "dbp", "died"]
    assert (sampled["sbp"].isna() == sampled["dbp"].isna()).all()
    assert 0.05 < sampled["sbp"].isna().mean() < 0.4
    assert (sampled["dbp"] < sampled["sbp"]).fillna(True).all()
    write_table(sampled, tmp_path / "out.csv", declared)
    cells = pd.read_csv(tmp_path / "out.csv")["bp"]
    assert cells.dropna().str.fullmatch(r"[0-9]+/[0-9]+").all()
    assert [found for found in check(pd.read_csv(tmp_path / "out.csv"), declared) if found.severity == "error"] == []
    whole = model.impute(table.head(80), columns=["sbp", "dbp"], random_state=3)
    assert whole[["sbp", "dbp"]].notna().all(axis=None)
