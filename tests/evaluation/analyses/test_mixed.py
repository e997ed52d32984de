"""Linear mixed models: estimates of statsmodels, variances of a simulation, and the task of a study."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import ConfigError
from synthclin.evaluation import score_table
from synthclin.evaluation.analyses.analysis_fits import study
from synthclin.evaluation.analyses.mixed_fits import fit_mixed
from synthclin.evaluation.analyses.replication import replicate
from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.labels import Labels, showing_labels, term_name
from synthclin.evaluation.task_checks import check_task
from synthclin.evaluation.tasks import LinearTask, MixedTask
from synthclin.evaluation.visits.task_rows import rows_of_task
from synthclin.language import speaking
from synthclin.progress import quiet
from tests.evaluation.visits.cohort import BETWEEN, DATED, SCHEMA, WITHIN, cohort, compared, shuffled

_TASK = MixedTask(outcome="sbp", fixed=("day", "arm"), by_time=("arm",))


def _simulated(seed: int, patients: int, slope: float = 0.5) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), rng.integers(1, 8, patients))
    time, arm = rng.random(len(who)) * 3, (np.arange(patients) % 2)[who]
    y = 0.5 * time + rng.normal(0, 1, patients)[who] + rng.normal(0, slope, patients)[who] * time
    y += rng.normal(0, 0.7, len(who))
    return np.column_stack([time, arm, time * arm]), y, np.column_stack([np.ones(len(who)), time]), who


@pytest.mark.parametrize("random", [1, 2])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_estimates_are_those_of_statsmodels(random: int, seed: int) -> None:
    x, y, z, who = _simulated(seed, 80)
    found = fit_mixed(x, y, z[:, :random], who)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from statsmodels.regression.mixed_linear_model import MixedLM  # noqa: PLC0415 (its import adds a filter)

        whole = np.column_stack([np.ones(len(x)), x])
        other = MixedLM(y, whole, groups=who, exog_re=z[:, :random]).fit(reml=True)
    deviations = [*np.sqrt(np.diag(other.cov_re)), np.sqrt(other.scale)]
    np.testing.assert_allclose(found.estimates, [*other.fe_params[1:], *deviations], atol=2e-3)
    np.testing.assert_allclose(found.errors[:3], other.bse_fe[1:], rtol=0.1)


def test_intervals_of_standard_deviations_cover_their_values() -> None:
    hits = []
    for seed in range(60):
        x, y, z, who = _simulated(seed, 60)
        found = fit_mixed(x[:, :1], y, z, who)
        hits.append(np.abs(found.estimates - [0.5, 1.0, 0.5, 0.7]) <= 1.96 * found.errors)
    assert np.mean(hits, axis=0).min() > 0.85


def test_no_variance_between_patients_is_zero_with_an_error() -> None:
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(120), 5)
    x = rng.normal(size=(600, 1))
    found = fit_mixed(x, x[:, 0] + rng.normal(size=600), np.ones((600, 1)), who)
    assert found.estimates[1] == 0.0
    assert 0.02 < found.errors[1] < 0.3
    assert np.isfinite(found.errors).all()


def test_the_unit_of_the_outcome_scales_all_terms() -> None:
    x, y, z, who = _simulated(4, 80)
    one, other = fit_mixed(x, y, z, who), fit_mixed(x, 1e4 * y, z, who)
    np.testing.assert_allclose(1e4 * one.estimates, other.estimates, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(1e4 * one.errors, other.errors, rtol=5e-2)


@pytest.mark.parametrize(
    ("x", "y", "who", "problem"),
    [
        (np.zeros((3, 1)), np.arange(3.0), np.arange(3), "too few"),
        (np.arange(40.0)[:, None], np.ones(40), np.repeat(np.arange(10), 4), "does not vary"),
        (np.tile(np.arange(40.0), (2, 1)).T, np.arange(40.0) ** 2, np.repeat(np.arange(10), 4), "depend on each other"),
        (np.empty((0, 1)), np.empty(0), np.empty(0, dtype=int), "too few"),
    ],
)
def test_a_model_that_cannot_be_fitted_has_a_reason(x: Any, y: Any, who: Any, problem: str) -> None:
    found = fit_mixed(x, y, np.ones((len(x), 1)), who)
    assert problem in found.problem
    assert np.isnan(found.estimates).all()


@pytest.mark.parametrize("dates", [False, True])
def test_the_study_finds_the_variances_of_the_simulation(dates: bool) -> None:
    c = rows_of_task(compared(cohort(400, 3, dates=dates), dates=dates, patients=400), _TASK)
    found = study(c, _TASK)
    terms = dict(zip(found.terms, zip(*found.run(c.train), strict=True), strict=True))
    assert list(terms) == [
        "day (per SD)",
        "arm: A against B" if "arm: A against B" in terms else "arm: B against A",
        next(term for term in terms if term.endswith(", per SD of day")),
        "SD of intercepts",
        "SD within patients",
    ]
    sd = float(np.nanstd(c.train[:, c.features.names.index("day")]))
    estimate, error = terms["day (per SD)"]
    assert estimate == pytest.approx(0.01 * sd, abs=4 * error)
    assert terms["SD of intercepts"][0] == pytest.approx(BETWEEN**0.5, abs=0.35)
    assert terms["SD within patients"][0] == pytest.approx(WITHIN**0.5, abs=0.1)
    assert found.contrast.tolist() == [True, True, True, False, False]


def test_dates_and_days_give_one_model() -> None:
    found = []
    for dates in (False, True):
        c = rows_of_task(compared(cohort(150, 3, dates=dates), dates=dates), _TASK)
        found.append(study(c, _TASK).run(c.synthetic)[0])
    np.testing.assert_allclose(*found, rtol=0.02, atol=0.02)


def test_patients_put_together_from_rows_have_other_standard_deviations() -> None:
    ideal, rows = (
        replicate(rows_of_task(compared(table), _TASK), _TASK)
        for table in (cohort(150, 3), shuffled(cohort(150, 3), "sbp"))
    )
    assert ideal.value > 0.55
    assert rows.value < ideal.value - 0.2
    assert rows.details is not None
    terms = {term.term: term for term in rows.details["terms"]}
    # The shuffled values have no variance between patients, and the one within is that of both.
    assert terms["SD of intercepts"].synthetic[0] < 1.0
    assert terms["SD within patients"].synthetic[0] == pytest.approx((BETWEEN + WITHIN) ** 0.5, abs=0.3)
    assert kind_of("inference.mixed.sbp").label == "Mixed model of sbp"


@pytest.mark.usefixtures("two_scores")
def test_an_evaluation_with_a_mixed_model_has_its_score() -> None:
    with quiet():
        found = score_table(
            cohort(60, 3), train=cohort(60, 1), holdout=cohort(60, 2), schema=SCHEMA, tasks=[_TASK], workers=1
        )
    assert found["inference.mixed.sbp"].value > 0.2
    assert "independent" not in found["inference.mixed.sbp"].note


def test_a_linear_regression_of_visits_says_that_it_ignores_patients() -> None:
    task = LinearTask(target="sbp", covariates=("arm",))
    score = replicate(rows_of_task(compared(cohort(150, 3)), task), task)
    assert "take the visits of a patient as independent" in score.note


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcome": "age"}, "'age' is the same at each visit"),
        ({"outcome": "ward"}, "'ward' is no number"),
        ({"fixed": ["sbp", "day"]}, "both outcome and covariate"),
        ({"fixed": ["arm"]}, "needs the effect of 'day' itself"),
        ({"by_time": ["age"]}, "is not in `fixed`"),
        ({"by_time": ["day"]}, "is the time itself"),
    ],
)
def test_a_wrong_task_is_refused_with_a_remedy(changes: dict[str, Any], message: str) -> None:
    task = MixedTask.model_validate(_TASK.model_dump() | changes)
    with pytest.raises(ConfigError, match=message) as caught:
        check_task(task, SCHEMA)
    assert caught.value.remedy


def test_a_table_without_visits_is_refused() -> None:
    with pytest.raises(ConfigError, match="no time of visits"):
        check_task(_TASK, SCHEMA.model_copy(update={"visits": "independent"}))
    check_task(_TASK, DATED)


def test_the_last_column_of_rows_is_the_patient() -> None:
    c = rows_of_task(compared(cohort(40, 3), patients=40), _TASK)
    assert c.holdout is not None
    assert set(c.train[:, -1]) == set(range(40))
    assert set(c.holdout[:, -1]) == set(range(40, 80))
    visits = pd.Series(c.synthetic[:, -1]).value_counts()
    assert visits.max() <= 9


def test_terms_have_labels_and_a_language() -> None:
    with showing_labels(Labels({"day": "Day", "arm": "Treatment"}, {"arm": {"A": "drug"}})):
        assert term_name("arm: A against B, per SD of day", 60) == "Treatment: drug against B, per SD of Day"
    assert term_name("arm: A against B, per SD of day", 60) == "arm: A against B, per SD of day"
    with speaking("es"):
        assert term_name("SD within patients", 60) == "DE dentro de los pacientes"
