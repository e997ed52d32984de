"""Impossible patients and marks of regular visits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.score import Score
from synthclin.evaluation.visits.impossible import VISIT_RULES, visit_rules
from synthclin.evaluation.visits.regularity import REGULARITY, regularity
from synthclin.schema import Schema
from synthclin.schema.visits import Visits

from .cohort import SCHEMA, cohort, compared

_HIT = 12


def status(score: Score) -> str:
    (verdict,) = judge(default_gates([score]), [score])
    return verdict.status


def _some(table: pd.DataFrame) -> pd.Series:
    """Return the mask of the last visits of some patients with several."""
    counts = table.groupby("patient", sort=False)["day"].transform("size")
    who = table.loc[counts >= 3, "patient"].unique()[:_HIT]
    return table["patient"].isin(who) & ~table.duplicated("patient", keep="last")


def _doubled(table: pd.DataFrame) -> pd.DataFrame:
    before = table.groupby("patient", sort=False)["day"].shift()
    return table.assign(day=table["day"].mask(_some(table), before))


def _varied(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(age=table["age"] + _some(table).astype(int))


def _late(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(day=table["day"].mask(_some(table), table["followed"] + 1))


@pytest.mark.parametrize(
    ("fault", "change"),
    [("doubled times", _doubled), ("varying static columns", _varied), ("after follow-up", _late)],
)
def test_each_fault_is_counted_by_patient(fault: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    score = visit_rules(compared(change(cohort(150, 3))))
    details = VISIT_RULES.read(score)
    assert details is not None
    counted = {one.fault: (one.synthetic, one.real) for one in details.faults}
    assert counted.pop(fault) == (_HIT, 0)
    assert set(counted.values()) == {(0, 0)}
    assert details.faults[0].fault == fault
    assert score.value == pytest.approx(1 - _HIT / 150)
    assert (score.low, score.high, score.reference) == (score.value, score.value, 1.0)
    assert status(score) == "FAIL"


@pytest.mark.parametrize("dates", [False, True])
def test_possible_patients_pass(dates: bool) -> None:
    score = visit_rules(compared(cohort(150, 3, dates=dates), dates=dates))
    assert score.value == 1.0
    assert status(score) == "PASS"


def test_a_time_that_real_visits_exceed_is_no_end_of_follow_up() -> None:
    tables = [cohort(60, seed) for seed in (1, 2, 3)]
    tables[0].loc[:, "followed"] = tables[0]["followed"] - 200
    score = visit_rules(Comparison.of(tables[2], train=tables[0], holdout=tables[1], schema=SCHEMA))
    details = VISIT_RULES.read(score)
    assert details is not None
    assert "after follow-up" not in {one.fault for one in details.faults}


def _planned(table: pd.DataFrame, window: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    turn = table.groupby("patient", sort=False).cumcount().to_numpy()
    day = 28 * turn + np.where(turn > 0, rng.integers(-window, window + 1, len(table)) if window else 0, 0)
    return table.assign(day=pd.array(day, dtype="Int64"), followed=pd.array([900] * len(table), dtype="Int64"))


def _with(visits: Visits) -> Schema:
    return SCHEMA.model_copy(update={"visits": visits})


def test_visits_outside_the_schedule_and_too_many_are_counted() -> None:
    schema = _with(Visits(schedule=tuple(28 * k for k in range(9)), window=3, most=5))
    tables = [_planned(cohort(80, seed), 3, seed) for seed in (1, 2)]
    wide = _planned(cohort(80, 3), 6, 3)
    score = visit_rules(Comparison.of(wide, train=tables[0], holdout=tables[1], schema=schema))
    details = VISIT_RULES.read(score)
    assert details is not None
    counted = {one.fault: one for one in details.faults}
    off = (wide["day"] - 28 * (wide["day"].astype(float) / 28).round()).abs() > 3
    assert counted["schedule"].synthetic == wide.loc[off.to_numpy(dtype=bool), "patient"].nunique()
    assert counted["schedule"].real == 0
    assert counted["number of visits"].synthetic == (wide.groupby("patient").size() > 5).sum()


def test_visits_exactly_at_planned_times_are_found() -> None:
    schema = _with(Visits(schedule=tuple(28 * k for k in range(9)), window=3))
    tables = [_planned(cohort(120, seed), 3, seed) for seed in (1, 2)]
    exact, loose = (_planned(cohort(120, 3), window, 3) for window in (0, 3))
    score = regularity(Comparison.of(exact, train=tables[0], holdout=tables[1], schema=schema))
    details = REGULARITY.read(score)
    assert details is not None
    found = {one.mark: one for one in details.marks}
    assert found["planned times"].synthetic == 1.0
    assert found["planned times"].real == pytest.approx(1 / 7, abs=0.05)
    assert found["whole weeks"].synthetic == 1.0
    assert status(score) == "FAIL"
    same = regularity(Comparison.of(loose, train=tables[0], holdout=tables[1], schema=schema))
    assert same.value < 0.06
    assert status(same) == "PASS"


def test_everybody_censored_on_one_day_is_found() -> None:
    table = cohort(150, 3)
    alive = table["died"] == 0
    score = regularity(compared(table.assign(followed=table["followed"].mask(alive, 900))))
    details = REGULARITY.read(score)
    assert details is not None
    worst = details.marks[0]
    assert (worst.mark, worst.column, worst.synthetic) == ("one end", "followed", 1.0)
    assert worst.real < 0.1
    # The mean over three marks is a third of it, and the worst decides.
    assert status(score) == "FAIL"


def test_one_visit_per_patient_has_a_mark_of_its_end_only() -> None:
    one = [cohort(60, seed).groupby("patient", sort=False).head(1).reset_index(drop=True) for seed in (1, 2, 3)]
    score = regularity(Comparison.of(one[2], train=one[0], holdout=one[1], schema=SCHEMA))
    details = REGULARITY.read(score)
    assert details is not None
    assert [one.mark for one in details.marks] == ["one end"]
