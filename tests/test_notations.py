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

ROWS = 240


def random(seed=0):
    return np.random.default_rng(seed)


def days(rows=ROWS):
    return pd.Timestamp("2021-01-01") + pd.to_timedelta(random().integers(0, 900, rows), unit="D")


def inferred(cells):
    return infer(pd.DataFrame({"x": cells, "sex": ["F", "M"] * (len(cells) // 2)}))


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
        typed = conform(pd.DataFrame({"x": cells, "sex": ["F", "M"] * (ROWS // 2)}), found.schema)
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
        typed = conform(pd.DataFrame({"x": cells, "sex": ["F", "M"] * (ROWS // 2)}), found.schema)
        assert typed["x"].tolist() == values.tolist()

    def test_a_parquet_file(self, tmp_path):
        values = np.round(random().normal(4.2, 0.5, ROWS), 1)
        pd.DataFrame({"x": values.astype("float32")}).to_parquet(tmp_path / "t.parquet")
        assert read_table(tmp_path / "t.parquet")["x"].tolist() == values.tolist()

    def test_a_missing_cell_stays_missing(self, tmp_path):
        pd.DataFrame({"x": pd.Series([4.2, None], dtype="float32")}).to_parquet(tmp_path / "t.parquet")
        assert read_table(tmp_path / "t.parquet")["x"].tolist()[0] == 4.2
        assert read_table(tmp_path / "t.parquet")["x"].isna().tolist() == [False, True]
