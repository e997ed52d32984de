"""Analyses at the edge: events of one kind only, separation, skewed covariates, and checks against the schema."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.duration.hazard_regression import PHReg

from synthclin.errors import ConfigError
from synthclin.evaluation.analyses.analysis_fits import endpoint, study
from synthclin.evaluation.analyses.cox_model import CoxModel
from synthclin.evaluation.analyses.model_fits import fit_regression, halved
from synthclin.evaluation.analyses.proportional_hazards import hazards, predictive_accuracy
from synthclin.evaluation.analyses.replication import overlap, replicate, standardised, treatment_effect
from synthclin.evaluation.analyses.survival_fidelity import measured
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import DEFAULT_GATES, default_gates, judge
from synthclin.evaluation.task_checks import check_task
from synthclin.evaluation.tasks import CompareTask, CoxTask, LinearTask, LogisticTask, SurvivalTask
from synthclin.schema import Schema

COLUMNS = {
    "age": {"type": "number"},
    "arm": {"type": "category", "categories": ["A", "B"], "role": "treatment"},
    "sex": {"type": "category", "categories": ["F", "M"]},
    "days": {"type": "number", "role": "time"},
    "died": {"type": "boolean", "values": [0, 1], "role": "event"},
}
SCHEMA = Schema.model_validate({"columns": COLUMNS})
COX = CoxTask(event="died", covariates=("age", "arm"))


def cohort(rows, seed, effect=-0.8, events=None):
    rng = np.random.default_rng(seed)
    age, arm, sex = rng.normal(65, 10, rows), rng.choice(["A", "B"], rows), rng.choice(["F", "M"], rows)
    time = rng.exponential(300 * np.exp(-0.04 * (age - 65) - effect * (arm == "B")))
    end = rng.uniform(100, 900, rows)
    died = (time <= end).astype(int) if events is None else np.full(rows, events)
    return pd.DataFrame(
        {
            "age": age,
            "arm": pd.Categorical(arm, categories=["A", "B"]),
            "sex": pd.Categorical(sex, categories=["F", "M"]),
            "days": np.minimum(time, end) if events is None else time,
            "died": pd.array(died, dtype="Int64"),
        }
    )


def compared(synthetic, train, holdout=None, schema=SCHEMA):
    return Comparison.of(synthetic, train=train, holdout=holdout, schema=schema)


def test_a_cox_regression_needs_no_censored_row():
    train = cohort(300, 1, events=1)
    c = compared(cohort(300, 3, events=1), train, cohort(150, 2, events=1))
    found = study(c, COX)
    x = np.column_stack([(train["age"] - train["age"].mean()) / train["age"].std(ddof=0), found.matrix(c.train)[:, 1]])
    direct = sm.PHReg(train["days"].to_numpy(), x, ties="efron").fit(disp=0).params
    assert found.run(c.train)[0] == pytest.approx(direct, abs=1e-4)
    shuffled = cohort(300, 3, events=1).assign(age=lambda t: t["age"].sample(frac=1, random_state=1).to_numpy())
    good, bad = (
        predictive_accuracy(compared(each, train, cohort(150, 2, events=1)), COX, found)[0]
        for each in (cohort(300, 3, events=1), shuffled)
    )
    assert bad.value < good.value - 0.05
    assert all(np.isfinite(score.value) for score in hazards(c, COX, found))


@pytest.mark.parametrize("event", [COLUMNS["died"], {"type": "integer", "range": [0, 1]}, {"type": "integer"}])
def test_the_event_does_not_depend_on_the_rows_at_hand(event):
    schema = Schema.model_validate(
        {"columns": COLUMNS | {"died": event | ({"role": "event"} if "values" in event else {})}}
    )
    task = SurvivalTask(event="died", time="days")
    alive, mixed = cohort(200, 1, events=0), cohort(200, 2)
    same = compared(cohort(200, 3, events=0), alive, schema=schema)
    assert not endpoint(same, task).event(same.train).any()
    assert measured(same, task, "curve").value == 0.0
    assert measured(same, task, "censoring").details["events_real"] == 0.0
    assert replicate(same, task).value == pytest.approx(1.0)
    other = compared(mixed, alive, schema=schema)
    assert measured(other, task, "curve").value > 0.2
    assert replicate(other, task).value < 0.6


def test_the_event_of_text_levels_is_the_second_declared_one():
    event = {"type": "category", "categories": ["alive", "dead"], "role": "event"}
    schema = Schema.model_validate({"columns": COLUMNS | {"died": event}})
    alive = cohort(150, 1).assign(died=pd.Categorical(["alive"] * 150, categories=["alive", "dead"]))
    c = compared(alive, alive.assign(days=alive["days"] + 1), schema=schema)
    assert not endpoint(c, SurvivalTask(event="died")).event(c.train).any()


def test_a_cox_regression_without_an_event_is_not_assessable_with_its_companions():
    c = compared(cohort(200, 3), cohort(200, 1, events=0), cohort(120, 2))
    found = study(c, COX)
    scores = [replicate(c, COX, found), treatment_effect(c, COX, found), *hazards(c, COX, found)]
    for score in (*scores, *predictive_accuracy(c, COX, found)):
        assert math.isnan(score.value)
        assert "No complete row has the event" in score.note
        assert "so few rows" not in score.note


def test_a_synthetic_table_without_events_has_no_concordance():
    c = compared(cohort(200, 3, events=0), cohort(200, 1), cohort(120, 2))
    found = study(c, COX)
    for score in predictive_accuracy(c, COX, found):
        assert math.isnan(score.value)
        assert "synthetic rows. No complete row has the event" in score.note
    assert replicate(c, COX, found).value == -1.0


def test_complete_separation_is_not_assessable_and_makes_no_reference():
    def separated(seed):
        table = cohort(200, seed)
        return table.assign(died=pd.array((table["age"] > 65).astype(int), dtype="Int64"))

    score = replicate(compared(separated(2), separated(1)), LogisticTask(target="died", covariates=("age",)))
    assert math.isnan(score.value)
    assert score.reference is None
    assert "separate the outcome" in score.note


def test_an_arm_without_events_diverges_alone():
    def one_arm(seed):
        table = cohort(300, seed)
        return table.assign(died=table["died"].mask(table["arm"] == "B", 0))

    c = compared(one_arm(2), one_arm(1))
    found = study(c, COX)
    fit = found.fit(c.train)
    assert fit.diverged.tolist() == [False, True]
    assert np.isfinite(fit.estimates[0])
    assert abs(fit.slopes).max() <= 10
    score = hazards(c, COX, found)[0]
    assert score.reference < 5
    assert "the estimate diverges (separation): arm:" in score.note
    assert math.isnan(treatment_effect(c, COX, found).value)


@pytest.mark.parametrize(("rows", "sigma", "slope"), [(1000, 2.0, 1.0), (500, 3.0, 2.0)])
def test_a_skewed_covariate_takes_a_safer_method(rows, sigma, slope):
    rng = np.random.default_rng(rows)
    z = rng.normal(size=rows)
    lab = np.exp(sigma * z)
    x = np.column_stack([(lab - lab.mean()) / lab.std(), rng.random(rows) < 0.5]).astype(float)
    time, end = rng.exponential(100 * np.exp(-slope * z)), rng.uniform(20, 300, rows)
    fit = fit_regression("cox", x, (time <= end).astype(float), np.minimum(time, end))
    assert not fit.problem
    assert fit.note == halved()
    model = sm.PHReg(np.minimum(time, end), x, status=(time <= end).astype(float))
    assert np.abs(model.score(fit.estimates)).max() < 1e-2
    assert np.isfinite(fit.errors).all()


def test_an_interval_without_width_is_a_point():
    point, wide = (np.array([1.0]), np.array([0.0])), (np.array([1.2]), np.array([0.5]))
    assert overlap(point, point)[0] == 1.0
    assert overlap(point, wide)[0] == 0.5
    assert overlap(point, (np.array([9.0]), np.array([0.0])))[0] == -1.0


@pytest.mark.parametrize("task", [COX, SurvivalTask(event="died", by="arm"), CompareTask(target="days", by="arm")])
def test_an_erased_effect_of_the_treatment_fails(task):
    train = cohort(600, 1)
    erased = train.assign(arm=train["arm"].sample(frac=1, random_state=5).array)
    kept, lost = (treatment_effect(compared(each, train), task) for each in (cohort(600, 4), erased))
    assert kept.name == f"treatment.{task.task}.{task.columns[0]}"
    verdicts = [judge(default_gates([score]), [score])[0] for score in (kept, lost)]
    assert [verdict.status for verdict in verdicts] == ["PASS", "FAIL"]
    worst = replicate(compared(erased, train), task)
    assert judge(default_gates([worst]), [worst])[0].status == "FAIL"


def test_a_hazard_ratio_that_loses_its_effect_is_beyond_the_limit():
    # 0.62 (0.52 to 0.74) in training rows, 0.87 (0.72 to 1.05) in synthetic rows.
    ends = [np.log(three) for three in ([0.62, 0.52, 0.74], [0.87, 0.72, 1.05])]
    real, synthetic = ((three[:1], np.array([(three[2] - three[1]) / 3.92])) for three in ends)
    gate = next(gate for gate in DEFAULT_GATES if gate.score == "treatment.*")
    assert standardised(real, synthetic)[0] > gate.review


def test_an_effect_that_synthetic_rows_do_not_hold_counts_as_lost():
    train = cohort(300, 1)
    one = cohort(300, 2).assign(arm=pd.Categorical(["A"] * 300, categories=["A", "B"]))
    assert treatment_effect(compared(one, train), COX).value == 10.0


@pytest.mark.parametrize(
    ("task", "what"),
    [
        (LinearTask(target="age", covariates=("days", "age")), "both outcome and covariate"),
        (LinearTask(target="sex", covariates=("age",)), "is no number"),
        (LogisticTask(target="died", covariates=("died",)), "both outcome and covariate"),
        (LogisticTask(target="stage", covariates=("age",)), "more than two values"),
        (CoxTask(event="died", covariates=("age", "days")), "both outcome and covariate"),
        (CoxTask(event="died", time="sex", covariates=("age",)), "is no number"),
        (CoxTask(event="died", covariates=("age", "age")), "is listed twice"),
        (SurvivalTask(event="died", by="age"), "has no levels"),
        (SurvivalTask(event="stage"), "more than two values"),
        (CompareTask(target="sex", by="sex"), "both outcome and `by`"),
    ],
)
def test_an_analysis_that_no_table_allows_is_refused_by_the_schema(task, what):
    stage = {"type": "ordinal", "categories": ["I", "II", "III"]}
    schema = Schema.model_validate({"columns": COLUMNS | {"stage": stage}})
    with pytest.raises(ConfigError, match=what):
        check_task(task, schema)


def test_an_integer_event_of_other_values_is_refused():
    schema = Schema.model_validate({"columns": COLUMNS | {"died": {"type": "integer"}}})
    table = cohort(100, 1).assign(died=lambda t: t["died"] + 1)
    with pytest.raises(ConfigError, match="not 0 or 1"):
        study(
            compared(table, table.assign(days=1.0), schema=schema),
            CoxTask(event="died", time="days", covariates=("age",)),
        )


@pytest.mark.parametrize("rows", [20, 200])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_of_a_cox_regression_is_that_of_statsmodels(rows, tied, seed):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=(rows, 2)), rng.integers(0, 2, rows)])
    time, ends = rng.exponential(np.exp(x[:, 0])), rng.exponential(2, rows)
    events, time = (time <= ends).astype(float), np.minimum(time, ends)
    time = np.ceil(4 * time) if tied else time
    ours = CoxModel(time, x, events)
    theirs = PHReg(time, x, status=events, ties="efron" if tied else "breslow")
    assert ours.ties == theirs.ties
    for at in (np.zeros(3), rng.normal(size=3)):
        assert ours.loglike(at) == pytest.approx(theirs.loglike(at), rel=1e-10)
        np.testing.assert_allclose(ours.score(at), theirs.score(at), rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(ours.hessian(at), theirs.hessian(at), rtol=1e-8, atol=1e-9)
    fits = ours.fit(disp=0), theirs.fit(disp=0)
    for name in ("params", "bse", "schoenfeld_residuals"):
        np.testing.assert_allclose(*(getattr(fit, name) for fit in fits), rtol=1e-6, atol=1e-8)
