"""A value that one patient has, planted in every kind of column, is in no inferred schema, model, report or sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

import synthclin as sc
from synthclin.errors import ConfigError
from synthclin.inference import infer, to_commented_yaml
from synthclin.rules.survey import survey
from synthclin.rules.validation import check, conform
from synthclin.schema.codebook import Entry, with_codebook
from tests.conftest import Study, toy_config
from tests.short import few_sdmetrics, few_trees, short_trainings

ROWS = 264
PLANTED = {
    "ward": "ZZ_CANARY_WARD",
    "pain": "ZZ_CANARY_PAIN",
    "smokes": "ZZ_CANARY_SMOKES",
    "unit_code": 76_137_391,
    "nyha": 7,
    "weight": 9_172.6,
    "platelets": 7_654_321,
    "admitted": "1907-11-29",
    "seen": "1911-10-23T11:17:47",
    "drug": "ZZ98XX76",
    "note": "ZZ_CANARY_NOTE",
    "record_id": "ZZ-7391",
    "hidden": -9,
    "site": "ZZ_CANARY_SITE",
    "region": "ZZ_CANARY_REGION",
}
MARKS = [str(mark) for mark in PLANTED.values() if len(str(mark)) > 3]


def planted_table():
    """Return a table in which one row has a value of its own in every column."""
    rng = np.random.default_rng(5)
    admitted = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 900, ROWS), unit="D")
    site = rng.choice(["A", "B", "C", "D"], ROWS)
    age = rng.integers(30, 80, ROWS)
    table = pd.DataFrame(
        {
            "age": age,
            "ward": rng.choice(["north", "south", "west"], ROWS),
            "pain": rng.choice(["mild", "moderate", "severe"], ROWS),
            "smokes": rng.choice(["no", "yes"], ROWS),
            "unit_code": rng.choice([11, 12, 15], ROWS),
            "nyha": rng.choice([1, 2, 3, 4], ROWS),
            "weight": rng.normal(80, 9, ROWS).round(1),
            "platelets": rng.integers(150, 400, ROWS),
            "admitted": admitted.strftime("%Y-%m-%d"),
            "seen": (admitted + pd.to_timedelta(rng.integers(0, 86_400, ROWS), unit="s")).strftime("%Y-%m-%dT%H:%M:%S"),
            "drug": [f"A{number:02d}BA02" for number in rng.integers(1, 40, ROWS)],
            "note": [f"note {number}" for number in range(ROWS)],
            "record_id": [f"R-{number:05d}" for number in rng.permutation(ROWS)],
            "hidden": rng.integers(40, 90, ROWS),
            "site": site,
            "region": np.where(np.isin(site, ["A", "B"]), "up", "down"),
        }
    ).astype({"hidden": "int64"})
    for name, value in PLANTED.items():
        table[name] = table[name].astype(object)
        table.loc[117, name] = value
    return table.infer_objects()


def marks_in(*contents):
    """Return the planted values that are in texts or bytes."""
    whole = b"\n".join(content if isinstance(content, bytes) else content.encode() for content in contents)
    return [mark for mark in MARKS if mark.encode() in whole]


def every_file(folder):
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


def cells_of(sample):
    """Return the cells of a sample as text, and whether a rare level or the rare code of a short scale is in it."""
    assert not (set(sample["nyha"].dropna()) - {1, 2, 3, 4})
    assert not (set(sample["unit_code"].dropna()) - {11, 12, 15})
    return sample.to_csv(index=False)


class TestRareValues:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        few_trees(monkeypatch)
        few_sdmetrics(monkeypatch)
        short_trainings(monkeypatch)

    def test_python(self, tmp_path, capfd):
        table = planted_table()
        inferred = infer(table)
        schema = inferred.schema
        assert inferred.left_out == ("note",)
        assert marks_in(to_commented_yaml(inferred), schema.to_yaml()) == []
        train, holdout = sc.split(conform(table, schema), schema, holdout=0.25, random_state=1)
        model = sc.ConditionalGAN(schema, effort="quick", width=32, blocks=1, random_state=1).fit(train)
        model.save(tmp_path / "model")
        sample = model.sample(2_000)
        assert marks_in(*every_file(tmp_path / "model"), cells_of(sample)) == []
        report = sc.evaluate(sample.head(198), train=train, holdout=holdout, schema=schema)
        for ending in ("html", "json", "md"):
            report.save(tmp_path / f"report.{ending}")
        assert marks_in(*every_file(tmp_path)) == []
        assert marks_in(*capfd.readouterr()) == []

    def test_command_line_and_study(self, tmp_path, monkeypatch, quiet):
        monkeypatch.chdir(tmp_path)
        study = Study(tmp_path, toy_config() | {"schema": "schema.yaml"})
        study.config["sampling"] = {"rows": 400}
        study.write(planted_table())
        printed = quiet("schema", "infer", "data.csv", "-o", "schema.yaml")
        schema = (tmp_path / "schema.yaml").read_text()
        assert yaml.safe_load(schema)["columns"]["ward"]["other"] == "missing"
        printed += quiet("schema", "check", "data.csv", "schema.yaml")
        printed += quiet("run", "study.yaml")
        printed += quiet("sample", "runs/toy-7/model", "-n", "2000", "-o", "more.csv")
        cells_of(pd.read_csv("more.csv"))
        (tmp_path / "data.csv").unlink()
        assert marks_in(*printed, *every_file(tmp_path)) == []


class TestWhatIsRare:
    def test_patients_count_and_not_rows(self):
        rows = pd.DataFrame({"patient_id": np.repeat(np.arange(40), 12), "other": np.tile([0, 1], 240)})
        rows["ward"] = np.where(rows["patient_id"] < 3, "single", np.where(rows["patient_id"] % 2, "a", "b"))
        rows["score"] = np.where(rows["patient_id"] == 7, 63, 10 + rows["patient_id"] % 4)
        with pytest.warns(UserWarning, match="patients have several rows"):
            schema = sc.Schema.infer(rows)
        assert schema.columns["ward"].categories == ("a", "b")
        assert "63" not in schema.to_yaml()

    @pytest.mark.parametrize(
        ("cells", "kind", "levels"),
        [
            ([*["Y", "N"] * 60, "U"], "boolean", ("N", "Y")),
            ([*[0, 1] * 60, 2], "boolean", (0, 1)),
            ([0] * 118 + [1] * 3, "category", (0,)),
            ([False] * 118 + [True] * 3, "category", (False,)),
            ([*["low", "medium", "high"] * 40, "very high"], "ordinal", ("low", "medium", "high")),
            ([*[0, 1, 2, 3] * 30, 4], "ordinal", (0, 1, 2, 3)),
            ([*[70, 80, 90] * 40, 85], "ordinal", (70, 80, 90)),
        ],
    )
    def test_levels(self, cells, kind, levels):
        table = pd.DataFrame({"x": cells, "y": np.arange(121) % 7})
        column = sc.Schema.infer(table).columns["x"]
        assert (column.type, column.levels) == (kind, levels)
        assert (column.other, column.missing) == ("missing", "allowed")
        assert conform(table, sc.Schema.infer(table))["x"].isna().sum() == 121 - int(table["x"].isin(levels).sum())

    def test_an_ordered_categorical_column(self):
        cells = pd.Categorical([*["a", "b"] * 60, "c"], categories=["c", "a", "b", "d"], ordered=True)
        column = sc.Schema.infer(pd.DataFrame({"x": cells, "y": np.arange(121) % 7})).columns["x"]
        assert (column.type, column.categories, column.other) == ("ordinal", ("a", "b"), "missing")

    def test_levels_that_all_are_rare_leave_the_column_out(self):
        inferred = infer(pd.DataFrame({"x": [f"w{row % 12}" for row in range(120)], "y": np.arange(120) % 7, "z": 0}))
        assert inferred.left_out == ("x",)
        assert inferred.evidence["x"][0].endswith("hold a level of fewer than 11 patients (12 distinct levels)")

    def test_labels_of_the_file_are_declared(self):
        table = pd.DataFrame({"sex": [1, 2] * 60 + [3], "y": np.arange(121) % 7})
        entry = Entry(levels={1: "m", 2: "f", 3: "other"})
        column = sc.Schema.infer(with_codebook(table, {"sex": entry})).columns["sex"]
        assert (column.categories, column.other) == ((1, 2, 3), None)

    def test_ends_of_a_range_are_no_values(self):
        days = pd.Series(pd.date_range("2020-01-01", periods=60).repeat(2))
        days.iloc[0] = pd.Timestamp("2019-01-01")
        schema = sc.Schema.infer(pd.DataFrame({"day": days, "y": np.arange(120) % 7}))
        assert schema.columns["day"].range[0].year < 2019
        assert schema.columns["day"].range[1].year == 2020


class TestOther:
    @pytest.mark.parametrize(
        ("column", "cells", "read"),
        [
            ({"type": "category", "categories": ["a", "b"]}, ["a", "z", 7, None], 1),
            ({"type": "integer", "range": [0, 9]}, [3, 12, "x", 2.5], 1),
            ({"type": "number", "range": [0, 9]}, [3.5, float("inf"), "1,5", -1], 1),
            (
                {"type": "date", "range": ["2020-01-01", "2020-12-31"]},
                ["2020-05-05", "1555-05-05", "x", "2021-01-01"],
                1,
            ),
            ({"type": "boolean"}, [True, "false", 2, None], 2),
        ],
    )
    def test_cells_outside_the_declaration_are_missing(self, column, cells, read):
        whole = {"columns": {"x": {**column, "missing": "allowed", "other": "missing"}, "y": {"type": "integer"}}}
        schema = sc.Schema.model_validate(whole)
        table = pd.DataFrame({"x": pd.Series(cells, dtype=object), "y": range(4)})
        typed = conform(table, schema)
        assert typed["x"].notna().sum() == read
        pd.testing.assert_frame_equal(conform(typed, schema), typed)
        assert sc.Schema.model_validate(yaml.safe_load(schema.to_yaml())) == schema
        assert not [finding for finding in check(table, schema) if "declaration" in finding.what]
        notes = next(view.notes for view in survey(table, schema).columns if view.name == "x")
        assert f"outside the declaration, and read as missing: {sum(x is not None for x in cells) - read}" in notes

    @pytest.mark.parametrize("column", [{"type": "integer", "other": "missing"}, {"type": "id", "other": "missing"}])
    def test_it_needs_missing_cells(self, column):
        with pytest.raises(ConfigError, match="other: "):
            sc.Schema.model_validate({"columns": {"x": {"type": "integer"}}}).with_column("x", **column)
