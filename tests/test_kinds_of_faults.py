"""Faults that users report of synthesizers, two inputs of each kind, from the table to the result."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.evaluation.analyses.analysis_fits import study
from synthclin.evaluation.analyses.replication import replicate
from synthclin.evaluation.analyses.survival_fidelity import followed
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.marginals import marginals
from synthclin.evaluation.tasks import CoxTask, SurvivalTask
from synthclin.evaluation.validity import rules
from synthclin.inference import infer
from synthclin.rules.validation import check, conform
from synthclin.schema import Schema
from synthclin.schema.dtypes import retyped
from synthclin.tables import read_table, write_table

pytestmark = pytest.mark.usefixtures("brief_trainings")

ROWS = 300


def random(seed=0):
    return np.random.default_rng(seed)


def people(rows=ROWS, seed=0):
    rng = random(seed)
    return pd.DataFrame({"age": rng.integers(20, 90, rows), "sex": rng.choice(["F", "M"], rows)})


def sampled(table, schema, rows=1_000):
    model = sc.ConditionalGAN(schema, effort="quick", width=16, random_state=1).fit(table)
    return model.sample(rows, random_state=1)


# -- dates and times written as whole numbers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "start"), [("%Y%m%d", "1931-05-04"), ("%d%m%Y", "2019-11-02")], ids=["births", "days first"]
)
def test_dates_written_as_whole_numbers_exist(form, start, tmp_path):
    days = pd.Timestamp(start) + pd.to_timedelta(random(1).integers(0, 1_500, ROWS), unit="D")
    table = people().assign(day=days.strftime(form).astype(int) if form == "%Y%m%d" else days.strftime(form))
    table.to_csv(tmp_path / "real.csv", index=False)
    schema = Schema.model_validate(
        {
            "columns": {
                "age": {"type": "integer"},
                "sex": {"type": "category", "categories": ["F", "M"]},
                "day": {"type": "date", "format": form},
            }
        }
    )
    real = read_table(tmp_path / "real.csv", schema)
    write_table(sampled(real, schema), tmp_path / "out.csv", schema)
    cells = pd.read_csv(tmp_path / "out.csv", dtype=str)["day"]
    assert pd.to_datetime(cells, format=form, errors="coerce").notna().all()
    if form == "%Y%m%d":
        assert infer(read_table(tmp_path / "real.csv")).schema.columns["day"].format == form


# -- numbers on a step -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "mean", "spread"), [(25, 900, 300), (0.25, 12, 4)], ids=["dose", "quarters"])
def test_numbers_on_a_step_stay_on_it(step, mean, spread):
    cells = step * np.round(random(2).normal(mean, spread, ROWS) / step)
    table = people().assign(dose=cells)
    synthetic = sampled(table, infer(table).schema)["dose"].astype(float)
    assert np.isclose(synthetic / step, np.round(synthetic / step)).mean() > 0.98


# -- combinations with missing cells ---------------------------------------------------------------------------------


@pytest.mark.parametrize("alone", ["both", "second"])
def test_combinations_with_missing_cells_are_drawn_as_often(alone):
    rng = random(3)
    drug = rng.choice(["A", "B", "none"], 600, p=[0.4, 0.4, 0.2])
    route = np.where(drug == "A", "oral", np.where(drug == "B", "vein", None))
    table = people(600).assign(drug=np.where((drug == "none") & (alone == "both"), None, drug), route=route)
    levels = {"drug": ["A", "B"] if alone == "both" else ["A", "B", "none"], "route": ["oral", "vein"]}
    columns = {name: {"type": "category", "categories": some, "missing": "allowed"} for name, some in levels.items()}
    base = {"age": {"type": "integer"}, "sex": {"type": "category", "categories": ["F", "M"]}}
    schema = Schema.model_validate({"columns": {**base, **columns}, "constraints": [{"columns": ["drug", "route"]}]})
    shares = [
        some.astype(object).fillna("-").value_counts(["drug", "route"], normalize=True)
        for some in (table[["drug", "route"]], sampled(table, schema, 3_000)[["drug", "route"]].astype(object))
    ]
    assert set(shares[0].index) == set(shares[1].index)
    assert (shares[0] - shares[1]).abs().max() < 0.06


# -- survival --------------------------------------------------------------------------------------------------------


def follow_up(rows, seed, levels, *, censored=0.0, spared=None):
    rng = random(seed)
    table = people(rows, seed).assign(arm=rng.choice(["A", "B"], rows))
    days = rng.exponential(300 * np.exp(-0.03 * (table["age"] - 60) - 0.4 * (table["arm"] == "B"))) + 1
    event = rng.random(rows) >= censored
    if spared is not None:
        event &= (table["sex"] != spared).to_numpy()
    return table.assign(days=np.ceil(days).astype(int), end=np.where(event, levels[1], levels[0]))


def survival_schema(levels):
    kind = {"type": "boolean", "values": levels} if isinstance(levels[0], int) else None
    end = kind or {"type": "category", "categories": levels, "censored": levels[0]}
    columns = {
        "age": {"type": "integer"},
        "sex": {"type": "category", "categories": ["F", "M"]},
        "arm": {"type": "category", "categories": ["A", "B"]},
        "days": {"type": "integer", "role": "time", "range": [0, 100_000]},
        "end": {**end, "role": "event"},
    }
    return Schema.model_validate({"columns": columns})


def comparison(levels, synthetic, **keys):
    schema = survival_schema(levels)
    real = conform(follow_up(440, 5, levels, **keys), schema)
    train, holdout = real[:280], real[280:].reset_index(drop=True)
    return Comparison.of(conform(synthetic, schema), train=train, holdout=holdout, schema=schema)


@pytest.mark.parametrize("levels", [[0, 1], ["alive", "dead"]], ids=["numbers", "texts"])
def test_a_cox_regression_needs_no_censored_patient(levels):
    task = CoxTask(event="end", covariates=("age", "arm"))
    same, other = follow_up(280, 6, levels), follow_up(280, 6, levels)
    other["age"] = random(7).permutation(other["age"])
    good, lost = (replicate(c, task, study(c, task)).value for c in (comparison(levels, one) for one in (same, other)))
    assert good > 0.5 > lost + 0.2


@pytest.mark.parametrize("levels", [[0, 1], ["alive", "dead"]], ids=["numbers", "texts"])
def test_a_group_without_events_is_compared_as_one(levels):
    task = SurvivalTask(event="end", by="sex")
    keys = {"spared": "F", "censored": 0.3}
    tables = follow_up(280, 6, levels, **keys), follow_up(280, 6, levels, censored=0.3)
    same, other = (
        {score.name: score.value for score in followed(comparison(levels, table, **keys), task)} for table in tables
    )
    assert same["survival.curve.end"] < 0.1 < other["survival.curve.end"]


# -- columns that are missing as a whole in synthetic rows -----------------------------------------------------------


@pytest.mark.parametrize("name", ["sex", "age"])
def test_a_column_that_is_wholly_missing_in_synthetic_rows_is_reported(name):
    real = people(400).assign(sbp=lambda table: 100 + table["age"] // 2)
    schema = infer(real).schema
    synthetic = people(280, 1).assign(sbp=120 + np.arange(280) % 9, **{name: None})
    train, holdout = conform(real[:280], schema), conform(real[280:], schema)
    c = Comparison.of(retyped(synthetic, schema), train=train, holdout=holdout, schema=schema)
    columns = {row["column"]: row["value"] for row in marginals(c).details["columns"]}
    assert columns[name] == pytest.approx(0, abs=1e-9)
    assert columns["sbp"] > 0
    assert rules(c).value == 0


# -- identifiers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["P{:04d}", "2021-{:03d}/W"], ids=["letter", "year"])
def test_synthetic_identifiers_are_none_of_real_patients(form):
    table = people().assign(patient=[form.format(row) for row in range(1, ROWS + 1)])
    columns = {
        "age": {"type": "integer"},
        "sex": {"type": "category", "categories": ["F", "M"]},
        "patient": {"type": "id", "format": form, "role": "entity"},
    }
    schema = Schema.model_validate({"columns": columns})
    with pytest.warns(UserWarning, match="lower ones may be those of training rows"):
        model = sc.ConditionalGAN(schema, effort="quick", width=16, random_state=1).fit(table)
    first = model.sample(100, random_state=1)["patient"]
    second = model.sample(100, random_state=1, id_start=200_001)["patient"]
    assert not set(first) & set(table["patient"])
    assert not (set(first) | set(table["patient"])) & set(second)


# -- single precision ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("decimals", [1, 2])
def test_single_precision_keeps_the_decimals_that_were_written(kind, decimals, tmp_path):
    table = people().assign(lactate=random(8).gamma(3, 0.7, ROWS).round(decimals).astype("float32"))
    path = tmp_path / f"real.{kind}"
    table.to_parquet(path) if kind == "parquet" else table.astype({"lactate": float}).to_csv(path, index=False)
    real = read_table(path)
    schema = infer(real).schema
    assert schema.columns["lactate"].decimals == decimals
    write_table(sampled(real, schema), tmp_path / "out.csv", schema)
    cells = pd.read_csv(tmp_path / "out.csv", dtype=str)["lactate"]
    assert cells.str.fullmatch(rf"[0-9]+(\.[0-9]{{1,{decimals}}})?").all()


# -- laboratory values that are text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "check_text"),
    [
        (lambda x: "<0.03" if x < 0.03 else f"{x:.2f}", r"<0\.03|[0-9]+(\.[0-9]{1,2})?"),
        (lambda x: f"{1_000 * x:,.0f} ng/L", r"[0-9]{1,3}(,[0-9]{3})* ng/L"),
        (lambda x: f"{x:.2f}".replace(".", ","), r"[0-9]+(,[0-9]{1,2})?"),
        (lambda x: f"{120 + int(20 * x)}/{60 + int(10 * x)}", r"[0-9]+/[0-9]+"),
    ],
    ids=["limit of detection", "unit and thousands", "decimal comma", "ratio"],
)
def test_laboratory_values_that_are_text_are_read_and_written_back(write, check_text, tmp_path):
    table = people().assign(troponin=[write(x) for x in random(9).lognormal(-1, 1.3, ROWS)])
    table.to_csv(tmp_path / "real.csv", index=False)
    found = infer(read_table(tmp_path / "real.csv"))
    assert found.left_out == ()
    real = read_table(tmp_path / "real.csv", found.schema)
    assert [one for one in check(real, found.schema) if one.severity == "error"] == []
    write_table(sampled(real, found.schema, 200), tmp_path / "out.csv", found.schema)
    out = pd.read_csv(tmp_path / "out.csv", dtype=str)
    assert list(out) == list(table)
    assert out["troponin"].str.fullmatch(check_text).all()
