from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from sklearn.linear_model import LogisticRegression
from statsmodels.duration.survfunc import SurvfuncRight

from synthclin.errors import ConfigError
from synthclin.evaluation.analyses import study
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.replication import combined, overlap, replicate
from synthclin.evaluation.restricted_mean import rmst
from synthclin.evaluation.tasks import CompareTask, CoxTask, LinearTask, LogisticTask, SurvivalTask
from synthclin.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "age": {"type": "number"},
            "arm": {"type": "category", "categories": ["control", "drug"]},
            "sbp": {"type": "number", "missing": "allowed"},
            "ill": {"type": "boolean", "values": [0, 1]},
            "time": {"type": "number", "range": [0, 20]},
            "died": {"type": "boolean", "values": [0, 1], "role": "event"},
        }
    }
)
TASKS = [
    LinearTask(target="sbp", covariates=("age", "arm")),
    LogisticTask(target="ill", covariates=("age", "arm")),
    CoxTask(time="time", event="died", covariates=("age", "arm")),
    SurvivalTask(time="time", event="died", by="arm", horizon=10),
    CompareTask(target="sbp", by="arm"),
]


def trial(rows, seed, effect=-0.8):
    """Return a trial whose drug has a known log hazard ratio, and the same effect on everything else."""
    rng = np.random.default_rng(seed)
    age, drug = rng.normal(60, 10, rows), rng.random(rows) < 0.5
    risk = (age - 60) / 20 + effect * drug
    event, end = rng.exponential(8 * np.exp(-risk)), rng.uniform(2, 20, rows)
    sbp = 140 + 10 * risk + rng.normal(0, 10, rows)
    return pd.DataFrame(
        {
            "age": age,
            "arm": pd.Categorical(np.where(drug, "drug", "control"), categories=["control", "drug"]),
            "sbp": np.where(rng.random(rows) < 0.1, np.nan, sbp),
            "ill": pd.array((rng.random(rows) < 1 / (1 + np.exp(-risk))).astype(int), dtype="Int64"),
            "time": np.minimum(event, end),
            "died": pd.array((event <= end).astype(int), dtype="Int64"),
        }
    )


TRAIN, HOLDOUT = trial(400, 1), trial(100, 2)


def compared(*tables):
    return Comparison.of(list(tables), train=TRAIN, holdout=HOLDOUT, schema=SCHEMA)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.task)
def test_ideal_rows_overlap_and_a_reversed_effect_does_not(task):
    good = replicate(compared(*(trial(400, 10 + i) for i in range(3))), task)
    bad = replicate(compared(*(trial(400, 10 + i, effect=0.8) for i in range(3))), task)
    chance = 2 * good.reference_error
    assert good.low - chance <= good.reference <= good.high + chance
    assert bad.high < good.low
    assert good.details["signs_agree"] == 1.0
    assert bad.details["signs_agree"] < 1.0
    assert "is reversed" in bad.note
    # Half of the tasks depend on age as well, which still agrees.
    assert good.baseline < good.reference


def test_a_lost_effect_changes_the_decision_and_keeps_no_estimate():
    lost = replicate(compared(*(trial(400, 10 + i, effect=0.0) for i in range(3))), TASKS[2])
    arm = next(row for row in lost.details["terms"] if "arm" in row["term"])
    assert arm["decision_agrees"] is False
    assert arm["estimate_agrees"] is False
    assert arm["standardised_difference"] > 2
    assert arm["overlap"] < 0.5


def test_a_known_hazard_ratio_is_estimated():
    c = Comparison.of(trial(1200, 5), train=trial(1200, 6), holdout=None, schema=SCHEMA)
    found = study(c, TASKS[2])
    sign = 1 if "drug against" in found.terms[1] else -1
    for rows in (c.train, c.synthetic):
        assert sign * found.run(rows)[0][1] == pytest.approx(-0.8, abs=0.2)


def test_estimates_are_those_of_formulas_and_scipy():
    c = compared(TRAIN)
    frame = TRAIN.assign(
        age=(TRAIN["age"] - TRAIN["age"].mean()) / TRAIN["age"].std(ddof=0), ill=TRAIN["ill"].astype(int)
    )
    base = TRAIN["arm"].value_counts().index[0]
    formulas = [smf.ols, smf.logit]
    for task, model, target in zip(TASKS, formulas, ("sbp", "ill"), strict=False):
        direct = model(f"{target} ~ age + C(arm, Treatment('{base}'))", frame).fit(disp=0)
        found = study(c, task).run(c.train)
        assert found[0] == pytest.approx(direct.params[["age", direct.params.index[1]]].to_numpy(), rel=1e-4)
        assert found[1] == pytest.approx(direct.bse[["age", direct.params.index[1]]].to_numpy(), rel=1e-3)
    one, other = (TRAIN.loc[(TRAIN["arm"] == base) == is_base, "sbp"].dropna() for is_base in (False, True))
    estimate, error = study(c, TASKS[4]).run(c.train)
    assert estimate[0] / error[0] == pytest.approx(stats.ttest_ind(one, other, equal_var=False).statistic)


def test_the_restricted_mean_is_the_area_under_the_curve_of_statsmodels():
    times, events = TRAIN["time"].to_numpy(), TRAIN["died"].to_numpy(dtype=bool)
    curve = SurvfuncRight(times, events)
    steps = np.concatenate([[0], curve.surv_times[curve.surv_times <= 10], [10]])
    heights = np.concatenate([[1], curve.surv_prob[curve.surv_times <= 10]])
    assert rmst((times, events), 10.0)[0] == pytest.approx((heights * np.diff(steps)).sum())


def test_the_standard_error_of_the_restricted_mean_is_the_spread_of_many_studies():
    found = [
        rmst((t["time"].to_numpy(), t["died"].to_numpy(bool)), 10.0) for t in (trial(200, 100 + i) for i in range(150))
    ]
    means, errors = np.array(found).T
    assert errors.mean() == pytest.approx(means.std(ddof=1), rel=0.15)


def test_combined_intervals_of_a_correct_model_cover_the_truth():
    # A correct model of a normal distribution: mean and variance are fitted, m replicates are sampled.
    rng = np.random.default_rng(0)
    n, m, hits = 60, 5, 0
    for _ in range(800):
        real = rng.normal(0, 1, n)
        tables = [rng.normal(real.mean(), real.std(ddof=1), n) for _ in range(m)]
        each = [(np.array([t.mean()]), np.array([t.std(ddof=1) / np.sqrt(n)])) for t in tables]
        estimate, error = combined(each, 1.0)
        hits += abs(estimate[0]) < 1.96 * error[0]
    assert hits / 800 == pytest.approx(0.95, abs=0.03)


def test_overlap_is_one_for_equal_intervals_and_negative_for_distant_ones():
    here, there = (np.array([0.0]), np.array([1.0])), (np.array([9.0]), np.array([1.0]))
    assert overlap(here, here)[0] == pytest.approx(1.0)
    assert overlap(here, there)[0] < 0
    assert np.isnan(overlap(here, (np.array([np.nan]), np.array([1.0])))[0])


def test_analyses_that_are_not_possible_give_a_note():
    with pytest.raises(ConfigError, match="ward"):
        study(compared(TRAIN), CompareTask(target="ward", by="arm"))
    with pytest.raises(ConfigError, match="two values"):
        study(compared(TRAIN), LogisticTask(target="age", covariates=("arm",)))
    with pytest.raises(ConfigError, match="no number"):
        study(compared(TRAIN), LinearTask(target="arm", covariates=("age",)))
    with pytest.raises(ConfigError, match="no levels"):
        study(compared(TRAIN), SurvivalTask(time="time", event="died", by="age"))
    one = TRAIN.assign(arm=pd.Categorical(["drug"] * 400, categories=["control", "drug"]))
    score = replicate(Comparison.of(one, train=one, holdout=None, schema=SCHEMA), CompareTask(target="sbp", by="arm"))
    assert math.isnan(score.value)
    assert "No term" in score.note


def test_an_event_that_never_happens_in_synthetic_rows_is_a_lost_answer():
    never = trial(400, 9).assign(died=pd.array([0] * 400, dtype="Int64"))
    score = replicate(compared(never), TASKS[2])
    assert score.value == -1.0


def test_regressions_are_those_of_least_squares_and_of_scikit_learn():
    c = compared(TRAIN)
    linear, logistic = (study(c, task) for task in TASKS[:2])
    sbp, ill = (c.train[:, c.features.names.index(name)] for name in ("sbp", "ill"))
    x, known = linear.matrix(c.train), ~np.isnan(sbp)
    both = np.column_stack([np.ones(known.sum()), x[known]])
    slopes, residuals, *_ = np.linalg.lstsq(both, sbp[known])
    errors = np.sqrt(np.diag(np.linalg.inv(both.T @ both)) * residuals[0] / (len(both) - 3))
    assert linear.run(c.train)[0] == pytest.approx(slopes[1:])
    assert linear.run(c.train)[1] == pytest.approx(errors[1:])
    direct = LogisticRegression(C=np.inf, tol=1e-8).fit(logistic.matrix(c.train), ill)
    assert logistic.run(c.train)[0] == pytest.approx(direct.coef_[0], rel=1e-3)
