from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.disclosure import is_small
from synthclin.evaluation.sections import marginal_panels, sections, table_one
from synthclin.schema import Schema

from .clinic import SCHEMA, clinic


def test_panels_count_every_row_on_shared_cells(compare, ideal, train):
    panels = {panel["column"]: panel for panel in marginal_panels(compare(ideal))}
    assert list(panels) == list(SCHEMA.columns)
    for name, panel in panels.items():
        cells = len(panel["edges"]) + 1 if panel["kind"] == "line" else len(panel["labels"])
        assert len(panel["real"]) == len(panel["synthetic"]) == cells
        assert sum(panel["synthetic"]) == ideal[name].notna().sum()
        assert sum(panel["real"]) == train[name].notna().sum()
    assert date.fromisoformat(panels["seen"]["edges"][0]).year in (2019, 2020)
    assert panels["nyha"]["labels"] == ["I", "II", "III", "IV"]


@given(st.integers(0, 50), st.integers(12, 200), st.integers(0, 30))
def test_small_cells_are_suppressed_also_against_subtraction(seed, rows, holes):
    rng = np.random.default_rng(seed)
    schema = Schema.model_validate(
        {
            "columns": {
                "x": {"type": "number", "missing": "allowed"},
                "c": {"type": "category", "missing": "allowed"},
                "o": {"type": "ordinal", "categories": list("abcdef"), "missing": "allowed"},
            }
        }
    )
    levels = rng.choice(list("abcdef"), rows, p=[0.5, 0.3, 0.1, 0.05, 0.04, 0.01])
    table = pd.DataFrame(
        {
            "x": rng.exponential(size=rows),
            "c": pd.Categorical(levels),
            "o": pd.Categorical(levels, list("abcdef"), ordered=True),
        }
    )
    table.loc[: holes - 1] = np.nan
    for panel in marginal_panels(Comparison.of(table, train=table, holdout=None, schema=schema)):
        counts = [*panel["real"], panel["missing"]["real"]]
        shown = [count for count in counts if count is not None]
        assert not any(map(is_small, shown))
        # One unknown could be found by subtraction from the number of rows, unless it is none.
        assert len(counts) - len(shown) != 1 or sum(shown) == rows


def test_extreme_values_are_not_disclosed():
    table = clinic(300, 1)
    table.loc[0, "bmi"] = 69.9
    panel = next(
        p
        for p in marginal_panels(Comparison.of(table, train=table, holdout=None, schema=SCHEMA))
        if p["column"] == "bmi"
    )
    assert max(panel["edges"]) < 40
    assert "69.9" not in json.dumps(table_one(Comparison.of(table, train=table, holdout=None, schema=SCHEMA)))


def test_table_one_gives_means_shares_and_standardised_differences(compare, ideal, train):
    blocks = {block["column"]: block for block in table_one(compare(ideal))}
    assert blocks["age"]["real"]["mean"] == pytest.approx(train["age"].astype(float).mean())
    assert blocks["age"]["synthetic"]["sd"] == pytest.approx(ideal["age"].astype(float).std())
    assert abs(blocks["age"]["difference"]) < 0.2
    women = blocks["sex"]["levels"][0]
    assert women["level"] == "F"
    assert women["real"] == {"n": (train["sex"] == "F").sum(), "percent": round(100 * (train["sex"] == "F").mean(), 1)}
    p, q = (train["sex"] == "M").mean(), (ideal["sex"] == "M").mean()
    expected = abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert blocks["sex"]["difference"] == pytest.approx(expected, abs=1e-4)


def test_sections_are_plain_json(compare, ideal):
    c = compare(ideal)
    found = sections(c)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == {"rows", "marginals", "table_one"}
    assert found["rows"] == {"train": 400, "holdout": 200, "synthetic": 400}


@pytest.mark.parametrize("missing", [1, 4, 40])
def test_percentages_do_not_disclose_small_counts_of_missing_values(missing):
    rng = np.random.default_rng(0)
    schema = Schema.model_validate(
        {
            "columns": {
                "x": {"type": "number"},
                "ecg": {"type": "category", "categories": ["a", "b", "c"], "missing": "allowed"},
            }
        }
    )
    levels = pd.Categorical(rng.choice(["a", "b", "c"], 400, p=[0.6, 0.2, 0.2]), categories=["a", "b", "c"])
    table = pd.DataFrame({"x": rng.normal(size=400), "ecg": levels})
    table.loc[: missing - 1, "ecg"] = None
    block = table_one(Comparison.of(table, train=table, holdout=None, schema=schema))[1]
    shown = [row["real"]["percent"] for row in block["levels"] if row["real"]["n"] is not None]
    assert shown
    assert all((percent is None) == (missing < 11) for percent in shown)
