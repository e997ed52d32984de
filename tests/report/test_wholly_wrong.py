"""A report on a wholly wrong synthetic table: every score is built, judged, saved and read back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.progress import quiet
from synthclin.report import Report, evaluate
from synthclin.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "age": {"type": "integer", "range": [0, 120], "role": "baseline"},
            "hb": {"type": "number", "decimals": 1, "missing": "allowed"},
            "site": {"type": "category", "categories": ["A", "B", "C"]},
            "arm": {"type": "category", "categories": ["drug", "none"], "role": "treatment"},
            "days": {"type": "number", "role": "time"},
            "died": {"type": "boolean", "values": [0, 1], "role": "event"},
        },
        "constraints": ["age > 17"],
    }
)
TASKS = [
    {"task": "predict", "target": "died"},
    {"task": "cox", "event": "died", "covariates": ["age", "hb", "arm"]},
    {"task": "survival", "event": "died", "by": "arm"},
    {"task": "linear", "target": "hb", "covariates": ["age", "site"]},
    {"task": "logistic", "target": "died", "covariates": ["hb", "arm"]},
    {"task": "compare", "target": "hb", "by": "arm"},
]


def patients(rows, seed):
    rng = np.random.default_rng(seed)
    age, drug = rng.integers(20, 90, rows), rng.random(rows) < 0.5
    event, end = rng.exponential(300 * np.exp(-(age - 55) / 30 + drug)), rng.uniform(100, 900, rows)
    hb = np.round(15 - age / 30 + rng.normal(0, 1, rows), 1)
    return pd.DataFrame(
        {
            "age": pd.array(age, dtype="Int64"),
            "hb": np.where(rng.random(rows) < 0.1, np.nan, hb),
            "site": pd.Categorical(rng.choice(["A", "B", "C"], rows), categories=["A", "B", "C"]),
            "arm": pd.Categorical(np.where(drug, "drug", "none"), categories=["drug", "none"]),
            "days": np.minimum(event, end),
            "died": pd.array((event <= end).astype(int), dtype="Int64"),
        }
    )


def missing(column):
    return pd.Series([None] * len(column), dtype=column.dtype)


def constant(column):
    return column.iloc[[0] * len(column)].reset_index(drop=True)


def shuffled(column):
    return column.sample(frac=1, random_state=7).reset_index(drop=True)


def disjoint(column):
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(["elsewhere"] * len(column), dtype=pd.CategoricalDtype([*column.cat.categories, "elsewhere"]))
    return column + 1_000


@pytest.fixture(scope="module")
def real():
    return patients(120, 1), patients(70, 2)


@pytest.mark.parametrize("columns", [list(SCHEMA.columns), ["hb"], ["arm"], ["days", "died"]], ids="+".join)
@pytest.mark.parametrize("damage", [missing, constant, shuffled, disjoint])
def test_a_wholly_wrong_column_gets_a_report_in_every_edition_and_format(damage, columns, real, tmp_path):
    train, holdout = real
    wrong = patients(120, 3).assign(**{name: damage(patients(120, 3)[name]) for name in columns})
    with quiet():
        report = evaluate(wrong, train=train, holdout=holdout, schema=SCHEMA, tasks=TASKS, by=["arm"], workers=1)
    for edition in (report, report.shareable()):
        for kind in ("html", "json", "md"):
            edition.save(tmp_path / f"{edition.edition}.{kind}")
        assert Report.read(tmp_path / f"{edition.edition}.json").to_dict() == edition.to_dict()
    for score in report.scores:
        assert np.isfinite(score.value) or score.note, score.name
    if damage is not shuffled and columns != ["days", "died"]:
        assert not report.passed
