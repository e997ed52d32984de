from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from synthclin.evaluation.analyses.analysis_fits import study
from synthclin.evaluation.analyses.proportional_hazards import hazards, predictive_accuracy
from synthclin.evaluation.analyses.restricted_mean import rmst
from synthclin.evaluation.analyses.survival_estimators import (
    StepCurve,
    breslow,
    brier,
    concordance,
    gap,
    incidence,
    survival,
)
from synthclin.evaluation.analyses.survival_fidelity import followed
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.tasks import CoxTask, SurvivalTask
from synthclin.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "age": {"type": "number"},
            "arm": {"type": "category", "categories": ["control", "drug"]},
            "time": {"type": "number", "range": [0, 30], "role": "time"},
            "end": {
                "type": "category",
                "categories": ["alive", "cardiac", "other"],
                "censored": "alive",
                "role": "event",
            },
        }
    }
)
TASK = SurvivalTask(event="end", by="arm", horizon=8)
COX = CoxTask(event="end", covariates=("age", "arm"))
MEASURES = ("curve", "optimism", "premature_end", "rmst", "censoring", "incidence")


def cohort(rows, seed, *, effect=-0.8, scale=8.0, followed_up=20.0, cardiac=0.7):
    """Return a trial of known hazards: age raises the risk, the drug lowers it, and one cause takes a known share."""
    rng = np.random.default_rng(seed)
    age, drug = rng.normal(60, 10, rows), rng.random(rows) < 0.5
    event = rng.exponential(scale * np.exp(-(age - 60) / 20 - effect * drug))
    censored = rng.uniform(2, followed_up, rows)
    cause = np.where(rng.random(rows) < cardiac, "cardiac", "other")
    return pd.DataFrame(
        {
            "age": age,
            "arm": pd.Categorical(np.where(drug, "drug", "control"), categories=["control", "drug"]),
            "time": np.minimum(event, censored),
            "end": pd.Categorical(np.where(event <= censored, cause, "alive"), ["alive", "cardiac", "other"]),
        }
    )


TRAIN, HOLDOUT, IDEAL = cohort(800, 1), cohort(400, 2), cohort(800, 6)


def compared(*tables, holdout=HOLDOUT):
    return Comparison.of(list(tables), train=TRAIN, holdout=holdout, schema=SCHEMA, random_state=1)


def scored(*tables):
    return dict(zip(MEASURES, followed(compared(*tables), TASK), strict=True))


@pytest.fixture(scope="module")
def ideal():
    return scored(IDEAL)


def test_optimism_has_a_sign():
    assert scored(cohort(800, 3, scale=16))["optimism"].details["optimism"] > 0.08
    assert scored(cohort(800, 3, scale=4))["optimism"].details["optimism"] < -0.1


def test_rmst_differences_are_listed_for_each_arm(ideal):
    for group in ideal["rmst"].details["groups"]:
        assert group["low"] < group["difference"] < group["high"]
    turned = scored(cohort(800, 3, effect=0.8))["rmst"].details["groups"]
    drug = next(group for group in turned if group["group"] == "arm: drug")
    assert drug["high"] < 0


def of_hazards(synthetic, rows=250):
    c = Comparison.of(synthetic, train=TRAIN[:rows], holdout=None, schema=SCHEMA)
    return hazards(c, COX, study(c, COX))


def test_hazards_that_cross_are_not_proportional():
    # On the drug nothing happens for years, and then everything at once.
    crossing = cohort(400, 3)
    drug = crossing["arm"] == "drug"
    late = crossing["time"].mask(drug, np.random.default_rng(0).normal(9, 1, 400))
    crossing = crossing.assign(time=late, end=crossing["end"].mask(drug, "cardiac"))
    _, bad = of_hazards(crossing, rows=400)
    arm = next(term for term in bad.details["terms"] if term["term"].startswith("arm"))
    assert abs(arm["real"]) < 1.96 < abs(arm["synthetic"])
    assert arm["verdict_agrees"] is False
    assert bad.details["verdicts_agree"] < 1.0


def of_learning(synthetic, holdout=HOLDOUT):
    c = compared(synthetic, holdout=holdout)
    return predictive_accuracy(c, COX, study(c, COX))


def test_concordance_and_brier_score_of_a_model_trained_on_synthetic_rows():
    good, slow = of_learning(IDEAL), of_learning(cohort(800, 3, scale=32))
    for score in good:
        assert score.low <= 0 <= score.high
    assert good[0].details["real"] > 0.6
    # Who comes first does not depend on how fast everybody goes.
    assert slow[1].low > good[1].high
    assert slow[0].high > good[0].low
    for score in of_learning(IDEAL, holdout=None):
        assert "no holdout" in score.note


def test_without_censoring_the_brier_score_is_a_mean_square():
    rng = np.random.default_rng(0)
    times, alive, grid = rng.exponential(1, 50), rng.random((50, 3)), np.array([0.2, 0.5, 1.0])
    expected = np.mean((alive - (times[:, None] > grid)) ** 2)
    assert brier(alive, times, np.ones(50, dtype=bool), np.ones((1, 50)), grid)[0] == pytest.approx(expected)


def test_censoring_at_random_leaves_the_brier_score_as_it_is():
    rng = np.random.default_rng(0)
    event, end = rng.exponential(1, 40_000), rng.uniform(0.2, 3, 40_000)
    grid, ones = np.array([0.3, 0.6, 1.0]), np.ones((1, 40_000))
    alive = np.tile(np.exp(-0.7 * grid), (40_000, 1))
    whole = brier(alive, event, np.ones(40_000, dtype=bool), ones, grid)[0]
    assert brier(alive, np.minimum(event, end), event <= end, ones, grid)[0] == pytest.approx(whole, abs=0.005)


def test_one_cause_has_no_competitors():
    schema = SCHEMA.with_column("end", type="category", categories=["alive", "dead"], censored="alive", role="event")
    tables = [
        table.assign(end=pd.Categorical(np.where(table["end"] == "alive", "alive", "dead"), ["alive", "dead"]))
        for table in (IDEAL, TRAIN)
    ]
    scores = followed(Comparison.of(tables[0], train=tables[1], holdout=None, schema=schema), TASK)
    assert np.isnan(scores[-1].value)
    assert "one cause" in scores[-1].note
    assert not np.isnan(scores[0].value)


def test_a_group_that_is_gone_is_as_far_off_as_can_be():
    gone = scored(IDEAL[IDEAL["arm"] == "control"].reset_index(drop=True))["curve"].details["groups"]
    assert {group["group"]: group["value"] for group in gone}["arm: drug"] == 1.0


def test_gaps_are_areas():
    never, at_one = StepCurve(np.empty(0), np.ones(1)), survival(np.array([1.0]), np.array([True]))
    assert gap(never, at_one, 4.0) == pytest.approx(0.75)
    assert gap(never, at_one, 4.0, signed=True) == pytest.approx(-0.75)
    assert gap(at_one, at_one, 4.0) == 0.0


def test_weights_are_repeated_rows():
    rng = np.random.default_rng(0)
    times, events, scores = rng.exponential(1, 30), np.ones(30, dtype=bool), rng.normal(size=30)
    weights = rng.integers(0, 3, 30)
    again = np.repeat(np.arange(30), weights)
    weighted = concordance(scores, times, events, weights[None], 9.0)[0]
    # Repeated rows tie in time with themselves, and ties are not compared.
    assert weighted == pytest.approx(
        concordance(scores[again], times[again], events[again], np.ones((1, len(again))), 9.0)[0]
    )
    assert concordance(-times, times, events, np.ones((1, 30)), 9.0)[0] == 1.0


def test_aalen_johansen_is_that_of_statsmodels():
    times, end = TRAIN["time"].to_numpy(), TRAIN["end"].cat.codes.to_numpy()
    theirs = CumIncidenceRight(times, end)
    for cause in (1, 2):
        ours = incidence(times, np.where(end == 0, np.nan, end), cause)
        assert ours(theirs.times) == pytest.approx(theirs.cinc[cause - 1])


def test_weighted_concordance_and_brier_score_are_those_of_loops_written_from_the_papers():
    rng = np.random.default_rng(0)
    event, end, scores, grid = rng.exponential(1, 40), rng.uniform(0.2, 3, 40), rng.normal(size=40), [0.3, 0.8]
    times, events, alive = np.minimum(event, end), event <= end, rng.random((40, 2))
    curve = SurvfuncRight(times, ~events)

    def uncensored(at, *, just_before):
        gone = curve.surv_times < at if just_before else curve.surv_times <= at
        return curve.surv_prob[gone][-1] if gone.any() else 1.0

    won = total = 0.0
    for i, j in itertools.permutations(range(40), 2):
        if events[i] and times[i] < min(times[j], 2.0):
            weight = uncensored(times[i], just_before=True) ** -2
            total += weight
            won += weight * (scores[i] > scores[j])
    assert concordance(scores, times, events, np.ones((1, 40)), 2.0)[0] == pytest.approx(won / total)
    errors = [
        alive[i, k] ** 2 / uncensored(times[i], just_before=True)
        if times[i] <= at and events[i]
        else (times[i] > at) * (1 - alive[i, k]) ** 2 / uncensored(at, just_before=False)
        for i in range(40)
        for k, at in enumerate(grid)
    ]
    assert brier(alive, times, events, np.ones((1, 40)), np.array(grid))[0] == pytest.approx(np.mean(errors))


@pytest.fixture(scope="module")
def lifelines():
    return pytest.importorskip("lifelines")


class TestAgainstLifelines:
    def test_kaplan_meier(self, lifelines):
        times, events = TRAIN["time"].to_numpy(), (TRAIN["end"] != "alive").to_numpy()
        for happened in (events, ~events):
            theirs = lifelines.KaplanMeierFitter().fit(times, happened).survival_function_at_times([1, 4, 9])
            assert survival(times, happened)(np.array([1, 4, 9])) == pytest.approx(theirs.to_numpy())

    def test_cox(self, lifelines):
        frame = TRAIN[:300].assign(end=TRAIN["end"] != "alive")
        frame = frame.assign(arm=TRAIN["arm"] == "drug", time=frame["time"].round(1))
        fitter = lifelines.CoxPHFitter().fit(frame, "time", "end")
        table = TRAIN[:300].assign(time=TRAIN["time"].round(1))
        c = Comparison.of(IDEAL, train=table, holdout=None, schema=SCHEMA)
        found = study(c, COX)
        slopes, errors = found.run(c.train)
        sign = np.array([1, 1 if "drug against" in found.terms[1] else -1])
        scale = np.array([TRAIN["age"][:300].std(ddof=0), 1])
        assert slopes == pytest.approx(sign * scale * fitter.params_.to_numpy(), rel=1e-3)
        assert errors == pytest.approx(scale * fitter.standard_errors_.to_numpy(), rel=1e-3)

    def test_concordance_of_uncensored_times(self, lifelines):
        rng = np.random.default_rng(0)
        times, scores = rng.exponential(1, 200), rng.normal(size=200)
        theirs = lifelines.utils.concordance_index(times, -scores)
        ours = concordance(scores, times, np.ones(200, dtype=bool), np.ones((1, 200)), np.inf)[0]
        assert ours == pytest.approx(theirs)

    def test_proportional_hazards(self, lifelines):
        frame = TRAIN[:300].assign(
            age=TRAIN["age"] / TRAIN["age"].std(ddof=0), arm=TRAIN["arm"] == "drug", end=TRAIN["end"] != "alive"
        )
        fitter = lifelines.CoxPHFitter().fit(frame, "time", "end")
        theirs = lifelines.statistics.proportional_hazard_test(fitter, frame, time_transform="rank").test_statistic
        c = Comparison.of(IDEAL, train=TRAIN[:300], holdout=None, schema=SCHEMA)
        assert study(c, COX).drift(c.train) ** 2 == pytest.approx(theirs, rel=0.02)

    def test_breslow(self, lifelines):
        frame = pd.DataFrame({"time": TRAIN["time"], "end": TRAIN["end"] != "alive", "age": TRAIN["age"] - 60})
        fitter = lifelines.CoxPHFitter(baseline_estimation_method="breslow").fit(frame, "time", "end")
        theirs = fitter.baseline_cumulative_hazard_.iloc[:, 0]
        slope = fitter.params_["age"]
        ours = breslow(
            slope * (frame["age"] - frame["age"].mean()).to_numpy(), frame["time"].to_numpy(), frame["end"].to_numpy()
        )
        assert ours(theirs.index.to_numpy()) == pytest.approx(theirs.to_numpy(), rel=1e-6)

    def test_restricted_mean(self, lifelines):
        times, events = TRAIN["time"].to_numpy(), (TRAIN["end"] != "alive").to_numpy()
        fitter = lifelines.KaplanMeierFitter().fit(times, events)
        theirs = lifelines.utils.restricted_mean_survival_time(fitter, t=8)
        assert rmst((times, events), 8)[0] == pytest.approx(theirs)
