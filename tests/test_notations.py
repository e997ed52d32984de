"""Cells in other notations than the usual one: inferred with a declaration that reads and writes them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConfigError, DataError
from synthclin.inference import infer, to_commented_yaml
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from synthclin.schema.columns import Date
from synthclin.tables import read_table, write_table

pytestmark = pytest.mark.usefixtures("brief_trainings")

ROWS = 240


def random(seed=0):
    return np.random.default_rng(seed)


def days(rows=ROWS):
    return pd.Timestamp("2021-01-01") + pd.to_timedelta(random().integers(0, 900, rows), unit="D")


def inferred(cells):
    return infer(pd.DataFrame({"x": cells, "sex": ["F", "M"] * (ROWS // 2), "y": np.arange(ROWS) % 7}))


def round_trip(cells, tmp_path, kind="csv"):
    """Return the texts of a column that is written to a file, inferred, read, and written again."""
    table = pd.DataFrame({"x": cells, "sex": ["F", "M"] * (len(cells) // 2)})
    first, again = tmp_path / f"first.{kind}", tmp_path / f"again.{kind}"
    table.to_csv(first, index=False) if kind == "csv" else table.to_parquet(first)
    found = infer(read_table(first))
    (tmp_path / "schema.yaml").write_text(to_commented_yaml(found), encoding="utf-8")
    schema = Schema.read(tmp_path / "schema.yaml")
    assert schema == found.schema
    typed = read_table(first, schema)
    write_table(typed, again, schema)
    pd.testing.assert_frame_equal(read_table(again, schema), typed)
    return schema.columns["x"], pd.read_csv(again, dtype=str)["x"] if kind == "csv" else pd.read_parquet(again)["x"]


class TestDates:
    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_whole_numbers(self, tmp_path, kind):
        cells = days().strftime("%Y%m%d").astype(int)
        column, written = round_trip(cells, tmp_path, kind)
        assert (column.type, column.format) == ("date", "%Y%m%d")
        assert written.astype(int).tolist() == cells.tolist()
        assert column.range == (dt.date(2021, 1, 1), dt.date(2023, 12, 31))

    def test_other_eight_digit_numbers_are_no_dates(self):
        assert inferred(random().integers(20_210_000, 20_220_000, ROWS)).schema.columns["x"].type == "integer"
        named = pd.DataFrame({"record_id": days().strftime("%Y%m%d").astype(int), "sex": ["F", "M"] * (ROWS // 2)})
        assert infer(named.assign(age=random().integers(20, 90, ROWS))).schema.columns["record_id"].type != "date"

    @pytest.mark.parametrize(
        "form", ["%d.%m.%Y", "%m/%d/%Y", "%d-%b-%Y", "%Y/%m/%d", "%d.%m.%Y %H:%M", "%d%b%Y:%H:%M:%S"]
    )
    def test_text(self, tmp_path, form):
        cells = (days() + pd.to_timedelta(random(1).integers(0, 86_400, ROWS), unit="s")).strftime(form)
        column, written = round_trip(cells, tmp_path)
        assert column.format == form
        assert column.type == ("datetime" if "%H" in form else "date")
        assert written.tolist() == cells.tolist()

    def test_a_format_is_checked(self):
        for form in ("%Y%m", "%y%m%d", "%Y-%m-%d %p", "day"):
            with pytest.raises(ConfigError, match="format: "):
                sc.Schema.model_validate({"columns": {"x": {"type": "integer"}}}).with_column(
                    "x", type="date", format=form
                )

    def test_synthetic_days_exist(self):
        table = pd.DataFrame({"x": days().strftime("%Y%m%d").astype(int), "sex": ["F", "M"] * (ROWS // 2)})
        schema = sc.Schema.infer(table)
        model = sc.ConditionalGAN(schema, effort="quick", width=32, blocks=1).fit(conform(table, schema))
        written = schema.columns["x"].notation(model.sample(500)["x"])
        assert pd.to_datetime(pd.Series(written), format="%Y%m%d", errors="coerce").notna().all()


class TestDatesAtTheEdge:
    @pytest.mark.parametrize("odd", ["1555-03-04", "1021-03-04", "1801-01-01", "2021-02-30", "later"])
    def test_one_mistyped_date_is_named_and_costs_no_column(self, odd):
        cells = days().strftime("%Y-%m-%d").to_numpy(dtype=object)
        cells[16] = odd
        found = inferred(cells)
        column = found.schema.columns["x"]
        assert (column.type, column.other) == ("date", "missing")
        assert column.range == (dt.date(2021, 1, 1), dt.date(2023, 12, 31))
        assert "1 of 240 cells (row 17); correct them, or widen `range`" in "; ".join(found.evidence["x"])
        assert odd not in to_commented_yaml(found)

    def test_a_declared_range_reads_it_as_missing(self):
        table = pd.DataFrame({"x": ["1555-03-04", "2021-03-04", "2021-05-06"], "y": [1, 2, 3]})
        schema = sc.Schema.model_validate({"columns": {"x": {"type": "date"}, "y": {"type": "integer"}}})
        with pytest.raises(DataError, match=r"\(1\) holds"):
            conform(table, schema)
        schema = schema.with_column("x", range=["2021-01-01", "2021-12-31"], missing="allowed", other="missing")
        assert conform(table, schema)["x"].isna().tolist() == [True, False, False]

    @pytest.mark.parametrize("kind", ["text", "datetime64[s]", "date", "object", "number"])
    def test_a_far_date_is_a_missing_code_from_any_type(self, kind):
        texts = days().strftime("%Y-%m-%d").to_numpy(dtype=object)
        texts[:20] = "9999-12-31"
        cells = {
            "text": lambda: texts,
            "datetime64[s]": lambda: texts.astype("datetime64[s]"),
            "date": lambda: [dt.date.fromisoformat(text) for text in texts],
            "object": lambda: [dt.datetime.fromisoformat(text) for text in texts],
            "number": lambda: [int(text.replace("-", "")) for text in texts],
        }[kind]()
        found = inferred(cells)
        column = found.schema.columns["x"]
        assert list(column.missing_codes.values()) == ["unknown"]
        typed = conform(
            pd.DataFrame({"x": cells, "sex": ["F", "M"] * (ROWS // 2), "y": np.arange(ROWS) % 7}), found.schema
        )
        assert typed["x"].isna().sum() == 20
        assert (typed["x_missing"] == "unknown").sum() == 20

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    @pytest.mark.parametrize("unit", ["s", "us", "date"])
    def test_a_far_date_is_a_missing_code_in_any_file(self, tmp_path, kind, unit):
        texts = days().strftime("%Y-%m-%d").to_numpy(dtype=object)
        texts[:20] = "9999-12-31"
        cells = [dt.date.fromisoformat(text) for text in texts] if unit == "date" else texts.astype(f"M8[{unit}]")
        column, written = round_trip(cells, tmp_path, kind)
        assert column.missing_codes == {"9999-12-31": "unknown"}
        assert written.astype(str).tolist() == texts.tolist()

    def test_declared_codes_of_far_years_need_no_range(self):
        column = Date(missing_codes={"9999-12-31": "open", "0001-01-01": "unknown"})
        typed, unread = column.coerce(pd.Series(np.array(["9999-12-31", "0001-01-01", "2021-01-01"], dtype="M8[s]")))
        assert (typed.isna().tolist(), unread.any()) == ([True, True, False], False)


class TestSinglePrecision:
    @pytest.mark.parametrize("decimals", [1, 2, 4])
    @pytest.mark.parametrize("dtype", ["float32", "Float32", "float64"])
    def test_decimals_are_those_written(self, decimals, dtype):
        values = np.round(random().normal(4.2, 0.5, ROWS), decimals)
        cells = pd.Series(values.astype("float32")).astype(dtype)
        found = inferred(cells)
        assert found.schema.columns["x"].decimals == decimals
        typed = conform(
            pd.DataFrame({"x": cells, "sex": ["F", "M"] * (ROWS // 2), "y": np.arange(ROWS) % 7}), found.schema
        )
        assert typed["x"].tolist() == values.tolist()

    def test_a_parquet_file(self, tmp_path):
        values = np.round(random().normal(4.2, 0.5, ROWS), 1)
        pd.DataFrame({"x": values.astype("float32")}).to_parquet(tmp_path / "t.parquet")
        assert read_table(tmp_path / "t.parquet")["x"].tolist() == values.tolist()

    def test_a_missing_cell_stays_missing(self, tmp_path):
        pd.DataFrame({"x": pd.Series([4.2, None], dtype="float32")}).to_parquet(tmp_path / "t.parquet")
        assert read_table(tmp_path / "t.parquet")["x"].tolist()[0] == 4.2
        assert read_table(tmp_path / "t.parquet")["x"].isna().tolist() == [False, True]


class TestClockTimes:
    @pytest.mark.parametrize("form", ["%H:%M", "%H:%M:%S", "%H%M", "%H%M%S"])
    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_text(self, tmp_path, form, kind):
        seconds = random(1).integers(0, 86_400, ROWS)
        cells = (pd.Timestamp("2020-01-01") + pd.to_timedelta(seconds, unit="s")).strftime(form)
        column, written = round_trip(cells, tmp_path, kind)
        assert (column.type, column.format) == ("time", form)
        if ":" in form:
            assert written.tolist() == cells.tolist()
        assert written.astype(str).str.replace(":", "").astype(int).tolist() == [
            int(cell.replace(":", "")) for cell in cells
        ]

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_whole_numbers(self, tmp_path, kind):
        minutes = random(1).integers(0, 1_440, ROWS)
        cells = minutes // 60 * 100 + minutes % 60
        column, written = round_trip(cells, tmp_path, kind)
        assert (column.type, column.format) == ("time", "%-H%M")
        assert written.astype(int).tolist() == cells.tolist()

    @pytest.mark.parametrize(
        "cells",
        [
            random().integers(0, 60, ROWS),
            random().integers(0, 2_359, ROWS),
            random().integers(0, 24, ROWS) * 100,
            random().integers(1_000, 1_060, ROWS),
        ],
    )
    def test_other_whole_numbers_are_no_times(self, cells):
        assert inferred(cells).schema.columns["x"].type == "integer"

    @pytest.mark.parametrize("form", ["%-H%M", "%H:%M:%S"])
    def test_synthetic_times_are_times(self, form):
        seconds = random(1).integers(6 * 3_600, 18 * 3_600, ROWS)
        stamps = pd.Timestamp("2020-01-01") + pd.to_timedelta(seconds, unit="s")
        cells = stamps.strftime("%H%M").astype(int) if form == "%-H%M" else stamps.strftime(form)
        table = pd.DataFrame({"x": cells, "sex": ["F", "M"] * (ROWS // 2)})
        schema = sc.Schema.infer(table)
        assert schema.columns["x"].format == form
        sample = sc.ConditionalGAN(schema, effort="quick", width=32, blocks=1).fit(conform(table, schema)).sample(500)
        clock = sample["x"].astype(int) // (100 if form == "%H:%M:%S" else 1)
        assert ((clock % 100 < 60) & (clock < 2_400)).all()
        assert clock.between(500, 1_900).mean() > 0.95
        assert not schema.columns["x"].coerce(pd.Series(schema.columns["x"].notation(sample["x"])))[1].any()

    def test_a_range(self):
        schema = sc.Schema.model_validate(
            {"columns": {"x": {"type": "time", "range": [800, 1730]}, "y": {"type": "integer"}}}
        )
        table = pd.DataFrame({"x": ["07:59", "08:00", "17:30"], "y": [1, 2, 3]})
        with pytest.raises(DataError, match=r"1 of 3 rows \(1\) holds a value outside its `range`"):
            conform(table, schema)
        for ends in ([800, 1780], [900, 800]):
            with pytest.raises(ConfigError, match="range: "):
                schema.with_column("x", range=ends)


class TestNumbers:
    @pytest.mark.parametrize(
        ("write", "words"),
        [
            (lambda x: f"{x:.1f}".replace(".", ","), {"type": "number", "decimal": ",", "decimals": 1}),
            (lambda x: f"{100 * x:,.0f}", {"type": "integer", "thousands": ","}),
            (lambda x: f"{100 * x:,.2f}", {"type": "number", "thousands": ",", "decimals": 2}),
            (lambda x: f"{100 * x:,.1f}".translate(str.maketrans(",.", ".,")), {"thousands": ".", "decimal": ","}),
            (lambda x: f"{x:.0f}%", {"type": "integer", "suffix": "%", "unit": "%"}),
            (lambda x: f"{x:.1f} mg", {"type": "number", "suffix": " mg"}),
            (lambda x: f"{x:.1f} %".replace(".", ","), {"decimal": ",", "suffix": " %"}),
        ],
    )
    def test_notations(self, tmp_path, write, words):
        cells = [write(x) for x in random().uniform(10, 90, ROWS)]
        column, written = round_trip(cells, tmp_path)
        assert {word: getattr(column, word) for word in words} == words
        assert written.tolist() == cells

    @pytest.mark.parametrize(
        ("limit", "words"),
        [
            ("below", {"censored": {"below": 0.5, "above": None}, "range": (0.4, 20.0)}),
            ("above", {"censored": {"below": None, "above": 6}}),
        ],
    )
    def test_limits_of_detection(self, tmp_path, limit, words):
        values = random().lognormal(0, 1, ROWS).round(1).clip(0, 15)
        cells = ["<0.5" if x < 0.5 else f"{x:.1f}" for x in values]
        if limit == "above":
            cells = [">6" if x > 6 else str(x) for x in values.round(1) * 1.0]
        found = inferred(cells)
        if limit == "above" and cells.count(">6") < 11:
            assert found.schema.columns["x"].other == "missing"
            return
        column, written = round_trip(cells, tmp_path)
        assert column.type == "number"
        assert column.censored.model_dump() == words["censored"]
        assert written.tolist() == cells

    def test_limits_are_codes_of_their_own_and_come_back(self):
        rng = random(2)
        age, crp = rng.integers(20, 100, ROWS), rng.lognormal(0, 1, ROWS).round(1)
        table = pd.DataFrame(
            {
                "age": np.where(age > 89, ">89", age.astype(str)),
                "crp": np.where(crp < 0.5, "<0.5", np.char.mod("%.1f", crp)),
                "sex": ["F", "M"] * (ROWS // 2),
            }
        )
        table.loc[[3, 5], "crp"] = None
        schema = sc.Schema.infer(table)
        typed = conform(table, schema)
        assert typed["crp"].isna().sum() == 2
        assert (typed["age"] == 90).sum() == (age > 89).sum()
        model = sc.ConditionalGAN(schema, effort="quick", width=32, blocks=1).fit(typed)
        sample = model.sample(2_000)
        for name, text in (("age", ">89"), ("crp", "<0.5")):
            written = pd.Series(schema.columns[name].notation(sample[name]))
            real = table[name].eq(text).mean()
            assert abs(written.eq(text).mean() - real) < 0.05
            assert conform(sample, schema)[name].equals(sample[name])
            assert "<" not in written[written != text].dropna().str.cat()

    def test_several_limits_are_named(self):
        cells = [*["<0.5"] * 40, *["<0.3"] * 40, *[f"{x:.1f}" for x in random().uniform(1, 9, 160)]]
        found = inferred(cells)
        assert found.left_out == ("x",)
        assert "several limits of detection" in found.evidence["x"][0]

    def test_a_limit_of_few_patients_is_not_written(self):
        cells = [*[">89"] * 3, *map(str, random().integers(20, 89, ROWS - 3))]
        found = inferred(cells)
        assert (found.schema.columns["x"].type, found.schema.columns["x"].other) == ("integer", "missing")
        assert ">89" not in to_commented_yaml(found)

    @pytest.mark.parametrize(
        ("columns", "match"),
        [
            ({"type": "number", "decimals": 1, "range": [0.5, 9], "censored": {"below": 0.5}}, "Widen `range`"),
            ({"type": "number", "censored": {}}, "no limit"),
            ({"type": "number", "censored": {"below": 5, "above": 2}}, "Swap"),
            ({"type": "number", "decimal": ",", "thousands": ","}, "decimal mark"),
            ({"type": "number", "suffix": "7"}, "suffix"),
        ],
    )
    def test_contradictions(self, columns, match):
        with pytest.raises(ConfigError, match=match):
            sc.Schema.model_validate({"columns": {"x": {"type": "integer"}}}).with_column("x", **columns)


class TestMissingCodes:
    @pytest.mark.parametrize(
        ("tokens", "names"),
        [
            (["."], {".": "unknown"}),
            ([".", ".A", ".B"], {".": "code .", ".A": "code .A", ".B": "code .B"}),
            (["unknown"], {"unknown": "unknown"}),
        ],
    )
    @pytest.mark.parametrize("kind", ["number", "level", "date", "comma", "time"])
    def test_usual_texts(self, tmp_path, tokens, names, kind):
        cells = {
            "number": lambda: random().integers(20, 99, ROWS).astype(str),
            "level": lambda: random().integers(1, 5, ROWS).astype(str),
            "date": lambda: days().strftime("%Y-%m-%d"),
            "comma": lambda: [f"{x:.1f}".replace(".", ",") for x in random().uniform(20, 99, ROWS)],
            "time": lambda: [f"{x // 60:02d}:{x % 60:02d}" for x in random().integers(0, 1_440, ROWS)],
        }[kind]()
        cells = np.array(cells, dtype=object)
        for place, token in enumerate(tokens):
            cells[place * 15 : place * 15 + 15] = token
        column, written = round_trip(cells, tmp_path)
        assert column.missing_codes == names
        assert (column.type, column.other) == (
            {"number": "integer", "level": "ordinal", "comma": "number"}.get(kind, kind),
            None,
        )
        assert written[written.isin(tokens)].tolist() == cells[pd.Series(cells).isin(tokens)].tolist()

    def test_other_text_among_numbers_is_read_as_missing_if_rare(self):
        cells = random().integers(20, 99, ROWS).astype(str).astype(object)
        cells[[4, 9]] = ["see chart", "?"]
        found = inferred(cells)
        assert (found.schema.columns["x"].type, found.schema.columns["x"].other) == ("integer", "missing")
        assert "not readable, and read as missing: 2 of 240 cells (rows 5, 10)" in found.evidence["x"]
        assert "see chart" not in to_commented_yaml(found)

    def test_other_text_among_numbers_is_named_if_frequent(self):
        cells = random().integers(20, 99, ROWS).astype(str).astype(object)
        cells[:40] = "haemolytic"
        found = inferred(cells)
        assert found.left_out == ("x",)
        assert "40 of 240 cells are no numbers, the others are" in found.evidence["x"][0]
        remedy = {"type": "number", "missing": "allowed", "missing_codes": {"haemolytic": "haemolytic"}}
        table = pd.DataFrame({"x": cells, "sex": ["F", "M"] * (ROWS // 2), "y": np.arange(ROWS) % 7})
        assert conform(table, found.schema.with_column("x", **remedy))["x"].isna().sum() == 40


class TestSpellings:
    def test_of_yes_and_no(self, tmp_path):
        cells = random().choice(["Y", "N", "yes", "no"], ROWS, p=[0.4, 0.3, 0.2, 0.1])
        column, written = round_trip(cells, tmp_path)
        assert (column.type, column.values, column.spellings) == ("boolean", ("N", "Y"), {"no": "N", "yes": "Y"})
        assert written.tolist() == [cell[0].upper() for cell in cells]

    def test_are_declared_for_any_level(self):
        sex = {"type": "category", "categories": ["F", "M"], "spellings": {"female": "F", "m": "M", 1: "F"}}
        schema = sc.Schema.model_validate({"columns": {"sex": sex, "y": {"type": "integer"}}})
        table = pd.DataFrame({"sex": pd.Series(["female", "M", "m", 1], dtype=object), "y": [1, 2, 3, 4]})
        assert conform(table, schema)["sex"].tolist() == ["F", "M", "M", "F"]
        for wrong in ({"f": "X"}, {"M": "F"}):
            with pytest.raises(ConfigError, match="spellings: "):
                schema.with_column("sex", spellings=wrong)


class TestVocabularies:
    def test_terms_beside_numbers_are_codes(self):
        rng = random()
        cells = [f"{x}" for x in rng.integers(100, 999, ROWS)]
        for place in range(0, 40, 4):
            cells[place] = f"V{10 + place}"
        assert inferred(cells).schema.columns["x"].type == "code"

    def test_limits_beside_numbers_are_none(self):
        cells = [">400" if x > 400 else f"{x}" for x in random().integers(150, 430, ROWS)]
        column = inferred(cells).schema.columns["x"]
        assert (column.type, column.censored.above) == ("integer", 400)


class TestRatios:
    def test_a_pair_of_numbers_is_named(self):
        rng = random()
        cells = [f"{x}/{y}" for x, y in zip(rng.integers(90, 180, ROWS), rng.integers(50, 90, ROWS), strict=True)]
        found = inferred(cells)
        assert found.schema.columns["x"].split == ("x_1", "x_2")
        assert found.evidence["x"] == ["all 240 cells are two numbers, modelled as 'x_1' and 'x_2'"]

    def test_a_few_ratios_are_levels(self):
        assert inferred(random().choice(["6/6", "6/9", "6/12"], ROWS)).schema.columns["x"].type == "category"
