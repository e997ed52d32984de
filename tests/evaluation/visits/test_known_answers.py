"""Scores of visits on tables with known answers: real patients pass, patients put together from rows fail."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.score import Score, details_of
from synthclin.evaluation.scoring import OF_VISITS
from synthclin.evaluation.visits.autocorrelation import autocorrelation
from synthclin.evaluation.visits.details import VisitColumns
from synthclin.evaluation.visits.icc import icc, icc_of, icc_sums
from synthclin.evaluation.visits.missing_runs import missing_runs
from synthclin.evaluation.visits.next_values import NEXT_VALUES, next_values
from synthclin.evaluation.visits.pool import PatientPool
from synthclin.evaluation.visits.schedule import schedule
from synthclin.evaluation.visits.transitions import TRANSITIONS, transition_distance, transitions
from synthclin.evaluation.visits.windows import windows
from synthclin.schema import Schema

from .cohort import BETWEEN, WITHIN, cohort, compared, shuffled

_VALUES = ("sbp", "crp", "grade", "ward")


def status(score: Score) -> str:
    (verdict,) = judge(default_gates([score]), [score])
    return verdict.status


@pytest.fixture(scope="module")
def ideal() -> Comparison:
    """Patients of the same distribution in the place of synthetic ones."""
    return compared(cohort(150, 3))


@pytest.fixture(scope="module")
def rows() -> Comparison:
    """Patients put together at random from visits."""
    return compared(shuffled(cohort(150, 3), *_VALUES))


@pytest.mark.parametrize("compute", OF_VISITS, ids=lambda compute: compute.__name__)
def test_patients_of_the_same_distribution_are_as_close_as_holdout_patients(
    compute: Callable[[Comparison], Score], ideal: Comparison
) -> None:
    score = compute(ideal)
    assert status(score) in {"PASS", "REVIEW"}
    assert score.low <= score.value <= score.high
    assert score.reference is not None
    assert abs(score.value - score.reference) < 0.06
    assert not score.beyond_reference


@pytest.mark.parametrize("compute", [icc, autocorrelation, transitions, missing_runs, next_values])
def test_patients_put_together_from_rows_fail_and_score_as_the_independence_baseline(
    compute: Callable[[Comparison], Score], rows: Comparison
) -> None:
    score = compute(rows)
    assert status(score) == "FAIL"
    assert score.baseline is not None
    assert score.value == pytest.approx(score.baseline, abs=0.1)


def test_a_copy_of_training_patients_is_closer_than_holdout_patients() -> None:
    c = compared(cohort(150, 1))
    for compute in (schedule, transitions, windows):
        score = compute(c)
        assert score.reference is not None
        assert (score.value > score.reference) == (score.better == "higher")
    assert next_values(c).value == pytest.approx(0.0, abs=1e-12)


def test_equal_seeds_give_equal_scores(ideal: Comparison) -> None:
    for compute in OF_VISITS:
        assert compute(ideal) == compute(ideal)


@pytest.mark.parametrize("compute", OF_VISITS, ids=lambda compute: compute.__name__)
def test_dates_give_the_scores_of_days(compute: Callable[[Comparison], Score], ideal: Comparison) -> None:
    score = compute(compared(cohort(150, 3, dates=True), dates=True))
    assert score.value == pytest.approx(compute(ideal).value, abs=0.02)


def _anova(values: pd.Series[float], patient: pd.Series[int]) -> float:
    """Return the ICC by the textbook formula of the analysis of variance."""
    groups = values.groupby(patient)
    size, mean = groups.size(), groups.mean()
    k, n = len(size), len(values)
    between = (size * (mean - values.mean()) ** 2).sum() / (k - 1)
    within = ((values - groups.transform("mean")) ** 2).sum() / (n - k)
    typical = (n - (size**2).sum() / n) / (k - 1)
    return float((between - within) / (between + (typical - 1) * within))


@given(st.integers(0, 10_000))
def test_icc_is_that_of_the_analysis_of_variance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(12), rng.integers(1, 6, 12))
    values = rng.normal(size=12)[who] + rng.normal(size=len(who))
    parts = [
        [len(x), x.sum(), (x**2).sum(), x.sum() ** 2 / len(x), len(x) ** 2, 1]
        for x in (values[who == one] for one in range(12))
    ]
    found = icc_of(np.array(parts).sum(axis=0)[:, None])[0]
    assert found == pytest.approx(_anova(pd.Series(values), pd.Series(who)), abs=1e-9)


def test_icc_finds_the_variances_of_the_simulation() -> None:
    pool = PatientPool.of(compared(cohort(600, 3), patients=600))
    j = pool.c.features.names.index("sbp")
    # Less the slope over time, which both variances lack.
    x = pool.visits.values[:, [j]] - 0.01 * pool.visits.time[:, None]
    found = icc_of(icc_sums(pool, x)[pool.train].sum(axis=0))[0]
    assert found == pytest.approx(BETWEEN / (BETWEEN + WITHIN), abs=0.03)


def test_only_the_shuffled_column_is_named_and_a_column_alone_can_fail() -> None:
    score = icc(compared(shuffled(cohort(150, 3), "sbp")))
    assert score.details is not None
    worst = score.details["columns"][0]
    assert worst.column == "sbp"
    assert worst.synthetic == pytest.approx(0.0, abs=0.1)
    assert worst.real == pytest.approx(0.75, abs=0.12)
    # The mean over four columns is a quarter of that.
    assert score.value < 0.3
    assert status(score) == "FAIL"


def test_lags_are_listed_with_their_correlations() -> None:
    score = autocorrelation(compared(cohort(400, 3), patients=400))
    assert score.details is not None
    found = {(one.column, one.part): one for one in score.details["columns"]}
    assert {part for _, part in found} == {1, 2, 3}
    # A random intercept gives the same correlation at each lag, the intraclass correlation of ranks.
    for lag in (1, 2, 3):
        assert found["sbp", lag].real == pytest.approx(0.74, abs=0.08)
    assert found["grade", 1].real == pytest.approx(0.85, abs=0.06)
    assert found["grade", 2].real == pytest.approx(0.85**2, abs=0.08)


def test_runs_of_missing_values_have_their_shares() -> None:
    score = missing_runs(compared(cohort(400, 3), patients=400))
    assert score.details is not None
    found = {one.part: one for one in score.details["columns"] if one.column == "crp"}
    assert found[1].real == pytest.approx(0.7, abs=0.05)
    assert found[0].real == pytest.approx(0.15, abs=0.05)


def test_transitions_that_never_stay_fail() -> None:
    table = cohort(150, 3)
    levels = ["I", "II", "III"]
    turns = table.groupby("patient", sort=False).cumcount() % 3
    score = transitions(
        compared(table.assign(grade=pd.Categorical([levels[i] for i in turns], categories=levels, ordered=True)))
    )
    assert score.details is not None
    worst = score.details["columns"][0]
    assert (worst.column, worst.synthetic) == ("grade", 0.0)
    assert worst.difference > 0.8
    assert status(score) == "FAIL"


def test_a_level_that_is_never_left_counts_as_a_distance_of_one() -> None:
    real = np.array([[8.0, 2.0], [5.0, 5.0]])
    assert transition_distance(real, np.array([[0.0, 0.0], [1.0, 1.0]])) == pytest.approx(0.5)
    assert np.isnan(transition_distance(np.zeros((2, 2)), real))


def test_a_shift_of_late_visits_is_found_in_the_last_window() -> None:
    table = cohort(200, 3)
    late = table["day"].to_numpy(dtype=float) > 180
    score = windows(compared(table.assign(sbp=np.where(late, table["sbp"] + 20, table["sbp"])), patients=200))
    assert score.details is not None
    worst = score.details["columns"][0]
    assert (worst.column, worst.part) == ("sbp", 4)
    assert worst.difference > 0.8
    others = [one.difference for one in score.details["columns"] if one.column == "sbp" and one.part < 3]
    assert max(others) < 0.25
    assert status(score) == "FAIL"


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("gaps", lambda table: table.assign(day=table["day"] * 2, followed=table["followed"] + table["day"].max() * 2)),
        ("visits", lambda table: table.groupby("patient", sort=False).head(3).reset_index(drop=True)),
        ("follow-up", lambda table: table.assign(followed=table["followed"] + 300)),
    ],
)
def test_the_changed_part_of_the_schedule_is_named(what: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    score = schedule(compared(change(cohort(150, 3))))
    assert score.details is not None
    values = {part.what: part.value for part in score.details["parts"]}
    assert values[what] < 0.7
    assert status(score) == "FAIL"


def test_medians_of_the_schedule_are_those_of_the_table() -> None:
    table = cohort(150, 3)
    score = schedule(compared(table))
    assert score.details is not None
    found = {part.what: part for part in score.details["parts"]}
    assert found["visits"].median_synthetic == table.groupby("patient").size().median()
    gaps = table["day"].astype(float).groupby(table["patient"]).diff()
    assert found["gaps"].median_synthetic == gaps.median()


def test_the_interval_is_that_of_patients_not_of_visits() -> None:
    """Forty visits of few patients tell little more of an intraclass correlation than some visits do."""
    few = icc(compared(cohort(40, 3, most=40), patients=40))
    many = icc(compared(cohort(400, 3), patients=400))
    assert few.high - few.low > 2 * (many.high - many.low)


def test_a_single_visit_per_patient_gives_a_reason_and_no_number() -> None:
    one = [cohort(60, seed).groupby("patient", sort=False).head(1).reset_index(drop=True) for seed in (1, 2, 3)]
    c = compared(cohort(60, 3))
    c = Comparison.of(one[2], train=one[0], holdout=one[1], schema=c.schema, random_state=0)
    for compute in (icc, autocorrelation, transitions, missing_runs, next_values):
        score = compute(c)
        assert np.isnan(score.value)
        assert score.note
    assert windows(c).value < 0.3
    assert schedule(c).value > 0.7


def test_synthetic_patients_of_one_visit_lose_all_that_binds_visits() -> None:
    c = compared(cohort(150, 3).groupby("patient", sort=False).head(1).reset_index(drop=True))
    assert schedule(c).value < 0.5
    for compute in (icc, autocorrelation, transitions, missing_runs, next_values):
        assert status(compute(c)) == "FAIL"


def test_without_a_holdout_there_is_a_score_without_reference() -> None:
    c = Comparison.of(cohort(60, 3), train=cohort(60, 1), holdout=None, schema=compared(cohort(60, 3)).schema)
    for compute in OF_VISITS:
        score = compute(c)
        # What needs a holdout has a reason.
        assert np.isnan(score.value) == (compute is next_values)


def _marked(patients: int, seed: int) -> pd.DataFrame:
    """Return patients with a mark of two levels that each visit keeps with probability 0.9, and a rare mark."""
    rng = np.random.default_rng([seed, 5])
    flips = rng.random((patients, 6)) < 0.1
    flips[:, 0] = rng.random(patients) < 0.5
    mark = flips.cumsum(axis=1).ravel() % 2
    rare = np.zeros(patients * 6, dtype=int)
    rare[[1, 2, 3]] = 1
    return pd.DataFrame(
        {
            "patient": np.repeat([f"{seed}-{i}" for i in range(patients)], 6),
            "day": pd.array(np.tile(np.arange(6) * 30, patients), dtype="Int64"),
            "bleeding": pd.array(mark, dtype="Int64"),
            "oedema": pd.Categorical(np.array(["no", "yes"])[mark], categories=["no", "yes"]),
            "rare": pd.array(rare, dtype="Int64"),
        }
    )


_MARKS = Schema.model_validate(
    {
        "columns": {
            "patient": {"type": "id", "role": "entity"},
            "day": {"type": "integer", "range": [0, 200], "role": "visit"},
            "bleeding": {"type": "boolean", "values": [0, 1]},
            "oedema": {"type": "category", "categories": ["no", "yes"]},
            "rare": {"type": "boolean", "values": [0, 1]},
        }
    }
)


def test_next_values_of_two_levels_that_persist_are_predicted_and_untestable_columns_left_out() -> None:
    """A level that is kept with probability 0.9 has, from the last value alone, a Gini of 0.9 - 0.1 = 0.8."""
    train, holdout, synthetic = (_marked(150, seed) for seed in (1, 2, 3))
    close = next_values(Comparison.of(synthetic, train=train, holdout=holdout, schema=_MARKS, random_state=3))
    details = NEXT_VALUES.read(close)
    assert details is not None
    assert {one.column for one in details.columns} == {"bleeding", "oedema"}
    for one in details.columns:
        assert one.real == pytest.approx(0.8, abs=0.08)
        assert one.synthetic == pytest.approx(0.8, abs=0.08)
    assert "rare" in close.note
    assert close.value == pytest.approx(0.0, abs=0.05)
    rows = shuffled(synthetic, "bleeding", "oedema")
    assert next_values(Comparison.of(rows, train=train, holdout=holdout, schema=_MARKS, random_state=3)).value < -0.1


def test_the_answer_on_transitions_is_the_distance_and_not_shares_of_unchanged_levels(rows: Comparison) -> None:
    score = transitions(rows)
    worst = details_of(score, VisitColumns).worst  # type: ignore[union-attr]
    assert worst is not None
    assert worst.difference is not None
    assert worst.real is not None
    assert TRANSITIONS.answer(score) == f"Furthest from real: {worst.column}, by {worst.difference:.3f}."


def test_bootstrap_samples_without_a_level_are_left_out_of_the_interval() -> None:
    """One holdout patient of 20 has the only mark: more than a third of the samples lack it."""
    columns = ["patient", "day", "bleeding"]
    schema = Schema.model_validate({"columns": {name: _MARKS.model_dump()["columns"][name] for name in columns}})
    train, holdout, synthetic = (_marked(n, seed)[columns] for n, seed in ((150, 1), (20, 2), (150, 3)))
    holdout["bleeding"] = pd.array([1] * 6 + [0] * (len(holdout) - 6), dtype="Int64")
    score = next_values(Comparison.of(synthetic, train=train, holdout=holdout, schema=schema, random_state=3))
    details = NEXT_VALUES.read(score)
    assert details is not None
    assert details.columns[0].real == 1.0
    assert score.low <= score.value <= score.high
    assert np.isfinite([score.low, score.high]).all()
