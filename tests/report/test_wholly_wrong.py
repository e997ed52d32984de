"""A report on a wholly wrong synthetic table: every score is built, judged, saved and read back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.associations import association_changes
from synthclin.evaluation.fidelity.marginals import marginals
from synthclin.evaluation.gates import default_gates, judge
from synthclin.progress import quiet
from synthclin.report import Report, evaluate
from synthclin.schema import Schema
from tests.evaluation.conftest import spare

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
    return column.sample(frac=1, random_state=sum(map(ord, column.name))).reset_index(drop=True)


def disjoint(column):
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(["elsewhere"] * len(column), dtype=pd.CategoricalDtype([*column.cat.categories, "elsewhere"]))
    return column + 1_000


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    spare(monkeypatch)


@pytest.fixture(scope="module")
def real():
    return patients(120, 1), patients(70, 2)


DAMAGES = [missing, constant, shuffled, disjoint]


def assert_every_edition_is_saved(report, folder):
    for edition in (report, report.shareable()):
        for kind in ("html", "json", "md"):
            edition.save(folder / f"{edition.edition}.{kind}")
        assert Report.read(folder / f"{edition.edition}.json").to_dict() == edition.to_dict()
    for score in report.scores:
        assert np.isfinite(score.value) or score.note, score.name


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_table_of_wrong_columns_gets_a_report_and_fails(damage, real, tmp_path):
    train, _ = real
    wrong = patients(120, 3).apply(damage)
    with quiet():
        report = evaluate(wrong, train=train, schema=SCHEMA, tasks=TASKS, by=["arm"], workers=1)
    assert_every_edition_is_saved(report, tmp_path)
    assert not report.passed


@pytest.mark.parametrize("turn", range(len(DAMAGES)))
def test_every_score_stands_columns_that_are_wrong_in_several_ways(turn, real, tmp_path):
    train, holdout = real
    columns = {name: DAMAGES[(place + turn) % 4] for place, name in enumerate(SCHEMA.columns)}
    wrong = patients(120, 3).assign(**{name: damage(patients(120, 3)[name]) for name, damage in columns.items()})
    with quiet():
        report = evaluate(wrong, train=train, holdout=holdout, schema=SCHEMA, tasks=TASKS, workers=1)
    assert_every_edition_is_saved(report, tmp_path)
    assert not report.passed


@pytest.mark.parametrize("damage", [missing, constant, disjoint])
def test_one_wrong_column_of_many_is_not_hidden_by_the_mean(damage):
    rng = np.random.default_rng(0)
    names = [f"x{k}" for k in range(30)]
    schema = Schema.model_validate({"columns": {name: {"type": "number", "missing": "allowed"} for name in names}})
    train, right = (pd.DataFrame(rng.normal(size=(400, 30)), columns=names) for _ in range(2))
    wrong = right.assign(x7=damage(right["x7"]))
    scores = [marginals(Comparison.of(each, train=train, holdout=None, schema=schema)) for each in (right, wrong)]
    verdicts = [judge(default_gates([score]), [score])[0] for score in scores]
    assert [verdict.status for verdict in verdicts] == ["PASS", "FAIL"]
    assert "'x7'" in verdicts[1].reason


@pytest.mark.parametrize("names", [["x0"], ["x0", "x1", "x2", "x3"]], ids="+".join)
def test_shuffled_columns_fail_on_dependence(names):
    def rows(seed):
        rng = np.random.default_rng(seed)
        common = rng.normal(size=(300, 1))
        return pd.DataFrame(common + rng.normal(size=(300, 4)), columns=["x0", "x1", "x2", "x3"])

    schema = Schema.model_validate({"columns": {name: {"type": "number"} for name in rows(0)}})
    right = rows(2)
    wrong = right.assign(**{name: shuffled(right[name]) for name in names})
    scores = [
        association_changes(Comparison.of(each, train=rows(1), holdout=None, schema=schema)) for each in (right, wrong)
    ]
    assert [judge(default_gates([score]), [score])[0].status for score in scores] == ["PASS", "FAIL"]


def test_independent_columns_have_no_gate_on_dependence():
    rng = np.random.default_rng(3)
    schema = Schema.model_validate({"columns": {name: {"type": "number"} for name in "abc"}})
    tables = [pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc")) for _ in range(2)]
    score = association_changes(Comparison.of(tables[0], train=tables[1], holdout=None, schema=schema))
    assert default_gates([score]) == ()
